//! Bytes to checkpoint metadata and back. Slices in, buffers out; nothing here opens anything.
//!
//! [`encode`] and [`decode`] carry a [`CheckpointMetadata`](stillframe_model::CheckpointMetadata). Both rest on [`frame`]:
//! magic, kind, version, length and checksums around a body, which `stillframe-state` uses for its own records. Reading is
//! total: any bytes give a value or a [`FormatError`], and nothing is allocated for a length that the input does not have.
//!
//! What a body may hold at most is in [`limits`]; both directions enforce it, so that what was written can be read.
//!
//! This crate is the only user of `bincode` in the workspace (`docs/decisions/0006`).
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
// What is read here may be anybody's bytes, so that no number in it may lead to a panic or to another number.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::panic))]

extern crate alloc;

mod body;
mod error;
pub mod frame;
pub mod limits;

pub use body::{decode, encode};
pub use error::FormatError;
