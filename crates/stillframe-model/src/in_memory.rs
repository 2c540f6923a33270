use crate::descriptor_error::described;
use crate::option_reading::{address, expect_kind, unknown};
use crate::{DescriptorError, OptionValue, StorageDescriptor, StoragePath};
use core::num::NonZeroU64;

/// What `JobManagerCheckpointStorage` is configured with: state in the memory of the coordinator's process, bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "StorageDescriptor", into = "StorageDescriptor"))]
#[doc(alias = "JobManagerCheckpointStorage")]
pub struct JobManagerDescriptor {
    checkpoint_path: Option<StoragePath>,
    savepoint_path: Option<StoragePath>,
    max_state_size: Option<NonZeroU64>,
}

impl JobManagerDescriptor {
    /// The [`max_state_size`](Self::max_state_size) where none is set: 5 MiB.
    pub const DEFAULT_MAX_STATE_SIZE: u64 = 5 * 1024 * 1024;

    const KNOWN: &[&str] = &[
        StorageDescriptor::MAX_STATE_SIZE,
        StorageDescriptor::CHECKPOINTS_DIRECTORY,
        StorageDescriptor::SAVEPOINT_DIRECTORY,
    ];

    /// Nothing but defaults: no paths, and 5 MiB for the state of a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self { checkpoint_path: None, savepoint_path: None, max_state_size: None }
    }

    /// The same, with an address below which the metadata of checkpoints is to go. The storage in memory does not write files
    /// yet; the config's `resolve` says so.
    #[must_use]
    #[doc(alias = "checkpoint_path", alias = "checkpointPath")]
    pub fn with_checkpoint_path(self, path: StoragePath) -> Self {
        Self { checkpoint_path: Some(path), ..self }
    }

    /// The same, with an address below which savepoints are to go when a request names none. The storage in memory keeps none
    /// yet; the config's `resolve` says so.
    #[must_use]
    pub fn with_savepoint_path(self, path: StoragePath) -> Self {
        Self { savepoint_path: Some(path), ..self }
    }

    /// The same, with another limit for the state that a task writes into one stream, in bytes.
    ///
    /// # Errors
    /// For zero.
    #[doc(alias = "max_state_size", alias = "maxStateSize")]
    pub fn with_max_state_size(self, bytes: u64) -> Result<Self, DescriptorError> {
        match NonZeroU64::new(bytes) {
            Some(size) => Ok(Self { max_state_size: Some(size), ..self }),
            None => Err(DescriptorError::new(StorageDescriptor::MAX_STATE_SIZE, "0", "at least 1 byte")),
        }
    }

    /// Where the metadata of checkpoints is to go, if it was set.
    #[must_use]
    #[doc(alias = "get_checkpoint_path", alias = "getCheckpointPath")]
    pub fn checkpoint_path(&self) -> Option<&StoragePath> {
        self.checkpoint_path.as_ref()
    }

    /// Where savepoints are to go when a request names no place, if it was set.
    #[must_use]
    #[doc(alias = "get_savepoint_path", alias = "getSavepointPath")]
    pub fn savepoint_path(&self) -> Option<&StoragePath> {
        self.savepoint_path.as_ref()
    }

    /// The largest state that a task can write into one stream, in bytes.
    #[must_use]
    #[doc(alias = "get_max_state_size", alias = "getMaxStateSize")]
    pub fn max_state_size(&self) -> u64 {
        self.max_state_size.map_or(Self::DEFAULT_MAX_STATE_SIZE, NonZeroU64::get)
    }

    /// The same, if it was set.
    #[must_use]
    pub fn explicit_max_state_size(&self) -> Option<u64> {
        self.max_state_size.map(NonZeroU64::get)
    }
}

impl From<JobManagerDescriptor> for StorageDescriptor {
    fn from(typed: JobManagerDescriptor) -> Self {
        let JobManagerDescriptor { checkpoint_path, savepoint_path, max_state_size } = typed;
        let mut descriptor = Self::new(Self::JOB_MANAGER);
        let mut set = |option: &'static str, value: Option<OptionValue>| {
            descriptor.options.extend(value.map(|value| (option.into(), value)));
        };
        set(Self::MAX_STATE_SIZE, max_state_size.map(|size| OptionValue::Size(size.get())));
        set(Self::CHECKPOINTS_DIRECTORY, checkpoint_path.map(|path| OptionValue::Text(path.into())));
        set(Self::SAVEPOINT_DIRECTORY, savepoint_path.map(|path| OptionValue::Text(path.into())));
        descriptor
    }
}

impl TryFrom<&StorageDescriptor> for JobManagerDescriptor {
    type Error = DescriptorError;

    fn try_from(descriptor: &StorageDescriptor) -> Result<Self, Self::Error> {
        expect_kind(descriptor, StorageDescriptor::JOB_MANAGER)?;
        descriptor.options.iter().try_fold(Self::new(), |typed, (option, value)| match option.as_ref() {
            StorageDescriptor::MAX_STATE_SIZE => match value {
                OptionValue::Size(size) => typed.with_max_state_size(*size),
                OptionValue::Text(_) => Err(DescriptorError::new(
                    StorageDescriptor::MAX_STATE_SIZE,
                    described(value),
                    "a size of at least 1 byte",
                )),
            },
            StorageDescriptor::CHECKPOINTS_DIRECTORY => {
                Ok(typed.with_checkpoint_path(address(StorageDescriptor::CHECKPOINTS_DIRECTORY, value)?))
            }
            StorageDescriptor::SAVEPOINT_DIRECTORY => {
                Ok(typed.with_savepoint_path(address(StorageDescriptor::SAVEPOINT_DIRECTORY, value)?))
            }
            _ => Err(unknown(option, Self::KNOWN)),
        })
    }
}

impl TryFrom<StorageDescriptor> for JobManagerDescriptor {
    type Error = DescriptorError;

    fn try_from(descriptor: StorageDescriptor) -> Result<Self, Self::Error> {
        Self::try_from(&descriptor)
    }
}
