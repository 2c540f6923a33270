use core::fmt;

/// The CRC-32C (Castagnoli) of some bytes. Detects rot, truncation and exchanged files; proves nothing about intent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Crc32c(pub u32);

impl Crc32c {
    /// The checksum of no bytes, to [extend](Self::extend).
    pub const EMPTY: Self = Self(0);

    /// The checksum of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::EMPTY.extend(bytes)
    }

    /// The checksum of what this one covers, followed by `bytes`.
    #[must_use]
    pub fn extend(self, bytes: &[u8]) -> Self {
        Self(implementation::extend(self.0, bytes))
    }
}

impl fmt::Display for Crc32c {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for Crc32c {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "std")]
use folded as implementation;
#[cfg(not(feature = "std"))]
use table as implementation;

/// By carry-less multiplication, 64 and more bytes at a time, where the processor has it.
#[cfg(feature = "std")]
mod folded {
    use crc_fast::{CrcAlgorithm, Digest};

    pub(super) fn extend(crc: u32, bytes: &[u8]) -> u32 {
        // The crate takes the start value before its final inversion; ours is after it.
        let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!crc));
        digest.update(bytes);
        // Of a 32-bit sum in 64 bits; the upper half is empty.
        digest.finalize() as u32
    }
}

/// By table, with nothing but the core library.
#[cfg(any(test, not(feature = "std")))]
mod table {
    use crc::{CRC_32_ISCSI, Crc, Table};

    static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

    pub(super) fn extend(crc: u32, bytes: &[u8]) -> u32 {
        // The crate takes the start value before its own reflection and final inversion; ours is after both.
        let mut digest = CRC.digest_with_initial((!crc).reverse_bits());
        digest.update(bytes);
        digest.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_check_value_and_in_pieces() {
        assert_eq!(Crc32c::of(b"123456789"), Crc32c(0xe306_9283));
        assert_eq!(Crc32c::of(b"1234").extend(b"56789"), Crc32c(0xe306_9283));
        assert_eq!(Crc32c::of(b""), Crc32c::EMPTY);
    }

    /// Bytes without a pattern that a checksum could be blind to.
    #[cfg(feature = "std")]
    fn bytes(count: usize) -> alloc::vec::Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        };
        core::iter::repeat_with(next).take(count).collect()
    }

    /// Folding changes its way with the length (tails, 16, 64, 256 bytes at a time) and with the start value.
    #[cfg(feature = "std")]
    #[test]
    fn both_implementations_agree_at_every_length_and_every_seam() {
        let all = bytes(70_000);
        for length in (0..=1_100).chain([4_095, 4_096, 4_097, 65_535, 65_536, 65_537, 70_000]) {
            let bytes = &all[..length];
            assert_eq!(folded::extend(0, bytes), table::extend(0, bytes), "{length} bytes");
        }
        for length in [1, 15, 16, 17, 255, 256, 257, 600] {
            let whole = table::extend(0, &all[..length]);
            for seam in 0..=length {
                let first = folded::extend(0, &all[..seam]);
                assert_eq!(folded::extend(first, &all[seam..length]), whole, "{seam} of {length} bytes");
            }
        }
        // A slice that does not begin where the processor would like it to.
        for offset in 1..64 {
            assert_eq!(
                folded::extend(7, &all[offset..4_096]),
                table::extend(7, &all[offset..4_096]),
                "from {offset}"
            );
        }
    }
}
