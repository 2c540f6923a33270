use alloc::string::{String, ToString};
use core::fmt;

/// A setting was refused, and the config left as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {found} is not allowed (allowed: {allowed})")]
pub struct ConfigError {
    option: &'static str,
    found: String,
    allowed: &'static str,
}

impl ConfigError {
    pub(crate) fn new(option: &'static str, found: impl fmt::Display, allowed: &'static str) -> Self {
        Self { option, found: found.to_string(), allowed }
    }

    /// The key of the option, as in a Flink configuration file.
    #[must_use]
    pub fn option(&self) -> &'static str {
        self.option
    }
}
