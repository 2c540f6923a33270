use stillframe_model::{Barrier, CheckpointId, FailureReason, TaskSnapshot};

/// What a task's driver has to do, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// A barrier came, and others are missing. Nothing is decided by it but what a person is told.
    Aligning {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// How many inputs have reached their barrier, or have ended.
        arrived: u32,
        /// Of how many.
        of: u32,
    },
    /// Read nothing any more: the job stops behind the savepoint whose barrier follows.
    Stop {
        /// Whether operators give out what they hold. A source then says that its data has ended before it sends the barrier.
        drain: bool,
    },
    /// Send this barrier to every output, behind all records that were emitted before.
    Forward(Barrier),
    /// Tell every output that a checkpoint is given up.
    ForwardCancel(CheckpointId),
    /// Capture the state as it is now, before the next record, and begin to write it to the barrier's location. Answered
    /// by [`Event::Durable`](crate::Event::Durable), or by [`Event::NotCaptured`](crate::Event::NotCaptured).
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
    /// Tell the operator that a completed checkpoint, and every one before it, was replaced by a newer one.
    Subsumed(CheckpointId),
    /// Fail: the task has stopped for a savepoint that will not exist, and only a restart brings it back.
    Fail(CheckpointId),
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
