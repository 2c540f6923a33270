//! The coordinator stepped by hand: events in, effects out.

mod compared;
mod ending;
mod failing;
mod files;
mod metadata;
mod properties;
mod restoring;
mod sharing;
mod stopping;
mod totality;
mod transcripts;

use crate::*;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;
use stillframe_config::{
    CheckpointConfig, ExternalizedCheckpointRetention, GraphDescription, RecoveryClaimMode,
};
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
    let vertex = |name: &str, parallelism, inputs| VertexPlan {
        name: Name::new(name).unwrap(),
        parallelism,
        max_parallelism: 128,
        inputs,
        has_coordinator: false,
    };
    let input = Input { from: VertexId::new(0), pattern: DistributionPattern::AllToAll };
    JobPlan {
        job: JobId::from_bytes([7; 16]),
        attempt: Attempt::new(3),
        vertices: vec![vertex("source", 2, vec![]), vertex("sum", 1, vec![input])],
        hooks: vec![],
    }
}

/// A job without a past.
fn fresh() -> Recovery {
    retaining(&[], 1)
}

/// A job that goes on with these checkpoints, which share nothing.
fn retaining(checkpoints: &[u64], next: u64) -> Recovery {
    let found = checkpoints.iter().map(|&number| RetainedState::owned(id(number), [])).collect();
    plan_recovery(found, BTreeSet::new(), id(next), RecoveryClaimMode::NoClaim)
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
        Self::restored(config, fresh())
    }

    fn restored(config: &CheckpointConfig, recovery: Recovery) -> Self {
        let mut world = Self::deploying(plan(), config, recovery);
        for task in TASKS {
            world.handle(Event::Running { task });
        }
        world
    }

    /// No task runs yet.
    fn deploying(plan: JobPlan, config: &CheckpointConfig, recovery: Recovery) -> Self {
        let effective = config.resolve(&GraphDescription::default()).unwrap().effective;
        let coordinator = Coordinator::new(plan, &effective, recovery);
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
        self.acknowledge_as(checkpoint, task, TaskSnapshot { finished, ..TaskSnapshot::default() })
    }

    fn acknowledge_as(&mut self, checkpoint: u64, task: TaskId, snapshot: TaskSnapshot) -> &mut Self {
        let (checkpoint, attempt) = (id(checkpoint), Attempt::new(3));
        let metrics = SnapshotMetrics::default();
        self.handle(Event::Acknowledged { checkpoint, attempt, task, snapshot, metrics })
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
            _ => None,
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

fn removed(effects: &[Effect]) -> Vec<u64> {
    let removed = effects.iter().filter_map(|effect| match effect {
        Effect::Remove { checkpoint, .. } => Some(checkpoint.get()),
        _ => None,
    });
    removed.collect()
}

/// What the newest publication among them drops.
fn dropped(effects: &[Effect]) -> Vec<u64> {
    let dropped = effects.iter().rev().find_map(|effect| match effect {
        Effect::Publish { dropped, .. } => Some(dropped.iter().map(|checkpoint| checkpoint.get()).collect()),
        _ => None,
    });
    dropped.expect("something is published")
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
    world.start().at(500).complete(1).at(1_500).locate().acknowledge_all(2);
    let effects = world.effects.clone();
    assert_eq!(dropped(&effects), [1], "in one step with the publication");
    assert_eq!(removed(&effects), [], "and removed behind it");
    world.publish();
    assert_eq!(removed(&world.take()), [1]);
}

#[test]
fn more_are_retained_when_asked_for() {
    let mut config = config();
    config.set_num_retained_checkpoints(NonZeroU32::new(2).unwrap());
    let mut world = World::restored(&config, retaining(&[4, 5], 7));
    world.start().at(500);
    world.complete(7);
    assert_eq!(removed(&world.take()), [4], "restored ones count");
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
fn a_savepoint_that_finds_no_place_does_not_fail_the_job() {
    let mut world = World::new(&config());
    world.start().trigger(1, SnapshotRequest::savepoint(Some("/mistyped".to_string())));
    let op = world.op(|effect| if let Effect::Locate { op, .. } = effect { Some(*op) } else { None });
    world.handle(Event::Located {
        op,
        result: Err(Fault::Failed { message: "no such directory".to_string() }),
    });
    let effects = world.take();
    assert!(matches!(effects.first(), Some(Effect::Resolve { outcome: Err(_), .. })), "{effects:?}");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::FailJob { .. })), "{effects:?}");

    world.trigger(2, SnapshotRequest::savepoint(None)).locate().handle(Event::Declined {
        checkpoint: id(2),
        attempt: Attempt::new(3),
        task: TASKS[2],
        reason: FailureReason::CheckpointAsyncException,
    });
    let failed = world.take().iter().any(|effect| matches!(effect, Effect::FailJob { .. }));
    assert!(failed, "a task that cannot write its state is a fault of the job");
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
fn a_savepoint_that_is_slow_to_publish_holds_up_no_checkpoint() {
    let mut config = config();
    config.set_max_concurrent_checkpoints(NonZeroU32::new(2).unwrap());
    let published = |effects: Vec<Effect>| -> Vec<u64> {
        let published = effects.iter().filter_map(|effect| match effect {
            Effect::Publish { metadata, .. } => Some(metadata.checkpoint.get()),
            _ => None,
        });
        published.collect()
    };
    let mut world = World::new(&config);
    world.start().trigger(42, SnapshotRequest::savepoint(None)).locate().acknowledge_all(1);
    assert_eq!(published(world.take()), [1]);
    world.at(500).locate().acknowledge_all(2);
    assert_eq!(published(world.take()), [2]);
    world.trigger(43, SnapshotRequest::savepoint(None)).locate().acknowledge_all(3);
    assert_eq!(published(world.take()), [3]);
}

#[test]
fn a_savepoint_commits_nothing_and_belongs_to_its_owner() {
    let mut world = World::new(&config());
    world.start().at(500).complete(1).take();
    let target = Some("elsewhere".to_string());
    world.trigger(42, SnapshotRequest::savepoint(target)).complete(2);
    let effects = world.take();
    let outcome = Ok(Outcome { checkpoint: id(2), pointer: Pointer::new("there") });
    assert_eq!(effects, [Effect::Resolve { request: RequestId::new(42), outcome }]);
    assert_eq!(world.coordinator.latest_completed(), Some(id(1)));
}

#[test]
fn a_request_for_which_the_queue_has_no_room_is_refused_and_counted() {
    let mut world = World::new(&config());
    let mut statistics = statistics::Statistics::new(&plan(), 10);
    // One is in progress.
    for request in 0..=1_001 {
        let snapshot = SnapshotRequest::CHECKPOINT;
        world.trigger(request, snapshot);
        let effects: Vec<_> =
            world.reports.drain(..).map(Effect::Report).chain(world.effects.drain(..)).collect();
        statistics.after(Now::default(), &effects);
    }
    assert_eq!(*statistics.refused(), [(FailureReason::TooManyCheckpointRequests, 1)].into());
    assert_eq!(statistics.counts().failed, 0, "Flink does not count it");
}

#[test]
fn a_second_start_gives_nothing_up() {
    let mut world = World::new(&config());
    world
        .start()
        .trigger(1, SnapshotRequest::CHECKPOINT)
        .locate()
        .trigger(2, SnapshotRequest::CHECKPOINT)
        .take();
    world.start();
    assert_eq!((world.take(), world.aborted()), (vec![], vec![]));
    world.acknowledge_all(1);
    assert!(matches!(world.effects[..], [Effect::Publish { .. }]));
    world.publish();
    let begun = world.take();
    assert!(begun.iter().any(|effect| matches!(effect, Effect::Locate { .. })), "the second still waited");
}
