//! Metadata of every shape that the model knows.

use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::sync::Arc;
use stillframe_model::{
    ChannelHandle, CheckpointId, CheckpointKind, CheckpointMetadata, Crc32c, FileHandle, IncrementalHandle,
    IncrementalPart, JobId, KeyGroupRange, KeyedHandle, KeyedState, Name, OperatorHandle, OperatorState,
    PartOrigin, PostCheckpointAction, Redistribution, SavepointFormat, SavepointKind, SegmentHandle,
    StateDirectory, StateFile, StateHandle, TaskSnapshot, UnixMillis,
};

pub(crate) fn metadata() -> impl Strategy<Value = CheckpointMetadata> {
    let operators = btree_map(name(), operator(), 0..4);
    let hooks = btree_map(name(), small_state(), 0..3);
    (any::<[u8; 16]>(), 1_u64.., kind(), any::<u64>(), operators, hooks).prop_map(
        |(job, checkpoint, kind, triggered_at, operators, hooks)| CheckpointMetadata {
            job: JobId::from_bytes(job),
            checkpoint: CheckpointId::new(checkpoint),
            kind,
            triggered_at: UnixMillis(triggered_at),
            operators,
            hooks,
        },
    )
}

fn kind() -> impl Strategy<Value = CheckpointKind> {
    let format = prop_oneof![Just(SavepointFormat::Canonical), Just(SavepointFormat::Native)];
    let action = prop_oneof![
        Just(PostCheckpointAction::None),
        Just(PostCheckpointAction::Suspend),
        Just(PostCheckpointAction::Terminate),
    ];
    let savepoint = (format, action)
        .prop_map(|(format, action)| CheckpointKind::Savepoint(SavepointKind { format, action }));
    prop_oneof![Just(CheckpointKind::Checkpoint), Just(CheckpointKind::FullCheckpoint), savepoint]
}

/// Of a coordinator or a hook: nothing, too, and lengths of more than one byte.
fn small_state() -> impl Strategy<Value = Bytes> {
    prop_oneof![vec(any::<u8>(), 0..20), vec(any::<u8>(), 240..300)].prop_map(Bytes::from)
}

/// Words, and names with random digits behind every kind of prefix.
fn name() -> impl Strategy<Value = Name> {
    let digits = "[0-9a-f]{32}";
    prop_oneof![
        "[a-z0-9_][a-z0-9._-]{0,8}",
        "[a-z0-9_][a-z0-9._-]{0,95}",
        ("(state-|segment-|owned-|shared-|shared-[0-9]{1,22}-|)", digits)
            .prop_map(|(prefix, digits)| prefix + &digits),
        digits.prop_map(|digits| digits + ".tmp"),
    ]
    .prop_map(|text| Name::new(text).expect("the pattern is that of names"))
}

fn state_file() -> impl Strategy<Value = StateFile> {
    let directory = prop_oneof![
        4 => Just(StateDirectory::Exclusive),
        2 => Just(StateDirectory::Shared),
        1 => Just(StateDirectory::TaskOwned),
        1 => "(file|s3|hdfs)://[a-z/ü]{1,9}".prop_map(|address| StateDirectory::Foreign(Arc::from(address))),
    ];
    (directory, name()).prop_map(|(directory, name)| StateFile { directory, name })
}

fn handle() -> impl Strategy<Value = StateHandle> {
    let inline = vec(any::<u8>(), 0..40).prop_map(|bytes| StateHandle::Inline(Bytes::from(bytes)));
    // Numbers of every width.
    let len = || prop_oneof![0..300_u64, 0..70_000_u64, 0..1_u64 << 33, 0..1_u64 << 62];
    let file = (state_file(), len(), any::<u32>())
        .prop_map(|(file, len, crc)| StateHandle::File(FileHandle { file, len, crc: Crc32c(crc) }));
    // Few of them, so that several handles have the same one.
    let segment_file = (0..4_u8).prop_map(|number| StateFile {
        directory: if number < 2 {
            StateDirectory::Exclusive
        } else {
            StateDirectory::Foreign(Arc::from("s3://b"))
        },
        name: Name::new(format!("segment-{number:032x}")).expect("the pattern is that of names"),
    });
    let segment = (segment_file, len(), len(), any::<u32>()).prop_map(|(file, offset, len, crc)| {
        StateHandle::Segment(SegmentHandle { file, offset, len, crc: Crc32c(crc) })
    });
    prop_oneof![inline, file, segment]
}

fn keyed_state() -> impl Strategy<Value = KeyedState> {
    let origin = prop_oneof![Just(PartOrigin::Written), Just(PartOrigin::Placeholder)];
    let parts = btree_map(name(), (handle(), origin), 0..4).prop_map(|parts| {
        let parts =
            parts.into_iter().map(|(name, (handle, origin))| IncrementalPart { name, handle, origin });
        KeyedState::Incremental(IncrementalHandle { parts: parts.collect() })
    });
    prop_oneof![handle().prop_map(KeyedState::Full), parts]
}

/// Without keyed state, which depends on the operator's key groups.
fn snapshot() -> impl Strategy<Value = TaskSnapshot> {
    let redistribution = prop_oneof![
        Just(Redistribution::Split),
        Just(Redistribution::Union),
        Just(Redistribution::Broadcast)
    ];
    let operator = btree_map(name(), (redistribution, any::<u32>(), handle()), 0..3).prop_map(|states| {
        let state = |(name, (redistribution, elements, handle))| OperatorHandle {
            name,
            redistribution,
            elements,
            handle,
        };
        states.into_iter().map(state).collect()
    });
    (operator, channels(), channels(), any::<bool>()).prop_map(
        |(operator, input_channels, output_channels, finished)| TaskSnapshot {
            keyed: None,
            operator,
            input_channels,
            output_channels,
            finished,
        },
    )
}

fn channels() -> impl Strategy<Value = Vec<ChannelHandle>> {
    btree_map((0..3_u32, 0..500_u32), (any::<u32>(), handle()), 0..3).prop_map(|channels| {
        let channel = |((gate, channel), (buffers, handle))| ChannelHandle { gate, channel, buffers, handle };
        channels.into_iter().map(channel).collect()
    })
}

/// The key groups are divided among the subtasks, whose order is that of the ranges or the other one.
fn operator() -> impl Strategy<Value = OperatorState> {
    let subtasks = vec((snapshot(), option::of(keyed_state())), 1..5);
    let all = (5..=32_768_u16, subtasks, any::<bool>(), option::of(small_state()));
    all.prop_map(|(max_parallelism, subtasks, reversed, coordinator)| {
        let each = max_parallelism / u16::try_from(subtasks.len()).expect("few");
        let ranges = (0..).map(|i| KeyGroupRange { start: i * each, end: (i + 1) * each - 1 });
        let mut subtasks: Vec<_> = subtasks
            .into_iter()
            .zip(ranges)
            .map(|((snapshot, state), range)| TaskSnapshot {
                keyed: state.map(|state| KeyedHandle { range, state }),
                ..snapshot
            })
            .collect();
        if reversed {
            subtasks.reverse();
        }
        OperatorState { max_parallelism, subtasks, coordinator }
    })
}
