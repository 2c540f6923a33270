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
    /// The queue of requests is full.
    TooManyCheckpointRequests,
    /// The minimum pause since the last completed checkpoint is not over.
    MinimumTimeBetweenCheckpoints,
    /// The storage could not prepare a place for it.
    IoException,
    /// A task could not write its state.
    CheckpointAsyncException,
    /// It was not complete within the timeout.
    CheckpointExpired,
    /// A newer checkpoint completed first.
    CheckpointSubsumed,
    /// A task could not capture its state.
    CheckpointDeclined,
    /// A barrier of a newer checkpoint reached a task first.
    CheckpointDeclinedSubsumed,
    /// A task passed on that the checkpoint is cancelled.
    CheckpointDeclinedOnCancellationBarrier,
    /// The coordinator stopped because the job ended.
    CheckpointCoordinatorShutdown,
    /// The job is being restarted after a failure.
    JobFailoverRegion,
    /// The coordinator stopped because it cannot know whether an earlier commit took effect.
    OutcomeUnknown,
    /// The metadata could not be written and published.
    FinalizeCheckpointFailure,
}

impl FailureReason {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 13] = [
        Self::TooManyCheckpointRequests,
        Self::MinimumTimeBetweenCheckpoints,
        Self::IoException,
        Self::CheckpointAsyncException,
        Self::CheckpointExpired,
        Self::CheckpointSubsumed,
        Self::CheckpointDeclined,
        Self::CheckpointDeclinedSubsumed,
        Self::CheckpointDeclinedOnCancellationBarrier,
        Self::CheckpointCoordinatorShutdown,
        Self::JobFailoverRegion,
        Self::OutcomeUnknown,
        Self::FinalizeCheckpointFailure,
    ];

    /// In which phase of a checkpoint this happens.
    #[must_use]
    pub const fn phase(self) -> FailurePhase {
        match self {
            Self::TooManyCheckpointRequests | Self::MinimumTimeBetweenCheckpoints | Self::IoException => {
                FailurePhase::BeforeTrigger
            }
            Self::CheckpointAsyncException
            | Self::CheckpointExpired
            | Self::CheckpointSubsumed
            | Self::CheckpointDeclined
            | Self::CheckpointDeclinedSubsumed
            | Self::CheckpointDeclinedOnCancellationBarrier
            | Self::CheckpointCoordinatorShutdown
            | Self::JobFailoverRegion
            | Self::OutcomeUnknown
            | Self::FinalizeCheckpointFailure => FailurePhase::AfterTrigger,
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
            Self::TooManyCheckpointRequests
            | Self::MinimumTimeBetweenCheckpoints
            | Self::CheckpointSubsumed
            | Self::CheckpointDeclinedSubsumed
            | Self::CheckpointDeclinedOnCancellationBarrier
            | Self::CheckpointCoordinatorShutdown
            | Self::JobFailoverRegion
            | Self::OutcomeUnknown => false,
        }
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooManyCheckpointRequests => "too many checkpoint requests are queued",
            Self::MinimumTimeBetweenCheckpoints => "the minimum pause between checkpoints is not over",
            Self::IoException => "the storage could not prepare a place for the checkpoint",
            Self::CheckpointAsyncException => "a task could not write its state",
            Self::CheckpointExpired => "not complete within the timeout",
            Self::CheckpointSubsumed => "a newer checkpoint completed first",
            Self::CheckpointDeclined => "a task could not capture its state",
            Self::CheckpointDeclinedSubsumed => "a barrier of a newer checkpoint reached a task first",
            Self::CheckpointDeclinedOnCancellationBarrier => "cancelled upstream",
            Self::CheckpointCoordinatorShutdown => "the job ended",
            Self::JobFailoverRegion => "the job is restarted after a failure",
            Self::OutcomeUnknown => "it is unknown whether a commit took effect, so the coordinator stopped",
            Self::FinalizeCheckpointFailure => "the metadata could not be published",
        })
    }
}
