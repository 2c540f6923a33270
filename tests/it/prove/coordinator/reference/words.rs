//! What is said between the job and its coordinator, without what only a machine needs: operations have names instead of
//! numbers, and handles are left out.

use stillframe::coordinator::{Ignored, SnapshotRequest};
use stillframe::model::{CheckpointKind, FailureReason, JobStatus, TaskId, VertexId};

/// Something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// So many milliseconds go by, or fewer if the coordinator wants to know earlier.
    Pass(u64),
    /// With the time until the first periodic checkpoint.
    Start(u64),
    Stop,
    Backlog(VertexId, bool),
    Ask(SnapshotRequest),
    Running(TaskId),
    EndOfData(TaskId),
    Finished(TaskId),
    Acknowledge {
        checkpoint: u64,
        /// Whether the task belongs to this execution of the job.
        is_current: bool,
        task: TaskId,
        part: Part,
    },
    Decline {
        checkpoint: u64,
        is_current: bool,
        task: TaskId,
        reason: FailureReason,
    },
    Progress {
        checkpoint: u64,
        is_current: bool,
        task: TaskId,
        progress: Progress,
    },
    Commit {
        checkpoint: u64,
        is_current: bool,
        task: TaskId,
    },
    Answer(Op, Reply),
    End(JobStatus),
    Failover,
}

/// What a task acknowledges with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Plain,
    /// It has processed its last record.
    AtEnd,
    /// It holds state of which every subtask is to get the whole.
    Union,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Aligning,
    Capturing,
    Writing,
}

/// What the coordinator waits to hear about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Op {
    Locate(u64),
    Coordinator(u64, VertexId),
    Hook(u64, usize),
    Publish(u64),
    /// Of a checkpoint that came to nothing, or of one that is not retained any more.
    Delete(u64),
    Conclude,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Done,
    /// As `Done`, and a hook has nothing to be kept.
    Nothing,
    Failed,
    /// As `Failed`, with an error of input or output among the causes.
    Io,
    Unknown,
}

/// What the coordinator does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    // To those who take part.
    AskCoordinator(VertexId, u64),
    AskHook(usize, u64),
    Trigger(TaskId, u64, CheckpointKind),
    NotifyComplete(TaskId, u64),
    NotifySubsumed(TaskId, u64),
    NotifyAborted(TaskId, u64, Option<u64>),
    NotifyCoordinatorComplete(VertexId, u64),
    NotifyCoordinatorAborted(VertexId, u64),
    Close(TaskId),
    // To the storage.
    Locate(u64, SnapshotRequest),
    Publish {
        checkpoint: u64,
        dropped: Vec<u64>,
        /// Of whom there is state.
        coordinators: Vec<VertexId>,
        hooks: Vec<usize>,
        /// Who had finished, or had nothing left to process.
        finished: Vec<TaskId>,
    },
    Discard(u64),
    Remove(u64),
    Conclude(JobStatus, Vec<u64>),
    // To people.
    Granted(u64, u64),
    Refused(u64, FailureReason),
    // To observers.
    Triggered {
        checkpoint: u64,
        kind: CheckpointKind,
        request: Option<u64>,
        finished: Vec<TaskId>,
    },
    Captured(u64),
    Durable(u64),
    Completed(u64),
    Committed(u64),
    Aborted(u64, FailureReason, Option<TaskId>),
    Subsumed(u64),
    Skipped(FailureReason),
    NotBegun(FailureReason),
    Ignored(Ignored),
    /// An answer that nobody waits for.
    IgnoredAnswer,
    // To the job.
    FailJob(FailureReason, Option<TaskId>),
}

/// How many different things a coordinator says.
pub(super) const WORDS: usize = 28;

impl Told {
    /// To whom it is said, and about what. Those who take part hear everything in one order. What is said to others about
    /// different things may come in any.
    fn lane(&self) -> (u8, u64) {
        match self {
            Self::AskCoordinator(..)
            | Self::AskHook(..)
            | Self::Trigger(..)
            | Self::NotifyComplete(..)
            | Self::NotifySubsumed(..)
            | Self::NotifyAborted(..)
            | Self::NotifyCoordinatorComplete(..)
            | Self::NotifyCoordinatorAborted(..)
            | Self::Close(_) => (0, 0),
            Self::Locate(checkpoint, _)
            | Self::Publish { checkpoint, .. }
            | Self::Discard(checkpoint)
            | Self::Remove(checkpoint) => (1, *checkpoint),
            Self::Conclude(..) => (1, 0),
            Self::Granted(request, _) | Self::Refused(request, _) => (2, *request),
            Self::Triggered { checkpoint, .. }
            | Self::Captured(checkpoint)
            | Self::Durable(checkpoint)
            | Self::Completed(checkpoint)
            | Self::Committed(checkpoint)
            | Self::Aborted(checkpoint, ..)
            | Self::Subsumed(checkpoint) => (3, *checkpoint),
            Self::Skipped(_) | Self::NotBegun(_) | Self::Ignored(_) | Self::IgnoredAnswer => (3, 0),
            Self::FailJob(..) => (4, 0),
        }
    }

    /// Puts together what is said to the same.
    pub(super) fn sorted(mut told: Vec<Self>) -> Vec<Self> {
        told.sort_by_key(Self::lane);
        told
    }
}

/// What a checkpoint waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    Place,
    Coordinators(usize),
    Hooks(usize),
    Tasks(Vec<TaskId>),
    Turn,
    Publication,
}

/// What anybody can see at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visible {
    pub(super) deadline: Option<u64>,
    pub(super) latest: Option<u64>,
    pub(super) is_done: bool,
    /// The checkpoints in progress, and in how many milliseconds each is given up.
    pub(super) pending: Vec<(u64, CheckpointKind, Option<u64>, Waits)>,
}
