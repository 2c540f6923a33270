use crate::live::verify;
use crate::register::Retained;
use crate::storage::JobDirectory;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::{Pointer, StateFile, StateHandle};
use stillframe_storage::{CompletedLocation, StateReader, StorageError};

/// A checkpoint of the register: its metadata has to be what the register says. What is missing of it may be so because the job
/// is somebody else's by now.
#[derive(Debug)]
pub(crate) struct RetainedLocation {
    pub(crate) directory: Arc<JobDirectory>,
    pub(crate) one: Retained,
    pub(crate) location: Arc<dyn CompletedLocation>,
}

impl RetainedLocation {
    async fn or_fenced<T>(&self, result: Result<T, StorageError>) -> Result<T, StorageError> {
        match result {
            Err(error) => Err(self.directory.tenure.or_fenced(error).await),
            found => found,
        }
    }
}

#[async_trait]
impl CompletedLocation for RetainedLocation {
    fn pointer(&self) -> &Pointer {
        self.location.pointer()
    }

    async fn metadata(&self) -> Result<Bytes, StorageError> {
        let bytes = self.location.metadata().await;
        self.or_fenced(bytes.and_then(|bytes| verify(&self.one, bytes, self.pointer().as_str()))).await
    }

    async fn open(&self, handle: &StateHandle) -> Result<Box<dyn StateReader>, StorageError> {
        self.or_fenced(self.location.open(handle).await).await
    }

    async fn read(&self, handle: &StateHandle) -> Result<Bytes, StorageError> {
        self.or_fenced(self.location.read(handle).await).await
    }

    fn foreign(&self, file: &StateFile) -> Option<StateFile> {
        self.location.foreign(file)
    }
}
