use crate::address;
use crate::disk::RealDisk;
use crate::entropy::SystemEntropy;
use crate::local::LocalStores;
use async_trait::async_trait;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use stillframe_model::{JobId, OptionValue, Pointer, StorageDescriptor};
use stillframe_storage::{CheckpointStorage, CompletedLocation, ErrorKind, StorageAccess, StorageError};
use stillframe_storage_directory::DirectoryStorage;

/// Keeps checkpoints as files on a local disk. They survive failed tasks, the end of the process, and the
/// loss of power as far as the disk keeps what it has confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileSystemCheckpointStorage {
    // Both absolute, and text: they go into pointers and descriptors.
    checkpoint_path: String,
    savepoint_path: Option<String>,
    min_file_size_threshold: u32,
}

impl FileSystemCheckpointStorage {
    /// The default of [`min_file_size_threshold`](Self::min_file_size_threshold): 20 KiB.
    pub const DEFAULT_MIN_FILE_SIZE_THRESHOLD: u32 = 20 * 1024;

    /// The largest threshold: 1 MiB.
    pub const MAX_MIN_FILE_SIZE_THRESHOLD: u32 = 1024 * 1024;

    /// The key of the option that names the directory for checkpoints.
    pub const CHECKPOINTS_DIRECTORY: &'static str = "execution.checkpointing.dir";

    /// The key of the option that names the directory for savepoints.
    pub const SAVEPOINT_DIRECTORY: &'static str = "execution.checkpointing.savepoint-dir";

    /// The key of the option that sets the threshold.
    pub const FS_SMALL_FILE_THRESHOLD: &'static str = "execution.checkpointing.data-inline-threshold";

    /// Checkpoints below this directory: a path, or a URI with the scheme `file`. A relative path begins in
    /// the current directory. The directory is created with the first checkpoint.
    ///
    /// # Errors
    /// `InvalidPointer` for another scheme, for an empty path, for one that is not UTF-8, and for the root of
    /// the file system.
    pub fn new(directory: impl AsRef<OsStr>) -> Result<Self, StorageError> {
        Ok(Self {
            checkpoint_path: directory_text(directory.as_ref())?,
            savepoint_path: None,
            min_file_size_threshold: Self::DEFAULT_MIN_FILE_SIZE_THRESHOLD,
        })
    }

    /// The same storage with another threshold: state of at most this many bytes goes into the metadata
    /// instead of a file of its own.
    ///
    /// # Errors
    /// `InvalidOption` for more than 1 MiB.
    pub fn with_min_file_size_threshold(self, bytes: u32) -> Result<Self, StorageError> {
        Self::check_threshold(bytes.into())
            .map(|min_file_size_threshold| Self { min_file_size_threshold, ..self })
    }

    /// The same storage, with savepoints below this directory when a request names none.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_savepoint_dir(self, directory: impl AsRef<OsStr>) -> Result<Self, StorageError> {
        Ok(Self { savepoint_path: Some(directory_text(directory.as_ref())?), ..self })
    }

    /// The directory for checkpoints, absolute.
    #[must_use]
    #[doc(alias = "get_checkpoint_path")]
    pub fn checkpoint_path(&self) -> &Path {
        Path::new(&self.checkpoint_path)
    }

    /// The directory for savepoints, absolute, if one was set.
    #[must_use]
    #[doc(alias = "get_savepoint_path")]
    pub fn savepoint_path(&self) -> Option<&Path> {
        self.savepoint_path.as_deref().map(Path::new)
    }

    /// The size in bytes up to which state goes into the metadata.
    #[must_use]
    #[doc(alias = "get_min_file_size_threshold")]
    pub fn min_file_size_threshold(&self) -> u32 {
        self.min_file_size_threshold
    }

    /// The storage that a descriptor describes.
    ///
    /// # Errors
    /// `InvalidOption` for another kind, for a missing directory, and for an option that is unknown, of the
    /// wrong type or out of range; `InvalidPointer` for a directory that cannot be one.
    pub fn from_descriptor(descriptor: &StorageDescriptor) -> Result<Self, StorageError> {
        if descriptor.kind != StorageDescriptor::FILE_SYSTEM {
            return Err(invalid(
                &descriptor.kind,
                format!("expected the kind {}", StorageDescriptor::FILE_SYSTEM),
            ));
        }
        let Some(directory) = descriptor.options.get(Self::CHECKPOINTS_DIRECTORY) else {
            return Err(invalid(
                Self::CHECKPOINTS_DIRECTORY,
                "it is missing; name the directory for checkpoints".to_owned(),
            ));
        };
        let mut storage = Self::new(text(Self::CHECKPOINTS_DIRECTORY, directory)?)?;
        for (key, value) in &descriptor.options {
            storage = match key.as_ref() {
                Self::CHECKPOINTS_DIRECTORY => storage,
                Self::SAVEPOINT_DIRECTORY => storage.with_savepoint_dir(text(key, value)?)?,
                Self::FS_SMALL_FILE_THRESHOLD => {
                    let min_file_size_threshold = Self::check_threshold(size(key, value)?)?;
                    Self { min_file_size_threshold, ..storage }
                }
                _ => {
                    let known = [
                        Self::CHECKPOINTS_DIRECTORY,
                        Self::SAVEPOINT_DIRECTORY,
                        Self::FS_SMALL_FILE_THRESHOLD,
                    ];
                    return Err(invalid(key, format!("unknown; known options: {}", known.join(", "))));
                }
            };
        }
        Ok(storage)
    }

    fn check_threshold(bytes: u64) -> Result<u32, StorageError> {
        match u32::try_from(bytes) {
            Ok(threshold) if threshold <= Self::MAX_MIN_FILE_SIZE_THRESHOLD => Ok(threshold),
            _ => Err(invalid(
                Self::FS_SMALL_FILE_THRESHOLD,
                format!("expected 0 to {} bytes, found {bytes}", Self::MAX_MIN_FILE_SIZE_THRESHOLD),
            )),
        }
    }

    fn directory_storage(&self) -> DirectoryStorage {
        let stores = LocalStores { disk: Arc::new(RealDisk), entropy: Arc::new(SystemEntropy) };
        let storage = DirectoryStorage::new(Arc::new(stores), Arc::new(SystemEntropy), &self.checkpoint_path)
            .with_inline_threshold(self.min_file_size_threshold);
        match &self.savepoint_path {
            Some(directory) => storage.with_savepoint_directory(directory),
            None => storage,
        }
    }
}

fn directory_text(directory: &OsStr) -> Result<String, StorageError> {
    let refuse = |detail| {
        Err(StorageError::new(ErrorKind::InvalidPointer, "open directory", directory.display().to_string())
            .with_detail(detail))
    };
    let Some(text) = directory.to_str() else {
        return refuse("its name must be UTF-8, because pointers are text");
    };
    let path = address::parse(text)?;
    if path.parent().is_none() {
        return refuse("the root of the file system cannot hold checkpoints; name a directory in it");
    }
    match path.into_os_string().into_string() {
        Ok(path) => Ok(path),
        Err(_) => refuse("the current directory's name must be UTF-8, because pointers are text"),
    }
}

fn invalid(option: &str, detail: String) -> StorageError {
    StorageError::new(ErrorKind::InvalidOption, "configure", option).with_detail(detail)
}

fn text<'a>(key: &str, value: &'a OptionValue) -> Result<&'a str, StorageError> {
    match value {
        OptionValue::Text(text) => Ok(text),
        OptionValue::Size(size) => Err(invalid(key, format!("expected text, found the size {size}"))),
    }
}

fn size(key: &str, value: &OptionValue) -> Result<u64, StorageError> {
    match value {
        OptionValue::Size(size) => Ok(*size),
        OptionValue::Text(text) => {
            Err(invalid(key, format!("expected a size in bytes, found the text \"{text}\"")))
        }
    }
}

impl From<&FileSystemCheckpointStorage> for StorageDescriptor {
    fn from(storage: &FileSystemCheckpointStorage) -> Self {
        type Storage = FileSystemCheckpointStorage;
        let text = |directory: &Path| OptionValue::Text(directory.display().to_string());
        let descriptor = Self::new(Self::FILE_SYSTEM)
            .with(Storage::CHECKPOINTS_DIRECTORY, text(storage.checkpoint_path()))
            .with(
                Storage::FS_SMALL_FILE_THRESHOLD,
                OptionValue::Size(storage.min_file_size_threshold.into()),
            );
        match storage.savepoint_path() {
            Some(directory) => descriptor.with(Storage::SAVEPOINT_DIRECTORY, text(directory)),
            None => descriptor,
        }
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
        self.directory_storage().open(job).await
    }

    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.directory_storage().resolve(pointer).await
    }
}
