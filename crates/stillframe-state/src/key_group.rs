//! Keys to key groups, key groups to subtasks. The arithmetic is Flink's, so that state could be exchanged.

use stillframe_model::KeyGroupRange;

/// The highest number of key groups.
pub const MAX_PARALLELISM: u16 = 1 << 15;

/// Into how many key groups keys are divided if nobody says otherwise: a power of two, at least 128, and half as much
/// again as `parallelism` so that the job can grow.
#[must_use]
pub fn default_max_parallelism(parallelism: u32) -> u16 {
    let wished = u64::from(parallelism) + u64::from(parallelism) / 2;
    let power = wished.next_power_of_two().clamp(128, u64::from(MAX_PARALLELISM));
    u16::try_from(power).unwrap_or(MAX_PARALLELISM)
}

/// The key group of a key with this hash.
///
/// # Panics
/// If `max_parallelism` is 0.
#[must_use]
pub fn key_group(hash: i32, max_parallelism: u16) -> u16 {
    let group = murmur(hash) % u32::from(max_parallelism);
    u16::try_from(group).unwrap_or_else(|_| unreachable!("a remainder is smaller than its divisor"))
}

/// The subtask that owns a key group.
#[must_use]
pub fn subtask_of(group: u16, parallelism: u32, max_parallelism: u16) -> u32 {
    let subtask = u64::from(group) * u64::from(parallelism) / u64::from(max_parallelism);
    u32::try_from(subtask).unwrap_or(u32::MAX)
}

/// The key groups that a subtask owns. Every subtask owns at least one as long as `parallelism <= max_parallelism`.
#[must_use]
pub fn range_of(subtask: u32, parallelism: u32, max_parallelism: u16) -> KeyGroupRange {
    let (subtask, parallelism, max) =
        (u64::from(subtask), u64::from(parallelism), u64::from(max_parallelism));
    let group = |number: u64| u16::try_from(number).unwrap_or(u16::MAX);
    KeyGroupRange {
        start: group((subtask * max).div_ceil(parallelism)),
        end: group(((subtask + 1) * max - 1) / parallelism),
    }
}

/// A hash that is the same in every process and version, which the standard library's is not.
pub trait KeyHash {
    /// The hash that decides the key group.
    fn key_hash(&self) -> i32;
}

impl KeyHash for [u8] {
    /// The polynomial of Java's `String.hashCode`, so that keys in ASCII fall into the same groups as in Flink.
    fn key_hash(&self) -> i32 {
        self.iter().fold(0_i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(i32::from(*byte)))
    }
}

impl<const N: usize> KeyHash for [u8; N] {
    fn key_hash(&self) -> i32 {
        self.as_slice().key_hash()
    }
}

impl KeyHash for str {
    fn key_hash(&self) -> i32 {
        self.as_bytes().key_hash()
    }
}

impl KeyHash for String {
    fn key_hash(&self) -> i32 {
        self.as_bytes().key_hash()
    }
}

impl KeyHash for i32 {
    fn key_hash(&self) -> i32 {
        *self
    }
}

impl KeyHash for u32 {
    fn key_hash(&self) -> i32 {
        self.cast_signed()
    }
}

impl KeyHash for u64 {
    /// That of Java's `Long`: both halves.
    fn key_hash(&self) -> i32 {
        let folded = (self ^ (self >> 32)) & Self::from(u32::MAX);
        u32::try_from(folded).unwrap_or_default().cast_signed()
    }
}

impl KeyHash for i64 {
    fn key_hash(&self) -> i32 {
        self.cast_unsigned().key_hash()
    }
}

impl<K: KeyHash + ?Sized> KeyHash for &K {
    fn key_hash(&self) -> i32 {
        (**self).key_hash()
    }
}

/// MurmurHash3 of one 32-bit word with seed 0, made non-negative as Flink does it.
fn murmur(code: i32) -> u32 {
    let mut hash = code.cast_unsigned().wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64) ^ 4;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    let hash = (hash ^ (hash >> 16)).cast_signed();
    if hash == i32::MIN { 0 } else { hash.unsigned_abs() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by the classes of Flink 1.20.5.
    #[test]
    fn agrees_with_flink() {
        for (code, hash, group) in [
            (0, 593_689_054, 94),
            (1, 68_075_478, 86),
            (-1, 1_982_413_648, 80),
            (42, 1_134_849_565, 29),
            (i32::MIN, 1_718_298_732, 108),
            (123_456_789, 1_088_346_449, 81),
            (-987_654_321, 1_314_828_554, 10),
        ] {
            assert_eq!((murmur(code), key_group(code, 128)), (hash, group), "{code}");
        }
        for (parallelism, max) in [
            (1, 128),
            (80, 128),
            (85, 128),
            (86, 256),
            (128, 256),
            (171, 256),
            (200, 512),
            (10_000, 16_384),
            (32_768, 32_768),
        ] {
            assert_eq!(default_max_parallelism(parallelism), max, "{parallelism}");
        }
        let ranges =
            |parallelism, max| (0..parallelism).map(|i| range_of(i, parallelism, max)).collect::<Vec<_>>();
        let range = |start, end| KeyGroupRange { start, end };
        assert_eq!(ranges(3, 128), [range(0, 42), range(43, 85), range(86, 127)]);
        assert_eq!(ranges(4, 10), [range(0, 2), range(3, 4), range(5, 7), range(8, 9)]);
    }

    #[test]
    fn every_group_belongs_to_the_subtask_whose_range_holds_it() {
        for (parallelism, max) in [(1, 1), (3, 128), (7, 128), (128, 128), (100, 32_768), (32_768, 32_768)] {
            for group in 0..max {
                let owner = subtask_of(group, parallelism, max);
                assert!(
                    range_of(owner, parallelism, max).contains(group),
                    "{group} of {max} among {parallelism}"
                );
            }
        }
    }

    #[test]
    fn strings_hash_as_in_java() {
        assert_eq!("ATL".key_hash(), 65_145);
        assert_eq!("hello".key_hash(), 99_162_322);
    }
}
