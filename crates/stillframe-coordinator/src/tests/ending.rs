//! How a job comes to its end, and what then becomes of its checkpoints.

use super::*;

#[test]
fn at_the_end_of_data_one_more_checkpoint_lets_everybody_commit_and_close() {
    let mut config = config();
    config.disable_checkpointing();
    let mut world = World::new(&config);
    world.start();
    for task in TASKS {
        assert_eq!(world.take(), []);
        world.handle(Event::EndOfData { task });
    }
    world.locate();
    for task in TASKS {
        world.acknowledge_with(1, task, true);
    }
    world.publish();
    let effects = world.take();
    assert_eq!(notified(&effects).len(), 3);
    let closed = effects.iter().filter(|effect| matches!(effect, Effect::Close { .. })).count();
    assert_eq!(closed, 3);
    assert_eq!(world.coordinator.next_deadline(), None, "nobody waits for another one");
}

#[test]
fn the_last_checkpoint_is_tried_again_but_not_in_a_hot_loop() {
    let mut config = config();
    config.disable_checkpointing().set_tolerable_checkpoint_failure_number(u32::MAX);
    let mut world = World::new(&config);
    for task in TASKS {
        world.handle(Event::EndOfData { task });
    }
    let op = world.op(|effect| if let Effect::Locate { op, .. } = effect { Some(*op) } else { None });
    world.handle(Event::Located { op, result: Err(Fault::Failed { message: "no space".to_string() }) });
    assert!(!world.take().iter().any(|effect| matches!(effect, Effect::Locate { .. })));
    assert_eq!(world.coordinator.next_deadline(), Some(Timestamp::from_origin(Duration::from_secs(1))));
    world.at(1_000);
    assert!(matches!(world.take()[..], [Effect::Locate { .. }]));
}

#[test]
fn a_retry_of_the_last_checkpoint_survives_a_late_start() {
    let mut config = config();
    config.disable_checkpointing().set_tolerable_checkpoint_failure_number(u32::MAX);
    let mut world = World::new(&config);
    for task in TASKS {
        world.handle(Event::EndOfData { task });
    }
    let op = world.op(|effect| if let Effect::Locate { op, .. } = effect { Some(*op) } else { None });
    world.handle(Event::Located { op, result: Err(Fault::Failed { message: "no space".to_string() }) });
    world.start().at(1_000);
    assert!(world.take().iter().any(|effect| matches!(effect, Effect::Locate { .. })));
}

#[test]
fn nothing_is_begun_after_the_checkpoint_that_closes_the_job() {
    let mut world = World::new(&config());
    world.start().at(500).locate();
    for task in TASKS {
        world.handle(Event::EndOfData { task });
    }
    world.trigger(7, SnapshotRequest::CHECKPOINT);
    for task in TASKS {
        world.acknowledge_with(1, task, true);
    }
    world.publish().at(1_500);
    let effects = world.take();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Close { .. })));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Resolve { outcome: Err(_), .. })));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Locate { .. })), "{effects:?}");
}

#[test]
fn only_who_had_nothing_left_to_do_ends_behind_a_checkpoint() {
    let mut world = World::new(&config());
    world.start().at(500).locate().handle(Event::EndOfData { task: TASKS[0] });
    world
        .acknowledge_with(1, TASKS[0], true)
        .acknowledge_with(1, TASKS[1], false)
        .acknowledge_with(1, TASKS[2], false);
    world.publish();
    let effects = world.take();
    let closed: Vec<_> = effects.iter().filter(|effect| matches!(effect, Effect::Close { .. })).collect();
    assert_eq!(closed, [&Effect::Close { task: TASKS[0] }]);
}

#[test]
fn the_end_is_on_record_before_checkpoints_go() {
    let mut world = World::new(&config());
    world.start().at(500).complete(1).take();
    world.handle(Event::End { status: JobStatus::Finished });
    let [Effect::Conclude { op, status: JobStatus::Finished, ref dropped }] = world.take()[..] else {
        panic!("on record first")
    };
    assert_eq!(dropped, &[id(1)]);
    let mut unlucky = world.clone();
    world.handle(Event::Concluded { op, result: Ok(()) });
    let effects = world.take();
    assert_eq!(removed(&effects), [1]);
    assert!(!world.coordinator.is_done());
    let [Effect::Remove { op: removal, .. }] = effects[..] else { panic!("{effects:?}") };
    world.handle(Event::Discarded { op: removal });
    assert!(world.coordinator.is_done());

    unlucky.handle(Event::Concluded { op, result: Err(Fault::Failed { message: "disk full".to_string() }) });
    assert_eq!(removed(&unlucky.take()), [], "without the record they are what a restart needs");
    assert!(unlucky.coordinator.is_done());
}

#[test]
fn what_stays_depends_on_how_the_job_ends() {
    for (retention, status, stays) in [
        (ExternalizedCheckpointRetention::RetainOnCancellation, JobStatus::Canceled, true),
        (ExternalizedCheckpointRetention::DeleteOnCancellation, JobStatus::Canceled, false),
        (ExternalizedCheckpointRetention::DeleteOnCancellation, JobStatus::Failed, true),
        (ExternalizedCheckpointRetention::NoExternalizedCheckpoints, JobStatus::Failed, false),
    ] {
        let mut config = config();
        config.set_externalized_checkpoint_retention(retention);
        let mut world = World::new(&config);
        world.start().at(500).complete(1).take();
        world.handle(Event::End { status });
        let op = world.op(|effect| if let Effect::Conclude { op, .. } = effect { Some(*op) } else { None });
        world.handle(Event::Concluded { op, result: Ok(()) });
        assert_eq!(removed(&world.take()).is_empty(), stays, "{retention:?} {status}");
    }
}

#[test]
fn a_publication_under_way_is_waited_for_at_the_end() {
    let mut world = World::new(&config());
    world.start().at(500).locate().acknowledge_all(1);
    let op = world.op(|effect| if let Effect::Publish { op, .. } = effect { Some(*op) } else { None });
    world.trigger(3, SnapshotRequest::CHECKPOINT);
    world.handle(Event::Failover);
    assert!(!world.coordinator.is_done());
    assert!(matches!(
        world.take()[..],
        [Effect::Resolve { outcome: Err(Refused { reason: FailureReason::JobFailoverRegion, .. }), .. }]
    ));
    world.handle(Event::Published { op, result: Ok(Pointer::new("there")) });
    assert_eq!(notified(&world.take()), [], "the tasks are gone; their successors are restored from it");
    assert!(world.coordinator.is_done());
    assert_eq!(world.coordinator.latest_completed(), Some(id(1)));
}

#[test]
fn a_task_that_was_told_to_end_and_does_not_holds_up_checkpoints_for_one_timeout() {
    let mut config = config();
    config.disable_checkpointing();
    let mut world = World::new(&config);
    world.trigger(1, SnapshotRequest::CHECKPOINT).locate().handle(Event::EndOfData { task: TASKS[0] });
    world.now = Duration::from_secs(5);
    world.acknowledge_with(1, TASKS[0], true).acknowledge(1, TASKS[1]).acknowledge(1, TASKS[2]).publish();
    assert!(world.take().contains(&Effect::Close { task: TASKS[0] }));
    assert_eq!(world.coordinator.next_deadline(), None, "nobody is held up");

    world.trigger(2, SnapshotRequest::CHECKPOINT);
    assert_eq!(world.take(), []);
    assert_eq!(world.coordinator.next_deadline(), Some(Timestamp::from_origin(Duration::from_secs(15))));
    world.at(15_000);
    assert!(matches!(world.effects[..], [Effect::Locate { .. }]), "{:?}", world.effects);
    world.locate().acknowledge(2, TASKS[1]).acknowledge(2, TASKS[2]).take();
    let status =
        world.coordinator.status(Now { monotonic: Timestamp::from_origin(world.now), ..Now::default() });
    let Stage::Tasks { missing, .. } = &status[0].stage else { panic!("{status:?}") };
    assert_eq!(missing.iter().map(|straggler| straggler.task).collect::<Vec<_>>(), [TASKS[0]]);

    let mut late = world.clone();
    world.at(25_000);
    assert_eq!(world.aborted(), [(2, FailureReason::CheckpointExpired)]);
    assert!(world.take().iter().any(|effect| matches!(effect, Effect::FailJob { .. })), "and it counts");
    late.handle(Event::Finished { task: TASKS[0] });
    assert_eq!(late.aborted(), [(2, FailureReason::CheckpointDeclinedTaskClosing)]);
}

/// In at-least-once mode a task may have finished, as far as its state is concerned, before one that it gets records from.
#[test]
fn a_task_that_an_earlier_attempt_had_finished_ends_when_its_own_input_does() {
    let mut world = World::restored(&config(), retaining(&[4], 5));
    world.start().at(500).locate();
    world
        .acknowledge_with(5, TASKS[0], false)
        .acknowledge_with(5, TASKS[1], true)
        .acknowledge_with(5, TASKS[2], true);
    world.publish();
    let closed = |effects: &[Effect]| -> Vec<TaskId> {
        let closed = effects.iter().filter_map(|effect| match effect {
            Effect::Close { task } => Some(*task),
            _ => None,
        });
        closed.collect()
    };
    assert_eq!(closed(&world.take()), [], "a source still emits");
    for task in TASKS {
        world.handle(Event::EndOfData { task });
    }
    world.locate();
    for task in TASKS {
        world.acknowledge_with(6, task, true);
    }
    world.publish();
    assert_eq!(closed(&world.take()), TASKS);
}

fn committed(world: &World) -> Vec<u64> {
    let committed = world.reports.iter().filter_map(|report| match report {
        Report::Committed { checkpoint } => Some(checkpoint.get()),
        _ => None,
    });
    committed.collect()
}

#[test]
fn who_ended_behind_an_earlier_checkpoint_is_not_waited_for_to_commit() {
    let mut config = config();
    config.set_max_concurrent_checkpoints(NonZeroU32::new(2).unwrap());
    let commit = |checkpoint, task| {
        let (checkpoint, attempt) = (id(checkpoint), Attempt::new(3));
        Event::Committed { checkpoint, attempt, task }
    };
    for after_tasks_finish in [true, false] {
        config.set_checkpoints_after_tasks_finish(after_tasks_finish);
        let mut world = World::new(&config);
        world.start().at(500).locate().at(1_500).locate();
        if after_tasks_finish {
            world.handle(Event::EndOfData { task: TASKS[0] });
        }
        for checkpoint in [1, 2] {
            world.acknowledge_with(checkpoint, TASKS[0], true);
            world.acknowledge(checkpoint, TASKS[1]).acknowledge(checkpoint, TASKS[2]);
        }
        world.publish();
        if !after_tasks_finish {
            // It ends without having let out what belongs to the second.
            world.handle(Event::EndOfData { task: TASKS[0] });
        }
        world.publish();
        for (task, checkpoint) in [(TASKS[0], 1), (TASKS[1], 2), (TASKS[2], 2)] {
            world.handle(commit(checkpoint, task));
        }
        let expected: &[u64] = if after_tasks_finish { &[1, 2] } else { &[1] };
        assert_eq!(committed(&world), expected, "{after_tasks_finish}");
    }
}

#[test]
fn where_everybody_has_ended_a_checkpoint_is_committed_at_once() {
    let mut config = config();
    config.set_max_concurrent_checkpoints(NonZeroU32::new(2).unwrap());
    let mut world = World::new(&config);
    world.start().at(500).locate().at(1_500).locate();
    for task in TASKS {
        world.handle(Event::EndOfData { task });
        world.acknowledge_with(1, task, true).acknowledge_with(2, task, true);
    }
    world.publish().publish();
    assert_eq!(committed(&world), [2], "and the first when they say so");
}

fn at_the_end(config: &CheckpointConfig) -> World {
    let mut config = config.clone();
    config.set_tolerable_checkpoint_failure_number(u32::MAX);
    let mut world = World::new(&config);
    world.start();
    for task in TASKS {
        world.handle(Event::EndOfData { task });
    }
    world
}

#[test]
fn the_last_checkpoint_is_tried_again_when_no_periodic_one_comes_during_a_backlog() {
    let mut config = config();
    config.set_checkpoint_interval_during_backlog(Duration::ZERO).unwrap();
    let mut world = World::new(config.set_tolerable_checkpoint_failure_number(u32::MAX));
    world
        .handle(Event::Backlog { source: VertexId::new(0), is_processing: true })
        .start()
        .at(500)
        .complete(1);
    for task in TASKS {
        world.handle(Event::EndOfData { task });
    }
    let op = world.op(|effect| if let Effect::Locate { op, .. } = effect { Some(*op) } else { None });
    world.handle(Event::Located { op, result: Err(Fault::Failed { message: "no space".to_string() }) });
    assert_eq!(world.coordinator.next_deadline(), Some(Timestamp::from_origin(Duration::from_millis(1_500))));
    world.at(1_500);
    assert!(world.take().iter().any(|effect| matches!(effect, Effect::Locate { .. })));
}

#[test]
fn a_last_checkpoint_that_never_gets_its_turn_is_planned_again_and_no_other_one_behind_it() {
    let mut config = config();
    config.enable_unaligned_checkpoints().set_min_pause_between_checkpoints(Duration::from_secs(1));
    let mut world = World::new(&config);
    world.start().at(500).complete(1).trigger(1, SnapshotRequest::savepoint(None)).locate();
    for task in TASKS {
        world.handle(Event::EndOfData { task });
    }
    world.now = Duration::from_millis(600);
    world.take();
    world.handle(Event::StopPeriodic);
    world.at(1_000).take();
    assert_eq!(world.coordinator.next_deadline(), Some(Timestamp::from_origin(Duration::from_millis(1_600))));
    world
        .at(1_400)
        .trigger(2, SnapshotRequest::savepoint(None))
        .locate()
        .acknowledge_all(3)
        .publish()
        .at(1_600);
    assert!(
        world.take().iter().any(|effect| matches!(effect, Effect::Locate { .. })),
        "the pause is not for what tasks wait for"
    );
    assert_eq!(
        world.coordinator.next_deadline(),
        Some(Timestamp::from_origin(Duration::from_millis(11_600))),
        "periodic checkpoints have not begun again"
    );
}

#[test]
fn the_last_checkpoint_is_not_tried_again_while_another_one_will_come() {
    let mut world = at_the_end(&config());
    let op = world.op(|effect| if let Effect::Locate { op, .. } = effect { Some(*op) } else { None });
    world.handle(Event::Located { op, result: Err(Fault::Failed { message: "no space".to_string() }) });
    assert_eq!(world.coordinator.next_deadline(), Some(Timestamp::from_origin(Duration::from_millis(500))));
}
