//! A completed checkpoint of the rig, read back as a stranger would.

use super::numbers::Valve;
use super::rig::sums_of;
use super::sums::Sum;
use std::collections::BTreeMap;
use std::sync::Arc;
use stillframe::metadata;
use stillframe::model::{CheckpointMetadata, KeyGroupRange, Name, StorageDescriptor};
use stillframe::prelude::*;
use stillframe::state::{KeyedState, elements};
use stillframe::storage::{CompletedLocation, StorageAccess, StorageError, async_trait};
use tokio::sync::OnceCell;

/// What a checkpoint holds.
#[derive(Debug)]
pub(crate) struct Cut {
    /// Where the splits of the two sources stood.
    pub(crate) positions: [BTreeMap<u64, u64>; 2],
    pub(crate) sums: BTreeMap<u64, Sum>,
}

impl Cut {
    /// Reads a checkpoint of a job from its storage, which is [`Kept`] if the job may still run: opened anew, it would be
    /// claimed anew.
    pub(crate) async fn of(storage: &dyn CheckpointStorage, job: JobId, checkpoint: CheckpointId) -> Self {
        let access = storage.open(job).await.expect("the storage can be opened");
        let location =
            access.coordinator().open_checkpoint(checkpoint).await.expect("a completed checkpoint");
        Self::read(&*location).await
    }

    async fn read(location: &dyn CompletedLocation) -> Self {
        let bytes = location.metadata().await.expect("metadata");
        let metadata = metadata::decode(&bytes).expect("metadata that can be read");
        let positions = [
            Self::positions(location, &metadata, "left").await,
            Self::positions(location, &metadata, "right").await,
        ];
        let mut sums = BTreeMap::new();
        let operator = &metadata.operators[&Name::new("sums").expect("a name")];
        let all = KeyGroupRange { start: 0, end: operator.max_parallelism - 1 };
        for keyed in operator.subtasks.iter().filter_map(|subtask| subtask.keyed.as_ref()) {
            let mut parts = Vec::new();
            for handle in keyed.handles() {
                parts.push(location.read(handle).await.expect("state"));
            }
            let parts = parts.iter().map(|part| &part[..]);
            let state = KeyedState::<u64, Sum>::restore(all, operator.max_parallelism, parts);
            for (key, sum) in state.expect("state that can be read").iter() {
                assert_eq!(sums.insert(*key, *sum), None, "key {key} is in two subtasks");
            }
        }
        Self { positions, sums }
    }

    async fn positions(
        location: &dyn CompletedLocation,
        metadata: &CheckpointMetadata,
        source: &str,
    ) -> BTreeMap<u64, u64> {
        let mut positions = BTreeMap::new();
        let operator = &metadata.operators[&Name::new(source).expect("a name")];
        for list in operator.subtasks.iter().flat_map(|subtask| &subtask.operator) {
            let bytes = location.read(&list.handle).await.expect("state");
            for element in elements::decode(&bytes).expect("a list that can be read") {
                let (split, position): (u64, u64) = elements::decode_value(&element).expect("a position");
                assert_eq!(positions.insert(split, position), None, "split {split} is in two subtasks");
            }
        }
        positions
    }

    /// What the sums are if they hold exactly the numbers that the sources had emitted.
    pub(crate) fn sums_at_the_positions(&self) -> BTreeMap<u64, Sum> {
        let [left, right] = &self.positions;
        sums_of(Valve::numbers(0, left).chain(Valve::numbers(1, right)))
    }

    /// How many numbers the sources had emitted.
    pub(crate) fn emitted(&self) -> u64 {
        self.positions.iter().flat_map(BTreeMap::values).sum()
    }

    /// How many numbers are in the sums.
    pub(crate) fn summed(&self) -> u64 {
        self.sums.values().map(|sum| sum.count).sum()
    }

    /// # Panics
    /// If the sums hold other numbers than those that the sources had emitted.
    pub(crate) fn assert_consistent(&self) {
        assert_eq!(
            self.sums,
            self.sums_at_the_positions(),
            "emitted {}, summed {}",
            self.emitted(),
            self.summed()
        );
    }
}

/// A storage that gives out the access which it opened first, so that a test can look at what a running job has.
#[derive(Debug)]
pub(crate) struct Kept {
    inner: Arc<dyn CheckpointStorage>,
    access: OnceCell<Arc<dyn StorageAccess>>,
}

impl Kept {
    pub(crate) fn around(inner: Arc<dyn CheckpointStorage>) -> Arc<dyn CheckpointStorage> {
        Arc::new(Self { inner, access: OnceCell::new() })
    }
}

#[async_trait]
impl CheckpointStorage for Kept {
    fn descriptor(&self) -> StorageDescriptor {
        self.inner.descriptor()
    }

    async fn open(&self, job: JobId) -> Result<Arc<dyn StorageAccess>, StorageError> {
        self.access.get_or_try_init(|| self.inner.open(job)).await.cloned()
    }

    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.inner.resolve(pointer).await
    }
}
