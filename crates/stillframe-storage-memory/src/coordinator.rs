use crate::storage::NOT_EXTERNALLY_ADDRESSABLE;
use crate::vault::Vault;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::{CheckpointId, JobId, JobStatus, LocationReference, Pointer, StateHandle};
use stillframe_storage::{CompletedLocation, CoordinatorStorage, ErrorKind, StorageError, Survey};

#[derive(Debug)]
pub(crate) struct VaultCoordinator {
    job: JobId,
    vault: Arc<Vault>,
}

impl VaultCoordinator {
    pub(crate) fn new(job: JobId, vault: Arc<Vault>) -> Self {
        Self { job, vault }
    }
}

#[async_trait]
impl CoordinatorStorage for VaultCoordinator {
    async fn survey(&self) -> Result<Survey, StorageError> {
        Ok(self.vault.survey(self.job))
    }

    async fn begin_checkpoint(&self, checkpoint: CheckpointId) -> Result<LocationReference, StorageError> {
        self.vault.begin(self.job, checkpoint)?;
        Ok(LocationReference::Default)
    }

    async fn begin_savepoint(
        &self,
        checkpoint: CheckpointId,
        _: Option<&str>,
    ) -> Result<LocationReference, StorageError> {
        Err(StorageError::new(ErrorKind::Unsupported, "begin savepoint", checkpoint.to_string())
            .with_detail("a storage in memory keeps no savepoints; use FileSystemCheckpointStorage"))
    }

    async fn publish(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
    ) -> Result<Pointer, StorageError> {
        require_default("publish checkpoint", checkpoint, location)?;
        self.vault.publish(self.job, checkpoint, metadata)?;
        Ok(Pointer::new(NOT_EXTERNALLY_ADDRESSABLE))
    }

    async fn open_checkpoint(
        &self,
        checkpoint: CheckpointId,
    ) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        let metadata = self.vault.metadata(self.job, checkpoint)?;
        Ok(Arc::new(VaultLocation { metadata, pointer: Pointer::new(NOT_EXTERNALLY_ADDRESSABLE) }))
    }

    async fn discard(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
    ) -> Result<(), StorageError> {
        require_default("discard checkpoint", checkpoint, location)?;
        self.vault.discard(self.job, checkpoint);
        Ok(())
    }

    async fn conclude(&self, status: JobStatus) -> Result<(), StorageError> {
        match status {
            JobStatus::Suspended => Ok(()),
            JobStatus::Finished | JobStatus::Canceled | JobStatus::Failed => {
                self.vault.conclude(self.job, status)
            }
        }
    }
}

/// There is one place for each checkpoint here, so any other reference was made by another storage.
pub(crate) fn require_default(
    operation: &'static str,
    checkpoint: CheckpointId,
    location: &LocationReference,
) -> Result<(), StorageError> {
    match location {
        LocationReference::Default => Ok(()),
        LocationReference::Encoded(_) => {
            Err(StorageError::new(ErrorKind::InvalidPointer, operation, checkpoint.to_string())
                .with_detail("the location reference was made by another storage"))
        }
    }
}

#[derive(Debug)]
struct VaultLocation {
    metadata: Bytes,
    pointer: Pointer,
}

#[async_trait]
impl CompletedLocation for VaultLocation {
    fn pointer(&self) -> &Pointer {
        &self.pointer
    }

    async fn metadata(&self) -> Result<Bytes, StorageError> {
        Ok(self.metadata.clone())
    }

    async fn read(&self, handle: &StateHandle) -> Result<Bytes, StorageError> {
        match handle {
            StateHandle::Inline(bytes) => Ok(bytes.clone()),
            StateHandle::File(file) => {
                Err(StorageError::new(ErrorKind::NotFound, "read state", file.name.to_string())
                    .with_detail("a storage in memory has no files; the handle was made by another storage"))
            }
        }
    }
}
