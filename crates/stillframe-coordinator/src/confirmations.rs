//! Who has let out what it held back for completed checkpoints.

use crate::plan::Layout;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use stillframe_model::{CheckpointId, TaskId};

/// For how many checkpoints is kept who is missing. A task that never commits must not cost memory for ever.
const MAX_OUTSTANDING: usize = 16;

/// Completed checkpoints whose tasks have not all committed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Confirmations {
    outstanding: BTreeMap<CheckpointId, Outstanding>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Outstanding {
    /// By the places of the tasks.
    missing: Vec<bool>,
    number: usize,
}

impl Confirmations {
    /// These tasks are told to commit. Says whether nobody is, so that there is nothing to wait for.
    pub(crate) fn expect(
        &mut self,
        checkpoint: CheckpointId,
        layout: &Layout,
        tasks: impl Iterator<Item = TaskId>,
    ) -> bool {
        let mut missing = vec![false; layout.len()];
        let mut number = 0;
        for place in tasks.filter_map(|task| layout.place(task)) {
            if let Some(missing) = missing.get_mut(place) {
                *missing = true;
                number += 1;
            }
        }
        if number == 0 {
            return true;
        }
        self.outstanding.insert(checkpoint, Outstanding { missing, number });
        if self.outstanding.len() > MAX_OUTSTANDING {
            self.outstanding.pop_first();
        }
        false
    }

    /// A task has committed this one and all before. Gives back those that nobody is missing of now, oldest first.
    pub(crate) fn confirm(&mut self, checkpoint: CheckpointId, place: usize) -> Vec<CheckpointId> {
        for (_, outstanding) in self.outstanding.range_mut(..=checkpoint) {
            if let Some(missing) = outstanding.missing.get_mut(place).filter(|missing| **missing) {
                *missing = false;
                outstanding.number -= 1;
            }
        }
        let done = self.outstanding.extract_if(..=checkpoint, |_, outstanding| outstanding.number == 0);
        done.map(|(checkpoint, _)| checkpoint).collect()
    }

    /// Nobody will confirm anything any more.
    pub(crate) fn stop(&mut self) {
        self.outstanding.clear();
    }
}
