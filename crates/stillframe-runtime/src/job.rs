use crate::attempt::{Attempt, AttemptEnd};
use crate::clock::Clock;
use crate::commands::Commands;
use crate::error::chain;
use crate::event::{JobEvent, Observer};
use crate::first_delay::{self, Draw};
use crate::offload::{Call, Deadlines, Offload, Unanswered};
use crate::start::{Recovered, Start};
use crate::statistics::SharedStatistics;
use crate::{
    JobError, JobFailure, JobGraph, JobHandle, JobReport, LeftBehind, MasterHook, Record, RestartStrategy,
};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stillframe_config::{Adjustment, CheckpointConfig, EffectiveConfig, Resolved, Violations};
use stillframe_coordinator::Event;
use stillframe_model::{Attempt as AttemptNumber, JobId, JobStatus, Pointer};
use stillframe_storage::{CheckpointStorage, StorageAccess};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

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
    draw: Draw,
    statistics: SharedStatistics,
}

/// How long an attempt may take to end: Flink's `task.cancellation.timeout`.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(180);

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
            draw: first_delay::from_system(),
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
    /// this time to answer what it was asked before and to record the end, so that the whole takes at most twice as long. At
    /// the end of the job its hooks are closed, which may take this time once more. What has not ended then is
    /// [left behind](crate::LeftBehind) and named; a job that failed is not restarted beside it.
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

    /// Draws with this what has to be random about the checkpoints: when the first periodic one of an attempt comes, which is
    /// after the minimum pause for 0, after the interval for `u32::MAX`, and in proportion between them. From the operating
    /// system, if it is not set; a test sets it so that two runs are alike.
    #[must_use]
    pub fn with_randomness(mut self, draw: impl Fn() -> u32 + Send + Sync + 'static) -> Self {
        self.draw = Arc::new(draw);
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
        self.conduct(id, Commands::new(commands)).await
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
        JobHandle {
            id,
            commands,
            statistics,
            running: tokio::spawn(self.conduct(id, Commands::new(receiver))),
        }
    }

    /// All attempts, and what follows the last.
    async fn conduct(self, id: JobId, commands: Commands) -> Result<JobReport, JobError> {
        let mut ended = self.attempts(id, commands).await;
        for left in self.close_hooks().await {
            (self.observer)(&JobEvent::LeftBehind(&left));
            if let Ok(report) = &mut ended {
                report.left_behind.push(left);
            }
        }
        ended
    }

    /// Closes the hooks, all of them at once, so that one that hangs keeps no other from closing. Says which ones do not return.
    async fn close_hooks(&self) -> Vec<LeftBehind> {
        let deadlines = Arc::new(Deadlines::new(self.shutdown));
        deadlines.end_within(self.shutdown);
        let mut closing = JoinSet::new();
        for hook in &self.hooks {
            let (hook, offload, deadlines) = (Arc::clone(hook), self.offload.clone(), Arc::clone(&deadlines));
            closing.spawn(async move {
                let call = Call::new("close", format!("the hook {}", hook.name()));
                let closed = offload.run_within(&call, &deadlines, async move { hook.close() }).await;
                let operation = call.to_string();
                match closed {
                    Err(Unanswered::GivenUp { after }) => Some(LeftBehind::Call { operation, waited: after }),
                    // The job is over; there is nothing that could still be done about one that panics.
                    Ok(()) | Err(_) => None,
                }
            });
        }
        let mut left = Vec::new();
        while let Some(closed) = closing.join_next().await {
            left.extend(closed.ok().flatten());
        }
        left
    }

    async fn attempts(&self, id: JobId, mut commands: Commands) -> Result<JobReport, JobError> {
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
                let hurry = || deadlines.end_within(self.shutdown);
                commands.while_preparing(preparing, &mut early, hurry).await
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
                // Only code of the user was in the way of the end that was asked for.
                (Err(JobError::Restore { .. }), Some(status)) => {
                    self.end(id, number, &mut access, &observer, status).await?;
                    AttemptEnd::Ended(status)
                }
                // A job that ran before may run again when its storage and its hooks do; one that cannot even begin says so at
                // once.
                (Err(error @ (JobError::Storage(_) | JobError::Restore { .. })), None) if failures > 1 => {
                    let mut failure = match error {
                        JobError::Restore { who, source } => JobFailure::Restore { who, source },
                        JobError::Storage(error) => JobFailure::Storage(error),
                        other => return Err(other),
                    };
                    let is_storage = matches!(failure, JobFailure::Storage(_));
                    let left = self.offload.left_behind();
                    if !left.is_empty() {
                        failure = JobFailure::LeftBehind { left, cause: Box::new(failure) };
                    }
                    let last = on_failure(&failure);
                    // No coordinator runs that would have to be ended; the end of the job goes on record all the same, where
                    // there is anything to record it in.
                    if let Event::End { status } = last
                        && !is_storage
                        && let Err(error) = self.end(id, number, &mut access, &observer, status).await
                    {
                        observer(&JobEvent::ConcludeFailed { message: &chain(&error) });
                    }
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
            if let Some(status) = commands.pause(delay).await {
                self.end(id, number, &mut access, &observer, status).await?;
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
            draw: Arc::clone(&self.draw),
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
        observer: &Observer,
        status: JobStatus,
    ) -> Result<(), JobError> {
        let plan = self.graph.plan(id, number, &self.hooks)?;
        let deadlines = Arc::new(Deadlines::new(self.config.schedule.timeout));
        deadlines.end_within(self.shutdown);
        let start = &mut Start { job: self, id, plan: &plan, access, observer, deadlines: &deadlines };
        let (storage, claim) = start.claim().await?;
        let recovery = start.retained(&storage, claim).await?;
        let nothing_runs = Recovered::nothing(storage, recovery, plan);
        self.attempt(nothing_runs, observer, &deadlines).end(status).await;
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
