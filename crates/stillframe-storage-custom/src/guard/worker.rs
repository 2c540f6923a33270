use super::stream::{GuardedStream, Target};
use super::task_owned::GuardedTaskOwned;
use super::{Call, Guard, NotCalled, drain, lock};
use crate::history::breach;
use crate::ledger::{Content, Origin};
use crate::{CallKind, ReadBackStorage, Rule, Violation};
use async_trait::async_trait;
use core::fmt::Display;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use stillframe_model::{CheckpointId, JobId, LocationReference, StateHandle};
use stillframe_storage::{ErrorKind, StateScope, StateStream, StorageError, TaskOwnedStorage, WorkerStorage};

/// Of so many checkpoints at a time it is known what is still to be synced, or cannot be. A job has few.
const REMEMBERED: usize = 256;

/// A checkpoint and its location.
pub(super) type Place = (CheckpointId, LocationReference);

#[derive(Debug)]
pub(crate) struct GuardedWorker {
    guard: Arc<Guard>,
    job: JobId,
    inner: Arc<dyn WorkerStorage>,
    task_owned: Option<Arc<GuardedTaskOwned>>,
    pending: Arc<Pending>,
    read_back: Option<Arc<dyn ReadBackStorage>>,
}

/// What the streams and the next `sync` have to tell each other.
#[derive(Debug, Default)]
pub(super) struct Pending {
    places: Mutex<BTreeMap<Place, Synced>>,
    reads_back: bool,
}

#[derive(Debug, Default)]
struct Synced {
    failure: Option<Failure>,
    to_read_back: Vec<(StateHandle, Content)>,
}

/// Why nothing at a place can be made durable any more.
#[derive(Clone, Copy, Debug)]
enum Failure {
    /// The storage said so, and has to say it again.
    Reported,
    /// The guard says so; the storage does not know what it did.
    Contained,
}

impl Pending {
    /// After a call that was lost or panicked, nobody can say what of this place is in which state.
    pub(super) fn poison(&self, place: &Place) {
        self.set_failure(place, Failure::Contained);
    }

    /// A handle was given out.
    pub(super) fn finished(&self, guard: &Guard, place: &Place, handle: &StateHandle, content: Content) {
        // Inline state was compared as it was handed over.
        if self.reads_back && handle.file().is_some() && guard.reads_back() {
            self.at(place, |synced| synced.to_read_back.push((handle.clone(), content)));
        }
    }

    fn set_failure(&self, place: &Place, failure: Failure) {
        self.at(place, |synced| synced.failure = Some(failure));
    }

    fn failure(&self, place: &Place) -> Option<Failure> {
        lock(&self.places).get(place)?.failure
    }

    fn take_to_read_back(&self, place: &Place) -> Vec<(StateHandle, Content)> {
        let mut places = lock(&self.places);
        places.get_mut(place).map(|synced| core::mem::take(&mut synced.to_read_back)).unwrap_or_default()
    }

    fn at(&self, place: &Place, change: impl FnOnce(&mut Synced)) {
        let mut places = lock(&self.places);
        change(places.entry(place.clone()).or_default());
        if places.len() > REMEMBERED {
            places.pop_first();
        }
    }
}

impl GuardedWorker {
    pub(super) fn new(
        guard: Arc<Guard>,
        job: JobId,
        (inner, task_owned): (Arc<dyn WorkerStorage>, Option<Arc<dyn TaskOwnedStorage>>),
        read_back: Option<Arc<dyn ReadBackStorage>>,
    ) -> Self {
        let task_owned =
            task_owned.map(|inner| Arc::new(GuardedTaskOwned::new(Arc::clone(&guard), job, inner)));
        let pending = Arc::new(Pending { places: Mutex::default(), reads_back: read_back.is_some() });
        Self { guard, job, inner, task_owned, pending, read_back }
    }

    fn refuse_if_contained(&self, call: Call<'_>, place: &Place) -> Result<(), StorageError> {
        match self.pending.failure(place) {
            Some(Failure::Contained) => {
                Err(StorageError::new(ErrorKind::Unavailable, call.operation, call.object.to_string())
                    .with_detail("an earlier call for this checkpoint was lost, panicked or gave wrong data; only the next checkpoint can succeed"))
            }
            Some(Failure::Reported) | None => Ok(()),
        }
    }

    /// Reads what was just synced, and compares it.
    fn read_back(&self, place: &Place) -> Result<(), StorageError> {
        let Some(read_back) = &self.read_back else { return Ok(()) };
        let call = Call { kind: CallKind::Bulk, operation: "read back state of", object: &named(place.0) };
        for (handle, written) in self.pending.take_to_read_back(place) {
            let (read_back, job) = (Arc::clone(read_back), self.job);
            let (checkpoint, location) = place.clone();
            let read = self.guard.call(call, async move {
                drain(read_back.open(job, checkpoint, &location, &handle).await?).await
            })?;
            self.guard.compare(call, read, Some(written))?;
        }
        Ok(())
    }
}

#[async_trait]
impl WorkerStorage for GuardedWorker {
    async fn create(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        scope: StateScope,
    ) -> Result<Box<dyn StateStream>, StorageError> {
        let call = Call { kind: CallKind::Begin, operation: "create state of", object: &named(checkpoint) };
        let place = (checkpoint, location.clone());
        self.refuse_if_contained(call, &place)?;
        let (inner, location) = (Arc::clone(&self.inner), location.clone());
        let stream =
            self.guard.call(call, async move { inner.create(checkpoint, &location, scope).await })?;
        let origin = Origin { job: self.job, checkpoint: Some(checkpoint) };
        let target = Target::Checkpoint { place, scope, pending: Arc::clone(&self.pending) };
        Ok(Box::new(GuardedStream::new(Arc::clone(&self.guard), stream, origin, target)))
    }

    async fn sync(&self, checkpoint: CheckpointId, location: &LocationReference) -> Result<(), StorageError> {
        let call = Call { kind: CallKind::Sync, operation: "sync state of", object: &named(checkpoint) };
        let place = (checkpoint, location.clone());
        self.refuse_if_contained(call, &place)?;
        // Only what had failed before this call began: two that run at once may learn different things.
        let had_failed = self.pending.failure(&place).is_some();
        let (inner, location) = (Arc::clone(&self.inner), location.clone());
        let mut is_called = false;
        let result = self.guard.call(call, async move { inner.sync(checkpoint, &location).await });
        let result = result.and_then(|()| {
            is_called = true;
            if had_failed {
                let breach = breach(Rule::SyncFailureIsFinal, "success, after a failure");
                return Err(self.guard.broken(ErrorKind::Other, call, breach));
            }
            self.read_back(&place)
        });
        if let Err(error) = &result
            && !NotCalled::is_cause_of(error)
        {
            let failure = match Violation::of(error) {
                Some(_) => Failure::Contained,
                // State that could not be read back may be anything.
                None if is_called => Failure::Contained,
                None => Failure::Reported,
            };
            self.pending.set_failure(&place, failure);
        }
        result
    }

    fn task_owned(&self) -> Option<Arc<dyn TaskOwnedStorage>> {
        self.task_owned.as_ref().map(|storage| Arc::<GuardedTaskOwned>::clone(storage) as _)
    }
}

fn named(checkpoint: CheckpointId) -> impl Display {
    core::fmt::from_fn(move |f| write!(f, "checkpoint {checkpoint}"))
}
