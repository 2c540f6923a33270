//! What the statistics say. Plain data, named as in Flink's answers.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use stillframe_model::{CheckpointId, CheckpointKind, Name, Pointer, UnixMillis};

/// Everything about the job's checkpoints but what each vertex and each subtask did.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckpointingStatistics {
    /// How many there were.
    pub counts: Counts,
    /// What the completed ones cost, savepoints among them.
    pub summary: CheckpointSummary,
    /// The newest of each kind, however long ago.
    pub latest: LatestCheckpoints,
    /// The last ones, newest first, whether in progress or over.
    pub history: Vec<CheckpointStatistics>,
}

/// How many checkpoints there were. `total` is the sum of `in_progress`, `completed` and `failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Counts {
    /// How many times the job was restored from one.
    pub restored: u64,
    /// All that have begun, and those that were refused when their turn came.
    pub total: u64,
    /// Those that are neither complete nor given up.
    pub in_progress: u64,
    /// Those that completed, retained or not.
    pub completed: u64,
    /// Those that were given up, and those that were refused when their turn came.
    pub failed: u64,
}

/// What completed checkpoints cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheckpointSummary {
    /// Bytes written for a checkpoint, without what earlier ones wrote.
    pub checkpointed_size: StatsSummary,
    /// Bytes of all state of a checkpoint.
    pub state_size: StatsSummary,
    /// Milliseconds from the trigger to the last acknowledgement.
    pub end_to_end_duration: StatsSummary,
    /// Bytes of records processed while tasks aligned.
    pub processed_data: StatsSummary,
    /// Bytes of records under way that became part of a checkpoint.
    pub persisted_data: StatsSummary,
}

/// How one figure is distributed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StatsSummary {
    /// The least of all values; 0 if there are none.
    pub min: u64,
    /// The greatest of all values; 0 if there are none.
    pub max: u64,
    /// The mean of all values, rounded down; 0 if there are none.
    pub avg: u64,
    /// How the last 10,000 values are distributed; `None` if there are none, or if they were not kept.
    pub quantiles: Option<Quantiles>,
}

/// Below which value a part of the values lies. Between two values it is interpolated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// Nine tenths.
    pub p90: f64,
    /// 95 of a hundred.
    pub p95: f64,
    /// 99 of a hundred.
    pub p99: f64,
    /// 999 of a thousand.
    pub p999: f64,
}

/// The newest of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatestCheckpoints {
    /// The completed checkpoint with the greatest id that is no savepoint.
    pub completed: Option<CheckpointStatistics>,
    /// The completed savepoint with the greatest id.
    pub savepoint: Option<CheckpointStatistics>,
    /// The failed checkpoint or savepoint with the greatest id.
    pub failed: Option<CheckpointStatistics>,
    /// What the job was last restored from.
    pub restored: Option<RestoredCheckpointStatistics>,
}

/// What the job was restored from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RestoredCheckpointStatistics {
    /// Which checkpoint.
    pub id: CheckpointId,
    /// When the job began to be restored.
    pub restore_timestamp: UnixMillis,
    /// Whether it is a savepoint.
    pub is_savepoint: bool,
    /// Where it is.
    pub external_path: Pointer,
}

/// One checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointStatistics {
    /// Its id.
    pub id: CheckpointId,
    /// Its kind.
    pub kind: CheckpointKind,
    /// Whether barriers had overtaken records at a task that has reported.
    pub is_unaligned: bool,
    /// When it was triggered.
    pub trigger_timestamp: UnixMillis,
    /// What all of its subtasks add up to. For one that failed, the duration is from its trigger to its failure.
    pub figures: Figures,
    /// What became of it.
    pub outcome: CheckpointOutcome,
    /// What the subtasks of each vertex add up to, in the order of the vertices. Empty but in the
    /// [details](crate::statistics::Statistics::details).
    pub tasks: Vec<TaskCheckpointStatistics>,
}

/// What became of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckpointOutcome {
    /// Nothing yet.
    InProgress,
    /// It is complete.
    Completed {
        /// Where it is, or was.
        external_path: Pointer,
        /// Whether it is not retained any more.
        discarded: bool,
    },
    /// It was given up.
    Failed {
        /// When.
        failure_timestamp: UnixMillis,
        /// Why.
        failure_message: String,
    },
}

/// [`CheckpointOutcome`] in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckpointStatus {
    /// Neither complete nor given up.
    InProgress,
    /// Complete.
    Completed,
    /// Given up.
    Failed,
}

impl CheckpointOutcome {
    /// In a word.
    #[must_use]
    pub const fn status(&self) -> CheckpointStatus {
        match self {
            Self::InProgress => CheckpointStatus::InProgress,
            Self::Completed { .. } => CheckpointStatus::Completed,
            Self::Failed { .. } => CheckpointStatus::Failed,
        }
    }
}

/// What subtasks add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Figures {
    /// When the last of them acknowledged; `None` if none has.
    pub latest_ack_timestamp: Option<UnixMillis>,
    /// Bytes written, without what earlier checkpoints wrote.
    pub checkpointed_size: u64,
    /// Bytes of all state.
    pub state_size: u64,
    /// From the trigger to the last acknowledgement; `None` if there is none.
    pub end_to_end_duration: Option<Duration>,
    /// Bytes of records processed while they aligned.
    pub processed_data: u64,
    /// Bytes of records under way that became part of the checkpoint.
    pub persisted_data: u64,
    /// How many there are.
    pub num_subtasks: u64,
    /// How many have acknowledged. Those that had finished before the trigger count.
    pub num_acknowledged_subtasks: u64,
}

/// One vertex in one checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskCheckpointStatistics {
    /// The vertex.
    pub vertex: Name,
    /// The checkpoint.
    pub checkpoint: CheckpointId,
    /// What became of the checkpoint.
    pub status: CheckpointStatus,
    /// What the vertex's subtasks add up to.
    pub figures: Figures,
}

/// One vertex in one checkpoint, with what each of its subtasks did.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskCheckpointStatisticsWithSubtasks {
    /// What they add up to.
    pub task: TaskCheckpointStatistics,
    /// How their figures are distributed. Quantiles are not kept.
    pub summary: SubtaskSummary,
    /// Each of them, in order.
    pub subtasks: Vec<SubtaskCheckpointStatistics>,
}

/// How the figures of a vertex's subtasks are distributed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SubtaskSummary {
    /// Bytes written, without what earlier checkpoints wrote.
    pub checkpointed_size: StatsSummary,
    /// Bytes of all state.
    pub state_size: StatsSummary,
    /// Milliseconds from the trigger to the acknowledgement. Only of subtasks that acknowledged in time.
    pub end_to_end_duration: StatsSummary,
    /// Milliseconds in which nothing was processed because state was captured.
    pub sync: StatsSummary,
    /// Milliseconds in which captured state was written.
    pub asynchronous: StatsSummary,
    /// Bytes of records processed while aligning.
    pub processed: StatsSummary,
    /// Bytes of records under way that became part of the checkpoint.
    pub persisted: StatsSummary,
    /// Milliseconds from the first barrier to the last.
    pub alignment: StatsSummary,
    /// Milliseconds from the trigger to the first barrier.
    pub start_delay: StatsSummary,
}

/// One subtask in one checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubtaskCheckpointStatistics {
    /// It has not reported anything, and may never.
    Pending {
        /// Which subtask.
        index: u32,
    },
    /// It has reported.
    Completed(SubtaskFigures),
}

/// What one subtask reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SubtaskFigures {
    /// Which subtask.
    pub index: u32,
    /// When its report arrived.
    pub ack_timestamp: UnixMillis,
    /// From the trigger until then.
    pub end_to_end_duration: Duration,
    /// Bytes written, without what earlier checkpoints wrote.
    pub checkpointed_size: u64,
    /// Bytes of all its state.
    pub state_size: u64,
    /// For how long nothing was processed because state was captured.
    pub sync: Duration,
    /// For how long captured state was written.
    pub asynchronous: Duration,
    /// Bytes of records processed while aligning.
    pub processed: u64,
    /// Bytes of records under way that became part of the checkpoint.
    pub persisted: u64,
    /// From the first barrier to the last.
    pub alignment: Duration,
    /// From the trigger to the first barrier.
    pub start_delay: Duration,
    /// Whether barriers had overtaken records.
    pub is_unaligned: bool,
    /// Whether the checkpoint had been given up before.
    pub is_aborted: bool,
}

/// What Flink has as metrics of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// All that have begun, and those that were refused when their turn came.
    #[doc(alias = "totalNumberOfCheckpoints")]
    pub total: u64,
    /// Those that are neither complete nor given up.
    #[doc(alias = "numberOfInProgressCheckpoints")]
    pub in_progress: u64,
    /// Those that completed.
    #[doc(alias = "numberOfCompletedCheckpoints")]
    pub completed: u64,
    /// Those that failed.
    #[doc(alias = "numberOfFailedCheckpoints")]
    pub failed: u64,
    /// When the job was last restored.
    #[doc(alias = "lastCheckpointRestoreTimestamp")]
    pub last_restore_timestamp: Option<UnixMillis>,
    /// The checkpoint or savepoint that completed last.
    #[doc(alias = "lastCompletedCheckpointId")]
    pub last_completed: Option<LastCompleted>,
}

/// The checkpoint or savepoint that completed last.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LastCompleted {
    /// Its id.
    #[doc(alias = "lastCompletedCheckpointId")]
    pub id: CheckpointId,
    /// Bytes written for it, without what earlier ones wrote.
    #[doc(alias = "lastCheckpointSize")]
    pub checkpointed_size: u64,
    /// Bytes of all its state.
    #[doc(alias = "lastCheckpointFullSize")]
    pub state_size: u64,
    /// From its trigger to its last acknowledgement.
    #[doc(alias = "lastCheckpointDuration")]
    pub end_to_end_duration: Option<Duration>,
    /// Bytes of records processed while its tasks aligned.
    #[doc(alias = "lastCheckpointProcessedData")]
    pub processed_data: u64,
    /// Bytes of records under way that became part of it.
    #[doc(alias = "lastCheckpointPersistedData")]
    pub persisted_data: u64,
    /// Where it is, or was.
    #[doc(alias = "lastCheckpointExternalPath")]
    pub external_path: Pointer,
}
