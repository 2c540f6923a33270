//! A medium on which every file holds the same hostile bytes, and what is read from it.

use bytes::Bytes;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use stillframe::model::{
    Crc32c, FileHandle, Name, Pointer, SegmentHandle, StateDirectory, StateFile, StateHandle,
};
use stillframe::storage::{
    BlobEntry, BlobPath, BlobReader, BlobStore, BlobWriter, ErrorKind, StorageError, async_trait,
};
use stillframe::storage_directory::{BlobStores, DirectoryStorage, Entropy};

/// The unit that has a checksum of its own, in bytes.
const BLOCK: usize = 64 << 10;
/// What a file begins with, in bytes.
const MARK: usize = 32;
const UNIQUE: u128 = 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f;

/// What an input claims of the file that is the rest of it.
struct Claim {
    is_segment: bool,
    /// Whether more is made of the state than there are bytes in the input: two blocks, with their table.
    is_long: bool,
    len: u64,
    offset: u64,
    crc: Crc32c,
}

/// State in files of its own and in segments: mark, state, table of checksums.
pub(crate) fn read(input: &[u8]) {
    let Some((head, file)) = input.split_first_chunk::<21>() else { return };
    let [flags, l0, l1, l2, l3, l4, l5, l6, l7, o0, o1, o2, o3, o4, o5, o6, o7, crc @ ..] = *head;
    let claim = Claim {
        is_segment: flags & 1 != 0,
        is_long: flags & 2 != 0,
        len: u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]),
        offset: u64::from_le_bytes([o0, o1, o2, o3, o4, o5, o6, o7]),
        crc: Crc32c(u32::from_le_bytes(crc)),
    };
    // As it is, and with the mark of the file in front, without which nothing behind it is looked at.
    as_claimed(&claim, file.to_vec());
    as_claimed(&claim, [&mark()[..], file].concat());
    as_written(&claim, file);
}

/// Whatever the handle says of the file: what is given out lies in it, where the handle says.
fn as_claimed(claim: &Claim, file: Vec<u8>) {
    let start = if claim.is_segment { claim.offset } else { MARK as u64 };
    let (given, is_whole) = given_out(&claim.handle(), file.clone());
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let end = start.saturating_add(given.len());
    assert!(given.is_empty() || file.get(start..end) == Some(&given[..]), "{} bytes at {start}", given.len());
    assert!(!is_whole || given.len() as u64 == claim.len, "{} bytes of {}", given.len(), claim.len);
}

/// The bytes as a state that was written well is read, and with a bit that changed since then it is not.
fn as_written(claim: &Claim, state: &[u8]) {
    let mut state = state.to_vec();
    if claim.is_long && !state.is_empty() {
        state = state.iter().copied().cycle().take(BLOCK + state.len()).collect();
    }
    let table: Vec<u8> = state.chunks(BLOCK).flat_map(|block| Crc32c::of(block).0.to_le_bytes()).collect();
    let has_table = state.len() > BLOCK;
    let crc = Crc32c::of(if has_table { &table } else { &state });
    // Others lie before it in a segment.
    let before = if claim.is_segment { (claim.offset % 99) as usize } else { 0 };
    let mut file = [&mark()[..], &vec![7; before], &state].concat();
    if has_table {
        file.extend_from_slice(&table);
    }
    let written =
        Claim { len: state.len() as u64, offset: (MARK + before) as u64, crc, is_long: false, ..*claim };
    let (given, is_whole) = given_out(&written.handle(), file.clone());
    assert!(is_whole && given == state, "what was written well is refused");

    // Not among those that lie before it, which are none of its bytes.
    let at = (claim.len % (file.len() - before) as u64) as usize;
    let at = if at < MARK { at } else { at + before };
    file[at] ^= 1 << (claim.offset % 8);
    let (given, is_whole) = given_out(&written.handle(), file);
    assert!(!is_whole, "a bit of byte {at} changed, and nobody noticed");
    assert!(state.starts_with(&given), "byte {at} was given out");
}

impl Claim {
    fn handle(&self) -> StateHandle {
        let file = StateFile { directory: StateDirectory::Exclusive, name: name() };
        let &Self { len, offset, crc, .. } = self;
        if self.is_segment {
            StateHandle::Segment(SegmentHandle { file, offset, len, crc })
        } else {
            StateHandle::File(FileHandle { file, len, crc })
        }
    }
}

fn name() -> Name {
    Name::new(format!("state-{UNIQUE:032x}")).expect("it fits the grammar")
}

/// By the description of the format, so that the reader is not compared with itself.
fn mark() -> Vec<u8> {
    let name = Crc32c::of(name().as_str().as_bytes()).0.to_le_bytes();
    [&b"STILLSTA"[..], &1_u32.to_le_bytes(), &name, &UNIQUE.to_be_bytes()].concat()
}

/// What is given out before the end, or before an error, and whether it was the end.
fn given_out(handle: &StateHandle, file: Vec<u8>) -> (Vec<u8>, bool) {
    let medium = Arc::new(Medium(Bytes::from(file)));
    let storage = DirectoryStorage::new(Arc::<Medium>::clone(&medium), medium, "/c");
    let found = at_once(storage.resolve(&Pointer::new("/c/s"))).expect("there is a snapshot");
    let mut given = Vec::new();
    let Ok(mut reader) = at_once(found.open(handle)) else { return (given, false) };
    loop {
        match at_once(reader.next()) {
            Ok(Some(piece)) => given.extend_from_slice(&piece),
            Ok(None) => return (given, true),
            Err(_) => return (given, false),
        }
    }
}

/// The result of work that never waits.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("there is nothing to wait for"),
    }
}

/// One directory with metadata in it, in which every other name is that of a file with these bytes.
#[derive(Clone, Debug)]
struct Medium(Bytes);

impl BlobStores for Medium {
    fn at(&self, _: &str) -> Result<Arc<dyn BlobStore>, StorageError> {
        Ok(Arc::new(self.clone()))
    }
}

impl Entropy for Medium {
    fn draw(&self) -> Result<u128, StorageError> {
        Ok(UNIQUE)
    }
}

fn only_read<T>(path: &BlobPath) -> Result<T, StorageError> {
    Err(StorageError::new(ErrorKind::Unsupported, "write", path.to_string()))
}

#[async_trait]
impl BlobStore for Medium {
    fn locate(&self, path: &BlobPath) -> String {
        format!("/c/s/{path}")
    }

    async fn create_directory(&self, path: &BlobPath) -> Result<(), StorageError> {
        only_read(path)
    }

    async fn create(&self, path: &BlobPath) -> Result<Box<dyn BlobWriter>, StorageError> {
        only_read(path)
    }

    async fn publish(&self, path: &BlobPath, _: Bytes) -> Result<(), StorageError> {
        only_read(path)
    }

    async fn settle(&self, path: &BlobPath) -> Result<(), StorageError> {
        only_read(path)
    }

    fn shows_only_what_is_durable(&self) -> bool {
        true
    }

    async fn read(&self, _: &BlobPath, _: u64) -> Result<Bytes, StorageError> {
        Ok(self.0.clone())
    }

    async fn open(&self, _: &BlobPath) -> Result<Box<dyn BlobReader>, StorageError> {
        Ok(Box::new(self.clone()))
    }

    async fn list(&self, _: &BlobPath) -> Result<Vec<BlobEntry>, StorageError> {
        Ok(vec![BlobEntry { name: "_metadata".into(), is_directory: false }])
    }

    async fn delete(&self, path: &BlobPath) -> Result<(), StorageError> {
        only_read(path)
    }

    async fn delete_directory(&self, path: &BlobPath) -> Result<(), StorageError> {
        only_read(path)
    }
}

#[async_trait]
impl BlobReader for Medium {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    async fn read_at(&mut self, offset: u64, len: usize) -> Result<Bytes, StorageError> {
        // A reader that asks for what is not there has not looked at the length.
        let from = usize::try_from(offset).expect("it lies within the file");
        Ok(self.0.slice(from..from.checked_add(len).expect("it lies within the file")))
    }
}
