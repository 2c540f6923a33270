//! When the barriers of one checkpoint are all there. One file per policy; both return [`Decision`]s.

mod aligned;
mod tracking;

pub(crate) use aligned::Aligned;
pub(crate) use tracking::Tracking;

use stillframe_model::{Barrier, CheckpointId, FailureReason};

/// What an aligner concludes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// One more input has reached the barrier, and others have not.
    Aligning { checkpoint: CheckpointId, arrived: usize, of: usize },
    /// All inputs have reached the barrier: take the checkpoint now.
    Checkpoint(Barrier),
    /// This checkpoint cannot be taken here any more.
    GiveUp(CheckpointId, FailureReason),
    /// The element belongs to a checkpoint that is over for this task.
    Obsolete(CheckpointId),
}
