//! How an attempt comes by what it goes on from: the job is claimed, what is there is looked at, one checkpoint is read, and
//! what nobody needs is removed.

use crate::coordinator::locked;
use crate::error::chain;
use crate::event::{JobEvent, Observer};
use crate::offload::{Call, Deadlines};
use crate::restore::{self, Loaded, Origin, TaskState};
use crate::{Job, JobError, Record, TaskResult};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use stillframe_config::{BarrierPolicy, RecoveryClaimMode};
use stillframe_coordinator::{JobPlan, Recovery, RetainedState, plan_recovery};
use stillframe_model::{
    CheckpointId, CheckpointKind, JobId, JobStatus, Name, Pointer, StateDirectory, StateFile, TaskId,
    VertexId,
};
use stillframe_storage::{
    Claim, CompletedLocation, CoordinatorStorage, ErrorKind, Ownership, StorageAccess, StorageError,
    SweepMode, Swept, Verdict,
};

/// The beginning of an attempt.
pub(crate) struct Start<'a, T> {
    pub(crate) job: &'a Job<T>,
    pub(crate) id: JobId,
    pub(crate) plan: &'a JobPlan,
    /// The storage as this process opened it first. It holds the job from then on, through all attempts.
    pub(crate) access: &'a mut Option<Arc<dyn StorageAccess>>,
    pub(crate) observer: &'a Observer,
    pub(crate) deadlines: &'a Deadlines,
}

/// What an attempt goes on from.
pub(crate) struct Recovered {
    pub(crate) storage: Arc<dyn StorageAccess>,
    pub(crate) recovery: Recovery,
    /// That of the job, with the max parallelism of its state.
    pub(crate) plan: JobPlan,
    pub(crate) restored: Option<CheckpointId>,
    pub(crate) pointer: Option<Pointer>,
    pub(crate) kind: Option<CheckpointKind>,
    pub(crate) states: BTreeMap<TaskId, TaskState>,
}

impl Recovered {
    /// For a job of which nothing will run.
    pub(crate) fn nothing(storage: Arc<dyn StorageAccess>, recovery: Recovery, plan: JobPlan) -> Self {
        Self { storage, recovery, plan, restored: None, pointer: None, kind: None, states: BTreeMap::new() }
    }
}

impl<T: Record> Start<'_, T> {
    /// `None`: there is nothing left to do.
    pub(crate) async fn recover(&mut self) -> Result<Option<Recovered>, JobError> {
        let is_first = self.access.is_none();
        let (storage, claim) = self.claim().await?;
        if let Some(status) = claim.ended {
            self.sweep(&storage).await;
            return if status == JobStatus::Finished { Ok(None) } else { Err(JobError::Ended { status }) };
        }
        let ignore_unclaimed = self.job.config.recovery.ignore_unclaimed_state;
        let resume = self.job.resume.clone().filter(|_| claim.retained.is_empty());
        let (recovery, found) = if let Some(pointer) = resume {
            // What cannot be restored is not taken over either: its owner may still need it, and this job would be bound to it.
            let location = self.resolve(pointer).await?;
            let loaded = self.load(&location, Origin::Foreign { ignore_unclaimed }, is_first).await?;
            (self.adopt(&storage, &location).await?, Some((location, loaded)))
        } else {
            let taken = claim.taken.clone();
            let recovery = self.retained(&storage, claim).await?;
            let found = match recovery.restore {
                Some(id) => {
                    let location = self.open_checkpoint(&storage, id).await?;
                    let origin = Origin::Own { id, is_taken: taken.contains(&id), ignore_unclaimed };
                    let loaded = self.load(&location, origin, is_first).await?;
                    Some((location, loaded))
                }
                None => None,
            };
            (recovery, found)
        };
        let mut recovered = Recovered::nothing(storage, recovery, self.plan.clone());
        if let Some((location, loaded)) = found {
            recovered.pointer = Some(location.pointer().clone());
            let Loaded { states, max_parallelism, left_out, hooks, coordinators, checkpoint, kind } = loaded;
            if !left_out.is_empty() {
                (self.observer)(&JobEvent::StateLeftOut { operators: &left_out });
            }
            recovered.restored = Some(checkpoint);
            recovered.kind = Some(kind);
            recovered.states = states;
            for (vertex, adopted) in recovered.plan.vertices.iter_mut().zip(max_parallelism) {
                vertex.max_parallelism = adopted;
            }
            self.restore_parties(checkpoint, hooks, coordinators).await?;
        } else {
            self.reset_parties().await?;
        }
        // What this process leaves behind it removes itself; once is enough.
        if is_first {
            self.sweep(&recovered.storage).await;
        }
        Ok(Some(recovered))
    }

    /// Takes the job over, or goes on holding it.
    pub(crate) async fn claim(&mut self) -> Result<(Arc<dyn StorageAccess>, Claim), JobError> {
        let access = match self.access {
            Some(access) => Arc::clone(access),
            None => {
                let (storage, id) = (Arc::clone(&self.job.storage), self.id);
                let call = self.call("open", &format!("job {id}"));
                self.perform(&call, async move { storage.open(id).await }).await?
            }
        };
        let coordinator = access.coordinator();
        let call = self.call("claim", &format!("job {}", self.id));
        let claim = self.perform(&call, async move { coordinator.claim().await }).await?;
        *self.access = Some(Arc::clone(&access));
        Ok((access, claim))
    }

    /// What the register retains, and what it shares.
    pub(crate) async fn retained(
        &self,
        storage: &Arc<dyn StorageAccess>,
        claim: Claim,
    ) -> Result<Recovery, JobError> {
        let Claim { retained, taken, next, ended: _, left } = claim;
        let newest = retained.last().copied();
        let mut found = Vec::new();
        for id in retained {
            let files = match self.shared_files(storage, id, taken.contains(&id)).await {
                // Nobody goes on from it. What it alone refers to stays until it is dropped and a later run sweeps.
                Err(error) if Some(id) != newest && !lost(&error) => {
                    (self.observer)(&JobEvent::Unreadable { checkpoint: id, message: &chain(&error) });
                    BTreeSet::new()
                }
                files => files?,
            };
            found.push(RetainedState::owned(id, files));
        }
        let left = files_in(&found, &left);
        Ok(plan_recovery(found, left, next, self.job.config.recovery.claim_mode))
    }

    /// What a checkpoint of the register shares.
    async fn shared_files(
        &self,
        storage: &Arc<dyn StorageAccess>,
        id: CheckpointId,
        is_taken: bool,
    ) -> Result<BTreeSet<StateFile>, JobError> {
        let location = self.open_checkpoint(storage, id).await?;
        let look = async move {
            let metadata = restore::read_metadata(&*location).await;
            Ok(metadata.map(|metadata| restore::shared_files(&*location, &metadata, is_taken)))
        };
        let call = self.call("read the metadata of", &format!("checkpoint {id}"));
        self.perform(&call, look).await?
    }

    /// The snapshot that the config or a person names.
    async fn resolve(&self, pointer: Pointer) -> Result<Arc<dyn CompletedLocation>, JobError> {
        let storage = Arc::clone(&self.job.storage);
        let call = self.call("resolve", pointer.as_str());
        self.perform(&call, async move { storage.resolve(&pointer).await }).await
    }

    /// The state in a checkpoint, all of it checked.
    async fn load(
        &self,
        location: &Arc<dyn CompletedLocation>,
        origin: Origin,
        is_first: bool,
    ) -> Result<Loaded, JobError> {
        let (location, plan) = (Arc::clone(location), self.plan.clone());
        let vertices = self.job.graph.job_vertices(&plan);
        let may_finish_early = !is_first || self.job.config.barriers.policy == BarrierPolicy::Track;
        let call = self.call("read", location.pointer().as_str());
        let steps = call.clone();
        let load = async move {
            Ok(restore::load(location, origin, &plan, &vertices, may_finish_early, &steps).await)
        };
        self.perform(&call, load).await?
    }

    /// Begins with a snapshot of somebody else.
    async fn adopt(
        &self,
        storage: &Arc<dyn StorageAccess>,
        location: &Arc<dyn CompletedLocation>,
    ) -> Result<Recovery, JobError> {
        let mode = self.job.config.recovery.claim_mode;
        let (coordinator, snapshot) = (storage.coordinator(), Arc::clone(location));
        let look = async move { Ok(restore::read_metadata(&*snapshot).await) };
        let call = self.call("read the metadata of", location.pointer().as_str());
        let metadata = self.perform(&call, look).await??;
        let (checkpoint, snapshot) = (metadata.checkpoint, Arc::clone(location));
        let ownership = match mode {
            RecoveryClaimMode::Claim => Ownership::Taken,
            RecoveryClaimMode::NoClaim => Ownership::Unclaimed,
            RecoveryClaimMode::Legacy => Ownership::Left,
        };
        let adopt = async move { coordinator.adopt(snapshot, checkpoint, ownership).await };
        let claim = self.perform(&self.call("adopt", location.pointer().as_str()), adopt).await?;
        let files = restore::shared_files(&**location, &metadata, true);
        let state = match mode {
            RecoveryClaimMode::Claim => RetainedState::owned(checkpoint, files),
            RecoveryClaimMode::NoClaim | RecoveryClaimMode::Legacy => RetainedState::left(checkpoint, files),
        };
        let found = vec![state];
        // It may itself refer to what a third job left to its own.
        let left = files_in(&found, &claim.left);
        Ok(plan_recovery(found, left, claim.next, mode))
    }

    async fn open_checkpoint(
        &self,
        storage: &Arc<dyn StorageAccess>,
        id: CheckpointId,
    ) -> Result<Arc<dyn CompletedLocation>, JobError> {
        let coordinator = storage.coordinator();
        let open = async move { coordinator.open_checkpoint(id).await };
        self.perform(&self.call("open", &format!("checkpoint {id}")), open).await
    }

    /// Removes what earlier runs left behind. What cannot be removed now is found again by the next run.
    async fn sweep(&self, storage: &Arc<dyn StorageAccess>) {
        let coordinator: Arc<dyn CoordinatorStorage> = storage.coordinator();
        let sweep = async move { coordinator.sweep(SweepMode::Remove).await };
        match self.perform(&self.call("sweep", &format!("job {}", self.id)), sweep).await {
            Ok(sweep) => {
                let is_news = |found: &Swept| found.verdict.is_orphan() || found.verdict == Verdict::Foreign;
                if sweep.found.iter().any(is_news) {
                    (self.observer)(&JobEvent::Swept { sweep: &sweep });
                }
            }
            Err(error) => (self.observer)(&JobEvent::SweepFailed { message: &chain(&error) }),
        }
    }

    async fn restore_parties(
        &self,
        checkpoint: CheckpointId,
        mut hooks: BTreeMap<Name, Bytes>,
        mut coordinators: BTreeMap<VertexId, Bytes>,
    ) -> Result<(), JobError> {
        // A checkpoint without any such state is one from before there were hooks.
        let asked: &[_] = if hooks.is_empty() { &[] } else { &self.job.hooks };
        for (name, hook) in self.plan.hooks.iter().zip(asked) {
            let (hook, state) = (Arc::clone(hook), hooks.remove(name));
            self.party(format!("the hook {name}"), move || hook.restore(checkpoint, state)).await?;
        }
        for (vertex, coordinator) in self.job.graph.coordinators() {
            let (coordinator, state) = (Arc::clone(coordinator), coordinators.remove(&vertex));
            let reset = move || locked(&coordinator, |it| it.reset(Some(checkpoint), state));
            self.party(self.coordinator_of(vertex), reset).await?;
        }
        Ok(())
    }

    async fn reset_parties(&self) -> Result<(), JobError> {
        for (name, hook) in self.plan.hooks.iter().zip(&self.job.hooks) {
            let hook = Arc::clone(hook);
            self.party(format!("the hook {name}"), move || hook.reset()).await?;
        }
        for (vertex, coordinator) in self.job.graph.coordinators() {
            let coordinator = Arc::clone(coordinator);
            let reset = move || locked(&coordinator, |it| it.reset(None, None));
            self.party(self.coordinator_of(vertex), reset).await?;
        }
        Ok(())
    }

    fn coordinator_of(&self, vertex: VertexId) -> String {
        let task = TaskId { vertex, subtask: 0 };
        restore::name_of(self.plan, task)
            .map_or_else(String::new, |name| format!("the coordinator of {name}"))
    }

    /// Runs code of the user that an attempt begins with.
    async fn party(
        &self,
        who: String,
        code: impl FnOnce() -> TaskResult<()> + Send + 'static,
    ) -> Result<(), JobError> {
        let call = Call::new("restore", who.as_str());
        let source = match self.job.offload.run_within(&call, self.deadlines, async move { code() }).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.into_source(),
            Err(unanswered) => unanswered.error(&call, ErrorKind::Other).into(),
        };
        Err(JobError::Restore { who, source })
    }

    fn call(&self, operation: &'static str, object: &str) -> Call {
        Call::new(operation, format!("{object} in the {} storage", self.job.storage_name()))
    }

    /// Runs a storage operation where it may block, and not for ever.
    async fn perform<R: Send + 'static>(
        &self,
        call: &Call,
        operation: impl Future<Output = Result<R, StorageError>> + Send + 'static,
    ) -> Result<R, JobError> {
        match self.job.offload.run_within(call, self.deadlines, operation).await {
            Ok(result) => Ok(result?),
            Err(unanswered) => Err(unanswered.error(call, ErrorKind::Unavailable).into()),
        }
    }
}

/// The files in these directories.
fn files_in(found: &[RetainedState], directories: &[Arc<str>]) -> BTreeSet<StateFile> {
    let is_there = |file: &&StateFile| matches!(&file.directory, StateDirectory::Foreign(address) if directories.contains(address));
    found.iter().flat_map(|state| &state.files).filter(is_there).cloned().collect()
}

/// Whether the job is somebody else's now, or may be.
fn lost(error: &JobError) -> bool {
    matches!(error, JobError::Storage(error) if matches!(error.kind(), ErrorKind::Fenced | ErrorKind::OutcomeUnknown))
}
