use core::num::NonZeroU32;
use std::borrow::Cow;
use std::collections::BTreeMap;
use stillframe_model::{OptionValue, StorageDescriptor};
use stillframe_storage::{ErrorKind, StorageError};

/// What is known of a custom storage wherever it is not built: kind, version and options.
///
/// It is a [`StorageDescriptor`] with two options that mean the same for every kind. Options never hold secrets, but say where
/// to find them; see [`CustomOptions::secret`](crate::CustomOptions::secret).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "StorageDescriptor", into = "StorageDescriptor"))]
#[doc(alias = "CustomCheckpointStorage")]
pub struct CustomDescriptor(StorageDescriptor);

impl CustomDescriptor {
    /// The option for the version of the storage, as a size.
    pub const VERSION: &'static str = "version";

    /// The option for how a storage in another process is reached, as a text. Reserved: a descriptor that has it can be passed
    /// on, and no process can build it yet.
    pub const TRANSPORT: &'static str = "transport";

    /// The longest kind, in bytes.
    pub const LONGEST_KIND: usize = 96;

    /// A storage of this kind, in the newest version that the process knows which builds it, without options.
    ///
    /// # Errors
    /// `InvalidOption` for a kind that comes with the workspace, in whatever case, and for one that is not 1 to 96 printable
    /// ASCII characters without spaces.
    pub fn new(kind: impl Into<Cow<'static, str>>) -> Result<Self, StorageError> {
        Self::try_from(StorageDescriptor::new(kind))
    }

    /// The same in this version.
    #[must_use]
    pub fn with_version(self, version: NonZeroU32) -> Self {
        Self(self.0.with(Self::VERSION, OptionValue::Size(version.get().into())))
    }

    /// The same with one more option.
    ///
    /// # Errors
    /// `InvalidOption` for a value that one of the options of every kind cannot have.
    pub fn with(self, name: impl Into<Cow<'static, str>>, value: OptionValue) -> Result<Self, StorageError> {
        Self::try_from(self.0.with(name, value))
    }

    /// The kind, as it is registered.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The version, if it was set.
    #[must_use]
    pub fn version(&self) -> Option<NonZeroU32> {
        version(&self.0).ok().flatten()
    }

    /// How the storage is reached, if it is in another process.
    #[must_use]
    pub fn transport(&self) -> Option<&str> {
        match self.0.options.get(Self::TRANSPORT) {
            Some(OptionValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The options of its kind, without those that every kind has.
    pub fn options(&self) -> impl Iterator<Item = (&str, &OptionValue)> {
        let options = self.0.options.iter().map(|(name, value)| (name.as_ref(), value));
        options.filter(|(name, _)| ![Self::VERSION, Self::TRANSPORT].contains(name))
    }

    pub(crate) fn own_options(&self) -> BTreeMap<String, OptionValue> {
        self.options().map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }
}

impl From<CustomDescriptor> for StorageDescriptor {
    fn from(custom: CustomDescriptor) -> Self {
        custom.0
    }
}

impl TryFrom<StorageDescriptor> for CustomDescriptor {
    type Error = StorageError;

    fn try_from(descriptor: StorageDescriptor) -> Result<Self, StorageError> {
        check_kind(&descriptor.kind)?;
        version(&descriptor)?;
        match descriptor.options.get(Self::TRANSPORT) {
            None => {}
            Some(OptionValue::Text(text)) if !text.is_empty() => {}
            Some(_) => {
                return Err(invalid(&descriptor.kind).with_detail(format!(
                    "option {} is not allowed to be empty or a size, allowed: a text",
                    Self::TRANSPORT
                )));
            }
        }
        Ok(Self(descriptor))
    }
}

/// The start of an error about the configuration of this kind.
pub(crate) fn invalid(kind: &str) -> StorageError {
    StorageError::new(ErrorKind::InvalidOption, "configure custom storage", shown(kind))
}

pub(crate) fn check_kind(kind: &str) -> Result<(), StorageError> {
    let length = kind.len();
    if !(1..=CustomDescriptor::LONGEST_KIND).contains(&length)
        || !kind.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(invalid(kind).with_detail(format!(
            "the kind is not allowed, allowed: 1 to {} printable ASCII characters without spaces",
            CustomDescriptor::LONGEST_KIND
        )));
    }
    let built_in = [StorageDescriptor::JOB_MANAGER, StorageDescriptor::FILE_SYSTEM];
    if built_in.iter().any(|built_in| built_in.eq_ignore_ascii_case(kind)) {
        return Err(invalid(kind).with_detail("the kind is not allowed, since it is a built-in one"));
    }
    Ok(())
}

fn version(descriptor: &StorageDescriptor) -> Result<Option<NonZeroU32>, StorageError> {
    let found = match descriptor.options.get(CustomDescriptor::VERSION) {
        None => return Ok(None),
        Some(OptionValue::Size(size)) => match u32::try_from(*size).ok().and_then(NonZeroU32::new) {
            Some(version) => return Ok(Some(version)),
            None => format!("{size}"),
        },
        Some(OptionValue::Text(_)) => "a text".to_owned(),
    };
    Err(invalid(&descriptor.kind).with_detail(format!(
        "option {}: {found} is not allowed, allowed: the size 1 to {}",
        CustomDescriptor::VERSION,
        u32::MAX
    )))
}

/// A kind as an error names it: whatever it is, it fits on a line.
fn shown(kind: &str) -> String {
    kind.chars().take(CustomDescriptor::LONGEST_KIND).collect::<String>().escape_debug().to_string()
}
