//! How the bytes of a state are checked: in blocks, whose checksums follow the state as a table.

use bytes::Bytes;
use stillframe_model::Crc32c;

/// The unit that is checked as a whole, in bytes.
pub(crate) const BLOCK: usize = 64 * 1024;

/// A checksum in the table: 4 bytes, the least significant first.
const ENTRY: usize = size_of::<u32>();

/// How long the table is that follows `len` bytes of state. State of one block has none: its checksum is in the
/// handle.
pub(crate) const fn table_len(len: u64) -> u64 {
    if len <= BLOCK as u64 { 0 } else { len.div_ceil(BLOCK as u64) * ENTRY as u64 }
}

/// The checksums of state that comes in pieces of any size.
#[derive(Debug)]
pub(crate) struct BlockChecksums {
    len: u64,
    /// Of the newest block, which may be full: it goes into the table only when another one begins, because
    /// there is no table as long as there is no other.
    newest: Crc32c,
    table: Vec<u8>,
}

/// What follows from a state when all of it is known.
#[derive(Debug)]
pub(crate) struct Sealed {
    /// The length of the state.
    pub(crate) len: u64,
    /// What its handle says.
    pub(crate) crc: Crc32c,
    /// What follows it, often nothing.
    pub(crate) table: Bytes,
}

impl BlockChecksums {
    pub(crate) const fn new() -> Self {
        Self { len: 0, newest: Crc32c::EMPTY, table: Vec::new() }
    }

    pub(crate) fn extend(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let filled = (self.len % BLOCK as u64) as usize;
            if filled == 0 && self.len > 0 {
                self.close_block();
            }
            let (block, rest) = bytes.split_at(bytes.len().min(BLOCK - filled));
            self.newest = self.newest.extend(block);
            self.len += block.len() as u64;
            bytes = rest;
        }
    }

    pub(crate) fn seal(mut self) -> Sealed {
        if table_len(self.len) == 0 {
            return Sealed { len: self.len, crc: self.newest, table: Bytes::new() };
        }
        self.close_block();
        Sealed { len: self.len, crc: Crc32c::of(&self.table), table: Bytes::from(self.table) }
    }

    fn close_block(&mut self) {
        self.table.extend_from_slice(&self.newest.0.to_le_bytes());
        self.newest = Crc32c::EMPTY;
    }
}

/// What the blocks of a state must give.
#[derive(Debug)]
pub(crate) enum ExpectedChecksums {
    /// The only block.
    One(Crc32c),
    /// A table that was checked itself.
    Table(Bytes),
}

impl ExpectedChecksums {
    /// That of the block with this number, from 0. `None` behind the last one.
    pub(crate) fn of_block(&self, number: u64) -> Option<Crc32c> {
        match self {
            Self::One(crc) => Some(*crc).filter(|_| number == 0),
            Self::Table(table) => {
                let (entries, _) = table.as_chunks::<ENTRY>();
                let entry = entries.get(usize::try_from(number).ok()?)?;
                Some(Crc32c(u32::from_le_bytes(*entry)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn seal(pieces: &[&[u8]]) -> Sealed {
        let mut checksums = BlockChecksums::new();
        pieces.iter().for_each(|piece| checksums.extend(piece));
        checksums.seal()
    }

    #[test]
    fn one_block_has_no_table_and_two_have() {
        let bytes = vec![7; 2 * BLOCK + 1];
        for len in [0, 1, BLOCK - 1, BLOCK] {
            let sealed = seal(&[&bytes[..len]]);
            assert_eq!((sealed.crc, sealed.table.len()), (Crc32c::of(&bytes[..len]), 0), "{len}");
        }
        for (len, blocks) in [(BLOCK + 1, 2), (2 * BLOCK - 1, 2), (2 * BLOCK, 2), (2 * BLOCK + 1, 3)] {
            let sealed = seal(&[&bytes[..len]]);
            let table = bytes[..len].chunks(BLOCK).flat_map(|block| Crc32c::of(block).0.to_le_bytes());
            assert_eq!(sealed.table, table.collect::<Bytes>(), "{len}");
            assert_eq!(sealed.table.len(), 4 * blocks, "{len}");
            assert_eq!(sealed.crc, Crc32c::of(&sealed.table), "{len}");
            assert_eq!(table_len(len as u64), sealed.table.len() as u64);
        }
    }

    #[test]
    fn no_length_is_too_large_for_its_table() {
        assert_eq!(table_len(u64::MAX), (1 << 48) * 4);
    }

    #[test]
    fn only_blocks_that_exist_have_a_checksum() {
        let one = ExpectedChecksums::One(Crc32c(5));
        assert_eq!((one.of_block(0), one.of_block(1)), (Some(Crc32c(5)), None));
        let two = ExpectedChecksums::Table(Bytes::from_static(&[1, 0, 0, 0, 0, 1, 0, 0]));
        assert_eq!(two.of_block(1), Some(Crc32c(256)));
        assert_eq!((two.of_block(2), two.of_block(u64::MAX)), (None, None));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_state_is_split(
            len in 0..4 * BLOCK,
            mut cuts in vec(0..4 * BLOCK, 0..12),
        ) {
            let bytes = (0..len).map(|at| (at * 31 % 251) as u8).collect::<Vec<_>>();
            cuts.retain(|cut| *cut <= len);
            cuts.extend([0, len]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect::<Vec<_>>();
            let (split, whole) = (seal(&pieces), seal(&[&bytes]));
            prop_assert_eq!((split.len, split.crc, split.table), (whole.len, whole.crc, whole.table));
        }
    }
}
