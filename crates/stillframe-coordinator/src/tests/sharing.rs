//! Shared state: which references are refused, and when a file goes.

use super::*;
use PartOrigin::{Placeholder, Written};

pub(super) fn in_directory(directory: StateDirectory, name: &str) -> StateFile {
    StateFile { directory, name: Name::new(name).unwrap() }
}

pub(super) fn shared(name: &str) -> StateFile {
    in_directory(StateDirectory::Shared, name)
}

pub(super) fn foreign(name: &str) -> StateFile {
    in_directory(StateDirectory::Foreign("theirs".into()), name)
}

fn whole(file: StateFile) -> StateHandle {
    StateHandle::File(FileHandle { file, len: 10, crc: Crc32c(1) })
}

fn segment(name: &str, offset: u64, len: u64, crc: u32) -> StateHandle {
    StateHandle::Segment(SegmentHandle { file: shared(name), offset, len, crc: Crc32c(crc) })
}

fn keyed(state: KeyedState) -> TaskSnapshot {
    let range = KeyGroupRange { start: 0, end: 127 };
    TaskSnapshot { keyed: Some(KeyedHandle { range, state }), ..TaskSnapshot::default() }
}

fn in_parts(handles: impl IntoIterator<Item = (StateHandle, PartOrigin)>) -> TaskSnapshot {
    let part = |(number, (handle, origin))| IncrementalPart {
        name: Name::new(alloc::format!("part-{number}")).unwrap(),
        handle,
        origin,
    };
    let parts = handles.into_iter().enumerate().map(part).collect();
    keyed(KeyedState::Incremental(IncrementalHandle { parts }))
}

/// Incremental state in these files.
pub(super) fn incremental(files: impl IntoIterator<Item = (StateFile, PartOrigin)>) -> TaskSnapshot {
    in_parts(files.into_iter().map(|(file, origin)| (whole(file), origin)))
}

/// The removals, with their shared files.
pub(super) fn released(effects: &[Effect]) -> Vec<(u64, Vec<StateFile>)> {
    let released = effects.iter().filter_map(|effect| match effect {
        Effect::Remove { checkpoint, shared, .. } => Some((checkpoint.get(), shared.clone())),
        _ => None,
    });
    released.collect()
}

impl World {
    /// The first task has this state, the others none.
    pub(super) fn acknowledge_all_as(&mut self, checkpoint: u64, snapshot: TaskSnapshot) -> &mut Self {
        self.acknowledge_as(checkpoint, TASKS[0], snapshot)
            .acknowledge(checkpoint, TASKS[1])
            .acknowledge(checkpoint, TASKS[2])
    }

    fn blamed(&self) -> Option<TaskId> {
        self.reports.iter().rev().find_map(|report| match report {
            Report::Aborted(aborted) => aborted.by,
            _ => None,
        })
    }

    pub(super) fn cause(&self) -> String {
        let cause = self.reports.iter().rev().find_map(|report| match report {
            Report::Aborted(aborted) => aborted.cause.clone(),
            _ => None,
        });
        cause.unwrap_or_default()
    }

    /// Whether the newest checkpoint was given up for what the first task acknowledged, with a cause that says so.
    fn has_refused(&mut self, checkpoint: u64, words: &[&str]) {
        assert_eq!(
            self.aborted().last(),
            Some(&(checkpoint, FailureReason::CheckpointAsyncException)),
            "{words:?}"
        );
        let cause = self.cause();
        let named = words.iter().chain(&["task 0/0", "part-0"]).all(|word| cause.contains(word));
        assert!(named, "{cause} has {words:?}");
        assert_eq!(self.blamed(), Some(TASKS[0]));
        assert_eq!(discarded(&self.take()), [checkpoint]);
    }
}

/// A world that tolerates failures, with as many checkpoints at once.
pub(super) fn tolerant(concurrent: u32) -> CheckpointConfig {
    let mut config = config();
    config.set_tolerable_checkpoint_failure_number(u32::MAX);
    config.set_max_concurrent_checkpoints(NonZeroU32::new(concurrent).unwrap());
    config
}

#[test]
fn a_file_goes_with_the_last_checkpoint_that_refers_to_it() {
    let mut world = World::new(&config());
    world.start().at(500).locate();
    world.acknowledge_all_as(1, incremental([(shared("a"), Written), (shared("b"), Written)])).publish();
    world.at(1_500).locate();
    world.acknowledge_all_as(2, incremental([(shared("b"), Placeholder), (shared("c"), Written)])).publish();
    assert_eq!(released(&world.take()), [(1, vec![shared("a")])]);
    world.at(2_500).locate().acknowledge_all_as(3, incremental([(shared("c"), Placeholder)])).publish();
    assert_eq!(released(&world.take()), [(2, vec![shared("b")])]);
    world.handle(Event::End { status: JobStatus::Finished });
    let op = world.op(|effect| if let Effect::Conclude { op, .. } = effect { Some(*op) } else { None });
    world.handle(Event::Concluded { op, result: Ok(()) });
    assert_eq!(released(&world.take()), [(3, vec![shared("c")])]);
}

#[test]
fn what_only_an_aborted_checkpoint_or_one_in_progress_wrote_may_not_be_relied_on() {
    let mut world = World::new(&tolerant(2));
    world.start().at(500).locate().acknowledge_as(1, TASKS[0], incremental([(shared("a"), Written)]));
    world.at(1_500).locate();
    world.acknowledge_as(2, TASKS[0], incremental([(shared("a"), Placeholder)]));
    world.has_refused(2, &["shared file a", "no retained checkpoint"]);

    world.handle(Event::Declined {
        checkpoint: id(1),
        attempt: Attempt::new(3),
        task: TASKS[2],
        reason: FailureReason::CheckpointDeclined,
    });
    world.at(2_500).locate();
    world.acknowledge_as(3, TASKS[0], incremental([(shared("a"), Placeholder)]));
    world.has_refused(3, &["shared file a", "no retained checkpoint"]);
}

#[test]
fn what_failed_to_be_published_may_not_be_relied_on() {
    let mut world = World::new(&tolerant(1));
    world.start().at(500).locate().acknowledge_all_as(1, incremental([(shared("a"), Written)]));
    let op = world.op(|effect| if let Effect::Publish { op, .. } = effect { Some(*op) } else { None });
    world.handle(Event::Published { op, result: Err(Fault::Failed { message: "disk full".to_string() }) });
    world.take();
    world.at(1_500).locate();
    world.acknowledge_as(2, TASKS[0], incremental([(shared("a"), Placeholder)]));
    world.has_refused(2, &["shared file a"]);
}

#[test]
fn a_publication_that_fails_drops_nothing() {
    let mut world = World::new(&tolerant(1));
    world.start().at(500).locate().acknowledge_all_as(1, incremental([(shared("a"), Written)])).publish();
    world.take();
    world.at(1_500).locate().acknowledge_all(2);
    assert_eq!(dropped(&world.effects), [1]);
    let op = world.op(|effect| if let Effect::Publish { op, .. } = effect { Some(*op) } else { None });
    world.handle(Event::Published { op, result: Err(Fault::Failed { message: "disk full".to_string() }) });
    let effects = world.take();
    assert_eq!((removed(&effects), discarded(&effects)), (vec![], vec![2]));
    assert_eq!(world.coordinator.latest_completed(), Some(id(1)));
    world.at(2_500).locate().acknowledge_all_as(3, incremental([(shared("a"), Placeholder)])).publish();
    assert_eq!(released(&world.take()), [(1, vec![])], "its file is still in use");
}

#[test]
fn a_name_is_written_once() {
    let mut world = World::new(&tolerant(2));
    world.start().at(500).locate().acknowledge_all_as(1, incremental([(shared("a"), Written)])).publish();
    world.take();
    world.at(1_500).locate().acknowledge_as(2, TASKS[0], incremental([(shared("a"), Written)]));
    world.has_refused(2, &["shared file a", "was there before"]);

    world.at(2_500).locate().acknowledge_as(3, TASKS[1], incremental([(shared("b"), Written)])).take();
    world.at(3_500).locate().acknowledge_as(4, TASKS[0], incremental([(shared("b"), Written)]));
    world.has_refused(4, &["shared file b", "was there before"]);
}

#[test]
fn tasks_share_a_file_but_no_byte_of_it() {
    let clashes = |first: StateHandle, second: StateHandle| {
        let mut world = World::new(&tolerant(1));
        world.start().at(500).locate();
        world.acknowledge_as(1, TASKS[1], in_parts([(first, Written)])).take();
        world.acknowledge_as(1, TASKS[0], in_parts([(second, Written)]));
        let clashes = !world.aborted().is_empty();
        if clashes {
            world.has_refused(1, &["shared file a"]);
        }
        clashes
    };
    let at = |offset, len, crc| segment("a", offset, len, crc);
    assert!(!clashes(at(10, 10, 1), at(20, 10, 1)), "one behind the other");
    assert!(!clashes(at(10, 10, 1), at(0, 10, 2)), "one before the other");
    assert!(!clashes(at(10, 10, 1), at(10, 10, 1)), "the same");
    assert!(clashes(at(10, 10, 1), at(10, 10, 2)), "another checksum");
    assert!(clashes(at(10, 10, 1), at(10, 11, 1)), "another length");
    assert!(clashes(at(10, 10, 1), at(19, 10, 1)), "the last byte");
    assert!(clashes(at(10, 10, 1), at(0, 11, 1)), "the first byte");
    assert!(clashes(at(10, 10, 1), at(0, 100, 1)), "around it");
    assert!(clashes(at(10, 10, 1), whole(shared("a"))), "a file that holds nothing else");
    assert!(clashes(whole(shared("a")), at(10, 10, 1)), "nothing else is in such a file");
    assert!(clashes(at(10, 10, 1), at(u64::MAX, 1, 1)), "longer than a file can be");
}

#[test]
fn some_files_are_nobodys_to_refer_to() {
    for (file, origin, words) in [
        (in_directory(StateDirectory::Exclusive, "a"), Placeholder, "no other checkpoint may refer to"),
        (foreign("a"), Placeholder, "no retained checkpoint"),
        (foreign("a"), Written, "do not write"),
    ] {
        let mut world = World::new(&tolerant(1));
        world.start().at(500).locate().acknowledge_as(1, TASKS[0], incremental([(file, origin)]));
        world.has_refused(1, &["file a", words]);
    }
    let mut world = World::new(&tolerant(1));
    world.start().at(500).locate();
    let task_owned = whole(in_directory(StateDirectory::TaskOwned, "a"));
    let inline = StateHandle::Inline(alloc::borrow::ToOwned::to_owned("state").into_bytes().into());
    world.acknowledge_all_as(1, in_parts([(task_owned, Placeholder), (inline, Placeholder)])).publish();
    assert_eq!(world.aborted(), [], "neither can dangle by what the coordinator does");
}

#[test]
fn other_state_in_the_shared_directory_is_accounted_for_as_well() {
    let mut world = World::new(&tolerant(1));
    world.start().at(500).locate();
    let operator = OperatorHandle {
        name: Name::new("offsets").unwrap(),
        redistribution: Redistribution::Split,
        elements: 1,
        handle: whole(shared("o")),
    };
    let channel = ChannelHandle { gate: 0, channel: 0, buffers: 1, handle: whole(shared("i")) };
    let snapshot = TaskSnapshot {
        operator: vec![operator],
        input_channels: vec![channel],
        ..keyed(KeyedState::Full(whole(shared("k"))))
    };
    world.acknowledge_all_as(1, snapshot).publish();
    world.at(1_500).locate().acknowledge_all(2).publish();
    assert_eq!(released(&world.take()), [(1, vec![shared("i"), shared("k"), shared("o")])]);
}

#[test]
fn a_savepoint_stands_alone() {
    for origin in [Placeholder, Written] {
        let mut world = World::new(&tolerant(1));
        world.start().at(500).locate().acknowledge_all_as(1, incremental([(shared("a"), Written)])).publish();
        world.take();
        world.trigger(42, SnapshotRequest::savepoint(None)).locate();
        let name = if origin == Written { "b" } else { "a" };
        world.acknowledge_as(2, TASKS[0], incremental([(shared(name), origin)]));
        assert!(world.cause().contains("a savepoint has to be written as a whole"), "{}", world.cause());
        assert!(world.take().iter().any(|effect| matches!(effect, Effect::Resolve { outcome: Err(_), .. })));
    }
}

#[test]
fn the_files_of_a_dropped_checkpoint_wait_for_what_was_in_progress() {
    let mut world = World::new(&tolerant(3));
    world.start().at(500).locate();
    world.acknowledge_all_as(1, incremental([(shared("a"), Written), (shared("b"), Written)])).publish();
    world.at(1_500).locate().at(2_500).locate().at(3_500).locate().take();
    world.acknowledge_as(3, TASKS[0], incremental([(shared("a"), Placeholder)]));
    world.acknowledge_all(2).publish();
    assert_eq!(removed(&world.take()), [], "3 and 4 may have been taken by tasks that relied on 1");
    world.acknowledge_as(4, TASKS[0], incremental([(shared("b"), Placeholder)]));
    assert_eq!(world.aborted(), [], "and so they may say so");

    let mut unlucky = world.clone();
    world.acknowledge(3, TASKS[1]).acknowledge(3, TASKS[2]).publish();
    assert_eq!(released(&world.take()), [(2, vec![])], "4 is still in progress");
    world.acknowledge(4, TASKS[1]).acknowledge(4, TASKS[2]).publish();
    assert_eq!(released(&world.take()), [(1, vec![]), (3, vec![shared("a")])], "b is in use again");

    unlucky.at(13_500);
    assert_eq!(unlucky.aborted().len(), 2);
    assert_eq!(
        released(&unlucky.effects),
        [(1, vec![shared("a"), shared("b")])],
        "nobody can refer to them any more"
    );
    unlucky.locate().acknowledge_as(5, TASKS[0], incremental([(shared("a"), Placeholder)]));
    unlucky.has_refused(5, &["shared file a"]);
}

#[test]
fn a_checkpoint_that_began_after_the_drop_may_neither_rely_on_what_waits_nor_write_it() {
    let mut world = World::new(&tolerant(2));
    world.start().at(500).locate().acknowledge_all_as(1, incremental([(shared("a"), Written)])).publish();
    world.at(1_500).locate().at(2_500).locate().acknowledge_all(2).publish().take();
    world.at(3_500).locate().acknowledge_as(4, TASKS[0], incremental([(shared("a"), Placeholder)]));
    world.has_refused(4, &["shared file a", "no retained checkpoint"]);
    world.at(4_500).locate().acknowledge_as(5, TASKS[0], incremental([(shared("a"), Written)]));
    world.has_refused(5, &["shared file a", "was there before"]);
}

#[test]
fn what_is_alone_with_its_state_waits_for_nobody() {
    let mut world = World::new(&tolerant(2));
    world.start().at(500).complete(1).at(1_500).locate().at(2_500).locate().acknowledge_all(2).publish();
    assert_eq!(released(&world.take()), [(1, vec![])]);
}

#[test]
fn late_and_repeated_acknowledgements_delete_nothing_and_abort_nothing() {
    let mut world = World::new(&tolerant(1));
    let state = || incremental([(shared("a"), Written)]);
    world.start().at(500).locate().acknowledge_as(1, TASKS[0], state()).acknowledge_as(1, TASKS[0], state());
    world.acknowledge_as(1, TASKS[0], incremental([(shared("nobodys"), Placeholder)]));
    assert_eq!(world.aborted(), []);
    world.acknowledge(1, TASKS[1]).acknowledge(1, TASKS[2]).publish().take();
    world.acknowledge_as(1, TASKS[0], state());
    assert_eq!(world.take(), [Effect::Ignored(Ignored::NotPending(id(1)))]);
    world.at(1_500).locate().acknowledge_all_as(2, incremental([(shared("a"), Placeholder)])).publish();
    assert_eq!(released(&world.take()), [(1, vec![])], "registered once and still in use");
}

#[test]
fn an_acknowledgement_of_a_stranger_registers_nothing() {
    let mut world = World::new(&tolerant(1));
    world.start().at(500).locate().acknowledge_as(1, task(5, 5), incremental([(shared("a"), Written)]));
    world.acknowledge_all_as(1, incremental([(shared("a"), Written)])).publish();
    assert_eq!(world.aborted(), []);
}

#[test]
fn a_completed_checkpoint_reads_the_same_whoever_wrote_its_parts() {
    let mut world = World::new(&tolerant(1));
    world.start().at(500).locate().acknowledge_all_as(1, incremental([(shared("a"), Written)])).publish();
    world.at(1_500).locate().acknowledge_all_as(2, incremental([(shared("a"), Placeholder)]));
    let state = world.take().into_iter().find_map(|effect| match effect {
        Effect::Publish { mut metadata, .. } => metadata.operators.remove(&plan().vertices[0].name),
        _ => None,
    });
    assert_eq!(state.unwrap().subtasks[0], incremental([(shared("a"), Written)]));
}

#[test]
fn a_coordinator_that_must_stop_removes_nothing_that_was_waiting() {
    let mut world = World::new(&tolerant(3));
    world.start().at(500).locate().acknowledge_all_as(1, incremental([(shared("a"), Written)])).publish();
    world.at(1_500).locate().at(2_500).locate().acknowledge_all(2).publish().take();
    world.acknowledge_all(3);
    let op = world.op(|effect| if let Effect::Publish { op, .. } = effect { Some(*op) } else { None });
    world
        .handle(Event::Published { op, result: Err(Fault::Unknown { message: "fsync failed".to_string() }) });
    let effects = world.take();
    assert_eq!((removed(&effects), discarded(&effects)), (vec![], vec![]));
    assert!(world.coordinator.is_done());
}

#[test]
fn removals_hold_up_the_next_checkpoint_as_much_as_any_others() {
    let mut world = World::new(&tolerant(1));
    world.start().at(500).complete(1).at(1_500).complete(2);
    let first = world.op(|effect| if let Effect::Remove { op, .. } = effect { Some(*op) } else { None });
    world.at(2_500).complete(3).take();
    world.at(3_500);
    assert_eq!(world.take(), [], "two removals are one more than checkpoints at a time");
    world.handle(Event::Discarded { op: first });
    assert!(matches!(world.take()[..], [Effect::Locate { .. }]));
}

#[test]
fn savepoints_and_full_checkpoints_in_progress_hold_up_no_removal() {
    let mut config = config();
    config.set_max_concurrent_checkpoints(NonZeroU32::new(3).unwrap());
    let full = SnapshotRequest::Checkpoint { checkpoint_type: CheckpointType::Full };
    for (beside, is_held_up) in [(full, false), (SnapshotRequest::CHECKPOINT, true)] {
        let mut world = World::new(&config);
        world.start().at(500).locate().acknowledge_all_as(1, incremental([(shared("a"), Written)])).publish();
        world.trigger(1, SnapshotRequest::savepoint(None)).locate();
        world.at(1_500).locate().trigger(2, beside).locate().take();
        world.acknowledge_all(3).publish();
        let expected = if is_held_up { vec![] } else { vec![(1, vec![shared("a")])] };
        assert_eq!(released(&world.take()), expected);
    }
}
