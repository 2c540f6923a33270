use crate::JobFailure;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use stillframe_config::Adjustment;
use stillframe_coordinator::{Aborted, Completed};
use stillframe_model::{Attempt, CheckpointId, CheckpointKind, FailureReason, JobStatus, Name, TaskId};
use stillframe_storage::Sweep;

/// What observers of a job are told, as it happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobEvent<'a> {
    /// A setting does not apply as it was set. Said before the first attempt.
    Adjusted(&'a Adjustment),
    /// An execution attempt begins.
    Started {
        /// Which one of this process.
        attempt: Attempt,
        /// The checkpoint that it was restored from.
        restored: Option<CheckpointId>,
    },
    /// The snapshot that the job begins with has state of operators or hooks that the job does not have. It is left out, as
    /// the config wishes.
    StateLeftOut {
        /// These.
        operators: &'a [Name],
    },
    /// An older one of the retained checkpoints cannot be read. The job goes on from the newest one all the same.
    Unreadable {
        /// Which one.
        checkpoint: CheckpointId,
        /// What is wrong with it.
        message: &'a str,
    },
    /// A checkpoint has begun.
    Triggered {
        /// Its id.
        checkpoint: CheckpointId,
        /// Its kind.
        kind: CheckpointKind,
    },
    /// Every task has captured its state and processes again: the first of four levels.
    Captured {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// How long after its trigger.
        after: Duration,
    },
    /// The state of every task is durable: the second level.
    Durable {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// How long after its trigger.
        after: Duration,
    },
    /// A checkpoint is complete and durable: the third level.
    Completed(&'a Completed),
    /// Every task has let out what it held back for the checkpoint: the fourth level.
    Committed {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// How long after its trigger.
        after: Duration,
    },
    /// A completed checkpoint is not retained any more, and goes.
    Subsumed {
        /// The checkpoint.
        checkpoint: CheckpointId,
    },
    /// A checkpoint will not be complete.
    Aborted(&'a Aborted),
    /// A periodic checkpoint was not begun.
    Skipped {
        /// Why.
        reason: FailureReason,
    },
    /// A checkpoint was refused when its turn came.
    Refused {
        /// Why.
        reason: FailureReason,
    },
    /// A task could not write its state; it declines the checkpoint.
    CaptureFailed {
        /// The task.
        task: TaskId,
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// What went wrong.
        message: &'a str,
    },
    /// Something superfluous could not be removed. It stays until a later run finds it.
    DiscardFailed {
        /// The checkpoint it belongs to.
        checkpoint: CheckpointId,
        /// What went wrong.
        message: &'a str,
    },
    /// Objects were removed that earlier runs had left behind and nobody needed, or something is there that is none of ours.
    Swept {
        /// What was removed, and what stays, each with the reason.
        sweep: &'a Sweep,
    },
    /// Not all that earlier runs left behind could be looked at and removed. It stays until a later run finds it.
    SweepFailed {
        /// What went wrong.
        message: &'a str,
    },
    /// How the job ended could not be written down, so its checkpoints stay and a restart would go on from them.
    ConcludeFailed {
        /// What went wrong.
        message: &'a str,
    },
    /// Something has not ended although the attempt has, and nobody waits for it any longer.
    LeftBehind(&'a LeftBehind),
    /// An execution attempt failed.
    Failed {
        /// Which one.
        attempt: Attempt,
        /// Why.
        cause: &'a JobFailure,
        /// When the next one begins; `None` if there is none.
        restart_in: Option<Duration>,
    },
}

/// Something that did not end within the [time for it](crate::Job::with_shutdown_timeout) when an attempt did. It goes on in
/// a thread that cannot be ended from outside, until it returns by itself or the process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftBehind {
    /// User code in a task does not return.
    Task {
        /// The vertex.
        vertex: Name,
        /// Which of its subtasks.
        subtask: u32,
    },
    /// Something that was called in a thread, of the storage for example, has not answered.
    Call {
        /// What was called, and on what.
        operation: String,
        /// For how long it has not answered.
        waited: Duration,
    },
}

impl fmt::Display for LeftBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task { vertex, subtask } => {
                write!(f, "{vertex}, subtask {subtask}: its code does not return")
            }
            Self::Call { operation, waited } => write!(f, "{operation}: no answer for {waited:.1?}"),
        }
    }
}

/// Receives the events of a job. Called from its drivers: be quick.
pub(crate) type Observer = Arc<dyn Fn(&JobEvent<'_>) + Send + Sync>;

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobReport {
    /// How it ended.
    pub status: JobStatus,
    /// How many attempts were made. None, if an earlier run had finished the job already.
    pub attempts: u32,
    /// How many checkpoints completed, savepoints included.
    pub completed: u64,
    /// How many checkpoints were aborted.
    pub aborted: u64,
    /// From which checkpoints the attempts were restored.
    pub restored: Vec<CheckpointId>,
    /// The newest completed checkpoint. Whether it still exists depends on the retention.
    pub latest: Option<Completed>,
    /// What did not end when the job did.
    pub left_behind: Vec<LeftBehind>,
}
