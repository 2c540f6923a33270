//! A checkpoint from its last acknowledgement on: published, completed, told, and one day replaced.

use crate::Fault;
use crate::coordinator::Coordinator;
use crate::effect::{Completed, Effect, Ignored, Outcome, Report};
use crate::pending::{Pending, Phase};
use crate::tasks::TaskState;
use crate::waiting::Origin;
use alloc::vec::Vec;
use stillframe_model::{Attempt, CheckpointId, FailureReason, LocationReference, Now, OpId, Pointer, TaskId};

impl Coordinator {
    /// What tasks are told of is published one at a time, in the order of ids, so that what they hear only ever gets newer:
    /// checkpoints, and savepoints behind which the job stops. Other savepoints go beside them: a slow place for those holds
    /// up nobody.
    pub(crate) fn publish_next(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if !self.pending.values().any(Pending::is_collected) {
            return;
        }
        let busy = self.pending.values().any(|pending| pending.is_publishing() && pending.is_told());
        let ready: Vec<_> = self
            .pending
            .iter()
            .filter_map(|(&checkpoint, pending)| match &pending.phase {
                Phase::Collected(location) => Some((checkpoint, pending.is_told(), location.clone())),
                _ => None,
            })
            .collect();
        let first =
            ready.iter().find(|(_, is_told, _)| !busy && *is_told).map(|(checkpoint, ..)| *checkpoint);
        for (checkpoint, is_told, location) in ready {
            if !is_told || Some(checkpoint) == first {
                self.publish(now, checkpoint, location, effects);
            }
        }
    }

    fn publish(
        &mut self,
        now: Now,
        checkpoint: CheckpointId,
        location: LocationReference,
        effects: &mut Vec<Effect>,
    ) {
        let op = self.operation();
        let Some(pending) = self.pending.get_mut(&checkpoint) else { return };
        // Nothing but the end of this publication changes what is retained, so what is right now is right then.
        let dropped =
            if pending.kind().is_savepoint() { Vec::new() } else { self.retained.replaced_by(checkpoint) };
        let phase = Phase::Publishing { op, location: location.clone(), dropped: dropped.clone() };
        pending.enter(phase, now.monotonic);
        let metadata = pending.metadata(&self.plan, self.tasks.layout(), checkpoint);
        effects.push(Effect::Publish { op, location, metadata, dropped });
    }

    pub(crate) fn published(
        &mut self,
        now: Now,
        op: OpId,
        result: Result<Pointer, Fault>,
        effects: &mut Vec<Effect>,
    ) {
        let publishing = self.pending.iter().find_map(|(&checkpoint, pending)| match &pending.phase {
            Phase::Publishing { op: of, location, dropped } if *of == op => {
                Some((checkpoint, location.clone(), dropped.clone()))
            }
            _ => None,
        });
        let Some((checkpoint, location, dropped)) = publishing else {
            return effects.push(Effect::Ignored(Ignored::UnknownOperation(op)));
        };
        match result {
            Ok(pointer) => self.complete(now, checkpoint, pointer, &dropped, effects),
            Err(Fault::Failed { message } | Fault::Io { message }) => {
                if let Some(pending) = self.pending.get_mut(&checkpoint) {
                    pending.phase = Phase::Collected(location);
                }
                let reason = FailureReason::FinalizeCheckpointFailure;
                self.abort(now, checkpoint, reason, None, Some(message), effects);
            }
            Err(Fault::Unknown { message }) => self.fence(message, effects),
        }
    }

    /// The checkpoint is durable; from here on everybody may know.
    fn complete(
        &mut self,
        now: Now,
        checkpoint: CheckpointId,
        pointer: Pointer,
        dropped: &[CheckpointId],
        effects: &mut Vec<Effect>,
    ) {
        let Some(pending) = self.pending.remove(&checkpoint) else { return };
        let kind = pending.kind();
        let (state_size, checkpointed_size) = pending.sizes();
        effects.push(Effect::Report(Report::Completed(Completed {
            checkpoint,
            kind,
            pointer: pointer.clone(),
            triggered_at: pending.triggered.wall,
            duration: now.monotonic.since(pending.triggered.monotonic),
            state_size,
            checkpointed_size,
        })));
        self.tolerance.succeeded(checkpoint);
        self.last_completion = Some(now.monotonic);
        let outcome = Outcome { checkpoint, pointer };
        if kind.is_savepoint() {
            self.shared.end(checkpoint);
        } else {
            self.retained.admit(checkpoint, dropped);
            self.shared.complete(checkpoint, dropped);
            self.full_first = false;
            let subsumed = dropped.iter().map(|&checkpoint| Effect::Report(Report::Subsumed { checkpoint }));
            effects.extend(subsumed);
        }
        if kind.is_synchronous() {
            self.stop_decided(&pending, outcome, effects);
        } else if let Origin::Person(request) = pending.origin {
            effects.push(Effect::Resolve { request, outcome: Ok(outcome) });
        }
        // A savepoint behind which the job goes on is its owner's affair.
        if !pending.is_told() {
            return;
        }
        let older = self.pending.range(..checkpoint).filter(|(_, pending)| pending.can_be_subsumed());
        let older: Vec<_> = older.map(|(&id, _)| id).collect();
        for id in older {
            self.abort(now, id, FailureReason::CheckpointSubsumed, None, None, effects);
        }
        if self.is_running() {
            self.tell(now, checkpoint, &pending, dropped, effects);
        }
    }

    /// Everybody who took part may let out what was held back; who has nothing more to do may end.
    fn tell(
        &mut self,
        now: Now,
        checkpoint: CheckpointId,
        pending: &Pending,
        dropped: &[CheckpointId],
        effects: &mut Vec<Effect>,
    ) {
        let layout = self.tasks.layout();
        let participants = || pending.participants(layout);
        // One or two for each of very many: growing step by step would copy all of them again and again.
        effects.reserve(layout.len() * if dropped.is_empty() { 1 } else { 2 });
        effects.extend(participants().map(|task| Effect::NotifyComplete { task, checkpoint }));
        if let Some(&checkpoint) = dropped.last() {
            effects.extend(participants().map(|task| Effect::NotifySubsumed { task, checkpoint }));
        }
        let coordinators = self.coordinators().into_iter();
        effects.extend(coordinators.map(|vertex| Effect::NotifyCoordinatorComplete { vertex, checkpoint }));
        // Who was told to end by an earlier completion has nothing left to let out, and may be gone. Where tasks end by
        // themselves, that is not known of them.
        let confirms =
            |task: &TaskId| !self.tasks.wait_for_last() || !self.tasks.is_at_least(*task, TaskState::Closing);
        if self.confirmations.expect(checkpoint, layout, participants().filter(confirms)) {
            effects.push(Effect::Report(Report::Committed { checkpoint }));
        }
        let ends: Vec<_> = match (pending.kind().is_synchronous(), self.tasks.wait_for_last()) {
            (true, _) => participants().collect(),
            // A task that an earlier attempt had finished captures that, also while records still come: in at-least-once mode
            // somebody before it may not have finished.
            (false, true) => pending
                .at_end_of_data(layout)
                .filter(|task| self.tasks.is_at_least(*task, TaskState::AtEndOfData))
                .collect(),
            (false, false) => Vec::new(),
        };
        let is_last = ends.len() == participants().count();
        self.close(now, &ends, effects);
        if is_last {
            self.schedule.stop();
            // Nobody is left who could take part.
            for waiting in self.requests.drain() {
                self.refuse(waiting.origin, FailureReason::CheckpointCoordinatorShutdown, None, effects);
            }
        }
    }

    /// A task has let out what it held back.
    pub(crate) fn committed(
        &mut self,
        checkpoint: CheckpointId,
        attempt: Attempt,
        task: TaskId,
        effects: &mut Vec<Effect>,
    ) {
        if attempt != self.plan.attempt {
            return effects.push(Effect::Ignored(Ignored::OtherAttempt));
        }
        let Some(place) = self.tasks.layout().place(task) else {
            return effects.push(Effect::Ignored(Ignored::UnknownTask(task)));
        };
        let committed = self.confirmations.confirm(checkpoint, place).into_iter();
        effects.extend(committed.map(|checkpoint| Effect::Report(Report::Committed { checkpoint })));
    }

    /// Removes what was dropped, as far as nothing in progress can refer to it any more.
    pub(crate) fn remove_unneeded(&mut self, effects: &mut Vec<Effect>) {
        for removal in self.shared.removable() {
            let op = self.operation();
            self.discarding.insert(op, removal.checkpoint);
            let shared = removal.files.into_iter().collect();
            effects.push(Effect::Remove { op, checkpoint: removal.checkpoint, shared });
        }
    }

    pub(crate) fn discard(
        &mut self,
        checkpoint: CheckpointId,
        location: LocationReference,
        effects: &mut Vec<Effect>,
    ) {
        let op = self.operation();
        self.discarding.insert(op, checkpoint);
        effects.push(Effect::Discard { op, checkpoint, location });
    }
}
