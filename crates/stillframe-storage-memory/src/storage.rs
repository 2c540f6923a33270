use crate::coordinator::VaultCoordinator;
use crate::stream::MemoryWorker;
use crate::vault::Vault;
use async_trait::async_trait;
use std::sync::Arc;
use stillframe_model::{JobId, JobManagerDescriptor, Pointer, Redacted, StorageDescriptor, StoragePath};
use stillframe_storage::{
    CheckpointStorage, CompletedLocation, CoordinatorStorage, ErrorKind, StorageAccess, StorageError,
    WorkerStorage,
};

/// The pointer of every checkpoint in this storage, word for word as in Flink. It cannot be resolved.
pub const NOT_EXTERNALLY_ADDRESSABLE: &str = "<checkpoint-not-externally-addressable>";

/// Keeps checkpoints in the memory of the process that runs the coordinator. They survive failed tasks and
/// restarts of the job within the process, not the end of the process.
///
/// In Flink, the paths that it can be configured with take the metadata and the savepoints. Here they are
/// recorded and travel in the descriptor, but nothing is written to them yet: a checkpoint stays in memory, and a
/// savepoint is refused, with or without them.
///
/// Clones share what they hold. A storage that is built from a [descriptor](CheckpointStorage::descriptor)
/// begins empty.
#[derive(Clone, Debug, Default)]
pub struct JobManagerCheckpointStorage {
    descriptor: JobManagerDescriptor,
    vault: Arc<Vault>,
}

impl JobManagerCheckpointStorage {
    /// The default of [`max_state_size`](Self::max_state_size): 5 MiB.
    pub const DEFAULT_MAX_STATE_SIZE: u64 = JobManagerDescriptor::DEFAULT_MAX_STATE_SIZE;

    /// An empty storage with the default limit.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same storage with an address for the metadata of checkpoints. Recorded, and not used yet.
    #[must_use]
    pub fn with_checkpoint_path(self, path: StoragePath) -> Self {
        Self { descriptor: self.descriptor.with_checkpoint_path(path), ..self }
    }

    /// The same storage with an address for savepoints. Recorded, and not used yet.
    #[must_use]
    pub fn with_savepoint_path(self, path: StoragePath) -> Self {
        Self { descriptor: self.descriptor.with_savepoint_path(path), ..self }
    }

    /// The same storage with another limit for the state that a task writes into one stream, in bytes.
    ///
    /// # Errors
    /// `InvalidOption` for zero.
    pub fn with_max_state_size(self, bytes: u64) -> Result<Self, StorageError> {
        let descriptor = self.descriptor.with_max_state_size(bytes)?;
        Ok(Self { descriptor, ..self })
    }

    /// The address for the metadata of checkpoints, if one was set.
    #[must_use]
    #[doc(alias = "get_checkpoint_path", alias = "getCheckpointPath")]
    pub fn checkpoint_path(&self) -> Option<&StoragePath> {
        self.descriptor.checkpoint_path()
    }

    /// The address for savepoints, if one was set.
    #[must_use]
    #[doc(alias = "get_savepoint_path", alias = "getSavepointPath")]
    pub fn savepoint_path(&self) -> Option<&StoragePath> {
        self.descriptor.savepoint_path()
    }

    /// The largest state that a task can write into one stream, in bytes.
    #[must_use]
    #[doc(alias = "get_max_state_size", alias = "getMaxStateSize")]
    pub fn max_state_size(&self) -> u64 {
        self.descriptor.max_state_size()
    }

    /// The storage that a descriptor describes. It is empty, whatever the described one holds.
    ///
    /// # Errors
    /// `InvalidOption` for another kind, and for an option that is unknown, of the wrong type or out of
    /// range.
    pub fn from_descriptor(descriptor: &StorageDescriptor) -> Result<Self, StorageError> {
        let descriptor = JobManagerDescriptor::try_from(descriptor)?;
        Ok(Self { descriptor, vault: Arc::default() })
    }

    #[cfg(test)]
    pub(crate) fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }
}

impl From<&JobManagerCheckpointStorage> for StorageDescriptor {
    fn from(storage: &JobManagerCheckpointStorage) -> Self {
        storage.descriptor.clone().into()
    }
}

impl From<JobManagerCheckpointStorage> for StorageDescriptor {
    fn from(storage: JobManagerCheckpointStorage) -> Self {
        Self::from(&storage)
    }
}

#[async_trait]
impl CheckpointStorage for JobManagerCheckpointStorage {
    fn descriptor(&self) -> StorageDescriptor {
        self.into()
    }

    async fn open(&self, job: JobId) -> Result<Arc<dyn StorageAccess>, StorageError> {
        Ok(Arc::new(MemoryAccess { job, storage: self.clone() }))
    }

    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        let subject = format!("{:?}", Redacted::new(pointer.as_str()));
        Err(StorageError::new(ErrorKind::InvalidPointer, "resolve pointer", subject)
            .with_detail("checkpoints in memory have no address; use FileSystemCheckpointStorage to restore from a pointer"))
    }
}

#[derive(Debug)]
struct MemoryAccess {
    job: JobId,
    storage: JobManagerCheckpointStorage,
}

impl StorageAccess for MemoryAccess {
    fn coordinator(&self) -> Arc<dyn CoordinatorStorage> {
        Arc::new(VaultCoordinator::new(self.job, Arc::clone(&self.storage.vault)))
    }

    fn worker(&self) -> Arc<dyn WorkerStorage> {
        Arc::new(MemoryWorker::new(self.storage.max_state_size()))
    }
}
