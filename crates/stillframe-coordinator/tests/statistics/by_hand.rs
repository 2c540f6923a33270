//! What the recordings cannot say: what is refused, what is ours, and where we differ from Flink.

use super::*;
use stillframe_coordinator::statistics::{
    CheckpointOutcome, CheckpointStatistics, Counts, SubtaskCheckpointStatistics,
};
use stillframe_coordinator::{Ignored, Refused};

const CHECKPOINT: CheckpointKind = CheckpointKind::Checkpoint;
const SAVEPOINT: CheckpointKind = CheckpointKind::SAVEPOINT;

/// A job of two sources and one other task that remembers ten checkpoints, the first of them in progress.
fn begun() -> Observed {
    let mut job = Observed::new(&[2, 1], 10);
    job.at(1_000).trigger(1, CHECKPOINT, vec![]);
    job
}

fn details(job: &Observed, number: u64) -> CheckpointStatistics {
    job.statistics.details(id(number)).expect("it is remembered")
}

/// How many have acknowledged, and the bytes of all of their state.
fn acknowledged(job: &Observed, number: u64) -> (u64, u64) {
    let figures = details(job, number).figures;
    (figures.num_acknowledged_subtasks, figures.state_size)
}

fn ids(statistics: &[CheckpointStatistics]) -> Vec<u64> {
    statistics.iter().map(|checkpoint| checkpoint.id.get()).collect()
}

#[test]
fn only_the_first_acknowledgement_of_a_task_of_the_right_attempt_counts() {
    let mut job = begun();
    job.acknowledge(1, task(0, 1), 10);
    assert_eq!(acknowledged(&job, 1), (1, 10));
    job.acknowledge(1, task(0, 1), 5);
    assert_eq!(acknowledged(&job, 1), (1, 10), "it acknowledged before");
    job.acknowledge(1, task(1, 1), 5).acknowledge(1, task(2, 0), 5);
    assert_eq!(acknowledged(&job, 1), (1, 10), "there are no such tasks");
    job.acknowledge(2, task(0, 0), 5);
    assert_eq!(acknowledged(&job, 1), (1, 10), "there is no such checkpoint");
    let Event::Acknowledged { checkpoint, task, snapshot, metrics, .. } =
        Observed::acknowledged(1, task(0, 0), snapshot(5, 5), SnapshotMetrics::default())
    else {
        unreachable!("it is an acknowledgement")
    };
    let stale = Event::Acknowledged { checkpoint, attempt: Attempt::new(2), task, snapshot, metrics };
    job.event(&stale, &[]);
    assert_eq!(acknowledged(&job, 1), (1, 10), "it is from another attempt");
    job.acknowledge(1, self::task(0, 0), 5);
    assert_eq!(acknowledged(&job, 1), (2, 15));
}

#[test]
fn what_the_coordinator_does_not_take_does_not_count() {
    let mut job = begun();
    let event = Observed::acknowledged(1, task(0, 0), snapshot(5, 5), SnapshotMetrics::default());
    job.event(&event, &[Effect::Ignored(Ignored::Stopped)]);
    assert_eq!(acknowledged(&job, 1), (0, 0), "it has stopped");
    let refused = Observed::aborted(1, Some(task(0, 0)), "its files are gone");
    job.event(&event, &[Effect::Report(Report::Aborted(refused))]);
    assert_eq!(acknowledged(&job, 1), (0, 0), "its state is of no use");

    let mut job = begun();
    let torn = Observed::aborted(1, None, "union state");
    job.event(&event, &[Effect::Report(Report::Aborted(torn))]);
    assert_eq!(acknowledged(&job, 1), (1, 5), "it was taken, and the checkpoint failed for another reason");
}

#[test]
fn a_report_that_comes_too_late_shows_what_it_would_have_cost() {
    let mut job = begun();
    job.acknowledge(1, task(0, 0), 10).at(1_500).fail(1, "no more");
    job.at(2_000).acknowledge(1, task(0, 1), 7).acknowledge(1, task(0, 0), 7);
    assert_eq!(acknowledged(&job, 1), (1, 17));
    assert_eq!(details(&job, 1).figures.end_to_end_duration, Some(Duration::from_millis(500)));
    let subtasks = job.statistics.subtasks(id(1), "vertex-0").expect("there is such a vertex").subtasks;
    let aborted = subtasks.iter().map(|subtask| match subtask {
        SubtaskCheckpointStatistics::Completed(figures) => Some((figures.is_aborted, figures.state_size)),
        SubtaskCheckpointStatistics::Pending { .. } => None,
    });
    assert_eq!(aborted.collect::<Vec<_>>(), [Some((false, 10)), Some((true, 7))]);
    let others = job.statistics.subtasks(id(1), "vertex-1").expect("there is such a vertex").subtasks;
    assert_eq!(others, [SubtaskCheckpointStatistics::Pending { index: 0 }]);
    assert_eq!(job.statistics.subtasks(id(1), "vertex-2"), None);
}

#[test]
fn a_checkpoint_that_is_complete_takes_no_more_reports() {
    let mut job = begun();
    job.trigger(2, CHECKPOINT, vec![task(0, 0), task(0, 1)]).acknowledge(2, task(1, 0), 5);
    job.complete(2, CHECKPOINT).acknowledge(2, task(1, 0), 5);
    assert_eq!(acknowledged(&job, 2), (3, 5));
    job.complete(1, CHECKPOINT).acknowledge(1, task(0, 0), 5);
    assert_eq!(acknowledged(&job, 1), (0, 0), "nor if somebody says that it is complete without them");
}

#[test]
fn every_refusal_counts_as_one_that_failed() {
    let mut job = begun();
    let reason = FailureReason::NotAllRequiredTasksRunning;
    let request = RequestId::new(1);
    let resolved = Effect::Resolve { request, outcome: Err(Refused { reason, cause: None }) };
    job.event(&Event::Tick, &[Effect::Report(Report::Refused { request: Some(request), reason }), resolved]);
    job.report(Report::Skipped { reason: FailureReason::MinimumTimeBetweenCheckpoints });
    let expected = Counts { restored: 0, total: 2, in_progress: 1, completed: 0, failed: 1 };
    assert_eq!(job.statistics.counts(), expected);
    assert_eq!(job.statistics.snapshot().latest.failed, None, "nobody knows its id");
}

#[test]
fn what_did_not_begin_is_counted_once_by_its_reason_whoever_asked_for_it() {
    use FailureReason::{
        CheckpointExpired, MinimumTimeBetweenCheckpoints, NotAllRequiredTasksRunning,
        TooManyCheckpointRequests,
    };
    let mut job = begun();
    let refused = |request, reason| Effect::Resolve {
        request: RequestId::new(request),
        outcome: Err(Refused { reason, cause: None }),
    };
    let reason = NotAllRequiredTasksRunning;
    job.report(Report::Refused { request: None, reason });
    let report = Effect::Report(Report::Refused { request: Some(RequestId::new(1)), reason });
    job.event(&Event::Tick, &[report, refused(1, reason)]);
    job.report(Report::Skipped { reason: MinimumTimeBetweenCheckpoints });
    job.event(&Event::Tick, &[refused(2, TooManyCheckpointRequests)]);
    let (checkpoint, finished) = (id(2), vec![]);
    job.report(Report::Triggered {
        checkpoint,
        kind: CHECKPOINT,
        request: Some(RequestId::new(3)),
        finished,
    });
    job.fail(2, "late").event(&Event::Tick, &[refused(3, CheckpointExpired)]);
    let expected =
        [(TooManyCheckpointRequests, 1), (MinimumTimeBetweenCheckpoints, 1), (NotAllRequiredTasksRunning, 2)];
    assert_eq!(*job.statistics.refused(), expected.into(), "what began and failed is no refusal");
    let expected = Counts { restored: 0, total: 4, in_progress: 1, completed: 0, failed: 3 };
    assert_eq!(job.statistics.counts(), expected, "as Flink counts");
}

#[test]
fn what_ended_or_never_began_does_not_end_again() {
    let mut job = begun();
    job.fail(7, "never began")
        .complete(7, CHECKPOINT)
        .fail(1, "ended")
        .fail(1, "again")
        .complete(1, CHECKPOINT);
    let expected = Counts { restored: 0, total: 1, in_progress: 0, completed: 0, failed: 1 };
    assert_eq!(job.statistics.counts(), expected);
    job.trigger(1, CHECKPOINT, vec![]);
    assert_eq!(job.statistics.counts(), expected, "ids only grow");
}

/// Flink would show the savepoint as the latest checkpoint, because it is too old to be the latest savepoint.
#[test]
fn a_savepoint_is_never_the_latest_checkpoint() {
    let mut job = begun();
    job.trigger(2, SAVEPOINT, vec![]).trigger(3, SAVEPOINT, vec![]);
    job.complete(1, CHECKPOINT).complete(3, SAVEPOINT).complete(2, SAVEPOINT);
    let latest = job.statistics.snapshot().latest;
    assert_eq!(latest.completed.map(|checkpoint| checkpoint.id), Some(id(1)));
    assert_eq!(latest.savepoint.map(|savepoint| savepoint.id), Some(id(3)));
    let last = job.statistics.gauges().last_completed.map(|last| last.id);
    assert_eq!(last, Some(id(2)), "the gauges are about what completed last");
}

#[test]
fn what_is_too_old_is_forgotten_but_for_the_newest_of_each_kind() {
    let mut job = Observed::new(&[1], 2);
    for number in 1..=6 {
        job.trigger(number, if number == 2 { SAVEPOINT } else { CHECKPOINT }, vec![]);
        match number {
            1 | 3 => job.fail(number, "no"),
            4 => &mut job,
            _ => job.complete(number, if number == 2 { SAVEPOINT } else { CHECKPOINT }),
        };
    }
    assert_eq!(ids(&job.statistics.snapshot().history), [6, 5]);
    let remembered = (1..=6).filter(|&number| job.statistics.details(id(number)).is_some());
    assert_eq!(remembered.collect::<Vec<_>>(), [2, 3, 5, 6], "4 is in progress and too old to be shown");
    job.complete(4, CHECKPOINT);
    assert_eq!(job.statistics.counts().completed, 4, "and counts all the same");
}

#[test]
fn without_a_history_the_newest_of_each_kind_are_still_there() {
    let mut job = Observed::new(&[1], 0);
    job.trigger(1, CHECKPOINT, vec![]).trigger(2, CHECKPOINT, vec![]);
    job.acknowledge(1, task(0, 0), 9).complete(1, CHECKPOINT).fail(2, "no");
    let snapshot = job.statistics.snapshot();
    assert_eq!(snapshot.history, []);
    assert_eq!(snapshot.summary.state_size.max, 9);
    assert_eq!(snapshot.latest.completed.map(|checkpoint| checkpoint.figures.state_size), Some(9));
    assert!(snapshot.latest.failed.is_some());
}

#[test]
fn a_checkpoint_is_discarded_when_it_is_replaced_and_when_the_end_of_the_job_removes_it() {
    let is_discarded = |job: &Observed, number| match details(job, number).outcome {
        CheckpointOutcome::Completed { discarded, .. } => discarded,
        other => panic!("{other:?}"),
    };
    let mut job = begun();
    job.complete(1, CHECKPOINT).trigger(2, CHECKPOINT, vec![]).complete(2, CHECKPOINT);
    job.report(Report::Subsumed { checkpoint: id(1) });
    assert_eq!((is_discarded(&job, 1), is_discarded(&job, 2)), (true, false));
    let remove = Effect::Remove { op: OpId::new(1), checkpoint: id(2), shared: vec![] };
    job.event(&Event::Tick, &[remove]);
    assert!(is_discarded(&job, 2));
}

#[test]
fn durations_survive_a_wall_clock_that_is_set() {
    let mut job = begun();
    job.now.wall = UnixMillis(0);
    job.now.monotonic = job.now.monotonic.after(Duration::from_micros(250_900));
    job.acknowledge(1, task(0, 0), 1);
    let figures = details(&job, 1).figures;
    assert_eq!(figures.end_to_end_duration, Some(Duration::from_millis(250)), "in whole milliseconds");
    assert_eq!(figures.latest_ack_timestamp, Some(UnixMillis(1_250)));
}

#[test]
fn the_costs_of_a_subtask_are_shown_in_whole_milliseconds() {
    let metrics = SnapshotMetrics {
        start_delay: Duration::from_micros(1_999),
        alignment: Duration::from_micros(2_999),
        sync: Duration::from_micros(3_999),
        asynchronous: Duration::MAX,
        processed_during_alignment: 5,
        persisted_during_alignment: 6,
        is_unaligned: true,
    };
    let mut job = begun();
    job.at(1_100).event(&Observed::acknowledged(1, task(1, 0), snapshot(3, 8), metrics), &[]);
    let vertex = job.statistics.subtasks(id(1), "vertex-1").expect("there is such a vertex");
    let [SubtaskCheckpointStatistics::Completed(subtask)] = vertex.subtasks[..] else {
        panic!("it has reported: {vertex:?}")
    };
    let millis = Duration::from_millis;
    assert_eq!((subtask.start_delay, subtask.alignment, subtask.sync), (millis(1), millis(2), millis(3)));
    assert_eq!(subtask.asynchronous, millis(u32::MAX.into()), "no more fits");
    assert_eq!((subtask.processed, subtask.persisted), (5, 6));
    assert_eq!((subtask.checkpointed_size, subtask.state_size), (3, 8));
    assert_eq!((subtask.ack_timestamp, subtask.end_to_end_duration), (UnixMillis(1_100), millis(100)));
    assert!(subtask.is_unaligned && !subtask.is_aborted);
    assert!(details(&job, 1).is_unaligned);
}

#[test]
fn another_attempt_goes_on_counting() {
    let mut job = begun();
    job.trigger(2, CHECKPOINT, vec![]).complete(1, CHECKPOINT);
    let next = Attempt::new(4);
    let (number, nothing) = (2, SnapshotMetrics::default());
    job.statistics.before(&Observed::acknowledged(number, task(0, 0), snapshot(5, 5), nothing));
    job.statistics.begin_attempt(job.now, &plan(&[4], next));
    job.statistics.after(job.now, &[]);
    assert_eq!(acknowledged(&job, number), (0, 0), "nobody handled it");
    job.statistics.restored(job.now, id(1), CHECKPOINT, Pointer::new("there/1"));
    let expected = Counts { restored: 1, total: 2, in_progress: 0, completed: 1, failed: 1 };
    assert_eq!(job.statistics.counts(), expected, "what was in progress has failed");
    assert_eq!(job.statistics.gauges().last_restore_timestamp, Some(UnixMillis(1_000)));
    job.trigger(3, CHECKPOINT, vec![]).acknowledge(3, task(0, 3), 5);
    assert_eq!(acknowledged(&job, 3), (0, 0), "it is from the attempt before");
    assert_eq!((details(&job, 3).figures.num_subtasks, details(&job, 1).figures.num_subtasks), (4, 3));
}

#[test]
fn nothing_is_absent_and_not_nothing() {
    let job = Observed::new(&[1], 10);
    let gauges = job.statistics.gauges();
    assert_eq!((gauges.last_completed, gauges.last_restore_timestamp), (None, None));
    let summary = job.statistics.snapshot().summary;
    assert_eq!((summary.state_size.avg, summary.state_size.quantiles), (0, None));
    let mut job = begun();
    assert_eq!(details(&job, 1).figures.end_to_end_duration, None);
    job.complete(1, CHECKPOINT);
    let durations = job.statistics.snapshot().summary.end_to_end_duration;
    assert_eq!(durations.quantiles, None, "nobody has acknowledged, so there is no duration");
}
