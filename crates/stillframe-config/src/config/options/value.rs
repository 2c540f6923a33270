//! A storage that was set by value. Flink's configuration has no place for it; ours are keys that begin with
//! `stillframe.storage.`.

use crate::option::{MemorySize, Value};
use crate::{ConfigError, Options};
use alloc::format;
use alloc::string::String;
use stillframe_model::{OptionValue, Redacted, StorageDescriptor};

const KIND: &str = "stillframe.storage.kind";
const TEXT: &str = "stillframe.storage.text.";
const SIZE: &str = "stillframe.storage.size.";

pub(super) fn is_key(key: &str) -> bool {
    key == KIND || key.starts_with(TEXT) || key.starts_with(SIZE)
}

/// The storage that these options describe, if they describe one.
pub(super) fn read(options: &Options) -> Result<Option<StorageDescriptor>, ConfigError> {
    let mut settings = options.iter().filter(|(key, _)| is_key(key) && *key != KIND).peekable();
    let Some(kind) = options.get(KIND) else {
        return match settings.peek() {
            None => Ok(None),
            Some((key, _)) => Err(ConfigError::new(
                KIND,
                format_args!("nothing beside {}", shown(key)),
                "the kind of the storage",
            )),
        };
    };
    let mut storage = StorageDescriptor::new(String::from(kind));
    for (key, text) in settings {
        storage = if let Some(name) = key.strip_prefix(TEXT) {
            storage.with(String::from(name), OptionValue::Text(text.into()))
        } else if let Some(name) = key.strip_prefix(SIZE) {
            let bytes = text.parse().ok().or_else(|| MemorySize::read(text).map(MemorySize::bytes));
            let refuse = || ConfigError::new(shown(key), Redacted::new(text).quote(), MemorySize::ALLOWED);
            storage.with(String::from(name), OptionValue::Size(bytes.ok_or_else(refuse)?))
        } else {
            storage
        };
    }
    Ok(Some(storage))
}

/// A key of the user's as an error names it.
fn shown(key: &str) -> String {
    let is_plain = key.len() <= 128 && key.chars().all(|c| c.is_ascii_graphic());
    if is_plain { key.into() } else { Redacted::new(key).quote() }
}

pub(super) fn write(storage: &StorageDescriptor, options: &mut Options) {
    options.insert(KIND, storage.kind.as_ref());
    for (name, value) in &storage.options {
        match value {
            OptionValue::Text(text) => options.insert(format!("{TEXT}{name}"), text.as_str()),
            OptionValue::Size(bytes) => options.insert(format!("{SIZE}{name}"), format!("{bytes}")),
        };
    }
}
