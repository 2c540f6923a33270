//! The coordinator stepped by hand: events in, effects out.

mod properties;

use crate::*;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;
use stillframe_config::{CheckpointConfig, ExternalizedCheckpointRetention};
use stillframe_model::*;

/// Two sources and one other task, and a clock that moves when told.
#[derive(Clone)]
struct World {
    coordinator: Coordinator,
    now: Duration,
    /// Effects that nobody looked at yet, without reports.
    effects: Vec<Effect>,
    reports: Vec<Report>,
}

const fn id(number: u64) -> CheckpointId {
    CheckpointId::new(number)
}

const fn task(vertex: u32, subtask: u32) -> TaskId {
    TaskId { vertex: VertexId::new(vertex), subtask }
}

const TASKS: [TaskId; 3] = [task(0, 0), task(0, 1), task(1, 0)];

fn plan() -> JobPlan {
    let vertex = |name: &str, parallelism, is_source| VertexPlan {
        name: Name::new(name).unwrap(),
        parallelism,
        max_parallelism: 128,
        is_source,
    };
    JobPlan {
        job: JobId::from_bytes([7; 16]),
        attempt: Attempt::new(3),
        vertices: vec![vertex("source", 2, true), vertex("sum", 1, false)],
    }
}

/// Every second, timeout of ten.
fn config() -> CheckpointConfig {
    let mut config = CheckpointConfig::default();
    config.set_checkpoint_interval(Duration::from_secs(1)).unwrap();
    config.set_checkpoint_timeout(Duration::from_secs(10)).unwrap();
    config
}

impl World {
    fn new(config: &CheckpointConfig) -> Self {
        Self::restored(config, plan_recovery(&[], &[]))
    }

    fn restored(config: &CheckpointConfig, recovery: Recovery) -> Self {
        let coordinator = Coordinator::new(plan(), &config.resolve().effective, recovery);
        Self { coordinator, now: Duration::ZERO, effects: vec![], reports: vec![] }
    }

    fn handle(&mut self, event: Event) -> &mut Self {
        let now = Now { monotonic: Timestamp::from_origin(self.now), wall: UnixMillis(1_000) };
        for effect in self.coordinator.handle(now, event) {
            match effect {
                Effect::Report(report) => self.reports.push(report),
                effect => self.effects.push(effect),
            }
        }
        self
    }

    fn at(&mut self, millis: u64) -> &mut Self {
        self.now = Duration::from_millis(millis);
        self.handle(Event::Tick)
    }

    fn start(&mut self) -> &mut Self {
        self.handle(Event::StartPeriodic { first_after: Duration::from_millis(500) })
    }

    fn trigger(&mut self, request: u64, snapshot: SnapshotRequest) -> &mut Self {
        self.handle(Event::Trigger { request: RequestId::new(request), snapshot })
    }

    fn take(&mut self) -> Vec<Effect> {
        core::mem::take(&mut self.effects)
    }

    /// The operation of the newest unanswered effect that matches.
    fn op(&mut self, which: impl Fn(&Effect) -> Option<OpId>) -> OpId {
        self.take().iter().rev().find_map(which).expect("the effect was emitted")
    }

    fn locate(&mut self) -> &mut Self {
        let op = self.op(|effect| if let Effect::Locate { op, .. } = effect { Some(*op) } else { None });
        self.handle(Event::Located { op, result: Ok(LocationReference::Default) })
    }

    fn acknowledge(&mut self, checkpoint: u64, task: TaskId) -> &mut Self {
        self.acknowledge_with(checkpoint, task, false)
    }

    fn acknowledge_with(&mut self, checkpoint: u64, task: TaskId, finished: bool) -> &mut Self {
        let snapshot = TaskSnapshot { finished, ..TaskSnapshot::default() };
        self.handle(Event::Acknowledged {
            checkpoint: id(checkpoint),
            attempt: Attempt::new(3),
            task,
            snapshot,
        })
    }

    fn acknowledge_all(&mut self, checkpoint: u64) -> &mut Self {
        for task in TASKS {
            self.acknowledge(checkpoint, task);
        }
        self
    }

    fn publish(&mut self) -> &mut Self {
        let op = self.op(|effect| if let Effect::Publish { op, .. } = effect { Some(*op) } else { None });
        self.handle(Event::Published { op, result: Ok(Pointer::new("there")) })
    }

    fn complete(&mut self, checkpoint: u64) -> &mut Self {
        self.locate().acknowledge_all(checkpoint).publish()
    }

    fn aborted(&self) -> Vec<(u64, FailureReason)> {
        let aborted = self.reports.iter().filter_map(|report| match report {
            Report::Aborted(aborted) => Some((aborted.checkpoint.get(), aborted.reason)),
            Report::Triggered { .. } | Report::Completed(_) | Report::Skipped { .. } => None,
        });
        aborted.collect()
    }
}

fn notified(effects: &[Effect]) -> Vec<(TaskId, u64)> {
    let notified = effects.iter().filter_map(|effect| match effect {
        Effect::NotifyComplete { task, checkpoint } => Some((*task, checkpoint.get())),
        _ => None,
    });
    notified.collect()
}

fn discarded(effects: &[Effect]) -> Vec<u64> {
    let discarded = effects.iter().filter_map(|effect| match effect {
        Effect::Discard { checkpoint, .. } => Some(checkpoint.get()),
        _ => None,
    });
    discarded.collect()
}

#[test]
fn a_checkpoint_is_located_triggered_collected_published_and_only_then_told() {
    let mut world = World::new(&config());
    world.start().at(499);
    assert_eq!(world.take(), []);
    world.at(500);
    let [Effect::Locate { op, .. }] = world.take()[..] else { panic!("a place is made first") };

    world.handle(Event::Located { op, result: Ok(LocationReference::Default) });
    let triggered: Vec<_> = world.take();
    assert!(
        matches!(triggered[..], [Effect::Trigger { task: a, .. }, Effect::Trigger { task: b, .. }] if [a, b] == TASKS[..2]),
        "sources are triggered, nobody else"
    );

    world.acknowledge(1, TASKS[0]).acknowledge(1, TASKS[2]);
    assert_eq!(world.take(), [], "one task is missing");
    world.acknowledge(1, TASKS[1]);
    let effects = world.take();
    let [Effect::Publish { op, ref metadata, .. }] = effects[..] else { panic!("{effects:?}") };
    assert_eq!(metadata.operators.len(), 2);
    assert_eq!(metadata.checkpoint, id(1));

    world.handle(Event::Published { op, result: Ok(Pointer::new("there")) });
    assert_eq!(notified(&world.take()), TASKS.map(|task| (task, 1)));
    assert_eq!(world.coordinator.latest_completed(), Some(id(1)));
}

#[test]
fn the_next_completed_checkpoint_replaces_the_last() {
    let mut world = World::new(&config());
    world.start().at(500).complete(1).at(1_500).complete(2);
    assert_eq!(discarded(&world.take()), [1]);
}

#[test]
fn more_are_retained_when_asked_for() {
    let mut config = config();
    config.set_num_retained_checkpoints(NonZeroU32::new(2).unwrap());
    let mut world = World::restored(&config, plan_recovery(&[id(4), id(5)], &[id(6)]));
    world.start().at(500);
    world.complete(7);
    assert_eq!(
        discarded(&world.take()),
        [4],
        "restored ones count, and the id of the orphan is not used again"
    );
}

#[test]
fn one_at_a_time_unless_more_are_allowed() {
    let mut world = World::new(&config());
    world.start().at(500).locate().take();
    world.at(1_500).at(2_500);
    assert_eq!(world.take(), []);
    world.acknowledge_all(1).publish();
    let begun = world.take();
    let located = begun.iter().filter(|effect| matches!(effect, Effect::Locate { .. }));
    assert_eq!(located.count(), 1, "what became due meanwhile is made up for once");

    let mut config = config();
    config.set_max_concurrent_checkpoints(NonZeroU32::new(2).unwrap());
    let mut world = World::new(&config);
    world.start().at(500).locate().take();
    world.at(1_500);
    assert!(matches!(world.take()[..], [Effect::Locate { .. }]));
}

#[test]
fn the_pause_begins_with_the_completion() {
    let mut config = config();
    config.set_min_pause_between_checkpoints(Duration::from_millis(800));
    let mut world = World::new(&config);
    world.start().at(500);
    world.now = Duration::from_millis(1_400);
    world.complete(1).take();
    world.at(1_500);
    assert_eq!(world.take(), [], "only 100 ms after completion");
    assert!(
        world.reports.contains(&Report::Skipped { reason: FailureReason::MinimumTimeBetweenCheckpoints })
    );
    assert_eq!(world.coordinator.next_deadline(), Some(Timestamp::from_origin(Duration::from_millis(2_200))));
    world.at(2_200);
    assert!(matches!(world.take()[..], [Effect::Locate { .. }]));
}

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
    assert!(world.take().contains(&Effect::Ignored(Ignored::NotPending(id(1)))));
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
fn a_savepoint_that_finds_no_place_does_not_fail_the_job() {
    let mut world = World::new(&config());
    world.start().trigger(1, SnapshotRequest::Savepoint { target: Some("/mistyped".to_string()) });
    let op = world.op(|effect| if let Effect::Locate { op, .. } = effect { Some(*op) } else { None });
    world.handle(Event::Located {
        op,
        result: Err(Fault::Failed { message: "no such directory".to_string() }),
    });
    let effects = world.take();
    assert!(matches!(effects.first(), Some(Effect::Resolve { outcome: Err(_), .. })), "{effects:?}");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::FailJob { .. })), "{effects:?}");

    world.trigger(2, SnapshotRequest::Savepoint { target: None }).locate().handle(Event::Declined {
        checkpoint: id(2),
        attempt: Attempt::new(3),
        task: TASKS[2],
        reason: FailureReason::CheckpointAsyncException,
    });
    let failed = world.take().iter().any(|effect| matches!(effect, Effect::FailJob { .. }));
    assert!(failed, "a task that cannot write its state is a fault of the job");
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
    world.start().trigger(8, SnapshotRequest::Checkpoint).locate().acknowledge_all(1);
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
    world.trigger(9, SnapshotRequest::Checkpoint);
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
        world.handle(Event::Acknowledged { checkpoint: id(1), attempt: Attempt::new(2), task, snapshot });
    }
    assert_eq!(world.take(), vec![Effect::Ignored(Ignored::OtherAttempt); 3]);
    world.acknowledge(1, TASKS[0]).acknowledge(1, TASKS[0]).acknowledge(1, task(5, 5));
    assert_eq!(
        world.take(),
        [Effect::Ignored(Ignored::Duplicate(id(1))), Effect::Ignored(Ignored::UnknownTask(task(5, 5)))]
    );
}

#[test]
fn a_newer_checkpoint_subsumes_an_older_one_in_progress() {
    let mut config = config();
    config.set_max_concurrent_checkpoints(NonZeroU32::new(2).unwrap());
    let mut world = World::new(&config);
    world.start().at(500).locate().at(1_500).locate().acknowledge_all(2).publish();
    assert_eq!(world.aborted(), [(1, FailureReason::CheckpointSubsumed)]);
    let effects = world.take();
    assert_eq!(discarded(&effects), [1]);
    assert_eq!(notified(&effects), TASKS.map(|task| (task, 2)));
    assert!(
        !effects.iter().any(|effect| matches!(effect, Effect::FailJob { .. })),
        "being subsumed is no failure"
    );
}

#[test]
fn two_checkpoints_that_are_ready_are_published_one_after_the_other() {
    let mut config = config();
    config.set_max_concurrent_checkpoints(NonZeroU32::new(2).unwrap());
    let mut world = World::new(&config);
    world.start().at(500).locate().at(1_500).locate().acknowledge_all(1).acknowledge_all(2);
    let published = |effect: &Effect| match effect {
        Effect::Publish { op, metadata, .. } => Some((*op, metadata.checkpoint.get())),
        _ => None,
    };
    let first: Vec<_> = world.take().iter().filter_map(published).collect();
    assert!(matches!(first[..], [(_, 1)]));
    world.handle(Event::Published { op: first[0].0, result: Ok(Pointer::new("1")) });
    let second: Vec<_> = world.take().iter().filter_map(published).collect();
    assert!(matches!(second[..], [(_, 2)]));
}

#[test]
fn a_savepoint_commits_nothing_and_belongs_to_its_owner() {
    let mut world = World::new(&config());
    world.start().at(500).complete(1).take();
    let target = Some("elsewhere".to_string());
    world.trigger(42, SnapshotRequest::Savepoint { target }).complete(2);
    let effects = world.take();
    let outcome = Ok(Outcome { checkpoint: id(2), pointer: Pointer::new("there") });
    assert_eq!(effects, [Effect::Resolve { request: RequestId::new(42), outcome }]);
    assert_eq!(world.coordinator.latest_completed(), Some(id(1)));
}

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
    world.trigger(7, SnapshotRequest::Checkpoint);
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
fn a_checkpoint_that_a_task_captured_before_its_end_does_not_close_the_job() {
    let mut world = World::new(&config());
    world.start().at(500).locate();
    world
        .acknowledge_with(1, TASKS[0], true)
        .acknowledge_with(1, TASKS[1], false)
        .acknowledge_with(1, TASKS[2], true);
    world.publish();
    assert!(!world.take().iter().any(|effect| matches!(effect, Effect::Close { .. })));
}

#[test]
fn the_end_is_on_record_before_checkpoints_go() {
    let mut world = World::new(&config());
    world.start().at(500).complete(1).take();
    world.handle(Event::End { status: JobStatus::Finished });
    let [Effect::Conclude { op, status: JobStatus::Finished }] = world.take()[..] else {
        panic!("on record first")
    };
    let mut unlucky = world.clone();
    world.handle(Event::Concluded { op, result: Ok(()) });
    let effects = world.take();
    assert_eq!(discarded(&effects), [1]);
    assert!(!world.coordinator.is_done());
    let [Effect::Discard { op: removal, .. }] = effects[..] else { panic!("{effects:?}") };
    world.handle(Event::Discarded { op: removal });
    assert!(world.coordinator.is_done());

    unlucky.handle(Event::Concluded { op, result: Err(Fault::Failed { message: "disk full".to_string() }) });
    assert_eq!(discarded(&unlucky.take()), [], "without the record they are what a restart needs");
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
        assert_eq!(discarded(&world.take()).is_empty(), stays, "{retention:?} {status}");
    }
}

#[test]
fn a_publication_under_way_is_waited_for_at_the_end() {
    let mut world = World::new(&config());
    world.start().at(500).locate().acknowledge_all(1);
    let op = world.op(|effect| if let Effect::Publish { op, .. } = effect { Some(*op) } else { None });
    world.trigger(3, SnapshotRequest::Checkpoint);
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
