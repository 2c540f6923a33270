use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use stillframe_model::Redacted;

/// A setting was refused, and the config left as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {found} is not allowed (allowed: {allowed})")]
pub struct ConfigError {
    option: Cow<'static, str>,
    found: String,
    allowed: Cow<'static, str>,
}

impl ConfigError {
    pub(crate) fn new(
        option: impl Into<Cow<'static, str>>,
        found: impl fmt::Display,
        allowed: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { option: option.into(), found: found.to_string(), allowed: allowed.into() }
    }

    /// The key of the option, as in a Flink configuration file.
    #[must_use]
    pub fn option(&self) -> &str {
        &self.option
    }
}

/// Why a text is not the value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) found: String,
    pub(crate) allowed: Cow<'static, str>,
}

impl Refusal {
    pub(crate) fn of(text: &str, allowed: &'static str) -> Self {
        Self { found: Redacted::new(text).quote(), allowed: allowed.into() }
    }

    pub(crate) fn at(self, option: &'static str) -> ConfigError {
        ConfigError { option: option.into(), found: self.found, allowed: self.allowed }
    }
}

/// Every setting of a configuration that was refused, in the order of the [options](crate::OPTIONS). None of it was applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", Lines(errors))]
pub struct ConfigErrors {
    errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// `Ok` if there is none.
    pub(crate) fn from_all(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self { errors }) }
    }

    /// The errors, at least one.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.errors.iter()
    }
}

/// One after the other.
pub(crate) struct Lines<'a, T>(pub(crate) &'a [T]);

impl<T: fmt::Display> fmt::Display for Lines<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, line)| match index {
            0 => write!(f, "{line}"),
            _ => write!(f, "; {line}"),
        })
    }
}
