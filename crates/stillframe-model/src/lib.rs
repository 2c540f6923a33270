//! The nouns that every Stillframe crate shares, and nothing that acts on them.
//!
//! Start with [`Barrier`], which travels between tasks, and [`CheckpointMetadata`], which is what a completed
//! checkpoint consists of. Everything here is plain data: `Clone + Debug + Eq`, ordered, without a clock, a
//! file or a runtime. The meaning of each word is in the project's `docs/glossary.md`.
//!
//! The crate is `no_std + alloc`. What belongs to the content of a snapshot, from [`Barrier`] to [`CheckpointMetadata`], is there
//! with the feature `snapshots`; without it nothing is needed but an error derive. The feature `std` makes [`Crc32c`] faster.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

#[cfg(feature = "snapshots")]
mod barrier;
#[cfg(feature = "snapshots")]
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
#[cfg(feature = "snapshots")]
mod location;
#[cfg(feature = "snapshots")]
mod metadata;
mod name;
mod option_reading;
mod path_grammar;
mod pointer;
mod progress;
mod redacted;
#[cfg(feature = "snapshots")]
mod state;
mod storage_path;
#[cfg(test)]
mod storage_path_tests;
mod time;

#[cfg(feature = "snapshots")]
pub use barrier::Barrier;
#[cfg(feature = "snapshots")]
pub use checksum::Crc32c;
pub use descriptor::{OptionValue, StorageDescriptor};
pub use descriptor_error::DescriptorError;
pub use failure::{FailurePhase, FailureReason};
pub use file_system::{Durability, FileSystemDescriptor};
pub use id::{Attempt, CheckpointId, JobId, OpId, ParseJobIdError, RequestId, TaskId, VertexId};
pub use in_memory::JobManagerDescriptor;
pub use job::JobStatus;
pub use kind::{CheckpointKind, PostCheckpointAction, SavepointFormat, SavepointKind};
#[cfg(feature = "snapshots")]
pub use location::LocationReference;
#[cfg(feature = "snapshots")]
pub use metadata::{CheckpointMetadata, OperatorState};
pub use name::{InvalidName, Name};
pub use pointer::Pointer;
pub use progress::{SnapshotMetrics, TaskProgress};
pub use redacted::Redacted;
#[cfg(feature = "snapshots")]
pub use state::{
    ChannelHandle, FileHandle, IncrementalHandle, IncrementalPart, KeyGroupRange, KeyedHandle, KeyedState,
    OperatorHandle, PartOrigin, Redistribution, SegmentHandle, StateDirectory, StateFile, StateHandle,
    TaskSnapshot,
};
pub use storage_path::StoragePath;
pub use time::{Now, Timestamp, UnixMillis};
