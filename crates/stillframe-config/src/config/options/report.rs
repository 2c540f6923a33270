//! What a configuration had beside settings of ours.

use crate::OPTIONS;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

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
    /// Refuses keys that are probably meant for us: those that nearly are one of our keys, and those that begin like them.
    ///
    /// # Errors
    /// With the first such key.
    pub fn deny_unknown(self) -> Result<Self, UnknownKey> {
        match self.unknown.iter().find(|key| key.is_ours()) {
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
}

/// What the keys of checkpointing begin with.
const OURS: [&str; 3] = ["execution.checkpointing.", "execution.state-recovery.", "stillframe."];

impl UnknownKey {
    pub(super) fn new(key: &str) -> Self {
        Self { key: key.into(), nearest: nearest(key) }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The known key that was probably meant.
    #[must_use]
    pub const fn nearest(&self) -> Option<&'static str> {
        self.nearest
    }

    fn is_ours(&self) -> bool {
        self.nearest.is_some() || OURS.iter().any(|prefix| self.key.starts_with(prefix))
    }
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: unknown key", self.key.escape_debug())?;
        match self.nearest {
            Some(nearest) => write!(f, " (did you mean {nearest}?)"),
            None => f.write_str(" (not a setting of checkpointing)"),
        }
    }
}

impl core::error::Error for UnknownKey {}

/// A key of ours that differs by a few characters.
fn nearest(key: &str) -> Option<&'static str> {
    // Longer ones cannot be near, and comparing takes the product of both lengths.
    if key.len() > 128 {
        return None;
    }
    let known = OPTIONS
        .iter()
        .flat_map(|option| core::iter::once(option.key()).chain(option.old_keys().iter().copied()));
    let rated = known.map(|known| (distance(key.as_bytes(), known.as_bytes()), known));
    let (distance, nearest) = rated.min_by_key(|(distance, _)| *distance)?;
    (distance * 8 <= nearest.len()).then_some(nearest)
}

/// How many bytes have to be inserted, removed or replaced to make one of the other (Levenshtein).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = core::mem::replace(&mut row[0], i + 1);
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_edits() {
        for (a, b, expected) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "abd", 1), ("abc", "", 3), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_mistyped_key_names_the_one_that_was_meant() {
        for (key, meant) in [
            ("execution.checkpointing.intervall", Some("execution.checkpointing.interval")),
            ("execution.checkpointing.min_pause", Some("execution.checkpointing.min-pause")),
            (
                "execution.checkpointing.tolerable-failed-checkpoint",
                Some("execution.checkpointing.tolerable-failed-checkpoints"),
            ),
            ("taskmanager.numberOfTaskSlots", None),
            ("", None),
        ] {
            assert_eq!(UnknownKey::new(key).nearest(), meant, "{key}");
        }
    }
}
