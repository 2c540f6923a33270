//! What there is: the machine, what is under way to it, and a storage that remembers.

use super::coverage::{Coverage, Seen};
use super::ledger::{Ledger, Wrong};
use super::mutant::Mutant;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;
use stillframe::config::{CheckpointConfig, GraphDescription, RecoveryClaimMode};
use stillframe::coordinator::{
    Coordinator, DistributionPattern, Effect, Event, Fault, Input, JobPlan, Report, RetainedState,
    SnapshotRequest, VertexPlan, plan_recovery,
};
use stillframe::model::{
    Attempt, CheckpointId, FailureReason, JobId, JobStatus, LocationReference, Name, Now, OpId, Pointer,
    RequestId, SavepointFormat, SnapshotMetrics, TaskId, TaskSnapshot, Timestamp, UnixMillis, VertexId,
};

/// What a person may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) max_concurrent: u32,
    pub(super) retained: u32,
    pub(super) tolerable: u32,
    /// In milliseconds.
    pub(super) min_pause: u64,
}

/// Between periodic triggers, in milliseconds.
pub(super) const INTERVAL: u64 = 1_000;
/// Until a checkpoint is given up, in milliseconds.
pub(super) const TIMEOUT: u64 = 1_700;

/// Two sources and one task behind both.
pub(super) const TASKS: [TaskId; 3] = [
    TaskId { vertex: VertexId::new(0), subtask: 0 },
    TaskId { vertex: VertexId::new(0), subtask: 1 },
    TaskId { vertex: VertexId::new(1), subtask: 0 },
];

/// From a task. It is delivered whenever it likes, as often as it likes, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Message {
    Acknowledge {
        checkpoint: u64,
        attempt: u32,
        task: usize,
    },
    /// Of all tasks, one after the other.
    Commit {
        checkpoint: u64,
        attempt: u32,
    },
}

impl Message {
    fn attempt(self) -> u32 {
        match self {
            Self::Acknowledge { attempt, .. } | Self::Commit { attempt, .. } => attempt,
        }
    }
}

/// What a person may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wish {
    Checkpoint,
    Savepoint,
    Stop,
}

/// What the storage was asked for and has not answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Operation {
    Locate(u64),
    Publish { checkpoint: u64, is_savepoint: bool, dropped: Vec<u64> },
    Delete,
    Conclude(Vec<u64>),
}

/// How the storage answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    Done,
    Failed,
    /// Nobody knows. Whether it took effect.
    Unknown(bool),
}

/// Who looks on.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) settings: Settings,
    pub(super) mutant: Option<Mutant>,
    pub(super) coverage: &'a Coverage,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    coordinator: Coordinator,
    attempt: u32,
    /// In milliseconds.
    now: u64,
    pub(super) messages: BTreeSet<Message>,
    pub(super) operations: BTreeMap<OpId, Operation>,
    /// What the register holds.
    retained: BTreeSet<u64>,
    pub(super) ledger: Ledger,
    pub(super) used: Used,
    /// The job has to be restarted.
    pub(super) failed: bool,
    pub(super) ended: bool,
    pub(super) failed_over: bool,
    requests: u64,
}

/// How much of what is bounded has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Used {
    pub(super) ticks: u8,
    pub(super) savepoints: u8,
    pub(super) stops: u8,
    pub(super) checkpoints: u8,
    pub(super) declines: u8,
    pub(super) faults: u8,
    pub(super) restarts: u8,
    pub(super) ends: u8,
}

fn plan(attempt: u32) -> JobPlan {
    let vertex = |name: &str, parallelism, inputs| VertexPlan {
        name: Name::new(name).expect("a good name"),
        parallelism,
        max_parallelism: 128,
        inputs,
        has_coordinator: false,
    };
    let input = Input { from: VertexId::new(0), pattern: DistributionPattern::AllToAll };
    JobPlan {
        job: JobId::from_bytes([7; 16]),
        attempt: Attempt::new(attempt),
        vertices: vec![vertex("sources", 2, vec![]), vertex("sums", 1, vec![input])],
        hooks: vec![],
    }
}

impl World {
    pub(super) fn new(around: &Around<'_>) -> Self {
        let mut world = Self {
            coordinator: coordinator(around, 0, &BTreeSet::new(), 1),
            attempt: 0,
            now: 0,
            messages: BTreeSet::new(),
            operations: BTreeMap::new(),
            retained: BTreeSet::new(),
            ledger: Ledger::default(),
            used: Used::default(),
            failed: false,
            ended: false,
            failed_over: false,
            requests: 0,
        };
        world.begin(around);
        world
    }

    pub(super) fn wrong(&self) -> Option<Wrong> {
        self.ledger.wrong
    }

    pub(super) fn triggered(&self) -> u64 {
        self.ledger.newest
    }

    fn begin(&mut self, around: &Around<'_>) {
        for task in TASKS {
            self.feed(around, Event::Running { task });
        }
        self.feed(around, Event::StartPeriodic { first_after: Duration::from_millis(500) });
    }

    /// A coordinator ends without a word, and another one takes over. What its predecessor was publishing may have landed.
    pub(super) fn restart(&mut self, around: &Around<'_>, has_landed: bool) {
        let publishing = self.operations.values().find_map(|operation| match operation {
            Operation::Publish { checkpoint, is_savepoint: false, dropped } => {
                Some((*checkpoint, dropped.clone()))
            }
            _ => None,
        });
        if let Some((checkpoint, dropped)) = publishing.filter(|_| has_landed) {
            self.land(checkpoint, false, &dropped);
            around.coverage.saw(Seen::RestartedWithMore);
        }
        around.coverage.saw_if(self.retained.is_empty(), Seen::RestartedWithNothing);
        self.attempt += 1;
        self.now = 0;
        self.operations.clear();
        // What tasks of the last attempt have sent may come as late as it likes; that of older ones is not looked at any more.
        let attempt = self.attempt;
        self.messages.retain(|message| message.attempt() + 1 >= attempt);
        (self.failed, self.ended, self.failed_over) = (false, false, false);
        self.ledger.restarted();
        let mut found = self.retained.clone();
        if around.mutant == Some(Mutant::RestoresWhatIsNotNewest) {
            found.pop_last();
        }
        let back = u64::from(around.mutant == Some(Mutant::ReusesAnId));
        let next = (self.ledger.newest + 1).saturating_sub(back).max(1);
        self.coordinator = coordinator(around, self.attempt, &found, next);
        self.ledger.goes_on_from(self.coordinator.latest_completed().map(CheckpointId::get), &self.retained);
        self.begin(around);
    }

    fn land(&mut self, checkpoint: u64, is_savepoint: bool, dropped: &[u64]) {
        self.ledger.durable.insert(checkpoint);
        if !is_savepoint {
            self.retained.insert(checkpoint);
        }
        self.retained.retain(|retained| !dropped.contains(retained));
    }

    pub(super) fn tick(&mut self, around: &Around<'_>) -> Option<()> {
        let due = self.coordinator.next_deadline()?.since_origin();
        let due = u64::try_from(due.as_millis()).ok()?;
        self.now = self.now.max(due);
        if around.mutant != Some(Mutant::ForgetsTheTimeout) || !self.ledger.expires_at(self.now) {
            self.feed(around, Event::Tick);
        }
        self.ledger.looked_at_the_clock(self.now);
        Some(())
    }

    pub(super) fn deliver(&mut self, around: &Around<'_>, message: Message) -> Option<()> {
        match message {
            Message::Acknowledge { checkpoint, attempt, task } => {
                let told = match around.mutant {
                    Some(Mutant::AcceptsAnOldAttempt) => self.attempt,
                    _ => attempt,
                };
                let speaker = match around.mutant {
                    Some(Mutant::CountsTwice) => self.ledger.somebody_else(checkpoint, task),
                    _ => task,
                };
                self.ledger.acknowledges(checkpoint, attempt == self.attempt, task);
                let mut tasks = vec![speaker];
                if around.mutant == Some(Mutant::PublishesWithOneMissing) {
                    tasks.push((task + 1) % TASKS.len());
                }
                let is_late = !self.ledger.is_live(checkpoint) || attempt != self.attempt;
                for task in tasks {
                    let event = Event::Acknowledged {
                        checkpoint: CheckpointId::new(checkpoint),
                        attempt: Attempt::new(told),
                        task: TASKS[task],
                        snapshot: TaskSnapshot::default(),
                        metrics: SnapshotMetrics::default(),
                    };
                    let effects = self.feed_late(around, is_late, event);
                    if is_late {
                        around.coverage.saw(if attempt == self.attempt {
                            Seen::LateIgnored
                        } else {
                            Seen::OldAttemptIgnored
                        });
                    } else {
                        let ignored = effects.iter().any(|effect| matches!(effect, Effect::Ignored(_)));
                        around.coverage.saw_if(ignored, Seen::RepeatIgnored);
                    }
                }
            }
            Message::Commit { checkpoint, attempt } => {
                let is_late = attempt != self.attempt;
                for (place, task) in TASKS.into_iter().enumerate() {
                    self.ledger.commits(checkpoint, !is_late, place);
                    let (checkpoint, attempt) = (CheckpointId::new(checkpoint), Attempt::new(attempt));
                    self.feed_late(around, is_late, Event::Committed { checkpoint, attempt, task });
                }
            }
        }
        Some(())
    }

    /// A task says no instead.
    pub(super) fn decline(&mut self, around: &Around<'_>, message: Message) -> Option<()> {
        let Message::Acknowledge { checkpoint, attempt, task } = message else { return None };
        let is_late = !self.ledger.is_live(checkpoint) || attempt != self.attempt;
        let event = Event::Declined {
            checkpoint: CheckpointId::new(checkpoint),
            attempt: Attempt::new(attempt),
            task: TASKS[task],
            reason: FailureReason::CheckpointDeclined,
        };
        self.feed_late(around, is_late, event);
        Some(())
    }

    pub(super) fn answer(&mut self, around: &Around<'_>, op: OpId, answer: Answer) -> Option<()> {
        let operation = self.operations.remove(&op)?;
        let fault = || match answer {
            Answer::Unknown(_) if around.mutant != Some(Mutant::UnknownIsFailed) => {
                Fault::Unknown { message: "no answer".into() }
            }
            _ => Fault::Failed { message: "refused".into() },
        };
        let event = match operation {
            Operation::Locate(checkpoint) => {
                if answer == Answer::Done {
                    self.ledger.located.insert(checkpoint);
                }
                let result =
                    if answer == Answer::Done { Ok(LocationReference::Default) } else { Err(fault()) };
                Event::Located { op, result }
            }
            Operation::Publish { checkpoint, is_savepoint, dropped } => {
                if matches!(answer, Answer::Done | Answer::Unknown(true)) {
                    self.land(checkpoint, is_savepoint, &dropped);
                    let retained = self.retained.len();
                    self.ledger.must(
                        is_savepoint || retained <= around.settings.retained as usize,
                        Wrong::TooManyAreRetained,
                    );
                }
                around.coverage.saw_if(self.ended && answer == Answer::Done, Seen::CompletedAfterTheEnd);
                let result = if answer == Answer::Done { Ok(Pointer::new("there")) } else { Err(fault()) };
                Event::Published { op, result }
            }
            Operation::Delete => Event::Discarded { op },
            Operation::Conclude(dropped) => {
                if answer == Answer::Done {
                    self.retained.retain(|retained| !dropped.contains(retained));
                }
                let result = if answer == Answer::Done { Ok(()) } else { Err(fault()) };
                Event::Concluded { op, result }
            }
        };
        self.feed(around, event);
        Some(())
    }

    pub(super) fn ask(&mut self, around: &Around<'_>, wish: Wish) {
        let format = SavepointFormat::Canonical;
        let snapshot = match wish {
            Wish::Savepoint => SnapshotRequest::Savepoint { target: None, format },
            Wish::Stop => SnapshotRequest::Stop { target: None, format, drain: false },
            Wish::Checkpoint => SnapshotRequest::CHECKPOINT,
        };
        let request = self.requests;
        self.requests += 1;
        self.ledger.asked.insert(request, wish == Wish::Stop);
        self.feed(around, Event::Trigger { request: RequestId::new(request), snapshot });
    }

    pub(super) fn end(&mut self, around: &Around<'_>, status: JobStatus) {
        self.ended = true;
        around.coverage.saw(Seen::Ended);
        self.ledger.ends(status);
        self.feed(around, Event::End { status });
    }

    pub(super) fn fail_over(&mut self, around: &Around<'_>) {
        self.ledger.ends(JobStatus::Failed);
        self.feed(around, Event::Failover);
    }

    pub(super) fn is_done(&self) -> bool {
        self.coordinator.is_done()
    }

    /// The same. What comes too late, or from another attempt, has to change nothing.
    fn feed_late(&mut self, around: &Around<'_>, is_late: bool, event: Event) -> Vec<Effect> {
        let before = is_late.then(|| self.coordinator.clone());
        let effects = self.feed(around, event);
        if let Some(before) = before {
            let is_nothing = before == self.coordinator
                && effects.iter().all(|effect| matches!(effect, Effect::Ignored(_)));
            self.ledger.must(is_nothing, Wrong::LateMessageCounts);
        }
        effects
    }

    /// Lets the machine take a step, and writes down what comes of it.
    fn feed(&mut self, around: &Around<'_>, event: Event) -> Vec<Effect> {
        let now =
            Now { monotonic: Timestamp::from_origin(Duration::from_millis(self.now)), wall: UnixMillis(0) };
        let mut twin = self.coordinator.clone();
        let effects = self.coordinator.handle(now, event.clone());
        self.ledger
            .must(twin.handle(now, event) == effects && twin == self.coordinator, Wrong::NotDeterministic);
        let effects = self.bend(around, effects);
        for effect in &effects {
            self.ledger.see(around, self.now, effect);
            self.perform(around, effect);
        }
        self.ledger.after_step(around, self.is_done());
        self.forget_equals();
        effects
    }

    /// Of the messages that come too late for a checkpoint, one stands for all: they are nothing to the machine, which is what
    /// is looked at.
    fn forget_equals(&mut self) {
        let mut seen = BTreeSet::new();
        let ledger = &self.ledger;
        self.messages.retain(|message| match *message {
            Message::Acknowledge { checkpoint, .. } => ledger.is_live(checkpoint) || seen.insert(checkpoint),
            Message::Commit { .. } => true,
        });
        // Neither does it matter which of the old commits comes.
        let newest =
            self.messages.iter().filter(|message| matches!(message, Message::Commit { .. })).max().copied();
        self.messages
            .retain(|message| !matches!(message, Message::Commit { .. }) || Some(*message) == newest);
    }

    fn perform(&mut self, around: &Around<'_>, effect: &Effect) {
        let place = |task: &TaskId| TASKS.iter().position(|known| known == task);
        match effect {
            Effect::Locate { op, checkpoint, .. } => {
                self.operations.insert(*op, Operation::Locate(checkpoint.get()));
            }
            Effect::Trigger { task, barrier } => {
                let (checkpoint, attempt) = (barrier.checkpoint.get(), self.attempt);
                if let Some(task) = place(task) {
                    self.messages.insert(Message::Acknowledge { checkpoint, attempt, task });
                    // One of the last attempt may live on, and see what was meant for its successor.
                    if let Some(attempt) = attempt.checked_sub(1).filter(|_| task == 0) {
                        self.messages.insert(Message::Acknowledge { checkpoint, attempt, task });
                    }
                    // The barrier reaches the task behind both sources when the second one has it.
                    if task == 1 {
                        self.messages.insert(Message::Acknowledge { checkpoint, attempt, task: 2 });
                    }
                }
            }
            Effect::Publish { op, metadata, dropped, .. } => {
                let operation = Operation::Publish {
                    checkpoint: metadata.checkpoint.get(),
                    is_savepoint: metadata.kind.is_savepoint(),
                    dropped: dropped.iter().map(|checkpoint| checkpoint.get()).collect(),
                };
                self.operations.insert(*op, operation);
            }
            Effect::Discard { op, .. } => {
                self.operations.insert(*op, Operation::Delete);
            }
            Effect::Remove { op, checkpoint, .. } => {
                let is_retained = self.retained.contains(&checkpoint.get());
                self.ledger.must(!is_retained, Wrong::RemovedBeforeItWasDropped);
                around.coverage.saw(Seen::Dropped);
                self.operations.insert(*op, Operation::Delete);
            }
            Effect::Conclude { op, dropped, .. } => {
                let dropped = dropped.iter().map(|checkpoint| checkpoint.get()).collect();
                self.operations.insert(*op, Operation::Conclude(dropped));
            }
            Effect::NotifyComplete { checkpoint, .. } => {
                let (checkpoint, attempt) = (checkpoint.get(), self.attempt);
                self.messages.insert(Message::Commit { checkpoint, attempt });
            }
            Effect::FailJob { reason, .. } => {
                self.failed = true;
                around.coverage.saw(match reason {
                    FailureReason::OutcomeUnknown => Seen::Fenced,
                    _ => Seen::JobFailed,
                });
            }
            _ => {}
        }
    }

    /// Makes the mistake, if there is one to make in the effects.
    fn bend(&self, around: &Around<'_>, effects: Vec<Effect>) -> Vec<Effect> {
        let Some(mutant) = around.mutant else { return effects };
        let mut bent = Vec::new();
        for effect in effects {
            match (mutant, &effect) {
                (Mutant::NotifiesBeforeDurable, Effect::Publish { metadata, .. }) => {
                    let checkpoint = metadata.checkpoint;
                    bent.extend(TASKS.map(|task| Effect::NotifyComplete { task, checkpoint }));
                }
                (Mutant::NotifiesOfSavepoints, Effect::Report(Report::Completed(completed)))
                    if completed.kind.is_savepoint() =>
                {
                    let checkpoint = completed.checkpoint;
                    bent.extend(TASKS.map(|task| Effect::NotifyComplete { task, checkpoint }));
                }
                (Mutant::ForgetsToNotifyOneTask, Effect::NotifyComplete { task, .. })
                    if *task == TASKS[1] =>
                {
                    continue;
                }
                (Mutant::DropsSubsumption, Effect::Report(Report::Aborted(aborted)))
                    if aborted.reason == FailureReason::CheckpointSubsumed =>
                {
                    continue;
                }
                (Mutant::RemovesBeforeTheDrop, Effect::Publish { dropped, .. }) => {
                    bent.extend(dropped.iter().map(|&checkpoint| Effect::Remove {
                        op: OpId::new(1_000),
                        checkpoint,
                        shared: vec![],
                    }));
                }
                (Mutant::TriggersBeforeThePlace, Effect::Locate { checkpoint, .. }) => {
                    let barrier = stillframe::model::Barrier {
                        checkpoint: *checkpoint,
                        kind: stillframe::model::CheckpointKind::Checkpoint,
                        triggered_at: UnixMillis(0),
                        location: LocationReference::Default,
                    };
                    bent.push(Effect::Trigger { task: TASKS[0], barrier });
                }
                (Mutant::ForgetsARequest, Effect::Resolve { .. }) => continue,
                (Mutant::AnswersARequestTwice, Effect::Resolve { .. }) => bent.push(effect.clone()),
                (Mutant::StopIsAnsweredBeforeTheEnd, Effect::Report(Report::Completed(completed)))
                    if completed.kind.is_synchronous() =>
                {
                    let outcome = stillframe::coordinator::Outcome {
                        checkpoint: completed.checkpoint,
                        pointer: completed.pointer.clone(),
                    };
                    let request = RequestId::new(self.requests - 1);
                    bent.push(Effect::Resolve { request, outcome: Ok(outcome) });
                }
                _ => {}
            }
            bent.push(effect);
        }
        bent
    }
}

fn coordinator(around: &Around<'_>, attempt: u32, found: &BTreeSet<u64>, next: u64) -> Coordinator {
    let settings = around.mutant.map_or(around.settings, |mutant| mutant.bend(around.settings));
    let mut config = CheckpointConfig::default();
    let number = |number: u32| NonZeroU32::new(number).expect("at least one");
    config
        .set_checkpoint_interval(Duration::from_millis(INTERVAL))
        .and_then(|config| config.set_checkpoint_timeout(Duration::from_millis(TIMEOUT)))
        .expect("long enough")
        .set_min_pause_between_checkpoints(Duration::from_millis(settings.min_pause))
        .set_max_concurrent_checkpoints(number(settings.max_concurrent))
        .set_num_retained_checkpoints(number(settings.retained))
        .set_tolerable_checkpoint_failure_number(settings.tolerable);
    let effective = config.resolve(&GraphDescription::default()).expect("nothing unusual").effective;
    let found = found.iter().map(|&id| RetainedState::owned(CheckpointId::new(id), [])).collect();
    let next = CheckpointId::new(next);
    let recovery = plan_recovery(found, BTreeSet::new(), next, RecoveryClaimMode::NoClaim);
    Coordinator::new(plan(attempt), &effective, recovery)
}
