use crate::address;
use crate::blobs::LocalStores;
use crate::directories::Doubts;
use crate::disk::{Disk, RealDisk};
use crate::entropy::SystemEntropy;
use crate::on_disk::StorageOnDisk;
use async_trait::async_trait;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use stillframe_model::{Durability, FileSystemDescriptor, JobId, Pointer, StorageDescriptor, StoragePath};
use stillframe_storage::{CheckpointStorage, CompletedLocation, StorageAccess, StorageError};
use stillframe_storage_directory::{DirectoryStorage, Entropy};

/// Keeps checkpoints as files on a local disk. They survive failed tasks, the end of the process, and the
/// loss of power as far as the disk keeps what it has confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileSystemCheckpointStorage {
    descriptor: FileSystemDescriptor,
    // The same directories as paths of this machine, absolute, and text because they go into pointers.
    checkpoint_directory: String,
    savepoint_directory: Option<String>,
}

impl FileSystemCheckpointStorage {
    /// The default of [`min_file_size_threshold`](Self::min_file_size_threshold): 20 KiB.
    pub const DEFAULT_MIN_FILE_SIZE_THRESHOLD: u32 = FileSystemDescriptor::DEFAULT_MIN_FILE_SIZE_THRESHOLD;

    /// The largest threshold: 1 MiB.
    pub const MAX_FILE_STATE_THRESHOLD: u32 = FileSystemDescriptor::MAX_FILE_STATE_THRESHOLD;

    /// Checkpoints below this directory: a path, or a URI with the scheme `file`. A relative path begins in
    /// the current directory, and `..` is resolved by name alone, whatever symbolic links there are. The
    /// directory is created with the first checkpoint.
    ///
    /// # Errors
    /// `InvalidPointer` for another scheme, for an empty path, for one that is not UTF-8 or has a backslash, and
    /// for the root of the file system.
    pub fn new(directory: impl AsRef<OsStr>) -> Result<Self, StorageError> {
        Self::described_by(FileSystemDescriptor::new(address::of_directory(directory.as_ref())?))
    }

    /// The same storage with another threshold: state of at most this many bytes goes into the metadata
    /// instead of a file of its own.
    ///
    /// # Errors
    /// `InvalidOption` for more than 1 MiB.
    pub fn with_min_file_size_threshold(self, bytes: u32) -> Result<Self, StorageError> {
        let descriptor = self.descriptor.with_min_file_size_threshold(bytes)?;
        Ok(Self { descriptor, ..self })
    }

    /// The same storage with another buffer in front of every file, in bytes.
    #[must_use]
    pub fn with_write_buffer_size(self, bytes: u32) -> Self {
        Self { descriptor: self.descriptor.with_write_buffer_size(bytes), ..self }
    }

    /// The same storage, with savepoints below this directory when a request names none.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_savepoint_dir(self, directory: impl AsRef<OsStr>) -> Result<Self, StorageError> {
        let path = address::of_directory(directory.as_ref())?;
        Self::described_by(self.descriptor.with_savepoint_path(path))
    }

    /// The same storage, with or without the guarantee that a completed checkpoint survives the loss of power.
    #[must_use]
    pub fn with_durability(self, durability: Durability) -> Self {
        Self { descriptor: self.descriptor.with_durability(durability), ..self }
    }

    /// The address below which checkpoints go.
    #[must_use]
    #[doc(alias = "get_checkpoint_path", alias = "getCheckpointPath")]
    pub fn checkpoint_path(&self) -> &StoragePath {
        self.descriptor.checkpoint_path()
    }

    /// The address below which savepoints go, if one was set.
    #[must_use]
    #[doc(alias = "get_savepoint_path", alias = "getSavepointPath")]
    pub fn savepoint_path(&self) -> Option<&StoragePath> {
        self.descriptor.savepoint_path()
    }

    /// The size in bytes up to which state goes into the metadata.
    #[must_use]
    #[doc(alias = "get_min_file_size_threshold", alias = "getMinFileSizeThreshold")]
    pub fn min_file_size_threshold(&self) -> u32 {
        self.descriptor.min_file_size_threshold()
    }

    /// The size of the buffer in front of every file, in bytes: 4 KiB where none is set. A file gets as much as
    /// the [threshold](Self::min_file_size_threshold), if that is more.
    #[must_use]
    #[doc(alias = "get_write_buffer_size", alias = "getWriteBufferSize")]
    pub fn write_buffer_size(&self) -> u32 {
        self.descriptor.write_buffer_size()
    }

    /// Whether a checkpoint is synced to the disk before it is reported complete. So it is where nothing is set.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.descriptor.durability()
    }

    /// The directory of this machine that [`checkpoint_path`](Self::checkpoint_path) names, absolute.
    #[must_use]
    pub fn checkpoint_directory(&self) -> &Path {
        Path::new(&self.checkpoint_directory)
    }

    /// The storage that a descriptor describes.
    ///
    /// # Errors
    /// `InvalidOption` for another kind, for a missing directory, for an option that is unknown, of the
    /// wrong type or out of range; `InvalidPointer` for an address that this machine cannot reach.
    pub fn from_descriptor(descriptor: &StorageDescriptor) -> Result<Self, StorageError> {
        Self::described_by(FileSystemDescriptor::try_from(descriptor)?)
    }

    fn described_by(descriptor: FileSystemDescriptor) -> Result<Self, StorageError> {
        Ok(Self {
            checkpoint_directory: address::local(descriptor.checkpoint_path())?,
            savepoint_directory: descriptor.savepoint_path().map(address::local).transpose()?,
            descriptor,
        })
    }

    /// The storage that this describes, on another disk than this machine's.
    #[must_use]
    pub fn with_disk(&self, disk: Arc<dyn Disk>) -> StorageOnDisk {
        StorageOnDisk::new(self.clone(), disk)
    }

    pub(crate) fn directory_storage(
        &self,
        disk: Arc<dyn Disk>,
        entropy: Arc<dyn Entropy>,
        doubts: Doubts,
    ) -> DirectoryStorage {
        let write_buffer_size = self.write_buffer_size().max(self.min_file_size_threshold()) as usize;
        let stores = LocalStores::new()
            .with_disk(disk)
            .with_doubts(doubts)
            .with_entropy(Arc::clone(&entropy))
            .with_write_buffer_size(write_buffer_size)
            .with_durability(self.durability());
        let storage = DirectoryStorage::new(Arc::new(stores), entropy, &self.checkpoint_directory)
            .with_inline_threshold(self.min_file_size_threshold());
        match &self.savepoint_directory {
            Some(directory) => storage.with_savepoint_directory(directory),
            None => storage,
        }
    }

    fn on_this_machine(&self) -> DirectoryStorage {
        let disk = Arc::new(RealDisk::new());
        self.directory_storage(disk, Arc::new(SystemEntropy), Doubts::of_this_machine())
    }
}

impl From<&FileSystemCheckpointStorage> for StorageDescriptor {
    fn from(storage: &FileSystemCheckpointStorage) -> Self {
        storage.descriptor.clone().into()
    }
}

impl From<FileSystemCheckpointStorage> for StorageDescriptor {
    fn from(storage: FileSystemCheckpointStorage) -> Self {
        Self::from(&storage)
    }
}

#[async_trait]
impl CheckpointStorage for FileSystemCheckpointStorage {
    fn descriptor(&self) -> StorageDescriptor {
        self.into()
    }

    async fn open(&self, job: JobId) -> Result<Arc<dyn StorageAccess>, StorageError> {
        self.on_this_machine().open(job).await
    }

    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.on_this_machine().resolve(pointer).await
    }

    async fn dispose_savepoint(&self, savepoint: &Pointer) -> Result<(), StorageError> {
        self.on_this_machine().dispose_savepoint(savepoint).await
    }

    async fn export(&self, snapshot: &Pointer, target: &str) -> Result<Pointer, StorageError> {
        self.on_this_machine().export(snapshot, target).await
    }
}
