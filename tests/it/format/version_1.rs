//! What version 1 wrote can be read for ever.
//!
//! The files were written once and stay as they are. Until version 1 is released a change of the format may replace them, with
//! the bytes that the failing test prints; after that, it takes a version 2, and this test stays.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::sync::Arc;
use stillframe::metadata::frame::{self, RecordKind};
use stillframe::metadata::{decode, encode};
use stillframe::model::{
    ChannelHandle, CheckpointId, CheckpointKind, CheckpointMetadata, Crc32c, FileHandle, IncrementalHandle,
    IncrementalPart, JobId, JobStatus, KeyGroupRange, KeyedHandle, KeyedState, Name, OperatorHandle,
    OperatorState, PartOrigin, PostCheckpointAction, Redistribution, SavepointFormat, SavepointKind,
    SegmentHandle, StateDirectory, StateFile, StateHandle, TaskSnapshot, UnixMillis,
};
use stillframe::state::{self, elements};
use stillframe::storage_directory::register::{Entry, Marker, Retained, Root};

const JOB: JobId = JobId::from_bytes([
    0xa8, 0xff, 0x7a, 0xab, 0xce, 0x14, 0x6f, 0x82, 0x07, 0xf3, 0x4b, 0x72, 0x6a, 0xef, 0x7c, 0x25,
]);

fn name(text: &str) -> Name {
    Name::new(text).expect("names of this file fit the grammar")
}

fn in_directory(directory: StateDirectory, text: &str) -> StateFile {
    StateFile { directory, name: name(text) }
}

fn file(directory: StateDirectory, text: &str, len: u64, crc: u32) -> StateHandle {
    StateHandle::File(FileHandle { file: in_directory(directory, text), len, crc: Crc32c(crc) })
}

fn segment(text: &str, offset: u64, len: u64, crc: u32) -> StateHandle {
    let file = in_directory(StateDirectory::Exclusive, text);
    StateHandle::Segment(SegmentHandle { file, offset, len, crc: Crc32c(crc) })
}

fn keyed(start: u16, end: u16, state: KeyedState) -> Option<KeyedHandle> {
    Some(KeyedHandle { range: KeyGroupRange { start, end }, state })
}

fn part(text: &str, origin: PartOrigin, handle: StateHandle) -> IncrementalPart {
    IncrementalPart { name: name(text), handle, origin }
}

fn elements(
    text: &str,
    redistribution: Redistribution,
    elements: u32,
    handle: StateHandle,
) -> OperatorHandle {
    OperatorHandle { name: name(text), redistribution, elements, handle }
}

fn channel(gate: u32, channel: u32, buffers: u32, handle: StateHandle) -> ChannelHandle {
    ChannelHandle { gate, channel, buffers, handle }
}

const SEGMENT: &str = "segment-00112233445566778899aabbccddeeff";

/// The small one of `docs/format.md`.
pub(super) fn example() -> CheckpointMetadata {
    let state =
        file(StateDirectory::Exclusive, "state-0f1e2d3c4b5a69788796a5b4c3d2e1f0", 70_000, 0x1234_abcd);
    let first = TaskSnapshot {
        keyed: keyed(0, 63, KeyedState::Full(state)),
        operator: vec![elements(
            "seen",
            Redistribution::Union,
            1,
            StateHandle::Inline(Bytes::from_static(b"abc")),
        )],
        ..TaskSnapshot::default()
    };
    let parts = vec![
        part(
            "base",
            PartOrigin::Placeholder,
            file(StateDirectory::Foreign(Arc::from("s3://b/old")), "base.sst", 300, 7),
        ),
        part("delta", PartOrigin::Written, segment(SEGMENT, 32, 200, 8)),
    ];
    let second = TaskSnapshot {
        keyed: keyed(64, 127, KeyedState::Incremental(IncrementalHandle { parts })),
        input_channels: vec![channel(0, 1, 2, segment(SEGMENT, 232, 64, 9))],
        finished: false,
        ..TaskSnapshot::default()
    };
    CheckpointMetadata {
        job: JOB,
        checkpoint: CheckpointId::new(17),
        kind: CheckpointKind::Checkpoint,
        triggered_at: UnixMillis(1_700_000_000_000),
        operators: BTreeMap::from([(
            name("totals"),
            OperatorState { max_parallelism: 128, subtasks: vec![first, second], coordinator: None },
        )]),
        hooks: BTreeMap::new(),
    }
}

/// Something of everything, and numbers of every width.
fn everything() -> CheckpointMetadata {
    let mut metadata = example();
    let foreign = |root: &str, name: &str| file(StateDirectory::Foreign(Arc::from(root)), name, 1 << 33, 0);
    let parts = vec![
        part(
            "a",
            PartOrigin::Placeholder,
            file(StateDirectory::Shared, "shared-17-000102030405060708090a0b0c0d0e0f", 251, 1),
        ),
        part(
            "b",
            PartOrigin::Written,
            foreign("file:///data/other", "state-ffeeddccbbaa99887766554433221100"),
        ),
        part(
            "c",
            PartOrigin::Written,
            foreign("hdfs://n\u{e4}me/x", "other-ffeeddccbbaa99887766554433221100"),
        ),
        part(
            "d",
            PartOrigin::Written,
            file(StateDirectory::TaskOwned, "owned-ffeeddccbbaa99887766554433221100", 65_536, 2),
        ),
        part(
            "digits",
            PartOrigin::Written,
            file(StateDirectory::Exclusive, "ffeeddccbbaa99887766554433221100", 1, 6),
        ),
        part("e", PartOrigin::Written, segment("_by-hand.segment", 1 << 40, 65_535, u32::MAX)),
    ];
    let first = TaskSnapshot {
        keyed: keyed(16_384, 32_767, KeyedState::Incremental(IncrementalHandle { parts })),
        operator: vec![
            elements("split", Redistribution::Split, 250, segment(SEGMENT, 296, 1, 3)),
            elements("union", Redistribution::Union, 251, segment("_by-hand.segment", 0, 0, 4)),
            elements("broadcast", Redistribution::Broadcast, u32::MAX, StateHandle::Inline(Bytes::new())),
        ],
        input_channels: vec![
            channel(0, 0, 1, StateHandle::Inline(Bytes::from_static(&[0; 300]))),
            channel(1, 0, 70_000, segment(SEGMENT, 297, 9, 5)),
        ],
        output_channels: vec![channel(300, u32::MAX, 0, StateHandle::Inline(Bytes::from_static(b"out")))],
        finished: true,
    };
    let second = TaskSnapshot {
        keyed: keyed(0, 16_383, KeyedState::Incremental(IncrementalHandle::default())),
        ..TaskSnapshot::default()
    };
    let done = TaskSnapshot { finished: true, ..TaskSnapshot::default() };
    metadata.kind = CheckpointKind::FullCheckpoint;
    metadata.checkpoint = CheckpointId::new(1 << 32);
    metadata.operators.extend([
        (name("join-000102030405060708090a0b0c0d0e0f"), uncoordinated(32_768, vec![first, second])),
        (name("source"), uncoordinated(1, vec![done])),
        (name("void"), uncoordinated(4, vec![TaskSnapshot::default(); 4])),
    ]);
    metadata
}

/// Without a coordinator.
fn uncoordinated(max_parallelism: u16, subtasks: Vec<TaskSnapshot>) -> OperatorState {
    OperatorState { max_parallelism, subtasks, coordinator: None }
}

/// Coordinators and hooks, of which some have nothing in their state.
fn coordinated() -> CheckpointMetadata {
    let operator = |coordinator: Option<&'static [u8]>| OperatorState {
        coordinator: coordinator.map(Bytes::from_static),
        ..uncoordinated(1, vec![TaskSnapshot::default()])
    };
    let hook = |text: &str, state: &'static [u8]| (name(text), Bytes::from_static(state));
    CheckpointMetadata {
        kind: CheckpointKind::Savepoint(SavepointKind {
            format: SavepointFormat::Native,
            action: PostCheckpointAction::Suspend,
        }),
        operators: BTreeMap::from([
            (name("airports"), operator(Some(b""))),
            (name("flights"), operator(Some(b"0 to 7 are assigned"))),
            (name("sums"), operator(None)),
            (name("table"), operator(Some(&[7; 251]))),
        ]),
        hooks: BTreeMap::from([
            hook("00112233445566778899aabbccddeeff", b"\0\xff"),
            hook("empty", b""),
            hook("offsets", b"17"),
        ]),
        ..example()
    }
}

fn savepoint() -> CheckpointMetadata {
    CheckpointMetadata { kind: CheckpointKind::SAVEPOINT, operators: BTreeMap::new(), ..example() }
}

fn entry() -> Entry {
    let one = |checkpoint, location: Option<&str>| Retained {
        checkpoint: CheckpointId::new(checkpoint),
        location: location.map(str::to_owned),
        len: 4_711,
        checksum: Crc32c(0x0102_0304),
    };
    let root = |address: &str, is_owned| Root { address: address.to_owned(), is_owned };
    Entry {
        job: JOB,
        sequence: 7,
        previous: Crc32c(0x1234_5678),
        epoch: 2,
        token: 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff,
        id_limit: 1_025,
        ended: Some(JobStatus::Canceled),
        retained: vec![one(3, Some("file:///data/old/chk-3")), one(17, None)],
        dropped: vec![one(16, None)],
        roots: vec![root("file:///data/old", true), root("s3://b/other", false)],
    }
}

fn marker() -> Marker {
    Marker { job: JOB, epoch: 2, token: 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff, floor: 6 }
}

fn counts() -> state::KeyedState<String, u64> {
    let mut counts = state::KeyedState::new(KeyGroupRange { start: 0, end: 127 }, 128);
    for (count, airport) in (1..).zip(["ATL", "DEN", "ORD"]) {
        counts.insert(airport.to_owned(), count);
    }
    counts
}

/// Reads the file, and writes the value again as it is in the file.
#[track_caller]
fn check<T: PartialEq + Debug, E: PartialEq + Debug>(
    file: &[u8],
    value: &T,
    read: Result<T, E>,
    written: Result<Vec<u8>, E>,
) {
    let written = written.expect("it can be written");
    let hex = written.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    assert_eq!(read.as_ref(), Ok(value), "today it is written as {hex}");
    assert!(file == written, "today it is written as {hex}");
}

#[test]
fn metadata_of_version_1_is_read() {
    let small = include_bytes!("metadata-1.bin");
    check(small, &example(), decode(small), encode(&example()));
    let everything_there_is = include_bytes!("metadata-1-everything.bin");
    check(everything_there_is, &everything(), decode(everything_there_is), encode(&everything()));
    let savepoint_of_nothing = include_bytes!("metadata-1-savepoint.bin");
    check(savepoint_of_nothing, &savepoint(), decode(savepoint_of_nothing), encode(&savepoint()));
    let with_coordinators = include_bytes!("metadata-1-coordinators.bin");
    check(with_coordinators, &coordinated(), decode(with_coordinators), encode(&coordinated()));
}

#[test]
fn each_kind_of_version_1_is_read() {
    let savepoint_of = |format, action| CheckpointKind::Savepoint(SavepointKind { format, action });
    let kinds = [
        CheckpointKind::Checkpoint,
        CheckpointKind::FullCheckpoint,
        savepoint_of(SavepointFormat::Canonical, PostCheckpointAction::None),
        savepoint_of(SavepointFormat::Canonical, PostCheckpointAction::Suspend),
        savepoint_of(SavepointFormat::Canonical, PostCheckpointAction::Terminate),
        savepoint_of(SavepointFormat::Native, PostCheckpointAction::None),
        savepoint_of(SavepointFormat::Native, PostCheckpointAction::Suspend),
        savepoint_of(SavepointFormat::Native, PostCheckpointAction::Terminate),
    ];
    let file = include_bytes!("metadata-1-savepoint.bin");
    let body = frame::open_body(RecordKind::CheckpointMetadata, file).expect("a record");
    for (number, kind) in (0..).zip(kinds) {
        // Behind the job and the number of the checkpoint.
        let body = [&body[..17], &[number], &body[18..]].concat();
        let file = frame::seal_body(RecordKind::CheckpointMetadata, &body).expect("a small record");
        let value = CheckpointMetadata { kind, ..savepoint() };
        check(&file, &value, decode(&file), encode(&value));
    }
}

#[test]
fn the_register_of_version_1_is_read() {
    let file = include_bytes!("register-entry-1.bin");
    check(file, &entry(), Entry::decode(file), entry().encode());
    let file = include_bytes!("epoch-marker-1.bin");
    check(file, &marker(), Marker::decode(file), marker().encode());
}

#[test]
fn state_of_version_1_is_read() {
    let file = include_bytes!("keyed-state-1.bin");
    let range = KeyGroupRange { start: 0, end: 127 };
    let list = |state: &state::KeyedState<String, u64>| -> Vec<_> {
        state.iter().map(|(key, value)| (key.clone(), *value)).collect()
    };
    let read = state::KeyedState::restore(range, 128, [file.as_slice()]).map(|state| list(&state));
    check(file, &list(&counts()), read, counts().snapshot().encode());

    let file = include_bytes!("keyed-increment-1.bin");
    let increment = counts().snapshot().increment(CheckpointId::new(17), None);
    let written = increment.map(|increment| increment.pieces().concat());
    let handle = StateHandle::Inline(Bytes::from_static(file));
    let increment = part("increment-17", PartOrigin::Written, handle);
    let read = state::KeyedBase::read(range, 128, [(increment, Bytes::from_static(file))]);
    let read = read.and_then(|(_, records)| {
        let records = records.iter().map(|(_, record)| &record[..]);
        state::KeyedState::restore(range, 128, records).map(|state| list(&state))
    });
    check(file, &list(&counts()), read, written);

    let file = include_bytes!("operator-state-1.bin");
    let value = (17_u64, "seventeen".to_owned(), Some(vec![1_u32, 7]));
    let value_bytes = elements::encode_value(&value).expect("a small value");
    assert_eq!(elements::decode_value(&value_bytes), Ok(value));
    let list = vec![value_bytes, Bytes::new()];
    check(file, &list, elements::decode(file), elements::encode(&list));
}
