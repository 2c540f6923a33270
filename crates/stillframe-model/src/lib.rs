//! The nouns that every Stillframe crate shares, and nothing that acts on them.
//!
//! Start with [`Barrier`], which travels between tasks, and [`CheckpointMetadata`], which is what a completed
//! checkpoint consists of. Everything here is plain data: `Clone + Debug + Eq`, ordered, without a clock, a
//! file or a runtime. The meaning of each word is in the project's `docs/glossary.md`.
//!
//! The crate is `no_std + alloc`. The `std` feature only makes [`Crc32c`] faster.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod barrier;
mod checksum;
mod descriptor;
mod failure;
mod id;
mod job;
mod kind;
mod location;
mod metadata;
mod name;
mod state;
mod time;

pub use barrier::Barrier;
pub use checksum::Crc32c;
pub use descriptor::{OptionValue, StorageDescriptor};
pub use failure::{FailurePhase, FailureReason};
pub use id::{Attempt, CheckpointId, JobId, OpId, ParseJobIdError, RequestId, TaskId, VertexId};
pub use job::JobStatus;
pub use kind::CheckpointKind;
pub use location::{LocationReference, Pointer};
pub use metadata::{CheckpointMetadata, OperatorState};
pub use name::{InvalidName, Name};
pub use state::{FileHandle, KeyGroupRange, KeyedHandle, OperatorHandle, StateHandle, TaskSnapshot};
pub use time::{Now, Timestamp, UnixMillis};
