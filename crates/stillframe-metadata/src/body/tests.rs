use super::check::Visitor as _;
use super::*;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec;
use bytes::Bytes;
use stillframe_model::{
    ChannelHandle, CheckpointId, CheckpointKind, Crc32c, FileHandle, IncrementalHandle, IncrementalPart,
    JobId, KeyGroupRange, KeyedHandle, KeyedState, Name, OperatorHandle, OperatorState, PartOrigin,
    Redistribution, SegmentHandle, StateDirectory, StateFile, StateHandle, TaskSnapshot, UnixMillis,
};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn file(directory: StateDirectory, text: &str) -> StateFile {
    StateFile { directory, name: name(text) }
}

fn in_file(directory: StateDirectory, text: &str) -> StateHandle {
    StateHandle::File(FileHandle { file: file(directory, text), len: 70_000, crc: Crc32c(0x0102_0304) })
}

fn in_segment(text: &str, offset: u64) -> StateHandle {
    StateHandle::Segment(SegmentHandle {
        file: file(StateDirectory::Exclusive, text),
        offset,
        len: 300,
        crc: Crc32c(5),
    })
}

const SEGMENT: &str = "segment-00112233445566778899aabbccddeeff";

/// Something of everything.
fn metadata() -> CheckpointMetadata {
    let part = |text: &str, handle, origin| IncrementalPart { name: name(text), handle, origin };
    let incremental = KeyedState::Incremental(IncrementalHandle {
        parts: vec![
            part(
                "base",
                in_file(StateDirectory::Shared, "shared-0f1e2d3c4b5a69788796a5b4c3d2e1f0"),
                PartOrigin::Placeholder,
            ),
            part("delta-1", in_segment(SEGMENT, 0), PartOrigin::Written),
            part(
                "elsewhere",
                in_file(StateDirectory::Foreign(Arc::from("file:///old/job")), "a.state"),
                PartOrigin::Written,
            ),
        ],
    });
    let elements = |text: &str, redistribution| OperatorHandle {
        name: name(text),
        redistribution,
        elements: 300,
        handle: in_segment(SEGMENT, 300),
    };
    let channel = |channel, handle| ChannelHandle { gate: 1, channel, buffers: 7, handle };
    let first = TaskSnapshot {
        keyed: Some(KeyedHandle { range: KeyGroupRange { start: 0, end: 63 }, state: incremental }),
        operator: vec![
            elements("list", Redistribution::Split),
            elements("all", Redistribution::Union),
            elements("rules", Redistribution::Broadcast),
        ],
        input_channels: vec![
            channel(0, in_segment(SEGMENT, 600)),
            channel(1, in_segment("other-segment", 0)),
        ],
        output_channels: vec![channel(0, StateHandle::Inline(Bytes::from_static(b"two")))],
        finished: false,
    };
    let full = KeyedState::Full(in_file(StateDirectory::TaskOwned, "0123456789abcdef0123456789abcdef"));
    let second = TaskSnapshot {
        keyed: Some(KeyedHandle { range: KeyGroupRange { start: 64, end: 127 }, state: full }),
        finished: true,
        ..TaskSnapshot::default()
    };
    let totals = OperatorState { max_parallelism: 128, subtasks: vec![first, second], coordinator: None };
    let source = OperatorState {
        max_parallelism: 128,
        subtasks: vec![TaskSnapshot::default()],
        coordinator: Some(Bytes::from_static(b"assigned: 0 to 7")),
    };
    CheckpointMetadata {
        job: JobId::from_bytes([9; 16]),
        checkpoint: CheckpointId::new(17),
        kind: CheckpointKind::FullCheckpoint,
        triggered_at: UnixMillis(1_700_000_000_000),
        operators: BTreeMap::from([(name("totals"), totals), (name("source"), source)]),
        hooks: BTreeMap::from([
            (name("empty"), Bytes::new()),
            (name("offsets"), Bytes::from_static(&[7; 300])),
        ]),
    }
}

#[test]
fn what_is_written_is_read() {
    let metadata = metadata();
    assert_eq!(decode(&encode(&metadata).unwrap()), Ok(metadata));
}

/// Writes without the checks: what a hostile but careful writer would do.
fn forged(change: impl FnOnce(&mut CheckpointMetadata)) -> CheckpointMetadata {
    let mut metadata = metadata();
    change(&mut metadata);
    metadata
}

fn refused(change: impl FnOnce(&mut CheckpointMetadata)) -> String {
    let forged = forged(change);
    let handles =
        forged.operators.values().flat_map(|operator| &operator.subtasks).flat_map(TaskSnapshot::handles);
    let roots = handles.filter_map(|handle| match &handle.file()?.directory {
        StateDirectory::Foreign(root) => Some((&**root, 0)),
        _ => None,
    });
    let roots = roots.collect();
    let write = |bytes: &mut Vec<u8>| {
        let mut writer = write::Writer::begin(bytes, &forged, &roots);
        for (name, state) in &forged.operators {
            writer.operator(name, state);
            state.subtasks.iter().for_each(|subtask| writer.subtask(subtask));
        }
        sections::write(bytes, &forged);
        Ok(())
    };
    let bytes = frame::seal_with(RecordKind::CheckpointMetadata, 0, write).unwrap();
    let refused = decode(&bytes).unwrap_err().to_string();
    let _ = encode(&forged).expect_err(&refused);
    refused
}

fn totals(metadata: &mut CheckpointMetadata) -> &mut OperatorState {
    metadata.operators.get_mut(&name("totals")).unwrap()
}

fn keyed(metadata: &mut CheckpointMetadata, subtask: usize) -> &mut KeyedHandle {
    totals(metadata).subtasks[subtask].keyed.as_mut().unwrap()
}

#[test]
fn values_that_make_no_sense_are_refused_by_name_in_both_directions() {
    let range = |start, end| KeyGroupRange { start, end };
    for (found, expected) in [
        (refused(|m| m.checkpoint = CheckpointId::new(0)), "checkpoint id: is 0; ids begin with 1"),
        (refused(|m| totals(m).max_parallelism = 40_000), "operator totals: max parallelism: is 40000"),
        (refused(|m| totals(m).max_parallelism = 0), "operator totals: has max parallelism 0"),
        (refused(|m| totals(m).subtasks.clear()), "operator totals: has 0 subtasks"),
        (refused(|m| totals(m).max_parallelism = 1), "operator totals: has 2 subtasks"),
        (
            refused(|m| keyed(m, 1).range = range(64, 128)),
            "operator totals, subtask 1: key groups 64..=128 are not within 0..128",
        ),
        (
            refused(|m| keyed(m, 0).range = range(5, 4)),
            "operator totals, subtask 0: key groups 5..=4 are not within 0..128",
        ),
        (
            refused(|m| keyed(m, 1).range = range(63, 127)),
            "operator totals: key groups 63..=127 are in part those of another subtask, too",
        ),
        (
            refused(|m| totals(m).subtasks[0].operator[2].name = name("list")),
            "operator totals, subtask 0: operator state list: stands there twice",
        ),
        (
            refused(|m| totals(m).subtasks[0].input_channels[1].channel = 0),
            "operator totals, subtask 0: input channel 0 of gate 1: stands there twice",
        ),
        (
            refused(|m| totals(m).subtasks[0].operator[0].handle = in_segment(SEGMENT, u64::MAX - 299)),
            "operator totals, subtask 0: operator state list: state file segment-0",
        ),
        (
            refused(|m| match &mut keyed(m, 0).state {
                KeyedState::Incremental(incremental) => incremental.parts[2].name = name("base"),
                KeyedState::Full(_) => {}
            }),
            "operator totals, subtask 0: part base: stands there twice",
        ),
    ] {
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn ranges_may_stand_in_any_order() {
    let metadata = forged(|m| totals(m).subtasks.swap(0, 1));
    assert_eq!(decode(&encode(&metadata).unwrap()), Ok(metadata));
}

#[test]
fn names_with_random_digits_are_packed() {
    let size = |text: &str| {
        let one = TaskSnapshot {
            keyed: Some(KeyedHandle {
                range: KeyGroupRange { start: 0, end: 127 },
                state: KeyedState::Full(in_file(StateDirectory::Exclusive, text)),
            }),
            ..TaskSnapshot::default()
        };
        let metadata = forged(|m| totals(m).subtasks = vec![one]);
        let bytes = encode(&metadata).unwrap();
        assert_eq!(decode(&bytes), Ok(metadata), "{text}");
        bytes.len()
    };
    let digits = "0123456789abcdef0123456789abcdef";
    let shortest = size("a") - 3;
    assert_eq!(size(&format!("state-{digits}")), shortest + 17);
    assert_eq!(size(&format!("segment-{digits}")), shortest + 17);
    assert_eq!(size(&format!("owned-{digits}")), shortest + 17);
    assert_eq!(size(&format!("shared-7-{digits}")), shortest + 18);
    assert_eq!(size(&format!("shared-{}-{digits}", u64::MAX)), shortest + 26);
    for spelled in ["shared-", "shared--", "shared-07-", "shared-7", "shared-18446744073709551616-", "s"] {
        assert_eq!(size(&format!("{spelled}{digits}")), shortest + 18 + spelled.len(), "{spelled}");
    }
    assert_eq!(size(digits), shortest + 18);
    assert_eq!(size(&format!("{digits}.state")), shortest + 2 + 38);
    assert_eq!(size(&format!("state-{}g", &digits[1..])), shortest + 2 + 38);
}
