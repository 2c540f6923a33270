//! Where a case is played: a folder, and the jobs in it.

use super::super::difference::Difference;
use super::folder::{self, Folder};
use super::program::{SOURCES, Switch};
use super::{Case, Origin};
use crate::e2e::job::steered::Steering;
use std::collections::BTreeSet;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stillframe::config::CheckpointConfig;
use stillframe::coordinator::Outcome;
use stillframe::fs::{FileSystemCheckpointStorage, LocalStores, SystemEntropy};
use stillframe::memory::JobManagerCheckpointStorage;
use stillframe::model::{CheckpointId, JobId, JobStatus, Pointer};
use stillframe::runtime::{Job, JobError, JobEvent, JobHandle, JobReport, RequestError, RestartStrategy};
use stillframe::storage::CheckpointStorage;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long to wait for what should happen. Nothing follows from how long it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For an answer, or the end of a job.
    pub(super) answers: Duration,
    /// Until what was replaced is gone from the folder.
    pub(super) folder: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answers: Duration::from_secs(60), folder: Duration::from_secs(30) }
    }
}

/// What became of a request.
pub(super) type Answer = Result<Outcome, RequestError>;

/// What was found is about one step, and the steps after it cannot be compared.
pub(super) type Step<T = ()> = Result<T, Vec<String>>;

/// A case that is being played.
pub(super) struct Stage<'a> {
    pub(super) case: &'a Case<'a>,
    patience: Patience,
    root: TempDir,
    /// For what the recording put elsewhere.
    aside: TempDir,
    storage: Arc<dyn CheckpointStorage>,
    jobs: Vec<JobId>,
    pub(super) job: Option<Running>,
    /// How the job has ended, and the last of its checkpoints that failed.
    pub(super) ended: Option<(Result<JobReport, JobError>, Option<CheckpointId>)>,
    /// Whether the last step found the job running.
    pub(super) runs: bool,
    pub(super) checkpoint: Option<Outcome>,
    pub(super) savepoint: Option<Outcome>,
    pub(super) pending: Option<Pending>,
    /// The step that says what becomes of it.
    pub(super) awaited: Option<serde_json::Value>,
    differences: BTreeSet<Difference>,
}

/// A job that was started and has not been seen to end.
pub(super) struct Running {
    handle: Arc<JobHandle>,
    pub(super) switch: Arc<Switch>,
    pub(super) steering: Arc<Steering>,
    seen: Arc<Seen>,
}

/// A checkpoint whose state is held.
pub(super) struct Pending {
    pub(super) hold: Sender<()>,
    pub(super) answer: JoinHandle<Answer>,
}

/// What a job has said of itself.
#[derive(Debug, Default)]
pub(super) struct Seen {
    last: Mutex<Last>,
    failed: watch::Sender<bool>,
}

/// The last checkpoints of which something was heard.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Last {
    pub(super) restored: Option<CheckpointId>,
    pub(super) triggered: Option<CheckpointId>,
    pub(super) aborted: Option<CheckpointId>,
}

impl Seen {
    fn hear(&self, event: &JobEvent<'_>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            JobEvent::Started { restored, .. } => last.restored = *restored,
            JobEvent::Triggered { checkpoint, .. } => last.triggered = Some(*checkpoint),
            JobEvent::Aborted(aborted) => last.aborted = Some(aborted.checkpoint),
            JobEvent::Failed { .. } => drop(self.failed.send_replace(true)),
            _ => {}
        }
    }
}

impl Running {
    pub(super) fn last(&self) -> Last {
        *self.seen.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn handle(&self) -> Arc<JobHandle> {
        Arc::clone(&self.handle)
    }

    pub(super) fn has_failed(&self) -> bool {
        *self.seen.failed.borrow()
    }
}

/// Where the checkpoints of the first job are, and of the one that goes on from it.
const DIRECTORIES: [&str; 2] = ["first/cp", "second/cp"];

impl<'a> Stage<'a> {
    /// Plays all steps. After one that differs, what follows would differ too, so it is the only one reported.
    pub(super) async fn play(case: &'a Case<'a>, patience: Patience) -> (Vec<String>, BTreeSet<Difference>) {
        let folder = || tempfile::tempdir().expect("a temporary folder can be made");
        let mut stage = Self {
            case,
            patience,
            root: folder(),
            aside: folder(),
            storage: Arc::new(JobManagerCheckpointStorage::new()),
            jobs: Vec::new(),
            job: None,
            ended: None,
            runs: false,
            checkpoint: None,
            savepoint: None,
            pending: None,
            awaited: None,
            differences: BTreeSet::new(),
        };
        let mut findings = Vec::new();
        for (at, step) in case.steps.iter().enumerate() {
            if let Err(found) = stage.step(step, case.steps.get(at + 1)).await {
                findings =
                    found.into_iter().map(|found| format!("step {at}, {}: {found}", step["op"])).collect();
                break;
            }
        }
        if findings.is_empty() {
            findings.extend(stage.leave().await.err().into_iter().flatten());
        } else if let Some(job) = stage.job.take() {
            job.handle.cancel();
        }
        (findings, stage.differences)
    }

    /// Ends a job that the case leaves behind. It must not have ended by itself.
    async fn leave(&mut self) -> Step {
        let Some(job) = &self.job else { return Ok(()) };
        if job.has_failed() {
            return if self.runs { Err(vec!["ours failed after the last step".into()]) } else { Ok(()) };
        }
        job.handle.cancel();
        match self.end().await? {
            Ok(report) if report.status == JobStatus::Canceled => Ok(()),
            ours => Err(vec![format!("expected a job that runs until it is cancelled, ours {ours:?}")]),
        }
    }

    /// Starts the next job, unless one runs.
    pub(super) async fn start(&mut self, resume: Option<Pointer>) -> Step {
        if self.job.is_some() {
            return Ok(());
        }
        let mut options = self.case.options.clone();
        if let (Some(_), Some((_, mode))) = (&resume, self.case.restore) {
            options.insert("execution.state-recovery.claim-mode", mode);
        }
        let trouble = |error: &dyn std::fmt::Display| vec![format!("ours refused the settings: {error}")];
        let (config, report) = CheckpointConfig::from_options(&options).map_err(|error| trouble(&error))?;
        if let Some(unknown) = report.unknown.first() {
            return Err(vec![format!("ours does not know {}", unknown.key())]);
        }
        self.storage = self.storage_of_next()?;
        let switch = Arc::<Switch>::default();
        let seen = Arc::<Seen>::default();
        let observer = Arc::clone(&seen);
        let steering = Arc::<Steering>::default();
        let storage = steering.around(Arc::clone(&self.storage));
        let mut job = Job::new(switch.graph(), &config, storage)
            .map_err(|error| trouble(&error))?
            .with_restart(RestartStrategy::None)
            .on_event(move |event| observer.hear(event));
        if let Some(pointer) = resume {
            job = job.resume_from(pointer);
        }
        let handle = job.start();
        self.jobs.push(handle.id());
        let mut reading = switch.reading.subscribe();
        self.job = Some(Running { handle: Arc::new(handle), switch, steering, seen });
        let begun =
            tokio::time::timeout(self.patience.answers, reading.wait_for(|reading| *reading == SOURCES));
        match begun.await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(vec![format!("ours does not begin: {:?}", self.end().await)]),
        }
    }

    fn storage_of_next(&self) -> Step<Arc<dyn CheckpointStorage>> {
        if !self.case.in_files {
            let files = JobManagerCheckpointStorage::new()
                .with_files(Arc::new(LocalStores::new()), Arc::new(SystemEntropy));
            return Ok(Arc::new(files));
        }
        let directory = match self.case.restore {
            None => Some("cp"),
            Some(_) => DIRECTORIES.get(self.jobs.len()).copied(),
        };
        let directory = directory.ok_or_else(|| vec!["a third job is not understood".to_owned()])?;
        let storage = FileSystemCheckpointStorage::new(self.root.path().join(directory));
        Ok(Arc::new(storage.map_err(|error| vec![format!("ours refused the directory: {error}")])?))
    }

    /// What a job of this case is restored from.
    pub(super) fn origin(&self) -> Step<Outcome> {
        let origin = match self.case.restore {
            Some((Origin::Checkpoint, _)) => self.checkpoint.clone(),
            Some((Origin::Savepoint, _)) => self.savepoint.clone(),
            None => None,
        };
        origin.ok_or_else(|| vec!["there is nothing to restore from".into()])
    }

    /// The directory for savepoints: that of the recording, or one that it does not show.
    pub(super) fn target(&self, under: Option<&str>) -> String {
        match under {
            Some(name) => self.root.path().join(name).display().to_string(),
            None => self.aside.path().display().to_string(),
        }
    }

    pub(super) fn running(&self) -> Step<&Running> {
        self.job.as_ref().ok_or_else(|| vec!["no job runs".into()])
    }

    pub(super) async fn patiently<R>(&self, what: &str, work: impl Future<Output = R>) -> Step<R> {
        let result = tokio::time::timeout(self.patience.answers, work).await;
        result.map_err(|_| vec![format!("expected {what}, waited for it in vain")])
    }

    /// Waits for the end of the job.
    pub(super) async fn end(&mut self) -> Step<&Result<JobReport, JobError>> {
        if let Some(job) = self.job.take() {
            let seen = Arc::clone(&job.seen);
            let handle =
                Arc::try_unwrap(job.handle).map_err(|_| vec!["a request is still waited for".to_owned()])?;
            let ended = self.patiently("the end of the job", handle.wait()).await?;
            let last = *seen.last.lock().unwrap_or_else(PoisonError::into_inner);
            self.ended = Some((ended, last.aborted));
        }
        let ended = self.ended.as_ref().map(|(ended, _)| ended);
        ended.ok_or_else(|| vec!["no job has run".into()])
    }

    /// Compares whether the job has failed.
    pub(super) async fn compare_status(&mut self, recorded: &str) -> Step {
        let Some(job) = &self.job else { return Err(vec!["no job runs".into()]) };
        let mut failed = job.seen.failed.subscribe();
        self.runs = recorded == "RUNNING";
        match recorded {
            "RUNNING" if job.has_failed() => Err(vec!["expected a job that runs, ours has failed".into()]),
            // What comes after this finds out if it does not run.
            "RUNNING" => Ok(()),
            "FAILED" => {
                let failed = self.patiently("a job that has failed", failed.wait_for(|failed| *failed)).await;
                failed.map(|_| ())
            }
            other => Err(vec![format!("the status {other} is not understood")]),
        }
    }

    /// Compares what lies in the folder. What was replaced may be removed a little later.
    pub(super) async fn compare_folder(&mut self, recorded: &serde_json::Value) -> Step {
        let recorded = folder::recorded(recorded).map_err(|error| vec![error])?;
        let mut seen = None;
        let agreed = async {
            loop {
                let (root, jobs) = (self.root.path().to_owned(), self.jobs.clone());
                let found = tokio::task::spawn_blocking(move || folder::of(&root, &jobs)).await;
                let ours: Folder = found.unwrap_or_default();
                let mut expected = recorded.clone();
                let on_demand = folder::without_those_on_demand(&mut expected, &ours);
                if expected == ours {
                    return on_demand;
                }
                seen = Some(ours);
            }
        };
        let agreed = tokio::time::timeout(self.patience.folder, agreed).await;
        match agreed {
            Ok(true) => {
                self.differences.insert(Difference::DirectoriesOnDemand);
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(_) => Err(vec![format!("expected the folder {recorded:?}, ours {seen:?}")]),
        }
    }

    /// Whether a savepoint that was reported can be found.
    pub(super) async fn compare_found(&self, pointer: &Pointer) -> Step {
        let found = self.storage.resolve(pointer).await;
        found.map(drop).map_err(|error| vec![format!("ours does not find {pointer}: {error}")])
    }
}
