//! A storage around another one, which can be held, and made to fail, at each step.

use super::brake::{Brake, Gauge};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use stillframe::model::{JobStatus, LocationReference, StateFile, StateHandle, StorageDescriptor};
use stillframe::prelude::*;
use stillframe::storage::{
    Claim, CompletedLocation, CoordinatorStorage, ErrorKind, Ownership, StateScope, StateStream,
    StorageAccess, StorageError, Sweep, SweepMode, WorkerStorage, async_trait,
};

/// What a publication does instead of succeeding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PublishFault {
    /// It has no effect, and says so.
    Definite,
    /// It says that it does not know, and has had its effect.
    UnknownDone,
    /// It says that it does not know, and has had none.
    UnknownLost,
}

/// What a test sees and sets of a storage.
#[derive(Debug, Default)]
pub(crate) struct Steering {
    /// Holds streams of state before they are finished.
    pub(crate) finishing: Arc<Brake>,
    /// How many streams were finished.
    pub(crate) finished: Gauge,
    /// Holds publications before they take effect.
    pub(crate) publishing: Arc<Brake>,
    /// Holds removals of what was completed before they take effect.
    pub(crate) removing: Arc<Brake>,
    /// What the next publications do.
    pub(crate) faults: Mutex<VecDeque<PublishFault>>,
    /// What was removed.
    pub(crate) discarded: Mutex<Vec<CheckpointId>>,
}

impl Steering {
    /// Another storage in the reach of this.
    pub(crate) fn around(self: &Arc<Self>, inner: Arc<dyn CheckpointStorage>) -> Arc<dyn CheckpointStorage> {
        Arc::new(Steered { inner, steering: Arc::clone(self) })
    }

    /// Lets the next publications fail, one after the other.
    pub(crate) fn fail_publications(&self, faults: impl IntoIterator<Item = PublishFault>) {
        self.faults.lock().expect("nothing panics while it holds this").extend(faults);
    }

    pub(crate) fn discarded(&self) -> Vec<CheckpointId> {
        self.discarded.lock().expect("nothing panics while it holds this").clone()
    }
}

#[derive(Debug)]
struct Steered {
    inner: Arc<dyn CheckpointStorage>,
    steering: Arc<Steering>,
}

#[async_trait]
impl CheckpointStorage for Steered {
    fn descriptor(&self) -> StorageDescriptor {
        self.inner.descriptor()
    }

    async fn open(&self, job: JobId) -> Result<Arc<dyn StorageAccess>, StorageError> {
        Ok(Arc::new(Access { inner: self.inner.open(job).await?, steering: Arc::clone(&self.steering) }))
    }

    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.inner.resolve(pointer).await
    }
}

#[derive(Debug)]
struct Access {
    inner: Arc<dyn StorageAccess>,
    steering: Arc<Steering>,
}

impl StorageAccess for Access {
    fn coordinator(&self) -> Arc<dyn CoordinatorStorage> {
        Arc::new(Coordinator { inner: self.inner.coordinator(), steering: Arc::clone(&self.steering) })
    }

    fn worker(&self) -> Arc<dyn WorkerStorage> {
        Arc::new(Worker { inner: self.inner.worker(), steering: Arc::clone(&self.steering) })
    }
}

#[derive(Debug)]
struct Coordinator {
    inner: Arc<dyn CoordinatorStorage>,
    steering: Arc<Steering>,
}

#[async_trait]
impl CoordinatorStorage for Coordinator {
    fn is_highly_available(&self) -> bool {
        self.inner.is_highly_available()
    }

    fn has_default_savepoint_location(&self) -> bool {
        self.inner.has_default_savepoint_location()
    }

    async fn claim(&self) -> Result<Claim, StorageError> {
        self.inner.claim().await
    }

    async fn begin_checkpoint(&self, checkpoint: CheckpointId) -> Result<LocationReference, StorageError> {
        self.inner.begin_checkpoint(checkpoint).await
    }

    async fn begin_savepoint(
        &self,
        checkpoint: CheckpointId,
        target: Option<&str>,
    ) -> Result<LocationReference, StorageError> {
        self.inner.begin_savepoint(checkpoint, target).await
    }

    async fn commit(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
        dropped: &[CheckpointId],
    ) -> Result<Pointer, StorageError> {
        self.published(checkpoint, self.inner.commit(checkpoint, location, metadata, dropped)).await
    }

    async fn publish_savepoint(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
    ) -> Result<Pointer, StorageError> {
        self.published(checkpoint, self.inner.publish_savepoint(checkpoint, location, metadata)).await
    }

    async fn adopt(
        &self,
        snapshot: Arc<dyn CompletedLocation>,
        checkpoint: CheckpointId,
        ownership: Ownership,
    ) -> Result<Claim, StorageError> {
        self.inner.adopt(snapshot, checkpoint, ownership).await
    }

    async fn remove(&self, checkpoint: CheckpointId, shared: &[StateFile]) -> Result<(), StorageError> {
        self.steering.removing.pass();
        self.steering.discarded.lock().expect("nothing panics while it holds this").push(checkpoint);
        self.inner.remove(checkpoint, shared).await
    }

    async fn sweep(&self, mode: SweepMode) -> Result<Sweep, StorageError> {
        self.inner.sweep(mode).await
    }

    async fn open_checkpoint(
        &self,
        checkpoint: CheckpointId,
    ) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.inner.open_checkpoint(checkpoint).await
    }

    async fn discard(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
    ) -> Result<(), StorageError> {
        self.steering.discarded.lock().expect("nothing panics while it holds this").push(checkpoint);
        self.inner.discard(checkpoint, location).await
    }

    async fn conclude(&self, status: JobStatus, dropped: &[CheckpointId]) -> Result<(), StorageError> {
        self.inner.conclude(status, dropped).await
    }
}

impl Coordinator {
    async fn published(
        &self,
        checkpoint: CheckpointId,
        publication: impl Future<Output = Result<Pointer, StorageError>>,
    ) -> Result<Pointer, StorageError> {
        self.steering.publishing.pass();
        let fault = self.steering.faults.lock().expect("nothing panics while it holds this").pop_front();
        let error = |kind| {
            Err(StorageError::new(kind, "publish", format!("checkpoint {checkpoint}"))
                .with_detail("as the test wished"))
        };
        match fault {
            None => publication.await,
            Some(PublishFault::Definite) => error(ErrorKind::Unavailable),
            Some(PublishFault::UnknownLost) => error(ErrorKind::OutcomeUnknown),
            Some(PublishFault::UnknownDone) => {
                publication.await?;
                error(ErrorKind::OutcomeUnknown)
            }
        }
    }
}

#[derive(Debug)]
struct Worker {
    inner: Arc<dyn WorkerStorage>,
    steering: Arc<Steering>,
}

#[async_trait]
impl WorkerStorage for Worker {
    async fn create(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        scope: StateScope,
    ) -> Result<Box<dyn StateStream>, StorageError> {
        let inner = self.inner.create(checkpoint, location, scope).await?;
        Ok(Box::new(Stream { inner, steering: Arc::clone(&self.steering) }))
    }

    async fn sync(&self, checkpoint: CheckpointId, location: &LocationReference) -> Result<(), StorageError> {
        self.inner.sync(checkpoint, location).await
    }
}

#[derive(Debug)]
struct Stream {
    inner: Box<dyn StateStream>,
    steering: Arc<Steering>,
}

#[async_trait]
impl StateStream for Stream {
    fn position(&self) -> u64 {
        self.inner.position()
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.inner.write(bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<Option<StateHandle>, StorageError> {
        let Self { inner, steering } = *self;
        steering.finishing.pass();
        let handle = inner.finish().await;
        steering.finished.add(1);
        handle
    }

    async fn abort(self: Box<Self>) -> Result<(), StorageError> {
        self.inner.abort().await
    }
}
