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
mod descriptor_error;
#[cfg(test)]
mod descriptor_tests;
mod failure;
mod file_system;
mod id;
mod in_memory;
mod job;
mod kind;
mod location;
mod metadata;
mod name;
mod option_reading;
mod path_grammar;
mod redacted;
mod state;
mod storage_path;
#[cfg(test)]
mod storage_path_tests;
mod time;

pub use barrier::Barrier;
pub use checksum::Crc32c;
pub use descriptor::{OptionValue, StorageDescriptor};
pub use descriptor_error::DescriptorError;
pub use failure::{FailurePhase, FailureReason};
pub use file_system::FileSystemDescriptor;
pub use id::{Attempt, CheckpointId, JobId, OpId, ParseJobIdError, RequestId, TaskId, VertexId};
pub use in_memory::JobManagerDescriptor;
pub use job::JobStatus;
pub use kind::CheckpointKind;
pub use location::{LocationReference, Pointer};
pub use metadata::{CheckpointMetadata, OperatorState};
pub use name::{InvalidName, Name};
pub use redacted::Redacted;
pub use state::{FileHandle, KeyGroupRange, KeyedHandle, OperatorHandle, StateHandle, TaskSnapshot};
pub use storage_path::StoragePath;
pub use time::{Now, Timestamp, UnixMillis};
