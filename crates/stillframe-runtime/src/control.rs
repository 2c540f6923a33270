//! What the coordinator's driver and the tasks' drivers tell each other.

use crate::handle::{PendingCheckpoint, Reply};
use stillframe_coordinator::{Event, SnapshotRequest};
use stillframe_model::{Barrier, CheckpointId, TaskId};
use tokio::sync::oneshot;

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
#[expect(clippy::large_enum_variant, reason = "nearly every message is an event")]
pub(crate) enum Message {
    Event(Event),
    /// A person asks; the answer goes to whoever waits for it.
    Request {
        snapshot: SnapshotRequest,
        reply: Reply,
    },
    /// A person wonders what is going on.
    Status(oneshot::Sender<Vec<PendingCheckpoint>>),
    /// A task is open and will see every barrier from now on.
    Opened(TaskId),
}
