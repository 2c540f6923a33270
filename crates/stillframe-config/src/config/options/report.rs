//! What a configuration had beside settings of ours.

mod nearest;

pub(super) use nearest::Search;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use stillframe_model::Redacted;

/// What was noticed while a configuration was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "keys that were not understood are only reported here"]
pub struct Report {
    /// Keys that are none of ours, in their order. Nothing was done with them.
    pub unknown: Vec<UnknownKey>,
    /// Settings that were found under an older key: that key, and today's.
    pub renamed: Vec<(&'static str, &'static str)>,
}

impl Report {
    /// Refuses keys that are probably meant for us: those that nearly are one of our keys, those that begin like them, and
    /// those that hold a table in which they would be.
    ///
    /// # Errors
    /// With the first such key.
    pub fn deny_unknown(self) -> Result<Self, UnknownKey> {
        match self.unknown.iter().find(|key| key.is_ours) {
            Some(key) => Err(key.clone()),
            None => Ok(self),
        }
    }
}

/// A key that is none of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    key: String,
    nearest: Option<&'static str>,
    is_ours: bool,
}

/// What the keys of checkpointing begin with.
const OURS: [&str; 3] = ["execution.checkpointing.", "execution.state-recovery.", "stillframe."];

impl UnknownKey {
    pub(super) fn new(key: &str, value: &str, search: &mut Search) -> Self {
        let nearest = search.nearest(key);
        // `execution: {..}` in one line holds settings of ours, and an empty `execution:` none.
        let holds = |prefix: &str| {
            value.starts_with('{') && prefix.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'))
        };
        let is_ours = nearest.is_some() || OURS.iter().any(|prefix| key.starts_with(prefix) || holds(prefix));
        Self { key: key.into(), nearest, is_ours }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The known key that was probably meant. In a configuration with thousands of unknown keys it is not looked for to
    /// the last.
    #[must_use]
    pub const fn nearest(&self) -> Option<&'static str> {
        self.nearest
    }
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: unknown key", Redacted::new(&self.key).quote())?;
        match self.nearest {
            Some(nearest) => write!(f, " (did you mean {nearest}?)"),
            None => f.write_str(" (not a setting of checkpointing)"),
        }
    }
}

impl core::error::Error for UnknownKey {}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(key: &str, value: &str) -> UnknownKey {
        UnknownKey::new(key, value, &mut Search::default())
    }

    #[test]
    fn a_table_in_one_line_is_not_taken_for_somebody_elses() {
        for (key, value, is_ours) in [
            ("execution", "{checkpointing: {interval: 10 s}}", true),
            ("execution.checkpointing", "{interval: 10 s}", true),
            ("execution", "", false),
            ("exec", "{a: b}", false),
            ("execution.checkpointing.own", "", true),
            ("parallelism.default", "{}", false),
        ] {
            assert_eq!(unknown(key, value).is_ours, is_ours, "{key}: {value}");
        }
    }

    #[test]
    fn a_long_key_is_shown_in_part() {
        let shown = alloc::string::ToString::to_string(&unknown(&"k\n".repeat(10_000), ""));
        assert!(shown.len() < 1_000 && shown.contains("k\\nk"), "{shown}");
    }
}
