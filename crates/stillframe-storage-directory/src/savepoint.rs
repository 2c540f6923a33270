//! Where a savepoint goes, and how it is disposed of.

use crate::place::{Place, has_metadata};
use crate::seam::{BlobStores, Entropy};
use crate::{disposal, layout, pointer};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use stillframe_metadata as metadata;
use stillframe_model::{CheckpointMetadata, JobId, Pointer};
use stillframe_storage::{BlobPath, BlobStore, CompletedLocation, ErrorKind, StorageError};

/// How many names are tried for a savepoint, as in Flink.
const ATTEMPTS: usize = 10;

/// Makes a directory for one savepoint at the root of this store.
pub(crate) async fn begin(
    blobs: Arc<dyn BlobStore>,
    job: JobId,
    entropy: &dyn Entropy,
) -> Result<Place, StorageError> {
    let mut attempt = 1;
    loop {
        let directory = BlobPath::root().join(layout::savepoint(job, entropy.draw()?));
        match blobs.create_directory(&directory).await {
            Ok(()) => return Ok(Place { blobs, directory }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Removes a savepoint. What is no savepoint stays as it is.
///
/// Its metadata goes first, as of everything that is removed, and then nothing would tell the rest from a savepoint that is just
/// being written. So a mark says it, which goes last.
pub(crate) async fn dispose(stores: &Arc<dyn BlobStores>, savepoint: &Pointer) -> Result<(), StorageError> {
    let place = pointer::place(&**stores, savepoint)?;
    let entries = place.list().await?;
    let is_marked = entries.iter().any(|entry| entry.name == layout::DISPOSED && !entry.is_directory);
    if has_metadata(&entries) || !is_marked {
        let location = pointer::resolve(stores, savepoint).await?;
        let CheckpointMetadata { job, checkpoint, kind, .. } = content(&*location).await?;
        if !kind.is_savepoint() {
            let detail = format!(
                "it is {kind} {checkpoint} of job {job}, which removes it when it drops it; of a job that will not run again the \
                 whole directory can be removed"
            );
            return Err(StorageError::new(
                ErrorKind::InvalidPointer,
                "dispose of savepoint",
                place.address(),
            )
            .with_detail(detail));
        }
    }
    if !is_marked {
        match place.blobs.publish(&place.join(layout::disposed()), Bytes::new()).await {
            // Somebody else disposes of it too.
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    disposal::dispose(&place, &BTreeSet::new()).await
}

/// What a snapshot consists of, checked.
pub(crate) async fn content(location: &dyn CompletedLocation) -> Result<CheckpointMetadata, StorageError> {
    let bytes = location.metadata().await?;
    metadata::decode(&bytes).map_err(|error| {
        StorageError::new(ErrorKind::Corrupt, "read metadata of", location.pointer().as_str())
            .with_detail("use another checkpoint or savepoint, and look at the medium")
            .with_source(error)
    })
}
