use crate::coordinator::VaultCoordinator;
use crate::stream::MemoryWorker;
use crate::vault::Vault;
use async_trait::async_trait;
use core::num::NonZeroU64;
use std::sync::Arc;
use stillframe_model::{JobId, OptionValue, Pointer, StorageDescriptor};
use stillframe_storage::{
    CheckpointStorage, CompletedLocation, CoordinatorStorage, ErrorKind, StorageAccess, StorageError,
    WorkerStorage,
};

/// The pointer of every checkpoint in this storage, word for word as in Flink. It cannot be resolved.
pub const NOT_EXTERNALLY_ADDRESSABLE: &str = "<checkpoint-not-externally-addressable>";

/// Keeps checkpoints in the memory of the process that runs the coordinator. They survive failed tasks and
/// restarts of the job within the process, not the end of the process.
///
/// Clones share what they hold. A storage that is built from a [descriptor](CheckpointStorage::descriptor)
/// begins empty.
#[derive(Clone, Debug)]
pub struct JobManagerCheckpointStorage {
    max_state_size: NonZeroU64,
    vault: Arc<Vault>,
}

impl JobManagerCheckpointStorage {
    /// The default of [`max_state_size`](Self::max_state_size): 5 MiB.
    pub const DEFAULT_MAX_STATE_SIZE: u64 = DEFAULT_MAX_STATE_SIZE.get();

    /// The name of the option that holds the largest state size in a descriptor. Flink has no option for it,
    /// only a constructor argument of this name.
    pub const MAX_STATE_SIZE: &'static str = "max-state-size";

    /// An empty storage with the default limit.
    #[must_use]
    pub fn new() -> Self {
        Self { max_state_size: DEFAULT_MAX_STATE_SIZE, vault: Arc::default() }
    }

    /// The same storage with another limit for the state that a task writes into one stream, in bytes.
    ///
    /// # Errors
    /// `InvalidOption` for zero.
    pub fn with_max_state_size(self, bytes: u64) -> Result<Self, StorageError> {
        let Some(max_state_size) = NonZeroU64::new(bytes) else {
            return Err(StorageError::new(ErrorKind::InvalidOption, "configure", Self::MAX_STATE_SIZE)
                .with_detail("expected at least 1 byte, found 0"));
        };
        Ok(Self { max_state_size, ..self })
    }

    /// The largest state that a task can write into one stream, in bytes.
    #[must_use]
    #[doc(alias = "get_max_state_size")]
    pub fn max_state_size(&self) -> u64 {
        self.max_state_size.get()
    }

    /// The storage that a descriptor describes. It is empty, whatever the described one holds.
    ///
    /// # Errors
    /// `InvalidOption` for another kind, and for an option that is unknown, of the wrong type or out of
    /// range.
    pub fn from_descriptor(descriptor: &StorageDescriptor) -> Result<Self, StorageError> {
        let refuse = |subject: &str, detail: String| {
            Err(StorageError::new(ErrorKind::InvalidOption, "configure", subject).with_detail(detail))
        };
        if descriptor.kind != StorageDescriptor::JOB_MANAGER {
            return refuse(&descriptor.kind, format!("expected the kind {}", StorageDescriptor::JOB_MANAGER));
        }
        let mut storage = Self::new();
        for (name, value) in &descriptor.options {
            storage = match (name.as_ref(), value) {
                (Self::MAX_STATE_SIZE, OptionValue::Size(bytes)) => storage.with_max_state_size(*bytes)?,
                (Self::MAX_STATE_SIZE, OptionValue::Text(text)) => {
                    return refuse(name, format!("expected a size in bytes, found the text \"{text}\""));
                }
                _ => return refuse(name, format!("unknown; known options: {}", Self::MAX_STATE_SIZE)),
            };
        }
        Ok(storage)
    }

    #[cfg(test)]
    pub(crate) fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }
}

const DEFAULT_MAX_STATE_SIZE: NonZeroU64 = match NonZeroU64::new(5 * 1024 * 1024) {
    Some(size) => size,
    None => NonZeroU64::MIN,
};

impl Default for JobManagerCheckpointStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl From<&JobManagerCheckpointStorage> for StorageDescriptor {
    fn from(storage: &JobManagerCheckpointStorage) -> Self {
        Self::new(Self::JOB_MANAGER)
            .with(JobManagerCheckpointStorage::MAX_STATE_SIZE, OptionValue::Size(storage.max_state_size()))
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
        Err(StorageError::new(ErrorKind::InvalidPointer, "resolve pointer", format!("\"{pointer}\""))
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
