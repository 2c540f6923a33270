use crate::attempt::{Attempt, AttemptEnd};
use crate::error::chain;
use crate::event::{JobEvent, Observer};
use crate::handle::Command;
use crate::offload::Offload;
use crate::restore::{self, Loaded, Origin, TaskState};
use crate::{JobError, JobFailure, JobGraph, JobHandle, JobReport, Record};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stillframe_config::{Adjustment, CheckpointConfig, EffectiveConfig, Resolved, Violations};
use stillframe_coordinator::{Event, JobPlan, Recovery, plan_recovery};
use stillframe_model::{
    Attempt as AttemptNumber, CheckpointId, FailureReason, JobId, JobStatus, LocationReference, Pointer,
    TaskId,
};
use stillframe_storage::{CheckpointStorage, ErrorKind, StorageAccess, StorageError, Survey};
use tokio::sync::mpsc;

/// A job that is ready to run: a graph, a config, and the storage of its checkpoints.
///
/// A job is known by its [id](Self::with_id). Run again under the same id it goes on from its newest completed checkpoint,
/// whatever stopped it; under a new id, which is the default, it begins anew.
pub struct Job<T> {
    graph: JobGraph<T>,
    config: EffectiveConfig,
    adjustments: Vec<Adjustment>,
    storage: Arc<dyn CheckpointStorage>,
    id: Option<JobId>,
    resume: Option<Pointer>,
    restart: RestartStrategy,
    observer: Observer,
}

/// What happens when a job fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartStrategy {
    /// It stays failed.
    None,
    /// It is restored from its newest completed checkpoint and runs again.
    FixedDelay {
        /// This many times.
        attempts: u32,
        /// Each time after this pause.
        delay: Duration,
    },
}

impl Default for RestartStrategy {
    /// Three times, each after 100 ms. A fault that is still there after that is one for a person.
    fn default() -> Self {
        Self::FixedDelay { attempts: 3, delay: Duration::from_millis(100) }
    }
}

impl RestartStrategy {
    /// The pause before the next attempt, after `failures` of them have failed.
    fn after(self, failures: u32, failure: &JobFailure) -> Option<Duration> {
        // The storage of this process no longer knows what is durable; only a new process that looks at the medium can.
        if matches!(failure, JobFailure::Checkpoints { reason: FailureReason::OutcomeUnknown, .. }) {
            return None;
        }
        match self {
            Self::FixedDelay { attempts, delay } if failures <= attempts => Some(delay),
            Self::None | Self::FixedDelay { .. } => None,
        }
    }
}

impl<T: Record> Job<T> {
    /// A new job with this graph. The config's own storage descriptor is for callers who build the storage from it; here
    /// the storage is given.
    ///
    /// # Errors
    /// If the config breaks a rule.
    pub fn new(
        graph: JobGraph<T>,
        config: &CheckpointConfig,
        storage: Arc<dyn CheckpointStorage>,
    ) -> Result<Self, Violations> {
        let Resolved { effective, adjustments } = config.resolve(&graph.description())?;
        let resume = effective.recovery.path.clone();
        Ok(Self {
            graph,
            config: effective,
            adjustments,
            storage,
            id: None,
            resume,
            restart: RestartStrategy::default(),
            observer: Arc::new(|_| {}),
        })
    }

    /// Under which id its checkpoints are kept and looked for. Drawn at random if it is not given.
    #[must_use]
    pub fn with_id(mut self, id: JobId) -> Self {
        self.id = Some(id);
        self
    }

    /// Begins with the state of this checkpoint or savepoint, which is left alone, instead of the one that the config names.
    /// Only used as long as the job has no checkpoint of its own.
    #[must_use]
    pub fn resume_from(mut self, pointer: Pointer) -> Self {
        self.resume = Some(pointer);
        self
    }

    /// What happens when the job fails.
    #[must_use]
    pub fn with_restart(mut self, restart: RestartStrategy) -> Self {
        self.restart = restart;
        self
    }

    /// Calls `observer` with everything worth knowing, from the job's own tasks: it should be quick.
    #[must_use]
    pub fn on_event(mut self, observer: impl Fn(&JobEvent<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Runs the job to its end. Dropping the future stops the job as a failure of the process would: what it was doing is
    /// undone or completed when a job with the same id is run again.
    ///
    /// # Errors
    /// If the graph, the storage or the checkpoint to restore cannot be used, or the job fails for good.
    pub async fn run(self) -> Result<JobReport, JobError> {
        let id = self.id.unwrap_or_else(random_id);
        // Nobody can send commands, which a job takes for an owner that let go of its handle.
        let (_, commands) = mpsc::unbounded_channel();
        self.attempts(id, commands).await
    }

    /// Starts the job on the current tokio runtime, where it goes on whatever becomes of the handle.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use = "the handle tells how the job ends"]
    pub fn start(self) -> JobHandle {
        let (commands, receiver) = mpsc::unbounded_channel();
        let id = self.id.unwrap_or_else(random_id);
        JobHandle { id, commands, running: tokio::spawn(self.attempts(id, receiver)) }
    }

    async fn attempts(
        self,
        id: JobId,
        mut commands: mpsc::UnboundedReceiver<Command>,
    ) -> Result<JobReport, JobError> {
        let report = Arc::new(Mutex::new(JobReport::new(JobStatus::Finished)));
        let newest = Arc::new(AtomicU64::new(0));
        let observer = self.recording(&report, &newest);
        for adjustment in &self.adjustments {
            observer(&JobEvent::Adjusted(adjustment));
        }
        let offload = Offload::new();
        let mut number = AttemptNumber::new(0);
        let mut restored_from = None;
        loop {
            let failures = number.get() + 1;
            let on_failure = |cause: &JobFailure| {
                let restart = self.restart.after(failures, cause);
                observer(&JobEvent::Failed { attempt: number, cause, restart_in: restart });
                restart.map_or(Event::End { status: JobStatus::Failed }, |_| Event::Failover)
            };
            let end = match self.prepare(&offload, id, number, &observer).await {
                Ok(None) => AttemptEnd::Ended(JobStatus::Finished),
                Ok(Some(mut attempt)) => {
                    // The storage no longer knows of checkpoints that an earlier attempt gave up, nor of its savepoints.
                    let used = CheckpointId::new(newest.load(Ordering::Relaxed));
                    attempt.recovery.next = attempt.recovery.next.max(used.next());
                    record(&report, |report| {
                        report.attempts += 1;
                        report.restored.extend(attempt.restored);
                    });
                    restored_from = attempt.pointer.take().or(restored_from);
                    observer(&JobEvent::Started { attempt: number, restored: attempt.restored });
                    attempt.run(&mut commands, on_failure).await
                }
                // A job that ran before may run again when its storage does; one that cannot even begin says so at once.
                Err(JobError::Storage(error)) if failures > 1 => {
                    let failure = JobFailure::Storage(error);
                    // No coordinator runs that would have to be ended.
                    let _ = on_failure(&failure);
                    AttemptEnd::Failed(failure)
                }
                Err(error) => return Err(error),
            };
            let failure = match end {
                AttemptEnd::Ended(status) => return Ok(finish(&report, status)),
                AttemptEnd::Failed(failure) => failure,
            };
            let Some(delay) = self.restart.after(failures, &failure) else {
                let completed = finish(&report, JobStatus::Failed).latest.map(|latest| latest.pointer);
                let latest = completed.or(restored_from);
                return Err(JobError::Failed { attempts: failures, latest, source: failure });
            };
            if let Some(status) = pause(&mut commands, delay).await {
                self.end(&offload, id, number, observer, status).await?;
                return Ok(finish(&report, status));
            }
            number = number.next();
        }
    }

    /// An attempt that is ready to run; `None` if there is nothing left to do.
    async fn prepare(
        &self,
        offload: &Offload,
        id: JobId,
        number: AttemptNumber,
        observer: &Observer,
    ) -> Result<Option<Attempt<'_, T>>, JobError> {
        let plan = self.graph.plan(id, number)?;
        let storage = self.open(offload, id).await?;
        let recovered = self.recover(offload, &storage, &plan, observer).await?;
        Ok(recovered.map(|Recovered { recovery, restored, pointer, states }| Attempt {
            graph: &self.graph,
            plan,
            config: &self.config,
            storage,
            recovery,
            restored,
            pointer,
            states,
            observer: Arc::clone(observer),
            offload: offload.clone(),
        }))
    }

    /// Ends the job between two attempts: the end goes on record, and of its checkpoints stays what the retention says.
    async fn end(
        &self,
        offload: &Offload,
        id: JobId,
        number: AttemptNumber,
        observer: Observer,
        status: JobStatus,
    ) -> Result<(), JobError> {
        let storage = self.open(offload, id).await?;
        let survey = survey(offload, &storage).await?;
        let nothing_runs = Attempt {
            graph: &self.graph,
            plan: self.graph.plan(id, number)?,
            config: &self.config,
            storage,
            recovery: plan_recovery(&survey.completed, &survey.incomplete),
            restored: None,
            pointer: None,
            states: BTreeMap::new(),
            observer,
            offload: offload.clone(),
        };
        nothing_runs.end(status).await;
        Ok(())
    }

    /// The user's observer, behind one that writes down what the report needs, and the newest id that was used.
    fn recording(&self, report: &Arc<Mutex<JobReport>>, newest: &Arc<AtomicU64>) -> Observer {
        let (observer, report, newest) = (Arc::clone(&self.observer), Arc::clone(report), Arc::clone(newest));
        Arc::new(move |event| {
            match event {
                JobEvent::Triggered { checkpoint, .. } => {
                    newest.fetch_max(checkpoint.get(), Ordering::Relaxed);
                }
                JobEvent::Completed(completed) => record(&report, |report| {
                    report.completed += 1;
                    report.latest = Some((*completed).clone());
                }),
                JobEvent::Aborted(_) => record(&report, |report| report.aborted += 1),
                _ => {}
            }
            observer(event);
        })
    }

    async fn open(&self, offload: &Offload, id: JobId) -> Result<Arc<dyn StorageAccess>, JobError> {
        let storage = Arc::clone(&self.storage);
        perform(offload, "open storage", async move { storage.open(id).await }).await
    }

    /// Looks at what is there, decides what to restore, reads it, and removes what nothing refers to. `None`: there is
    /// nothing left to do.
    async fn recover(
        &self,
        offload: &Offload,
        storage: &Arc<dyn StorageAccess>,
        plan: &JobPlan,
        observer: &Observer,
    ) -> Result<Option<Recovered>, JobError> {
        let coordinator = storage.coordinator();
        let survey = survey(offload, storage).await?;
        let recovery = plan_recovery(&survey.completed, &survey.incomplete);
        // A run that was killed between the record of its end and the removal of its checkpoints left them behind.
        let ended = survey.ended.filter(|status| !self.config.retention.keeps_after(*status));
        let superfluous = recovery.retained.iter().filter(|_| ended.is_some()).chain(&recovery.orphans);
        for &checkpoint in superfluous {
            let coordinator = Arc::clone(&coordinator);
            let discard = async move { coordinator.discard(checkpoint, &LocationReference::Default).await };
            if let Err(error) = perform(offload, "discard checkpoint", discard).await {
                observer(&JobEvent::DiscardFailed { checkpoint, message: &chain(&error) });
            }
        }
        match survey.ended {
            Some(JobStatus::Finished) => return Ok(None),
            Some(status) => return Err(JobError::Ended { status }),
            None => {}
        }
        let (location, origin) = match (recovery.restore, &self.resume) {
            (Some(checkpoint), _) => {
                let open = async move { coordinator.open_checkpoint(checkpoint).await };
                (perform(offload, "open checkpoint", open).await?, Origin::Own(checkpoint))
            }
            (None, Some(pointer)) => {
                let (storage, pointer) = (Arc::clone(&self.storage), pointer.clone());
                let resolve = async move { storage.resolve(&pointer).await };
                let ignore_unclaimed = self.config.recovery.ignore_unclaimed_state;
                (perform(offload, "resolve pointer", resolve).await?, Origin::Foreign { ignore_unclaimed })
            }
            (None, None) => {
                let states = BTreeMap::new();
                return Ok(Some(Recovered { recovery, restored: None, pointer: None, states }));
            }
        };
        let plan = plan.clone();
        let pointer = Some(location.pointer().clone());
        let load = async move { Ok(restore::load(location, origin, &plan).await) };
        let Loaded { states, left_out } = perform(offload, "read checkpoint", load).await??;
        if !left_out.is_empty() {
            observer(&JobEvent::StateLeftOut { operators: &left_out });
        }
        let restored = states.values().find_map(|state| state.restored.checkpoint);
        Ok(Some(Recovered { recovery, restored, pointer, states }))
    }
}

struct Recovered {
    recovery: Recovery,
    restored: Option<CheckpointId>,
    pointer: Option<Pointer>,
    states: BTreeMap<TaskId, TaskState>,
}

async fn survey(offload: &Offload, storage: &Arc<dyn StorageAccess>) -> Result<Survey, JobError> {
    let coordinator = storage.coordinator();
    perform(offload, "survey checkpoints", async move { coordinator.survey().await }).await
}

/// Runs a storage operation where it may block.
async fn perform<R: Send + 'static>(
    offload: &Offload,
    operation: &'static str,
    future: impl Future<Output = Result<R, StorageError>> + Send + 'static,
) -> Result<R, JobError> {
    let panicked = |_| {
        StorageError::new(ErrorKind::Other, operation, "checkpoint storage")
            .with_detail("the storage panicked")
    };
    Ok(offload.run(future).await.map_err(panicked)??)
}

/// Waits before the next attempt, unless somebody ends the job meanwhile.
async fn pause(commands: &mut mpsc::UnboundedReceiver<Command>, delay: Duration) -> Option<JobStatus> {
    let over = tokio::time::sleep(delay);
    tokio::pin!(over);
    let mut attended = true;
    loop {
        tokio::select! {
            () = &mut over => return None,
            command = commands.recv(), if attended => match command {
                Some(Command::Stop(status)) => return Some(status),
                // Dropping the reply says that the job is not running.
                Some(Command::Snapshot { .. }) => {}
                None => attended = false,
            },
        }
    }
}

fn random_id() -> JobId {
    let mut bytes = [0; 16];
    // An operating system without randomness cannot run much else either.
    getrandom::fill(&mut bytes)
        .unwrap_or_else(|error| panic!("the operating system gives no random bytes: {error}"));
    JobId::from_bytes(bytes)
}

fn record(report: &Mutex<JobReport>, change: impl FnOnce(&mut JobReport)) {
    change(&mut report.lock().unwrap_or_else(PoisonError::into_inner));
}

fn finish(report: &Mutex<JobReport>, status: JobStatus) -> JobReport {
    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
    report.status = status;
    report.clone()
}

impl JobReport {
    pub(crate) fn new(status: JobStatus) -> Self {
        Self { status, attempts: 0, completed: 0, aborted: 0, restored: Vec::new(), latest: None }
    }
}

impl<T> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("graph", &self.graph)
            .field("config", &self.config)
            .field("storage", &self.storage)
            .field("id", &self.id)
            .field("resume", &self.resume)
            .field("restart", &self.restart)
            .finish_non_exhaustive()
    }
}
