//! What became of the checkpoints so far: Flink's statistics, as a fold over what a [`Coordinator`](crate::Coordinator) is
//! told and what it says.
//!
//! ```text
//!   Event ──┬──────────────▶ Coordinator ──▶ Effect ──┬──▶ driver
//!           │ before                                  │ after
//!           └──────────────▶ Statistics ◀─────────────┘
//!                             │   │   │
//!          snapshot, details, subtasks│gauges
//! ```
//!
//! [`Statistics`] decides nothing, and nothing that decides reads it. The answers are plain data; with the feature `serde`
//! they are written as the answers of Flink's REST interface, with its names in its order:
//!
//! | answer | Flink's path |
//! |---|---|
//! | [`CheckpointingStatistics`] | `/jobs/:jobid/checkpoints` |
//! | [`CheckpointConfigInfo`] | `/jobs/:jobid/checkpoints/config` |
//! | [`CheckpointStatistics`] with its tasks | `/jobs/:jobid/checkpoints/details/:checkpointid` |
//! | [`TaskCheckpointStatisticsWithSubtasks`] | `/jobs/:jobid/checkpoints/details/:checkpointid/subtasks/:vertexid` |
//!
//! Sizes are in bytes, durations and moments in milliseconds. A vertex goes by its name, where Flink has 32 hexadecimal
//! digits that it derives from the job graph: the name is what people know, and it is unique within the job.

mod answer;
mod config;
mod fold;
mod history;
#[cfg(feature = "serde")]
mod json;
mod record;
mod samples;

pub use answer::{
    CheckpointOutcome, CheckpointStatistics, CheckpointStatus, CheckpointSummary, CheckpointingStatistics,
    Counts, Figures, Gauges, LastCompleted, LatestCheckpoints, Quantiles, RestoredCheckpointStatistics,
    StatsSummary, SubtaskCheckpointStatistics, SubtaskFigures, SubtaskSummary, TaskCheckpointStatistics,
    TaskCheckpointStatisticsWithSubtasks,
};
pub use config::{CheckpointConfigInfo, Externalization};
pub use fold::Statistics;
