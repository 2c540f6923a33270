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
