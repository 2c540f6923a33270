use crate::{OptionValue, Redacted};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

/// An option of a storage that cannot have the value it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {found} is not allowed (allowed: {allowed})")]
pub struct DescriptorError {
    option: Cow<'static, str>,
    found: String,
    allowed: Cow<'static, str>,
}

impl DescriptorError {
    pub(crate) fn new(
        option: impl Into<Cow<'static, str>>,
        found: impl Into<String>,
        allowed: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { option: option.into(), found: found.into(), allowed: allowed.into() }
    }

    /// The key of the option, or `path` where a text was read that belongs to none yet.
    #[must_use]
    pub fn option(&self) -> &str {
        &self.option
    }

    /// What it was given, as a phrase.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.found
    }

    /// What it can have, as a phrase.
    #[must_use]
    pub fn allowed(&self) -> &str {
        &self.allowed
    }

    /// The same error about another option: for a caller who knows whose value the text was to be.
    #[must_use]
    pub fn with_option(self, option: impl Into<Cow<'static, str>>) -> Self {
        Self { option: option.into(), ..self }
    }
}

/// A value as an error names it.
pub(crate) fn described(value: &OptionValue) -> String {
    match value {
        OptionValue::Text(text) => format!("the text {}", Redacted::new(text).quote()),
        OptionValue::Size(size) => format!("the size {size}"),
    }
}
