use crate::Redacted;
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;

/// A storage as configuration: enough to build it again in another process.
///
/// Credentials belong into the environment of the processes. Where an address carries some all the same, `Debug`
/// leaves them out, and of other texts it shows nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "CustomCheckpointStorage")]
pub struct StorageDescriptor {
    /// Which storage, as registered.
    pub kind: Cow<'static, str>,
    /// Its settings. What is not here has its default.
    pub options: BTreeMap<Cow<'static, str>, OptionValue>,
}

impl StorageDescriptor {
    /// The kind of `JobManagerCheckpointStorage`.
    pub const JOB_MANAGER: &'static str = "jobmanager";
    /// The kind of `FileSystemCheckpointStorage`.
    pub const FILE_SYSTEM: &'static str = "filesystem";

    /// The option for the largest state of a storage in memory, in bytes. Flink has no key for it, only an argument of
    /// this name.
    pub const MAX_STATE_SIZE: &'static str = "max-state-size";
    /// The option for the address below which checkpoints go.
    pub const CHECKPOINTS_DIRECTORY: &'static str = "execution.checkpointing.dir";
    /// The option for the address below which savepoints go when a request names none.
    pub const SAVEPOINT_DIRECTORY: &'static str = "execution.checkpointing.savepoint-dir";
    /// The option for the size in bytes up to which state goes into the metadata instead of a file of its own.
    pub const FS_SMALL_FILE_THRESHOLD: &'static str = "execution.checkpointing.data-inline-threshold";
    /// The option for the size in bytes of the buffer in front of a file.
    pub const FS_WRITE_BUFFER_SIZE: &'static str = "execution.checkpointing.write-buffer-size";
    /// The option that says whether files are synced to the disk: `sync`, as they are where nothing is set, or `none`, with
    /// which a loss of power may take completed checkpoints away. Flink has no such choice.
    pub const FS_DURABILITY: &'static str = "durability";

    /// A storage of this kind without settings.
    #[must_use]
    pub fn new(kind: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: kind.into(), options: BTreeMap::new() }
    }

    /// The same with one more setting.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: OptionValue) -> Self {
        self.options.insert(name.into(), value);
        self
    }
}

/// The value of one storage setting.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum OptionValue {
    /// Text, such as a directory.
    Text(String),
    /// A size in bytes.
    Size(u64),
}

impl fmt::Debug for OptionValue {
    /// A text is left out: it may be a password. Where it is known to be an address, the descriptor shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(***)"),
            Self::Size(size) => f.debug_tuple("Size").field(size).finish(),
        }
    }
}

impl fmt::Debug for StorageDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Shown<'a>(&'a StorageDescriptor);
        impl fmt::Debug for Shown<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut map = f.debug_map();
                for (name, value) in &self.0.options {
                    match (name.as_ref(), value) {
                        (
                            StorageDescriptor::CHECKPOINTS_DIRECTORY | StorageDescriptor::SAVEPOINT_DIRECTORY,
                            OptionValue::Text(text),
                        ) => map.entry(name, &Redacted::new(text)),
                        _ => map.entry(name, value),
                    };
                }
                map.finish()
            }
        }
        f.debug_struct("StorageDescriptor").field("kind", &self.kind).field("options", &Shown(self)).finish()
    }
}
