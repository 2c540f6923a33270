use crate::descriptor_error::described;
use crate::option_reading::{address, expect_kind, size_up_to, unknown};
use crate::{DescriptorError, OptionValue, StorageDescriptor, StoragePath};
use alloc::format;
use alloc::string::ToString;

/// What a checkpoint that was reported complete is safe from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// From the loss of power too: nothing is reported before the disk has confirmed it.
    #[default]
    Sync,
    /// Only from the end of the process. Nothing is synced, so a loss of power or a crash of the system may take away
    /// completed checkpoints, all of them, or leave them there and broken. For tests, and for data that can be made again.
    None,
}

impl Durability {
    /// The value of the option: `sync` or `none`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::None => "none",
        }
    }

    fn read(value: &OptionValue) -> Result<Self, DescriptorError> {
        let found = match value {
            OptionValue::Text(text) => match text.as_str() {
                "sync" => return Ok(Self::Sync),
                "none" => return Ok(Self::None),
                _ => described(value),
            },
            OptionValue::Size(_) => described(value),
        };
        let allowed = "sync, or none, with which a loss of power may take completed checkpoints away";
        Err(DescriptorError::new(StorageDescriptor::FS_DURABILITY, found, allowed))
    }
}

/// What `FileSystemCheckpointStorage` is configured with: state as files below an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "StorageDescriptor", into = "StorageDescriptor"))]
#[doc(alias = "FileSystemCheckpointStorage")]
pub struct FileSystemDescriptor {
    checkpoint_path: StoragePath,
    savepoint_path: Option<StoragePath>,
    min_file_size_threshold: Option<u32>,
    write_buffer_size: Option<u32>,
    durability: Option<Durability>,
}

impl FileSystemDescriptor {
    /// The [`min_file_size_threshold`](Self::min_file_size_threshold) where none is set: 20 KiB.
    pub const DEFAULT_MIN_FILE_SIZE_THRESHOLD: u32 = 20 * 1024;
    /// The largest threshold: 1 MiB.
    pub const MAX_FILE_STATE_THRESHOLD: u32 = 1024 * 1024;
    /// The [`write_buffer_size`](Self::write_buffer_size) where none is set: 4 KiB.
    pub const DEFAULT_WRITE_BUFFER_SIZE: u32 = 4096;

    const KNOWN: &[&str] = &[
        StorageDescriptor::CHECKPOINTS_DIRECTORY,
        StorageDescriptor::SAVEPOINT_DIRECTORY,
        StorageDescriptor::FS_SMALL_FILE_THRESHOLD,
        StorageDescriptor::FS_WRITE_BUFFER_SIZE,
        StorageDescriptor::FS_DURABILITY,
    ];

    /// Checkpoints below this address, and defaults for everything else.
    #[must_use]
    pub const fn new(checkpoint_path: StoragePath) -> Self {
        Self {
            checkpoint_path,
            savepoint_path: None,
            min_file_size_threshold: None,
            write_buffer_size: None,
            durability: None,
        }
    }

    /// The same, with savepoints below this address when a request names none.
    #[must_use]
    pub fn with_savepoint_path(self, path: StoragePath) -> Self {
        Self { savepoint_path: Some(path), ..self }
    }

    /// The same with another threshold: state of at most this many bytes goes into the metadata instead of a file
    /// of its own.
    ///
    /// # Errors
    /// For more than 1 MiB.
    #[doc(alias = "file_state_size_threshold", alias = "fileStateSizeThreshold")]
    pub fn with_min_file_size_threshold(self, bytes: u32) -> Result<Self, DescriptorError> {
        if bytes > Self::MAX_FILE_STATE_THRESHOLD {
            return Err(DescriptorError::new(
                StorageDescriptor::FS_SMALL_FILE_THRESHOLD,
                bytes.to_string(),
                format!("0 to {} bytes", Self::MAX_FILE_STATE_THRESHOLD),
            ));
        }
        Ok(Self { min_file_size_threshold: Some(bytes), ..self })
    }

    /// The same with another buffer in front of every file, in bytes.
    #[must_use]
    #[doc(alias = "write_buffer_size", alias = "writeBufferSize")]
    pub fn with_write_buffer_size(self, bytes: u32) -> Self {
        Self { write_buffer_size: Some(bytes), ..self }
    }

    /// The same, with or without a guarantee that completed checkpoints survive the loss of power.
    #[must_use]
    pub fn with_durability(self, durability: Durability) -> Self {
        Self { durability: Some(durability), ..self }
    }

    /// Where checkpoints go.
    #[must_use]
    #[doc(alias = "get_checkpoint_path", alias = "getCheckpointPath")]
    pub fn checkpoint_path(&self) -> &StoragePath {
        &self.checkpoint_path
    }

    /// Where savepoints go when a request names no place.
    #[must_use]
    #[doc(alias = "get_savepoint_path", alias = "getSavepointPath")]
    pub fn savepoint_path(&self) -> Option<&StoragePath> {
        self.savepoint_path.as_ref()
    }

    /// The size in bytes up to which state goes into the metadata.
    #[must_use]
    #[doc(alias = "get_min_file_size_threshold", alias = "getMinFileSizeThreshold")]
    pub fn min_file_size_threshold(&self) -> u32 {
        self.min_file_size_threshold.unwrap_or(Self::DEFAULT_MIN_FILE_SIZE_THRESHOLD)
    }

    /// The size of the buffer in front of every file, in bytes. A file gets as much as the
    /// [threshold](Self::min_file_size_threshold), if that is more.
    #[must_use]
    #[doc(alias = "get_write_buffer_size", alias = "getWriteBufferSize")]
    pub fn write_buffer_size(&self) -> u32 {
        self.write_buffer_size.unwrap_or(Self::DEFAULT_WRITE_BUFFER_SIZE)
    }

    /// Whether completed checkpoints survive the loss of power: [`Durability::Sync`] where nothing is set.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability.unwrap_or_default()
    }

    /// The threshold, if it was set.
    #[must_use]
    pub fn explicit_min_file_size_threshold(&self) -> Option<u32> {
        self.min_file_size_threshold
    }

    /// The size of the buffer, if it was set.
    #[must_use]
    pub fn explicit_write_buffer_size(&self) -> Option<u32> {
        self.write_buffer_size
    }

    /// The durability, if it was set.
    #[must_use]
    pub fn explicit_durability(&self) -> Option<Durability> {
        self.durability
    }
}

impl From<FileSystemDescriptor> for StorageDescriptor {
    fn from(typed: FileSystemDescriptor) -> Self {
        let FileSystemDescriptor {
            checkpoint_path,
            savepoint_path,
            min_file_size_threshold,
            write_buffer_size,
            durability,
        } = typed;
        let mut descriptor = Self::new(Self::FILE_SYSTEM);
        let mut set = |option: &'static str, value: Option<OptionValue>| {
            descriptor.options.extend(value.map(|value| (option.into(), value)));
        };
        set(Self::CHECKPOINTS_DIRECTORY, Some(OptionValue::Text(checkpoint_path.into())));
        set(Self::SAVEPOINT_DIRECTORY, savepoint_path.map(|path| OptionValue::Text(path.into())));
        set(
            Self::FS_SMALL_FILE_THRESHOLD,
            min_file_size_threshold.map(|size| OptionValue::Size(size.into())),
        );
        set(Self::FS_WRITE_BUFFER_SIZE, write_buffer_size.map(|size| OptionValue::Size(size.into())));
        set(Self::FS_DURABILITY, durability.map(|choice| OptionValue::Text(choice.as_str().into())));
        descriptor
    }
}

impl TryFrom<&StorageDescriptor> for FileSystemDescriptor {
    type Error = DescriptorError;

    fn try_from(descriptor: &StorageDescriptor) -> Result<Self, Self::Error> {
        expect_kind(descriptor, StorageDescriptor::FILE_SYSTEM)?;
        let Some(directory) = descriptor.options.get(StorageDescriptor::CHECKPOINTS_DIRECTORY) else {
            return Err(DescriptorError::new(
                StorageDescriptor::CHECKPOINTS_DIRECTORY,
                "no value",
                "the address of a directory, such as file:///data/checkpoints",
            ));
        };
        let new = Self::new(address(StorageDescriptor::CHECKPOINTS_DIRECTORY, directory)?);
        descriptor.options.iter().try_fold(new, |typed, (option, value)| match option.as_ref() {
            StorageDescriptor::CHECKPOINTS_DIRECTORY => Ok(typed),
            StorageDescriptor::SAVEPOINT_DIRECTORY => {
                Ok(typed.with_savepoint_path(address(StorageDescriptor::SAVEPOINT_DIRECTORY, value)?))
            }
            StorageDescriptor::FS_SMALL_FILE_THRESHOLD => {
                let largest = Self::MAX_FILE_STATE_THRESHOLD;
                let size = size_up_to(largest, StorageDescriptor::FS_SMALL_FILE_THRESHOLD, value)?;
                typed.with_min_file_size_threshold(size)
            }
            StorageDescriptor::FS_WRITE_BUFFER_SIZE => Ok(typed.with_write_buffer_size(size_up_to(
                u32::MAX,
                StorageDescriptor::FS_WRITE_BUFFER_SIZE,
                value,
            )?)),
            StorageDescriptor::FS_DURABILITY => Ok(typed.with_durability(Durability::read(value)?)),
            _ => Err(unknown(option, Self::KNOWN)),
        })
    }
}

impl TryFrom<StorageDescriptor> for FileSystemDescriptor {
    type Error = DescriptorError;

    fn try_from(descriptor: StorageDescriptor) -> Result<Self, Self::Error> {
        Self::try_from(&descriptor)
    }
}
