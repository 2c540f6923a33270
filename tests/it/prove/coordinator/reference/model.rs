//! What a coordinator is to do, written from the description of Flink's and from the contract of events and effects, as
//! plainly as can be. It knows of no machine.
//!
//! Where ours is meant to differ, so does this one:
//! - A checkpoint is published by a storage that takes its time and may not know how it went. Checkpoints are published one
//!   after the other; what is being published cannot be given up.
//! - What became due while a periodic request waits is not queued beside it.
//! - Beginning anew with periodic checkpoints gives nothing up.
//! - A task that was told to end is waited for before the next checkpoint begins, for a timeout at most.
//! - When all tasks are at the end of their data, the coordinator asks for a last checkpoint itself, until there is one.
//! - No checkpoint begins beside the savepoint with which the job is to stop, and periodic ones begin if it fails.

mod ending;
mod life;
mod triggering;

use super::job::{STRANGER, Settings, TIMEOUT};
use super::words::{Op, Part, Progress, Reply, Step, Told, Visible, Waits};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use stillframe::coordinator::{Ignored, SnapshotRequest};
use stillframe::model::{CheckpointId, CheckpointKind, FailureReason, JobStatus, TaskId, VertexId};

/// How far a task is. Only forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    Deploying,
    Running,
    AtEnd,
    Closing,
    Finished,
}

/// Who wants a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Person(u64),
    Schedule,
    EndOfData,
}

#[derive(Clone, Debug)]
struct Request {
    origin: Origin,
    snapshot: SnapshotRequest,
}

/// A checkpoint in progress.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    kind: CheckpointKind,
    origin: Origin,
    triggered: u64,
    phase: Phase,
    /// Of those who take part; `None` until they have acknowledged.
    pub(super) parts: BTreeMap<TaskId, Option<Part>>,
    finished: Vec<TaskId>,
    captured: BTreeSet<TaskId>,
    hooks: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Place,
    Coordinators(BTreeSet<VertexId>),
    Hooks(BTreeSet<usize>),
    Tasks,
    Ready,
    Publishing(Vec<u64>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Running,
    /// `None`: the job is restarted.
    Aborting(Option<JobStatus>),
    Concluding(JobStatus),
    Settled,
    Fenced,
}

/// The coordinator as it is described.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) settings: Settings,
    /// In milliseconds.
    pub(super) now: u64,
    pub(super) tasks: BTreeMap<TaskId, Task>,
    pub(super) pending: BTreeMap<u64, Pending>,
    pub(super) next_id: u64,
    /// Who was told to commit and has not said that it did.
    pub(super) uncommitted: BTreeMap<u64, BTreeSet<TaskId>>,
    /// What the coordinator has asked for and nobody has answered.
    pub(super) open: BTreeSet<Op>,
    /// What was answered last.
    pub(super) answered: Vec<Op>,
    pub(super) requests: u64,
    /// What the last step led to.
    pub(super) told: Vec<Told>,
    due: Option<u64>,
    is_started: bool,
    backlog: BTreeSet<VertexId>,
    queue: Vec<Request>,
    /// Places that are being made for what was given up meanwhile.
    orphans: BTreeSet<u64>,
    /// What is being deleted.
    cleaning: BTreeSet<u64>,
    retained: BTreeSet<u64>,
    /// Not retained any more, and not yet being deleted.
    unneeded: Vec<u64>,
    full_first: bool,
    last_completion: Option<u64>,
    expired: VecDeque<u64>,
    failed: BTreeSet<u64>,
    last_success: Option<u64>,
    /// Somebody wants the job to stop with a savepoint. Whether there were periodic checkpoints before.
    stopping: Option<bool>,
    /// Savepoints that exist and behind which the job is to stop: for which request, and which.
    stops: Vec<(u64, u64)>,
    /// When somebody was told last to end, while it is worth waiting for those who were.
    closing_since: Option<u64>,
    ending: Ending,
}

impl Model {
    pub(super) fn new(settings: Settings) -> Self {
        let (retained, next_id, full_first) = match settings.past {
            super::job::Past::None => (vec![], 1, false),
            super::job::Past::Own => (vec![4, 5], 7, false),
            super::job::Past::Theirs => (vec![], 71, true),
        };
        Self {
            settings,
            now: 0,
            tasks: settings.graph.tasks().into_iter().map(|task| (task, Task::Deploying)).collect(),
            pending: BTreeMap::new(),
            next_id,
            uncommitted: BTreeMap::new(),
            open: BTreeSet::new(),
            answered: vec![],
            requests: 0,
            told: vec![],
            due: None,
            is_started: false,
            backlog: BTreeSet::new(),
            queue: vec![],
            orphans: BTreeSet::new(),
            cleaning: BTreeSet::new(),
            retained: retained.into_iter().collect(),
            unneeded: vec![],
            full_first,
            last_completion: None,
            expired: VecDeque::new(),
            failed: BTreeSet::new(),
            last_success: None,
            stopping: None,
            stops: vec![],
            closing_since: None,
            ending: Ending::Running,
        }
    }

    pub(super) fn step(mut self, step: &Step) -> Self {
        self.told.clear();
        if let Step::Pass(millis) = step {
            let soonest = self.visible().deadline.map_or(u64::MAX, |deadline| deadline.max(self.now));
            self.now = (self.now + millis).min(soonest);
        }
        if let Step::Answer(op, _) = step
            && self.open.remove(op)
        {
            self.answered.push(*op);
        }
        if self.ending == Ending::Fenced {
            match step {
                Step::Ask(_) => self.refuse_new(FailureReason::OutcomeUnknown),
                _ => self.ignore(Ignored::Stopped),
            }
            return self;
        }
        match step.clone() {
            Step::Start(_)
            | Step::Stop
            | Step::Backlog(..)
            | Step::Running(_)
            | Step::EndOfData(_)
            | Step::Finished(_)
                if !self.is_running() =>
            {
                self.ignore(Ignored::Stopped);
            }
            Step::Pass(_) => self.expire(),
            Step::Start(_) if !self.stops.is_empty() => {}
            Step::Start(_) if self.stopping.is_some() => self.stopping = Some(true),
            Step::Start(after) => self.start(after),
            Step::Stop => {
                self.stopping = None;
                self.suspend();
            }
            Step::Backlog(source, has) => self.set_backlog(source, has),
            Step::Ask(snapshot) => self.ask(snapshot),
            Step::Running(task) => self.reach(task, Task::Running),
            Step::EndOfData(task) => self.reach(task, Task::AtEnd),
            Step::Finished(task) => self.reach(task, Task::Finished),
            Step::Acknowledge { is_current: false, .. }
            | Step::Decline { is_current: false, .. }
            | Step::Progress { is_current: false, .. }
            | Step::Commit { is_current: false, .. } => self.ignore(Ignored::OtherAttempt),
            Step::Acknowledge { checkpoint, task, part, .. } => self.acknowledge(checkpoint, task, part),
            Step::Decline { checkpoint, task, reason, .. } => self.decline(checkpoint, task, reason),
            Step::Progress { task: STRANGER, .. } | Step::Commit { task: STRANGER, .. } => {
                self.ignore(Ignored::UnknownTask(STRANGER));
            }
            Step::Progress { checkpoint, task, progress, .. } => self.progress(checkpoint, task, progress),
            Step::Commit { checkpoint, task, .. } => self.commit(checkpoint, task),
            Step::Answer(op, reply) => self.answer(op, reply),
            Step::End(status) => self.end(Some(status)),
            Step::Failover => self.end(None),
        }
        if self.ending != Ending::Fenced {
            self.settle();
        }
        self
    }

    fn answer(&mut self, op: Op, reply: Reply) {
        match op {
            Op::Locate(checkpoint) => self.located(checkpoint, reply),
            Op::Coordinator(checkpoint, vertex) => self.coordinator_answered(checkpoint, vertex, reply),
            Op::Hook(checkpoint, hook) => self.hook_answered(checkpoint, hook, reply),
            Op::Publish(checkpoint) => self.published(checkpoint, reply),
            Op::Delete(checkpoint) => {
                if !self.cleaning.remove(&checkpoint) {
                    self.ignore_answer();
                }
            }
            Op::Conclude => self.concluded(reply),
        }
    }

    /// Whatever may begin now does.
    fn settle(&mut self) {
        self.publish();
        self.advance_ending();
        for checkpoint in std::mem::take(&mut self.unneeded) {
            self.delete(checkpoint, Told::Remove(checkpoint));
        }
        self.trigger_next();
        self.retry_last();
    }

    /// What anybody can see.
    pub(super) fn visible(&self) -> Visible {
        let expires = |pending: &Pending| pending.can_be_given_up().then_some(pending.triggered + TIMEOUT);
        let closing = self.closing_since.filter(|_| !self.queue.is_empty()).map(|since| since + TIMEOUT);
        let next = self.pending.values().filter_map(expires).chain(self.due).chain(closing).min();
        let pending = self.pending.iter().map(|(&checkpoint, pending)| {
            let left = expires(pending).map(|at| at.saturating_sub(self.now));
            (checkpoint, pending.kind, left, pending.waits())
        });
        let has_stopped = self.pending.is_empty() && self.cleaning.is_empty() && self.orphans.is_empty();
        Visible {
            deadline: next.filter(|_| self.ending != Ending::Fenced),
            latest: self.retained.last().copied(),
            is_done: match self.ending {
                Ending::Fenced => true,
                Ending::Settled => has_stopped,
                _ => false,
            },
            pending: pending.collect(),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.ending == Ending::Running
    }

    fn tell(&mut self, told: Told) {
        self.told.push(told);
    }

    fn ignore(&mut self, why: Ignored) {
        self.tell(Told::Ignored(why));
    }

    fn ignore_answer(&mut self) {
        self.tell(Told::IgnoredAnswer);
    }

    fn ask_for(&mut self, op: Op, told: Told) {
        self.open.insert(op);
        self.tell(told);
    }

    fn delete(&mut self, checkpoint: u64, told: Told) {
        self.cleaning.insert(checkpoint);
        self.ask_for(Op::Delete(checkpoint), told);
    }
}

impl Pending {
    fn can_be_given_up(&self) -> bool {
        !matches!(self.phase, Phase::Publishing(_))
    }

    fn is_triggering(&self) -> bool {
        matches!(self.phase, Phase::Place | Phase::Coordinators(_) | Phase::Hooks(_))
    }

    pub(super) fn missing(&self) -> Vec<TaskId> {
        self.parts.iter().filter(|(_, part)| part.is_none()).map(|(task, _)| *task).collect()
    }

    /// Whether tasks hear of it when it is complete.
    fn is_told(&self) -> bool {
        !self.kind.is_savepoint() || self.kind.is_synchronous()
    }

    fn participants(&self) -> Vec<TaskId> {
        self.parts.keys().copied().collect()
    }

    fn waits(&self) -> Waits {
        match &self.phase {
            Phase::Place => Waits::Place,
            Phase::Coordinators(waiting) => Waits::Coordinators(waiting.len()),
            Phase::Hooks(waiting) => Waits::Hooks(waiting.len()),
            Phase::Tasks => Waits::Tasks(self.missing()),
            Phase::Ready => Waits::Turn,
            Phase::Publishing(_) => Waits::Publication,
        }
    }
}

/// A message about a checkpoint that is not in progress.
fn not_pending(expired: &VecDeque<u64>, checkpoint: u64) -> Ignored {
    let id = CheckpointId::new(checkpoint);
    if expired.contains(&checkpoint) { Ignored::Expired(id) } else { Ignored::NotPending(id) }
}
