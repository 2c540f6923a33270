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
mod implementation {
    pub(super) fn extend(crc: u32, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(crc, bytes)
    }
}

#[cfg(not(feature = "std"))]
mod implementation {
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
}
