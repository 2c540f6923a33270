use crate::attempt::{Attempt, AttemptEnd};
use crate::event::{JobEvent, Observer};
use crate::handle::Command;
use crate::offload::Offload;
use crate::start::{Recovered, Start};
use crate::{JobError, JobFailure, JobGraph, JobHandle, JobReport, Record};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stillframe_config::{Adjustment, CheckpointConfig, EffectiveConfig, Resolved, Violations};
use stillframe_coordinator::Event;
use stillframe_model::{Attempt as AttemptNumber, FailureReason, JobId, JobStatus, Pointer};
use stillframe_storage::{CheckpointStorage, ErrorKind, StorageAccess, StorageError};
use tokio::sync::mpsc;

/// A job that is ready to run: a graph, a config, and the storage of its checkpoints.
///
/// A job is known by its [id](Self::with_id). Run again under the same id it goes on from its newest completed checkpoint,
/// whatever stopped it; under a new id, which is the default, it begins anew.
pub struct Job<T> {
    pub(crate) graph: JobGraph<T>,
    pub(crate) config: EffectiveConfig,
    adjustments: Vec<Adjustment>,
    pub(crate) storage: Arc<dyn CheckpointStorage>,
    id: Option<JobId>,
    pub(crate) resume: Option<Pointer>,
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
        match failure {
            JobFailure::Checkpoints { reason: FailureReason::OutcomeUnknown, .. } => return None,
            JobFailure::Storage(error)
                if matches!(error.kind(), ErrorKind::Fenced | ErrorKind::OutcomeUnknown) =>
            {
                return None;
            }
            _ => {}
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

    /// Begins with the state of this checkpoint or savepoint instead of the one that the config names. Whose it is from then
    /// on says the config's claim mode; the default leaves it alone. Only used as long as the job has no checkpoint of its own.
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
        let observer = self.recording(&report);
        for adjustment in &self.adjustments {
            observer(&JobEvent::Adjusted(adjustment));
        }
        let offload = Offload::new();
        let mut number = AttemptNumber::new(0);
        let mut restored_from = None;
        let mut access = None;
        loop {
            let failures = number.get() + 1;
            let on_failure = |cause: &JobFailure| {
                let restart = self.restart.after(failures, cause);
                observer(&JobEvent::Failed { attempt: number, cause, restart_in: restart });
                restart.map_or(Event::End { status: JobStatus::Failed }, |_| Event::Failover)
            };
            let end = match self.prepare(&offload, id, number, &mut access, &observer).await {
                Ok(None) => AttemptEnd::Ended(JobStatus::Finished),
                Ok(Some(mut attempt)) => {
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
                self.end(&offload, id, number, &mut access, observer, status).await?;
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
        access: &mut Option<Arc<dyn StorageAccess>>,
        observer: &Observer,
    ) -> Result<Option<Attempt<'_, T>>, JobError> {
        let plan = self.graph.plan(id, number)?;
        let mut start = Start { job: self, id, offload, plan: &plan, access, observer };
        let recovered = start.recover().await?;
        Ok(recovered.map(|Recovered { storage, recovery, plan, restored, pointer, states }| Attempt {
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
        access: &mut Option<Arc<dyn StorageAccess>>,
        observer: Observer,
        status: JobStatus,
    ) -> Result<(), JobError> {
        let plan = self.graph.plan(id, number)?;
        let start = &mut Start { job: self, id, offload, plan: &plan, access, observer: &observer };
        let (storage, claim) = start.claim().await?;
        let recovery = start.retained(&storage, claim).await?;
        let nothing_runs = Attempt {
            graph: &self.graph,
            plan,
            config: &self.config,
            storage,
            recovery,
            restored: None,
            pointer: None,
            states: BTreeMap::new(),
            observer,
            offload: offload.clone(),
        };
        nothing_runs.end(status).await;
        Ok(())
    }

    /// The user's observer, behind one that writes down what the report needs.
    fn recording(&self, report: &Arc<Mutex<JobReport>>) -> Observer {
        let (observer, report) = (Arc::clone(&self.observer), Arc::clone(report));
        Arc::new(move |event| {
            match event {
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
}

/// Runs a storage operation where it may block.
pub(crate) async fn perform<R: Send + 'static>(
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
