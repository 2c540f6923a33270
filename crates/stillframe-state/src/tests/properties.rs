use super::world::{World, parts};
use crate::key_group::key_group;
use crate::{KeyHash, KeyedBase, KeyedHistory, KeyedState};
use proptest::prelude::*;
use stillframe_model::{CheckpointId, CheckpointKind, KeyGroupRange, PartOrigin, StateDirectory};

#[derive(Clone, Debug)]
enum Step {
    Put(u64, usize),
    Remove(u64),
    Capture(CheckpointKind),
    /// Which of those that are under way.
    Complete(usize),
    Abort(usize),
    Restart(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..40_u64, 0..300_usize).prop_map(|(key, len)| Step::Put(key, len)),
        3 => (0..40_u64).prop_map(Step::Remove),
        6 => Just(Step::Capture(CheckpointKind::Checkpoint)),
        1 => Just(Step::Capture(CheckpointKind::FullCheckpoint)),
        4 => (0..3_usize).prop_map(Step::Complete),
        2 => (0..3_usize).prop_map(Step::Abort),
        1 => prop_oneof![Just(1_u32), Just(2), Just(3), Just(5), Just(12)].prop_map(Step::Restart),
    ];
    prop::collection::vec(step, 1..120)
}

fn run(world: &mut World, steps: Vec<Step>) {
    let pick = |world: &World, index: usize| -> Option<CheckpointId> {
        let ids: Vec<_> = world.under_way.keys().copied().collect();
        ids.get(index % ids.len().max(1)).copied()
    };
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Put(key, len) => world.put(key, vec![u8::try_from(number % 256).unwrap(); len]),
            Step::Remove(key) => world.remove(key),
            Step::Capture(kind) => _ = world.capture(kind),
            Step::Complete(index) => {
                if let Some(checkpoint) = pick(world, index) {
                    world.complete(checkpoint);
                }
            }
            Step::Abort(index) => {
                if let Some(checkpoint) = pick(world, index) {
                    world.abort(checkpoint);
                }
            }
            Step::Restart(parallelism) => world.restart(parallelism),
        }
    }
    world.assert_equal();
    world.restart(2);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Placeholders, sizes and files are looked at in every step; see [`World`].
    #[test]
    fn what_is_restored_is_what_was_confirmed(steps in steps(), parallelism in 1..5_u32) {
        run(&mut World::new(parallelism), steps);
    }

    #[test]
    fn a_storage_that_shares_nothing_is_not_asked_to(steps in steps(), inline in 0..800_usize) {
        let mut world = World::new(2);
        world.directory = StateDirectory::Exclusive;
        world.inline = inline;
        run(&mut world, steps);
    }
}

fn checkpoint(world: &mut World) -> usize {
    let checkpoint = world.capture(CheckpointKind::Checkpoint);
    let written = world.under_way[&checkpoint].written();
    world.complete(checkpoint);
    written
}

/// A value in every group.
fn filled() -> World {
    let mut world = World::new(1);
    (0..40).for_each(|key| world.put(key, vec![0; 300]));
    world
}

#[test]
fn what_did_not_change_is_not_written_again() {
    let mut world = filled();
    assert_eq!(checkpoint(&mut world), 1);
    let first = world.files.clone();
    assert_eq!(first.len(), 1);
    world.put(3, vec![1; 300]);
    assert_eq!(checkpoint(&mut world), 1);
    assert_eq!(world.files.len(), 2);
    let size = |file: &bytes::Bytes| file.len();
    let (all, one) = (first.values().map(size).sum::<usize>(), world.files.values().map(size).min().unwrap());
    assert!(one * 4 < all, "{one} of {all} bytes for one group of twelve");
    for _ in 0..3 {
        assert_eq!(checkpoint(&mut world), 0, "nothing changed");
    }
    world.restart(1);
    assert_eq!(checkpoint(&mut world), 0, "nothing changed since the restored checkpoint");
    assert_eq!(world.files.len(), 2);
    world.restart(2);
    assert_eq!(checkpoint(&mut world), 2, "others have the groups now");
}

#[test]
fn what_became_empty_is_written_down_and_stays_empty() {
    let mut world = filled();
    checkpoint(&mut world);
    (0..10).for_each(|key| world.remove(key));
    let written = checkpoint(&mut world);
    assert_eq!(written, 1);
    world.restart(1);
    (10..40).for_each(|key| world.remove(key));
    assert_eq!(checkpoint(&mut world), 0, "there is nothing to say about no state");
    assert_eq!(world.files.len(), 0);
    world.restart(1);
}

/// Empties one group.
fn empty(world: &mut World) {
    let group = |key: u64| key_group(key.key_hash(), 12);
    (0..40).filter(|key| group(*key) == group(3)).for_each(|key| world.remove(key));
}

#[test]
fn an_emptied_group_takes_a_word_and_no_bytes() {
    let mut world = filled();
    world.inline = 0;
    checkpoint(&mut world);
    empty(&mut world);
    assert_eq!(checkpoint(&mut world), 1);
    let smallest = world.files.values().map(bytes::Bytes::len).min().unwrap();
    assert!(smallest < 300, "{smallest} bytes to say that a group is empty");
    assert_eq!(checkpoint(&mut world), 0);
    world.restart(1);
}

#[test]
fn what_says_where_everything_is_has_to_be_shared_too() {
    let mut world = filled();
    (world.directory, world.inline) = (StateDirectory::Exclusive, usize::MAX);
    checkpoint(&mut world);
    empty(&mut world);
    world.inline = 0;
    for _ in 0..2 {
        assert_eq!(checkpoint(&mut world), 1, "the last word on the groups goes with its checkpoint");
        assert_eq!(world.files.len(), 1);
    }
    world.restart(1);
}

#[test]
fn what_was_not_confirmed_is_written_again() {
    let mut world = filled();
    checkpoint(&mut world);
    world.put(3, vec![1; 300]);
    let lost = world.capture(CheckpointKind::Checkpoint);
    assert_eq!(world.under_way[&lost].written(), 1);
    world.abort(lost);
    let first = world.capture(CheckpointKind::Checkpoint);
    let second = world.capture(CheckpointKind::Checkpoint);
    for checkpoint in [first, second] {
        assert_eq!(world.under_way[&checkpoint].written(), 1, "neither may rely on the other");
    }
    world.complete(second);
    assert_eq!(checkpoint(&mut world), 0);
}

#[test]
fn a_full_checkpoint_refers_to_nothing_and_is_built_on() {
    let mut world = filled();
    checkpoint(&mut world);
    let full = world.capture(CheckpointKind::FullCheckpoint);
    let taken = &world.under_way[&full];
    assert!(taken.parts().all(|part| part.origin == PartOrigin::Written));
    world.complete(full);
    assert_eq!(checkpoint(&mut world), 0);
    assert_eq!(world.files.len(), 1);
}

#[test]
fn state_from_elsewhere_is_not_taken_for_what_was_restored() {
    let mut world = filled();
    checkpoint(&mut world);
    let (base, records) = world.read(&world.confirmed.as_ref().unwrap().handles[0]);
    let restore =
        |records: Vec<&[u8]>| KeyedState::<u64, Vec<u8>>::restore(base.range(), 12, records).unwrap();
    let written = |state: &KeyedState<u64, Vec<u8>>, base: &KeyedBase| {
        let increment = state.snapshot().increment(CheckpointId::new(9), Some(base)).unwrap();
        increment.pieces().len()
    };
    let records: Vec<&[u8]> = records.iter().map(|(_, record)| &record[..]).collect();
    assert_eq!(written(&restore(records.clone()), &base), 0);
    // Read in one piece, the same values have another history, and are written.
    let mut copy = KeyedState::new(base.range(), 12);
    restore(records.clone()).iter().for_each(|(key, value)| _ = copy.insert(*key, value.clone()));
    assert_eq!(written(&copy, &base), 1 + records.len());
    let whole = copy.snapshot().encode().unwrap();
    assert_eq!(written(&restore(vec![&whole]), &base), 1 + records.len());
    // With a record left out, what is missing is as good as removed.
    assert_eq!(written(&restore(records[1..].to_vec()), &base), 1);
    // With one of a later state, it is the later state.
    copy.insert(3, vec![7]);
    let other = copy.snapshot().encode_group(key_group(3, 12)).unwrap();
    let at = records
        .iter()
        .position(|record| record.len() != other.len() && record[28..].starts_with(&other[28..40]));
    let mut mixed = records.clone();
    mixed[at.unwrap()] = &other;
    assert_eq!(written(&restore(mixed), &base), 2);
    // With two records for a group, it is neither of them.
    let another = (40..).find(|key| key_group(key.key_hash(), 12) == key_group(3, 12)).unwrap();
    let mut more = KeyedState::<u64, Vec<u8>>::new(base.range(), 12);
    more.insert(another, vec![7]);
    let more = more.snapshot().encode().unwrap();
    for both in [[&[&more[..]], &records[..]].concat(), [&records[..], &[&more[..]]].concat()] {
        assert_eq!(written(&restore(both), &base), 2);
    }
    // And a base for other groups is none.
    let fewer = KeyGroupRange { start: 0, end: 10 };
    let fewer = KeyedState::<u64, Vec<u8>>::restore(fewer, 12, records.iter().copied()).unwrap();
    assert_eq!(written(&fewer, &base), 1 + 11);
}

#[test]
fn without_news_of_the_newest_checkpoint_there_is_nothing_to_build_on() {
    let written = |history: &mut KeyedHistory, checkpoint| {
        let state = KeyedState::<u64, Vec<u8>>::new(KeyGroupRange { start: 0, end: 11 }, 12);
        let checkpoint = CheckpointId::new(checkpoint);
        let increment = state.snapshot().increment(checkpoint, None).unwrap();
        history.written(checkpoint, increment.finish(None).unwrap().1);
    };
    let mut history = KeyedHistory::new(None);
    written(&mut history, 1);
    assert!(history.confirmed().is_none());
    history.confirm(CheckpointId::new(1));
    assert!(history.confirmed().is_some());
    // The task had no keyed state in the second, which may have been all that kept the files of the first.
    history.confirm(CheckpointId::new(2));
    assert!(history.confirmed().is_none());
    written(&mut history, 3);
    history.abort(CheckpointId::new(3));
    history.confirm(CheckpointId::new(3));
    assert!(history.confirmed().is_none(), "what was aborted is forgotten");
}

#[test]
fn parts_of_which_little_counts_are_given_up() {
    let mut world = filled();
    checkpoint(&mut world);
    // Group after group changes, so that less and less of the first part counts.
    let mut most = 0;
    for key in 0..40 {
        world.put(key, vec![1; 300]);
        checkpoint(&mut world);
        let handles = &world.confirmed.as_ref().unwrap().handles;
        most = most.max(parts(&handles[0]).len());
        let names: Vec<_> = parts(&handles[0]).iter().map(|part| part.name.as_str()).collect();
        assert!(key < 39 || !names.contains(&"increment-1"), "{names:?}");
    }
    assert!(most > 1, "nothing was ever referred to");
}
