//! Whatever is read back from a storage, from any bytes at all.
//!
//! Each function is one target. It panics if the reader does, and if the reader accepts what no writer would have written.
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz metadata` looks for such bytes; what it found worth keeping is in
//! `corpus`, which the tests of the workspace replay through these same functions.
//!
//! Checksums hide the readers from a fuzzer, so the bytes are looked at three times: as they are, with the checksums made
//! right, and as the body of a record.

mod state_file;

use stillframe::metadata::frame::{self, HEADER_LEN, RecordKind, TRAILER_LEN};
use stillframe::model::{
    CheckpointId, Crc32c, IncrementalPart, KeyGroupRange, Name, PartOrigin, StateHandle, StoragePath,
};
use stillframe::state::{KeyedBase, KeyedState, elements};
use stillframe::storage_directory::register::{Entry, Marker};

/// The metadata of a checkpoint.
pub fn metadata(bytes: &[u8]) {
    for bytes in records(RecordKind::CheckpointMetadata, bytes) {
        if let Ok(metadata) = stillframe::metadata::decode(&bytes) {
            assert_eq!(stillframe::metadata::encode(&metadata), Ok(bytes), "{metadata:?}");
            assert!(metadata.checkpoint >= CheckpointId::FIRST);
        }
    }
}

/// The entries and markers of the commit register.
pub fn register(bytes: &[u8]) {
    for bytes in records(RecordKind::RegisterEntry, bytes) {
        if let Ok(entry) = Entry::decode(&bytes) {
            assert_eq!(entry.encode(), Ok(bytes), "{entry:?}");
        }
    }
    for bytes in records(RecordKind::EpochMarker, bytes) {
        if let Ok(marker) = Marker::decode(&bytes) {
            assert_eq!(marker.encode(), Ok(bytes), "{marker:?}");
        }
    }
}

/// The records of keyed state, whole and in parts, and of operator state. Values may have several encodings, as a map in any order has.
pub fn state(bytes: &[u8]) {
    let range = KeyGroupRange { start: 32, end: 63 };
    for bytes in records(RecordKind::KeyedState, bytes) {
        if let Ok(state) = KeyedState::<String, u64>::restore(range, 128, [bytes.as_slice()]) {
            let again = state.snapshot().encode().expect("what was read can be written");
            let again = KeyedState::<String, u64>::restore(range, 128, [again.as_slice()]);
            assert!(again.expect("what was written can be read").iter().eq(state.iter()));
        }
    }
    for index in records(RecordKind::KeyedIncrement, bytes) {
        let start = [&(index.len() as u64).to_le_bytes(), &index[..]].concat();
        for part in [bytes.to_vec(), start.clone(), [&start[..], bytes].concat()] {
            let name = Name::new("increment-1").expect("it fits the grammar");
            let handle = StateHandle::Inline(part.into());
            let StateHandle::Inline(bytes) = handle.clone() else { continue };
            let part = IncrementalPart { name, handle, origin: PartOrigin::Written };
            if let Ok((base, records)) = KeyedBase::read(range, 128, [(part, bytes)]) {
                assert!(records.iter().all(|(group, _)| base.range().contains(*group)), "{records:?}");
            }
        }
    }
    for bytes in records(RecordKind::OperatorState, bytes) {
        if let Ok(list) = elements::decode(&bytes) {
            assert_eq!(elements::encode(&list), Ok(bytes));
        }
    }
    for bytes in records(RecordKind::Value, bytes) {
        if let Ok(value) = elements::decode_value::<(u64, String, Option<Vec<u32>>)>(&bytes) {
            assert_eq!(elements::encode_value(&value), Ok(bytes.into()));
        }
    }
}

/// The files in which state lies: their marks, and the checksums of their blocks.
pub fn state_file(bytes: &[u8]) {
    state_file::read(bytes);
}

/// Addresses and names.
pub fn path(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(path) = StoragePath::parse(&text) {
        assert_eq!(StoragePath::parse(path.as_str()), Ok(path.clone()), "{path}");
        assert!(path.path().starts_with('/') && path.path() != "/", "{path}");
    }
    if let Ok(name) = Name::new(&*text) {
        assert_eq!(name.as_str(), text);
        assert!(!name.as_str().starts_with('.') && !name.as_str().contains(['/', '\\', '\0']), "{name}");
    }
}

fn records(kind: RecordKind, bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let sealed = frame::seal_body(kind, bytes).ok();
    // Else the checksums would hide the readers after all, and nothing would tell.
    assert_eq!(sealed.as_deref().and_then(with_right_checksums), sealed, "right checksums were made wrong");
    [Some(bytes.to_vec()), with_right_checksums(bytes), sealed].into_iter().flatten()
}

/// The bytes, if they are enough for a frame, with the checksums that a frame of this content has.
fn with_right_checksums(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    let (header, rest) = bytes.split_first_chunk_mut::<HEADER_LEN>()?;
    let (body, trailer) = rest.split_last_chunk_mut::<TRAILER_LEN>()?;
    let (start, checksum) = header.split_last_chunk_mut::<4>()?;
    *checksum = Crc32c::of(start).0.to_le_bytes();
    *trailer = Crc32c::of(body).extend(&(body.len() as u64).to_le_bytes()).0.to_le_bytes();
    Some(bytes)
}
