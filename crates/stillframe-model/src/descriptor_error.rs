use crate::{OptionValue, Redacted};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};

/// An option of a storage that cannot have the value it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {found} is not allowed (allowed: {allowed})")]
pub struct DescriptorError {
    option: Cow<'static, str>,
    found: String,
    allowed: Cow<'static, str>,
}

impl DescriptorError {
    /// As much of a text as an error quotes, in characters.
    const LONGEST_QUOTE: usize = 200;

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

/// A text as an error quotes it: escaped, of bounded length, and without what may be a secret.
pub(crate) fn quoted(text: &str) -> String {
    let shown = Redacted::new(text).to_string();
    let mut rest = shown.chars();
    let start: String = rest.by_ref().take(DescriptorError::LONGEST_QUOTE).collect();
    format!("\"{}{}\"", start.escape_debug(), if rest.next().is_some() { "…" } else { "" })
}

/// A value as an error names it.
pub(crate) fn described(value: &OptionValue) -> String {
    match value {
        OptionValue::Text(text) => format!("the text {}", quoted(text)),
        OptionValue::Size(size) => format!("the size {size}"),
    }
}
