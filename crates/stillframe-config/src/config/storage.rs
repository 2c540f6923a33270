//! Where checkpoints go.

use super::CheckpointConfig;
use crate::ConfigError;
use crate::option::{Directory, MemorySize, Value};
use stillframe_model::{FileSystemDescriptor, StorageDescriptor, StoragePath};

/// The largest inline threshold: 1 MiB.
const MAX_INLINE_THRESHOLD: u32 = FileSystemDescriptor::MAX_FILE_STATE_THRESHOLD;

impl CheckpointConfig {
    /// The storage that the program has set, by value or by directory. `None` leaves it to the options, and without any it is
    /// the memory of the process, as in Flink.
    #[must_use]
    #[doc(alias = "get_checkpoint_storage")]
    #[doc(alias = "getCheckpointStorage")]
    pub fn checkpoint_storage(&self) -> Option<&StorageDescriptor> {
        self.storage.as_ref()
    }

    /// Sets where checkpoints go. What the storage leaves open is taken from the other settings of this config.
    #[doc(alias = "setCheckpointStorage")]
    pub fn set_checkpoint_storage(&mut self, storage: impl Into<StorageDescriptor>) -> &mut Self {
        self.storage = Some(storage.into());
        self
    }

    /// Lets checkpoints go to files below this directory, which is a URI such as `file:///var/checkpoints`.
    ///
    /// # Errors
    /// For a text without scheme, for one that is no URI, and for the root of a file system.
    #[doc(alias = "setCheckpointStorageDir")]
    #[doc(alias = "CHECKPOINTS_DIRECTORY")]
    #[doc(alias = "execution.checkpointing.dir")]
    pub fn set_checkpoint_storage_dir(&mut self, dir: &str) -> Result<&mut Self, ConfigError> {
        let dir = directory("execution.checkpointing.dir", dir)?;
        self.storage = Some(FileSystemDescriptor::new(dir.path.clone()).into());
        self.settings.dir = Some(dir);
        Ok(self)
    }

    /// The directory for checkpoints, if one was set by [`set_checkpoint_storage_dir`](Self::set_checkpoint_storage_dir) or
    /// by its option.
    #[must_use]
    #[doc(alias = "execution.checkpointing.dir")]
    #[doc(alias = "CHECKPOINTS_DIRECTORY")]
    pub fn checkpoint_storage_dir(&self) -> Option<&StoragePath> {
        self.settings.dir.as_ref().map(|dir| &dir.path)
    }

    /// The kind of storage that the option names.
    #[must_use]
    #[doc(alias = "execution.checkpointing.storage")]
    #[doc(alias = "CHECKPOINT_STORAGE")]
    pub fn checkpoint_storage_kind(&self) -> Option<&str> {
        self.settings.storage.as_ref().map(|kind| kind.0.as_str())
    }

    /// The directory for savepoints whose request names none.
    #[must_use]
    #[doc(alias = "execution.checkpointing.savepoint-dir")]
    #[doc(alias = "SAVEPOINT_DIRECTORY")]
    pub fn savepoint_dir(&self) -> Option<&StoragePath> {
        self.settings.savepoint_dir.as_ref().map(|dir| &dir.path)
    }

    /// Sets the directory for savepoints whose request names none.
    ///
    /// # Errors
    /// As for [`set_checkpoint_storage_dir`](Self::set_checkpoint_storage_dir).
    #[doc(alias = "SAVEPOINT_DIRECTORY")]
    #[doc(alias = "execution.checkpointing.savepoint-dir")]
    pub fn set_savepoint_dir(&mut self, dir: &str) -> Result<&mut Self, ConfigError> {
        self.settings.savepoint_dir = Some(directory("execution.checkpointing.savepoint-dir", dir)?);
        Ok(self)
    }

    /// Up to how many bytes state goes into the metadata instead of a file. What is read from a configuration may be larger
    /// than is allowed; [`resolve`](Self::resolve) then takes the default, as Flink does.
    #[must_use]
    #[doc(alias = "execution.checkpointing.data-inline-threshold")]
    #[doc(alias = "FS_SMALL_FILE_THRESHOLD")]
    pub fn data_inline_threshold(&self) -> u64 {
        self.settings.inline_threshold().bytes()
    }

    /// Sets up to how many bytes state goes into the metadata instead of a file.
    ///
    /// # Errors
    /// Above 1 MiB.
    #[doc(alias = "FS_SMALL_FILE_THRESHOLD")]
    #[doc(alias = "execution.checkpointing.data-inline-threshold")]
    pub fn set_data_inline_threshold(&mut self, bytes: u32) -> Result<&mut Self, ConfigError> {
        if bytes > MAX_INLINE_THRESHOLD {
            let found = MemorySize::new(bytes.into()).write();
            return Err(ConfigError::new(
                "execution.checkpointing.data-inline-threshold",
                found,
                "0 bytes to 1 mb",
            ));
        }
        self.settings.inline_threshold = Some(MemorySize::new(bytes.into()));
        Ok(self)
    }

    /// How many bytes of a state file are gathered before they are written. What applies is at least the
    /// [inline threshold](Self::data_inline_threshold).
    #[must_use]
    #[doc(alias = "execution.checkpointing.write-buffer-size")]
    #[doc(alias = "FS_WRITE_BUFFER_SIZE")]
    pub fn write_buffer_size(&self) -> u32 {
        u32::try_from(self.settings.write_buffer()).unwrap_or(0)
    }

    /// Sets how many bytes of a state file are gathered before they are written; at most 2147483647 are.
    #[doc(alias = "FS_WRITE_BUFFER_SIZE")]
    #[doc(alias = "execution.checkpointing.write-buffer-size")]
    pub fn set_write_buffer_size(&mut self, bytes: u32) -> &mut Self {
        self.settings.write_buffer = Some(i32::try_from(bytes).unwrap_or(i32::MAX));
        self
    }

    /// Whether the directory for checkpoints has a directory of its own for each job.
    #[must_use]
    #[doc(alias = "execution.checkpointing.create-subdir")]
    #[doc(alias = "CREATE_CHECKPOINT_SUB_DIR")]
    pub fn is_create_subdir_enabled(&self) -> bool {
        self.settings.create_subdir()
    }

    /// Sets whether the directory for checkpoints has a directory of its own for each job.
    #[doc(alias = "CREATE_CHECKPOINT_SUB_DIR")]
    #[doc(alias = "execution.checkpointing.create-subdir")]
    pub fn set_create_subdir(&mut self, enabled: bool) -> &mut Self {
        self.settings.create_subdir = Some(enabled);
        self
    }
}

fn directory(option: &'static str, text: &str) -> Result<Directory, ConfigError> {
    Directory::read(text).ok_or_else(|| Directory::refusal(text).at(option))
}
