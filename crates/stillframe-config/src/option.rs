//! What an option is, and the machinery by which [`table`] declares each of them once.

mod table;
mod value;

pub use table::OPTIONS;
pub(crate) use table::Settings;
pub(crate) use table::{interval, interval_or_zero};
pub use value::OptionType;
pub(crate) use value::{
    Count, Directory, Finite, MaybeCheckpoint, MemorySize, Millis, Natural, StorageKind, Text, Value,
};

use crate::ConfigError;
use crate::error::Refusal;
use alloc::string::String;
use core::fmt;

/// One setting as it stands in a configuration: its names, what it looks like, what it is for.
#[derive(Clone, Copy)]
pub struct ConfigOption {
    key: &'static str,
    old_keys: &'static [&'static str],
    option_type: OptionType,
    default: fn() -> Option<String>,
    doc: &'static str,
    reader: Reader,
    pub(crate) read: fn(&mut Settings, &str) -> Result<(), Refusal>,
    pub(crate) write: fn(&Settings) -> Option<String>,
}

impl ConfigOption {
    /// The name under which it is written.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// Names under which it is read if it is not there under its own, the first that is there first.
    #[must_use]
    pub const fn old_keys(&self) -> &'static [&'static str] {
        self.old_keys
    }

    /// What its value looks like.
    #[must_use]
    pub const fn option_type(&self) -> OptionType {
        self.option_type
    }

    /// What holds if it is not set, as it would be written; `None` if that is nothing.
    #[must_use]
    pub fn default(&self) -> Option<String> {
        (self.default)()
    }

    /// What it is for, in one sentence.
    #[must_use]
    pub const fn doc(&self) -> &'static str {
        self.doc.trim_ascii_start()
    }

    /// What reads it.
    #[must_use]
    pub const fn reader(&self) -> Reader {
        self.reader
    }

    /// Whether the settings differ from the default here.
    pub(crate) fn is_changed(&self, settings: &Settings) -> bool {
        let text = (self.write)(settings);
        text.is_some() && text != self.default()
    }
}

impl fmt::Debug for ConfigOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigOption").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What a setting changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reader {
    /// This decision reads it.
    Read(&'static str),
    /// Nothing reads it yet, and what it waits for is this. Setting it to anything but its default is reported by
    /// [`resolve`](crate::CheckpointConfig::resolve).
    Pending(&'static str),
}

/// Puts a value into its place, if it is one that the option allows.
fn put<T: Value>(
    place: &mut Option<T>,
    text: &str,
    check: fn(&T) -> Result<(), &'static str>,
) -> Result<(), Refusal> {
    let value = T::read(text).ok_or_else(|| T::refusal(text))?;
    check(&value).map_err(|allowed| Refusal::of(text, allowed))?;
    *place = Some(value);
    Ok(())
}

/// A value from a setter, if it is one that the option allows.
pub(crate) fn checked<T: Value>(
    option: &'static str,
    value: T,
    check: fn(&T) -> Result<(), &'static str>,
) -> Result<T, ConfigError> {
    match check(&value) {
        Ok(()) => Ok(value),
        Err(allowed) => Err(ConfigError::new(option, value.write(), allowed)),
    }
}

/// A key is under which one of our settings is written or was once written.
pub(crate) fn is_known(key: &str) -> bool {
    OPTIONS.iter().any(|option| option.key == key || option.old_keys.contains(&key))
}

macro_rules! options {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident: $type:ty $(= $default:expr)?,
        $key:literal, [$($old:literal),*],
        $reader:expr $(, $check:path)?;
    )+) => {
        /// Every setting as it was set, or `None`.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
        pub(crate) struct Settings {
            $($(#[doc = $doc])+ pub(crate) $name: Option<$type>,)+
        }

        impl Settings {
            $($(
                /// The setting, or its default.
                pub(crate) fn $name(&self) -> $type {
                    self.$name.unwrap_or($default)
                }
            )?)+
        }

        /// Every option that there is, in the order of the documentation.
        pub const OPTIONS: &[ConfigOption] = &[$(
            ConfigOption {
                key: $key,
                old_keys: &[$($old),*],
                option_type: <$type as Value>::TYPE,
                default: options!(@default $(($type) $default)?),
                doc: concat!($($doc),+),
                reader: $reader,
                read: |settings, text| options!(@put settings.$name, text $(, $check)?),
                write: |settings| settings.$name.as_ref().map(Value::write),
            },
        )+];
    };
    (@default) => { || None };
    (@default ($type:ty) $default:expr) => { || { let default: $type = $default; Some(default.write()) } };
    (@put $place:expr, $text:ident) => { put(&mut $place, $text, |_| Ok(())) };
    (@put $place:expr, $text:ident, $check:path) => { put(&mut $place, $text, $check) };
}
use options;
