//! How much a few hostile bytes make a reader allocate. A binary of its own: the counts are those of the whole process.

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use stillframe_metadata::frame::{self, RecordKind};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// For metadata: the sum of all allocations, also of those that were freed at once.
const METADATA_BOUND: usize = 64 << 10;
/// For records of serde types: what serde makes room for, whatever length is claimed.
const RECORD_BOUND: usize = 1 << 20;

fn allocated(read: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    read();
    region.change().bytes_allocated
}

/// Whatever is put behind each beginning of a small body, as a number of eight bytes, in the smallest form that is accepted.
fn claims() -> impl Iterator<Item = Vec<u8>> {
    // What the byte with the kind announces.
    const COORDINATORS: u8 = 64;
    const HOOKS: u8 = 128;
    let beginnings: [&[u8]; 14] = [
        &[],
        &[1],
        &[0],
        &[0, 1, 0],
        &[0, 1, 0, 1, b'a'],
        &[0, 1, 0, 1, b'a', 128],
        &[0, 1, 1],
        &[0, 1, 0, 1, b'a', 128, 1, 2, 0, 0],
        &[0, 1, 0, 1, b'a', 128, 1, 4],
        &[0, 1, 0, 1, b'a', 128, 1, 8],
        &[0, 1, 0, 1, b'a', 128, 1, 16],
        &[0, 1, 0, 1, b'a', 128, 1, 1, 0, 0, 0],
        &[0, 1, 0, 1, b'a', 128, 1, 1, 0, 0, 1],
        &[0, 1, 0, 1, b'a', 128, 1, 1, 0, 0, 2],
    ];
    let sections: [(u8, &[u8]); 6] = [
        (COORDINATORS, &[0, 1, 0, 1, b'a', 128, 1, 0]),
        (COORDINATORS, &[0, 1, 0, 1, b'a', 128, 1, 0, 1]),
        (COORDINATORS, &[0, 1, 0, 1, b'a', 128, 1, 0, 1, 0]),
        (HOOKS, &[0, 0]),
        (HOOKS, &[0, 0, 1, 0]),
        (HOOKS, &[0, 0, 1, 0, 1, b'h']),
    ];
    let numbers: [&[u8]; 6] = [
        &[250],
        &[251, 255, 255],
        &[251, 0, 128],
        &[252, 255, 255, 255, 255],
        &[253, 255, 255, 255, 255, 255, 255, 255, 127],
        &[255; 9],
    ];
    let without = beginnings.into_iter().map(|beginning| (0, beginning));
    without.chain(sections).flat_map(move |(kind, beginning)| {
        let start = [&[9; 16][..], &[17, kind, 0], beginning].concat();
        numbers.map(|number| [&start[..], number, &[0; 16]].concat())
    })
}

#[test]
fn hardening_4_1_3_few_hostile_bytes_allocate_no_more_than_a_fixed_bound() {
    let mut seen = 0;
    for body in claims() {
        let bytes = frame::seal_body(RecordKind::CheckpointMetadata, &body).expect("a small record");
        let spent = allocated(|| drop(stillframe_metadata::decode(&bytes)));
        assert!(spent <= METADATA_BOUND, "{spent} bytes for {body:?}");
        seen += 1;
    }
    assert_eq!(seen, 120);

    // The count really counts.
    assert!(allocated(|| drop(vec![0_u8; METADATA_BOUND + 1])) > METADATA_BOUND);

    // Headers that claim the largest body, without and with anything behind.
    for extra in [0, 4, 28] {
        let mut bytes = frame::seal(RecordKind::Value, &()).expect("a small record");
        bytes[16..24].copy_from_slice(&frame::MAX_BODY.to_le_bytes());
        let checksum = stillframe_model::Crc32c::of(&bytes[..24]).0.to_le_bytes();
        bytes[24..28].copy_from_slice(&checksum);
        bytes.resize(bytes.len() + extra, 7);
        let spent = allocated(|| drop(frame::open::<Vec<u8>>(RecordKind::Value, &bytes)));
        assert!(spent <= METADATA_BOUND, "{spent} bytes for a claimed body");
    }

    // Records of types with lengths in them.
    for claimed in [1 << 12, 1 << 20, 1 << 32, 1 << 60, u64::MAX] {
        let bytes = frame::seal(RecordKind::KeyedState, &claimed).expect("a small record");
        let kind = RecordKind::KeyedState;
        for spent in [
            allocated(|| drop(frame::open::<String>(kind, &bytes))),
            allocated(|| drop(frame::open::<bytes::Bytes>(kind, &bytes))),
            allocated(|| drop(frame::open::<Vec<u64>>(kind, &bytes))),
            allocated(|| drop(frame::open::<Vec<(u16, Vec<(String, u64)>)>>(kind, &bytes))),
        ] {
            assert!(
                spent <= RECORD_BOUND + METADATA_BOUND,
                "{spent} bytes for a claimed length of {claimed}"
            );
        }
    }
}
