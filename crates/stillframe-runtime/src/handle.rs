mod pending;
mod snapshot;

pub use pending::{PendingCheckpoint, StorageCall};
pub use snapshot::SnapshotHandle;
pub(crate) use snapshot::{Levels, Reply};

use crate::statistics::SharedStatistics;
use crate::{JobError, JobReport, Statistics};
use stillframe_coordinator::{CheckpointType, Outcome, Refused, SnapshotRequest};
use stillframe_model::{JobId, JobStatus, SavepointFormat};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// What a person can ask of a running job.
#[derive(Debug)]
pub(crate) enum Command {
    Snapshot { snapshot: SnapshotRequest, reply: Reply },
    Status(oneshot::Sender<Vec<PendingCheckpoint>>),
    Stop(JobStatus),
}

/// A running job. Dropping it leaves the job running.
#[derive(Debug)]
pub struct JobHandle {
    pub(crate) id: JobId,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) statistics: SharedStatistics,
    pub(crate) running: JoinHandle<Result<JobReport, JobError>>,
}

/// A checkpoint or savepoint that was asked for was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The coordinator refused it, or it failed.
    #[error("{0}")]
    Refused(Refused),
    /// The job has ended, or is being restarted.
    #[error("the job is not running at the moment")]
    NotRunning,
    /// It is complete, and the job goes on behind it, so that its sinks let nothing out for it.
    #[error("nothing is committed for a savepoint behind which the job goes on")]
    NothingCommitted,
}

impl JobHandle {
    /// The id under which the job's checkpoints are kept.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Takes a checkpoint now and waits until it is durable.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn trigger_checkpoint(&self) -> Result<Outcome, RequestError> {
        self.snapshot(SnapshotRequest::CHECKPOINT).await
    }

    /// The same, of a kind: one that refers to no state that an earlier one wrote, for example.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn trigger_checkpoint_of(
        &self,
        checkpoint_type: CheckpointType,
    ) -> Result<Outcome, RequestError> {
        self.snapshot(SnapshotRequest::Checkpoint { checkpoint_type }).await
    }

    /// Takes a savepoint and waits until it is durable. It belongs to the caller: the job never deletes it. Without a
    /// `target` it goes to the savepoint directory of the storage.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn trigger_savepoint(
        &self,
        target: Option<String>,
        format: SavepointFormat,
    ) -> Result<Outcome, RequestError> {
        self.snapshot(SnapshotRequest::Savepoint { target, format }).await
    }

    /// Takes a savepoint, stops the job behind it, and waits until all of its tasks have ended. Nothing is processed behind
    /// the savepoint, and everything before it is committed; the job is then [finished](JobStatus::Finished), and a new one
    /// goes on from the savepoint. With `drain` the operators give out what they hold before the savepoint, as at the end of
    /// all input: for a job that is not to go on.
    ///
    /// # Errors
    /// Why the job was not stopped. If the savepoint failed before a task had stopped for it, the job goes on as before. If a
    /// task had stopped, or failed later, the job is restarted, or failed; a savepoint that exists already is named.
    pub async fn stop_with_savepoint(
        &self,
        target: Option<String>,
        format: SavepointFormat,
        drain: bool,
    ) -> Result<Outcome, RequestError> {
        self.begin_stop_with_savepoint(target, format, drain).resolved().await
    }

    /// Asks for a checkpoint and does not wait for it.
    #[must_use = "the handle says what becomes of it"]
    pub fn begin_checkpoint(&self) -> SnapshotHandle {
        self.begin(SnapshotRequest::CHECKPOINT)
    }

    /// Asks for a savepoint and does not wait for it.
    #[must_use = "the handle says what becomes of it"]
    pub fn begin_savepoint(&self, target: Option<String>, format: SavepointFormat) -> SnapshotHandle {
        self.begin(SnapshotRequest::Savepoint { target, format })
    }

    /// Asks for a [savepoint behind which the job stops](Self::stop_with_savepoint), and waits neither for the one nor for the
    /// other. It is committed when every task has let out all that it held back; [`wait`](Self::wait) says how the job ended.
    #[must_use = "the handle says what becomes of it"]
    pub fn begin_stop_with_savepoint(
        &self,
        target: Option<String>,
        format: SavepointFormat,
        drain: bool,
    ) -> SnapshotHandle {
        self.begin(SnapshotRequest::Stop { target, format, drain })
    }

    /// What became of the job's checkpoints so far, over all of its attempts in this process. `None` before the first.
    #[must_use]
    pub fn statistics(&self) -> Option<Statistics> {
        self.statistics.get()
    }

    /// The checkpoints in progress, oldest first, and why each of them is not complete yet. Printed, each is a few lines for
    /// a person who wonders why it is stuck. None, while an attempt is being prepared.
    ///
    /// # Errors
    /// If the job is not running.
    pub async fn pending_checkpoints(&self) -> Result<Vec<PendingCheckpoint>, RequestError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Status(reply)).map_err(|_| RequestError::NotRunning)?;
        answer.await.map_err(|_| RequestError::NotRunning)
    }

    /// Ends the job. What becomes of its checkpoints is said by the config's retention. Output that a completed checkpoint
    /// holds and that no sink has committed yet appears when the job is resumed from that checkpoint, and otherwise never:
    /// to end a job with all of its output, let its sources end, or [stop it with a savepoint](Self::stop_with_savepoint).
    pub fn cancel(&self) {
        self.stop(JobStatus::Canceled);
    }

    /// Stops the job here and keeps its checkpoints: a job with the same id goes on from them.
    pub fn suspend(&self) {
        self.stop(JobStatus::Suspended);
    }

    /// Waits for the end of the job.
    ///
    /// # Errors
    /// As [`Job::run`](crate::Job::run).
    ///
    /// # Panics
    /// If the job's own driver panicked, which is a bug in Stillframe.
    pub async fn wait(self) -> Result<JobReport, JobError> {
        match self.running.await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Ok(JobReport::new(JobStatus::Suspended)),
        }
    }

    async fn snapshot(&self, snapshot: SnapshotRequest) -> Result<Outcome, RequestError> {
        self.begin(snapshot).resolved().await
    }

    fn begin(&self, snapshot: SnapshotRequest) -> SnapshotHandle {
        let (handle, reply) = SnapshotHandle::new();
        // Dropping the reply says that the job is not running.
        let _ = self.commands.send(Command::Snapshot { snapshot, reply });
        handle
    }

    fn stop(&self, status: JobStatus) {
        // A job that has ended by itself needs no stopping.
        let _ = self.commands.send(Command::Stop(status));
    }
}
