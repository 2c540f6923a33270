//! The life of one task's checkpoints: forwarded, captured, durable, acknowledged, and later complete or aborted.

use crate::{Effect, Ignored};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use stillframe_model::{
    Barrier, CheckpointId, CheckpointKind, FailureReason, PostCheckpointAction, SavepointKind, TaskSnapshot,
};

/// How many aborted checkpoints are remembered until their barriers come.
const MAX_REMEMBERED: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Subtask {
    /// The newest checkpoint that was taken or given up here.
    last: Option<CheckpointId>,
    /// The newest checkpoint that the operator was told is complete.
    notified: Option<CheckpointId>,
    /// The newest of which it was told that it was replaced.
    subsumed: Option<CheckpointId>,
    /// The savepoint that the task has stopped for.
    stopped: Option<CheckpointId>,
    /// Captured, not yet durable.
    capturing: BTreeSet<CheckpointId>,
    /// Aborted by the coordinator before their barriers came.
    aborted: BTreeSet<CheckpointId>,
}

impl Subtask {
    pub(crate) fn new(restored: Option<CheckpointId>) -> Self {
        Self {
            last: restored,
            notified: restored,
            subsumed: None,
            stopped: None,
            capturing: BTreeSet::new(),
            aborted: BTreeSet::new(),
        }
    }

    /// All inputs have reached the barrier. It goes on before the own state is captured, so that the tasks behind this
    /// one begin to align at once.
    pub(crate) fn checkpoint(&mut self, barrier: Barrier, effects: &mut Vec<Effect>) {
        let checkpoint = barrier.checkpoint;
        if self.last >= Some(checkpoint) {
            return effects.push(Effect::Ignored(Ignored::Obsolete(checkpoint)));
        }
        self.last = Some(checkpoint);
        let given_up = self.aborted.remove(&checkpoint);
        self.aborted.retain(|aborted| *aborted > checkpoint);
        if given_up {
            return effects.push(Effect::ForwardCancel(checkpoint));
        }
        self.capturing.insert(checkpoint);
        if let CheckpointKind::Savepoint(SavepointKind { action, .. }) = barrier.kind
            && action != PostCheckpointAction::None
        {
            self.stopped = Some(checkpoint);
            effects.push(Effect::Stop { drain: action == PostCheckpointAction::Terminate });
        }
        effects.push(Effect::Forward(barrier.clone()));
        effects.push(Effect::Capture(barrier));
    }

    /// An aligner cannot bring the checkpoint together.
    pub(crate) fn give_up(
        &mut self,
        checkpoint: CheckpointId,
        reason: FailureReason,
        effects: &mut Vec<Effect>,
    ) {
        self.last = self.last.max(Some(checkpoint));
        self.aborted.remove(&checkpoint);
        effects.push(Effect::Decline { checkpoint, reason });
        effects.push(Effect::Aborted(checkpoint));
        effects.push(Effect::ForwardCancel(checkpoint));
    }

    /// The acknowledgement is a promise that the state survives; nothing else may lead to it.
    pub(crate) fn durable(
        &mut self,
        checkpoint: CheckpointId,
        snapshot: Option<TaskSnapshot>,
        effects: &mut Vec<Effect>,
    ) {
        if !self.capturing.remove(&checkpoint) {
            return effects.push(Effect::Ignored(Ignored::Obsolete(checkpoint)));
        }
        effects.push(match snapshot {
            Some(snapshot) => Effect::Acknowledge { checkpoint, snapshot },
            None => Effect::Decline { checkpoint, reason: FailureReason::CheckpointAsyncException },
        });
    }

    /// The task is about to fail. Whoever asked for the checkpoint should hear that it was the reason.
    pub(crate) fn not_captured(&mut self, checkpoint: CheckpointId, effects: &mut Vec<Effect>) {
        if self.capturing.remove(&checkpoint) {
            effects.push(Effect::Decline { checkpoint, reason: FailureReason::TaskFailure });
        } else {
            effects.push(Effect::Ignored(Ignored::Obsolete(checkpoint)));
        }
    }

    pub(crate) fn complete(&mut self, checkpoint: CheckpointId, effects: &mut Vec<Effect>) {
        if self.notified >= Some(checkpoint) {
            return effects.push(Effect::Ignored(Ignored::AlreadyNotified(checkpoint)));
        }
        self.notified = Some(checkpoint);
        effects.push(Effect::Complete(checkpoint));
    }

    pub(crate) fn aborted(
        &mut self,
        checkpoint: CheckpointId,
        latest_complete: Option<CheckpointId>,
        effects: &mut Vec<Effect>,
    ) {
        // The news of a completed checkpoint may have been lost; this message carries it again.
        if let Some(complete) = latest_complete.filter(|complete| self.notified < Some(*complete)) {
            self.complete(complete, effects);
        }
        if self.capturing.remove(&checkpoint) {
            effects.push(Effect::CancelCapture(checkpoint));
        } else if self.last < Some(checkpoint) {
            self.aborted.insert(checkpoint);
            if self.aborted.len() > MAX_REMEMBERED {
                self.aborted.pop_first();
            }
        }
        effects.push(Effect::Aborted(checkpoint));
        // Its output has stopped where the savepoint would have been; it cannot go on as if nothing had happened.
        if self.stopped == Some(checkpoint) {
            effects.push(Effect::Fail(checkpoint));
        }
    }

    pub(crate) fn subsumed(&mut self, checkpoint: CheckpointId, effects: &mut Vec<Effect>) {
        if self.subsumed >= Some(checkpoint) {
            return effects.push(Effect::Ignored(Ignored::AlreadyNotified(checkpoint)));
        }
        self.subsumed = Some(checkpoint);
        effects.push(Effect::Subsumed(checkpoint));
    }
}
