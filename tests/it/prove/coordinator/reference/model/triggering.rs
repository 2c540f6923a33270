//! Sections 4.1 to 4.5: when a checkpoint begins, and in which order who hears of it.

use super::*;
use stillframe::coordinator::CheckpointType;
use stillframe::model::{PostCheckpointAction, SavepointKind};

/// How long after it was given up a last checkpoint is tried again, where no other one will come; in milliseconds.
const RETRY: u64 = 1_000;

impl Model {
    pub(super) fn start(&mut self, after: u64) {
        if self.settings.interval.is_some() {
            self.is_started = true;
            self.due = Some(self.now + after);
        }
    }

    /// The scheduler stops, and everything that waits or is in progress is given up, savepoints too.
    pub(super) fn suspend(&mut self) {
        self.is_started = false;
        self.due = None;
        self.give_up_all(FailureReason::CheckpointCoordinatorSuspend);
    }

    pub(super) fn give_up_all(&mut self, reason: FailureReason) {
        self.refuse_all(reason);
        let all: Vec<_> = self.pending.keys().copied().collect();
        for checkpoint in all {
            if self.pending[&checkpoint].can_be_given_up() {
                self.abort(checkpoint, reason, None);
            }
        }
    }

    /// Everybody in the queue hears that it will not be.
    pub(super) fn refuse_all(&mut self, reason: FailureReason) {
        for request in std::mem::take(&mut self.queue) {
            self.refuse(request.origin, reason);
        }
    }

    pub(super) fn refuse(&mut self, origin: Origin, reason: FailureReason) {
        match origin {
            Origin::Person(request) => self.tell(Told::Refused(request, reason)),
            Origin::Schedule => self.tell(Told::Skipped(reason)),
            Origin::EndOfData => {}
        }
    }

    pub(super) fn refuse_new(&mut self, reason: FailureReason) {
        let request = self.requests;
        self.requests += 1;
        self.tell(Told::Refused(request, reason));
    }

    /// Only ever brings the next one nearer.
    pub(super) fn set_backlog(&mut self, source: VertexId, has: bool) {
        if has {
            self.backlog.insert(source);
        } else {
            self.backlog.remove(&source);
        }
        if let Some(interval) = self.settings.interval(!self.backlog.is_empty()).filter(|_| self.is_started) {
            let soon = self.now + interval;
            self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
        }
    }

    pub(super) fn ask(&mut self, snapshot: SnapshotRequest) {
        if !self.is_running() {
            return self.refuse_new(FailureReason::CheckpointCoordinatorShutdown);
        }
        if !self.stops.is_empty() {
            return self.refuse_new(FailureReason::CheckpointCoordinatorSuspend);
        }
        if let SnapshotRequest::Stop { .. } = snapshot {
            let was_started = self.stopping.take().unwrap_or(self.is_started);
            self.suspend();
            self.stopping = Some(was_started);
        }
        let request = self.requests;
        self.requests += 1;
        self.submit(Origin::Person(request), snapshot);
    }

    pub(super) fn submit(&mut self, origin: Origin, snapshot: SnapshotRequest) {
        if !self.stops.is_empty() {
            return self.refuse(origin, FailureReason::CheckpointCoordinatorSuspend);
        }
        self.queue.push(Request { origin, snapshot });
        // Savepoints, then forced ones, then what somebody asked for, then who came first.
        let forced = !self.settings.is_unaligned;
        self.queue.sort_by_key(|request| {
            let is_savepoint = request.is_savepoint();
            (!is_savepoint, !(is_savepoint && forced), request.origin == Origin::Schedule)
        });
    }

    pub(super) fn is_waiting(&self, origin: Origin) -> bool {
        self.queue.iter().any(|request| request.origin == origin)
    }

    pub(super) fn trigger_next(&mut self) {
        self.closing_since = self.closing_since.filter(|since| since + TIMEOUT > self.now);
        while self.is_running() {
            if let Some(due) = self.due.filter(|due| *due <= self.now) {
                let interval = self.settings.interval(!self.backlog.is_empty()).filter(|_| self.is_started);
                self.due = interval.map(|interval| due + interval);
                let origin = if self.is_started { Origin::Schedule } else { Origin::EndOfData };
                if !self.is_waiting(origin) {
                    self.submit(origin, SnapshotRequest::CHECKPOINT);
                }
            }
            let is_triggering =
                self.pending.values().any(Pending::is_triggering) || self.closing_since.is_some();
            let most = self.settings.max_concurrent as usize;
            let Some(first) = self.queue.first() else { return };
            if !first.is_savepoint() && self.pending.values().any(|pending| pending.kind.is_synchronous()) {
                return;
            }
            let is_forced = first.is_savepoint() && !self.settings.is_unaligned;
            if is_triggering || self.cleaning.len() > most || (self.pending.len() >= most && !is_forced) {
                return;
            }
            let Request { origin, snapshot } = self.queue.remove(0);
            let rested = self.last_completion.map_or(0, |last| last + self.settings.min_pause);
            if origin == Origin::Schedule && rested > self.now {
                self.due = Some(rested);
                self.tell(Told::Skipped(FailureReason::MinimumTimeBetweenCheckpoints));
                continue;
            }
            self.trigger(origin, snapshot);
        }
    }

    fn trigger(&mut self, origin: Origin, snapshot: SnapshotRequest) {
        let of = |state: Task| self.tasks.values().filter(|task| **task == state).count();
        let finished = of(Task::Finished);
        let can_begin = of(Task::Deploying) == 0
            && finished < self.tasks.len()
            && (finished == 0 || self.settings.after_tasks_finish);
        if !can_begin {
            let reason = FailureReason::NotAllRequiredTasksRunning;
            self.tell(Told::NotBegun(reason));
            if let Origin::Person(_) = origin {
                self.refuse(origin, reason);
            }
            if let SnapshotRequest::Stop { .. } = snapshot {
                self.stop_failed();
            }
            return;
        }
        let checkpoint = self.next_id;
        self.next_id += 1;
        let kind = self.kind(&snapshot);
        let (gone, left): (Vec<_>, Vec<_>) = self
            .tasks
            .iter()
            .map(|(&task, &state)| (task, state))
            .partition(|(_, state)| *state == Task::Finished);
        let finished: Vec<_> = gone.into_iter().map(|(task, _)| task).collect();
        let request = if let Origin::Person(request) = origin { Some(request) } else { None };
        self.tell(Told::Triggered { checkpoint, kind, request, finished: finished.clone() });
        self.ask_for(Op::Locate(checkpoint), Told::Locate(checkpoint, snapshot));
        let pending = Pending {
            kind,
            origin,
            triggered: self.now,
            phase: Phase::Place,
            parts: left.into_iter().map(|(task, _)| (task, None)).collect(),
            finished,
            captured: BTreeSet::new(),
            hooks: vec![],
        };
        self.pending.insert(checkpoint, pending);
    }

    fn kind(&self, snapshot: &SnapshotRequest) -> CheckpointKind {
        let savepoint = |format, action| CheckpointKind::Savepoint(SavepointKind { format, action });
        match *snapshot {
            SnapshotRequest::Checkpoint { checkpoint_type } => {
                let is_full = self.full_first || checkpoint_type == CheckpointType::Full;
                if is_full { CheckpointKind::FullCheckpoint } else { CheckpointKind::Checkpoint }
            }
            SnapshotRequest::Savepoint { format, .. } => savepoint(format, PostCheckpointAction::None),
            SnapshotRequest::Stop { format, drain: true, .. } => {
                savepoint(format, PostCheckpointAction::Terminate)
            }
            SnapshotRequest::Stop { format, drain: false, .. } => {
                savepoint(format, PostCheckpointAction::Suspend)
            }
        }
    }

    /// A place, then all coordinators, then all hooks, then the tasks.
    pub(super) fn located(&mut self, checkpoint: u64, reply: Reply) {
        let is_made = matches!(reply, Reply::Done | Reply::Nothing);
        if self.orphans.remove(&checkpoint) {
            if is_made {
                self.delete(checkpoint, Told::Discard(checkpoint));
            } else if reply == Reply::Unknown && self.is_running() {
                self.fence();
            }
            return;
        }
        let Some(pending) = self.pending.get_mut(&checkpoint).filter(|pending| pending.phase == Phase::Place)
        else {
            return self.ignore_answer();
        };
        if reply == Reply::Unknown {
            return self.fence();
        }
        if !is_made {
            // There is no place that could be removed.
            self.abort(checkpoint, FailureReason::IoException, None);
            self.orphans.remove(&checkpoint);
            return;
        }
        let coordinators = self.settings.graph.coordinators();
        pending.phase = Phase::Coordinators(coordinators.iter().copied().collect());
        for vertex in coordinators {
            self.ask_for(Op::Coordinator(checkpoint, vertex), Told::AskCoordinator(vertex, checkpoint));
        }
        self.begin_next(checkpoint);
    }

    pub(super) fn coordinator_answered(&mut self, checkpoint: u64, vertex: VertexId, reply: Reply) {
        let phase = self.pending.get_mut(&checkpoint).map(|pending| &mut pending.phase);
        let Some(Phase::Coordinators(waiting)) = phase else { return self.ignore_answer() };
        if !waiting.remove(&vertex) {
            return self.ignore_answer();
        }
        match reply {
            Reply::Done | Reply::Nothing => self.begin_next(checkpoint),
            _ => self.abort(checkpoint, not_triggered(reply), None),
        }
    }

    pub(super) fn hook_answered(&mut self, checkpoint: u64, hook: usize, reply: Reply) {
        let Some(pending) = self.pending.get_mut(&checkpoint) else { return self.ignore_answer() };
        let Phase::Hooks(waiting) = &mut pending.phase else { return self.ignore_answer() };
        if !waiting.remove(&hook) {
            return self.ignore_answer();
        }
        match reply {
            Reply::Done => {
                pending.hooks.push(hook);
                self.begin_next(checkpoint);
            }
            Reply::Nothing => self.begin_next(checkpoint),
            _ => self.abort(checkpoint, not_triggered(reply), None),
        }
    }

    fn begin_next(&mut self, checkpoint: u64) {
        let Some(pending) = self.pending.get_mut(&checkpoint) else { return };
        if pending.phase == Phase::Coordinators(BTreeSet::new()) {
            let hooks = 0..self.settings.graph.hooks();
            pending.phase = Phase::Hooks(hooks.clone().collect());
            for hook in hooks {
                self.ask_for(Op::Hook(checkpoint, hook), Told::AskHook(hook, checkpoint));
            }
        }
        let Some(pending) = self.pending.get_mut(&checkpoint) else { return };
        if pending.phase == Phase::Hooks(BTreeSet::new()) {
            pending.phase = Phase::Tasks;
            let kind = pending.kind;
            let runs = pending.parts.keys().map(|task| (*task, true)).collect();
            for task in self.settings.graph.first(&runs) {
                self.tell(Told::Trigger(task, checkpoint, kind));
            }
            self.check_durable(checkpoint);
        }
    }

    /// At the end of all data a last checkpoint is tried until one succeeds, as long as somebody waits for it.
    pub(super) fn retry_last(&mut self) {
        let all_at_end = self.tasks.values().all(|task| *task >= Task::AtEnd);
        let is_wanted = all_at_end && self.tasks.values().any(|task| *task == Task::AtEnd);
        let will_come = self.due.is_some()
            || self
                .queue
                .iter()
                .any(|request| !matches!(request.snapshot, SnapshotRequest::Savepoint { .. }))
            || self.pending.values().any(Pending::is_told);
        if self.is_running() && self.settings.after_tasks_finish && is_wanted && !will_come {
            self.due = Some(self.now + RETRY);
        }
    }
}

/// Section 4.12: an error of input or output somewhere among the causes is a reason of its own.
fn not_triggered(reply: Reply) -> FailureReason {
    match reply {
        Reply::Io => FailureReason::IoException,
        _ => FailureReason::TriggerCheckpointFailure,
    }
}

impl Request {
    fn is_savepoint(&self) -> bool {
        !matches!(self.snapshot, SnapshotRequest::Checkpoint { .. })
    }
}
