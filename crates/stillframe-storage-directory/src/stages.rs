//! How far commits are, for people who wonder. Nothing depends on it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use stillframe_model::CheckpointId;
use stillframe_storage::CommitStage;

/// The commits that have not returned.
#[derive(Debug, Default)]
pub(crate) struct Stages(Mutex<BTreeMap<CheckpointId, CommitStage>>);

/// One of them, until it returns, however it does.
pub(crate) struct Committing<'a> {
    stages: &'a Stages,
    checkpoint: CheckpointId,
}

impl Stages {
    pub(crate) fn begin(&self, checkpoint: CheckpointId) -> Committing<'_> {
        let committing = Committing { stages: self, checkpoint };
        committing.reached(CommitStage::Metadata);
        committing
    }

    pub(crate) fn of(&self, checkpoint: CheckpointId) -> Option<CommitStage> {
        self.entries().get(&checkpoint).copied()
    }

    /// Never held while anything is waited for.
    fn entries(&self) -> MutexGuard<'_, BTreeMap<CheckpointId, CommitStage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Committing<'_> {
    pub(crate) fn reached(&self, stage: CommitStage) {
        self.stages.entries().insert(self.checkpoint, stage);
    }
}

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        self.stages.entries().remove(&self.checkpoint);
    }
}
