use crate::control::Message;
use stillframe_coordinator::Event;
use stillframe_model::{Attempt, CheckpointId, TaskId, TaskProgress};
use tokio::sync::mpsc;

/// Tells the coordinator how far one task is with its checkpoints, so that people can be told what they wait for.
#[derive(Clone, Debug)]
pub(crate) struct ProgressReport {
    coordinator: mpsc::UnboundedSender<Message>,
    attempt: Attempt,
    task: TaskId,
}

impl ProgressReport {
    pub(crate) fn new(coordinator: mpsc::UnboundedSender<Message>, attempt: Attempt, task: TaskId) -> Self {
        Self { coordinator, attempt, task }
    }

    pub(crate) fn progressed(&self, checkpoint: CheckpointId, progress: TaskProgress) {
        let Self { attempt, task, .. } = *self;
        let event = Event::Progressed { checkpoint, attempt, task, progress };
        // Without a coordinator there is nobody who would want to know.
        let _ = self.coordinator.send(Message::Event(event));
    }
}
