//! What tasks are promised: where state goes, what a sync covers, and what is left of a failure.

mod failures;
mod locations;
mod placement;

use crate::completed::DirectoryLocation;
use crate::map_store::Medium;
use crate::place::Place;
use crate::roots::Roots;
use crate::{BlobStores, layout, reference};
use bytes::Bytes;
use futures_executor::block_on;
use std::sync::{Arc, LazyLock};
use stillframe_model::{CheckpointId, JobId, LocationReference, StateHandle};
use stillframe_storage::{
    BlobPath, CompletedLocation, ErrorKind, StateScope, StorageAccess, StorageError, WorkerStorage,
};

const JOB: JobId = JobId::from_bytes([0x11; 16]);
const DEFAULT: LocationReference = LocationReference::Default;
const THRESHOLD: usize = 1000;
/// A size for which a state goes into a segment.
const MIDDLE: usize = THRESHOLD + 1;

/// A job on a medium, as one process opened it.
struct Process {
    medium: Medium,
    access: Arc<dyn StorageAccess>,
}

impl Process {
    fn on(medium: Medium) -> Self {
        let storage = medium.storage("/c").with_inline_threshold(THRESHOLD as u32);
        Self { access: block_on(storage.open(JOB)).unwrap(), medium }
    }

    fn new() -> Self {
        Self::on(Medium::default())
    }

    fn begin(&self, checkpoint: u64) -> CheckpointId {
        begin(&self.medium, checkpoint)
    }

    /// Writes state, and does not sync it.
    async fn write(&self, checkpoint: CheckpointId, state: &Bytes) -> Result<StateHandle, StorageError> {
        write(&*self.access.worker(), checkpoint, &DEFAULT, StateScope::Exclusive, state).await
    }

    async fn sync(&self, checkpoint: CheckpointId) -> Result<(), StorageError> {
        self.access.worker().sync(checkpoint, &DEFAULT).await
    }

    fn read(&self, checkpoint: CheckpointId, handle: &StateHandle) -> Result<Bytes, StorageError> {
        block_on(completed(&self.medium, checkpoint).read(handle))
    }
}

/// Makes the directory of a checkpoint, as a coordinator does.
fn begin(medium: &Medium, checkpoint: u64) -> CheckpointId {
    let checkpoint = CheckpointId::new(checkpoint);
    let blobs = medium.at("/c").unwrap();
    block_on(blobs.create_directory(&layout::checkpoint(JOB, checkpoint))).unwrap();
    checkpoint
}

/// A place that no id leads to, as a savepoint has.
fn savepoint(medium: &Medium) -> LocationReference {
    let blobs = medium.at("/sp").unwrap();
    block_on(blobs.create_directory(&BlobPath::root())).unwrap();
    reference::encode("/sp")
}

fn completed(medium: &Medium, checkpoint: CheckpointId) -> DirectoryLocation {
    let place = Place { blobs: medium.at("/c").unwrap(), directory: layout::checkpoint(JOB, checkpoint) };
    DirectoryLocation::new(place, Arc::new(medium.clone()), Roots::Known(Arc::from([])))
}

async fn write(
    worker: &dyn WorkerStorage,
    checkpoint: CheckpointId,
    location: &LocationReference,
    scope: StateScope,
    state: &Bytes,
) -> Result<StateHandle, StorageError> {
    let mut stream = worker.create(checkpoint, location, scope).await?;
    stream.write(state.clone()).await?;
    Ok(stream.finish().await?.expect("it was written to"))
}

/// State that differs from one byte to the next and from one `salt` to another.
fn state(len: usize, salt: usize) -> Bytes {
    static NOISE: LazyLock<Bytes> = LazyLock::new(|| {
        // A linear congruential generator; its upper bits are good enough to tell bytes apart.
        let next = |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        std::iter::successors(Some(1), next).map(|state| state.to_be_bytes()[0]).take(8 << 20).collect()
    });
    NOISE.slice(salt..salt + len)
}
