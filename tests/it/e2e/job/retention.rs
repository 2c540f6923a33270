//! What stays when a job ends, for every way to end and every wish.

use super::rig::{Rig, checkpoint, files, on_request};
use super::sums::Fault;
use super::watch::Events;
use std::fs;
use std::path::Path;
use stillframe::prelude::*;
use stillframe::runtime::RestartStrategy;

/// Runs a job with one checkpoint to this end, and gives back what is left in its directory.
async fn left_behind(base: &Path, retention: ExternalizedCheckpointRetention, end: JobStatus) -> Vec<String> {
    let rig = Rig::new(30);
    rig.allow(10);
    let mut config = on_request();
    config.set_externalized_checkpoint_retention(retention);
    let job = Job::new(rig.graph(2), &config, files(base))
        .expect("a valid config")
        .with_restart(RestartStrategy::None);
    let (job, _events) = Events::of(job);
    let handle = job.start();
    let directory = base.join(handle.id().to_string());
    rig.processed(10).await;
    checkpoint(&handle).await;
    match end {
        JobStatus::Finished => rig.open(),
        JobStatus::Canceled => handle.cancel(),
        JobStatus::Suspended => handle.suspend(),
        JobStatus::Failed => {
            rig.sums.fail_from(20 * 2 * super::numbers::SPLITS, Fault::Error, 1);
            rig.open();
        }
    }
    let ended = handle.wait().await;
    match end {
        JobStatus::Failed => assert!(ended.is_err(), "{ended:?}"),
        _ => assert_eq!(ended.expect("it does not fail").status, end),
    }
    let entries = fs::read_dir(directory).expect("the directory of the job");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkpoints_stay_or_go_as_was_wished() {
    use ExternalizedCheckpointRetention::{
        DeleteOnCancellation, NoExternalizedCheckpoints, RetainOnCancellation,
    };
    use JobStatus::{Canceled, Failed, Finished, Suspended};
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (retention, keeping) in [
        (NoExternalizedCheckpoints, &[][..]),
        (DeleteOnCancellation, &[Failed][..]),
        (RetainOnCancellation, &[Failed, Canceled][..]),
    ] {
        for end in [Finished, Canceled, Failed, Suspended] {
            let expected = match end {
                Suspended => &["_ctl", "chk-1"][..],
                _ if keeping.contains(&end) => &["_ctl", "chk-1"][..],
                _ => &["_ctl"][..],
            };
            let found = left_behind(directory.path(), retention, end).await;
            assert_eq!(found, expected, "{retention:?}, {end}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_runs_only_the_newest_stay() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let rig = Rig::new(30);
    rig.allow(10);
    let (job, _events) = rig.job(&on_request(), files(directory.path()));
    let handle = job.start();
    let base = directory.path().join(handle.id().to_string());
    for _ in 0..5 {
        checkpoint(&handle).await;
    }
    handle.suspend();
    handle.wait().await.expect("it is suspended");
    let names: Vec<_> = fs::read_dir(base)
        .expect("the directory of the job")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    let checkpoints: Vec<_> = names.iter().filter(|name| *name != "_ctl").collect();
    assert_eq!(checkpoints, ["chk-5"]);
}
