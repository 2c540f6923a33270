//! Which completed checkpoints are kept.

use crate::RetainedState;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use stillframe_config::Retention as Policy;
use stillframe_model::{CheckpointId, JobStatus};

/// The completed checkpoints of the job. Savepoints are never among them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Retained {
    policy: Policy,
    completed: BTreeSet<CheckpointId>,
    /// Left to their owners: the job may rely on them, and neither counts nor drops them.
    left: BTreeSet<CheckpointId>,
}

impl Retained {
    pub(crate) fn new(policy: Policy, restored: &[RetainedState]) -> Self {
        let ids = |is_owned: bool| {
            restored
                .iter()
                .filter(move |state| state.is_owned == is_owned)
                .map(|state| state.checkpoint)
                .collect()
        };
        Self { policy, completed: ids(true), left: ids(false) }
    }

    /// Those that a checkpoint replaces when it completes, oldest first. It replaces as many as are too many with it, and
    /// never itself: that is what remains of Flink's rule where no savepoint is among the retained.
    pub(crate) fn replaced_by(&self, checkpoint: CheckpointId) -> Vec<CheckpointId> {
        let keep = usize::try_from(self.policy.max_retained.get()).unwrap_or(usize::MAX);
        let others = self.completed.iter().filter(|other| **other != checkpoint);
        let too_many = (others.clone().count() + 1).saturating_sub(keep);
        others.copied().take(too_many).collect()
    }

    /// Takes in a new one, and gives up those that it replaces.
    pub(crate) fn admit(&mut self, checkpoint: CheckpointId, dropped: &[CheckpointId]) {
        self.completed.insert(checkpoint);
        self.give_up(dropped);
    }

    pub(crate) fn latest(&self) -> Option<CheckpointId> {
        self.completed.last().max(self.left.last()).copied()
    }

    /// Those that the end of the job makes superfluous, oldest first.
    pub(crate) fn superfluous_after(&self, status: JobStatus) -> Vec<CheckpointId> {
        if self.policy.keeps_after(status) { Vec::new() } else { self.completed.iter().copied().collect() }
    }

    pub(crate) fn give_up(&mut self, dropped: &[CheckpointId]) {
        self.completed.retain(|checkpoint| !dropped.contains(checkpoint));
    }

    /// Whether it consists of these, which are in order.
    pub(crate) fn consists_of(&self, ids: impl Iterator<Item = CheckpointId>) -> bool {
        // Asked after every event, and hardly any job has somebody else's.
        if self.left.is_empty() {
            ids.eq(self.completed.iter().copied())
        } else {
            ids.eq(self.completed.union(&self.left).copied())
        }
    }
}
