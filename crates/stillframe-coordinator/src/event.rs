use alloc::string::String;
use core::time::Duration;
use stillframe_model::{
    Attempt, CheckpointId, FailureReason, JobStatus, LocationReference, OpId, Pointer, RequestId, TaskId,
    TaskSnapshot,
};

/// What can happen to a coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// All tasks run: begin with the periodic checkpoints. Without an interval in the config this changes nothing.
    StartPeriodic {
        /// The time until the first one, drawn at random between the minimum pause and the interval so that jobs that
        /// started together do not write together.
        first_after: Duration,
    },
    /// A person asks for a snapshot.
    Trigger {
        /// Comes back in [`Effect::Resolve`](crate::Effect::Resolve).
        request: RequestId,
        /// What is asked for.
        snapshot: SnapshotRequest,
    },
    /// A task has processed its last record. When all have, a last checkpoint lets the sinks commit.
    EndOfData {
        /// The task.
        task: TaskId,
    },
    /// The job is over, or stops here. Every request is resolved, and nothing new begins.
    End {
        /// How it ended.
        status: JobStatus,
    },
    /// The job failed and will be restarted by another coordinator. As [`End`](Self::End), but the job goes on.
    Failover,
    /// A task's state for a checkpoint is durable.
    Acknowledged {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// In which attempt the task runs.
        attempt: Attempt,
        /// The task.
        task: TaskId,
        /// Its state.
        snapshot: TaskSnapshot,
    },
    /// A task cannot take part in a checkpoint.
    Declined {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// In which attempt the task runs.
        attempt: Attempt,
        /// The task.
        task: TaskId,
        /// Why.
        reason: FailureReason,
    },
    /// Answers [`Effect::Locate`](crate::Effect::Locate).
    Located {
        /// The operation.
        op: OpId,
        /// Where tasks write.
        result: Result<LocationReference, Fault>,
    },
    /// Answers [`Effect::Publish`](crate::Effect::Publish).
    Published {
        /// The operation.
        op: OpId,
        /// Where the checkpoint is now.
        result: Result<Pointer, Fault>,
    },
    /// Answers [`Effect::Discard`](crate::Effect::Discard) and [`Effect::Remove`](crate::Effect::Remove). A failure leaves
    /// something behind, which a later sweep finds.
    Discarded {
        /// The operation.
        op: OpId,
    },
    /// Answers [`Effect::Conclude`](crate::Effect::Conclude).
    Concluded {
        /// The operation.
        op: OpId,
        /// Whether the end of the job is on record.
        result: Result<(), Fault>,
    },
    /// Time has passed. Harmless at any time.
    Tick,
}

/// A snapshot to be taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SnapshotRequest {
    /// A checkpoint beside the periodic ones.
    Checkpoint,
    /// A savepoint.
    Savepoint {
        /// In which directory; `None` is the storage's own savepoint directory.
        target: Option<String>,
    },
}

/// How a storage operation failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It had no effect and will have none.
    Failed {
        /// For a person to read.
        message: String,
    },
    /// It may have had its effect.
    Unknown {
        /// For a person to read.
        message: String,
    },
}

impl Fault {
    /// What a person is told.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Failed { message } | Self::Unknown { message } => message,
        }
    }
}
