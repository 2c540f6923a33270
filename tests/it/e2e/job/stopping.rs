//! Stopping with a savepoint: everything before it is committed, nothing behind it happens, and another job goes on there.

use super::brake::{settle, unanswered};
use super::rig::{Rig, checkpoint, files, memory, on_request, sums_of};
use super::steered::Steering;
use super::sums::Item;
use super::watch::Seen;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use stillframe::coordinator::Outcome;
use stillframe::model::FailureReason;
use stillframe::prelude::*;
use stillframe::runtime::{JobHandle, RequestError};
use tokio::time::advance;

async fn stop(handle: &JobHandle, target: &Path, drain: bool) -> Result<Outcome, RequestError> {
    let target = target.to_str().expect("UTF-8").to_owned();
    handle.stop_with_savepoint(Some(target), SavepointFormat::Canonical, drain).await
}

/// What is committed, as numbers and as sums.
fn committed(rig: &Rig) -> (Vec<u64>, BTreeMap<u64, super::sums::Sum>) {
    let (mut numbers, mut sums) = (Vec::new(), BTreeMap::new());
    for item in rig.ledger.committed() {
        match item {
            Item::Number(number) => numbers.push(number),
            Item::Sum(key, sum) => assert_eq!(sums.insert(key, sum), None, "key {key} was summed twice"),
        }
    }
    (numbers, sums)
}

/// Checks that the numbers before the savepoint, from which a job was restored, and no others are these.
fn assert_cut(rig: &Rig, mut numbers: Vec<u64>) {
    let before = [(0, &rig.left), (1, &rig.right)];
    let before = before
        .map(|(side, valve)| super::numbers::Valve::numbers(side, &valve.restored()).collect::<Vec<_>>());
    let mut before: Vec<_> = before.into_iter().flatten().collect();
    before.sort_unstable();
    numbers.sort_unstable();
    assert!(
        numbers == before,
        "{} are committed, {} stand before the savepoint",
        numbers.len(),
        before.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_job_has_committed_what_stands_before_the_savepoint_and_nothing_else() {
    for mode in [CheckpointingMode::ExactlyOnce, CheckpointingMode::AtLeastOnce] {
        let (rig, directory) = (Rig::new(60), tempfile::tempdir().expect("a temporary directory"));
        rig.allow(20);
        let checkpoints = directory.path().join("checkpoints");
        let mut config = on_request();
        config.set_checkpointing_mode(mode);
        config.set_externalized_checkpoint_retention(ExternalizedCheckpointRetention::RetainOnCancellation);
        let steering = Arc::<Steering>::default();
        let (job, events) = rig.job(&config, steering.around(files(&checkpoints)));
        let handle = job.start();
        let id = handle.id();
        rig.processed(20).await;
        checkpoint(&handle).await;
        rig.allow(40);
        let hold = steering.publishing.hold();
        let mine = directory.path().join("mine");
        let mut stopped = Box::pin(stop(&handle, &mine, false));
        unanswered(&mut stopped, steering.publishing.stopped.reach(1)).await;
        // The sources could read on behind the savepoint.
        rig.allow(50);
        unanswered(&mut stopped, settle()).await;
        drop(hold);
        let stopped = stopped.await.expect("nothing is in its way");
        let Outcome { checkpoint: savepoint, pointer } = stopped;
        let report = handle.wait().await.expect("nothing fails");
        assert_eq!((report.status, report.attempts), (JobStatus::Finished, 1));
        assert_eq!(report.latest.map(|latest| latest.checkpoint), Some(savepoint));
        let (numbers, sums) = committed(&rig);
        assert_eq!(sums, BTreeMap::new(), "no operator was finished");
        assert_eq!(rig.sums.processed.get(), numbers.len() as u64, "something was processed behind it");
        assert_eq!(rig.ledger.pending(), 0, "not all was committed");
        events.assert_undisturbed();
        let left = fs::read_dir(checkpoints.join(id.to_string())).expect("the directory of the job");
        let left: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
        assert_eq!(left, ["_ctl"], "of a finished job only the savepoint stays");
        assert!(Path::new(pointer.as_str()).join("_metadata").is_file());

        rig.open();
        let (job, events) = rig.job(&config, files(&checkpoints));
        let report = job.resume_from(pointer).run().await.expect("nothing fails");
        assert_eq!(report.restored, [savepoint]);
        assert_cut(&rig, numbers);
        events.assert_undisturbed();
        rig.assert_exact();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_job_gives_out_what_it_holds_and_reads_on_from_the_savepoint() {
    // The left source is at its end before that, the right one is not.
    let (rig, directory) = (Rig::uneven(10, 60), tempfile::tempdir().expect("a temporary directory"));
    rig.allow(20);
    let checkpoints = directory.path().join("checkpoints");
    let (job, events) = rig.job(&on_request(), files(&checkpoints));
    let handle = job.start();
    rig.sums.processed.reach(30 * super::numbers::SPLITS).await;
    rig.right.allow(40);
    let stopped = stop(&handle, &directory.path().join("mine"), true).await;
    let Outcome { pointer, .. } = stopped.expect("nothing is in its way");
    assert_eq!(handle.wait().await.expect("nothing fails").status, JobStatus::Finished);
    events.assert_undisturbed();
    let (numbers, sums) = committed(&rig);
    assert_eq!(sums, sums_of(numbers.iter().copied()), "every operator was finished once");
    assert_eq!(rig.ledger.pending(), 0, "not all was committed");

    rig.open();
    let reads = rig.left.reads.get();
    let (job, events) = rig.job(&on_request(), files(&checkpoints));
    let report = job.resume_from(pointer).run().await.expect("nothing fails");
    assert_eq!(report.status, JobStatus::Finished);
    assert_eq!(rig.left.reads.get(), reads, "that source was at its end");
    assert!(rig.right.restored().values().all(|position| (20..60).contains(position)));
    events.assert_undisturbed();
    let all = rig.ledger.committed();
    let numbers: Vec<_> = all
        .iter()
        .filter_map(|item| if let Item::Number(number) = item { Some(*number) } else { None })
        .collect();
    assert_eq!(numbers.len() as u64, 70 * super::numbers::SPLITS);
    let last: Vec<_> =
        sums_of(numbers.into_iter()).into_iter().map(|(key, sum)| Item::Sum(key, sum)).collect();
    assert!(last.iter().all(|sum| all.contains(sum)), "the sums of all numbers came at the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_on_if_the_savepoint_cannot_even_begin() {
    let rig = Rig::new(40);
    rig.allow(20);
    let (job, events) = rig.job(&on_request(), memory());
    let handle = job.start();
    rig.processed(20).await;
    let refused = handle.stop_with_savepoint(Some("/savepoints".into()), SavepointFormat::Native, true).await;
    let error = refused.expect_err("memory keeps none");
    assert!(error.to_string().contains("FileSystemCheckpointStorage"), "{error}");
    rig.allow(30);
    rig.processed(30).await;
    checkpoint(&handle).await;
    rig.open();
    assert_eq!(handle.wait().await.expect("it was one request").attempts, 1);
    events.assert_undisturbed();
    rig.assert_exact();
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_tasks_have_stopped_for_nothing_is_restarted() {
    let (rig, steering) = (Rig::new(40), Arc::<Steering>::default());
    let directory = tempfile::tempdir().expect("a temporary directory");
    rig.allow(20);
    let mut config = on_request();
    config.set_checkpoint_timeout(Duration::from_secs(10)).expect("it is long enough");
    let (job, mut events) = rig.job(&config, steering.around(files(&directory.path().join("checkpoints"))));
    let handle = job.start();
    rig.processed(20).await;
    let before = checkpoint(&handle).await;
    let hold = steering.finishing.hold();
    let mine = directory.path().join("mine");
    let mut request = Box::pin(stop(&handle, &mine, false));
    unanswered(&mut request, steering.finishing.stopped.reach(1)).await;
    rig.open();
    advance(Duration::from_secs(11)).await;
    let RequestError::Refused(refused) = request.await.expect_err("it took too long") else {
        panic!("it was running")
    };
    assert_eq!(refused.reason, FailureReason::CheckpointExpired);
    let failure = events.next(|seen| if let Seen::Failed(cause) = seen { Some(cause.clone()) } else { None });
    let (_, cause) = failure.await;
    assert!(cause.contains("subtask"), "{cause}");
    drop(hold);
    let report = handle.wait().await.expect("one failure is survived");
    assert_eq!((report.status, report.attempts), (JobStatus::Finished, 2));
    assert_eq!(report.restored, [before]);
    rig.assert_exact();
}
