//! Exactly once: an input is held back from its barrier until the barriers of all inputs are there. The rules are those of
//! Flink's single-checkpoint barrier handler in aligned mode.

use super::Decision;
use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use stillframe_model::{Barrier, CheckpointId, FailureReason};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Aligned {
    inputs: Vec<Input>,
    /// The newest checkpoint that a barrier came for.
    current: Option<CheckpointId>,
    /// The newest checkpoint that is over here, taken or given up.
    over: Option<CheckpointId>,
    /// The barrier of the current checkpoint, while some inputs have not reached it.
    barrier: Option<Barrier>,
    /// The inputs that have reached it, or have ended.
    aligned: BTreeSet<usize>,
    /// How many inputs have to.
    target: usize,
    /// Whether a checkpoint can be taken although an input has ended.
    after_end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Input {
    Open,
    Blocked,
    Ended,
}

impl Aligned {
    pub(crate) fn new(channels: usize, after_end: bool) -> Self {
        Self {
            inputs: vec![Input::Open; channels],
            current: None,
            over: None,
            barrier: None,
            aligned: BTreeSet::new(),
            target: 0,
            after_end,
        }
    }

    pub(crate) fn is_blocked(&self, channel: usize) -> bool {
        self.inputs.get(channel) == Some(&Input::Blocked)
    }

    pub(crate) fn barrier(&mut self, channel: usize, barrier: Barrier) -> Vec<Decision> {
        let id = barrier.checkpoint;
        if self.over.max(self.current) > Some(id) || self.over == Some(id) {
            return vec![Decision::Obsolete(id)];
        }
        let mut decisions = Vec::new();
        if self.current < Some(id) {
            // The upstream of this input has gone on to a newer checkpoint; the older one can never be complete.
            if let Some(older) = self.barrier.take() {
                decisions.push(self.give_up(older.checkpoint, FailureReason::CheckpointDeclinedSubsumed));
            }
            self.current = Some(id);
            self.target = self.inputs.iter().filter(|input| **input != Input::Ended).count();
        }
        if !self.after_end && self.inputs.contains(&Input::Ended) {
            decisions.push(self.give_up(id, FailureReason::CheckpointDeclinedInputEndOfStream));
            return decisions;
        }
        self.barrier = Some(barrier);
        self.aligned.insert(channel);
        if let Some(input) = self.inputs.get_mut(channel) {
            *input = Input::Blocked;
        }
        decisions.push(self.try_finish().unwrap_or(Decision::Aligning {
            checkpoint: id,
            arrived: self.aligned.len(),
            of: self.target,
        }));
        decisions
    }

    pub(crate) fn cancel(&mut self, checkpoint: CheckpointId) -> Vec<Decision> {
        let aligning = self.barrier.as_ref().map(|barrier| barrier.checkpoint);
        if self.over.max(self.current) > Some(checkpoint) || self.over == Some(checkpoint) {
            return vec![Decision::Obsolete(checkpoint)];
        }
        let mut decisions = Vec::new();
        if let Some(older) = aligning.filter(|aligning| *aligning < checkpoint) {
            decisions.push(self.give_up(older, FailureReason::CheckpointDeclinedSubsumed));
        }
        self.current = Some(checkpoint);
        decisions.push(self.give_up(checkpoint, FailureReason::CheckpointDeclinedOnCancellationBarrier));
        decisions
    }

    pub(crate) fn end_of_input(&mut self, channel: usize) -> Vec<Decision> {
        if let Some(input) = self.inputs.get_mut(channel) {
            *input = Input::Ended;
        }
        if let Some(barrier) = self.barrier.take_if(|_| !self.after_end) {
            let reason = FailureReason::CheckpointDeclinedInputEndOfStream;
            return vec![self.give_up(barrier.checkpoint, reason)];
        }
        if self.barrier.is_some() {
            // Nothing of this input can come after the barrier, so it counts as aligned.
            self.aligned.insert(channel);
        }
        self.try_finish().into_iter().collect()
    }

    fn try_finish(&mut self) -> Option<Decision> {
        if self.aligned.len() < self.target {
            return None;
        }
        let barrier = self.barrier.take()?;
        self.settle(barrier.checkpoint);
        Some(Decision::Checkpoint(barrier))
    }

    fn give_up(&mut self, checkpoint: CheckpointId, reason: FailureReason) -> Decision {
        self.settle(checkpoint);
        Decision::GiveUp(checkpoint, reason)
    }

    /// The checkpoint is over for this task: every input may be read again.
    fn settle(&mut self, checkpoint: CheckpointId) {
        self.over = self.over.max(Some(checkpoint));
        self.barrier = None;
        self.aligned.clear();
        for input in &mut self.inputs {
            if *input == Input::Blocked {
                *input = Input::Open;
            }
        }
    }
}
