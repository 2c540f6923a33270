use crate::storage::JobDirectory;
use crate::stream::DirectoryStream;
use async_trait::async_trait;
use std::sync::Arc;
use stillframe_model::{CheckpointId, LocationReference};
use stillframe_storage::{StateScope, StateStream, StorageError, WorkerStorage};

#[derive(Debug)]
pub(crate) struct DirectoryWorker(pub(crate) Arc<JobDirectory>);

#[async_trait]
impl WorkerStorage for DirectoryWorker {
    async fn create(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        _: StateScope,
    ) -> Result<Box<dyn StateStream>, StorageError> {
        let place = self.0.place(checkpoint, location)?;
        Ok(Box::new(DirectoryStream::new(place, Arc::clone(self.0.entropy()), self.0.inline_threshold())))
    }

    async fn sync(&self, checkpoint: CheckpointId, location: &LocationReference) -> Result<(), StorageError> {
        self.0.place(checkpoint, location).map(|_| ())
    }
}
