use crate::{StateReader, StorageError};
use async_trait::async_trait;
use bytes::Bytes;
use core::fmt::Debug;
use std::sync::Arc;
use stillframe_model::{CheckpointId, LocationReference, StateHandle};

/// Who may refer to a piece of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateScope {
    /// The checkpoint that it is written for, and no other.
    Exclusive,
    /// Later checkpoints as well, as parts of incremental state.
    Shared,
}

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
        scope: StateScope,
    ) -> Result<Box<dyn StateStream>, StorageError>;

    /// Makes durable all state of this checkpoint whose streams were finished here before, except that the names of new
    /// files may still need the [commit](crate::CoordinatorStorage::commit) of the checkpoint. A task acknowledges only after
    /// this. Many tasks may call it at once, and then share the work.
    ///
    /// # Errors
    /// If durability could not be had. None of that state may be acknowledged then, whoever wrote it, and every later
    /// call for this checkpoint fails as well.
    async fn sync(&self, checkpoint: CheckpointId, location: &LocationReference) -> Result<(), StorageError>;

    /// The storage for state that tasks look after themselves. `None` if there is none here.
    fn task_owned(&self) -> Option<Arc<dyn TaskOwnedStorage>> {
        None
    }
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

    /// Ends the stream. The state is complete then, and durable after the next [`WorkerStorage::sync`]. `None` if nothing
    /// was ever written.
    ///
    /// # Errors
    /// As the medium fails. What was written is removed as far as possible.
    async fn finish(self: Box<Self>) -> Result<Option<StateHandle>, StorageError>;

    /// Gives up and removes what was written.
    ///
    /// # Errors
    /// If something could not be removed; it is then left for the disposal of its checkpoint.
    async fn abort(self: Box<Self>) -> Result<(), StorageError>;
}

/// State that no checkpoint owns: tasks write it, refer to it from their own state, and delete it when no checkpoint can
/// need it any more.
#[async_trait]
pub trait TaskOwnedStorage: Debug + Send + Sync + 'static {
    /// A new stream. What it gives when it is finished is durable at once, and never inline.
    ///
    /// # Errors
    /// As the medium fails.
    async fn create(&self) -> Result<Box<dyn StateStream>, StorageError>;

    /// State that was written here, by this task or an earlier one.
    ///
    /// # Errors
    /// `InvalidPointer` for a handle of state that is not task-owned; `NotFound`.
    async fn open(&self, handle: &StateHandle) -> Result<Box<dyn StateReader>, StorageError>;

    /// Removes it. What does not exist counts as removed.
    ///
    /// # Errors
    /// `InvalidPointer` for a handle of state that is not task-owned; otherwise as the medium fails.
    async fn delete(&self, handle: &StateHandle) -> Result<(), StorageError>;
}
