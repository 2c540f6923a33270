//! How much a few hostile bytes make a reader of the register allocate. A binary of its own: the counts are those of the
//! whole process.

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use stillframe_metadata::frame::{self, RecordKind};
use stillframe_model::{CheckpointId, Crc32c, JobId};
use stillframe_storage_directory::register::{Entry, Marker, Retained, Root};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What `docs/format.md` promises for a small record, and as much again for the error.
const BOUND: usize = 2 << 20;

fn allocated(read: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    read();
    region.change().bytes_allocated
}

fn entry() -> Entry {
    let retained = |id, location: Option<&str>| Retained {
        checkpoint: CheckpointId::new(id),
        location: location.map(Into::into),
        len: 100,
        checksum: Crc32c(5),
    };
    Entry {
        job: JobId::from_bytes([7; 16]),
        sequence: 2,
        previous: Crc32c(9),
        epoch: 1,
        token: 3,
        id_limit: 200,
        ended: None,
        retained: vec![retained(5, None), retained(6, Some("/c/chk-6"))],
        dropped: vec![retained(4, None)],
        roots: vec![Root { address: "/c".into(), is_owned: true }],
    }
}

/// A record whose body claims, at each of its bytes in turn, that something very long follows.
fn claims(kind: RecordKind, record: &[u8]) -> Vec<Vec<u8>> {
    let body = frame::open_body(kind, record).expect("a record that was just written");
    let numbers: [&[u8]; 5] = [
        &[250],
        &[251, 255, 255],
        &[252, 255, 255, 255, 255],
        &[253, 255, 255, 255, 255, 255, 255, 255, 127],
        &[255; 9],
    ];
    let claimed = (0..=body.len()).flat_map(|at| {
        numbers.map(|number| {
            let body = [&body[..at], number, &body[at..]].concat();
            frame::seal_body(kind, &body).expect("a small record")
        })
    });
    claimed.collect()
}

#[test]
fn hardening_4_1_3_a_small_record_of_the_register_allocates_no_more_than_a_fixed_bound() {
    let entry = entry().encode().expect("a valid entry");
    let marker = Marker { job: JobId::from_bytes([7; 16]), epoch: 2, token: 3, floor: 1 };
    let marker = marker.encode().expect("a valid marker");
    let mut seen = 0;
    for bytes in claims(RecordKind::RegisterEntry, &entry) {
        let spent = allocated(|| drop(Entry::decode(&bytes)));
        assert!(spent <= BOUND, "{spent} bytes for an entry: {bytes:?}");
        seen += 1;
    }
    for bytes in claims(RecordKind::EpochMarker, &marker) {
        let spent = allocated(|| drop(Marker::decode(&bytes)));
        assert!(spent <= BOUND, "{spent} bytes for a marker: {bytes:?}");
        seen += 1;
    }
    assert!(seen > 500, "only {seen} records were tried");
    // The count really counts.
    assert!(allocated(|| drop(vec![0_u8; BOUND + 1])) > BOUND);
}
