//! Section 4.13 and the end of a job: tasks that finish, stopping with a savepoint, and what is left behind.

use super::*;

impl Model {
    pub(super) fn reach(&mut self, task: TaskId, state: Task) {
        let Some(known) = self.tasks.get_mut(&task) else { return self.ignore(Ignored::UnknownTask(task)) };
        if *known >= state {
            return;
        }
        *known = state;
        match state {
            // It will not acknowledge what it has not acknowledged.
            Task::Finished => {
                if self.tasks.values().all(|task| *task != Task::Closing) {
                    self.closing_since = None;
                }
                let waits =
                    self.pending.iter().filter(|(_, pending)| pending.parts.get(&task) == Some(&None));
                let waits: Vec<_> = waits.map(|(id, _)| *id).collect();
                for checkpoint in waits {
                    self.abort(checkpoint, FailureReason::CheckpointDeclinedTaskClosing, None);
                }
            }
            Task::AtEnd if !self.settings.after_tasks_finish => self.close(vec![task]),
            Task::AtEnd => {
                let all_at_end = self.tasks.values().all(|task| *task >= Task::AtEnd);
                if all_at_end && !self.is_waiting(Origin::EndOfData) {
                    self.submit(Origin::EndOfData, SnapshotRequest::CHECKPOINT);
                }
            }
            Task::Deploying | Task::Running | Task::Closing => {}
        }
    }

    pub(super) fn close(&mut self, tasks: Vec<TaskId>) {
        for task in tasks {
            if let Some(known) = self.tasks.get_mut(&task).filter(|known| **known < Task::Closing) {
                *known = Task::Closing;
                self.closing_since = Some(self.now);
                self.tell(Told::Close(task));
            }
        }
    }

    /// The job goes on as before, unless it is to stop with another savepoint.
    pub(super) fn stop_failed(&mut self) {
        let is_stop = |request: &Request| matches!(request.snapshot, SnapshotRequest::Stop { .. });
        if self.queue.iter().any(is_stop)
            || self.pending.values().any(|pending| pending.kind.is_synchronous())
        {
            return;
        }
        if self.stopping.take() == Some(true) && self.is_running() {
            self.start(self.settings.min_pause);
        }
    }

    /// Nothing else begins any more. Who asked hears of it when all tasks have ended.
    pub(super) fn stop_succeeded(&mut self, request: u64, checkpoint: u64) {
        self.is_started = false;
        self.due = None;
        self.stopping = None;
        self.refuse_all(FailureReason::CheckpointCoordinatorSuspend);
        self.stops.push((request, checkpoint));
        if let Ending::Aborting(status) = self.ending {
            self.answer_stops(status);
        }
    }

    fn answer_stops(&mut self, status: Option<JobStatus>) {
        for (request, checkpoint) in std::mem::take(&mut self.stops) {
            self.tell(match status {
                Some(JobStatus::Finished) => Told::Granted(request, checkpoint),
                _ => Told::Refused(request, FailureReason::TaskFailure),
            });
        }
    }

    pub(super) fn end(&mut self, status: Option<JobStatus>) {
        if !self.is_running() {
            return self.ignore(Ignored::Stopped);
        }
        self.ending = Ending::Aborting(status);
        self.is_started = false;
        self.due = None;
        self.give_up_all(match status {
            Some(_) => FailureReason::CheckpointCoordinatorSuspend,
            None => FailureReason::JobFailoverRegion,
        });
        self.answer_stops(status);
        self.uncommitted.clear();
    }

    /// What is being published is waited for, then the end is put on record, then what it makes superfluous goes.
    pub(super) fn advance_ending(&mut self) {
        let Ending::Aborting(status) = self.ending else { return };
        if !self.pending.is_empty() {
            return;
        }
        match status {
            None | Some(JobStatus::Suspended) => self.ending = Ending::Settled,
            Some(status) => {
                self.ending = Ending::Concluding(status);
                let dropped =
                    if self.settings.drops_after(status) { self.retained.clone() } else { BTreeSet::new() };
                self.ask_for(Op::Conclude, Told::Conclude(status, dropped.into_iter().collect()));
            }
        }
    }

    pub(super) fn concluded(&mut self, reply: Reply) {
        let Ending::Concluding(status) = self.ending else { return self.ignore_answer() };
        self.ending = Ending::Settled;
        let is_on_record = matches!(reply, Reply::Done | Reply::Nothing);
        if is_on_record && self.settings.drops_after(status) {
            self.unneeded.extend(std::mem::take(&mut self.retained));
        }
    }

    /// Nobody knows what exists, so nothing is done any more.
    pub(super) fn fence(&mut self) {
        let reason = FailureReason::OutcomeUnknown;
        self.refuse_all(reason);
        for (_, pending) in std::mem::take(&mut self.pending) {
            if let Origin::Person(_) = pending.origin {
                self.refuse(pending.origin, reason);
            }
        }
        self.answer_stops(None);
        self.ending = Ending::Fenced;
        self.tell(Told::FailJob(reason, None));
    }
}
