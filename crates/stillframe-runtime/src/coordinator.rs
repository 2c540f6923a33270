//! The driver of the coordinator: performs effects, feeds the answers back. There is no decision about checkpoints here.

mod apart;
mod levels;
mod parties;
mod status;
mod storage;

pub(crate) use levels::Levels;
pub(crate) use parties::{Parties, Party, SharedCoordinator, locked};
pub(crate) use storage::Leftover;

use crate::clock::Clock;
use crate::control::{Control, Message};
use crate::error::chain;
use crate::event::{JobEvent, Observer};
use crate::offload::{Call, Deadlines, Offload, Unanswered};
use crate::statistics::SharedStatistics;
use std::collections::BTreeMap;
use std::sync::Arc;
use stillframe_coordinator::{Coordinator, Effect, Event, Fault, Report};
use stillframe_model::{CheckpointId, FailureReason, Now, OpId, TaskId};
use stillframe_storage::{CoordinatorStorage, StorageError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What the coordinator's driver tells the job.
#[derive(Debug)]
pub(crate) enum Notice {
    /// All tasks are open.
    Opened,
    /// The job has to fail.
    Fail { reason: FailureReason, task: Option<TaskId>, message: String },
    /// The job has to fail, and not because of a checkpoint.
    Broken { message: String },
}

pub(crate) struct CoordinatorDriver {
    pub(crate) machine: Coordinator,
    pub(crate) clock: Clock,
    pub(crate) storage: Arc<dyn CoordinatorStorage>,
    /// What messages call it.
    pub(crate) storage_name: Arc<str>,
    pub(crate) offload: Offload,
    /// The lane for removals, so that they hold up nothing else.
    pub(crate) cleaner: Offload,
    pub(crate) deadlines: Arc<Deadlines>,
    pub(crate) tasks: BTreeMap<TaskId, mpsc::UnboundedSender<Control>>,
    pub(crate) observer: Observer,
    pub(crate) notices: mpsc::UnboundedSender<Notice>,
    pub(crate) answers: JoinSet<Answer>,
    /// What of a checkpoint in progress the storage has not answered.
    pub(crate) calls: BTreeMap<OpId, (CheckpointId, Call)>,
    /// Shared with whoever asks the storage how far these are.
    pub(crate) asked: Arc<()>,
    pub(crate) levels: Levels,
    pub(crate) parties: Parties,
    pub(crate) statistics: SharedStatistics,
    pub(crate) opened: usize,
    /// What could not be removed, to be tried once more when nobody writes any longer.
    pub(crate) leftovers: Vec<Leftover>,
}

/// A storage operation has ended.
#[expect(clippy::large_enum_variant, reason = "nearly every answer is an event")]
pub(crate) enum Answer {
    Event(Event),
    Discarded {
        op: OpId,
        failed: Option<(Leftover, StorageError)>,
    },
    ConcludeFailed {
        op: OpId,
        message: String,
    },
    /// Somebody was told something, and has nothing to say to the machine.
    Told {
        call: Call,
        result: Result<(), Unanswered>,
    },
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
                    Ok(answer) => match self.event_of(answer) {
                        Some(event) => event,
                        None => continue,
                    },
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
            let now = self.clock.now();
            self.statistics.before(&event);
            let effects = self.machine.handle(now, event);
            self.statistics.after(now, &effects);
            for effect in effects {
                self.perform(now, effect);
            }
        }
        // What was said before the end is still heard. Each has its deadline.
        while self.machine.is_done() && self.answers.join_next().await.is_some() {}
        self.leftovers
    }

    fn accept(&mut self, message: Message) -> Option<Event> {
        match message {
            Message::Event(event) => Some(event),
            Message::Request { snapshot, reply } => {
                Some(Event::Trigger { request: self.levels.ask(reply), snapshot })
            }
            Message::Status(reply) => {
                self.answer(reply);
                None
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

    fn event_of(&mut self, answer: Answer) -> Option<Event> {
        Some(match answer {
            Answer::Event(event) => {
                if let Event::Located { op, .. } | Event::Published { op, .. } = &event {
                    self.calls.remove(op);
                }
                event
            }
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
            Answer::Told { call, result } => {
                self.told(&call, result);
                return None;
            }
        })
    }

    /// One arm for each effect, so that a new one does not compile until somebody performs it.
    fn perform(&mut self, now: Now, effect: Effect) {
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
            Effect::FailJob { reason, task, message } => {
                let _ = self.notices.send(Notice::Fail { reason, task, message });
            }
            Effect::Resolve { request, outcome } => self.levels.resolve(request, outcome),
            Effect::Report(report) => self.report(now, &report),
            Effect::NotifySubsumed { task, checkpoint } => {
                self.tell(task, Control::NotifySubsumed(checkpoint))
            }
            Effect::SnapshotCoordinator { op, vertex, checkpoint } => {
                self.snapshot_coordinator(op, vertex, checkpoint)
            }
            Effect::NotifyCoordinatorComplete { vertex, checkpoint } => {
                self.notify_coordinator(vertex, move |coordinator| coordinator.notify_complete(checkpoint))
            }
            Effect::NotifyCoordinatorAborted { vertex, checkpoint } => {
                self.notify_coordinator(vertex, move |coordinator| coordinator.notify_aborted(checkpoint))
            }
            Effect::TriggerHook { op, hook, checkpoint, triggered_at } => {
                self.trigger_hook(op, &hook, checkpoint, triggered_at)
            }
            // Late and repeated messages are part of every abort; there is nothing to do about them.
            Effect::Ignored(_) => {}
        }
    }

    fn report(&mut self, now: Now, report: &Report) {
        let after = self.levels.follow(now.monotonic, report);
        (self.observer)(&match report {
            Report::Triggered { checkpoint, kind, .. } => {
                JobEvent::Triggered { checkpoint: *checkpoint, kind: *kind }
            }
            Report::Captured { checkpoint } => JobEvent::Captured { checkpoint: *checkpoint, after },
            Report::Durable { checkpoint } => JobEvent::Durable { checkpoint: *checkpoint, after },
            Report::Completed(completed) => JobEvent::Completed(completed),
            Report::Committed { checkpoint } => JobEvent::Committed { checkpoint: *checkpoint, after },
            Report::Aborted(aborted) => JobEvent::Aborted(aborted),
            Report::Subsumed { checkpoint } => JobEvent::Subsumed { checkpoint: *checkpoint },
            Report::Skipped { reason } => JobEvent::Skipped { reason: *reason },
            Report::Refused { reason, .. } => JobEvent::Refused { reason: *reason },
        });
    }

    fn tell(&self, task: TaskId, control: Control) {
        // A task that is gone has failed, which the job hears from the task itself.
        if let Some(sender) = self.tasks.get(&task) {
            let _ = sender.send(control);
        }
    }
}
