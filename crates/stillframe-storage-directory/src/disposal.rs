//! How a checkpoint is removed: the metadata first, then the state, then the directory, and nothing that is
//! not ours.

use crate::layout;
use crate::place::{Place, has_metadata};
use std::collections::BTreeSet;
use stillframe_model::Name;
use stillframe_storage::{BlobEntry, ErrorKind, StorageError};

/// How often the contents are gone through, in case a task that has not heard of the end is still writing.
const ROUNDS: usize = 3;

/// How many foreign names an error shows.
const SHOWN: usize = 5;

/// What of a directory did not go.
#[derive(Debug)]
pub(crate) struct Rest {
    /// What it held when it was looked at last. Nothing, if the directory itself is what cannot be removed.
    pub(crate) entries: Vec<BlobEntry>,
    /// Why the directory could not be removed.
    pub(crate) error: StorageError,
}

/// Removes what is ours of a checkpoint's directory, but for the files that others still need.
pub(crate) async fn dispose(place: &Place, needed: &BTreeSet<Name>) -> Result<(), StorageError> {
    // An earlier call may have been interrupted between the two, so the second is done even when the metadata was gone already.
    if !place.list().await?.is_empty() {
        place.blobs.delete(&place.metadata()).await?;
    }
    settle(place).await?;
    match clear(place, needed).await? {
        None => Ok(()),
        Some(Rest { entries, .. })
            if !entries.is_empty() && entries.iter().all(|entry| is_in(needed, entry)) =>
        {
            Ok(())
        }
        Some(Rest { entries, error }) => Err(name_what_is_foreign(place, &entries, error)),
    }
}

/// Makes the removal of the metadata durable before any state goes.
///
/// A medium may make the removal of a state file durable first. After a power failure between the two the checkpoint would look
/// complete and not be. Where somebody else was faster, the whole directory is gone.
pub(crate) async fn settle(place: &Place) -> Result<(), StorageError> {
    match place.blobs.settle(&place.directory).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes what is ours and not needed of a directory whose metadata is gone, and the directory. `None` if that is gone, by
/// whomever.
pub(crate) async fn clear(place: &Place, needed: &BTreeSet<Name>) -> Result<Option<Rest>, StorageError> {
    let mut entries = place.list().await?;
    let mut round = 1;
    loop {
        // Whoever has not heard that the checkpoint goes may still publish it.
        if has_metadata(&entries) && !needed.contains(&layout::metadata()) {
            place.blobs.delete(&place.metadata()).await?;
            settle(place).await?;
        }
        entries.retain(|entry| is_due(needed, entry));
        let Err(error) = remove_state_and_directory(place, entries).await else { return Ok(None) };
        entries = place.list().await?;
        // An empty one may have been filled and emptied meanwhile. If it was not, the next round fails as well.
        let is_hopeless = !entries.is_empty() && !entries.iter().any(|entry| is_due(needed, entry));
        if round == ROUNDS || is_hopeless {
            return Ok(Some(Rest { entries, error }));
        }
        round += 1;
    }
}

/// Whether it has a name that we give.
pub(crate) fn is_ours(entry: &BlobEntry) -> bool {
    let is_sign = entry.name == layout::METADATA || entry.name == layout::DISPOSED;
    !entry.is_directory && (is_sign || layout::parse_state(&entry.name).is_some())
}

fn is_in(needed: &BTreeSet<Name>, entry: &BlobEntry) -> bool {
    Name::new(entry.name.as_str()).is_ok_and(|name| needed.contains(&name))
}

/// Whether something can go.
fn is_due(needed: &BTreeSet<Name>, entry: &BlobEntry) -> bool {
    is_ours(entry) && !is_in(needed, entry)
}

async fn remove_state_and_directory(place: &Place, mut due: Vec<BlobEntry>) -> Result<(), StorageError> {
    // As long as the mark is there, whoever finds the rest knows that it can go.
    due.sort_by_key(|entry| entry.name == layout::DISPOSED);
    for entry in &due {
        if entry.name == layout::DISPOSED {
            settle(place).await?;
        }
        if let Ok(name) = Name::new(entry.name.as_str()) {
            place.blobs.delete(&place.join(name)).await?;
        }
    }
    place.blobs.delete_directory(&place.directory).await
}

/// Says which objects keep a directory from being removed, where that is the reason.
fn name_what_is_foreign(place: &Place, rest: &[BlobEntry], error: StorageError) -> StorageError {
    let mut foreign =
        rest.iter().filter(|entry| !is_ours(entry)).map(|entry| entry.name.as_str()).collect::<Vec<_>>();
    if foreign.is_empty() {
        return error;
    }
    foreign.sort_unstable();
    let more = foreign.len().saturating_sub(SHOWN);
    foreign.truncate(SHOWN);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    StorageError::new(ErrorKind::Other, "remove", place.address())
        .with_detail(format!(
            "the directory stays because it holds what is not ours: {}{more}; move it away",
            foreign.join(", ")
        ))
        .with_source(error)
}
