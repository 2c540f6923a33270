//! Parts that are not what they were.

use super::world::{MAX_PARALLELISM, World, parts};
use crate::increment::Part;
use crate::{KeyedBase, StateError};
use bytes::Bytes;
use stillframe_model::{CheckpointKind, IncrementalPart, KeyGroupRange, StateHandle};

/// Two parts with their bytes.
fn two() -> (KeyGroupRange, Vec<(IncrementalPart, Bytes)>) {
    let mut world = World::new(1);
    (0..40).for_each(|key| world.put(key, vec![0; 300]));
    let first = world.capture(CheckpointKind::Checkpoint);
    world.complete(first);
    world.put(3, vec![1; 300]);
    let second = world.capture(CheckpointKind::Checkpoint);
    let handle = &world.under_way[&second].handles[0];
    let bytes = |part: &IncrementalPart| match &part.handle {
        StateHandle::Inline(bytes) => bytes.clone(),
        other => world.files[other.file().unwrap()].clone(),
    };
    (handle.range, parts(handle).iter().map(|part| (part.clone(), bytes(part))).collect())
}

fn refusal(range: KeyGroupRange, parts: Vec<(IncrementalPart, Bytes)>) -> String {
    let error: StateError = KeyedBase::read(range, MAX_PARALLELISM, parts).unwrap_err();
    error.to_string()
}

#[test]
fn every_part_is_needed_and_in_its_place() {
    let (range, both) = two();
    assert_eq!(both.len(), 2);
    assert!(KeyedBase::read(range, MAX_PARALLELISM, both.clone()).is_ok());
    let newest = refusal(range, both[1..].to_vec());
    assert_eq!(newest, "part increment-1 of keyed state is missing, and holds current key groups");
    let mut exchanged = both.clone();
    (exchanged[0].1, exchanged[1].1) = (both[1].1.clone(), both[0].1.clone());
    assert!(refusal(range, exchanged).contains("does not hold key group"), "the bytes of one in the other");
    let narrow = KeyGroupRange { start: 0, end: 3 };
    assert!(refusal(narrow, both.clone()).contains("cannot hold key group"));
    let other = KeyedBase::read(range, MAX_PARALLELISM + 1, both).unwrap_err();
    assert!(matches!(other, StateError::MaxParallelism { found: MAX_PARALLELISM, .. }), "{other}");
}

#[test]
fn what_a_part_is_cut_to_is_not_read() {
    let (_, both) = two();
    let whole = &both[1].1;
    for len in 0..whole.len() {
        assert!(Part::read(&whole.slice(..len)).is_err(), "the first {len} bytes of {}", whole.len());
    }
    let longer: Bytes = [&whole[..], b"x"].concat().into();
    assert!(Part::read(&longer).unwrap_err().contains("has 1 bytes after its end"));
}

#[test]
fn a_flipped_bit_of_the_index_is_noticed() {
    let (_, both) = two();
    let whole = &both[1].1;
    let index = 8 + usize::from(whole[0]) + (usize::from(whole[1]) << 8);
    for bit in 0..index * 8 {
        let mut bytes = whole.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Part::read(&bytes.into()).is_err(), "bit {bit}");
    }
}

#[test]
fn a_group_that_counts_twice_is_refused() {
    let (range, mut both) = two();
    let mut newest = Part::read(&both[1].1).unwrap();
    let group = *newest.records.first_key_value().unwrap().0;
    let older = newest.current.values_mut().find(|groups| !groups.contains(&group)).unwrap();
    older.insert(group);
    both[1].1 = newest.into_pieces().unwrap().concat().into();
    assert!(refusal(range, both).contains("is the second with a current key group"));
}
