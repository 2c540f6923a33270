use super::completed::GuardedLocation;
use super::{Call, Guard, lock};
use crate::history::{Announced, Breach, History, breach};
use crate::ledger::{Content, Origin};
use crate::{CallKind, Rule, Violation};
use async_trait::async_trait;
use bytes::Bytes;
use core::fmt::Display;
use std::sync::{Arc, Mutex};
use stillframe_model::{CheckpointId, JobId, JobStatus, LocationReference, Pointer, StateFile};
use stillframe_storage::{
    CheckpointStorage, Claim, CommitStage, CompletedLocation, CoordinatorStorage, ErrorKind, Ownership,
    StorageError, Sweep, SweepMode,
};

/// What a view says of itself, and never changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Properties {
    pub(super) is_highly_available: bool,
    pub(super) has_default_savepoint_location: bool,
}

#[derive(Debug)]
pub(crate) struct GuardedCoordinator {
    guard: Arc<Guard>,
    job: JobId,
    inner: Arc<dyn CoordinatorStorage>,
    properties: Properties,
    /// For what was published somewhere else.
    storage: Arc<dyn CheckpointStorage>,
    history: Mutex<History>,
}

impl GuardedCoordinator {
    pub(super) fn new(
        guard: Arc<Guard>,
        job: JobId,
        (inner, properties): (Arc<dyn CoordinatorStorage>, Properties),
        storage: Arc<dyn CheckpointStorage>,
    ) -> Self {
        Self { guard, job, inner, properties, storage, history: Mutex::default() }
    }

    /// Calls the storage, and remembers if it was fenced.
    fn call<T, F>(&self, call: Call<'_>, future: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StorageError>> + Send + 'static,
    {
        let result = self.guard.call(call, future);
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Fenced) {
            lock(&self.history).fenced();
        }
        result
    }

    /// An error for a breach after which nothing else happened.
    fn check(&self, call: Call<'_>, result: Result<(), Breach>) -> Result<(), StorageError> {
        result.map_err(|breach| self.guard.broken(ErrorKind::Other, call, breach))
    }

    /// An error for a breach in a call that may have taken effect.
    fn check_effect(&self, call: Call<'_>, result: Result<(), Breach>) -> Result<(), StorageError> {
        result.map_err(|breach| self.guard.broken(ErrorKind::OutcomeUnknown, call, breach))
    }

    /// What a commit and a publication have in common: what comes after the storage has answered.
    fn complete(
        &self,
        call: Call<'_>,
        is_savepoint: bool,
        (checkpoint, content): (CheckpointId, Content),
        announced: Announced,
        result: Result<Pointer, StorageError>,
    ) -> Result<Pointer, StorageError> {
        let settled = lock(&self.history).settled(announced, is_savepoint, result.as_ref().map(|_| ()));
        self.check_effect(call, settled)?;
        let pointer = result?;
        self.guard.ledger().wrote_metadata(self.job, checkpoint, &pointer, content);
        if self.guard.reads_back() {
            self.read_back(is_savepoint, checkpoint, &pointer, content)?;
        }
        Ok(pointer)
    }

    /// Compares metadata with what was committed. That it cannot be read right now proves nothing.
    fn read_back(
        &self,
        is_savepoint: bool,
        checkpoint: CheckpointId,
        pointer: &Pointer,
        written: Content,
    ) -> Result<(), StorageError> {
        let call =
            Call { kind: CallKind::Read, operation: "read back metadata of", object: &named(checkpoint) };
        let (inner, storage, pointer) = (Arc::clone(&self.inner), Arc::clone(&self.storage), pointer.clone());
        let read = self.guard.call(call, async move {
            let location = match is_savepoint {
                true => storage.resolve(&pointer).await?,
                false => inner.open_checkpoint(checkpoint).await?,
            };
            location.metadata().await
        });
        let compared = match read {
            Ok(metadata) => self.guard.compare(call, Content::of(&metadata), Some(written)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) => {
                let found = format!("what was just reported complete cannot be read: {error}");
                Err(self.guard.broken(ErrorKind::Corrupt, call, breach(Rule::ReadsWhatWasWritten, found)))
            }
            Err(error) if Violation::of(&error).is_some() => Err(error),
            Err(_) => Ok(()),
        };
        // It was committed all the same, so nothing of it may be deleted as if it were not.
        compared.map_err(StorageError::into_outcome_unknown)
    }

    fn wrap(
        &self,
        inner: (Arc<dyn CompletedLocation>, Pointer),
        origin: Origin,
    ) -> Arc<dyn CompletedLocation> {
        Arc::new(GuardedLocation::new(Arc::clone(&self.guard), inner, Some(origin)))
    }
}

#[async_trait]
impl CoordinatorStorage for GuardedCoordinator {
    fn is_highly_available(&self) -> bool {
        self.properties.is_highly_available
    }

    fn has_default_savepoint_location(&self) -> bool {
        self.properties.has_default_savepoint_location
    }

    async fn claim(&self) -> Result<Claim, StorageError> {
        let object = format!("job {}", self.job);
        let call = Call { kind: CallKind::Commit, operation: "claim", object: &object };
        let inner = Arc::clone(&self.inner);
        let claim = self.call(call, async move { inner.claim().await })?;
        let checked = lock(&self.history).claimed(&claim);
        self.check_effect(call, checked)?;
        Ok(claim)
    }

    async fn begin_checkpoint(&self, checkpoint: CheckpointId) -> Result<LocationReference, StorageError> {
        let call = Call { kind: CallKind::Begin, operation: "begin", object: &named(checkpoint) };
        let inner = Arc::clone(&self.inner);
        let location = self.call(call, async move { inner.begin_checkpoint(checkpoint).await })?;
        let checked = lock(&self.history).begun(checkpoint);
        self.check(call, checked)?;
        Ok(location)
    }

    async fn begin_savepoint(
        &self,
        checkpoint: CheckpointId,
        target: Option<&str>,
    ) -> Result<LocationReference, StorageError> {
        let call = Call { kind: CallKind::Begin, operation: "begin savepoint", object: &named(checkpoint) };
        let (inner, target) = (Arc::clone(&self.inner), target.map(str::to_owned));
        let location =
            self.call(call, async move { inner.begin_savepoint(checkpoint, target.as_deref()).await })?;
        let checked = lock(&self.history).begun(checkpoint);
        self.check(call, checked)?;
        Ok(location)
    }

    async fn commit(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
        dropped: &[CheckpointId],
    ) -> Result<Pointer, StorageError> {
        let call = Call { kind: CallKind::Commit, operation: "commit", object: &named(checkpoint) };
        let announced = lock(&self.history).committing(checkpoint, dropped);
        let announced = announced.map_err(|breach| self.guard.broken(ErrorKind::Other, call, breach))?;
        let content = Content::of(&metadata);
        let (inner, location, dropped) = (Arc::clone(&self.inner), location.clone(), dropped.to_vec());
        let result =
            self.call(call, async move { inner.commit(checkpoint, &location, metadata, &dropped).await });
        self.complete(call, false, (checkpoint, content), announced, result)
    }

    /// Nobody else waits for the answer, so that one that does not come in time, or panics, is none.
    fn commit_stage(&self, checkpoint: CheckpointId) -> Option<CommitStage> {
        let call = Call { kind: CallKind::Read, operation: "ask how far", object: &named(checkpoint) };
        let inner = Arc::clone(&self.inner);
        self.guard.call(call, async move { Ok(inner.commit_stage(checkpoint)) }).ok().flatten()
    }

    async fn publish_savepoint(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
    ) -> Result<Pointer, StorageError> {
        let call =
            Call { kind: CallKind::Commit, operation: "publish savepoint", object: &named(checkpoint) };
        let announced = lock(&self.history).committing(checkpoint, &[]);
        let announced = announced.map_err(|breach| self.guard.broken(ErrorKind::Other, call, breach))?;
        let content = Content::of(&metadata);
        let (inner, location) = (Arc::clone(&self.inner), location.clone());
        let result =
            self.call(call, async move { inner.publish_savepoint(checkpoint, &location, metadata).await });
        self.complete(call, true, (checkpoint, content), announced, result)
    }

    async fn open_checkpoint(
        &self,
        checkpoint: CheckpointId,
    ) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        let call = Call { kind: CallKind::Open, operation: "open", object: &named(checkpoint) };
        let inner = Arc::clone(&self.inner);
        let location = self.call(call, async move {
            let location = inner.open_checkpoint(checkpoint).await?;
            let pointer = location.pointer().clone();
            Ok((location, pointer))
        })?;
        Ok(self.wrap(location, Origin { job: self.job, checkpoint: Some(checkpoint) }))
    }

    async fn adopt(
        &self,
        snapshot: Arc<dyn CompletedLocation>,
        checkpoint: CheckpointId,
        ownership: Ownership,
    ) -> Result<Claim, StorageError> {
        let call = Call { kind: CallKind::Commit, operation: "adopt", object: &named(checkpoint) };
        let inner = Arc::clone(&self.inner);
        let claim = self.call(call, async move { inner.adopt(snapshot, checkpoint, ownership).await })?;
        let is_taken = ownership == Ownership::Taken;
        let checked = lock(&self.history).adopted(checkpoint, is_taken, &claim);
        self.check_effect(call, checked)?;
        Ok(claim)
    }

    async fn discard(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
    ) -> Result<(), StorageError> {
        let call = Call { kind: CallKind::Bulk, operation: "discard", object: &named(checkpoint) };
        let checked = lock(&self.history).discarding(checkpoint);
        self.check(call, checked)?;
        let (inner, location) = (Arc::clone(&self.inner), location.clone());
        let result = self.call(call, async move { inner.discard(checkpoint, &location).await });
        match &result {
            Ok(()) => lock(&self.history).discarded(checkpoint),
            Err(error) => {
                let checked = lock(&self.history).failed_to_remove(checkpoint, error);
                self.check(call, checked)?;
            }
        }
        result
    }

    async fn remove(&self, checkpoint: CheckpointId, shared: &[StateFile]) -> Result<(), StorageError> {
        let call = Call { kind: CallKind::Bulk, operation: "remove", object: &named(checkpoint) };
        let checked = lock(&self.history).removing(checkpoint);
        self.check(call, checked)?;
        let (inner, shared) = (Arc::clone(&self.inner), shared.to_vec());
        let result = self.call(call, async move { inner.remove(checkpoint, &shared).await });
        match &result {
            Ok(()) => lock(&self.history).removed(checkpoint),
            Err(error) => {
                let checked = lock(&self.history).failed_to_remove(checkpoint, error);
                self.check(call, checked)?;
            }
        }
        result
    }

    async fn conclude(&self, status: JobStatus, dropped: &[CheckpointId]) -> Result<(), StorageError> {
        let object = format!("job {} as {status}", self.job);
        let call = Call { kind: CallKind::Commit, operation: "conclude", object: &object };
        let announced = lock(&self.history).concluding(dropped);
        let (inner, dropped) = (Arc::clone(&self.inner), dropped.to_vec());
        let result = self.call(call, async move { inner.conclude(status, &dropped).await });
        let mut history = lock(&self.history);
        let settled = history.settled(announced, false, result.as_ref().copied());
        let concluded = match &result {
            Ok(()) => settled.and_then(|()| history.concluded(status)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && history.has_ended_as(status) => {
                Err(breach(Rule::EndsOnce, "already exists, when the same end was written down again"))
            }
            Err(_) => settled,
        };
        drop(history);
        self.check_effect(call, concluded)?;
        result
    }

    async fn sweep(&self, mode: SweepMode) -> Result<Sweep, StorageError> {
        let object = format!("job {}", self.job);
        let call = Call { kind: CallKind::Bulk, operation: "sweep", object: &object };
        let inner = Arc::clone(&self.inner);
        self.call(call, async move { inner.sweep(mode).await })
    }
}

fn named(checkpoint: CheckpointId) -> impl Display {
    core::fmt::from_fn(move |f| write!(f, "checkpoint {checkpoint}"))
}
