//! Any events in any order: the coordinator never panics, and what it says is consistent.

use super::*;
use alloc::collections::BTreeMap;
use proptest::prelude::*;

/// What the world may do. Numbers pick among what exists at that moment.
#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Checkpoint,
    Savepoint,
    Acknowledge { checkpoint: u64, task: usize, finished: bool },
    Decline { checkpoint: u64, task: usize },
    EndOfData(usize),
    Answer { which: usize, how: u8 },
    Failover,
    End,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u64..2_500).prop_map(Step::Pass),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Savepoint),
        12 => (1_u64..8, 0_usize..4, any::<bool>())
            .prop_map(|(checkpoint, task, finished)| Step::Acknowledge { checkpoint, task, finished }),
        1 => (1_u64..8, 0_usize..4).prop_map(|(checkpoint, task)| Step::Decline { checkpoint, task }),
        1 => (0_usize..4).prop_map(Step::EndOfData),
        8 => (0_usize..4, 0_u8..12).prop_map(|(which, how)| Step::Answer { which, how }),
        1 => prop_oneof![9 => Just(Step::Pass(1)), 1 => Just(Step::Failover), 1 => Just(Step::End)],
    ]
}

/// What a careful observer has written down.
#[derive(Default)]
struct Observer {
    open: Vec<Effect>,
    triggered: Vec<u64>,
    over: BTreeSet<u64>,
    acknowledged: BTreeMap<u64, BTreeSet<TaskId>>,
    durable: BTreeSet<u64>,
    completed: Vec<u64>,
    requests: BTreeSet<u64>,
    resolved: BTreeSet<u64>,
    /// What is on record as retained.
    retained: BTreeSet<u64>,
    removed: BTreeSet<u64>,
    fenced: bool,
    ended: bool,
}

impl Observer {
    fn see(&mut self, effect: Effect) {
        let passive =
            matches!(effect, Effect::Ignored(Ignored::Stopped) | Effect::Resolve { outcome: Err(_), .. });
        assert!(!self.fenced || passive, "a fenced coordinator acted: {effect:?}");
        match effect {
            Effect::Report(Report::Triggered { checkpoint, .. }) => {
                assert!(!self.ended, "nothing begins after the end");
                assert!(self.triggered.last().is_none_or(|last| *last < checkpoint.get()), "ids only grow");
                self.triggered.push(checkpoint.get());
            }
            Effect::Report(Report::Completed(completed)) => {
                let number = completed.checkpoint.get();
                assert!(self.durable.contains(&number), "{number} was reported before it was durable");
                assert!(self.over.insert(number), "{number} ended twice");
                if completed.kind == CheckpointKind::Checkpoint {
                    assert!(
                        self.completed.last().is_none_or(|last| *last < number),
                        "completed ids only grow"
                    );
                    self.completed.push(number);
                    assert!(
                        self.retained.len() <= 1,
                        "more are retained than asked for: {:?}",
                        self.retained
                    );
                }
            }
            Effect::Report(Report::Aborted(aborted)) => {
                let number = aborted.checkpoint.get();
                assert!(!self.durable.contains(&number), "{number} exists and was aborted");
                assert!(self.over.insert(number), "{number} ended twice");
            }
            Effect::Publish { ref metadata, .. } => {
                let number = metadata.checkpoint.get();
                assert_eq!(
                    self.acknowledged.get(&number).map(BTreeSet::len),
                    Some(3),
                    "{number} was published too early"
                );
                self.open.push(effect);
            }
            Effect::NotifyComplete { checkpoint, .. } => {
                assert_eq!(self.completed.last(), Some(&checkpoint.get()))
            }
            Effect::Resolve { request, .. } => {
                assert!(self.resolved.insert(request.get()), "{request} resolved twice")
            }
            Effect::Discard { checkpoint, .. } => {
                let number = checkpoint.get();
                assert!(self.over.contains(&number), "{number} was discarded while in progress");
                assert!(!self.durable.contains(&number), "{number} exists and was discarded");
                assert!(self.removed.insert(number), "{number} was discarded twice");
                self.open.push(effect);
            }
            Effect::Remove { checkpoint, .. } => {
                let number = checkpoint.get();
                assert!(self.durable.contains(&number), "{number} never existed and was removed");
                assert!(
                    !self.retained.contains(&number),
                    "{number} was removed before its drop was on record"
                );
                assert!(self.removed.insert(number), "{number} was removed twice");
                self.open.push(effect);
            }
            Effect::FailJob { reason: FailureReason::OutcomeUnknown, .. } => self.fenced = true,
            Effect::Locate { .. } | Effect::Conclude { .. } => self.open.push(effect),
            Effect::Report(_)
            | Effect::Trigger { .. }
            | Effect::SnapshotCoordinator { .. }
            | Effect::TriggerHook { .. }
            | Effect::NotifySubsumed { .. }
            | Effect::NotifyCoordinatorComplete { .. }
            | Effect::NotifyCoordinatorAborted { .. }
            | Effect::NotifyAborted { .. }
            | Effect::Close { .. }
            | Effect::FailJob { .. }
            | Effect::Ignored(_) => {}
        }
    }

    fn answer(&mut self, which: usize, how: u8) -> Option<Event> {
        let index = which.checked_rem(self.open.len())?;
        let fault = match how {
            0 => Some(Fault::Failed { message: "failed".to_string() }),
            1 => Some(Fault::Unknown { message: "unknown".to_string() }),
            _ => None,
        };
        Some(match self.open.remove(index) {
            Effect::Locate { op, .. } => {
                Event::Located { op, result: fault.map_or(Ok(LocationReference::Default), Err) }
            }
            Effect::Publish { op, metadata, dropped, .. } => {
                if fault.is_none() {
                    self.durable.insert(metadata.checkpoint.get());
                    if metadata.kind.is_savepoint() {
                        assert_eq!(dropped, [], "a savepoint replaces nothing");
                    } else {
                        self.retained.insert(metadata.checkpoint.get());
                        self.drop_all(&dropped);
                    }
                }
                Event::Published { op, result: fault.map_or(Ok(Pointer::new("there")), Err) }
            }
            Effect::Discard { op, .. } | Effect::Remove { op, .. } => Event::Discarded { op },
            Effect::Conclude { op, dropped, .. } => {
                if fault.is_none() {
                    self.drop_all(&dropped);
                }
                Event::Concluded { op, result: fault.map_or(Ok(()), Err) }
            }
            other => unreachable!("{other:?} asks for no answer"),
        })
    }
}

impl Observer {
    fn drop_all(&mut self, dropped: &[CheckpointId]) {
        for checkpoint in dropped {
            assert!(self.retained.remove(&checkpoint.get()), "{checkpoint} was dropped and is not retained");
        }
    }
}

const STRANGER: TaskId = task(9, 9);

fn run(config: &CheckpointConfig, steps: Vec<Step>) {
    let mut coordinator =
        Coordinator::new(plan(), &config.resolve(&GraphDescription::default()).unwrap().effective, fresh());
    let mut observer = Observer::default();
    let mut now = Duration::ZERO;
    let mut next_request = 0;
    let task = |index: usize| TASKS.get(index).copied().unwrap_or(STRANGER);
    let first = Event::StartPeriodic { first_after: Duration::from_millis(100) };
    let feed = |coordinator: &mut Coordinator, observer: &mut Observer, now: Duration, event: Event| {
        let now = Now { monotonic: Timestamp::from_origin(now), wall: UnixMillis(0) };
        coordinator.handle(now, event).into_iter().for_each(|effect| observer.see(effect));
    };
    feed(&mut coordinator, &mut observer, now, first);
    for step in steps {
        let event = match step {
            Step::Pass(millis) => {
                now += Duration::from_millis(millis);
                Event::Tick
            }
            Step::Checkpoint | Step::Savepoint => {
                next_request += 1;
                observer.requests.insert(next_request);
                let snapshot = match step {
                    Step::Savepoint => SnapshotRequest::savepoint(None),
                    _ => SnapshotRequest::CHECKPOINT,
                };
                Event::Trigger { request: RequestId::new(next_request), snapshot }
            }
            Step::Acknowledge { checkpoint, task: index, finished } => {
                // Tasks acknowledge only what was triggered; the rest is a stray message from the past.
                let attempt = if observer.triggered.contains(&checkpoint) { 3 } else { 2 };
                if attempt == 3 && index < 3 {
                    observer.acknowledged.entry(checkpoint).or_default().insert(task(index));
                }
                let snapshot = TaskSnapshot { finished, ..TaskSnapshot::default() };
                Event::Acknowledged {
                    checkpoint: id(checkpoint),
                    attempt: Attempt::new(attempt),
                    task: task(index),
                    snapshot,
                    metrics: SnapshotMetrics::default(),
                }
            }
            Step::Decline { checkpoint, task: index } => Event::Declined {
                checkpoint: id(checkpoint),
                attempt: Attempt::new(3),
                task: task(index),
                reason: FailureReason::CheckpointDeclined,
            },
            Step::EndOfData(index) => Event::EndOfData { task: task(index) },
            Step::Answer { which, how } => match observer.answer(which, how) {
                Some(event) => event,
                None => continue,
            },
            Step::Failover => Event::Failover,
            Step::End => Event::End { status: JobStatus::Finished },
        };
        observer.ended |= matches!(event, Event::End { .. } | Event::Failover);
        feed(&mut coordinator, &mut observer, now, event);
    }
    if observer.fenced {
        assert_eq!(
            observer.requests, observer.resolved,
            "every request is resolved when the coordinator stops"
        );
        return;
    }
    // The end: everything in flight is answered, every request resolved, every checkpoint over.
    observer.ended = true;
    feed(&mut coordinator, &mut observer, now, Event::End { status: JobStatus::Canceled });
    while let Some(event) = observer.answer(0, 9) {
        feed(&mut coordinator, &mut observer, now, event);
    }
    assert!(coordinator.is_done());
    assert_eq!(observer.requests, observer.resolved);
    assert_eq!(observer.triggered.into_iter().collect::<BTreeSet<_>>(), observer.over);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_is_consistent(
        concurrent in 1_u32..4,
        tolerable in prop_oneof![Just(0_u32), Just(3), Just(u32::MAX)],
        pause in 0_u64..3_000,
        steps in proptest::collection::vec(step(), 0..80),
    ) {
        let mut config = config();
        config
            .set_max_concurrent_checkpoints(NonZeroU32::new(concurrent).expect("at least one"))
            .set_min_pause_between_checkpoints(Duration::from_millis(pause))
            .set_tolerable_checkpoint_failure_number(tolerable);
        run(&config, steps);
    }
}
