//! The driver of the coordinator: performs effects, feeds the answers back. There is no decision about checkpoints here.

use crate::clock::Clock;
use crate::control::{Control, Message};
use crate::error::chain;
use crate::event::{JobEvent, Observer};
use crate::handle::Reply;
use crate::offload::{Lost, Offload};
use std::collections::BTreeMap;
use std::sync::Arc;
use stillframe_coordinator::{Coordinator, Effect, Event, Fault, Report, SnapshotRequest};
use stillframe_metadata as metadata;
use stillframe_model::{
    CheckpointId, FailureReason, JobStatus, LocationReference, OpId, RequestId, StateFile, TaskId,
};
use stillframe_storage::{CoordinatorStorage, ErrorKind, StorageError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What the coordinator's driver tells the job.
#[derive(Debug)]
pub(crate) enum Notice {
    /// All tasks are open.
    Opened,
    /// The job has to fail.
    Fail { reason: FailureReason, message: String },
}

pub(crate) struct CoordinatorDriver {
    pub(crate) machine: Coordinator,
    pub(crate) clock: Clock,
    pub(crate) storage: Arc<dyn CoordinatorStorage>,
    pub(crate) offload: Offload,
    pub(crate) tasks: BTreeMap<TaskId, mpsc::UnboundedSender<Control>>,
    pub(crate) observer: Observer,
    pub(crate) notices: mpsc::UnboundedSender<Notice>,
    pub(crate) answers: JoinSet<Answer>,
    pub(crate) requests: BTreeMap<RequestId, Reply>,
    pub(crate) next_request: RequestId,
    pub(crate) opened: usize,
    /// What could not be removed, to be tried once more when nobody writes any longer.
    pub(crate) leftovers: Vec<Leftover>,
}

/// What is to be removed of a checkpoint.
#[derive(Clone, Debug)]
pub(crate) enum Leftover {
    /// It was begun and not completed.
    Begun { checkpoint: CheckpointId, location: LocationReference },
    /// A later one replaced it.
    Dropped { checkpoint: CheckpointId, shared: Vec<StateFile> },
}

impl Leftover {
    pub(crate) fn checkpoint(&self) -> CheckpointId {
        match self {
            Self::Begun { checkpoint, .. } | Self::Dropped { checkpoint, .. } => *checkpoint,
        }
    }

    pub(crate) async fn remove(&self, storage: &dyn CoordinatorStorage) -> Result<(), StorageError> {
        match self {
            Self::Begun { checkpoint, location } => storage.discard(*checkpoint, location).await,
            Self::Dropped { checkpoint, shared } => storage.remove(*checkpoint, shared).await,
        }
    }
}

/// A storage operation has ended.
pub(crate) enum Answer {
    Event(Event),
    Discarded { op: OpId, failed: Option<(Leftover, StorageError)> },
    ConcludeFailed { op: OpId, message: String },
}

impl CoordinatorDriver {
    /// Runs until the machine is done, and gives back what could not be removed.
    pub(crate) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Message>) -> Vec<Leftover> {
        while !self.machine.is_done() {
            let deadline = self.machine.next_deadline();
            // Answers first: they free what messages may be waiting for. Time last: an expiry that an answer is about
            // to make unnecessary should not happen.
            let event = tokio::select! {
                biased;
                Some(answer) = self.answers.join_next() => match answer {
                    Ok(answer) => self.event_of(answer),
                    // Operations catch their own panics, so this is the runtime going down.
                    Err(_) => break,
                },
                message = inbox.recv() => match message {
                    Some(message) => match self.accept(message) {
                        Some(event) => event,
                        None => continue,
                    },
                    None => break,
                },
                () = self.clock.wait_until(deadline) => Event::Tick,
            };
            for effect in self.machine.handle(self.clock.now(), event) {
                self.perform(effect);
            }
        }
        self.leftovers
    }

    fn accept(&mut self, message: Message) -> Option<Event> {
        match message {
            Message::Event(event) => Some(event),
            Message::Request { snapshot, reply } => {
                let request = self.next_request;
                self.next_request = request.next();
                self.requests.insert(request, reply);
                Some(Event::Trigger { request, snapshot })
            }
            Message::Opened(task) => {
                self.opened += 1;
                if self.opened == self.tasks.len() {
                    let _ = self.notices.send(Notice::Opened);
                }
                Some(Event::Running { task })
            }
        }
    }

    fn event_of(&mut self, answer: Answer) -> Event {
        match answer {
            Answer::Event(event) => event,
            Answer::Discarded { op, failed } => {
                if let Some((leftover, error)) = failed {
                    let checkpoint = leftover.checkpoint();
                    (self.observer)(&JobEvent::DiscardFailed { checkpoint, message: &chain(&error) });
                    self.leftovers.push(leftover);
                }
                Event::Discarded { op }
            }
            Answer::ConcludeFailed { op, message } => {
                (self.observer)(&JobEvent::ConcludeFailed { message: &message });
                Event::Concluded { op, result: Err(Fault::Failed { message }) }
            }
        }
    }

    /// One arm for each effect, so that a new one does not compile until somebody performs it.
    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Trigger { task, barrier } => self.tell(task, Control::Trigger(barrier)),
            Effect::NotifyComplete { task, checkpoint } => {
                self.tell(task, Control::NotifyComplete(checkpoint))
            }
            Effect::NotifyAborted { task, checkpoint, latest_complete } => {
                self.tell(task, Control::NotifyAborted { checkpoint, latest_complete });
            }
            Effect::Close { task } => self.tell(task, Control::Close),
            Effect::Locate { op, checkpoint, snapshot } => self.locate(op, checkpoint, snapshot),
            Effect::Publish { op, location, metadata, dropped } => {
                self.publish(op, location, metadata, dropped)
            }
            Effect::Discard { op, checkpoint, location } => {
                self.remove(op, Leftover::Begun { checkpoint, location })
            }
            Effect::Remove { op, checkpoint, shared } => {
                self.remove(op, Leftover::Dropped { checkpoint, shared })
            }
            Effect::Conclude { op, status, dropped } => self.conclude(op, status, dropped),
            Effect::FailJob { reason, message, task: _ } => {
                let _ = self.notices.send(Notice::Fail { reason, message });
            }
            Effect::Resolve { request, outcome } => {
                if let Some(reply) = self.requests.remove(&request) {
                    // Whoever asked may have stopped waiting.
                    let _ = reply.send(outcome);
                }
            }
            Effect::Report(report) => (self.observer)(&match &report {
                Report::Triggered { checkpoint, kind, .. } => {
                    JobEvent::Triggered { checkpoint: *checkpoint, kind: *kind }
                }
                Report::Completed(completed) => JobEvent::Completed(completed),
                Report::Aborted(aborted) => JobEvent::Aborted(aborted),
                Report::Skipped { reason } | Report::Refused { reason } => {
                    JobEvent::Skipped { reason: *reason }
                }
                Report::Captured { .. }
                | Report::Durable { .. }
                | Report::Committed { .. }
                | Report::Subsumed { .. } => return,
            }),
            Effect::NotifySubsumed { task, checkpoint } => {
                self.tell(task, Control::NotifySubsumed(checkpoint))
            }
            Effect::NotifyCoordinatorComplete { .. }
            | Effect::NotifyCoordinatorAborted { .. }
            | Effect::SnapshotCoordinator { .. }
            | Effect::TriggerHook { .. } => {}
            // Late and repeated messages are part of every abort; there is nothing to do about them.
            Effect::Ignored(_) => {}
        }
    }

    fn tell(&self, task: TaskId, control: Control) {
        // A task that is gone has failed, which the job hears from the task itself.
        if let Some(sender) = self.tasks.get(&task) {
            let _ = sender.send(control);
        }
    }

    fn locate(&mut self, op: OpId, checkpoint: CheckpointId, snapshot: SnapshotRequest) {
        let (storage, offload) = (Arc::clone(&self.storage), self.offload.clone());
        self.answers.spawn(async move {
            let located = offload.run(async move {
                match snapshot {
                    SnapshotRequest::Checkpoint { .. } => storage.begin_checkpoint(checkpoint).await,
                    SnapshotRequest::Savepoint { target, .. } | SnapshotRequest::Stop { target, .. } => {
                        storage.begin_savepoint(checkpoint, target.as_deref()).await
                    }
                }
            });
            Answer::Event(Event::Located { op, result: outcome(located.await) })
        });
    }

    fn publish(
        &mut self,
        op: OpId,
        location: LocationReference,
        content: stillframe_model::CheckpointMetadata,
        dropped: Vec<CheckpointId>,
    ) {
        let (storage, offload) = (Arc::clone(&self.storage), self.offload.clone());
        self.answers.spawn(async move {
            let published = offload.run(async move {
                let bytes = metadata::encode(&content).map_err(|error| {
                    StorageError::new(ErrorKind::TooLarge, "encode metadata", content.checkpoint.to_string())
                        .with_source(error)
                })?;
                if content.kind.is_savepoint() {
                    storage.publish_savepoint(content.checkpoint, &location, bytes.into()).await
                } else {
                    storage.commit(content.checkpoint, &location, bytes.into(), &dropped).await
                }
            });
            let result = match published.await {
                // What a publication did before it panicked cannot be known.
                Err(Lost) => Err(Fault::Unknown { message: "the storage panicked while publishing".into() }),
                result => outcome(result),
            };
            Answer::Event(Event::Published { op, result })
        });
    }

    fn remove(&mut self, op: OpId, leftover: Leftover) {
        let (storage, offload) = (Arc::clone(&self.storage), self.offload.clone());
        self.answers.spawn(async move {
            let removed = leftover.clone();
            let result = offload.run(async move { removed.remove(&*storage).await }).await;
            let failed = match result {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some((leftover, error)),
                Err(Lost) => {
                    let checkpoint = leftover.checkpoint().to_string();
                    let error = StorageError::new(ErrorKind::Other, "remove checkpoint", checkpoint);
                    Some((leftover, error.with_detail("the storage panicked")))
                }
            };
            Answer::Discarded { op, failed }
        });
    }

    fn conclude(&mut self, op: OpId, status: JobStatus, dropped: Vec<CheckpointId>) {
        let (storage, offload) = (Arc::clone(&self.storage), self.offload.clone());
        self.answers.spawn(async move {
            match outcome(offload.run(async move { storage.conclude(status, &dropped).await }).await) {
                Ok(()) => Answer::Event(Event::Concluded { op, result: Ok(()) }),
                Err(fault) => Answer::ConcludeFailed { op, message: fault.message().into() },
            }
        });
    }
}

/// What the machine is told about the outcome of an operation.
fn outcome<T>(result: Result<Result<T, StorageError>, Lost>) -> Result<T, Fault> {
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Fenced) => {
            Err(Fault::Unknown { message: chain(&error) })
        }
        Ok(Err(error)) => Err(Fault::Failed { message: chain(&error) }),
        Err(Lost) => Err(Fault::Failed { message: "the storage panicked".into() }),
    }
}
