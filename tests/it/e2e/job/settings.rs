//! Every setting changes what a job does. Times are those of a clock that stands still unless nobody has anything to do.

use super::brake::{settle, unanswered};
use super::rig::{Rig, checkpoint, files, memory, on_request};
use super::steered::Steering;
use super::watch::{Events, Seen};
use std::num::NonZeroU32;
use std::sync::Arc;
use stillframe::model::{FailureReason, StorageDescriptor};
use stillframe::prelude::*;
use stillframe::runtime::JobReport;
use tokio::time::{Instant, advance};

fn every(interval: Duration) -> CheckpointConfig {
    let mut config = CheckpointConfig::default();
    config.set_checkpoint_interval(interval).expect("it is long enough");
    config
}

const MILLISECOND: Duration = Duration::from_millis(1);

/// Whether two moments are as far apart as they should be; timers are a millisecond late at most.
fn apart(earlier: Instant, later: Instant, expected: Duration) -> bool {
    let found = later.duration_since(earlier);
    (expected.saturating_sub(MILLISECOND)..=expected + MILLISECOND).contains(&found)
}

#[tokio::test(start_paused = true)]
async fn the_interval_is_from_one_trigger_to_the_next() {
    for interval in [Duration::from_millis(100), Duration::from_secs(3)] {
        let rig = Rig::new(30);
        rig.allow(10);
        let (job, mut events) = rig.job(&every(interval), memory());
        let handle = job.start();
        let begin = Instant::now();
        let (mut last, _) = events.triggered().await;
        assert!(last.duration_since(begin) <= interval + MILLISECOND, "the first comes within an interval");
        for _ in 0..6 {
            let (next, _) = events.triggered().await;
            assert!(apart(last, next, interval), "{:?} instead of {interval:?}", next.duration_since(last));
            last = next;
        }
        rig.open();
        handle.wait().await.expect("nothing fails");
        events.assert_undisturbed();
        rig.assert_exact();
    }
}

#[tokio::test(start_paused = true)]
async fn the_interval_is_longer_while_any_subtask_has_a_backlog() {
    let rig = Rig::new(30);
    rig.allow(10);
    let (interval, during_backlog) = (Duration::from_millis(100), Duration::from_secs(5));
    let mut config = every(interval);
    config.set_checkpoint_interval_during_backlog(during_backlog).expect("it is long enough");
    let (job, mut events) = rig.job(&config, memory());
    rig.left.lag(2);
    let handle = job.start();
    // The first may be due before anybody has read.
    events.triggered().await;
    let (second, _) = events.triggered().await;
    let (third, _) = events.triggered().await;
    assert!(apart(second, third, during_backlog), "{:?}", third.duration_since(second));
    rig.left.lag(1);
    let (fourth, _) = events.triggered().await;
    assert!(apart(third, fourth, during_backlog), "one subtask has still to catch up");
    rig.left.lag(0);
    let (fifth, _) = events.triggered().await;
    assert!(fifth.duration_since(fourth) <= interval + 2 * MILLISECOND, "its end brings the next one nearer");
    let (sixth, _) = events.triggered().await;
    assert!(apart(fifth, sixth, interval));
    rig.open();
    handle.wait().await.expect("nothing fails");
    events.assert_undisturbed();
    rig.assert_exact();
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_that_takes_too_long_is_given_up() {
    let (rig, steering) = (Rig::new(30), Arc::<Steering>::default());
    rig.allow(10);
    let mut config = on_request();
    config.set_checkpoint_timeout(Duration::from_secs(10)).expect("it is long enough");
    config.set_tolerable_checkpoint_failure_number(1);
    let (job, mut events) = rig.job(&config, steering.around(memory()));
    let handle = job.start();
    rig.processed(10).await;
    let hold = steering.finishing.hold();
    let mut request = Box::pin(handle.trigger_checkpoint());
    unanswered(&mut request, steering.finishing.stopped.reach(8)).await;
    advance(Duration::from_secs(9)).await;
    settle().await;
    assert_eq!(events.count(|seen| matches!(seen, Seen::Aborted(_))), 0, "that was too early");
    advance(Duration::from_secs(2)).await;
    let (_, aborted) = events.aborted().await;
    assert_eq!(aborted.reason, FailureReason::CheckpointExpired);
    let refused = request.await.expect_err("it is given up");
    assert!(refused.to_string().contains("not complete within the timeout"), "{refused}");

    drop(hold);
    assert_eq!(checkpoint(&handle).await, CheckpointId::new(2), "late acknowledgements are of no use");
    rig.open();
    let report = handle.wait().await.expect("one failure is tolerated");
    assert_eq!((report.attempts, report.aborted), (1, 1));
    events.assert_undisturbed();
    rig.assert_exact();
}

#[tokio::test(start_paused = true)]
async fn a_pause_follows_every_completed_checkpoint() {
    let (rig, steering) = (Rig::new(30), Arc::<Steering>::default());
    rig.allow(10);
    let mut config = every(Duration::from_secs(10));
    config.set_min_pause_between_checkpoints(Duration::from_secs(8));
    let (job, mut events) = rig.job(&config, steering.around(memory()));
    let handle = job.start();
    let hold = steering.publishing.hold();
    let (triggered, _) = events.triggered().await;
    steering.publishing.stopped.reach(1).await;
    // Nobody is idle while the publication is held, so the clock moves by hand only.
    advance(Duration::from_secs(5)).await;
    drop(hold);
    let (completed, _) = events.completed().await;
    assert!(apart(triggered, completed, Duration::from_secs(5)));
    let (_, reason) =
        events.next(|seen| if let Seen::Skipped(reason) = seen { Some(*reason) } else { None }).await;
    assert_eq!(reason, FailureReason::MinimumTimeBetweenCheckpoints);
    let (next, _) = events.triggered().await;
    assert!(apart(completed, next, Duration::from_secs(8)), "{:?}", next.duration_since(completed));
    rig.open();
    handle.wait().await.expect("nothing fails");
    events.assert_undisturbed();
    rig.assert_exact();
}

/// Holds all publications through many intervals; says how many checkpoints have begun.
async fn begun_at_once(max_concurrent: u32) -> usize {
    let (rig, steering) = (Rig::new(30), Arc::<Steering>::default());
    rig.allow(10);
    let interval = Duration::from_millis(100);
    let mut config = every(interval);
    config.set_max_concurrent_checkpoints(NonZeroU32::new(max_concurrent).expect("not zero"));
    let (job, events) = rig.job(&config, steering.around(memory()));
    let handle = job.start();
    rig.processed(10).await;
    let hold = steering.finishing.hold();
    for _ in 0..10 {
        advance(interval).await;
        settle().await;
    }
    let begun = events.count(|seen| matches!(seen, Seen::Triggered(_)));
    let ended = events.count(|seen| matches!(seen, Seen::Completed(_) | Seen::Aborted(_)));
    drop(hold);
    rig.open();
    handle.wait().await.expect("nothing fails");
    events.assert_undisturbed();
    rig.assert_exact();
    begun - ended
}

#[tokio::test(start_paused = true)]
async fn as_many_checkpoints_as_are_allowed_are_under_way() {
    assert_eq!(begun_at_once(1).await, 1);
    assert_eq!(begun_at_once(2).await, 2);
}

#[tokio::test(start_paused = true)]
async fn without_an_interval_there_is_the_last_checkpoint_and_no_other() {
    let rig = Rig::new(30);
    rig.allow(10);
    let mut config = every(Duration::from_millis(100));
    config.disable_checkpointing();
    let (job, events) = rig.job(&config, memory());
    let handle = job.start();
    rig.processed(10).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(events.count(|seen| matches!(seen, Seen::Triggered(_))), 0);
    rig.open();
    let report = handle.wait().await.expect("nothing fails");
    assert_eq!((report.completed, report.aborted), (1, 0));
    events.assert_undisturbed();
    rig.assert_exact();
}

#[tokio::test(start_paused = true)]
async fn a_job_with_an_interval_takes_a_last_checkpoint_too() {
    let rig = Rig::new(30);
    let (job, events) = rig.job(&every(Duration::from_secs(86_400)), memory());
    let begin = Instant::now();
    let report = job.run().await.expect("nothing fails");
    assert_eq!((report.completed, events.completions()), (1, 1));
    assert!(begin.elapsed() < Duration::from_secs(3_600), "it waited for the next periodic one");
    events.assert_undisturbed();
    rig.assert_exact();
}

async fn run_with(rig: &Rig, config: &CheckpointConfig) -> Result<JobReport, stillframe::Error> {
    stillframe::run(rig.graph(2), config).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkpoints_go_where_the_config_says() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let jobs = || std::fs::read_dir(directory.path()).expect("the directory").count();
    let mut config = on_request();

    let rig = Rig::new(10);
    let report = run_with(&rig, &config).await.expect("memory is the default");
    let pointer = report.latest.expect("the last checkpoint").pointer;
    assert_eq!((pointer.as_str(), jobs()), ("<checkpoint-not-externally-addressable>", 0));
    rig.assert_exact();

    config.set_checkpoint_storage(files(directory.path()).descriptor());
    let rig = Rig::new(10);
    let report = run_with(&rig, &config).await.expect("a directory");
    let pointer = report.latest.expect("the last checkpoint").pointer;
    assert!(std::path::Path::new(pointer.as_str()).starts_with(directory.path()), "{pointer}");
    assert_eq!(jobs(), 1);
    rig.assert_exact();

    config.set_checkpoint_storage(StorageDescriptor::new("punched-cards"));
    let error = run_with(&Rig::new(10), &config).await.expect_err("there is no such storage");
    let stillframe::Error::Storage(error) = error else { panic!("{error:?}") };
    assert!(
        error.to_string().contains("punched-cards") && error.to_string().contains("filesystem"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_beyond_the_limit_of_memory_fails_the_checkpoint_by_name() {
    let rig = Rig::new(30);
    rig.allow(10);
    let storage = JobManagerCheckpointStorage::new().with_max_state_size(64).expect("not zero");
    let mut config = on_request();
    config.set_tolerable_checkpoint_failure_number(u32::MAX);
    let (job, events) =
        Events::of(Job::new(rig.graph(1), &config, Arc::new(storage)).expect("a valid config"));
    let handle = job.start();
    rig.processed(10).await;
    handle.trigger_checkpoint().await.expect_err("its state is too large");
    let told = events.count(|seen| matches!(seen, Seen::Other(text) if text.contains("max-state-size")));
    assert!(told > 0, "{:?}", events.all());
    handle.cancel();
    handle.wait().await.expect("it is canceled");
    assert_eq!(rig.ledger.committed(), []);
}
