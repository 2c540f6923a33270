//! From the text that a person gives to a checkpoint that can be read.

use crate::completed::DirectoryLocation;
use crate::layout;
use crate::place::{Place, has_metadata};
use crate::register::Retained;
use crate::register::store::RegisterStore;
use crate::roots::Roots;
use crate::seam::BlobStores;
use std::sync::Arc;
use stillframe_model::{CheckpointId, Pointer, Redacted};
use stillframe_storage::{BlobPath, CompletedLocation, ErrorKind, StorageError};

/// The place that a pointer names, whatever is there.
pub(crate) fn place(stores: &dyn BlobStores, pointer: &Pointer) -> Result<Place, StorageError> {
    if pointer.as_str().is_empty() {
        let detail = "it is empty; give the directory of a checkpoint or savepoint";
        return Err(refused(ErrorKind::InvalidPointer, pointer, detail));
    }
    let blobs = stores.at(directory_of(pointer.as_str()))?;
    Ok(Place { blobs, directory: BlobPath::root() })
}

pub(crate) async fn resolve(
    stores: &Arc<dyn BlobStores>,
    pointer: &Pointer,
) -> Result<Arc<dyn CompletedLocation>, StorageError> {
    let refuse = |kind, detail: &str| Err(refused(kind, pointer, detail));
    let place = place(&**stores, pointer)?;
    let entries = place.list().await?;
    if has_metadata(&entries) {
        let roots = roots_of(&**stores, &place.address()).await;
        return Ok(Arc::new(DirectoryLocation::new(place, Arc::clone(stores), roots)));
    }
    // The text may be relative, which helps nobody who does not know where it was given; the address is not.
    let address = place.address();
    if !entries.is_empty() || is_listed_by_its_parent(&**stores, &address).await {
        return refuse(
            ErrorKind::NotFound,
            "the directory has no _metadata, so the checkpoint was not completed or was discarded; give one that has it",
        );
    }
    refuse(ErrorKind::NotFound, &format!("nothing is at {address}"))
}

fn refused(kind: ErrorKind, pointer: &Pointer, detail: &str) -> StorageError {
    StorageError::new(kind, "resolve pointer", Redacted::new(pointer.as_str()).quote()).with_detail(detail)
}

/// The directory that the text means: itself, or the one that holds the `_metadata` it names.
fn directory_of(text: &str) -> &str {
    let trimmed = match text.trim_end_matches('/') {
        "" => text,
        trimmed => trimmed,
    };
    match trimmed.rsplit_once('/') {
        Some((directory, layout::METADATA)) => directory,
        None if trimmed == layout::METADATA => ".",
        _ => trimmed,
    }
}

/// The directories of others that a checkpoint may refer to, as the register says that lies beside it and retains it. Without
/// them nobody but its own job could restore a checkpoint that goes on with a claimed snapshot, and that job may have ended.
///
/// None for a savepoint and for a checkpoint that was moved. Its metadata alone is no reason to read anything outside its
/// directory.
async fn roots_of(stores: &dyn BlobStores, address: &str) -> Roots {
    let none = Roots::Known(Arc::from([]));
    let Some((register, checkpoint)) = register_beside(stores, address) else { return none };
    let entry = match register.newest().await {
        Ok(Some(entry)) if entry.job == register.job => entry,
        Ok(_) => return none,
        Err(error) => return Roots::Unread(Arc::new(error)),
    };
    let is_it = |one: &Retained| one.checkpoint == checkpoint && one.location.is_none();
    if !entry.retained.iter().any(is_it) {
        return Roots::NotRetained;
    }
    Roots::Known(entry.roots.iter().map(|root| root.address.as_str().into()).collect())
}

/// Where the register would be of the job whose checkpoint lies at this address, and which one that is.
fn register_beside(stores: &dyn BlobStores, address: &str) -> Option<(RegisterStore, CheckpointId)> {
    let (above, checkpoint) = address.rsplit_once('/')?;
    let (directory, job) = above.rsplit_once('/')?;
    let (job, checkpoint) = (job.parse().ok()?, layout::parse_checkpoint(checkpoint)?);
    let blobs = stores.at(if directory.is_empty() { "/" } else { directory }).ok()?;
    Some((RegisterStore { job, blobs }, checkpoint))
}

/// Whether an empty directory exists, which a blob store by itself cannot tell from none. Only chooses
/// between two texts of one error, so that a parent which may not be listed must not become another error.
async fn is_listed_by_its_parent(stores: &dyn BlobStores, directory: &str) -> bool {
    let Some((parent, own)) = directory.rsplit_once('/') else { return false };
    let Ok(blobs) = stores.at(parent) else { return false };
    let entries = blobs.list(&BlobPath::root()).await.unwrap_or_default();
    entries.iter().any(|entry| entry.name == own && entry.is_directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_to_metadata_means_its_directory() {
        for (text, directory) in [
            ("/c/chk-1", "/c/chk-1"),
            ("/c/chk-1/", "/c/chk-1"),
            ("/c/chk-1/_metadata", "/c/chk-1"),
            ("/c/_metadata/chk-1", "/c/_metadata/chk-1"),
            ("/c/chk-1/x_metadata", "/c/chk-1/x_metadata"),
            ("_metadata", "."),
            ("/", "/"),
        ] {
            assert_eq!(directory_of(text), directory, "{text}");
        }
    }
}
