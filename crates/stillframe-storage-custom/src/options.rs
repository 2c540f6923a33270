use crate::descriptor::invalid;
use crate::secrets::Secrets;
use core::cell::RefCell;
use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use stillframe_model::{OptionValue, StorageDescriptor};
use stillframe_storage::StorageError;

/// What the settings for every storage are called. A kind that has no use for one of them ignores it, as it would in Flink.
const FOR_EVERY_KIND: [&str; 4] = [
    StorageDescriptor::CHECKPOINTS_DIRECTORY,
    StorageDescriptor::SAVEPOINT_DIRECTORY,
    StorageDescriptor::FS_SMALL_FILE_THRESHOLD,
    StorageDescriptor::FS_WRITE_BUFFER_SIZE,
];

/// The options of a custom storage, as its factory reads them.
///
/// Whatever the factory asks for is known; when it is done, every other option is refused. No error shows the text of an option.
pub struct CustomOptions {
    kind: String,
    version: u32,
    options: BTreeMap<String, OptionValue>,
    known: RefCell<BTreeSet<String>>,
    secrets: Arc<Secrets>,
    environment: fn(&str) -> Option<String>,
}

impl CustomOptions {
    pub(crate) fn new(
        kind: String,
        version: u32,
        options: BTreeMap<String, OptionValue>,
        secrets: Arc<Secrets>,
        environment: fn(&str) -> Option<String>,
    ) -> Self {
        Self { kind, version, options, known: RefCell::default(), secrets, environment }
    }

    /// The version that was asked for, one of those that the kind is registered with.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// A text.
    ///
    /// # Errors
    /// `InvalidOption` if it is missing or a size.
    pub fn text(&self, name: &str) -> Result<&str, StorageError> {
        self.text_if_set(name)?.ok_or_else(|| self.missing(name, "a text"))
    }

    /// A text, if it is set.
    ///
    /// # Errors
    /// `InvalidOption` if it is a size.
    pub fn text_if_set(&self, name: &str) -> Result<Option<&str>, StorageError> {
        match self.find(name) {
            None => Ok(None),
            Some(OptionValue::Text(text)) => Ok(Some(text)),
            Some(OptionValue::Size(_)) => Err(self.refuse(name, "a text")),
        }
    }

    /// A size in bytes, or another number.
    ///
    /// # Errors
    /// `InvalidOption` if it is missing or a text.
    pub fn size(&self, name: &str) -> Result<u64, StorageError> {
        self.size_if_set(name)?.ok_or_else(|| self.missing(name, "a size"))
    }

    /// A size in bytes, or another number, if it is set.
    ///
    /// # Errors
    /// `InvalidOption` if it is a text.
    pub fn size_if_set(&self, name: &str) -> Result<Option<u64>, StorageError> {
        match self.find(name) {
            None => Ok(None),
            Some(OptionValue::Size(size)) => Ok(Some(*size)),
            Some(OptionValue::Text(_)) => Err(self.refuse(name, "a size")),
        }
    }

    /// A secret. The option holds `env:NAME`, the variable in the environment of each process that has it, so that the
    /// secret itself never travels nor stands in a configuration. Errors of the storage in which it appears are withheld.
    ///
    /// # Errors
    /// `InvalidOption` if it is missing, a size, or a text that is no `env:NAME`; also if there is no such variable.
    pub fn secret(&self, name: &str) -> Result<Secret, StorageError> {
        self.secret_if_set(name)?.ok_or_else(|| self.missing(name, "env: and the name of a variable"))
    }

    /// A secret, as [`secret`](Self::secret), if it is set.
    ///
    /// # Errors
    /// As `secret`.
    pub fn secret_if_set(&self, name: &str) -> Result<Option<Secret>, StorageError> {
        const ALLOWED: &str = "env: and the name of a variable that is set, never the secret itself";
        let Some(text) = self.text_if_set(name)? else { return Ok(None) };
        let variable = text.strip_prefix("env:").ok_or_else(|| self.refuse(name, ALLOWED))?;
        let secret = (self.environment)(variable).ok_or_else(|| self.refuse(name, ALLOWED))?;
        self.secrets.add(&secret);
        Ok(Some(Secret(secret)))
    }

    /// An error about an option whose value the factory cannot use. `allowed` is a phrase, such as "1 to 16".
    #[must_use]
    pub fn refuse(&self, name: &str, allowed: &str) -> StorageError {
        let found = match self.options.get(name) {
            None => "nothing".to_owned(),
            Some(OptionValue::Text(_)) => "this text".to_owned(),
            Some(OptionValue::Size(size)) => format!("the size {size}"),
        };
        self.error(&format!("option {name}: {found} is not allowed, allowed: {allowed}"))
    }

    fn missing(&self, name: &str, expected: &str) -> StorageError {
        self.error(&format!("option {name} is missing, expected: {expected}"))
    }

    fn error(&self, detail: &str) -> StorageError {
        invalid(&self.kind).with_detail(format!("version {}: {detail}", self.version))
    }

    fn find(&self, name: &str) -> Option<&OptionValue> {
        self.known.borrow_mut().insert(name.to_owned());
        self.options.get(name)
    }

    /// For when the factory is done: whether it asked for everything that is there.
    pub(crate) fn check_all_known(&self) -> Result<(), StorageError> {
        let known = self.known.borrow();
        let is_known = |name: &str| known.contains(name) || FOR_EVERY_KIND.contains(&name);
        let Some(unknown) = self.options.keys().find(|name| !is_known(name)) else { return Ok(()) };
        let list = known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let list = if list.is_empty() { "none" } else { &list };
        // A name is not secret, but as little to be trusted as a value.
        let unknown = unknown.chars().take(96).collect::<String>();
        Err(self.error(&format!("option {} is unknown, known options: {list}", unknown.escape_debug())))
    }
}

impl fmt::Debug for CustomOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomOptions")
            .field("kind", &self.kind)
            .field("version", &self.version)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// A text that is not to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text, for whoever has to log in with it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}
