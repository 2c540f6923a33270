//! What takes part in checkpoints beside the tasks: hooks of the job, and coordinators of operators.

use crate::TaskResult;
use bytes::Bytes;
use stillframe_model::{CheckpointId, UnixMillis};

/// Something outside of the tasks that has to know of every checkpoint before it begins, such as a service that the job's
/// sources read from. Added with [`Job::with_master_hook`](crate::Job::with_master_hook).
///
/// Its methods may block: they run in threads of their own, one after the other, and a checkpoint that waits longer for one
/// than its timeout is given up.
pub trait MasterHook: Send + Sync + 'static {
    /// Under which name its state is found again: unique within the job, and the same as long as checkpoints are to be
    /// restored.
    fn name(&self) -> &str;

    /// A checkpoint begins, and no task has been triggered yet. What is returned is kept in it; most hooks return `None`.
    ///
    /// # Errors
    /// Keep the checkpoint from being taken.
    fn trigger(&self, checkpoint: CheckpointId, triggered_at: UnixMillis) -> TaskResult<Option<Bytes>>;

    /// The job goes on from a checkpoint. `state` is what the hook had kept in it, if anything. Not called for a checkpoint
    /// that no hook kept anything in.
    ///
    /// # Errors
    /// Keep the job from beginning.
    fn restore(&self, checkpoint: CheckpointId, state: Option<Bytes>) -> TaskResult<()>;

    /// The job begins anew, without a checkpoint.
    ///
    /// # Errors
    /// Keep the job from beginning.
    fn reset(&self) -> TaskResult<()> {
        Ok(())
    }

    /// The job is over.
    fn close(&self) {}
}

/// The coordinator of an operator: state that belongs to the operator as a whole and to none of its tasks, such as the
/// splits that are still to be given out. Attached with [`JobGraph::coordinate`](crate::JobGraph::coordinate).
///
/// Its methods may block: they run in a thread, one after the other. Its state is captured before any task is triggered.
pub trait OperatorCoordinator: Send + 'static {
    /// Its state, for a checkpoint that begins. If this panics, or does not return within the checkpoint timeout, the job
    /// fails: what it would give later could not be relied on.
    ///
    /// # Errors
    /// Keep the checkpoint from being taken.
    fn checkpoint(&mut self, checkpoint: CheckpointId) -> TaskResult<Bytes>;

    /// A checkpoint is complete, and all earlier ones with it. The tasks were told before.
    fn notify_complete(&mut self, checkpoint: CheckpointId) {
        let _ = checkpoint;
    }

    /// A checkpoint will not be complete.
    fn notify_aborted(&mut self, checkpoint: CheckpointId) {
        let _ = checkpoint;
    }

    /// An attempt begins, with the state of a checkpoint. `None`: without one, or with one that holds nothing of this
    /// coordinator.
    ///
    /// # Errors
    /// Keep the job from beginning.
    fn reset(&mut self, checkpoint: Option<CheckpointId>, state: Option<Bytes>) -> TaskResult<()>;
}
