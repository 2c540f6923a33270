use crate::layout;
use crate::side_directory::SideDirectory;
use crate::storage::JobDirectory;
use crate::stream::DirectoryStream;
use crate::task_owned::TaskOwnedDirectory;
use crate::writable::WritableLocation;
use async_trait::async_trait;
use std::sync::Arc;
use stillframe_model::{CheckpointId, LocationReference};
use stillframe_storage::{StateScope, StateStream, StorageError, TaskOwnedStorage, WorkerStorage};

/// What the tasks of one process share: there is one for each job that is opened.
#[derive(Debug)]
pub(crate) struct DirectoryWorker {
    directory: Arc<JobDirectory>,
    shared: Arc<SideDirectory>,
    task_owned: Arc<TaskOwnedDirectory>,
}

impl DirectoryWorker {
    pub(crate) fn new(directory: Arc<JobDirectory>) -> Self {
        let beside = |path| SideDirectory::new(Arc::clone(&directory.blobs), path);
        let shared = Arc::new(beside(layout::shared(directory.job)));
        let task_owned = beside(layout::task_owned(directory.job));
        let task_owned = Arc::new(TaskOwnedDirectory::new(task_owned, Arc::clone(directory.entropy())));
        Self { directory, shared, task_owned }
    }

    fn begin(
        &self,
        checkpoint: CheckpointId,
        reference: &LocationReference,
    ) -> Result<WritableLocation, StorageError> {
        let place = self.directory.place(checkpoint, reference)?;
        // A place of its own belongs to whoever asked for it, so nothing outside of it may be needed to read it.
        let shared = (*reference == LocationReference::Default).then(|| Arc::clone(&self.shared));
        let entropy = Arc::clone(self.directory.entropy());
        Ok(WritableLocation::new(checkpoint, place, shared, entropy, self.directory.inline_threshold()))
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
        let begin = || self.begin(checkpoint, location);
        let (location, surplus) = self.directory.locations.get_or_begin(checkpoint, location, begin)?;
        for surplus in surplus {
            // It remembers a failure itself, and tells whoever still counts on it.
            let _ = surplus.close().await;
        }
        location.check("create")?;
        Ok(Box::new(DirectoryStream::new(location, scope)))
    }

    async fn sync(&self, checkpoint: CheckpointId, location: &LocationReference) -> Result<(), StorageError> {
        match self.directory.locations.get(checkpoint, location)? {
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
