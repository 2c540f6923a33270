//! Sections 4.6 to 4.9 and 4.12: acknowledgements, failures, completion, retention.

use super::*;

/// How many checkpoints that took too long are remembered, as in Flink.
const REMEMBERED: usize = 16;

impl Model {
    pub(super) fn acknowledge(&mut self, checkpoint: u64, task: TaskId, part: Part) {
        let id = CheckpointId::new(checkpoint);
        let Some(pending) = self.pending.get_mut(&checkpoint) else {
            return self.ignore(not_pending(&self.expired, checkpoint));
        };
        match pending.parts.get_mut(&task) {
            // A stranger, or one that had finished before.
            None => self.ignore(Ignored::UnknownTask(task)),
            Some(Some(_)) => self.ignore(Ignored::Duplicate(id)),
            Some(awaited) => {
                *awaited = Some(part);
                self.captures(checkpoint, task);
                self.check_durable(checkpoint);
            }
        }
    }

    /// Once all state is there and the tasks were triggered.
    pub(super) fn check_durable(&mut self, checkpoint: u64) {
        let Some(pending) = self.pending.get_mut(&checkpoint) else { return };
        if pending.phase != Phase::Tasks || !pending.missing().is_empty() {
            return;
        }
        pending.phase = Phase::Ready;
        let is_torn = pending.has_torn_union();
        self.tell(Told::Durable(checkpoint));
        if is_torn {
            self.abort(checkpoint, FailureReason::CheckpointDeclinedTaskClosing, None);
        }
    }

    pub(super) fn progress(&mut self, checkpoint: u64, task: TaskId, progress: Progress) {
        let Some(pending) = self.pending.get(&checkpoint) else {
            return self.ignore(not_pending(&self.expired, checkpoint));
        };
        if progress == Progress::Writing && pending.parts.contains_key(&task) {
            self.captures(checkpoint, task);
        }
    }

    fn captures(&mut self, checkpoint: u64, task: TaskId) {
        let Some(pending) = self.pending.get_mut(&checkpoint) else { return };
        if pending.captured.insert(task) && pending.captured.len() == pending.parts.len() {
            self.tell(Told::Captured(checkpoint));
        }
    }

    pub(super) fn decline(&mut self, checkpoint: u64, task: TaskId, reason: FailureReason) {
        // That is nothing that a task could know.
        let is_ours = reason == FailureReason::OutcomeUnknown;
        let reason = if is_ours { FailureReason::CheckpointDeclined } else { reason };
        match self.pending.get(&checkpoint) {
            Some(pending) if pending.can_be_given_up() && pending.parts.contains_key(&task) => {
                self.abort(checkpoint, reason, Some(task));
            }
            Some(pending) if pending.can_be_given_up() => self.ignore(Ignored::UnknownTask(task)),
            _ => self.ignore(not_pending(&self.expired, checkpoint)),
        }
    }

    pub(super) fn expire(&mut self) {
        let is_over =
            |pending: &Pending| pending.can_be_given_up() && pending.triggered + TIMEOUT <= self.now;
        let over: Vec<_> =
            self.pending.iter().filter(|(_, pending)| is_over(pending)).map(|(id, _)| *id).collect();
        for checkpoint in over {
            self.expired.push_back(checkpoint);
            if self.expired.len() > REMEMBERED {
                self.expired.pop_front();
            }
            self.abort(checkpoint, FailureReason::CheckpointExpired, None);
        }
    }

    pub(super) fn abort(&mut self, checkpoint: u64, reason: FailureReason, by: Option<TaskId>) {
        let Some(pending) = self.pending.remove(&checkpoint) else { return };
        self.tell(Told::Aborted(checkpoint, reason, by));
        if let Origin::Person(_) = pending.origin {
            self.refuse(pending.origin, reason);
        }
        if pending.kind.is_synchronous() {
            self.stop_failed();
        }
        if self.is_running() {
            let latest = self.retained.last().copied();
            for task in pending.participants() {
                self.tell(Told::NotifyAborted(task, checkpoint, latest));
            }
            for vertex in self.settings.graph.coordinators() {
                self.tell(Told::NotifyCoordinatorAborted(vertex, checkpoint));
            }
        }
        if pending.phase == Phase::Place {
            self.orphans.insert(checkpoint);
        } else {
            self.delete(checkpoint, Told::Discard(checkpoint));
        }
        if self.is_running() && self.fails_the_job(checkpoint, pending.kind, reason, by) {
            self.tell(Told::FailJob(reason, by));
        }
    }

    /// Flink's failure manager, with its table.
    fn fails_the_job(
        &mut self,
        checkpoint: u64,
        kind: CheckpointKind,
        reason: FailureReason,
        by: Option<TaskId>,
    ) -> bool {
        use FailureReason as Why;
        let is_preflight = matches!(
            reason,
            Why::PeriodicSchedulerShutdown
                | Why::TooManyCheckpointRequests
                | Why::MinimumTimeBetweenCheckpoints
                | Why::NotAllRequiredTasksRunning
                | Why::IoException
                | Why::BlockingOutputExist
        );
        let is_fault_of_task = by.is_some() && !is_preflight;
        if kind.is_savepoint() && !is_fault_of_task {
            return false;
        }
        if kind.is_synchronous() {
            return true;
        }
        let counts = matches!(
            reason,
            Why::IoException
                | Why::CheckpointAsyncException
                | Why::CheckpointExpired
                | Why::CheckpointDeclined
                | Why::FinalizeCheckpointFailure
        );
        let Some(tolerable) = self.settings.tolerable else { return false };
        if !counts || self.last_success.is_some_and(|last| checkpoint <= last) {
            return false;
        }
        self.failed.insert(checkpoint);
        let is_too_many = self.failed.len() > tolerable as usize;
        if is_too_many {
            self.failed.clear();
        }
        is_too_many
    }

    /// What tasks are told of goes one after the other, other savepoints beside it.
    pub(super) fn publish(&mut self) {
        let is_busy = |pending: &Pending| !pending.can_be_given_up() && pending.is_told();
        let mut is_free = !self.pending.values().any(is_busy);
        let ready: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.phase == Phase::Ready)
            .map(|(id, pending)| (*id, pending.kind, pending.is_told()))
            .collect();
        for (checkpoint, kind, is_told) in ready {
            if is_told && !std::mem::take(&mut is_free) {
                continue;
            }
            let dropped = if kind.is_savepoint() { vec![] } else { self.too_many_with_one_more() };
            let Some(pending) = self.pending.get_mut(&checkpoint) else { return };
            let coordinators = self.settings.graph.coordinators().into_iter();
            let told = Told::Publish {
                checkpoint,
                dropped: dropped.clone(),
                coordinators: coordinators.filter(|vertex| pending.is_left(*vertex)).collect(),
                hooks: pending.hooks.clone(),
                finished: pending.at_end_or_finished(),
            };
            pending.phase = Phase::Publishing(dropped);
            self.ask_for(Op::Publish(checkpoint), told);
        }
    }

    fn too_many_with_one_more(&self) -> Vec<u64> {
        let too_many = (self.retained.len() + 1).saturating_sub(self.settings.retained as usize);
        self.retained.iter().copied().take(too_many).collect()
    }

    pub(super) fn published(&mut self, checkpoint: u64, reply: Reply) {
        let phase = self.pending.get(&checkpoint).map(|pending| pending.phase.clone());
        let Some(Phase::Publishing(dropped)) = phase else { return self.ignore_answer() };
        match reply {
            Reply::Done | Reply::Nothing => self.complete(checkpoint, &dropped),
            Reply::Failed | Reply::Io => {
                self.abort(checkpoint, FailureReason::FinalizeCheckpointFailure, None)
            }
            Reply::Unknown => self.fence(),
        }
    }

    fn complete(&mut self, checkpoint: u64, dropped: &[u64]) {
        let Some(pending) = self.pending.remove(&checkpoint) else { return };
        let (is_savepoint, is_stop) = (pending.kind.is_savepoint(), pending.kind.is_synchronous());
        self.tell(Told::Completed(checkpoint));
        self.last_completion = Some(self.now);
        if self.last_success.is_none_or(|last| checkpoint > last) {
            self.last_success = Some(checkpoint);
            self.failed.clear();
        }
        if !is_savepoint {
            self.full_first = false;
            self.retained.insert(checkpoint);
            for &old in dropped {
                self.retained.remove(&old);
                self.unneeded.push(old);
                self.tell(Told::Subsumed(old));
            }
        }
        match pending.origin {
            Origin::Person(request) if is_stop => self.stop_succeeded(request, checkpoint),
            Origin::Person(request) => self.tell(Told::Granted(request, checkpoint)),
            Origin::Schedule | Origin::EndOfData => {}
        }
        if is_savepoint && !is_stop {
            return;
        }
        let older = self.pending.range(..checkpoint);
        let older = older.filter(|(_, older)| older.can_be_given_up() && !older.kind.is_savepoint());
        let older: Vec<_> = older.map(|(id, _)| *id).collect();
        for older in older {
            self.abort(older, FailureReason::CheckpointSubsumed, None);
        }
        if self.is_running() {
            self.notify_complete(checkpoint, &pending, dropped.last().copied());
        }
    }

    fn notify_complete(&mut self, checkpoint: u64, pending: &Pending, subsumed: Option<u64>) {
        let participants = pending.participants();
        for &task in &participants {
            self.tell(Told::NotifyComplete(task, checkpoint));
        }
        for (&task, subsumed) in participants.iter().zip(subsumed.into_iter().cycle()) {
            self.tell(Told::NotifySubsumed(task, subsumed));
        }
        for vertex in self.settings.graph.coordinators() {
            self.tell(Told::NotifyCoordinatorComplete(vertex, checkpoint));
        }
        // Who ended behind an earlier checkpoint let everything out with that one.
        let is_done = |task: &TaskId| self.settings.after_tasks_finish && self.tasks[task] >= Task::Closing;
        let commit: BTreeSet<_> = participants.iter().copied().filter(|task| !is_done(task)).collect();
        if commit.is_empty() {
            self.tell(Told::Committed(checkpoint));
        } else {
            self.uncommitted.insert(checkpoint, commit);
        }
        if self.uncommitted.len() > REMEMBERED {
            self.uncommitted.pop_first();
        }
        let ends = |task: &TaskId| {
            // What an earlier attempt had finished may still get records.
            let said_so = self.tasks.get(task).is_some_and(|state| *state >= Task::AtEnd);
            let is_at_end = said_so && pending.parts.get(task) == Some(&Some(Part::AtEnd));
            pending.kind.is_synchronous() || (self.settings.after_tasks_finish && is_at_end)
        };
        let end: Vec<_> = participants.iter().copied().filter(ends).collect();
        let all_end = end.len() == participants.len();
        self.close(end);
        if all_end {
            self.is_started = false;
            self.due = None;
            self.refuse_all(FailureReason::CheckpointCoordinatorShutdown);
        }
    }

    pub(super) fn commit(&mut self, checkpoint: u64, task: TaskId) {
        for (_, missing) in self.uncommitted.range_mut(..=checkpoint) {
            missing.remove(&task);
        }
        let all: Vec<_> =
            self.uncommitted.range(..=checkpoint).filter(|(_, missing)| missing.is_empty()).collect();
        let all: Vec<_> = all.into_iter().map(|(id, _)| *id).collect();
        for committed in all {
            self.uncommitted.remove(&committed);
            self.tell(Told::Committed(committed));
        }
    }
}

impl Pending {
    /// Some of a vertex have finished, while others hold state of which everybody should have the whole.
    fn has_torn_union(&self) -> bool {
        let is_torn = |vertex: VertexId| {
            let parts = self.parts.iter().filter(|(task, _)| task.vertex == vertex).map(|(_, part)| *part);
            let (at_end, going): (Vec<_>, Vec<_>) = parts.partition(|part| *part == Some(Part::AtEnd));
            let gone = self.finished.iter().filter(|task| task.vertex == vertex).count();
            at_end.len() + gone > 0 && going.contains(&Some(Part::Union))
        };
        self.parts.keys().any(|task| is_torn(task.vertex))
    }

    /// Whether somebody of it takes part.
    fn is_left(&self, vertex: VertexId) -> bool {
        self.parts.keys().any(|task| task.vertex == vertex)
    }

    fn at_end_or_finished(&self) -> Vec<TaskId> {
        let at_end = self.parts.iter().filter(|(_, part)| **part == Some(Part::AtEnd)).map(|(task, _)| *task);
        let mut all: Vec<_> = at_end.chain(self.finished.iter().copied()).collect();
        all.sort_unstable();
        all
    }
}
