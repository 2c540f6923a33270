//! The content of a device, of which most was never written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const BLOCK: usize = 4096;

#[derive(Clone)]
pub(super) struct Blocks {
    len: u64,
    written: BTreeMap<u64, Box<[u8; BLOCK]>>,
}

impl Blocks {
    /// What a file holds.
    pub(super) fn of_file(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        let mut written = BTreeMap::new();
        let mut block = Box::new([0; BLOCK]);
        for number in 0..len / BLOCK as u64 {
            file.read_exact_at(&mut *block, number * BLOCK as u64)?;
            if *block != [0; BLOCK] {
                written.insert(number, block.clone());
            }
        }
        Ok(Self { len, written })
    }

    /// A new file with this content.
    pub(super) fn write_file(&self, path: &Path) -> io::Result<()> {
        let file = File::create_new(path)?;
        file.set_len(self.len)?;
        self.written.iter().try_for_each(|(number, block)| file.write_all_at(&**block, number * BLOCK as u64))
    }

    /// In bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Appends `len` bytes from `offset` on; what is behind the end is left out.
    pub(super) fn read(&self, offset: u64, len: usize, into: &mut Vec<u8>) {
        let end = offset.saturating_add(len as u64).min(self.len);
        let mut at = offset;
        while at < end {
            let (number, start) = (at / BLOCK as u64, (at % BLOCK as u64) as usize);
            let count = (BLOCK - start).min((end - at) as usize);
            match self.written.get(&number) {
                Some(block) => into.extend_from_slice(&block[start..start + count]),
                None => into.resize(into.len() + count, 0),
            }
            at += count as u64;
        }
    }

    /// Nothing is written behind the end: a device does not grow.
    pub(super) fn write(&mut self, offset: u64, mut bytes: &[u8]) {
        let mut at = offset;
        while !bytes.is_empty() && at < self.len {
            let (number, start) = (at / BLOCK as u64, (at % BLOCK as u64) as usize);
            let (now, rest) = bytes.split_at((BLOCK - start).min(bytes.len()));
            let block = self.written.entry(number).or_insert_with(|| Box::new([0; BLOCK]));
            block[start..start + now.len()].copy_from_slice(now);
            (at, bytes) = (at + now.len() as u64, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_across_blocks_is_read_back_and_nothing_is_behind_the_end() {
        let mut blocks = Blocks { len: 3 * BLOCK as u64, written: BTreeMap::new() };
        blocks.write(BLOCK as u64 - 2, b"four");
        blocks.write(blocks.len() - 1, b"end");
        let read = |offset, len| {
            let mut bytes = Vec::new();
            blocks.read(offset, len, &mut bytes);
            bytes
        };
        assert_eq!(read(BLOCK as u64 - 3, 6), b"\0four\0");
        assert_eq!(read(2 * BLOCK as u64 - 1, 3), b"\0\0\0");
        assert_eq!(read(blocks.len() - 2, 100), b"\0e");
        assert_eq!(read(blocks.len(), 1), b"");

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image");
        blocks.write_file(&path).unwrap();
        let again = Blocks::of_file(&path).unwrap();
        assert_eq!((again.len, again.written), (blocks.len, blocks.written));
    }
}
