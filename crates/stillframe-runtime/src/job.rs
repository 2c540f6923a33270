use crate::attempt::{Attempt, AttemptEnd};
use crate::clock::Clock;
use crate::control::Message;
use crate::event::{JobEvent, Observer};
use crate::handle::Command;
use crate::offload::{Call, Deadlines, Offload};
use crate::start::{Recovered, Start};
use crate::statistics::SharedStatistics;
use crate::{JobError, JobFailure, JobGraph, JobHandle, JobReport, MasterHook, Record};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stillframe_config::{Adjustment, CheckpointConfig, EffectiveConfig, Resolved, Violations};
use stillframe_coordinator::Event;
use stillframe_model::{Attempt as AttemptNumber, FailureReason, JobId, JobStatus, Pointer};
use stillframe_storage::{CheckpointStorage, ErrorKind, StorageAccess};
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
    shutdown: Duration,
    observer: Observer,
    pub(crate) offload: Offload,
    pub(crate) hooks: Vec<Arc<dyn MasterHook>>,
    clock: Clock,
    statistics: SharedStatistics,
}

/// How long an attempt may take to end: Flink's `task.cancellation.timeout`.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(180);

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
            // What goes on would meet the next attempt.
            JobFailure::LeftBehind { .. } => return None,
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
            shutdown: SHUTDOWN_TIMEOUT,
            observer: Arc::new(|_| {}),
            offload: Offload::new(),
            hooks: Vec::new(),
            clock: Clock::start(),
            statistics: SharedStatistics::default(),
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

    /// How long the end of an attempt may take when something hangs; 3 minutes, if it is not set. When the job is cancelled,
    /// suspended, finished or has failed, its tasks have this time to return from the user's code, and then the storage has
    /// this time to answer what it was asked before and to record the end, so that the whole takes at most twice as long. What
    /// has not ended then is [left behind](crate::LeftBehind) and named; a job that failed is not restarted beside it.
    ///
    /// While the job runs, an operation of the storage is given up after the checkpoint timeout. So is one with which an
    /// attempt begins.
    ///
    /// This holds as long as the tokio runtime has a thread left that does not hang. On a runtime with one thread user code
    /// that does not return stops everything, and the runtime waits for hanging operations when it is dropped: use
    /// `Runtime::shutdown_background` there.
    #[must_use]
    pub fn with_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown = timeout;
        self
    }

    /// Asks this hook at the beginning of every checkpoint, before any task, and restores it with the job.
    #[must_use]
    pub fn with_master_hook(mut self, hook: impl MasterHook) -> Self {
        self.hooks.push(Arc::new(hook));
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
        self.conduct(id, commands).await
    }

    /// Starts the job on the current tokio runtime, where it goes on whatever becomes of the handle.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use = "the handle tells how the job ends"]
    pub fn start(self) -> JobHandle {
        let (commands, receiver) = mpsc::unbounded_channel();
        let id = self.id.unwrap_or_else(random_id);
        let statistics = self.statistics.clone();
        JobHandle { id, commands, statistics, running: tokio::spawn(self.conduct(id, receiver)) }
    }

    /// All attempts, and what follows the last.
    async fn conduct(
        self,
        id: JobId,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Result<JobReport, JobError> {
        let ended = self.attempts(id, commands).await;
        let deadlines = Deadlines::new(self.shutdown);
        deadlines.end_within(self.shutdown);
        for hook in &self.hooks {
            let (call, hook) = (Call::new("close", format!("the hook {}", hook.name())), Arc::clone(hook));
            // The job is over; there is nothing that could still be done about a hook that does not close.
            let _ = self.offload.run_within(&call, &deadlines, async move { hook.close() }).await;
        }
        ended
    }

    async fn attempts(
        &self,
        id: JobId,
        mut commands: mpsc::UnboundedReceiver<Command>,
    ) -> Result<JobReport, JobError> {
        let report = Arc::new(Mutex::new(JobReport::new(JobStatus::Finished)));
        let observer = self.recording(&report);
        for adjustment in &self.adjustments {
            observer(&JobEvent::Adjusted(adjustment));
        }
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
            let deadlines = Arc::new(Deadlines::new(self.config.schedule.timeout));
            let mut early = Vec::new();
            let (prepared, stop) = {
                let preparing = self.prepare(id, number, &mut access, &observer, &deadlines);
                attend(preparing, &mut commands, &mut early, || deadlines.end_within(self.shutdown)).await
            };
            let end = match (prepared, stop) {
                (Ok(None), _) => AttemptEnd::Ended(JobStatus::Finished),
                (Ok(Some(attempt)), Some(status)) => {
                    attempt.end(status).await;
                    AttemptEnd::Ended(status)
                }
                (Ok(Some(mut attempt)), None) => {
                    record(&report, |report| {
                        report.attempts += 1;
                        report.restored.extend(attempt.restored);
                    });
                    self.begin_statistics(&attempt);
                    restored_from = attempt.pointer.take().or(restored_from);
                    observer(&JobEvent::Started { attempt: number, restored: attempt.restored });
                    attempt.early = early;
                    attempt.run(&mut commands, on_failure).await
                }
                // A job that ran before may run again when its storage does; one that cannot even begin says so at once.
                (Err(JobError::Storage(error)), None) if failures > 1 => {
                    let mut failure = JobFailure::Storage(error);
                    let left = self.offload.left_behind();
                    if !left.is_empty() {
                        failure = JobFailure::LeftBehind { left, cause: Box::new(failure) };
                    }
                    // No coordinator runs that would have to be ended.
                    let _ = on_failure(&failure);
                    AttemptEnd::Failed(failure)
                }
                (Err(error), _) => return Err(error),
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
                self.end(id, number, &mut access, observer, status).await?;
                return Ok(finish(&report, status));
            }
            number = number.next();
        }
    }

    /// An attempt that is ready to run; `None` if there is nothing left to do.
    async fn prepare(
        &self,
        id: JobId,
        number: AttemptNumber,
        access: &mut Option<Arc<dyn StorageAccess>>,
        observer: &Observer,
        deadlines: &Arc<Deadlines>,
    ) -> Result<Option<Attempt<'_, T>>, JobError> {
        let plan = self.graph.plan(id, number, &self.hooks)?;
        let mut start = Start { job: self, id, plan: &plan, access, observer, deadlines };
        let recovered = start.recover().await?;
        Ok(recovered.map(|recovered| self.attempt(recovered, observer, deadlines)))
    }

    fn attempt(
        &self,
        recovered: Recovered,
        observer: &Observer,
        deadlines: &Arc<Deadlines>,
    ) -> Attempt<'_, T> {
        let Recovered { storage, recovery, plan, restored, pointer, kind, states } = recovered;
        Attempt {
            graph: &self.graph,
            hooks: &self.hooks,
            plan,
            config: &self.config,
            storage,
            storage_name: self.storage_name().into(),
            recovery,
            restored,
            pointer,
            kind,
            states,
            early: Vec::new(),
            observer: Arc::clone(observer),
            clock: self.clock,
            statistics: self.statistics.clone(),
            offload: self.offload.clone(),
            deadlines: Arc::clone(deadlines),
            shutdown: self.shutdown,
        }
    }

    fn begin_statistics(&self, attempt: &Attempt<'_, T>) {
        let now = self.clock.now();
        self.statistics.begin_attempt(now, &attempt.plan, self.config.history);
        let Attempt { restored: Some(checkpoint), kind: Some(kind), pointer: Some(pointer), .. } = attempt
        else {
            return;
        };
        self.statistics.restored(now, *checkpoint, *kind, pointer.clone());
    }

    /// What messages call the storage.
    pub(crate) fn storage_name(&self) -> String {
        self.storage.descriptor().kind.into_owned()
    }

    /// Ends the job between two attempts: the end goes on record, and of its checkpoints stays what the retention says.
    async fn end(
        &self,
        id: JobId,
        number: AttemptNumber,
        access: &mut Option<Arc<dyn StorageAccess>>,
        observer: Observer,
        status: JobStatus,
    ) -> Result<(), JobError> {
        let plan = self.graph.plan(id, number, &self.hooks)?;
        let deadlines = Arc::new(Deadlines::new(self.config.schedule.timeout));
        deadlines.end_within(self.shutdown);
        let start =
            &mut Start { job: self, id, plan: &plan, access, observer: &observer, deadlines: &deadlines };
        let (storage, claim) = start.claim().await?;
        let recovery = start.retained(&storage, claim).await?;
        let nothing_runs = Recovered::nothing(storage, recovery, plan);
        self.attempt(nothing_runs, &observer, &deadlines).end(status).await;
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
                JobEvent::LeftBehind(left) => {
                    record(&report, |report| report.left_behind.push((*left).clone()))
                }
                _ => {}
            }
            observer(event);
        })
    }
}

/// Waits for the preparations of an attempt. Whoever wants the job to end meanwhile is heard; what else is asked waits for
/// the attempt, because refusing it would only make the person ask again.
async fn attend<R>(
    preparing: impl Future<Output = R>,
    commands: &mut mpsc::UnboundedReceiver<Command>,
    early: &mut Vec<Message>,
    hurry: impl Fn(),
) -> (R, Option<JobStatus>) {
    tokio::pin!(preparing);
    let (mut attended, mut stop) = (true, None);
    loop {
        tokio::select! {
            biased;
            prepared = &mut preparing => return (prepared, stop),
            command = commands.recv(), if attended => match command {
                Some(Command::Stop(status)) => {
                    stop.get_or_insert(status);
                    hurry();
                }
                Some(Command::Snapshot { snapshot, reply }) => early.push(Message::Request { snapshot, reply }),
                Some(Command::Status(reply)) => early.push(Message::Status(reply)),
                None => attended = false,
            },
        }
    }
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
                Some(Command::Snapshot { .. } | Command::Status(_)) => {}
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
        Self {
            status,
            attempts: 0,
            completed: 0,
            aborted: 0,
            restored: Vec::new(),
            latest: None,
            left_behind: Vec::new(),
        }
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
