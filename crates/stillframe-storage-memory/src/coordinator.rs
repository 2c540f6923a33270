use crate::location::VaultLocation;
use crate::savepoint::Savepoints;
use crate::storage::NOT_EXTERNALLY_ADDRESSABLE;
use crate::vault::{Epoch, Holder, Vault};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe_model::{CheckpointId, JobId, JobStatus, LocationReference, Pointer, StateFile};
use stillframe_storage::{
    Claim, CompletedLocation, CoordinatorStorage, ErrorKind, Ownership, StorageError, Sweep, SweepMode,
};

/// Checkpoints in the vault, savepoints in files where there are any.
#[derive(Debug)]
pub(crate) struct VaultCoordinator {
    job: JobId,
    vault: Arc<Vault>,
    savepoints: Savepoints,
    max_total_size: u64,
    /// Its claim, once it has made one.
    epoch: Mutex<Option<Epoch>>,
}

impl VaultCoordinator {
    pub(crate) fn new(job: JobId, vault: Arc<Vault>, savepoints: Savepoints, max_total_size: u64) -> Self {
        Self { job, vault, savepoints, max_total_size, epoch: Mutex::new(None) }
    }

    fn holder(&self, operation: &'static str) -> Result<Holder, StorageError> {
        match *self.epoch() {
            Some(epoch) => Ok(Holder { job: self.job, epoch }),
            None => Err(StorageError::new(ErrorKind::Other, operation, self.job.to_string())
                .with_detail("the job was not claimed; claim it first")),
        }
    }

    fn epoch(&self) -> MutexGuard<'_, Option<Epoch>> {
        self.epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CoordinatorStorage for VaultCoordinator {
    fn is_highly_available(&self) -> bool {
        false
    }

    fn has_default_savepoint_location(&self) -> bool {
        self.savepoints.has_default()
    }

    async fn claim(&self) -> Result<Claim, StorageError> {
        let mut epoch = self.epoch();
        match *epoch {
            Some(epoch) => self.vault.claim_again(Holder { job: self.job, epoch }),
            None => {
                let (new, claim) = self.vault.claim(self.job);
                *epoch = Some(new);
                Ok(claim)
            }
        }
    }

    async fn begin_checkpoint(&self, checkpoint: CheckpointId) -> Result<LocationReference, StorageError> {
        self.vault.begin(self.holder("begin checkpoint")?, checkpoint, true)?;
        Ok(LocationReference::Default)
    }

    async fn begin_savepoint(
        &self,
        checkpoint: CheckpointId,
        target: Option<&str>,
    ) -> Result<LocationReference, StorageError> {
        let holder = self.holder("begin savepoint")?;
        let target = self.savepoints.target(checkpoint, target)?;
        self.vault.begin(holder, checkpoint, false)?;
        target.begin(self.job).await
    }

    async fn commit(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
        dropped: &[CheckpointId],
    ) -> Result<Pointer, StorageError> {
        const OPERATION: &str = "commit checkpoint";
        let holder = self.holder(OPERATION)?;
        if *location != LocationReference::Default {
            return Err(made_by_another(OPERATION, checkpoint));
        }
        self.vault.commit(holder, checkpoint, metadata, dropped, self.max_total_size)?;
        Ok(Pointer::new(NOT_EXTERNALLY_ADDRESSABLE))
    }

    async fn publish_savepoint(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
    ) -> Result<Pointer, StorageError> {
        const OPERATION: &str = "publish savepoint";
        self.vault.claim_again(self.holder(OPERATION)?)?;
        match self.savepoints.place(OPERATION, checkpoint, location)? {
            Some(place) => place.publish(metadata).await,
            None => Err(made_by_another(OPERATION, checkpoint)),
        }
    }

    async fn open_checkpoint(
        &self,
        checkpoint: CheckpointId,
    ) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        let (metadata, left) = self.vault.open(self.job, *self.epoch(), checkpoint)?;
        Ok(Arc::new(VaultLocation::new(metadata, left)))
    }

    async fn adopt(
        &self,
        snapshot: Arc<dyn CompletedLocation>,
        checkpoint: CheckpointId,
        ownership: Ownership,
    ) -> Result<Claim, StorageError> {
        let holder = self.holder("adopt snapshot")?;
        match ownership {
            Ownership::Left => self.vault.adopt(holder, checkpoint, Some(snapshot)),
            Ownership::Unclaimed => self.vault.adopt(holder, checkpoint, None),
            Ownership::Taken => {
                self.vault.claim_again(holder)?;
                Err(StorageError::new(ErrorKind::Unsupported, "adopt snapshot", checkpoint.to_string())
                    .with_detail("a storage in memory cannot remove it later; leave it to its owner, or use FileSystemCheckpointStorage"))
            }
        }
    }

    async fn discard(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
    ) -> Result<(), StorageError> {
        const OPERATION: &str = "discard checkpoint";
        let holder = self.holder(OPERATION)?;
        match self.savepoints.place(OPERATION, checkpoint, location)? {
            None => self.vault.discard(holder, checkpoint),
            Some(place) => {
                self.vault.claim_again(holder)?;
                place.discard().await
            }
        }
    }

    async fn remove(&self, checkpoint: CheckpointId, _: &[StateFile]) -> Result<(), StorageError> {
        self.vault.remove(self.holder("remove checkpoint")?, checkpoint)
    }

    async fn conclude(&self, status: JobStatus, dropped: &[CheckpointId]) -> Result<(), StorageError> {
        self.vault.conclude(self.holder("conclude job")?, status, dropped)
    }

    async fn sweep(&self, mode: SweepMode) -> Result<Sweep, StorageError> {
        self.vault.sweep(self.holder("sweep job")?, mode)
    }
}

pub(crate) fn made_by_another(operation: &'static str, checkpoint: CheckpointId) -> StorageError {
    StorageError::new(ErrorKind::InvalidPointer, operation, checkpoint.to_string())
        .with_detail("the location reference was made by another storage")
}
