use crate::savepoint::Savepoints;
use crate::stream::{LimitedStream, Limits, MemoryStream};
use async_trait::async_trait;
use std::sync::Arc;
use stillframe_model::{CheckpointId, LocationReference};
use stillframe_storage::{StateScope, StateStream, StorageError, WorkerStorage};

/// State that travels to the coordinator in the acknowledgement, whoever may refer to it and wherever the metadata goes.
#[derive(Debug)]
pub(crate) struct MemoryWorker {
    limits: Limits,
    savepoints: Savepoints,
}

impl MemoryWorker {
    pub(crate) fn new(limits: Limits, savepoints: Savepoints) -> Self {
        Self { limits, savepoints }
    }
}

#[async_trait]
impl WorkerStorage for MemoryWorker {
    async fn create(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        _: StateScope,
    ) -> Result<Box<dyn StateStream>, StorageError> {
        self.savepoints.place("write state for checkpoint", checkpoint, location)?;
        Ok(Box::new(MemoryStream::new(checkpoint, self.limits.clone())))
    }

    /// There is nothing to lose that is not in the handles.
    async fn sync(&self, checkpoint: CheckpointId, location: &LocationReference) -> Result<(), StorageError> {
        self.savepoints.place("sync state of checkpoint", checkpoint, location).map(|_| ())
    }
}

/// The same before a directory that keeps all state inline.
#[derive(Debug)]
pub(crate) struct LimitedWorker {
    limits: Limits,
    inner: Arc<dyn WorkerStorage>,
}

impl LimitedWorker {
    pub(crate) fn new(limits: Limits, inner: Arc<dyn WorkerStorage>) -> Self {
        Self { limits, inner }
    }
}

#[async_trait]
impl WorkerStorage for LimitedWorker {
    async fn create(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        _: StateScope,
    ) -> Result<Box<dyn StateStream>, StorageError> {
        // State that is inline belongs to whoever has the metadata, so there is nothing that could be shared.
        let inner = self.inner.create(checkpoint, location, StateScope::Exclusive).await?;
        Ok(Box::new(LimitedStream::new(checkpoint, self.limits.clone(), inner)))
    }

    async fn sync(&self, checkpoint: CheckpointId, location: &LocationReference) -> Result<(), StorageError> {
        self.inner.sync(checkpoint, location).await
    }
}
