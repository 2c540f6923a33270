//! A real coordinator in any history: the statistics say what counting everything again says.

use super::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use stillframe_config::{CheckpointConfig, GraphDescription, RecoveryClaimMode};
use stillframe_coordinator::statistics::{CheckpointOutcome, Counts, Figures, SubtaskCheckpointStatistics};
use stillframe_coordinator::{Coordinator, Fault, SnapshotRequest, plan_recovery};

/// What the world may do. Numbers pick among what there is.
#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Ask(SnapshotRequest),
    /// By a task of the job, or of none, of this attempt or the one before.
    Acknowledge {
        checkpoint: u64,
        task: usize,
        size: u64,
        is_stale: bool,
    },
    Decline {
        checkpoint: u64,
        task: usize,
    },
    Running(usize),
    EndOfData(usize),
    Finished(usize),
    Answer {
        which: usize,
        how: u8,
    },
    Failover,
    End,
}

fn step() -> impl Strategy<Value = Step> {
    let stop = SnapshotRequest::Stop { target: None, format: SavepointFormat::Native, drain: true };
    let snapshot = prop_oneof![
        5 => Just(SnapshotRequest::CHECKPOINT),
        3 => Just(SnapshotRequest::savepoint(None)),
        1 => Just(stop),
    ];
    prop_oneof![
        6 => (1_u64..1_500).prop_map(Step::Pass),
        2 => snapshot.prop_map(Step::Ask),
        24 => (1_u64..10, 0_usize..4, 0_u64..100, (0_u8..20).prop_map(|drawn| drawn == 0)).prop_map(
            |(checkpoint, task, size, is_stale)| Step::Acknowledge { checkpoint, task, size, is_stale }
        ),
        1 => (1_u64..10, 0_usize..4).prop_map(|(checkpoint, task)| Step::Decline { checkpoint, task }),
        2 => (0_usize..4).prop_map(Step::Running),
        1 => (0_usize..4).prop_map(Step::EndOfData),
        1 => (0_usize..4).prop_map(Step::Finished),
        14 => (0_usize..4, 0_u8..40).prop_map(|(which, how)| Step::Answer { which, how }),
        1 => prop_oneof![12 => Just(Step::Pass(1)), 1 => Just(Step::Failover), 1 => Just(Step::End)],
    ]
}

const TASKS: [TaskId; 4] = [task(0, 0), task(0, 1), task(1, 0), task(7, 7)];

/// Everything that was said, to be counted again from the beginning.
#[derive(Default)]
struct Transcript(Vec<(Now, Event, Vec<Effect>)>);

impl Transcript {
    fn reports(&self) -> impl Iterator<Item = (Now, &Report)> {
        let all =
            self.0.iter().flat_map(|(now, _, effects)| effects.iter().map(move |effect| (*now, effect)));
        all.filter_map(|(now, effect)| match effect {
            Effect::Report(report) => Some((now, report)),
            _ => None,
        })
    }

    fn number(&self, is_meant: impl Fn(&Report) -> bool) -> u64 {
        self.reports().filter(|(_, report)| is_meant(report)).count() as u64
    }

    fn triggered(&self) -> BTreeMap<u64, (Now, Vec<TaskId>)> {
        let triggered = self.reports().filter_map(|(now, report)| match report {
            Report::Triggered { checkpoint, finished, .. } => {
                Some((checkpoint.get(), (now, finished.clone())))
            }
            _ => None,
        });
        triggered.collect()
    }

    /// When a checkpoint ended, and whether it completed.
    fn end(&self, number: u64) -> Option<(Now, bool)> {
        self.reports().find_map(|(now, report)| match report {
            Report::Completed(completed) if completed.checkpoint.get() == number => Some((now, true)),
            Report::Aborted(aborted) if aborted.checkpoint.get() == number => Some((now, false)),
            _ => None,
        })
    }

    fn counts(&self) -> Counts {
        let refused = self.number(|report| matches!(report, Report::Refused { .. }));
        let triggered = self.triggered();
        let ends: Vec<_> = triggered.keys().filter_map(|&number| self.end(number)).collect();
        let completed = ends.iter().filter(|(_, is_complete)| *is_complete).count();
        Counts {
            restored: 0,
            total: triggered.len() as u64 + refused,
            in_progress: (triggered.len() - ends.len()) as u64,
            completed: completed as u64,
            failed: (ends.len() - completed) as u64 + refused,
        }
    }

    /// Why what did not begin did not: what a person was denied and was never triggered, and what was merely due.
    fn refused(&self) -> BTreeMap<FailureReason, u64> {
        let begun: BTreeSet<_> = self
            .reports()
            .filter_map(|(_, report)| match report {
                Report::Triggered { request, .. } => *request,
                _ => None,
            })
            .collect();
        let mut refused = BTreeMap::new();
        for effect in self.0.iter().flat_map(|(_, _, effects)| effects) {
            let reason = match effect {
                Effect::Resolve { request, outcome: Err(denied) } if !begun.contains(request) => {
                    denied.reason
                }
                Effect::Report(Report::Skipped { reason } | Report::Refused { request: None, reason }) => {
                    *reason
                }
                _ => continue,
            };
            *refused.entry(reason).or_default() += 1;
        }
        refused
    }

    /// What the details of a checkpoint must add up to: the first report of each task, whether it came in time or behind
    /// the failure of the checkpoint.
    fn figures(&self, number: u64) -> Option<Figures> {
        let (triggered, finished) = self.triggered().remove(&number)?;
        let mut reported: BTreeSet<TaskId> = finished.iter().copied().collect();
        let mut acknowledged = finished.len() as u64;
        let mut latest = (!finished.is_empty()).then_some(triggered);
        let (mut size, mut written) = (0, 0);
        let mut is_over = None;
        for (now, event, effects) in &self.0 {
            let has_ended = effects.iter().find_map(|effect| match effect {
                Effect::Report(Report::Completed(completed)) if completed.checkpoint.get() == number => {
                    Some(true)
                }
                Effect::Report(Report::Aborted(aborted)) if aborted.checkpoint.get() == number => Some(false),
                _ => None,
            });
            if let Event::Acknowledged { checkpoint, attempt, task, snapshot, .. } = event
                && checkpoint.get() == number
                && *attempt == ATTEMPT
                && TASKS[..3].contains(task)
                && now.monotonic >= triggered.monotonic
                && is_over != Some(true)
                && self.has_begun_before(number, event)
                && !(is_over.is_none() && effects.iter().any(|effect| matches!(effect, Effect::Ignored(_))))
                && reported.insert(*task)
            {
                size += snapshot.size();
                written += snapshot.written_size();
                if is_over.is_none() {
                    acknowledged += 1;
                    latest = Some(*now);
                }
            }
            is_over = is_over.or(has_ended);
        }
        let millis =
            |now: Now| Duration::from_millis(now.monotonic.since(triggered.monotonic).as_millis() as u64);
        let failed = self.end(number).filter(|(_, is_complete)| !is_complete).map(|(now, _)| now);
        Some(Figures {
            latest_ack_timestamp: latest.map(|now| now.wall),
            checkpointed_size: written,
            state_size: size,
            end_to_end_duration: failed.or(latest).map(millis),
            processed_data: 0,
            persisted_data: 0,
            num_subtasks: 3,
            num_acknowledged_subtasks: acknowledged,
        })
    }

    /// Whether the checkpoint had begun when this very event came.
    fn has_begun_before(&self, number: u64, event: &Event) -> bool {
        let before = self.0.iter().take_while(|(_, other, _)| !std::ptr::eq(other, event));
        before.flat_map(|(_, _, effects)| effects).any(|effect| {
            matches!(effect, Effect::Report(Report::Triggered { checkpoint, .. }) if checkpoint.get() == number)
        })
    }
}

/// The coordinator, whoever observes it, and what was not answered yet.
struct World {
    coordinator: Coordinator,
    remembering: Statistics,
    forgetful: Statistics,
    transcript: Transcript,
    now: Duration,
    open: Vec<Effect>,
    requests: u64,
}

const FORGETFUL: usize = 2;

impl World {
    fn new(config: &CheckpointConfig) -> Self {
        let plan = plan(&[2, 1], ATTEMPT);
        let recovery =
            plan_recovery(vec![], BTreeSet::new(), CheckpointId::FIRST, RecoveryClaimMode::NoClaim);
        let effective = config.resolve(&GraphDescription::default()).expect("a good config").effective;
        Self {
            remembering: Statistics::new(&plan, 1_000),
            forgetful: Statistics::new(&plan, FORGETFUL),
            coordinator: Coordinator::new(plan, &effective, recovery),
            transcript: Transcript::default(),
            now: Duration::ZERO,
            open: Vec::new(),
            requests: 0,
        }
    }

    fn feed(&mut self, event: Event) {
        let millis = self.now.as_millis() as u64;
        let now = Now { monotonic: Timestamp::from_origin(self.now), wall: UnixMillis(millis) };
        self.remembering.before(&event);
        self.forgetful.before(&event);
        let effects = self.coordinator.handle(now, event.clone());
        self.remembering.after(now, &effects);
        self.forgetful.after(now, &effects);
        let asks = |effect: &&Effect| {
            matches!(
                effect,
                Effect::Locate { .. }
                    | Effect::Publish { .. }
                    | Effect::Discard { .. }
                    | Effect::Remove { .. }
                    | Effect::Conclude { .. }
            )
        };
        self.open.extend(effects.iter().filter(asks).cloned());
        self.transcript.0.push((now, event, effects));
        let counts = self.remembering.counts();
        assert_eq!(counts.total, counts.in_progress + counts.completed + counts.failed, "{counts:?}");
        assert_eq!(counts, self.forgetful.counts(), "what is remembered does not change what is counted");
    }

    fn take(&mut self, step: Step) {
        let task = |index: usize| TASKS[index % TASKS.len()];
        let event = match step {
            Step::Pass(millis) => {
                self.now += Duration::from_millis(millis);
                Event::Tick
            }
            Step::Ask(snapshot) => {
                self.requests += 1;
                Event::Trigger { request: RequestId::new(self.requests), snapshot }
            }
            Step::Acknowledge { checkpoint, task: index, size, is_stale } => {
                let snapshot = TaskSnapshot { operator: vec![operator(size)], ..TaskSnapshot::default() };
                let metrics = SnapshotMetrics::default();
                let attempt = if is_stale { Attempt::new(2) } else { ATTEMPT };
                Event::Acknowledged {
                    checkpoint: id(checkpoint),
                    attempt,
                    task: task(index),
                    snapshot,
                    metrics,
                }
            }
            Step::Decline { checkpoint, task: index } => Event::Declined {
                checkpoint: id(checkpoint),
                attempt: ATTEMPT,
                task: task(index),
                reason: FailureReason::CheckpointDeclined,
            },
            Step::Running(index) => Event::Running { task: task(index) },
            Step::EndOfData(index) => Event::EndOfData { task: task(index) },
            Step::Finished(index) => Event::Finished { task: task(index) },
            Step::Answer { which, how } => match self.answer(which, how) {
                Some(event) => event,
                None => return,
            },
            Step::Failover => Event::Failover,
            Step::End => Event::End { status: JobStatus::Finished },
        };
        self.feed(event);
    }

    fn answer(&mut self, which: usize, how: u8) -> Option<Event> {
        let index = which.checked_rem(self.open.len())?;
        let message = "broken".to_owned();
        let fault = match how {
            0 | 1 => Some(Fault::Failed { message }),
            2 => Some(Fault::Unknown { message }),
            _ => None,
        };
        Some(match self.open.remove(index) {
            Effect::Locate { op, .. } => {
                Event::Located { op, result: fault.map_or(Ok(LocationReference::Default), Err) }
            }
            Effect::Publish { op, .. } => {
                Event::Published { op, result: fault.map_or(Ok(Pointer::new("there")), Err) }
            }
            Effect::Discard { op, .. } | Effect::Remove { op, .. } => Event::Discarded { op },
            Effect::Conclude { op, .. } => Event::Concluded { op, result: fault.map_or(Ok(()), Err) },
            other => unreachable!("{other:?} asks for no answer"),
        })
    }

    /// Compares what the statistics say with what the transcript says.
    fn check(&self) {
        let transcript = &self.transcript;
        assert_eq!(self.remembering.counts(), transcript.counts());
        assert_eq!(*self.remembering.refused(), transcript.refused());
        let triggered: Vec<u64> = transcript.triggered().into_keys().collect();
        let snapshot = self.remembering.snapshot();
        let history = |statistics: &Statistics| -> Vec<u64> {
            statistics.snapshot().history.iter().map(|checkpoint| checkpoint.id.get()).collect()
        };
        let newest_first: Vec<u64> = triggered.iter().rev().copied().collect();
        assert_eq!(history(&self.remembering), newest_first);
        assert_eq!(history(&self.forgetful), newest_first[..newest_first.len().min(FORGETFUL)]);
        let mut sizes = Vec::new();
        for number in triggered {
            let details = self.remembering.details(id(number)).expect("all are remembered");
            assert_eq!(Some(details.figures), transcript.figures(number), "checkpoint {number}");
            let of_tasks = |figure: fn(&Figures) -> u64| -> u64 {
                details.tasks.iter().map(|task| figure(&task.figures)).sum()
            };
            assert_eq!(of_tasks(|figures| figures.state_size), details.figures.state_size);
            assert_eq!(
                of_tasks(|figures| figures.num_acknowledged_subtasks),
                details.figures.num_acknowledged_subtasks
            );
            if let CheckpointOutcome::Completed { .. } = details.outcome {
                assert_eq!(details.figures.num_acknowledged_subtasks, 3, "it is complete");
                sizes.push(details.figures.state_size);
            }
        }
        let said = transcript.reports().filter_map(|(_, report)| match report {
            Report::Completed(completed) => Some(completed.state_size),
            _ => None,
        });
        let (mut said, mut ours) = (said.collect::<Vec<_>>(), sizes.clone());
        said.sort_unstable();
        ours.sort_unstable();
        assert_eq!(said, ours, "the coordinator adds up the same");
        let summary = snapshot.summary.state_size;
        assert_eq!(summary.max, sizes.iter().copied().max().unwrap_or(0));
        assert_eq!(summary.min, sizes.iter().copied().min().unwrap_or(0));
        let mean = sizes.iter().sum::<u64>().checked_div(sizes.len() as u64).unwrap_or(0);
        assert_eq!(summary.avg, mean);
    }
}

fn operator(size: u64) -> OperatorHandle {
    OperatorHandle {
        name: name("list"),
        redistribution: Redistribution::Split,
        elements: 1,
        handle: StateHandle::Inline(vec![0; size as usize].into()),
    }
}

fn run(concurrent: u32, steps: Vec<Step>) -> World {
    let mut config = CheckpointConfig::default();
    config
        .set_max_concurrent_checkpoints(NonZeroU32::new(concurrent).expect("at least one"))
        .set_tolerable_checkpoint_failure_number(CheckpointConfig::UNLIMITED_TOLERABLE_FAILURE_NUMBER);
    config.set_checkpoint_interval(Duration::from_secs(1)).expect("long enough");
    let mut world = World::new(&config);
    // Sometimes not all tasks run at first, so that checkpoints are refused.
    let late = steps.len() % 3;
    TASKS[..3 - late].iter().for_each(|&task| world.feed(Event::Running { task }));
    world.feed(Event::StartPeriodic { first_after: Duration::from_millis(100) });
    for step in steps {
        world.take(step);
    }
    world
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 0..120)
}

/// What a history without it would say nothing about.
#[test]
fn every_end_and_every_kind_of_report_is_drawn() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..300 {
        let drawn = steps().new_tree(&mut runner).expect("steps are drawn").current();
        let world = run(2, drawn);
        seen.extend(world.transcript.reports().map(|(_, report)| match report {
            Report::Triggered { finished, .. } if !finished.is_empty() => "finished",
            Report::Completed(completed) if completed.kind.is_savepoint() => "savepoint",
            Report::Completed(_) => "completed",
            Report::Aborted(_) => "failed",
            Report::Subsumed { .. } => "subsumed",
            Report::Refused { .. } => "refused",
            _ => "other",
        }));
        for checkpoint in world.remembering.snapshot().history {
            let vertex = world.remembering.subtasks(checkpoint.id, "vertex-0").expect("all are remembered");
            seen.extend(vertex.subtasks.iter().map(|subtask| match subtask {
                SubtaskCheckpointStatistics::Completed(figures) if figures.is_aborted => "late",
                SubtaskCheckpointStatistics::Completed(_) => "acknowledged",
                SubtaskCheckpointStatistics::Pending { .. } => "pending",
            }));
        }
    }
    for expected in [
        "finished",
        "savepoint",
        "completed",
        "failed",
        "subsumed",
        "refused",
        "late",
        "acknowledged",
        "pending",
    ] {
        assert!(seen.contains(expected), "{expected} is in no history: {seen:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_statistics_say_what_counting_again_says(
        concurrent in 1_u32..4,
        steps in steps(),
    ) {
        run(concurrent, steps).check();
    }
}
