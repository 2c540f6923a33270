//! How a checkpoint is removed: the metadata first, then the state, then the directory, and nothing that is
//! not ours.

use crate::layout;
use crate::place::Place;
use std::collections::BTreeSet;
use stillframe_model::Name;
use stillframe_storage::{BlobEntry, ErrorKind, StorageError};

/// How often the contents are gone through, in case a task that has not heard of the end is still writing.
const ROUNDS: usize = 3;

/// How many foreign names an error shows.
const SHOWN: usize = 5;

/// Removes what is ours of a checkpoint's directory, but for the files that others still need.
pub(crate) async fn dispose(place: &Place, needed: &BTreeSet<Name>) -> Result<(), StorageError> {
    let is_empty = place.list().await?.is_empty();
    if !is_empty {
        place.blobs.delete(&place.metadata()).await?;
    }
    // A medium may make the removal of a state file durable before that of the metadata. After a power
    // failure between the two the checkpoint would look complete and not be. An earlier call may have been
    // interrupted right here, so this is done even when the metadata was gone already.
    match place.blobs.settle(&place.directory).await {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if is_empty {
        return place.blobs.delete_directory(&place.directory).await;
    }
    let mut round = 1;
    loop {
        let Err(error) = remove_state_and_directory(place, needed).await else { return Ok(()) };
        let rest = place.list().await?;
        // Where nothing is left it was the directory itself that could not be removed.
        let is_empty = rest.is_empty();
        if !is_empty && rest.iter().all(|entry| is_in(needed, entry)) {
            return Ok(());
        }
        let is_worth_it = is_empty || rest.iter().any(|entry| is_ours(entry) && !is_in(needed, entry));
        if round == ROUNDS || !is_worth_it {
            return Err(name_what_is_foreign(place, &rest, error));
        }
        round += 1;
    }
}

fn is_ours(entry: &BlobEntry) -> bool {
    !entry.is_directory && (entry.name == layout::DISPOSED || layout::parse_state(&entry.name).is_some())
}

fn is_in(needed: &BTreeSet<Name>, entry: &BlobEntry) -> bool {
    Name::new(entry.name.as_str()).is_ok_and(|name| needed.contains(&name))
}

async fn remove_state_and_directory(place: &Place, needed: &BTreeSet<Name>) -> Result<(), StorageError> {
    let mut entries = place.list().await?;
    entries.retain(|entry| is_ours(entry) && !is_in(needed, entry));
    // As long as the mark is there, whoever finds the rest knows that it can go.
    entries.sort_by_key(|entry| entry.name == layout::DISPOSED);
    for entry in &entries {
        if entry.name == layout::DISPOSED {
            place.blobs.settle(&place.directory).await?;
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
    StorageError::new(ErrorKind::Other, "discard checkpoint", place.address())
        .with_detail(format!(
            "the directory stays because it holds what is not ours: {}{more}; move it away",
            foreign.join(", ")
        ))
        .with_source(error)
}
