//! What the coordinator's driver and the tasks' drivers tell each other.

use crate::handle::Reply;
use stillframe_coordinator::{Event, SnapshotRequest};
use stillframe_model::{Barrier, CheckpointId, TaskId};

/// To a task.
#[derive(Debug)]
pub(crate) enum Control {
    Trigger(Barrier),
    NotifyComplete(CheckpointId),
    NotifyAborted { checkpoint: CheckpointId, latest_complete: Option<CheckpointId> },
    NotifySubsumed(CheckpointId),
    Close,
}

/// To the coordinator's driver.
#[derive(Debug)]
pub(crate) enum Message {
    Event(Event),
    /// A person asks; the answer goes to whoever waits for it.
    Request {
        snapshot: SnapshotRequest,
        reply: Reply,
    },
    /// A task is open and will see every barrier from now on.
    Opened(TaskId),
}
