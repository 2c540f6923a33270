//! Jobs that begin with a snapshot that another job took.

use super::sharing::*;
use super::*;
use PartOrigin::{Placeholder, Written};

fn begins_with(mode: RecoveryClaimMode) -> World {
    let files = [foreign("a"), foreign("b")];
    let snapshot = match mode {
        RecoveryClaimMode::Claim => RetainedState::owned(id(7), files),
        RecoveryClaimMode::NoClaim | RecoveryClaimMode::Legacy => RetainedState::left(id(7), files),
    };
    let recovery = plan_recovery(vec![snapshot], BTreeSet::new(), id(8), mode);
    assert_eq!(recovery.restore, Some(id(7)));
    let mut world = World::restored(&tolerant(2), recovery);
    world.start();
    world
}

fn kinds(world: &World) -> Vec<CheckpointKind> {
    let kinds = world.reports.iter().filter_map(|report| match report {
        Report::Triggered { kind, .. } => Some(*kind),
        _ => None,
    });
    kinds.collect()
}

#[test]
fn without_a_claim_everything_is_full_until_one_checkpoint_is_complete() {
    use CheckpointKind::{Checkpoint, FullCheckpoint};
    let mut world = begins_with(RecoveryClaimMode::NoClaim);
    world.trigger(1, SnapshotRequest::savepoint(None)).complete(8);
    world.at(500).locate().acknowledge_as(9, TASKS[0], incremental([(foreign("a"), Placeholder)]));
    assert!(world.cause().contains("a full checkpoint has to be written as a whole"), "{}", world.cause());
    world.take();
    world.at(1_500);
    assert_eq!(
        kinds(&world),
        [CheckpointKind::SAVEPOINT, FullCheckpoint, FullCheckpoint],
        "neither of the two stood for it"
    );
    world.locate();
    let barriers: Vec<_> = world.take();
    assert!(
        matches!(&barriers[..], [Effect::Trigger { barrier, .. }, ..] if barrier.kind == FullCheckpoint),
        "tasks are told: {barriers:?}"
    );
    world.at(2_500).locate();
    world.acknowledge_all_as(10, incremental([(shared("c"), Written)])).publish();
    assert_eq!(released(&world.take()), [], "the snapshot stays its owner's");
    world.at(3_500).locate();
    assert_eq!(kinds(&world)[3..], [FullCheckpoint, Checkpoint]);
    world.acknowledge_as(12, TASKS[0], incremental([(foreign("a"), Placeholder)]));
    assert!(world.cause().contains("no retained checkpoint"), "{}", world.cause());
}

#[test]
fn what_is_left_to_its_owner_may_be_relied_on_and_is_never_removed() {
    let mut world = begins_with(RecoveryClaimMode::Legacy);
    assert_eq!(world.coordinator.latest_completed(), Some(id(7)));
    world.at(500).locate();
    assert_eq!(kinds(&world), [CheckpointKind::Checkpoint]);
    world.acknowledge_all_as(8, incremental([(foreign("a"), Placeholder), (shared("c"), Written)]));
    assert_eq!(dropped(&world.effects), [], "it is none of the job's checkpoints");
    world.publish().at(1_500).locate().acknowledge_all(9);
    assert_eq!(dropped(&world.effects), [8]);
    world.publish();
    assert_eq!(released(&world.take()), [(8, vec![shared("c")])]);
    world.at(2_500).locate().acknowledge_all_as(10, incremental([(foreign("a"), Placeholder)])).publish();
    assert_eq!(world.aborted(), []);
    world.handle(Event::End { status: JobStatus::Finished });
    let [.., Effect::Conclude { op, dropped, .. }] = &world.take()[..] else { panic!("on record first") };
    assert_eq!(dropped, &[id(10)]);
    world.handle(Event::Concluded { op: *op, result: Ok(()) });
    assert_eq!(released(&world.take()), [(10, vec![])]);
}

#[test]
fn files_of_others_stay_when_a_later_run_drops_the_checkpoints_that_refer_to_them() {
    let found = vec![RetainedState::owned(id(9), [foreign("a"), shared("c")])];
    let left = [foreign("a")].into();
    let recovery = plan_recovery(found, left, id(10), RecoveryClaimMode::Legacy);
    let mut world = World::restored(&config(), recovery);
    world.start().at(500).complete(10);
    assert_eq!(released(&world.take()), [(9, vec![shared("c")])]);
}

#[test]
fn a_claimed_snapshot_goes_when_nobody_relies_on_any_file_in_it() {
    let mut world = begins_with(RecoveryClaimMode::Claim);
    world.at(500).locate();
    world.acknowledge_all_as(8, incremental([(foreign("a"), Placeholder), (foreign("b"), Placeholder)]));
    assert_eq!(dropped(&world.effects), [7], "it counts as the job's own");
    world.publish();
    assert_eq!(released(&world.take()), [], "its own directory may be where the files are");
    world.at(1_500).locate().acknowledge_all_as(9, incremental([(foreign("b"), Placeholder)])).publish();
    assert_eq!(released(&world.take()), [(8, vec![foreign("a")])]);
    world.at(2_500).locate().at(3_500).locate().acknowledge_all(10).publish();
    assert_eq!(released(&world.take()), [], "11 may still rely on it");
    world.acknowledge_all(11).publish();
    assert_eq!(released(&world.take()), [(7, vec![]), (9, vec![foreign("b")]), (10, vec![])]);
}

#[test]
fn what_nobody_relies_on_goes_before_the_claimed_directory_that_it_is_in() {
    let mut world = begins_with(RecoveryClaimMode::Claim);
    world.at(500).locate().acknowledge_all_as(8, incremental([(foreign("a"), Placeholder)])).publish();
    assert_eq!(released(&world.take()), []);
    world.at(1_500).locate().acknowledge_all_as(9, incremental([(foreign("a"), Placeholder)])).publish();
    assert_eq!(released(&world.take()), [(8, vec![foreign("b")])]);
}

#[test]
fn a_claimed_snapshot_on_which_nobody_relies_goes_at_once() {
    let mut world = begins_with(RecoveryClaimMode::Claim);
    world.at(500).complete(8);
    assert_eq!(released(&world.take()), [(7, vec![foreign("a"), foreign("b")])]);
}
