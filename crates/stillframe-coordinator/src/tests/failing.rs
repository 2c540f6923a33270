//! Checkpoints that do not complete.

use super::*;

#[test]
fn a_checkpoint_that_takes_too_long_is_given_up_removed_and_fails_the_job() {
    let mut world = World::new(&config());
    world.start().at(500).locate().acknowledge(1, TASKS[0]).take();
    world.at(10_499);
    assert_eq!(world.aborted(), []);
    world.at(10_500);
    assert_eq!(world.aborted(), [(1, FailureReason::CheckpointExpired)]);
    let effects = world.take();
    assert_eq!(discarded(&effects), [1]);
    assert_eq!(effects.iter().filter(|effect| matches!(effect, Effect::NotifyAborted { .. })).count(), 3);
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::FailJob { .. })),
        "no failure is tolerated by default"
    );
    world.acknowledge(1, TASKS[1]);
    assert!(world.take().contains(&Effect::Ignored(Ignored::Expired(id(1)))));
}

#[test]
fn tolerable_failures_are_tolerated() {
    let mut config = config();
    config.set_tolerable_checkpoint_failure_number(1);
    let mut world = World::new(&config);
    let decline = |checkpoint| Event::Declined {
        checkpoint: id(checkpoint),
        attempt: Attempt::new(3),
        task: TASKS[2],
        reason: FailureReason::CheckpointAsyncException,
    };
    let failed = |effects: Vec<Effect>| effects.iter().any(|effect| matches!(effect, Effect::FailJob { .. }));
    world.start().at(500).locate().handle(decline(1));
    assert!(!failed(world.take()));
    world.at(1_500).locate().handle(decline(2));
    assert!(failed(world.take()));
}

#[test]
fn a_place_of_a_declined_checkpoint_is_removed_whatever_the_reason() {
    let mut world = World::new(&config());
    world.start().at(500);
    let op = world.op(|effect| if let Effect::Locate { op, .. } = effect { Some(*op) } else { None });
    let (attempt, reason) = (Attempt::new(3), FailureReason::IoException);
    world.handle(Event::Declined { checkpoint: id(1), attempt, task: TASKS[0], reason }).take();
    world.handle(Event::Located { op, result: Ok(LocationReference::Default) });
    assert_eq!(discarded(&world.take()), [1]);
}

#[test]
fn an_expired_place_is_removed_when_it_turns_up() {
    let mut config = config();
    config.set_tolerable_checkpoint_failure_number(9);
    let mut world = World::new(&config);
    world.start().at(500);
    let op = world.op(|effect| if let Effect::Locate { op, .. } = effect { Some(*op) } else { None });
    world.at(10_500).take();
    assert_eq!(world.aborted(), [(1, FailureReason::CheckpointExpired)]);
    world.handle(Event::Located { op, result: Ok(LocationReference::Default) });
    assert_eq!(discarded(&world.take()), [1]);
}

#[test]
fn a_metadata_that_could_not_be_written_fails_only_its_checkpoint() {
    let mut config = config();
    config.set_tolerable_checkpoint_failure_number(1);
    let mut world = World::new(&config);
    world.start().at(500).locate().acknowledge_all(1);
    let op = world.op(|effect| if let Effect::Publish { op, .. } = effect { Some(*op) } else { None });
    world.handle(Event::Published { op, result: Err(Fault::Failed { message: "disk full".to_string() }) });
    assert_eq!(world.aborted(), [(1, FailureReason::FinalizeCheckpointFailure)]);
    let effects = world.take();
    assert_eq!(discarded(&effects), [1]);
    assert_eq!(notified(&effects), []);
}

#[test]
fn an_unknown_outcome_stops_everything_and_deletes_nothing() {
    let mut world = World::new(&config());
    world.start().trigger(8, SnapshotRequest::CHECKPOINT).locate().acknowledge_all(1);
    let op = world.op(|effect| if let Effect::Publish { op, .. } = effect { Some(*op) } else { None });
    world
        .handle(Event::Published { op, result: Err(Fault::Unknown { message: "fsync failed".to_string() }) });
    let effects = world.take();
    assert_eq!(discarded(&effects), []);
    assert_eq!(notified(&effects), []);
    assert!(matches!(
        effects[..],
        [
            Effect::Resolve { outcome: Err(_), .. },
            Effect::FailJob { reason: FailureReason::OutcomeUnknown, .. }
        ]
    ));
    assert!(world.coordinator.is_done());
    world.at(90_000).start();
    assert_eq!(world.take(), vec![Effect::Ignored(Ignored::Stopped); 2]);
    world.trigger(9, SnapshotRequest::CHECKPOINT);
    assert!(matches!(world.take()[..], [Effect::Resolve { outcome: Err(_), .. }]));
    assert_eq!(world.coordinator.next_deadline(), None);
}

#[test]
fn a_checkpoint_on_its_way_out_is_neither_expired_nor_declined() {
    let mut world = World::new(&config());
    world.start().at(500).locate().acknowledge_all(1);
    let op = world.op(|effect| if let Effect::Publish { op, .. } = effect { Some(*op) } else { None });
    world.at(60_000);
    world.handle(Event::Declined {
        checkpoint: id(1),
        attempt: Attempt::new(3),
        task: TASKS[0],
        reason: FailureReason::CheckpointDeclined,
    });
    assert_eq!(world.aborted(), []);
    world.handle(Event::Published { op, result: Ok(Pointer::new("there")) });
    assert_eq!(notified(&world.take()).len(), 3);
}

#[test]
fn messages_of_another_attempt_do_not_count() {
    let mut world = World::new(&config());
    world.start().at(500).locate().take();
    for task in TASKS {
        let snapshot = TaskSnapshot::default();
        world.handle(Event::Acknowledged {
            checkpoint: id(1),
            attempt: Attempt::new(2),
            task,
            snapshot,
            metrics: SnapshotMetrics::default(),
        });
    }
    assert_eq!(world.take(), vec![Effect::Ignored(Ignored::OtherAttempt); 3]);
    world.acknowledge(1, TASKS[0]).acknowledge(1, TASKS[0]).acknowledge(1, task(5, 5));
    assert_eq!(
        world.take(),
        [Effect::Ignored(Ignored::Duplicate(id(1))), Effect::Ignored(Ignored::UnknownTask(task(5, 5)))]
    );
}

fn locate(world: &mut World) -> OpId {
    world.op(|effect| if let Effect::Locate { op, .. } = effect { Some(*op) } else { None })
}

#[test]
fn a_coordinator_that_was_fenced_when_a_checkpoint_begins_stops() {
    let fault = || Fault::Unknown { message: "another coordinator holds the job".to_string() };
    let mut world = World::new(&config());
    world.start().trigger(8, SnapshotRequest::CHECKPOINT);
    let op = locate(&mut world);
    let mut given_up = world.clone();
    world.handle(Event::Located { op, result: Err(fault()) });
    let fenced = |effects: &[Effect]| {
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::FailJob { reason: FailureReason::OutcomeUnknown, .. }))
    };
    assert!(fenced(&world.take()));
    assert!(world.coordinator.is_done());

    given_up.handle(Event::StopPeriodic).take();
    let mut ended = given_up.clone();
    given_up.handle(Event::Located { op, result: Err(fault()) });
    assert!(fenced(&given_up.take()), "whatever became of the checkpoint meanwhile");
    ended.handle(Event::Failover).handle(Event::Located { op, result: Err(fault()) });
    assert_eq!(
        (ended.take(), ended.coordinator.is_done()),
        (vec![], true),
        "who has ended does nothing more"
    );
}

#[test]
fn what_could_not_be_read_or_written_counts_also_for_hooks_and_coordinators() {
    let message = || "disk full".to_string();
    for (fault, reason) in [
        (Fault::Io { message: message() }, FailureReason::IoException),
        (Fault::Failed { message: message() }, FailureReason::TriggerCheckpointFailure),
    ] {
        let mut plan = plan();
        plan.vertices[0].has_coordinator = true;
        plan.hooks = vec![Name::new("audit").unwrap()];
        for asks_hook in [false, true] {
            let mut world = World::deploying(plan.clone(), &config(), fresh());
            for task in TASKS {
                world.handle(Event::Running { task });
            }
            world.start().at(500).locate();
            let op = world.op(|effect| match effect {
                Effect::SnapshotCoordinator { op, .. } => Some(*op),
                _ => None,
            });
            let result = if asks_hook { Ok(bytes::Bytes::new()) } else { Err(fault.clone()) };
            world.handle(Event::CoordinatorSnapshot { op, result });
            if asks_hook {
                let op = world.op(|effect| match effect {
                    Effect::TriggerHook { op, .. } => Some(*op),
                    _ => None,
                });
                world.handle(Event::HookTriggered { op, result: Err(fault.clone()) });
            }
            assert_eq!(world.aborted(), [(1, reason)]);
            let fails = world.take().iter().any(|effect| matches!(effect, Effect::FailJob { .. }));
            assert_eq!(fails, reason.counts_toward_tolerance(), "{reason:?}");
        }
    }
}

#[test]
fn only_who_takes_part_declines_and_what_became_of_a_commit_is_not_for_a_task_to_say() {
    let decline = |task, reason| {
        let (checkpoint, attempt) = (id(1), Attempt::new(3));
        Event::Declined { checkpoint, attempt, task, reason }
    };
    let mut world = World::new(&config());
    world.handle(Event::EndOfData { task: TASKS[0] }).handle(Event::Finished { task: TASKS[0] });
    world.start().at(500).locate().take();
    for stranger in [TASKS[0], task(5, 5)] {
        world.handle(decline(stranger, FailureReason::CheckpointDeclined));
        assert_eq!(world.take(), [Effect::Ignored(Ignored::UnknownTask(stranger))]);
    }
    world.handle(decline(TASKS[1], FailureReason::OutcomeUnknown));
    assert_eq!(world.aborted(), [(1, FailureReason::CheckpointDeclined)]);
    let mut failed = world.take().into_iter().filter_map(|effect| match effect {
        Effect::FailJob { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(failed.next(), Some(FailureReason::CheckpointDeclined));
}
