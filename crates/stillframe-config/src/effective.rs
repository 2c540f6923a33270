//! The config after [`resolve`](crate::CheckpointConfig::resolve): always valid, grouped by who reads it.

use crate::{ExternalizedCheckpointRetention, RecoveryClaimMode};
use core::num::NonZeroU32;
use core::time::Duration;
use stillframe_model::{CheckpointId, JobStatus, Pointer, StorageDescriptor};

/// What actually applies. Each group goes by value to its one reader.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EffectiveConfig {
    /// For the coordinator: when to trigger and when to give up.
    pub schedule: Schedule,
    /// For the tasks: what a barrier does.
    pub barriers: Barriers,
    /// For the tasks: whether a checkpoint refers to files of earlier ones instead of writing everything again.
    pub incremental: bool,
    /// For the coordinator: how many failures are too many.
    pub tolerance: FailureTolerance,
    /// For the coordinator: what is kept.
    pub retention: Retention,
    /// For the coordinator's driver: whether several checkpoints are removed at the same time.
    pub parallel_cleaner: bool,
    /// For whoever opens the storage.
    pub storage: StorageDescriptor,
    /// For whoever restores the job.
    pub recovery: Recovery,
    /// For the statistics: how many of the last checkpoints they remember. With 0, only the newest of each kind.
    pub history: u32,
}

/// When checkpoints are triggered and how long they may take.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Schedule {
    /// Between periodic triggers; at least [`min_pause`](Self::min_pause). `None`: no periodic checkpoints.
    pub interval: Option<Duration>,
    /// The same while a source works off a backlog; at least the normal interval. `None`: no periodic checkpoints then.
    pub interval_during_backlog: Option<Duration>,
    /// From trigger to durable.
    pub timeout: Duration,
    /// From completion to the next periodic trigger.
    pub min_pause: Duration,
    /// In progress at once; forced requests go beyond it.
    pub max_concurrent: NonZeroU32,
    /// Whether checkpoints go on when some tasks have finished.
    pub after_tasks_finish: bool,
}

/// What a barrier does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Barriers {
    /// What a task does when a barrier arrives.
    pub policy: BarrierPolicy,
    /// How barriers overtake records. `None`: they do not. Only with [`BarrierPolicy::Align`] and one checkpoint at a time.
    pub unaligned: Option<Unaligned>,
    /// How long an unaligned checkpoint first tries to align.
    pub alignment_timeout: Duration,
}

/// How barriers overtake records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unaligned {
    /// How many subtasks share one file of overtaken records.
    pub max_subtasks_per_channel_state_file: NonZeroU32,
    /// Whether the firing of timers may be interrupted by a barrier.
    pub interruptible_timers: bool,
}

/// What a task does about barriers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BarrierPolicy {
    /// Counts them and never holds an input back: at least once.
    Track,
    /// Holds back each input from its barrier until the last input's barrier came: exactly once.
    Align,
}

/// When failed checkpoints fail the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureTolerance {
    /// When more than this many failed without one succeeding in between.
    UpTo(u32),
    /// Never.
    Unlimited,
}

/// Which completed checkpoints are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retention {
    /// While the job runs: this many of the newest.
    pub max_retained: NonZeroU32,
    /// After it has ended.
    pub on_end: ExternalizedCheckpointRetention,
}

impl Retention {
    /// Whether the retained checkpoints stay when the job ends like this. The table is that of Flink's
    /// `CheckpointProperties`, and of its highly available store for a suspended job: that one goes on elsewhere, so
    /// nothing of it is deleted.
    #[must_use]
    pub const fn keeps_after(self, status: JobStatus) -> bool {
        match (self.on_end, status) {
            (_, JobStatus::Finished)
            | (
                ExternalizedCheckpointRetention::NoExternalizedCheckpoints,
                JobStatus::Canceled | JobStatus::Failed,
            )
            | (ExternalizedCheckpointRetention::DeleteOnCancellation, JobStatus::Canceled) => false,
            (_, JobStatus::Suspended)
            | (ExternalizedCheckpointRetention::DeleteOnCancellation, JobStatus::Failed)
            | (
                ExternalizedCheckpointRetention::RetainOnCancellation,
                JobStatus::Canceled | JobStatus::Failed,
            ) => true,
        }
    }
}

/// What a job begins with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recovery {
    /// The snapshot that a new job begins with.
    pub path: Option<Pointer>,
    /// Whether state in it that no operator claims is left out instead of refused.
    pub ignore_unclaimed_state: bool,
    /// Who owns it from then on.
    pub claim_mode: RecoveryClaimMode,
    /// When this checkpoint is restored, records that its barriers had overtaken are not.
    pub ignored_in_flight_data: Option<CheckpointId>,
}
