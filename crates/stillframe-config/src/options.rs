//! A configuration as it stands in a file: keys and values, both text.

mod parse;
mod write;

#[cfg(feature = "serde")]
mod nested;

pub use parse::ParseError;

use alloc::collections::BTreeMap;
use alloc::string::String;

/// The longest key, in bytes, that is made of the keys of sections. Each leaf below a section repeats them, so that a file
/// would otherwise be read into many times its size.
const LONGEST_JOINED_KEY: usize = 1024;

/// A flat configuration: text under keys such as `execution.checkpointing.interval`.
///
/// It is read from the lines of a file ([`Options::parse`]), collected from pairs, or, with the feature `serde`, deserialised
/// from any format. Tables in tables become keys with dots, so that a nested `config.yaml` or TOML file reads as the flat one.
///
/// ```
/// use stillframe_config::{CheckpointConfig, Options};
///
/// let options = Options::parse("execution.checkpointing.interval: 10 s  # often\nparallelism.default: 4")?;
/// let (config, report) = CheckpointConfig::from_options(&options)?;
/// assert_eq!(config.checkpoint_interval(), Some(core::time::Duration::from_secs(10)));
/// assert_eq!(report.unknown[0].key(), "parallelism.default");
/// assert_eq!(config.to_options().to_flink_conf(), "execution.checkpointing.interval: 10 s\n");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Options {
    entries: BTreeMap<String, String>,
}

impl Options {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: BTreeMap::new() }
    }

    /// Sets one value, and returns the one that was there.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) -> Option<String> {
        self.entries.insert(key.into(), value.into())
    }

    /// The value under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(String::as_str)
    }

    /// All keys with their values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl core::fmt::Debug for Options {
    /// The keys alone: a configuration may hold somebody's password.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Options").field(&self.entries.keys()).finish()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Options {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self { entries: pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect() }
    }
}

impl<K: Into<String>, V: Into<String>> Extend<(K, V)> for Options {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        self.entries.extend(pairs.into_iter().map(|(key, value)| (key.into(), value.into())));
    }
}
