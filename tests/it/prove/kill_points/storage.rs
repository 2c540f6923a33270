//! A storage and a sink that count what they are asked to do, and kill the process at one count.

use super::LAST_WORDS;
use bytes::Bytes;
use rustix::process::{Signal, getpid, kill_process};
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stillframe::model::{LocationReference, StateFile, StateHandle, StorageDescriptor};
use stillframe::prelude::*;
use stillframe::runtime::sink::{Preparation, Transactions};
use stillframe::storage::{
    Claim, CompletedLocation, CoordinatorStorage, Ownership, StateScope, StateStream, StorageAccess,
    StorageError, Sweep, SweepMode, WorkerStorage, async_trait,
};

/// The points of one process.
#[derive(Debug)]
pub(super) struct Points {
    directory: PathBuf,
    die_at: Option<u64>,
    passed: AtomicU64,
}

impl Points {
    pub(super) fn new(directory: &Path, die_at: Option<u64>) -> Self {
        Self { directory: directory.into(), die_at, passed: AtomicU64::new(0) }
    }

    /// Dies here, if this is the point.
    fn pass(&self, name: &str) {
        if Some(self.passed.fetch_add(1, Ordering::SeqCst)) == self.die_at {
            fs::write(self.directory.join(LAST_WORDS), name).expect("the directory can be written");
            kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
            // The signal is on its way; nothing may happen any more.
            loop {
                std::thread::park();
            }
        }
    }

    /// Two points, with an operation between them.
    async fn around<T>(&self, names: [&str; 2], operation: impl Future<Output = T>) -> T {
        let [before, after] = names;
        self.pass(before);
        let result = operation.await;
        self.pass(after);
        result
    }
}

#[derive(Debug)]
pub(super) struct KillingStorage {
    inner: Arc<dyn CheckpointStorage>,
    points: Arc<Points>,
}

#[derive(Debug)]
struct Access {
    inner: Arc<dyn StorageAccess>,
    points: Arc<Points>,
}

#[derive(Debug)]
struct Killing<T: ?Sized> {
    inner: Arc<T>,
    points: Arc<Points>,
}

#[derive(Debug)]
struct Stream {
    inner: Box<dyn StateStream>,
    points: Arc<Points>,
}

impl KillingStorage {
    pub(super) fn new(inner: Arc<dyn CheckpointStorage>, points: &Arc<Points>) -> Self {
        Self { inner, points: Arc::clone(points) }
    }
}

#[async_trait]
impl CheckpointStorage for KillingStorage {
    fn descriptor(&self) -> StorageDescriptor {
        self.inner.descriptor()
    }

    async fn open(&self, job: JobId) -> Result<Arc<dyn StorageAccess>, StorageError> {
        let inner = self.inner.open(job).await?;
        Ok(Arc::new(Access { inner, points: Arc::clone(&self.points) }))
    }

    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.inner.resolve(pointer).await
    }
}

impl StorageAccess for Access {
    fn coordinator(&self) -> Arc<dyn CoordinatorStorage> {
        Arc::new(Killing { inner: self.inner.coordinator(), points: Arc::clone(&self.points) })
    }

    fn worker(&self) -> Arc<dyn WorkerStorage> {
        Arc::new(Killing { inner: self.inner.worker(), points: Arc::clone(&self.points) })
    }
}

#[async_trait]
impl CoordinatorStorage for Killing<dyn CoordinatorStorage> {
    fn is_highly_available(&self) -> bool {
        self.inner.is_highly_available()
    }

    fn has_default_savepoint_location(&self) -> bool {
        self.inner.has_default_savepoint_location()
    }

    async fn claim(&self) -> Result<Claim, StorageError> {
        self.points.around(["before claim", "after claim"], self.inner.claim()).await
    }

    async fn begin_checkpoint(&self, id: CheckpointId) -> Result<LocationReference, StorageError> {
        self.points.around(["before begin", "after begin"], self.inner.begin_checkpoint(id)).await
    }

    async fn begin_savepoint(
        &self,
        id: CheckpointId,
        target: Option<&str>,
    ) -> Result<LocationReference, StorageError> {
        self.inner.begin_savepoint(id, target).await
    }

    async fn commit(
        &self,
        id: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
        dropped: &[CheckpointId],
    ) -> Result<Pointer, StorageError> {
        self.points
            .around(["before publish", "after publish"], self.inner.commit(id, location, metadata, dropped))
            .await
    }

    async fn publish_savepoint(
        &self,
        id: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
    ) -> Result<Pointer, StorageError> {
        self.inner.publish_savepoint(id, location, metadata).await
    }

    async fn adopt(
        &self,
        snapshot: Arc<dyn CompletedLocation>,
        id: CheckpointId,
        ownership: Ownership,
    ) -> Result<Claim, StorageError> {
        self.inner.adopt(snapshot, id, ownership).await
    }

    async fn remove(&self, id: CheckpointId, shared: &[StateFile]) -> Result<(), StorageError> {
        self.points.around(["before remove", "after remove"], self.inner.remove(id, shared)).await
    }

    async fn sweep(&self, mode: SweepMode) -> Result<Sweep, StorageError> {
        self.points.around(["before sweep", "after sweep"], self.inner.sweep(mode)).await
    }

    async fn open_checkpoint(&self, id: CheckpointId) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.points.around(["before restore", "after restore"], self.inner.open_checkpoint(id)).await
    }

    async fn discard(&self, id: CheckpointId, location: &LocationReference) -> Result<(), StorageError> {
        self.points.around(["before discard", "after discard"], self.inner.discard(id, location)).await
    }

    async fn conclude(&self, status: JobStatus, dropped: &[CheckpointId]) -> Result<(), StorageError> {
        self.points.around(["before conclude", "after conclude"], self.inner.conclude(status, dropped)).await
    }
}

#[async_trait]
impl WorkerStorage for Killing<dyn WorkerStorage> {
    async fn create(
        &self,
        id: CheckpointId,
        location: &LocationReference,
        scope: StateScope,
    ) -> Result<Box<dyn StateStream>, StorageError> {
        let inner = self.inner.create(id, location, scope).await?;
        Ok(Box::new(Stream { inner, points: Arc::clone(&self.points) }))
    }

    async fn sync(&self, id: CheckpointId, location: &LocationReference) -> Result<(), StorageError> {
        self.points.around(["before sync", "after sync"], self.inner.sync(id, location)).await
    }
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
        self.points.around(["before finish", "after finish"], self.inner.finish()).await
    }

    async fn abort(self: Box<Self>) -> Result<(), StorageError> {
        self.inner.abort().await
    }
}

/// The same for a sink.
pub(super) struct KillingTransactions<B> {
    inner: B,
    points: Arc<Points>,
}

impl<B> KillingTransactions<B> {
    pub(super) fn new(inner: B, points: &Arc<Points>) -> Self {
        Self { inner, points: Arc::clone(points) }
    }
}

impl<T, B: Transactions<T>> Transactions<T> for KillingTransactions<B> {
    type Transaction = B::Transaction;
    type Writer = B::Writer;

    fn writer(&self) -> Self::Writer {
        self.inner.writer()
    }

    fn write(&mut self, record: T) -> TaskResult<()> {
        self.inner.write(record)
    }

    fn prepare(&mut self) -> TaskResult<Option<(Self::Transaction, Preparation)>> {
        let Some((transaction, preparation)) = self.inner.prepare()? else { return Ok(None) };
        let points = Arc::clone(&self.points);
        let preparation = move || {
            points.pass("before prepare");
            preparation()?;
            points.pass("after prepare");
            Ok(())
        };
        Ok(Some((transaction, Box::new(preparation))))
    }

    fn commit(&mut self, transaction: &Self::Transaction) -> TaskResult<()> {
        self.points.pass("before commit");
        self.inner.commit(transaction)?;
        self.points.pass("after commit");
        Ok(())
    }

    fn recover(&mut self, writers: Option<Vec<Self::Writer>>) -> TaskResult<()> {
        self.points.pass("before recover");
        self.inner.recover(writers)?;
        self.points.pass("after recover");
        Ok(())
    }
}
