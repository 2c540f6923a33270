//! At least once: barriers are counted and no input is ever held back. The rules are those of Flink's barrier tracker.

use super::Decision;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use stillframe_model::{Barrier, CheckpointId, FailureReason};

/// How many checkpoints are counted at once; the oldest is forgotten for one more, as in Flink.
const MAX_PENDING: usize = 50;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tracking {
    open: BTreeSet<usize>,
    /// In the order of their ids.
    pending: VecDeque<Counted>,
    /// The newest checkpoint that any element was about.
    newest: Option<CheckpointId>,
    /// Whether an input has ended.
    has_ended: bool,
    /// Whether a checkpoint can be taken although one has.
    after_end: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Counted {
    checkpoint: CheckpointId,
    /// `None` once it is cancelled: its barriers are still counted, so that stragglers do not look new.
    barrier: Option<Barrier>,
    reached: BTreeSet<usize>,
    target: usize,
}

impl Tracking {
    pub(crate) fn new(channels: usize, after_end: bool) -> Self {
        Self {
            open: (0..channels).collect(),
            pending: VecDeque::new(),
            newest: None,
            has_ended: false,
            after_end,
        }
    }

    pub(crate) fn barrier(&mut self, channel: usize, barrier: Barrier) -> Vec<Decision> {
        let id = barrier.checkpoint;
        match self.pending.iter().position(|counted| counted.checkpoint == id) {
            Some(place) => self.reach(place, channel),
            None if self.newest < Some(id) && self.has_ended && !self.after_end => {
                self.newest = Some(id);
                vec![Decision::GiveUp(id, FailureReason::CheckpointDeclinedInputEndOfStream)]
            }
            None if self.newest < Some(id) => {
                let place = self.begin(id, Some(barrier));
                self.reach(place, channel)
            }
            None => vec![Decision::Obsolete(id)],
        }
    }

    pub(crate) fn cancel(&mut self, channel: usize, checkpoint: CheckpointId) -> Vec<Decision> {
        let mut decisions = Vec::new();
        while let Some(older) = self.pending.pop_front_if(|counted| counted.checkpoint < checkpoint) {
            decisions.extend(older.give_up(FailureReason::CheckpointDeclinedOnCancellationBarrier));
        }
        let place = self.pending.iter().position(|counted| counted.checkpoint == checkpoint);
        let place = match place {
            Some(place) => place,
            None if self.newest < Some(checkpoint) => {
                let reason = FailureReason::CheckpointDeclinedOnCancellationBarrier;
                decisions.push(Decision::GiveUp(checkpoint, reason));
                self.begin(checkpoint, None)
            }
            None => {
                decisions.push(Decision::Obsolete(checkpoint));
                return decisions;
            }
        };
        if let Some(counted) = self.pending.get_mut(place) {
            decisions.extend(counted.give_up(FailureReason::CheckpointDeclinedOnCancellationBarrier));
            counted.barrier = None;
        }
        decisions.extend(self.reach(place, channel));
        decisions
    }

    pub(crate) fn end_of_input(&mut self, channel: usize) -> Vec<Decision> {
        self.open.remove(&channel);
        self.has_ended = true;
        if !self.after_end {
            let reason = FailureReason::CheckpointDeclinedInputEndOfStream;
            return self.pending.drain(..).filter_map(|counted| counted.give_up(reason)).collect();
        }
        for counted in &mut self.pending {
            counted.reached.insert(channel);
        }
        // The newest that is now complete takes all older ones with it.
        let place = self.pending.iter().rposition(|counted| counted.reached.len() >= counted.target);
        place.map_or_else(Vec::new, |place| self.finish(place))
    }

    fn begin(&mut self, checkpoint: CheckpointId, barrier: Option<Barrier>) -> usize {
        self.newest = Some(checkpoint);
        if self.pending.len() >= MAX_PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back(Counted {
            checkpoint,
            barrier,
            reached: BTreeSet::new(),
            target: self.open.len(),
        });
        self.pending.len() - 1
    }

    fn reach(&mut self, place: usize, channel: usize) -> Vec<Decision> {
        let Some(counted) = self.pending.get_mut(place) else { return Vec::new() };
        counted.reached.insert(channel);
        if counted.reached.len() >= counted.target {
            return self.finish(place);
        }
        // What is cancelled is only counted.
        let of = counted.barrier.as_ref().map(|_| counted.target).into_iter();
        let (checkpoint, arrived) = (counted.checkpoint, counted.reached.len());
        of.map(|of| Decision::Aligning { checkpoint, arrived, of }).collect()
    }

    fn finish(&mut self, place: usize) -> Vec<Decision> {
        let finished = self.pending.drain(..=place).next_back();
        finished.and_then(|counted| counted.barrier).map(Decision::Checkpoint).into_iter().collect()
    }
}

impl Counted {
    fn give_up(&self, reason: FailureReason) -> Option<Decision> {
        self.barrier.as_ref()?;
        Some(Decision::GiveUp(self.checkpoint, reason))
    }
}
