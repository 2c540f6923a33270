//! The known key that a mistyped one was probably meant to be.

use crate::OPTIONS;
use alloc::vec::Vec;

/// A search through the known keys, for as many unknown ones as there are.
///
/// Whoever writes the configuration decides how many keys there are and how much each looks like ours, so the work is
/// bounded as a whole, in cells of the tables that comparing fills: the files of a cluster need a hundredth of it.
pub(in crate::config::options) struct Search {
    cells: usize,
}

impl Default for Search {
    fn default() -> Self {
        Self { cells: Self::CELLS }
    }
}

impl Search {
    const CELLS: usize = 1 << 24;

    /// A key of ours that differs by a few characters, an eighth of its own at most.
    pub(super) fn nearest(&mut self, key: &str) -> Option<&'static str> {
        let known = OPTIONS
            .iter()
            .flat_map(|option| core::iter::once(option.key()).chain(option.old_keys().iter().copied()));
        let mut best: Option<(usize, &'static str)> = None;
        for known in known {
            let most =
                best.map_or(usize::MAX, |(distance, _)| distance.saturating_sub(1)).min(known.len() / 8);
            if let Some(distance) = self.distance(key.as_bytes(), known.as_bytes(), most)
                && best.is_none_or(|(least, _)| distance < least)
            {
                best = Some((distance, known));
            }
        }
        best.map(|(_, known)| known)
    }

    /// How many bytes have to be inserted, removed or replaced to make one of the other (Levenshtein), if it is no more
    /// than `most`, and if that can still be found out.
    fn distance(&mut self, a: &[u8], b: &[u8], most: usize) -> Option<usize> {
        if a.len().abs_diff(b.len()) > most {
            return None;
        }
        self.cells = self.cells.checked_sub(b.len())?;
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, left) in a.iter().enumerate() {
            self.cells = self.cells.checked_sub(b.len())?;
            let mut diagonal = core::mem::replace(&mut row[0], i + 1);
            let mut least = row[0];
            for (j, right) in b.iter().enumerate() {
                let replaced = diagonal + usize::from(left != right);
                diagonal = row[j + 1];
                row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
                least = least.min(row[j + 1]);
            }
            // No later row has anything smaller.
            if least > most {
                return None;
            }
        }
        Some(row[b.len()]).filter(|distance| *distance <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_edits() {
        for (a, b, expected) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "abd", 1), ("abc", "", 3), ("kitten", "sitting", 3)]
        {
            let distance = |most| Search::default().distance(a.as_bytes(), b.as_bytes(), most);
            assert_eq!(distance(expected), Some(expected), "{a} {b}");
            assert_eq!(distance(9), Some(expected), "{a} {b}");
            assert_eq!(expected.checked_sub(1).and_then(distance), None, "{a} {b}");
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
            assert_eq!(Search::default().nearest(key), meant, "{key}");
        }
    }

    /// What a key costs is not multiplied by its length, nor by how many keys there are.
    #[test]
    fn a_search_ends_however_many_keys_there_are() {
        let mut search = Search::default();
        assert_eq!(search.nearest(&"execution.checkpointing.".repeat(10_000)), None);
        assert_eq!(search.cells, Search::CELLS, "a key that is far too long is compared with nothing");

        assert_eq!(search.nearest("taskmanager.memory.jvm-overhead.fraction"), None);
        let one = Search::CELLS - search.cells;
        assert!(one < Search::CELLS / 1_000, "{one} cells for a key that is not like any of ours");

        // These look like ours to the last byte but a few.
        for number in 0..1_000 {
            let key = alloc::format!("execution.checkpointing.zzzzzzzzzzzzzzzzz{number:03}");
            assert_eq!(search.nearest(&key), None);
        }
        assert!(search.cells < Search::CELLS / 2, "{} cells are left", search.cells);
        search.cells = 100;
        assert_eq!(search.nearest("execution.checkpointing.min_pause"), None);
    }
}
