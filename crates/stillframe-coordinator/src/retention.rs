//! Which completed checkpoints are kept.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use stillframe_config::Retention as Policy;
use stillframe_model::{CheckpointId, JobStatus};

/// The completed checkpoints of the job. Savepoints are never among them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Retained {
    policy: Policy,
    completed: BTreeSet<CheckpointId>,
}

impl Retained {
    pub(crate) fn new(policy: Policy, restored: impl IntoIterator<Item = CheckpointId>) -> Self {
        Self { policy, completed: restored.into_iter().collect() }
    }

    /// Takes in a new one and gives back those that it replaces, oldest first.
    pub(crate) fn admit(&mut self, checkpoint: CheckpointId) -> Vec<CheckpointId> {
        self.completed.insert(checkpoint);
        let keep = usize::try_from(self.policy.max_retained.get()).unwrap_or(usize::MAX);
        let mut subsumed = Vec::new();
        while self.completed.len() > keep
            && let Some(oldest) = self.completed.pop_first()
        {
            subsumed.push(oldest);
        }
        subsumed
    }

    pub(crate) fn latest(&self) -> Option<CheckpointId> {
        self.completed.last().copied()
    }

    /// Gives up those that the end of the job makes superfluous.
    pub(crate) fn release_at(&mut self, status: JobStatus) -> BTreeSet<CheckpointId> {
        if self.policy.keeps_after(status) { BTreeSet::new() } else { core::mem::take(&mut self.completed) }
    }
}
