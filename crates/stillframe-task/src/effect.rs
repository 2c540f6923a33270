use stillframe_model::{Barrier, CheckpointId, FailureReason, TaskSnapshot};

/// What a task's driver has to do, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Send this barrier to every output, behind all records that were emitted before.
    Forward(Barrier),
    /// Tell every output that a checkpoint is given up.
    ForwardCancel(CheckpointId),
    /// Capture the state as it is now, before the next record, and begin to write it to the barrier's location. Answered
    /// by [`Event::Durable`](crate::Event::Durable). If it cannot even be captured, the task fails.
    Capture(Barrier),
    /// Give up writing what was captured.
    CancelCapture(CheckpointId),
    /// Tell the coordinator that the state is durable.
    Acknowledge {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Where the state is.
        snapshot: TaskSnapshot,
    },
    /// Tell the coordinator that this task cannot take part.
    Decline {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Why.
        reason: FailureReason,
    },
    /// Tell the operator that a checkpoint is complete: it may commit.
    Complete(CheckpointId),
    /// Tell the operator that a checkpoint is aborted.
    Aborted(CheckpointId),
    /// The event changed nothing.
    Ignored(Ignored),
}

/// Why an event changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// The checkpoint is over for this task, or older than one that is.
    Obsolete(CheckpointId),
    /// The operator was told already.
    AlreadyNotified(CheckpointId),
    /// There is no such input.
    UnknownChannel(usize),
}
