//! One checkpoint from its trigger until all tasks have acknowledged it, or until it is given up.

use crate::coordinator::{Coordinator, END_OF_DATA_RETRY};
use crate::effect::{Aborted, Effect, Ignored, Report};
use crate::failure::{Failure, Verdict};
use crate::pending::{Acknowledgement, Pending, Phase};
use crate::waiting::{Origin, Waiting};
use crate::{Fault, SnapshotRequest};
use alloc::string::String;
use alloc::vec::Vec;
use stillframe_model::{
    Attempt, Barrier, CheckpointId, CheckpointKind, FailureReason, LocationReference, Now, OpId, TaskId,
    TaskSnapshot, Timestamp,
};

impl Coordinator {
    pub(crate) fn trigger(&mut self, now: Now, request: Waiting, effects: &mut Vec<Effect>) {
        let checkpoint = self.next_checkpoint;
        self.next_checkpoint = checkpoint.next();
        let op = self.operation();
        let expires = now.monotonic.after(self.timeout);
        let kind = match request.snapshot {
            SnapshotRequest::Savepoint { .. } => CheckpointKind::Savepoint,
            SnapshotRequest::Checkpoint if self.full_first => CheckpointKind::FullCheckpoint,
            SnapshotRequest::Checkpoint => CheckpointKind::Checkpoint,
        };
        let pending = Pending::new(kind, request.origin, now, expires, op, self.plan.tasks());
        self.shared.begin(checkpoint, kind);
        effects.push(Effect::Report(Report::Triggered { checkpoint, kind }));
        effects.push(Effect::Locate { op, checkpoint, snapshot: request.snapshot });
        self.pending.insert(checkpoint, pending);
    }

    pub(crate) fn located(
        &mut self,
        now: Now,
        op: OpId,
        result: Result<LocationReference, Fault>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(checkpoint) = self.abandoned.remove(&op) {
            if let Ok(location) = result {
                self.discard(checkpoint, location, effects);
            }
            return;
        }
        let found = self.pending.iter_mut().find(|(_, pending)| pending.phase == Phase::Locating(op));
        let Some((&checkpoint, pending)) = found else {
            effects.push(Effect::Ignored(Ignored::UnknownOperation(op)));
            return;
        };
        match result {
            Ok(location) => {
                let barrier = Barrier {
                    checkpoint,
                    kind: pending.kind(),
                    triggered_at: pending.triggered.wall,
                    location: location.clone(),
                };
                pending.phase = Phase::Collecting(location);
                // The place counts as part of the checkpoint's time: one that took too long to make is not used.
                if pending.expires > now.monotonic {
                    let triggers =
                        self.plan.sources().map(|task| Effect::Trigger { task, barrier: barrier.clone() });
                    effects.extend(triggers);
                }
                self.expire(now.monotonic, effects);
            }
            // Whether or not a place was made, nothing refers to it; a later recovery removes it as an orphan.
            Err(fault) => {
                let cause = Some(fault.message().into());
                self.abort(checkpoint, FailureReason::IoException, None, cause, effects);
                self.abandoned.remove(&op);
            }
        }
    }

    pub(crate) fn acknowledged(
        &mut self,
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
            return effects.push(Effect::Ignored(Ignored::NotPending(checkpoint)));
        };
        // Only what counts is looked at: a repeated acknowledgement may name files that went since.
        if pending.awaits(task)
            && let Err(refusal) = self.shared.acknowledge(checkpoint, &snapshot)
        {
            // Flink only logs this and lets the checkpoint expire. What the task wrote is no use either way.
            let cause = alloc::format!("task {task}: {refusal}");
            let reason = FailureReason::CheckpointAsyncException;
            return self.abort(checkpoint, reason, Some(task), Some(cause), effects);
        }
        match pending.acknowledge(task, snapshot) {
            Acknowledgement::Accepted => {}
            Acknowledgement::Last => {
                if let Phase::Collecting(location) = &pending.phase {
                    pending.phase = Phase::Collected(location.clone());
                }
            }
            Acknowledgement::Duplicate => effects.push(Effect::Ignored(Ignored::Duplicate(checkpoint))),
            Acknowledgement::UnknownTask => effects.push(Effect::Ignored(Ignored::UnknownTask(task))),
        }
    }

    pub(crate) fn declined(
        &mut self,
        checkpoint: CheckpointId,
        attempt: Attempt,
        task: TaskId,
        reason: FailureReason,
        effects: &mut Vec<Effect>,
    ) {
        if attempt != self.plan.attempt {
            return effects.push(Effect::Ignored(Ignored::OtherAttempt));
        }
        match self.pending.get(&checkpoint) {
            Some(pending) if pending.can_be_aborted() => {
                self.abort(checkpoint, reason, Some(task), None, effects)
            }
            _ => effects.push(Effect::Ignored(Ignored::NotPending(checkpoint))),
        }
    }

    pub(crate) fn expire(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let expired =
            self.pending.iter().filter(|(_, pending)| pending.can_be_aborted() && pending.expires <= now);
        let expired: Vec<_> = expired.map(|(&id, _)| id).collect();
        for id in expired {
            let missing = self.pending.get(&id).map_or(0, |pending| pending.missing().len());
            let cause = alloc::format!("{missing} tasks had not acknowledged after {:?}", self.timeout);
            self.abort(id, FailureReason::CheckpointExpired, None, Some(cause), effects);
        }
    }

    pub(crate) fn abort(
        &mut self,
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
        self.refuse_aborted(&pending, reason, cause.clone(), effects);
        let latest_complete = self.retained.latest();
        if self.is_running() {
            let notify = |task| Effect::NotifyAborted { task, checkpoint, latest_complete };
            effects.extend(self.plan.tasks().map(notify));
        }
        match pending.phase {
            Phase::Locating(op) => {
                self.abandoned.insert(op, checkpoint);
            }
            Phase::Collecting(location) | Phase::Collected(location) | Phase::Publishing { location, .. } => {
                self.discard(checkpoint, location, effects);
            }
        }
        let failure = Failure {
            checkpoint: Some(checkpoint),
            reason,
            is_savepoint: kind.is_savepoint(),
            is_synchronous: false,
            by_task: by.is_some(),
        };
        if self.is_running() && self.tolerance.failed(failure) != Verdict::Tolerated {
            let message = cause.unwrap_or_else(|| alloc::format!("{kind} {checkpoint} failed"));
            effects.push(Effect::FailJob { reason, message });
        }
    }

    pub(crate) fn refuse_aborted(
        &mut self,
        pending: &Pending,
        reason: FailureReason,
        cause: Option<String>,
        effects: &mut Vec<Effect>,
    ) {
        if let Origin::Person(_) = pending.origin {
            self.refuse(pending.origin, reason, cause, effects);
        }
        let retry = self.is_running() && self.all_at_end_of_data() && !self.schedule.is_periodic();
        if retry && self.schedule.next().is_none() {
            self.schedule.postpone(pending.triggered.monotonic.after(END_OF_DATA_RETRY));
        }
    }
}
