//! One checkpoint from the moment its tasks are triggered until all have acknowledged it, or until it is given up.

use crate::coordinator::Coordinator;
use crate::effect::{Aborted, Effect, Ignored, Report};
use crate::failure::{Failure, Verdict};
use crate::pending::{Acknowledgement, Pending, Phase};
use crate::waiting::Origin;
use alloc::string::String;
use alloc::vec::Vec;
use stillframe_model::{Attempt, CheckpointId, FailureReason, Now, TaskId, TaskProgress, TaskSnapshot};

/// How many checkpoints that took too long are remembered, to tell their late acknowledgements from others.
const MAX_EXPIRED: usize = 16;

impl Coordinator {
    pub(crate) fn acknowledged(
        &mut self,
        now: Now,
        checkpoint: CheckpointId,
        attempt: Attempt,
        task: TaskId,
        snapshot: TaskSnapshot,
        effects: &mut Vec<Effect>,
    ) {
        if attempt != self.plan.attempt {
            return effects.push(Effect::Ignored(Ignored::OtherAttempt));
        }
        // Files behind a late acknowledgement are not touched: they went, or will go, with their checkpoint's place.
        let Some(pending) = self.pending.get_mut(&checkpoint) else {
            return effects.push(Effect::Ignored(self.over(checkpoint)));
        };
        let Some(place) = self.tasks.layout().place(task) else {
            return effects.push(Effect::Ignored(Ignored::UnknownTask(task)));
        };
        // Only what counts is looked at: a repeated acknowledgement may name files that went since.
        if pending.awaits(place)
            && let Err(refusal) = self.shared.acknowledge(checkpoint, &snapshot)
        {
            // Flink only logs this and lets the checkpoint expire. What the task wrote is no use either way.
            let cause = alloc::format!("task {task}: {refusal}");
            let reason = FailureReason::CheckpointAsyncException;
            return self.abort(now, checkpoint, reason, Some(task), Some(cause), effects);
        }
        let was_captured = pending.is_captured();
        let acknowledgement = pending.acknowledge(place, snapshot);
        if !was_captured && pending.is_captured() {
            effects.push(Effect::Report(Report::Captured { checkpoint }));
        }
        match acknowledgement {
            Acknowledgement::Accepted => {}
            Acknowledgement::Last => self.all_acknowledged(now, checkpoint, effects),
            Acknowledgement::Duplicate => effects.push(Effect::Ignored(Ignored::Duplicate(checkpoint))),
            Acknowledgement::UnknownTask => effects.push(Effect::Ignored(Ignored::UnknownTask(task))),
        }
    }

    pub(crate) fn all_acknowledged(&mut self, now: Now, checkpoint: CheckpointId, effects: &mut Vec<Effect>) {
        let Some(pending) = self.pending.get_mut(&checkpoint) else { return };
        // If all have acknowledged before anybody was triggered, this is asked again when they are.
        let Phase::Collecting(location) = &pending.phase else { return };
        let location = location.clone();
        effects.push(Effect::Report(Report::Durable { checkpoint }));
        if let Some(vertex) = pending.torn_union(&self.plan, self.tasks.layout()) {
            let cause = alloc::format!(
                "some subtasks of {vertex} have finished while others hold union state, which could not be restored"
            );
            let reason = FailureReason::CheckpointDeclinedTaskClosing;
            return self.abort(now, checkpoint, reason, None, Some(cause), effects);
        }
        pending.enter(Phase::Collected(location), now.monotonic);
    }

    /// What there is to say about a message for a checkpoint that is not in progress.
    fn over(&self, checkpoint: CheckpointId) -> Ignored {
        if self.expired.contains(&checkpoint) {
            Ignored::Expired(checkpoint)
        } else {
            Ignored::NotPending(checkpoint)
        }
    }

    pub(crate) fn declined(
        &mut self,
        now: Now,
        checkpoint: CheckpointId,
        attempt: Attempt,
        task: TaskId,
        reason: FailureReason,
        effects: &mut Vec<Effect>,
    ) {
        if attempt != self.plan.attempt {
            return effects.push(Effect::Ignored(Ignored::OtherAttempt));
        }
        let Some(pending) = self.pending.get(&checkpoint).filter(|pending| pending.can_be_aborted()) else {
            return effects.push(Effect::Ignored(self.over(checkpoint)));
        };
        if !self.tasks.layout().place(task).is_some_and(|place| pending.takes_part(place)) {
            return effects.push(Effect::Ignored(Ignored::UnknownTask(task)));
        }
        // What became of a commit is not for a task to say, and who hears it takes the coordinator for stopped.
        let reason = match reason {
            FailureReason::OutcomeUnknown => FailureReason::CheckpointDeclined,
            reason => reason,
        };
        self.abort(now, checkpoint, reason, Some(task), None, effects);
    }

    pub(crate) fn progressed(
        &mut self,
        now: Now,
        checkpoint: CheckpointId,
        attempt: Attempt,
        task: TaskId,
        progress: TaskProgress,
        effects: &mut Vec<Effect>,
    ) {
        if attempt != self.plan.attempt {
            return effects.push(Effect::Ignored(Ignored::OtherAttempt));
        }
        let Some(place) = self.tasks.layout().place(task) else {
            return effects.push(Effect::Ignored(Ignored::UnknownTask(task)));
        };
        match self.pending.get_mut(&checkpoint) {
            Some(pending) => {
                if pending.progressed(place, now.monotonic, progress) {
                    effects.push(Effect::Report(Report::Captured { checkpoint }));
                }
            }
            None => effects.push(Effect::Ignored(self.over(checkpoint))),
        }
    }

    pub(crate) fn expire(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let expired = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.can_be_aborted() && pending.expires <= now.monotonic);
        let expired: Vec<_> = expired.map(|(&id, _)| id).collect();
        for id in expired {
            self.expired.push_back(id);
            if self.expired.len() > MAX_EXPIRED {
                self.expired.pop_front();
            }
            let missing = self.pending.get(&id).map_or(0, Pending::missing);
            let cause = alloc::format!("{missing} tasks had not acknowledged after {:?}", self.timeout);
            self.abort(now, id, FailureReason::CheckpointExpired, None, Some(cause), effects);
        }
    }

    pub(crate) fn abort(
        &mut self,
        now: Now,
        checkpoint: CheckpointId,
        reason: FailureReason,
        by: Option<TaskId>,
        cause: Option<String>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(pending) = self.pending.remove(&checkpoint) else { return };
        self.shared.end(checkpoint);
        let kind = pending.kind();
        effects.push(Effect::Report(Report::Aborted(Aborted {
            checkpoint,
            kind,
            reason,
            by,
            cause: cause.clone(),
        })));
        self.after_abort(now, &pending, reason, cause.clone(), effects);
        let latest_complete = self.retained.latest();
        if self.is_running() {
            let notify = |task| Effect::NotifyAborted { task, checkpoint, latest_complete };
            effects.extend(pending.participants(self.tasks.layout()).map(notify));
            let coordinators = self.coordinators().into_iter();
            effects
                .extend(coordinators.map(|vertex| Effect::NotifyCoordinatorAborted { vertex, checkpoint }));
        }
        match pending.phase {
            Phase::Locating(op) => {
                self.abandoned.insert(op, checkpoint);
            }
            Phase::Coordinators { location, .. }
            | Phase::Hooks { location, .. }
            | Phase::Collecting(location)
            | Phase::Collected(location)
            | Phase::Publishing { location, .. } => self.discard(checkpoint, location, effects),
        }
        // A savepoint that fails without the fault of a task, for a mistyped target for example, says nothing about the job.
        let failure = Failure {
            checkpoint: Some(checkpoint),
            reason,
            is_savepoint: kind.is_savepoint(),
            is_synchronous: kind.is_synchronous(),
            by_task: by.is_some(),
        };
        if self.is_running() && self.tolerance.failed(failure) != Verdict::Tolerated {
            let message = cause.unwrap_or_else(|| alloc::format!("{kind} {checkpoint} failed"));
            effects.push(Effect::FailJob { reason, task: by, message });
        }
    }

    /// Tells who asked, and lets the job go on if it was to stop.
    fn after_abort(
        &mut self,
        now: Now,
        pending: &Pending,
        reason: FailureReason,
        cause: Option<String>,
        effects: &mut Vec<Effect>,
    ) {
        if let Origin::Person(_) = pending.origin {
            self.refuse(pending.origin, reason, cause, effects);
        }
        if pending.kind().is_synchronous() {
            self.stop_failed(now);
        }
    }
}
