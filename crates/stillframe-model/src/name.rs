use alloc::string::{String, ToString};
use core::fmt;

/// A name that is safe inside a path, a metadata record and a log line: 1 to 96 characters of `a-z 0-9 . _ -`,
/// the first of which is a letter, a digit or an underscore.
///
/// Operators and state files are named by it, so that nothing read back from a storage can name a place outside.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 96;

    /// Checks the text against the grammar.
    ///
    /// # Errors
    /// [`InvalidName`] if it does not fit.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
        let text = text.into();
        let fits = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        let begins = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_');
        let bytes = text.as_bytes();
        if bytes.len() <= Self::MAX_LEN
            && bytes.first().copied().is_some_and(begins)
            && bytes.iter().copied().all(fits)
        {
            Ok(Self(text))
        } else {
            Err(InvalidName {
                found: text.chars().take(Self::MAX_LEN).collect::<String>().escape_debug().to_string(),
            })
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The text does not fit the grammar of a [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a valid name: \"{found}\" (allowed: 1 to 96 of a-z 0-9 . _ -, beginning with a letter, digit or underscore)"
)]
pub struct InvalidName {
    found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_directory() {
        for bad in ["", ".", "..", ".hidden", "-x", "a/b", "a\\b", "a\0b", "A", "ä", "a b", &"x".repeat(97)]
        {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "_metadata", "0b3f-2.state", &"x".repeat(96)] {
            assert!(Name::new(good).is_ok(), "{good:?}");
        }
    }
}
