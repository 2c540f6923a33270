use crate::StorageError;
use async_trait::async_trait;
use bytes::Bytes;
use core::fmt::Debug;
use stillframe_model::{CheckpointId, LocationReference, StateHandle};

/// Where tasks write. Many tasks create streams at once.
#[async_trait]
pub trait WorkerStorage: Debug + Send + Sync + 'static {
    /// A new stream for state of this checkpoint, at the location that came with its barrier.
    ///
    /// # Errors
    /// `InvalidPointer` for a reference that this storage did not make.
    async fn create(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
    ) -> Result<Box<dyn StateStream>, StorageError>;
}

/// State on its way to a storage. [`finish`](Self::finish) or [`abort`](Self::abort) ends it; one that is dropped is aborted
/// as well as that is possible without reporting.
#[async_trait]
pub trait StateStream: Debug + Send {
    /// How many bytes were written.
    fn position(&self) -> u64;

    /// Appends.
    ///
    /// # Errors
    /// `NoSpace`, `Unavailable`, … After an error the stream can only be aborted.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError>;

    /// Ends the stream. The state is durable when this returns, except that the name of a new file may still need
    /// the [publication](crate::CoordinatorStorage::publish) of its checkpoint. `None` if nothing was ever written.
    ///
    /// # Errors
    /// If durability could not be had. What was written is removed as far as possible.
    async fn finish(self: Box<Self>) -> Result<Option<StateHandle>, StorageError>;

    /// Gives up and removes what was written.
    ///
    /// # Errors
    /// If something could not be removed; it is then left for the disposal of its checkpoint.
    async fn abort(self: Box<Self>) -> Result<(), StorageError>;
}
