//! The files of the exactly-once sink, and a multiset of alert lines in memory that does not grow with their number.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// How the name of every committed file begins. Prepared ones have a dot before that.
pub(crate) const PREFIX: &str = "alerts-";

/// Whose a file in the directory of alerts is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// Ours, and part of the result.
    Committed,
    /// Ours, written but not part of the result.
    Prepared,
    /// Somebody else's: neither read nor removed.
    Foreign,
}

impl Ownership {
    /// Tells by the whole name, for what is ours is removed by the next job: `alerts-january.csv` is somebody else's. No
    /// file of ours has a name that is not UTF-8.
    pub(crate) fn of(name: &str) -> Self {
        match name.strip_prefix('.') {
            None if is_transaction(name) => Self::Committed,
            Some(name) if is_transaction(name) => Self::Prepared,
            _ => Self::Foreign,
        }
    }
}

/// Whether the sink gives such names: `alerts-<job>-<subtask>of<parallelism>-<number>-<random>`.
fn is_transaction(name: &str) -> bool {
    let hexadecimal = |text: &str, digits| {
        text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let decimal = |text: &str, digits| text.len() >= digits && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let parts: Vec<_> = rest.split('-').collect();
    let [job, writer, number, random] = parts[..] else { return false };
    hexadecimal(job, 32)
        && writer.split_once("of").is_some_and(|(one, all)| decimal(one, 4) && decimal(all, 4))
        && decimal(number, 8)
        && hexadecimal(random, 8)
}

/// The name of the committed file with this number, as the sink would give it.
#[cfg(test)]
pub(crate) fn committed(number: u32) -> String {
    format!("{PREFIX}0123456789abcdef0123456789abcdef-0000of0002-{number:08}-{number:08x}")
}

/// Our regular files in the directory of alerts, in the order of their names. None if the directory does not exist.
pub(crate) fn files_of_ours(directory: &Path) -> io::Result<Vec<(Ownership, PathBuf)>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let ownership = entry.file_name().to_str().map_or(Ownership::Foreign, Ownership::of);
        if ownership != Ownership::Foreign && entry.file_type()?.is_file() {
            files.push((ownership, entry.path()));
        }
    }
    files.sort_by(|(_, one), (_, other)| one.cmp(other));
    Ok(files)
}

/// Number of buckets, a power of two. Where two multisets differ, only the lines of single buckets are looked at again.
const BUCKETS: usize = 4096;

/// Lines, each as often as it occurs, as counts and sums of fingerprints. Equal multisets are equal values whatever the
/// order in which they were filled; different ones differ but for an accident of 1 in 2^128.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AlertMultiset(Box<[Bucket]>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bucket {
    lines: u64,
    fingerprints: u128,
}

impl AlertMultiset {
    /// Adds a line, given without its line end.
    pub(crate) fn add(&mut self, line: &[u8]) {
        let fingerprint = fingerprint(line);
        let bucket = &mut self.0[bucket_of(fingerprint)];
        bucket.lines += 1;
        bucket.fingerprints = bucket.fingerprints.wrapping_add(fingerprint);
    }

    /// How many lines it holds.
    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|bucket| bucket.lines).sum()
    }

    /// The first buckets in which the two differ, at most `limit`. Each holds at least one line that only one of them
    /// has, or has more often.
    pub(crate) fn differing_buckets(&self, other: &Self, limit: usize) -> Vec<usize> {
        (0..BUCKETS).filter(|&bucket| self.0[bucket] != other.0[bucket]).take(limit).collect()
    }

    /// The bucket to which a line belongs.
    pub(crate) fn bucket(line: &[u8]) -> usize {
        bucket_of(fingerprint(line))
    }
}

impl Default for AlertMultiset {
    fn default() -> Self {
        Self(vec![Bucket::default(); BUCKETS].into_boxed_slice())
    }
}

impl std::fmt::Debug for AlertMultiset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlertMultiset({} lines)", self.len())
    }
}

/// 128 bits from two runs of the standard library's hash. It may be another in another release of Rust; both sides of a
/// comparison are computed by the same process.
fn fingerprint(line: &[u8]) -> u128 {
    let half = |salt| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        hasher.write(line);
        hasher.finish()
    };
    u128::from(half(0)) << 64 | u128::from(half(1))
}

fn bucket_of(fingerprint: u128) -> usize {
    (fingerprint >> (128 - BUCKETS.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that the sink gave to a file.
    const OURS: &str = "alerts-7d72d7288f46c028839e28346973aecd-0000of0002-00000012-59bec9e7";

    #[test]
    fn the_name_says_whose_a_file_is() {
        for (name, ownership) in [
            (OURS, Ownership::Committed),
            (&format!(".{OURS}"), Ownership::Prepared),
            (&format!("..{OURS}"), Ownership::Foreign),
            (&format!("my-{OURS}"), Ownership::Foreign),
            (&format!("{OURS}.bak"), Ownership::Foreign),
            (&format!("{OURS}-0"), Ownership::Foreign),
            (&OURS.replace("of", "-"), Ownership::Foreign),
            (&OURS.replace("0000of", "000of"), Ownership::Foreign),
            (&OURS.replace("00000012", "12"), Ownership::Foreign),
            (&OURS.to_uppercase(), Ownership::Foreign),
            ("alerts", Ownership::Foreign),
            ("alerts-january.csv", Ownership::Foreign),
            (".alerts-settings", Ownership::Foreign),
            (".gitignore", Ownership::Foreign),
        ] {
            assert_eq!(Ownership::of(name), ownership, "{name}");
        }
        assert_eq!(Ownership::of(&committed(u32::MAX)), Ownership::Committed);
    }

    #[test]
    fn only_regular_files_of_ours_are_listed() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut ours: Vec<_> = (10..30).map(committed).collect();
        ours.insert(0, format!(".{}", committed(1)));
        // Neither up nor down, for some file systems list in the order of creation or its reverse.
        let (even, odd) = (ours.iter().step_by(2), ours.iter().skip(1).step_by(2));
        for name in even.chain(odd).map(String::as_str).chain(["notes.txt"]) {
            fs::write(directory.path().join(name), "").expect("a file");
        }
        fs::create_dir(directory.path().join(committed(2))).expect("a directory");
        std::os::unix::fs::symlink("notes.txt", directory.path().join(committed(3))).expect("a link");
        let names: Vec<_> = files_of_ours(directory.path())
            .expect("a readable directory")
            .into_iter()
            .map(|(_, path)| path.file_name().expect("a name").display().to_string())
            .collect();
        assert_eq!(names, ours);
        assert_eq!(files_of_ours(&directory.path().join("none")).expect("nothing"), []);
    }

    fn multiset(lines: &[&str]) -> AlertMultiset {
        let mut multiset = AlertMultiset::default();
        lines.iter().for_each(|line| multiset.add(line.as_bytes()));
        multiset
    }

    #[test]
    fn order_does_not_matter_and_number_does() {
        assert_eq!(multiset(&["a", "b", "b"]), multiset(&["b", "a", "b"]));
        assert_ne!(multiset(&["a", "b", "b"]), multiset(&["a", "a", "b"]));
        assert_ne!(multiset(&["a", "b"]), multiset(&["a"]));
        assert_eq!(multiset(&["a", "b", "b"]).len(), 3);
    }

    #[test]
    fn a_difference_is_in_the_bucket_of_its_line() {
        let (one, other) = (multiset(&["a", "b", "c"]), multiset(&["a", "c"]));
        assert_eq!(one.differing_buckets(&other, 5), [AlertMultiset::bucket(b"b")]);
        assert_eq!(one.differing_buckets(&one, 5), []);
    }

    #[test]
    fn lines_spread_over_the_buckets() {
        let mut multiset = AlertMultiset::default();
        (0..BUCKETS * 16).for_each(|line| multiset.add(line.to_string().as_bytes()));
        assert!(multiset.0.iter().all(|bucket| bucket.lines < 64));
    }
}
