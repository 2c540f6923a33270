use crate::directories::Doubts;
use crate::disk::Disk;
use crate::entropy::SystemEntropy;
use crate::storage::FileSystemCheckpointStorage;
use async_trait::async_trait;
use std::sync::Arc;
use stillframe_model::{JobId, Pointer, StorageDescriptor};
use stillframe_storage::{CheckpointStorage, CompletedLocation, StorageAccess, StorageError};
use stillframe_storage_directory::{DirectoryStorage, Entropy};

/// A [`FileSystemCheckpointStorage`] on a disk of somebody else's making: one that fails, delays, counts, or is
/// no disk at all. Its descriptor says nothing of that disk.
#[derive(Clone, Debug)]
pub struct StorageOnDisk {
    storage: FileSystemCheckpointStorage,
    disk: Arc<dyn Disk>,
    entropy: Arc<dyn Entropy>,
    doubts: Doubts,
}

impl StorageOnDisk {
    pub(crate) fn new(storage: FileSystemCheckpointStorage, disk: Arc<dyn Disk>) -> Self {
        Self { storage, disk, entropy: Arc::new(SystemEntropy), doubts: Doubts::default() }
    }

    /// The same with unique names of another origin. They must never repeat on one disk.
    #[must_use]
    pub fn with_entropy(self, entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy, ..self }
    }

    fn directory_storage(&self) -> DirectoryStorage {
        self.storage.directory_storage(Arc::clone(&self.disk), Arc::clone(&self.entropy), self.doubts.clone())
    }
}

#[async_trait]
impl CheckpointStorage for StorageOnDisk {
    fn descriptor(&self) -> StorageDescriptor {
        self.storage.descriptor()
    }

    async fn open(&self, job: JobId) -> Result<Arc<dyn StorageAccess>, StorageError> {
        self.directory_storage().open(job).await
    }

    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.directory_storage().resolve(pointer).await
    }

    async fn dispose_savepoint(&self, savepoint: &Pointer) -> Result<(), StorageError> {
        self.directory_storage().dispose_savepoint(savepoint).await
    }

    async fn export(&self, snapshot: &Pointer, target: &str) -> Result<Pointer, StorageError> {
        self.directory_storage().export(snapshot, target).await
    }
}
