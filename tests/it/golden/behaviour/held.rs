//! A storage in which the state of a single checkpoint can be held, while that of others is written beside it.

use super::program::Switch;
use std::sync::Arc;
use stillframe::model::{LocationReference, StorageDescriptor};
use stillframe::prelude::*;
use stillframe::storage::{
    CompletedLocation, CoordinatorStorage, StateScope, StateStream, StorageAccess, StorageError,
    TaskOwnedStorage, WorkerStorage, async_trait,
};

/// Another storage, of which the switch holds what is to be held.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) inner: Arc<dyn CheckpointStorage>,
    pub(super) switch: Arc<Switch>,
}

#[async_trait]
impl CheckpointStorage for Held {
    fn descriptor(&self) -> StorageDescriptor {
        self.inner.descriptor()
    }

    async fn open(&self, job: JobId) -> Result<Arc<dyn StorageAccess>, StorageError> {
        Ok(Arc::new(Access { inner: self.inner.open(job).await?, switch: Arc::clone(&self.switch) }))
    }

    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.inner.resolve(pointer).await
    }
}

#[derive(Debug)]
struct Access {
    inner: Arc<dyn StorageAccess>,
    switch: Arc<Switch>,
}

impl StorageAccess for Access {
    fn coordinator(&self) -> Arc<dyn CoordinatorStorage> {
        self.inner.coordinator()
    }

    fn worker(&self) -> Arc<dyn WorkerStorage> {
        Arc::new(Worker { inner: self.inner.worker(), switch: Arc::clone(&self.switch) })
    }
}

#[derive(Debug)]
struct Worker {
    inner: Arc<dyn WorkerStorage>,
    switch: Arc<Switch>,
}

#[async_trait]
impl WorkerStorage for Worker {
    async fn create(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        scope: StateScope,
    ) -> Result<Box<dyn StateStream>, StorageError> {
        self.switch.pass_to_storage();
        self.inner.create(checkpoint, location, scope).await
    }

    async fn sync(&self, checkpoint: CheckpointId, location: &LocationReference) -> Result<(), StorageError> {
        self.inner.sync(checkpoint, location).await
    }

    fn task_owned(&self) -> Option<Arc<dyn TaskOwnedStorage>> {
        self.inner.task_owned()
    }
}
