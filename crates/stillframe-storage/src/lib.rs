//! The seams between Stillframe and the places where checkpoints are kept.
//!
//! A [`CheckpointStorage`] is light, serialisable configuration. [Opened](CheckpointStorage::open) for a job it gives two
//! views: the coordinator's driver administers checkpoints through [`CoordinatorStorage`], tasks write state through
//! [`WorkerStorage`] and cannot do anything else. One level lower, [`BlobStore`] is what a new file system or object
//! store implements; `stillframe-storage-directory` turns any of them into a checkpoint storage.
//!
//! Every trait is dyn-safe and names no runtime. Implementations may block inside their futures: the driver runs
//! them on threads where that is allowed. All of them must pass `stillframe-storage-conformance`.

mod blob;
mod coordinator;
mod error;
mod registry;
mod storage;
mod sweep;
mod worker;

pub use blob::{BlobEntry, BlobPath, BlobReader, BlobStore, BlobWriter};
pub use coordinator::{Claim, CommitStage, CoordinatorStorage, Ownership};
pub use error::{ErrorKind, StorageError};
pub use registry::StorageRegistry;
pub use storage::{CheckpointStorage, CompletedLocation, StateReader, StorageAccess};
pub use sweep::{Sweep, SweepMode, Swept, Verdict};
pub use worker::{StateScope, StateStream, TaskOwnedStorage, WorkerStorage};

/// What implementations of these traits are annotated with.
pub use async_trait::async_trait;
