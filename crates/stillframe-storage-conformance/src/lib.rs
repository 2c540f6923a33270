//! What every [`CheckpointStorage`](stillframe_storage::CheckpointStorage) must do, as callable cases.
//!
//! Give [`conformance_tests!`] a function that makes a fresh [`Subject`], and each case becomes a `#[test]`:
//!
//! ```
//! use stillframe_storage_conformance::{Subject, conformance_tests};
//!
//! fn fresh() -> Subject {
//!     // A storage in a new place, and how a descriptor is turned back into one.
//! #   use std::sync::Arc;
//! #   fn storage() -> Arc<dyn stillframe_storage::CheckpointStorage> { panic!("only compiled") }
//!     Subject::new(storage(), |_descriptor| Ok(storage()))
//! }
//!
//! # mod hidden { use super::*;
//! conformance_tests!(fresh);
//! # }
//! # fn main() {}
//! ```
//!
//! The cases are in [`cases`], by subject. They panic with what was expected, and rely on nothing but the
//! traits: what one storage keeps in files another may keep inline.
//!
//! Architecture invariant: this crate names no backend, and nothing but tests depends on it.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod cases;
mod macros;
mod subject;

pub use subject::Subject;

#[doc(hidden)]
pub use futures_executor::block_on;
