//! What an earlier run of a job left behind.

use crate::layout;
use crate::storage::JobDirectory;
use stillframe_model::{CheckpointId, JobStatus};
use stillframe_storage::{ErrorKind, StorageError};

/// More than any word that tells how a job ended.
const STATUS_LIMIT: u64 = 64;

pub(crate) async fn survey(
    directory: &JobDirectory,
) -> Result<(Vec<CheckpointId>, Option<CheckpointId>, Option<JobStatus>), StorageError> {
    let (mut completed, mut newest, mut ended) = (Vec::new(), None, None);
    let mut found_end = false;
    for entry in directory.blobs.list(&layout::job(directory.job)).await? {
        if let Some(checkpoint) = layout::parse_checkpoint(&entry.name).filter(|_| entry.is_directory) {
            newest = newest.max(Some(checkpoint));
            let place = directory.checkpoint(checkpoint);
            if place.is_complete().await? {
                // Its publisher may have died between making the metadata visible and making it durable. What
                // is restored from, and reported, must not be able to vanish afterwards.
                place.blobs.settle(&place.directory).await?;
                completed.push(checkpoint);
            }
        }
        found_end |= entry.name == layout::ENDED && !entry.is_directory;
    }
    if found_end || !completed.is_empty() {
        directory.blobs.settle(&layout::job(directory.job)).await?;
    }
    if found_end {
        ended = Some(read_end(directory).await?);
    }
    completed.sort_unstable();
    Ok((completed, newest, ended))
}

/// The status that [`conclude`](crate::coordinator) wrote.
pub(crate) async fn read_end(directory: &JobDirectory) -> Result<JobStatus, StorageError> {
    let path = layout::job(directory.job).join(layout::ended());
    let word = directory.blobs.read(&path, STATUS_LIMIT).await?;
    layout::parse_status(&word).ok_or_else(|| {
        StorageError::new(ErrorKind::Corrupt, "read end of job from", directory.blobs.locate(&path))
            .with_detail(format!(
                "expected finished, canceled or failed, found \"{}\"; correct or remove the file",
                word.escape_ascii()
            ))
    })
}
