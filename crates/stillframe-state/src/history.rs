use crate::KeyedBase;
use std::collections::BTreeMap;
use std::sync::Arc;
use stillframe_model::CheckpointId;

/// What became of the incremental snapshots of one subtask, and therefore on which of them the next may build: the newest
/// that is confirmed to be part of a complete checkpoint, and nothing else. One that is under way may still be given up,
/// and its files with it.
#[derive(Debug, Default)]
pub struct KeyedHistory {
    confirmed: Option<Arc<KeyedBase>>,
    /// Written for checkpoints of which nothing was heard yet.
    under_way: BTreeMap<CheckpointId, Arc<KeyedBase>>,
}

impl KeyedHistory {
    /// Of a subtask that was restored from this, or from nothing to build on.
    #[must_use]
    pub fn new(restored: Option<KeyedBase>) -> Self {
        Self { confirmed: restored.map(Arc::new), under_way: BTreeMap::new() }
    }

    /// On what a checkpoint that is captured now may build.
    #[must_use]
    pub fn confirmed(&self) -> Option<Arc<KeyedBase>> {
        self.confirmed.as_ref().map(Arc::clone)
    }

    /// The state was written for a checkpoint.
    pub fn written(&mut self, checkpoint: CheckpointId, base: KeyedBase) {
        self.under_way.insert(checkpoint, Arc::new(base));
    }

    /// A checkpoint is complete, and all earlier ones are over.
    pub fn confirm(&mut self, checkpoint: CheckpointId) {
        let later = self.under_way.split_off(&checkpoint.next());
        // If nothing was written for this one, what was confirmed before may be gone by now: it begins anew.
        self.confirmed = std::mem::replace(&mut self.under_way, later).remove(&checkpoint);
    }

    /// A checkpoint will not be complete.
    pub fn abort(&mut self, checkpoint: CheckpointId) {
        self.under_way.remove(&checkpoint);
    }
}
