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
    max_total_size: Option<NonZeroU64>,
}

impl StorageDescriptor {
    /// The option for the most that a storage in memory holds at once, in bytes. Flink has no such limit.
    pub const MAX_TOTAL_SIZE: &'static str = "max-total-size";
}

impl JobManagerDescriptor {
    /// The [`max_state_size`](Self::max_state_size) where none is set: 5 MiB.
    pub const DEFAULT_MAX_STATE_SIZE: u64 = 5 * 1024 * 1024;

    /// The [`max_total_size`](Self::max_total_size) where none is set, as a multiple of that for one stream.
    pub const DEFAULT_TOTAL_STREAMS: u64 = 64;

    const KNOWN: &[&str] = &[
        StorageDescriptor::MAX_STATE_SIZE,
        StorageDescriptor::MAX_TOTAL_SIZE,
        StorageDescriptor::CHECKPOINTS_DIRECTORY,
        StorageDescriptor::SAVEPOINT_DIRECTORY,
    ];

    /// Nothing but defaults: no paths, 5 MiB for the state of a stream, and 320 MiB for all of it.
    #[must_use]
    pub const fn new() -> Self {
        Self { checkpoint_path: None, savepoint_path: None, max_state_size: None, max_total_size: None }
    }

    /// The same, with an address below which the metadata of checkpoints goes, and with it their state.
    #[must_use]
    #[doc(alias = "checkpoint_path", alias = "checkpointPath")]
    pub fn with_checkpoint_path(self, path: StoragePath) -> Self {
        Self { checkpoint_path: Some(path), ..self }
    }

    /// The same, with an address below which savepoints go when a request names none.
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

    /// The same, with another limit for what is held at once, in bytes: the state of all streams of a process that somebody
    /// still refers to, and likewise the checkpoints that the coordinator's process keeps.
    ///
    /// # Errors
    /// For zero.
    pub fn with_max_total_size(self, bytes: u64) -> Result<Self, DescriptorError> {
        match NonZeroU64::new(bytes) {
            Some(size) => Ok(Self { max_total_size: Some(size), ..self }),
            None => Err(DescriptorError::new(StorageDescriptor::MAX_TOTAL_SIZE, "0", "at least 1 byte")),
        }
    }

    /// Where the metadata of checkpoints goes, if it was set.
    #[must_use]
    #[doc(alias = "get_checkpoint_path", alias = "getCheckpointPath")]
    pub fn checkpoint_path(&self) -> Option<&StoragePath> {
        self.checkpoint_path.as_ref()
    }

    /// Where savepoints go when a request names no place, if it was set.
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

    /// The most that is held at once, in bytes: 64 times the [limit for a stream](Self::max_state_size) where none is set.
    #[must_use]
    pub fn max_total_size(&self) -> u64 {
        let default = || self.max_state_size().saturating_mul(Self::DEFAULT_TOTAL_STREAMS);
        self.max_total_size.map_or_else(default, NonZeroU64::get)
    }

    /// The same, if it was set.
    #[must_use]
    pub fn explicit_max_total_size(&self) -> Option<u64> {
        self.max_total_size.map(NonZeroU64::get)
    }
}

impl From<JobManagerDescriptor> for StorageDescriptor {
    fn from(typed: JobManagerDescriptor) -> Self {
        let JobManagerDescriptor { checkpoint_path, savepoint_path, max_state_size, max_total_size } = typed;
        let mut descriptor = Self::new(Self::JOB_MANAGER);
        let mut set = |option: &'static str, value: Option<OptionValue>| {
            descriptor.options.extend(value.map(|value| (option.into(), value)));
        };
        set(Self::MAX_STATE_SIZE, max_state_size.map(|size| OptionValue::Size(size.get())));
        set(Self::MAX_TOTAL_SIZE, max_total_size.map(|size| OptionValue::Size(size.get())));
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
            StorageDescriptor::MAX_STATE_SIZE => {
                typed.with_max_state_size(size(StorageDescriptor::MAX_STATE_SIZE, value)?)
            }
            StorageDescriptor::MAX_TOTAL_SIZE => {
                typed.with_max_total_size(size(StorageDescriptor::MAX_TOTAL_SIZE, value)?)
            }
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

fn size(option: &'static str, value: &OptionValue) -> Result<u64, DescriptorError> {
    match value {
        OptionValue::Size(size) => Ok(*size),
        OptionValue::Text(_) => {
            Err(DescriptorError::new(option, described(value), "a size of at least 1 byte"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_total_follows_the_size_of_a_stream_unless_it_is_set() {
        let plain = JobManagerDescriptor::new();
        assert_eq!((plain.max_total_size(), plain.explicit_max_total_size()), (320 * 1024 * 1024, None));
        let small = plain.with_max_state_size(10).unwrap();
        assert_eq!(small.max_total_size(), 640);
        assert_eq!(small.clone().with_max_state_size(u64::MAX).unwrap().max_total_size(), u64::MAX);
        let set = small.with_max_total_size(7).unwrap();
        assert_eq!((set.max_total_size(), set.explicit_max_total_size()), (7, Some(7)));
        let descriptor = StorageDescriptor::from(set.clone());
        assert_eq!(descriptor.options.get("max-total-size"), Some(&OptionValue::Size(7)));
        assert_eq!(JobManagerDescriptor::try_from(descriptor), Ok(set));
    }

    #[test]
    fn a_total_of_nothing_is_refused() {
        let error = JobManagerDescriptor::new().with_max_total_size(0).unwrap_err();
        assert_eq!(error.to_string(), "max-total-size: 0 is not allowed (allowed: at least 1 byte)");
        let plain = StorageDescriptor::new(StorageDescriptor::JOB_MANAGER);
        for value in [OptionValue::Size(0), OptionValue::Text("5m".into())] {
            let read = JobManagerDescriptor::try_from(plain.clone().with("max-total-size", value));
            assert_eq!(read.unwrap_err().option(), "max-total-size");
        }
    }
}
