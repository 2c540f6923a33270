use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;

/// A storage as configuration: enough to build it again in another process. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StorageDescriptor {
    /// Which storage, as registered.
    pub kind: Cow<'static, str>,
    /// Its settings.
    pub options: BTreeMap<Cow<'static, str>, OptionValue>,
}

impl StorageDescriptor {
    /// The kind of `JobManagerCheckpointStorage`.
    pub const JOB_MANAGER: &'static str = "jobmanager";
    /// The kind of `FileSystemCheckpointStorage`.
    pub const FILE_SYSTEM: &'static str = "filesystem";

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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum OptionValue {
    /// Text, such as a directory.
    Text(String),
    /// A size in bytes.
    Size(u64),
}
