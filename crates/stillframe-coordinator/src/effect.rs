use crate::SnapshotRequest;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use stillframe_model::{
    Barrier, CheckpointId, CheckpointKind, CheckpointMetadata, FailureReason, JobStatus, LocationReference,
    Name, OpId, Pointer, RequestId, StateFile, TaskId, UnixMillis, VertexId,
};

/// What a driver has to do. Plain data: it can be compared, printed, stored and replayed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// To the coordinator of an operator: give me your state. Answered by
    /// [`Event::CoordinatorSnapshot`](crate::Event::CoordinatorSnapshot). No task is triggered before all have answered.
    SnapshotCoordinator {
        /// To match the answer.
        op: OpId,
        /// The operator.
        vertex: VertexId,
        /// For this checkpoint.
        checkpoint: CheckpointId,
    },
    /// To a hook of the job: a checkpoint begins. Answered by [`Event::HookTriggered`](crate::Event::HookTriggered). No task
    /// is triggered before all have answered.
    TriggerHook {
        /// To match the answer.
        op: OpId,
        /// The hook.
        hook: Name,
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// When it was triggered.
        triggered_at: UnixMillis,
    },
    /// To a task without a running one before it: take this checkpoint and emit the barrier.
    Trigger {
        /// The task.
        task: TaskId,
        /// The barrier.
        barrier: Barrier,
    },
    /// To a task: this checkpoint is complete; commit what belongs to it.
    NotifyComplete {
        /// The task.
        task: TaskId,
        /// The checkpoint. All earlier ones are implied.
        checkpoint: CheckpointId,
    },
    /// To a task, behind the news of a completed checkpoint: this one was replaced by it.
    NotifySubsumed {
        /// The task.
        task: TaskId,
        /// The newest of those that were replaced. All earlier ones are implied.
        checkpoint: CheckpointId,
    },
    /// To the coordinator of an operator, behind the news to the tasks: this checkpoint is complete.
    NotifyCoordinatorComplete {
        /// The operator.
        vertex: VertexId,
        /// The checkpoint.
        checkpoint: CheckpointId,
    },
    /// To the coordinator of an operator, behind the news to the tasks: this checkpoint will not be complete.
    NotifyCoordinatorAborted {
        /// The operator.
        vertex: VertexId,
        /// The checkpoint.
        checkpoint: CheckpointId,
    },
    /// To a task: this checkpoint will not be complete.
    NotifyAborted {
        /// The task.
        task: TaskId,
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// The newest complete one, in case the task missed the news.
        latest_complete: Option<CheckpointId>,
    },
    /// To a task: everything of it is committed; end. Checkpoints wait for its end, for one timeout.
    Close {
        /// The task.
        task: TaskId,
    },
    /// To the storage: make a place. Answered by [`Event::Located`](crate::Event::Located).
    Locate {
        /// To match the answer.
        op: OpId,
        /// For this checkpoint.
        checkpoint: CheckpointId,
        /// What kind of place.
        snapshot: SnapshotRequest,
    },
    /// To the storage: make the checkpoint exist and those that it replaces cease to, in one step. Answered by
    /// [`Event::Published`](crate::Event::Published).
    Publish {
        /// To match the answer.
        op: OpId,
        /// Where its state was written.
        location: LocationReference,
        /// What it consists of.
        metadata: CheckpointMetadata,
        /// The retained checkpoints that it replaces, oldest first. None for a savepoint. If the publication fails, they
        /// are what they were.
        dropped: Vec<CheckpointId>,
    },
    /// To the storage: remove a checkpoint or savepoint that was not completed, with all that was written for it. Answered
    /// by [`Event::Discarded`](crate::Event::Discarded).
    Discard {
        /// To match the answer.
        op: OpId,
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Where its state was written.
        location: LocationReference,
    },
    /// To the storage: remove a checkpoint that was completed, and dropped since by a publication or by the record of the
    /// job's end. Answered by [`Event::Discarded`](crate::Event::Discarded).
    Remove {
        /// To match the answer.
        op: OpId,
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// The files that it was the last to refer to, beside those that belong to it alone. Nobody can refer to them again.
        shared: Vec<StateFile>,
    },
    /// To the storage: write down how the job ended, and that some of its checkpoints are not needed any more, in one step.
    /// Answered by [`Event::Concluded`](crate::Event::Concluded).
    Conclude {
        /// To match the answer.
        op: OpId,
        /// How it ended.
        status: JobStatus,
        /// The retained checkpoints that this makes superfluous, oldest first.
        dropped: Vec<CheckpointId>,
    },
    /// To the job: fail, and restart from the newest completed checkpoint if that is the job's way.
    FailJob {
        /// The reason of the last failure.
        reason: FailureReason,
        /// The task that is to blame, if one is.
        task: Option<TaskId>,
        /// For a person to read.
        message: String,
    },
    /// To whoever asked.
    Resolve {
        /// The request.
        request: RequestId,
        /// What became of it.
        outcome: Result<Outcome, Refused>,
    },
    /// To observers.
    Report(Report),
    /// To observers: an event changed nothing, and why.
    Ignored(Ignored),
}

/// A snapshot that a person asked for exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// Its id.
    pub checkpoint: CheckpointId,
    /// Where it is.
    pub pointer: Pointer,
}

/// A snapshot that a person asked for does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refused {
    /// Why.
    pub reason: FailureReason,
    /// The cause, where there is more to say.
    pub cause: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        self.cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

/// Something worth knowing about a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Report {
    /// It has begun.
    Triggered {
        /// Its id.
        checkpoint: CheckpointId,
        /// Its kind.
        kind: CheckpointKind,
        /// Who asked for it; `None` if it was merely due.
        request: Option<RequestId>,
        /// The tasks that have finished and take no part.
        finished: Vec<TaskId>,
    },
    /// Every task has captured its state and processes again. The first of four levels.
    Captured {
        /// Its id.
        checkpoint: CheckpointId,
    },
    /// The state of every task is durable. The second level.
    Durable {
        /// Its id.
        checkpoint: CheckpointId,
    },
    /// It is complete: its metadata is durable too, and the job goes on from it whatever happens. The third level.
    Completed(Completed),
    /// Every task has let out what it held back for it. The fourth level. Savepoints behind which the job goes on do not
    /// get there.
    Committed {
        /// Its id.
        checkpoint: CheckpointId,
    },
    /// It will not be complete.
    Aborted(Aborted),
    /// A completed checkpoint is not retained any more and will be removed.
    Subsumed {
        /// Its id.
        checkpoint: CheckpointId,
    },
    /// A periodic trigger was not taken.
    Skipped {
        /// Why.
        reason: FailureReason,
    },
    /// A checkpoint was refused when its turn came, before it had an id.
    Refused {
        /// Who asked for it, and is told besides; `None` if it was merely due.
        request: Option<RequestId>,
        /// Why.
        reason: FailureReason,
    },
}

/// A completed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Completed {
    /// Its id.
    pub checkpoint: CheckpointId,
    /// Its kind.
    pub kind: CheckpointKind,
    /// Where it is.
    pub pointer: Pointer,
    /// When it was triggered.
    pub triggered_at: UnixMillis,
    /// From the trigger until it was durable.
    pub duration: Duration,
    /// The size of all state in bytes.
    pub state_size: u64,
    /// The size in bytes of what was written for it.
    pub checkpointed_size: u64,
}

/// A checkpoint that failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Aborted {
    /// Its id.
    pub checkpoint: CheckpointId,
    /// Its kind.
    pub kind: CheckpointKind,
    /// Why.
    pub reason: FailureReason,
    /// Which task is to blame, if one is.
    pub by: Option<TaskId>,
    /// The cause, where there is more to say.
    pub cause: Option<String>,
}

/// Why an event changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// The coordinator has stopped.
    Stopped,
    /// The checkpoint is over, or never was.
    NotPending(CheckpointId),
    /// The checkpoint was given up lately because it took too long.
    Expired(CheckpointId),
    /// The task acknowledged this checkpoint already.
    Duplicate(CheckpointId),
    /// The message is from another execution attempt.
    OtherAttempt,
    /// The task is no part of this job.
    UnknownTask(TaskId),
    /// Nobody waits for the answer to this operation.
    UnknownOperation(OpId),
}
