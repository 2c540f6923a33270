//! State that is read back, of which nothing is given out before it was checked.

use crate::blocks::{BLOCK, ExpectedChecksums, table_len};
use crate::mark::{MARK_LEN, mark};
use async_trait::async_trait;
use bytes::Bytes;
use stillframe_model::{Crc32c, FileHandle, Name, SegmentHandle};
use stillframe_storage::{BlobPath, BlobReader, BlobStore, ErrorKind, StateReader, StorageError};

/// The largest piece that is read and given out at once, in bytes: whole blocks, and no more than a processor
/// keeps close by between reading and checking them.
const PIECE: u64 = 4 * BLOCK as u64;

/// State in a file, alone or with others.
#[derive(Debug)]
pub(crate) struct StateFileReader {
    blob: Box<dyn BlobReader>,
    address: String,
    /// Where in the file the state begins.
    start: u64,
    len: u64,
    /// How much of the state was given out: whole blocks, until the end.
    position: u64,
    expected: ExpectedChecksums,
}

impl StateFileReader {
    /// The state that a file holds alone.
    pub(crate) async fn of_file(
        blobs: &dyn BlobStore,
        path: &BlobPath,
        file: &FileHandle,
    ) -> Result<Self, StorageError> {
        let (mut blob, address) = (blobs.open(path).await?, blobs.locate(path));
        let (found, table) = (blob.len(), table_len(file.len));
        if file.len.checked_add(table).and_then(|len| len.checked_add(MARK_LEN)) != Some(found) {
            let detail = format!(
                "expected exactly {MARK_LEN} bytes of mark, {} of state and {table} of checksums, found {found} in all",
                file.len
            );
            return Err(corrupt(address, detail));
        }
        check_mark(&mut *blob, &address, &file.file.name).await?;
        Self::checked(blob, address, MARK_LEN, file.len, file.crc).await
    }

    /// One of the states that a file holds.
    pub(crate) async fn of_segment(
        blobs: &dyn BlobStore,
        path: &BlobPath,
        segment: &SegmentHandle,
    ) -> Result<Self, StorageError> {
        let SegmentHandle { ref file, offset, len, crc } = *segment;
        let (mut blob, address) = (blobs.open(path).await?, blobs.locate(path));
        let (found, table) = (blob.len(), table_len(len));
        let end = offset.checked_add(len).and_then(|end| end.checked_add(table));
        if offset < MARK_LEN || end.is_none_or(|end| end > found) {
            let detail = format!(
                "expected {len} bytes of state and {table} of checksums from offset {offset} on, found {found} in all"
            );
            return Err(corrupt(address, detail));
        }
        check_mark(&mut *blob, &address, &file.name).await?;
        Self::checked(blob, address, offset, len, crc).await
    }

    /// Both callers have made sure that the state and its table lie within the file: what is allocated here is
    /// bounded by what is really there.
    async fn checked(
        mut blob: Box<dyn BlobReader>,
        address: String,
        start: u64,
        len: u64,
        crc: Crc32c,
    ) -> Result<Self, StorageError> {
        let table = table_len(len);
        let expected = if table == 0 {
            ExpectedChecksums::One(crc)
        } else {
            let bytes = read_exactly(&mut *blob, &address, start + len, table).await?;
            let found = Crc32c::of(&bytes);
            if found != crc {
                let at = start + len;
                let detail =
                    format!("table of checksums at offset {at}: expected crc32c {crc}, found {found}");
                return Err(corrupt(address, detail));
            }
            ExpectedChecksums::Table(bytes)
        };
        if len == 0 && crc != Crc32c::EMPTY {
            return Err(corrupt(address, format!("expected crc32c {crc} of no bytes, which have none")));
        }
        Ok(Self { blob, address, start, len, position: 0, expected })
    }

    fn check(&self, piece: &[u8]) -> Result<(), StorageError> {
        let first = self.position / BLOCK as u64;
        for (number, block) in (first..).zip(piece.chunks(BLOCK)) {
            let found = Crc32c::of(block);
            let expected = self.expected.of_block(number);
            if expected != Some(found) {
                let offset = self.start + number * BLOCK as u64;
                let expected =
                    expected.map_or_else(|| "no such block".to_owned(), |crc| format!("crc32c {crc}"));
                let detail = format!(
                    "block of {} bytes at offset {offset}: expected {expected}, found {found}",
                    block.len()
                );
                return Err(corrupt(self.address.clone(), detail));
            }
        }
        Ok(())
    }
}

/// Whether the file is the one that its name says. There are enough bytes for that.
async fn check_mark(blob: &mut dyn BlobReader, address: &str, name: &Name) -> Result<(), StorageError> {
    let (found, expected) = (read_exactly(blob, address, 0, MARK_LEN).await?, mark(name));
    if found == expected {
        return Ok(());
    }
    let detail = format!(
        "it does not begin with the mark of this file, so it is another one: expected {expected:?} at offset 0, found {found:?}"
    );
    Err(corrupt(address.to_owned(), detail))
}

#[async_trait]
impl StateReader for StateFileReader {
    fn len(&self) -> u64 {
        self.len
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        let len = PIECE.min(self.len - self.position);
        if len == 0 {
            return Ok(None);
        }
        let offset = self.start + self.position;
        let piece = read_exactly(&mut *self.blob, &self.address, offset, len).await?;
        self.check(&piece)?;
        self.position += len;
        Ok(Some(piece))
    }
}

/// State from the metadata, which were checked as a whole.
#[derive(Debug)]
pub(crate) struct InlineReader {
    len: u64,
    rest: Option<Bytes>,
}

impl InlineReader {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { len: bytes.len() as u64, rest: Some(bytes).filter(|bytes| !bytes.is_empty()) }
    }
}

#[async_trait]
impl StateReader for InlineReader {
    fn len(&self) -> u64 {
        self.len
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        Ok(self.rest.take())
    }
}

async fn read_exactly(
    blob: &mut dyn BlobReader,
    address: &str,
    offset: u64,
    len: u64,
) -> Result<Bytes, StorageError> {
    let wanted = usize::try_from(len)
        .map_err(|error| StorageError::new(ErrorKind::TooLarge, "read state", address).with_source(error))?;
    let bytes = blob.read_at(offset, wanted).await?;
    // The blocks are told apart by counting from the offset, so a piece of another length would be checked
    // against the wrong checksums, or against none.
    if bytes.len() != wanted {
        let detail = format!("expected {len} bytes at offset {offset}, found {}", bytes.len());
        return Err(corrupt(address, detail));
    }
    Ok(bytes)
}

fn corrupt(address: impl Into<String>, detail: String) -> StorageError {
    StorageError::new(ErrorKind::Corrupt, "read state", address)
        .with_detail(format!("{detail}; use another checkpoint, and look at the medium"))
}

#[cfg(test)]
mod tests;
