use crate::{CoordinatorStorage, StorageError, WorkerStorage};
use async_trait::async_trait;
use bytes::Bytes;
use core::fmt::Debug;
use std::sync::Arc;
use stillframe_model::{JobId, Pointer, StateHandle, StorageDescriptor};

/// A place for checkpoints, as configuration. Cheap to clone and to send: [`descriptor`](Self::descriptor) holds all of it,
/// and a [`StorageRegistry`](crate::StorageRegistry) turns the descriptor back into a storage in another process.
#[async_trait]
pub trait CheckpointStorage: Debug + Send + Sync + 'static {
    /// What this storage is, without secrets.
    fn descriptor(&self) -> StorageDescriptor;

    /// The storage as one job sees it. Creates nothing yet.
    ///
    /// # Errors
    /// If the place cannot be reached.
    async fn open(&self, job: JobId) -> Result<Arc<dyn StorageAccess>, StorageError>;

    /// A finished checkpoint or savepoint, also of another job.
    ///
    /// # Errors
    /// `InvalidPointer` for text that cannot name one, `NotFound` where there is none.
    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError>;
}

/// One job's view of a storage, split by who may do what.
pub trait StorageAccess: Debug + Send + Sync + 'static {
    /// For the coordinator's driver: creates, publishes and discards checkpoints.
    fn coordinator(&self) -> Arc<dyn CoordinatorStorage>;

    /// For tasks: creates streams of state, nothing else.
    fn worker(&self) -> Arc<dyn WorkerStorage>;
}

/// A finished checkpoint or savepoint, to be read.
#[async_trait]
pub trait CompletedLocation: Debug + Send + Sync + 'static {
    /// Its address.
    fn pointer(&self) -> &Pointer;

    /// The bytes that were published as its metadata. Checking them is the reader's part.
    ///
    /// # Errors
    /// `NotFound`, `TooLarge` beyond the storage's limit for metadata, `Unavailable`.
    async fn metadata(&self) -> Result<Bytes, StorageError>;

    /// The state behind a handle that stood in the metadata, after its length and checksum were compared.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`, or `Corrupt` if so much as a bit differs.
    async fn read(&self, handle: &StateHandle) -> Result<Bytes, StorageError>;
}
