use crate::budget::Budget;
use crate::coordinator::VaultCoordinator;
use crate::savepoint::Savepoints;
use crate::stream::Limits;
use crate::vault::Vault;
use crate::worker::{LimitedWorker, MemoryWorker};
use async_trait::async_trait;
use std::sync::Arc;
use stillframe_model::{JobId, JobManagerDescriptor, Pointer, Redacted, StorageDescriptor, StoragePath};
use stillframe_storage::{
    CheckpointStorage, CompletedLocation, CoordinatorStorage, ErrorKind, StorageAccess, StorageError,
    WorkerStorage,
};
use stillframe_storage_directory::{BlobStores, DirectoryStorage, Entropy};

/// The pointer of every checkpoint that is nowhere but in memory, word for word as in Flink. It cannot be resolved.
pub const NOT_EXTERNALLY_ADDRESSABLE: &str = "<checkpoint-not-externally-addressable>";

/// Keeps checkpoints in the memory of the process that runs the coordinator. They survive failed tasks and
/// restarts of the job within the process, not the end of the process.
///
/// With a [checkpoint path](Self::with_checkpoint_path) the metadata goes into a directory, and with it the state, all of
/// which is inline; checkpoints then survive what that directory survives. Savepoints always go into a directory. Which
/// files there are is for the caller to say, by [`with_files`](Self::with_files).
///
/// Two limits hold. [`max_state_size`](Self::max_state_size) is Flink's, for the state of one stream, looked at when the
/// stream ends. [`max_total_size`](Self::max_total_size) bounds what would otherwise grow with the job: the state in this
/// process that somebody still refers to, and likewise the checkpoints that are kept in memory.
///
/// Clones share what they hold. A storage that is built from a [descriptor](CheckpointStorage::descriptor)
/// begins empty.
#[derive(Clone, Debug, Default)]
pub struct JobManagerCheckpointStorage {
    descriptor: JobManagerDescriptor,
    vault: Arc<Vault>,
    budget: Budget,
    files: Option<Files>,
}

/// How directories are reached.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) stores: Arc<dyn BlobStores>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl JobManagerCheckpointStorage {
    /// The default of [`max_state_size`](Self::max_state_size): 5 MiB.
    pub const DEFAULT_MAX_STATE_SIZE: u64 = JobManagerDescriptor::DEFAULT_MAX_STATE_SIZE;

    /// An empty storage with the default limit.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same storage with the files that it needs for a checkpoint path and for savepoints: how a directory is opened by
    /// its address, and where unique names come from.
    ///
    /// `stillframe::builtin_storages` gives the storages that it builds those of the local disk.
    #[must_use]
    pub fn with_files(self, stores: Arc<dyn BlobStores>, entropy: Arc<dyn Entropy>) -> Self {
        Self { files: Some(Files { stores, entropy }), ..self }
    }

    /// The same storage with an address below which the metadata of checkpoints goes. A storage that has one needs
    /// [files](Self::with_files).
    #[must_use]
    pub fn with_checkpoint_path(self, path: StoragePath) -> Self {
        Self { descriptor: self.descriptor.with_checkpoint_path(path), ..self }
    }

    /// The same storage with an address below which savepoints go when a request names none.
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

    /// The same storage with another limit for what is held at once, in bytes.
    ///
    /// # Errors
    /// `InvalidOption` for zero.
    pub fn with_max_total_size(self, bytes: u64) -> Result<Self, StorageError> {
        let descriptor = self.descriptor.with_max_total_size(bytes)?;
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

    /// The most that is held at once, in bytes: of the state of all streams in this process that somebody still refers to,
    /// and of the checkpoints that are kept in memory. 64 times the [limit for a stream](Self::max_state_size) where none is
    /// set.
    #[must_use]
    pub fn max_total_size(&self) -> u64 {
        self.descriptor.max_total_size()
    }

    /// The storage that a descriptor describes. It is empty, whatever the described one holds, and has no
    /// [files](Self::with_files) yet.
    ///
    /// # Errors
    /// `InvalidOption` for another kind, and for an option that is unknown, of the wrong type or out of
    /// range.
    pub fn from_descriptor(descriptor: &StorageDescriptor) -> Result<Self, StorageError> {
        let descriptor = JobManagerDescriptor::try_from(descriptor)?;
        Ok(Self { descriptor, ..Self::default() })
    }

    /// The checkpoint path as a storage of its own, in which all state is inline.
    fn directory(&self) -> Result<Option<DirectoryStorage>, StorageError> {
        let Some(path) = self.checkpoint_path() else { return Ok(None) };
        let Some(Files { stores, entropy }) = &self.files else {
            let subject = format!("{path:?}");
            return Err(StorageError::new(ErrorKind::Unsupported, "open checkpoint path", subject)
                .with_detail(
                    "this storage in memory was given no files; build it with files, or take the path away",
                ));
        };
        let directory = DirectoryStorage::new(Arc::clone(stores), Arc::clone(entropy), path.as_str())
            .with_inline_threshold(u32::MAX);
        Ok(Some(match self.savepoint_path() {
            Some(path) => directory.with_savepoint_directory(path.as_str()),
            None => directory,
        }))
    }

    /// The files to which a pointer leads. Where a storage keeps its own checkpoints does not matter for that.
    fn files_at(&self, operation: &'static str, pointer: &Pointer) -> Result<DirectoryStorage, StorageError> {
        let refuse = |detail| {
            let subject = format!("{:?}", Redacted::new(pointer.as_str()));
            Err(StorageError::new(ErrorKind::InvalidPointer, operation, subject).with_detail(detail))
        };
        if pointer.as_str() == NOT_EXTERNALLY_ADDRESSABLE {
            return refuse(
                "checkpoints in memory have no address; use FileSystemCheckpointStorage to restore from a pointer",
            );
        }
        match &self.files {
            Some(Files { stores, entropy }) => {
                Ok(DirectoryStorage::new(Arc::clone(stores), Arc::clone(entropy), pointer.as_str()))
            }
            None => refuse(
                "this storage in memory was given no files in which it could be; use FileSystemCheckpointStorage to restore from a pointer",
            ),
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            max_state_size: self.max_state_size(),
            max_total_size: self.max_total_size(),
            budget: self.budget.clone(),
        }
    }

    #[cfg(test)]
    pub(crate) fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> u64 {
        self.budget.held()
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
        let limits = self.limits();
        if let Some(directory) = self.directory()? {
            let inner = directory.open(job).await?;
            let worker = LimitedWorker::new(limits, inner.worker());
            return Ok(Arc::new(MemoryAccess { coordinator: inner.coordinator(), worker: Arc::new(worker) }));
        }
        let savepoints = Savepoints::new(self.files.clone(), self.savepoint_path().cloned());
        let vault = Arc::clone(&self.vault);
        let coordinator = VaultCoordinator::new(job, vault, savepoints.clone(), limits.max_total_size);
        let worker = MemoryWorker::new(limits, savepoints);
        Ok(Arc::new(MemoryAccess { coordinator: Arc::new(coordinator), worker: Arc::new(worker) }))
    }

    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.files_at("resolve pointer", pointer)?.resolve(pointer).await
    }

    async fn dispose_savepoint(&self, savepoint: &Pointer) -> Result<(), StorageError> {
        self.files_at("dispose of savepoint", savepoint)?.dispose_savepoint(savepoint).await
    }

    async fn export(&self, snapshot: &Pointer, target: &str) -> Result<Pointer, StorageError> {
        self.files_at("export", snapshot)?.export(snapshot, target).await
    }
}

/// One opening is one run of the job, so that whoever asks for its coordinator gets the same one.
#[derive(Debug)]
struct MemoryAccess {
    coordinator: Arc<dyn CoordinatorStorage>,
    worker: Arc<dyn WorkerStorage>,
}

impl StorageAccess for MemoryAccess {
    fn coordinator(&self) -> Arc<dyn CoordinatorStorage> {
        Arc::clone(&self.coordinator)
    }

    fn worker(&self) -> Arc<dyn WorkerStorage> {
        Arc::clone(&self.worker)
    }
}
