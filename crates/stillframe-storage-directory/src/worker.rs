use crate::layout;
use crate::side_directory::SideDirectory;
use crate::storage::JobDirectory;
use crate::stream::DirectoryStream;
use crate::task_owned::TaskOwnedDirectory;
use crate::writable::WritableLocation;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe_model::{CheckpointId, LocationReference};
use stillframe_storage::{ErrorKind, StateScope, StateStream, StorageError, TaskOwnedStorage, WorkerStorage};

/// For how many checkpoints a segment may be open at once. More are under way only if some were given up
/// without anybody saying so.
const OPEN_LOCATIONS: usize = 8;

/// How many failed checkpoints are remembered one by one.
const FAILED_LOCATIONS: usize = 256;

/// What the tasks of one process share, so that their states go into the same segments: there is one for each
/// job that is opened.
#[derive(Debug)]
pub(crate) struct DirectoryWorker {
    directory: Arc<JobDirectory>,
    shared: Arc<SideDirectory>,
    task_owned: Arc<TaskOwnedDirectory>,
    locations: Mutex<Locations>,
}

#[derive(Debug, Default)]
struct Locations {
    /// Those that a task writes to, or that hold what is not durable, or that failed. For any other checkpoint
    /// there is nothing to make durable.
    used: BTreeMap<(CheckpointId, LocationReference), Arc<WritableLocation>>,
    /// Of the checkpoints up to this one it is not known any more which failed.
    forgotten: Option<CheckpointId>,
}

impl DirectoryWorker {
    pub(crate) fn new(directory: Arc<JobDirectory>) -> Self {
        let beside = |path| SideDirectory::new(Arc::clone(&directory.blobs), path);
        let shared = Arc::new(beside(layout::shared(directory.job)));
        let task_owned = beside(layout::task_owned(directory.job));
        let task_owned = Arc::new(TaskOwnedDirectory::new(task_owned, Arc::clone(directory.entropy())));
        Self { directory, shared, task_owned, locations: Mutex::default() }
    }

    /// The location that tasks share, and those that are to be closed because of it.
    fn location(
        &self,
        checkpoint: CheckpointId,
        reference: &LocationReference,
    ) -> Result<(Arc<WritableLocation>, Vec<Arc<WritableLocation>>), StorageError> {
        let mut locations = self.locations();
        let key = (checkpoint, reference.clone());
        if let Some(location) = locations.used.get(&key) {
            return Ok((Arc::clone(location), Vec::new()));
        }
        locations.refuse_forgotten(checkpoint)?;
        let place = self.directory.place(checkpoint, reference)?;
        // A place of its own belongs to whoever asked for it, so nothing outside of it may be needed to read it.
        let shared = (*reference == LocationReference::Default).then(|| Arc::clone(&self.shared));
        let entropy = Arc::clone(self.directory.entropy());
        let threshold = self.directory.inline_threshold();
        let location = Arc::new(WritableLocation::new(checkpoint, place, shared, entropy, threshold));
        let surplus = locations.make_room(checkpoint);
        locations.used.insert(key, Arc::clone(&location));
        Ok((location, surplus))
    }

    fn locations(&self) -> MutexGuard<'_, Locations> {
        self.locations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Locations {
    /// Lets go of what a checkpoint before `newest` no longer needs. Gives what has to be closed first.
    fn make_room(&mut self, newest: CheckpointId) -> Vec<Arc<WritableLocation>> {
        // Only who holds `self` can make another reference, so a count of one cannot change meanwhile.
        self.used.retain(|(checkpoint, _), location| {
            *checkpoint >= newest || Arc::strong_count(location) > 1 || !location.is_durable()
        });
        let mut failed = Vec::new();
        let mut open = Vec::new();
        for (key, location) in &self.used {
            if location.has_failed() {
                location.give_up();
                failed.push(key.clone());
            } else {
                open.push(Arc::clone(location));
            }
        }
        for key in failed.iter().take(failed.len().saturating_sub(FAILED_LOCATIONS - 1)) {
            self.used.remove(key);
            self.forgotten = self.forgotten.max(Some(key.0));
        }
        open.truncate((open.len() + 1).saturating_sub(OPEN_LOCATIONS));
        open
    }

    fn refuse_forgotten(&self, checkpoint: CheckpointId) -> Result<(), StorageError> {
        if self.forgotten.is_none_or(|forgotten| checkpoint > forgotten) {
            return Ok(());
        }
        Err(StorageError::new(ErrorKind::Other, "write state of checkpoint", checkpoint.to_string())
            .with_detail("so many failed since that it may be one of them; decline the checkpoint"))
    }
}

#[async_trait]
impl WorkerStorage for DirectoryWorker {
    async fn create(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        scope: StateScope,
    ) -> Result<Box<dyn StateStream>, StorageError> {
        let (location, surplus) = self.location(checkpoint, location)?;
        for surplus in surplus {
            // It remembers a failure itself, and tells whoever still counts on it.
            let _ = surplus.close().await;
        }
        location.check("create")?;
        Ok(Box::new(DirectoryStream::new(location, scope)))
    }

    async fn sync(&self, checkpoint: CheckpointId, location: &LocationReference) -> Result<(), StorageError> {
        let used = {
            let locations = self.locations();
            let used = locations.used.get(&(checkpoint, location.clone())).map(Arc::clone);
            if used.is_none() {
                locations.refuse_forgotten(checkpoint)?;
            }
            used
        };
        match used {
            Some(location) => location.sync().await,
            None => self.directory.place(checkpoint, location).map(|_| ()),
        }
    }

    fn task_owned(&self) -> Option<Arc<dyn TaskOwnedStorage>> {
        Some(Arc::clone(&self.task_owned) as Arc<dyn TaskOwnedStorage>)
    }
}

#[cfg(test)]
mod tests;
