//! Stopping with a savepoint, and what it does to the checkpoints around it.

use super::*;

const STOP: u64 = 42;

fn stop() -> SnapshotRequest {
    SnapshotRequest::Stop { target: None, format: SavepointFormat::Canonical, drain: false }
}

fn resolved(effects: &[Effect]) -> Vec<(u64, Result<u64, FailureReason>)> {
    let resolved = effects.iter().filter_map(|effect| match effect {
        Effect::Resolve { request, outcome } => {
            let outcome = outcome.as_ref().map(|outcome| outcome.checkpoint.get());
            Some((request.get(), outcome.map_err(|refused| refused.reason)))
        }
        _ => None,
    });
    resolved.collect()
}

#[test]
fn checkpoints_make_way_and_who_asked_hears_of_it_when_every_task_has_ended() {
    let mut world = World::new(&config());
    world.start().at(500).locate().take();
    world.trigger(STOP, stop());
    assert_eq!(world.aborted(), [(1, FailureReason::CheckpointCoordinatorSuspend)]);
    world.complete(2);
    let effects = world.take();
    assert_eq!(notified(&effects), TASKS.map(|task| (task, 2)), "what was held back can go out");
    let closed = effects.iter().filter(|effect| matches!(effect, Effect::Close { .. })).count();
    assert_eq!((closed, resolved(&effects)), (3, vec![]));

    let mut unlucky = world.clone();
    world.handle(Event::End { status: JobStatus::Finished });
    assert_eq!(resolved(&world.take()), [(STOP, Ok(2))]);
    unlucky.handle(Event::Failover);
    assert_eq!(resolved(&unlucky.take()), [(STOP, Err(FailureReason::TaskFailure))]);
}

#[test]
fn periodic_checkpoints_begin_again_after_the_pause_when_stopping_fails() {
    let mut config = config();
    config.set_min_pause_between_checkpoints(Duration::from_millis(300));
    let mut world = World::new(&config);
    world.start().at(100).trigger(STOP, stop());
    let op = world.op(|effect| if let Effect::Locate { op, .. } = effect { Some(*op) } else { None });
    world.at(200).handle(Event::Located { op, result: Err(Fault::Failed { message: "full".to_string() }) });
    assert_eq!(resolved(&world.take()), [(STOP, Err(FailureReason::IoException))]);
    assert_eq!(world.coordinator.next_deadline(), Some(Timestamp::from_origin(Duration::from_millis(500))));
}

#[test]
fn a_task_that_cannot_stop_fails_the_job_whatever_is_tolerated() {
    let mut config = config();
    config.set_tolerable_checkpoint_failure_number(1_000);
    let mut world = World::new(&config);
    world.start().trigger(STOP, stop()).locate().take();
    world.handle(Event::Declined {
        checkpoint: id(1),
        attempt: Attempt::new(3),
        task: TASKS[2],
        reason: FailureReason::CheckpointDeclinedTaskNotReady,
    });
    let effects = world.take();
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::FailJob { task: Some(_), .. })),
        "{effects:?}"
    );
}

#[test]
fn nothing_begins_behind_the_savepoint_that_stops_the_job() {
    let mut world = World::new(&config());
    world.start().trigger(STOP, stop()).complete(1).take();
    world.trigger(43, SnapshotRequest::CHECKPOINT).trigger(44, stop()).at(60_000);
    let effects = world.take();
    let refused = Err(FailureReason::CheckpointCoordinatorSuspend);
    assert_eq!(resolved(&effects), [(43, refused), (44, refused)]);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Locate { .. })), "{effects:?}");
}

/// Found by the model check: tasks heard of the savepoint first, and of an older checkpoint behind it.
#[test]
fn a_savepoint_that_stops_the_job_waits_for_the_checkpoint_before_it() {
    let mut world = World::new(&config());
    world.start().at(500).locate().acknowledge_all(1);
    let op = world.op(|effect| if let Effect::Publish { op, .. } = effect { Some(*op) } else { None });
    world.trigger(STOP, stop()).locate().acknowledge_all(2);
    let published =
        |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::Publish { .. }));
    assert!(!published(&world.take()), "checkpoint 1 is on its way");
    world.handle(Event::Published { op, result: Ok(Pointer::new("there")) });
    assert_eq!(notified(&world.effects), TASKS.map(|task| (task, 1)));
    world.publish();
    assert_eq!(notified(&world.take()), TASKS.map(|task| (task, 2)));
}

fn publications(effects: &[Effect]) -> Vec<(OpId, u64)> {
    let publications = effects.iter().filter_map(|effect| match effect {
        Effect::Publish { op, metadata, .. } => Some((*op, metadata.checkpoint.get())),
        _ => None,
    });
    publications.collect()
}

fn at_two() -> CheckpointConfig {
    let mut config = config();
    config.set_max_concurrent_checkpoints(NonZeroU32::new(2).unwrap());
    config
}

/// What was complete before it would make tasks deaf to it.
#[test]
fn no_checkpoint_begins_beside_the_savepoint_that_stops_the_job() {
    let mut world = World::new(&at_two());
    world.trigger(STOP, stop()).locate().take();
    world.trigger(43, SnapshotRequest::CHECKPOINT);
    assert_eq!(world.take(), []);
    world.trigger(44, SnapshotRequest::savepoint(None));
    assert!(
        matches!(world.take()[..], [Effect::Locate { .. }]),
        "tasks are told nothing of another savepoint"
    );

    let mut lucky = world.clone();
    lucky.acknowledge_all(1).publish();
    let effects = lucky.take();
    assert_eq!(notified(&effects), TASKS.map(|task| (task, 1)));
    assert_eq!(resolved(&effects), [(43, Err(FailureReason::CheckpointCoordinatorSuspend))]);

    world.at(10_000);
    let begun = |effect: &Effect| matches!(effect, Effect::Locate { checkpoint, .. } if *checkpoint == id(3));
    assert!(world.take().iter().any(begun), "when it has failed");
}

#[test]
fn periodic_checkpoints_that_are_to_begin_while_the_job_stops_begin_if_it_does_not() {
    let mut world = World::new(&at_two());
    world.trigger(STOP, stop()).start();
    let op = world.op(|effect| if let Effect::Locate { op, .. } = effect { Some(*op) } else { None });
    world.at(5_000);
    assert_eq!(world.take(), []);
    assert_eq!(world.coordinator.next_deadline(), Some(Timestamp::from_origin(Duration::from_secs(10))));
    let mut lucky = world.clone();
    world.handle(Event::Located { op, result: Err(Fault::Failed { message: "full".to_string() }) });
    assert!(world.take().iter().any(|effect| matches!(effect, Effect::Locate { .. })), "it is due at once");

    lucky.handle(Event::Located { op, result: Ok(LocationReference::Default) }).acknowledge_all(1).publish();
    lucky.start();
    assert_eq!(lucky.coordinator.next_deadline(), None, "nothing begins any more");
}

#[test]
fn a_job_that_is_to_stop_still_is_when_the_first_of_two_savepoints_fails() {
    let mut world = World::new(&at_two());
    world.start().trigger(STOP, stop()).locate().acknowledge_all(1);
    let (first, _) = publications(&world.take())[0];
    world.trigger(43, stop()).locate().take();
    world.handle(Event::Published { op: first, result: Err(Fault::Failed { message: "full".to_string() }) });
    assert_eq!(resolved(&world.take()), [(STOP, Err(FailureReason::FinalizeCheckpointFailure))]);
    assert_eq!(world.coordinator.next_deadline(), Some(Timestamp::from_origin(Duration::from_secs(10))));
    world.acknowledge_all(2).publish();
    assert_eq!(notified(&world.take()), TASKS.map(|task| (task, 2)));

    let mut config = config();
    config.enable_unaligned_checkpoints();
    let mut world = World::new(&config);
    world.start().trigger(STOP, stop()).locate().acknowledge_all(1);
    let (first, _) = publications(&world.take())[0];
    world.trigger(43, stop());
    assert_eq!(world.take(), [], "it waits for its turn");
    world.handle(Event::Published { op: first, result: Err(Fault::Failed { message: "full".to_string() }) });
    assert!(world.take().iter().any(|effect| matches!(effect, Effect::Locate { .. })));
    assert_eq!(world.coordinator.next_deadline(), Some(Timestamp::from_origin(Duration::from_secs(10))));
}

#[test]
fn without_a_place_for_it_a_savepoint_is_refused_before_anything_makes_way() {
    let mut world = World::new(&config());
    world.coordinator = world.coordinator.with_default_savepoint_location(false);
    world.start().at(500).locate().take();
    let before = world.coordinator.clone();
    world.trigger(STOP, stop()).trigger(43, SnapshotRequest::savepoint(None));
    let effects = world.take();
    let refused = Err(FailureReason::TriggerCheckpointFailure);
    assert_eq!(resolved(&effects), [(STOP, refused), (43, refused)]);
    assert_eq!((effects.len(), world.aborted()), (2, vec![]));
    assert_eq!(world.coordinator, before, "no id is used up, and the checkpoint goes on");
    world.trigger(44, SnapshotRequest::savepoint(Some("elsewhere".to_string())));
    assert!(matches!(world.take()[..], [Effect::Locate { .. }]), "somebody says where");
}
