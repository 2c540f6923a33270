use crate::LeftBehind;
use std::error::Error;
use std::fmt;
use stillframe_metadata::FormatError;
use stillframe_model::{FailureReason, JobStatus, Name, Pointer, Redacted};
use stillframe_state::StateError;
use stillframe_state::assignment::AssignmentError;
use stillframe_storage::StorageError;

/// What a source or operator returns when it cannot go on. Anything that is an error converts into it, and so does text.
pub struct TaskError(Box<dyn Error + Send + Sync>);

/// The result of user code in a task.
pub type TaskResult<T> = Result<T, TaskError>;

impl TaskError {
    /// An error with only a message.
    #[must_use]
    pub fn message(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// Whether something could not be read or written, anywhere in the chain of causes.
    pub(crate) fn is_io(&self) -> bool {
        let mut cause: Option<&(dyn Error + 'static)> = Some(&*self.0);
        while let Some(error) = cause {
            if error.is::<std::io::Error>() || error.is::<StorageError>() {
                return true;
            }
            cause = error.source();
        }
        false
    }

    pub(crate) fn into_source(self) -> Box<dyn Error + Send + Sync> {
        self.0
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for TaskError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(&*self.0))
    }
}

/// An error and its causes on one line, for places that keep text.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Why one execution attempt of a job ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobFailure {
    /// User code in a task returned an error.
    #[error("{vertex}, subtask {subtask}")]
    Task {
        /// The vertex.
        vertex: Name,
        /// Which of its subtasks.
        subtask: u32,
        /// The error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// User code in a task panicked.
    #[error("{vertex}, subtask {subtask}, panicked: {message}")]
    Panic {
        /// The vertex.
        vertex: Name,
        /// Which of its subtasks.
        subtask: u32,
        /// The message of the panic.
        message: String,
    },
    /// More checkpoints failed than are tolerated, or the coordinator cannot know what the storage holds.
    #[error("checkpoints failed{}: {reason}: {message}", blamed(task))]
    Checkpoints {
        /// The reason of the last failure.
        reason: FailureReason,
        /// The task that is to blame, if one is: its vertex, and which of the subtasks.
        task: Option<(Name, u32)>,
        /// Its cause.
        message: String,
    },
    /// The storage failed while the job was being restored for another attempt.
    #[error("checkpoint storage")]
    Storage(#[source] StorageError),
    /// A hook of the job, or the coordinator of an operator, could not take its state back for another attempt.
    #[error("{who} could not be restored")]
    Restore {
        /// Who.
        who: String,
        /// Its error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The attempt failed, and something of it goes on that cannot be ended. Another attempt of this process would meet it:
    /// what it is still going to write, the locks that it holds. A new process does not.
    #[error("it cannot be restarted in this process, because something has not ended: {}", listed(left))]
    LeftBehind {
        /// What.
        left: Vec<LeftBehind>,
        /// Why the attempt failed.
        #[source]
        cause: Box<Self>,
    },
    /// The coordinator of an operator panicked or did not answer, when it was asked for its state or told what became of a
    /// checkpoint.
    #[error("the coordinator of an operator: {message}")]
    OperatorCoordinator {
        /// Which, and what happened.
        message: String,
    },
    /// The driver of the coordinator itself ended. This is a bug in Stillframe.
    #[error("the checkpoint coordinator stopped unexpectedly: {message}")]
    Coordinator {
        /// What it said last.
        message: String,
    },
}

/// Why a job did not run to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The graph cannot be run.
    #[error("the job graph is not valid: {problem}")]
    Graph {
        /// What is wrong, and where.
        problem: String,
    },
    /// The storage failed before the job could begin or go on.
    #[error("checkpoint storage")]
    Storage(#[from] StorageError),
    /// The metadata of the checkpoint to be restored is damaged.
    #[error("the metadata of {} cannot be used", shown(pointer))]
    Metadata {
        /// Which checkpoint.
        pointer: Pointer,
        /// What is wrong with it.
        source: FormatError,
    },
    /// The state in the checkpoint to be restored is damaged.
    #[error("the state of operator {operator} in {} cannot be used", shown(pointer))]
    State {
        /// Which checkpoint.
        pointer: Pointer,
        /// Whose state.
        operator: Name,
        /// What is wrong with it.
        source: StateError,
    },
    /// The state in the checkpoint to be restored cannot be assigned to the tasks of the job.
    #[error("{} does not fit this job", shown(pointer))]
    Assignment {
        /// Which checkpoint.
        pointer: Pointer,
        /// What does not fit, and what to do.
        source: AssignmentError,
    },
    /// The checkpoint to be restored is not one for this job.
    #[error("{} does not fit this job: {problem}", shown(pointer))]
    Mismatch {
        /// Which checkpoint.
        pointer: Pointer,
        /// What does not fit, and what to do.
        problem: String,
    },
    /// A hook of the job, or the coordinator of an operator, could not take its state back.
    #[error("{who} could not be restored")]
    Restore {
        /// Who.
        who: String,
        /// Its error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The job ended in an earlier run and is not run again under the same id.
    #[error(
        "this job was {status} in an earlier run; start a new job, and give it a checkpoint or savepoint to resume from"
    )]
    Ended {
        /// How it ended.
        status: JobStatus,
    },
    /// The job failed more often than it may be restarted.
    #[error("the job failed and is not restarted (attempt {attempts}{})", newest(latest))]
    Failed {
        /// How often it was run.
        attempts: u32,
        /// Its newest completed checkpoint: of this process, or the one that it was restored from. Whether it still exists
        /// depends on the retention.
        latest: Option<Pointer>,
        /// The last failure.
        source: JobFailure,
    },
}

fn blamed(task: &Option<(Name, u32)>) -> String {
    task.as_ref().map_or_else(String::new, |(vertex, subtask)| format!(" ({vertex}, subtask {subtask})"))
}

fn listed(left: &[LeftBehind]) -> String {
    left.iter().map(LeftBehind::to_string).collect::<Vec<_>>().join("; ")
}

fn newest(latest: &Option<Pointer>) -> String {
    latest
        .as_ref()
        .map_or_else(String::new, |pointer| format!("; newest completed checkpoint: {}", shown(pointer)))
}

/// Without what may be a secret in it.
fn shown(pointer: &Pointer) -> Redacted<'_> {
    Redacted::new(pointer.as_str())
}
