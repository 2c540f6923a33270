//! How far a task is with a checkpoint, and what it cost.

use core::fmt;
use core::time::Duration;

/// How far one task is with one checkpoint. Only forwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TaskProgress {
    /// No barrier has reached it.
    #[default]
    WaitingForBarrier,
    /// Some inputs have reached their barrier, and wait for the others.
    Aligning {
        /// How many have.
        arrived: u32,
        /// Of how many.
        of: u32,
    },
    /// It captures its state, and processes nothing meanwhile: the synchronous part.
    Capturing,
    /// It processes again, and what a sink is to commit later is made durable: that of this checkpoint, behind that of earlier
    /// ones. Here the asynchronous part begins.
    Preparing,
    /// What was captured waits for a place, because as many as may write at a time do.
    Queued,
    /// What was captured is being written. Before it is known how much that is, it is encoded.
    Writing {
        /// How many bytes are written.
        written: u64,
        /// Of how many, as far as that is known.
        of: Option<u64>,
    },
    /// All of it is written, and the storage makes it durable.
    Syncing,
}

impl fmt::Display for TaskProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WaitingForBarrier => f.write_str("waiting for the barrier"),
            Self::Aligning { arrived, of } => {
                write!(f, "aligning: the barrier came on {arrived} of {of} inputs")
            }
            Self::Capturing => f.write_str("capturing its state"),
            Self::Preparing => f.write_str("preparing what is to be committed"),
            Self::Queued => f.write_str("waiting for a place to write"),
            Self::Writing { written: 0, of: None } => f.write_str("encoding its state"),
            Self::Writing { written, of: Some(of) } => write!(f, "uploading {written} of {of} bytes"),
            Self::Writing { written, of: None } => write!(f, "uploading, {written} bytes so far"),
            Self::Syncing => f.write_str("making durable what is uploaded"),
        }
    }
}

/// What one task's part of a checkpoint cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SnapshotMetrics {
    /// From the trigger until the first barrier reached the task.
    pub start_delay: Duration,
    /// From the first barrier to the last.
    pub alignment: Duration,
    /// For how long the task processed nothing while it captured its state.
    pub sync: Duration,
    /// For how long what was captured was written.
    pub asynchronous: Duration,
    /// How many bytes of records were processed between the first barrier and the last. 0 where records are no bytes, as in
    /// the embedded runner.
    pub processed_during_alignment: u64,
    /// How many bytes of records under way belong to the snapshot.
    pub persisted_during_alignment: u64,
    /// Whether barriers had overtaken records.
    pub is_unaligned: bool,
}
