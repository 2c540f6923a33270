//! A checkpoint from its last acknowledgement on: published, completed, told, and one day replaced.

use crate::Fault;
use crate::coordinator::Coordinator;
use crate::effect::{Completed, Effect, Ignored, Outcome, Report};
use crate::pending::Phase;
use crate::waiting::Origin;
use alloc::vec::Vec;
use stillframe_model::{
    CheckpointId, CheckpointKind, FailureReason, LocationReference, Now, OpId, Pointer, TaskSnapshot,
};

impl Coordinator {
    /// Checkpoints are published one at a time, in the order of their ids, so that what completes only ever gets newer.
    /// Savepoints go beside them: a slow place for those holds up nobody.
    pub(crate) fn publish_next(&mut self, effects: &mut Vec<Effect>) {
        let busy =
            self.pending.values().any(|pending| pending.is_publishing() && !pending.kind().is_savepoint());
        let ready: Vec<_> = self
            .pending
            .iter()
            .filter_map(|(&checkpoint, pending)| match &pending.phase {
                Phase::Collected(location) => Some((checkpoint, pending.kind(), location.clone())),
                Phase::Locating(_) | Phase::Collecting(_) | Phase::Publishing { .. } => None,
            })
            .collect();
        let first = ready
            .iter()
            .find(|(_, kind, _)| !busy && !kind.is_savepoint())
            .map(|(checkpoint, ..)| *checkpoint);
        for (checkpoint, kind, location) in ready {
            if kind.is_savepoint() || Some(checkpoint) == first {
                self.publish(checkpoint, location, effects);
            }
        }
    }

    pub(crate) fn publish(
        &mut self,
        checkpoint: CheckpointId,
        location: LocationReference,
        effects: &mut Vec<Effect>,
    ) {
        let op = self.operation();
        let Some(pending) = self.pending.get_mut(&checkpoint) else { return };
        // Nothing but the end of this publication changes what is retained, so what is right now is right then.
        let dropped = match pending.kind() {
            CheckpointKind::Savepoint => Vec::new(),
            CheckpointKind::Checkpoint | CheckpointKind::FullCheckpoint => {
                self.retained.replaced_by(checkpoint)
            }
        };
        pending.phase = Phase::Publishing { op, location: location.clone(), dropped: dropped.clone() };
        let metadata = self.plan.metadata(
            checkpoint,
            pending.kind(),
            pending.triggered.wall,
            pending.snapshots().clone(),
        );
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
            Phase::Locating(_) | Phase::Collecting(_) | Phase::Collected(_) | Phase::Publishing { .. } => {
                None
            }
        });
        let Some((checkpoint, location, dropped)) = publishing else {
            return effects.push(Effect::Ignored(Ignored::UnknownOperation(op)));
        };
        match result {
            Ok(pointer) => self.complete(now, checkpoint, pointer, &dropped, effects),
            Err(Fault::Failed { message }) => {
                if let Some(pending) = self.pending.get_mut(&checkpoint) {
                    pending.phase = Phase::Collected(location);
                }
                self.abort(
                    checkpoint,
                    FailureReason::FinalizeCheckpointFailure,
                    None,
                    Some(message),
                    effects,
                );
            }
            Err(Fault::Unknown { message }) => self.fence(message, effects),
        }
    }

    /// The checkpoint is durable; from here on everybody may know.
    pub(crate) fn complete(
        &mut self,
        now: Now,
        checkpoint: CheckpointId,
        pointer: Pointer,
        dropped: &[CheckpointId],
        effects: &mut Vec<Effect>,
    ) {
        let Some(pending) = self.pending.remove(&checkpoint) else { return };
        let kind = pending.kind();
        let sizes = pending.snapshots().values().map(TaskSnapshot::size);
        effects.push(Effect::Report(Report::Completed(Completed {
            checkpoint,
            kind,
            pointer: pointer.clone(),
            triggered_at: pending.triggered.wall,
            duration: now.monotonic.since(pending.triggered.monotonic),
            state_size: sizes.fold(0, u64::saturating_add),
        })));
        self.tolerance.succeeded(checkpoint);
        self.last_completion = Some(now.monotonic);
        if let Origin::Person(request) = pending.origin {
            effects.push(Effect::Resolve { request, outcome: Ok(Outcome { checkpoint, pointer }) });
        }
        if kind.is_savepoint() {
            return self.shared.end(checkpoint);
        }
        self.retained.admit(checkpoint, dropped);
        self.shared.complete(checkpoint, dropped);
        self.full_first = false;
        if self.is_running() {
            effects.extend(self.plan.tasks().map(|task| Effect::NotifyComplete { task, checkpoint }));
            if pending.covers_end_of_data() {
                self.schedule.stop();
                effects.extend(self.plan.tasks().map(|task| Effect::Close { task }));
                // Nobody is left who could take part.
                for waiting in self.requests.drain() {
                    self.refuse(waiting.origin, FailureReason::CheckpointCoordinatorShutdown, None, effects);
                }
            }
        }
        let older = self.pending.range(..checkpoint).filter(|(_, pending)| !pending.kind().is_savepoint());
        let older: Vec<_> =
            older.filter(|(_, pending)| pending.can_be_aborted()).map(|(&id, _)| id).collect();
        for id in older {
            self.abort(id, FailureReason::CheckpointSubsumed, None, None, effects);
        }
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
