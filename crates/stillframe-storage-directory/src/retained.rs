use crate::live::verify;
use crate::register::Retained;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::{Pointer, StateFile, StateHandle};
use stillframe_storage::{CompletedLocation, StateReader, StorageError};

/// A checkpoint of the register: its metadata has to be what the register says.
#[derive(Debug)]
pub(crate) struct RetainedLocation {
    pub(crate) one: Retained,
    pub(crate) location: Arc<dyn CompletedLocation>,
}

#[async_trait]
impl CompletedLocation for RetainedLocation {
    fn pointer(&self) -> &Pointer {
        self.location.pointer()
    }

    async fn metadata(&self) -> Result<Bytes, StorageError> {
        verify(&self.one, self.location.metadata().await?, self.pointer().as_str())
    }

    async fn open(&self, handle: &StateHandle) -> Result<Box<dyn StateReader>, StorageError> {
        self.location.open(handle).await
    }

    async fn read(&self, handle: &StateHandle) -> Result<Bytes, StorageError> {
        self.location.read(handle).await
    }

    fn foreign(&self, file: &StateFile) -> Option<StateFile> {
        self.location.foreign(file)
    }
}
