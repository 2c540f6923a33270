use alloc::string::String;
use bytes::Bytes;
use core::time::Duration;
use stillframe_model::{
    Attempt, CheckpointId, FailureReason, JobStatus, LocationReference, OpId, Pointer, RequestId,
    SavepointFormat, SnapshotMetrics, TaskId, TaskProgress, TaskSnapshot, VertexId,
};

/// What can happen to a coordinator.
#[expect(
    clippy::large_enum_variant,
    reason = "events come one at a time, and most are acknowledgements: a box for each would only cost time"
)]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Begin with the periodic checkpoints. Without an interval in the config this changes nothing. Where the job is about to
    /// stop, they begin when it turns out that it does not.
    StartPeriodic {
        /// The time until the first one, drawn at random between the minimum pause and the interval so that jobs that
        /// started together do not write together.
        first_after: Duration,
    },
    /// The job does not run for now: end the periodic checkpoints, and give up what waits or is in progress.
    StopPeriodic,
    /// A source begins or ends to work off a backlog, during which the interval is another one.
    Backlog {
        /// The source.
        source: VertexId,
        /// Whether it has one.
        is_processing: bool,
    },
    /// A person asks for a snapshot.
    Trigger {
        /// Comes back in [`Effect::Resolve`](crate::Effect::Resolve).
        request: RequestId,
        /// What is asked for.
        snapshot: SnapshotRequest,
    },
    /// A task runs, and will see every barrier from now on.
    Running {
        /// The task.
        task: TaskId,
    },
    /// A task has processed its last record. When all have, a last checkpoint lets the sinks commit; it is tried until one
    /// succeeds. A task that an earlier attempt had finished says so again when nothing comes to it any more.
    EndOfData {
        /// The task.
        task: TaskId,
    },
    /// A task has ended, because it was told to. It takes part in nothing any more.
    Finished {
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
        /// What it cost.
        metrics: SnapshotMetrics,
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
    /// A task is further with a checkpoint than before. Nothing is decided by it but what a person is told.
    Progressed {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// In which attempt the task runs.
        attempt: Attempt,
        /// The task.
        task: TaskId,
        /// How far it is.
        progress: TaskProgress,
    },
    /// A task has acted upon [`Effect::NotifyComplete`](crate::Effect::NotifyComplete): what it held back is out.
    Committed {
        /// The checkpoint. All earlier ones are implied.
        checkpoint: CheckpointId,
        /// In which attempt the task runs.
        attempt: Attempt,
        /// The task.
        task: TaskId,
    },
    /// Answers [`Effect::SnapshotCoordinator`](crate::Effect::SnapshotCoordinator).
    CoordinatorSnapshot {
        /// The operation.
        op: OpId,
        /// The state of the operator's coordinator.
        result: Result<Bytes, Fault>,
    },
    /// Answers [`Effect::TriggerHook`](crate::Effect::TriggerHook).
    HookTriggered {
        /// The operation.
        op: OpId,
        /// What the hook wants to have kept, if anything.
        result: Result<Option<Bytes>, Fault>,
    },
    /// Answers [`Effect::Locate`](crate::Effect::Locate). If it is unknown what came of it, nothing begins any more, as for
    /// [`Published`](Self::Published).
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
    Checkpoint {
        /// Which kind.
        checkpoint_type: CheckpointType,
    },
    /// A savepoint.
    Savepoint {
        /// In which directory; `None` is the storage's own savepoint directory.
        target: Option<String>,
        /// How keyed state is written.
        format: SavepointFormat,
    },
    /// A savepoint behind which the job stops. Checkpoints in progress are given up for it.
    Stop {
        /// As for a savepoint.
        target: Option<String>,
        /// How keyed state is written.
        format: SavepointFormat,
        /// Whether operators give out what they still hold, because the job will not go on from the savepoint.
        drain: bool,
    },
}

impl SnapshotRequest {
    /// A checkpoint as the job's periodic ones.
    pub const CHECKPOINT: Self = Self::Checkpoint { checkpoint_type: CheckpointType::Configured };

    /// A savepoint in the canonical format.
    #[must_use]
    pub const fn savepoint(target: Option<String>) -> Self {
        Self::Savepoint { target, format: SavepointFormat::Canonical }
    }

    /// Whether the storage has to know where to put it.
    pub(crate) const fn needs_default_location(&self) -> bool {
        matches!(self, Self::Savepoint { target: None, .. } | Self::Stop { target: None, .. })
    }

    /// Whether tasks hear of its completion.
    pub(crate) const fn is_told(&self) -> bool {
        !matches!(self, Self::Savepoint { .. })
    }

    pub(crate) const fn is_savepoint(&self) -> bool {
        matches!(self, Self::Savepoint { .. } | Self::Stop { .. })
    }
}

/// Which kind of checkpoint a person asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckpointType {
    /// As the periodic ones.
    #[default]
    Configured,
    /// One that refers to no state that an earlier one wrote.
    Full,
    /// One that may.
    Incremental,
}

/// How an operation failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It had no effect and will have none.
    Failed {
        /// For a person to read.
        message: String,
    },
    /// As [`Failed`](Self::Failed), because something could not be read or written: there is such an error among the
    /// causes. That says something about where the job runs, so the checkpoint counts as failed.
    Io {
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
            Self::Failed { message } | Self::Io { message } | Self::Unknown { message } => message,
        }
    }
}
