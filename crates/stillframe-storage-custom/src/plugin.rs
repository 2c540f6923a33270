use async_trait::async_trait;
use core::fmt::Debug;
use std::sync::Arc;
use stillframe_model::{CheckpointId, JobId, LocationReference, StateHandle};
use stillframe_storage::{CheckpointStorage, StateReader, StorageError};

/// Somebody else's storage, with what else it can do.
#[derive(Clone, Debug)]
pub struct Plugin {
    pub(crate) storage: Arc<dyn CheckpointStorage>,
    pub(crate) read_back: Option<Arc<dyn ReadBackStorage>>,
}

impl Plugin {
    /// A storage that can do what the traits ask for.
    pub fn new(storage: Arc<dyn CheckpointStorage>) -> Self {
        Self { storage, read_back: None }
    }

    /// The same, able to read state before its checkpoint is complete.
    #[must_use]
    pub fn with_read_back(self, read_back: Arc<dyn ReadBackStorage>) -> Self {
        Self { read_back: Some(read_back), ..self }
    }
}

/// A storage that can read state on the process that wrote it, as soon as it is durable. Without it, the guard reads back only
/// metadata and task-owned state; see [`ReadBack`](crate::ReadBack).
#[async_trait]
pub trait ReadBackStorage: Debug + Send + Sync + 'static {
    /// State that was finished and synced for a checkpoint of this job, at this location.
    ///
    /// # Errors
    /// As the medium fails; each fails the [`sync`](stillframe_storage::WorkerStorage::sync) after which it was tried.
    async fn open(
        &self,
        job: JobId,
        checkpoint: CheckpointId,
        location: &LocationReference,
        handle: &StateHandle,
    ) -> Result<Box<dyn StateReader>, StorageError>;
}
