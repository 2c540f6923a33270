use core::fmt;

/// When in a checkpoint's life it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailurePhase {
    /// The request was refused or given up before any task heard of it.
    BeforeTrigger,
    /// After it had begun.
    AfterTrigger,
}

/// Why a checkpoint did not happen or did not complete. The names are Flink's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureReason {
    /// A periodic request came while the scheduler of periodic checkpoints is stopped.
    PeriodicSchedulerShutdown,
    /// The queue of requests is full.
    TooManyCheckpointRequests,
    /// The minimum pause since the last completed checkpoint is not over.
    MinimumTimeBetweenCheckpoints,
    /// A task that has to take part is not running.
    NotAllRequiredTasksRunning,
    /// Something could not be read or written before any task heard of it: a place for it in the storage, or what a hook or
    /// the coordinator of an operator needs.
    IoException,
    /// A snapshot cannot flow through an output that is only read when it is complete.
    BlockingOutputExist,
    /// A task could not write its state.
    CheckpointAsyncException,
    /// Another task that writes records under way into the same file failed.
    ChannelStateSharedStreamException,
    /// It was not complete within the timeout.
    CheckpointExpired,
    /// A newer checkpoint completed first.
    CheckpointSubsumed,
    /// A task could not capture its state.
    CheckpointDeclined,
    /// A task was not ready to take part.
    CheckpointDeclinedTaskNotReady,
    /// A task was closing, or a state does not allow that only some subtasks of its operator have finished.
    CheckpointDeclinedTaskClosing,
    /// A barrier of a newer checkpoint reached a task first.
    CheckpointDeclinedSubsumed,
    /// A task passed on that the checkpoint is cancelled.
    CheckpointDeclinedOnCancellationBarrier,
    /// An input ended before its barrier came, and checkpoints after tasks finish are off.
    CheckpointDeclinedInputEndOfStream,
    /// The coordinator is shut down.
    CheckpointCoordinatorShutdown,
    /// The coordinator stopped taking checkpoints, because the job does not run any more or stops with a savepoint.
    CheckpointCoordinatorSuspend,
    /// The job is being restarted after a failure.
    JobFailoverRegion,
    /// A task failed.
    TaskFailure,
    /// A task that was to be triggered is unknown where it should run.
    TaskCheckpointFailure,
    /// A task that was to be notified is unknown where it should run.
    UnknownTaskCheckpointNotificationFailure,
    /// The metadata could not be written and published.
    FinalizeCheckpointFailure,
    /// It could not be triggered.
    TriggerCheckpointFailure,
    /// The coordinator stopped because it cannot know whether an earlier commit took effect. Flink has no such reason.
    OutcomeUnknown,
}

impl FailureReason {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 25] = [
        Self::PeriodicSchedulerShutdown,
        Self::TooManyCheckpointRequests,
        Self::MinimumTimeBetweenCheckpoints,
        Self::NotAllRequiredTasksRunning,
        Self::IoException,
        Self::BlockingOutputExist,
        Self::CheckpointAsyncException,
        Self::ChannelStateSharedStreamException,
        Self::CheckpointExpired,
        Self::CheckpointSubsumed,
        Self::CheckpointDeclined,
        Self::CheckpointDeclinedTaskNotReady,
        Self::CheckpointDeclinedTaskClosing,
        Self::CheckpointDeclinedSubsumed,
        Self::CheckpointDeclinedOnCancellationBarrier,
        Self::CheckpointDeclinedInputEndOfStream,
        Self::CheckpointCoordinatorShutdown,
        Self::CheckpointCoordinatorSuspend,
        Self::JobFailoverRegion,
        Self::TaskFailure,
        Self::TaskCheckpointFailure,
        Self::UnknownTaskCheckpointNotificationFailure,
        Self::FinalizeCheckpointFailure,
        Self::TriggerCheckpointFailure,
        Self::OutcomeUnknown,
    ];

    /// In which phase of a checkpoint this happens.
    #[must_use]
    pub const fn phase(self) -> FailurePhase {
        match self {
            Self::PeriodicSchedulerShutdown
            | Self::TooManyCheckpointRequests
            | Self::MinimumTimeBetweenCheckpoints
            | Self::NotAllRequiredTasksRunning
            | Self::IoException
            | Self::BlockingOutputExist => FailurePhase::BeforeTrigger,
            Self::CheckpointAsyncException
            | Self::ChannelStateSharedStreamException
            | Self::CheckpointExpired
            | Self::CheckpointSubsumed
            | Self::CheckpointDeclined
            | Self::CheckpointDeclinedTaskNotReady
            | Self::CheckpointDeclinedTaskClosing
            | Self::CheckpointDeclinedSubsumed
            | Self::CheckpointDeclinedOnCancellationBarrier
            | Self::CheckpointDeclinedInputEndOfStream
            | Self::CheckpointCoordinatorShutdown
            | Self::CheckpointCoordinatorSuspend
            | Self::JobFailoverRegion
            | Self::TaskFailure
            | Self::TaskCheckpointFailure
            | Self::UnknownTaskCheckpointNotificationFailure
            | Self::FinalizeCheckpointFailure
            | Self::TriggerCheckpointFailure
            | Self::OutcomeUnknown => FailurePhase::AfterTrigger,
        }
    }

    /// Whether it counts towards the tolerable number of failed checkpoints. Reasons that say nothing about the
    /// health of the job do not count. The table is that of Flink's `CheckpointFailureManager`.
    #[must_use]
    pub const fn counts_toward_tolerance(self) -> bool {
        match self {
            Self::IoException
            | Self::CheckpointAsyncException
            | Self::CheckpointExpired
            | Self::CheckpointDeclined
            | Self::FinalizeCheckpointFailure => true,
            Self::PeriodicSchedulerShutdown
            | Self::TooManyCheckpointRequests
            | Self::MinimumTimeBetweenCheckpoints
            | Self::NotAllRequiredTasksRunning
            | Self::BlockingOutputExist
            | Self::ChannelStateSharedStreamException
            | Self::CheckpointSubsumed
            | Self::CheckpointDeclinedTaskNotReady
            | Self::CheckpointDeclinedTaskClosing
            | Self::CheckpointDeclinedSubsumed
            | Self::CheckpointDeclinedOnCancellationBarrier
            | Self::CheckpointDeclinedInputEndOfStream
            | Self::CheckpointCoordinatorShutdown
            | Self::CheckpointCoordinatorSuspend
            | Self::JobFailoverRegion
            | Self::TaskFailure
            | Self::TaskCheckpointFailure
            | Self::UnknownTaskCheckpointNotificationFailure
            | Self::TriggerCheckpointFailure
            | Self::OutcomeUnknown => false,
        }
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PeriodicSchedulerShutdown => "the periodic scheduler is stopped",
            Self::TooManyCheckpointRequests => "too many checkpoint requests are queued",
            Self::MinimumTimeBetweenCheckpoints => "the minimum pause between checkpoints is not over",
            Self::NotAllRequiredTasksRunning => "not all required tasks are running",
            Self::IoException => "something could not be read or written before it began",
            Self::BlockingOutputExist => "the job has outputs that are only read when they are complete",
            Self::CheckpointAsyncException => "a task could not write its state",
            Self::ChannelStateSharedStreamException => {
                "another task that shares the file of records under way failed"
            }
            Self::CheckpointExpired => "not complete within the timeout",
            Self::CheckpointSubsumed => "a newer checkpoint completed first",
            Self::CheckpointDeclined => "a task could not capture its state",
            Self::CheckpointDeclinedTaskNotReady => "a task was not ready for it",
            Self::CheckpointDeclinedTaskClosing => "a task was closing",
            Self::CheckpointDeclinedSubsumed => "a barrier of a newer checkpoint reached a task first",
            Self::CheckpointDeclinedOnCancellationBarrier => "cancelled upstream",
            Self::CheckpointDeclinedInputEndOfStream => "an input of a task ended before its barrier came",
            Self::CheckpointCoordinatorShutdown => "the coordinator is shut down",
            Self::CheckpointCoordinatorSuspend => "the job does not run any more, or stops with a savepoint",
            Self::JobFailoverRegion => "the job is restarted after a failure",
            Self::TaskFailure => "a task failed",
            Self::TaskCheckpointFailure => "a task that was to be triggered is unknown where it should run",
            Self::UnknownTaskCheckpointNotificationFailure => {
                "a task that was to be notified is unknown where it should run"
            }
            Self::FinalizeCheckpointFailure => "the metadata could not be published",
            Self::TriggerCheckpointFailure => "it could not be triggered",
            Self::OutcomeUnknown => "it is unknown whether a commit took effect, so the coordinator stopped",
        })
    }
}
