use stillframe_model::{Barrier, CheckpointId, TaskSnapshot};

/// What can happen to a task, as far as checkpoints are concerned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The coordinator triggers a task that nobody running could send a barrier to: a source, or a task whose inputs have all
    /// ended. If their ends have not been read yet, it waits for them.
    Trigger(Barrier),
    /// A barrier came in.
    Barrier {
        /// On which input, counted from 0.
        channel: usize,
        /// The barrier.
        barrier: Barrier,
    },
    /// An upstream task gave a checkpoint up.
    CancelMarker {
        /// On which input.
        channel: usize,
        /// The checkpoint.
        checkpoint: CheckpointId,
    },
    /// An input has ended for good; no more barriers will come from there.
    EndOfInput {
        /// Which input.
        channel: usize,
    },
    /// Answers [`Effect::Capture`](crate::Effect::Capture): the captured state is written, or could not be.
    Durable {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Where the state is; `None` if it could not be written.
        snapshot: Option<TaskSnapshot>,
    },
    /// Answers [`Effect::Capture`](crate::Effect::Capture): the state could not even be captured. The task fails behind it.
    NotCaptured {
        /// The checkpoint.
        checkpoint: CheckpointId,
    },
    /// The coordinator says that a checkpoint is complete.
    NotifyComplete {
        /// The checkpoint. All earlier ones are implied.
        checkpoint: CheckpointId,
    },
    /// The coordinator says that a checkpoint will not be complete.
    NotifyAborted {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// The newest complete one.
        latest_complete: Option<CheckpointId>,
    },
    /// The coordinator says that a completed checkpoint was replaced by a newer one.
    NotifySubsumed {
        /// The checkpoint. All earlier ones are implied.
        checkpoint: CheckpointId,
    },
}
