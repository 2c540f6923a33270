//! Savepoints belong to a person: the job does not remove them, and another job goes on from them.

use super::brake::settle;
use super::rig::{Rig, files, memory, on_request};
use super::watch::{Events, Seen};
use std::fs;
use std::path::Path;
use stillframe::coordinator::Outcome;
use stillframe::prelude::*;
use stillframe::runtime::{JobError, JobHandle};

/// Takes a savepoint below a directory.
async fn savepoint(handle: &JobHandle, target: &Path) -> Outcome {
    let target = target.to_str().expect("UTF-8").to_owned();
    let outcome = handle.trigger_savepoint(Some(target.clone()), SavepointFormat::Canonical).await;
    let outcome = outcome.expect("nothing is in its way");
    assert!(outcome.pointer.as_str().starts_with(&target), "{}", outcome.pointer);
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_savepoint_outlives_the_job_and_commits_nothing() {
    let (rig, directory) = (Rig::new(40), tempfile::tempdir().expect("a temporary directory"));
    rig.allow(20);
    let checkpoints = directory.path().join("checkpoints");
    let (job, events) = rig.job(&on_request(), files(&checkpoints));
    let handle = job.start();
    let id = handle.id();
    rig.processed(20).await;
    let outcome = savepoint(&handle, &directory.path().join("mine")).await;
    settle().await;
    assert_eq!(rig.ledger.committed(), [], "it is no checkpoint of the job");
    super::rig::checkpoint(&handle).await;
    rig.open();
    handle.wait().await.expect("nothing fails");
    events.assert_undisturbed();
    rig.assert_exact();
    assert!(Path::new(outcome.pointer.as_str()).join("_metadata").is_file(), "it was removed");
    let rest = fs::read_dir(checkpoints.join(id.to_string())).expect("the directory of the job");
    let rest: Vec<_> = rest.map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(rest, ["_ctl"], "checkpoints of a finished job are removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_job_goes_on_from_a_savepoint_at_another_parallelism() {
    for (parallelism, later) in [(2, 3), (3, 1), (1, 4)] {
        let (rig, directory) = (Rig::new(40), tempfile::tempdir().expect("a temporary directory"));
        rig.allow(20);
        let checkpoints = directory.path().join("checkpoints");
        let (job, _events) = rig.job_at(parallelism, &on_request(), files(&checkpoints));
        let handle = job.start();
        rig.processed(20).await;
        let Outcome { checkpoint, pointer } = savepoint(&handle, &directory.path().join("mine")).await;
        handle.cancel();
        handle.wait().await.expect("it is canceled");

        rig.open();
        let (job, events) = rig.job_at(later, &on_request(), files(&checkpoints));
        let report = job.resume_from(pointer.clone()).run().await.expect("nothing fails");
        assert_eq!(events.all().first(), Some(&Seen::Started(Some(checkpoint))));
        assert_eq!(report.restored, [checkpoint]);
        for valve in [&rig.left, &rig.right] {
            assert!(
                valve.restored().len() == 12 && valve.restored().values().all(|position| *position == 20)
            );
        }
        events.assert_undisturbed();
        rig.assert_exact();
        assert!(Path::new(pointer.as_str()).join("_metadata").is_file(), "it was removed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumed_job_that_fails_goes_on_from_its_own_checkpoints() {
    let (rig, directory) = (Rig::new(60), tempfile::tempdir().expect("a temporary directory"));
    rig.allow(20);
    let (job, _events) = rig.job(&on_request(), files(&directory.path().join("checkpoints")));
    let handle = job.start();
    rig.processed(20).await;
    let Outcome { checkpoint: foreign, pointer } = savepoint(&handle, &directory.path().join("mine")).await;
    handle.cancel();
    handle.wait().await.expect("it is canceled");

    let (job, _events) = rig.job(&on_request(), files(&directory.path().join("checkpoints")));
    rig.allow(40);
    let handle = job.resume_from(pointer).start();
    rig.processed(40).await;
    let own = super::rig::checkpoint(&handle).await;
    rig.sums.fail_from(50 * 2 * super::numbers::SPLITS, super::sums::Fault::Error, 1);
    rig.open();
    let report = handle.wait().await.expect("one failure is survived");
    assert_eq!(report.restored, [foreign, own]);
    assert!(rig.left.restored().values().all(|position| *position == 40));
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_without_an_operator_of_the_savepoint_is_refused_by_its_name() {
    let (rig, directory) = (Rig::new(40), tempfile::tempdir().expect("a temporary directory"));
    rig.allow(20);
    let storage = files(&directory.path().join("checkpoints"));
    let (job, _events) = rig.job(&on_request(), storage);
    let handle = job.start();
    rig.processed(20).await;
    let Outcome { pointer, .. } = savepoint(&handle, &directory.path().join("mine")).await;
    handle.cancel();
    handle.wait().await.expect("it is canceled");

    rig.open();
    let storage = files(&directory.path().join("checkpoints"));
    let job = Job::new(rig.graph_named(2, "totals"), &on_request(), storage)
        .expect("a valid config")
        .resume_from(pointer.clone());
    let (job, events) = Events::of(job);
    let error = job.run().await.expect_err("its sums have no place");
    let JobError::Assignment { pointer: named, source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*named, pointer);
    assert!(source.to_string().contains("does not have: sums;"), "{source}");
    assert_eq!(events.all(), []);

    // The same through the settings, which also let it go.
    let mut config = on_request();
    config.set_recovery_path(pointer.as_str()).set_ignore_unclaimed_state(true);
    let storage = files(&directory.path().join("checkpoints"));
    let job = Job::new(rig.graph_named(2, "totals"), &config, storage).expect("a valid config");
    let (job, events) = Events::of(job);
    let report = job.run().await.expect("its sums are left out");
    let expected = Seen::Other("StateLeftOut { operators: [\"sums\"] }".to_owned());
    assert_eq!(events.all().first(), Some(&expected), "{:?}", events.all());
    assert_eq!(report.restored.len(), 1);
    assert!(rig.left.restored().values().all(|position| *position == 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_that_keeps_no_savepoints_refuses_and_the_job_goes_on() {
    let rig = Rig::new(40);
    rig.allow(20);
    let mut config = on_request();
    config.set_tolerable_checkpoint_failure_number(1);
    let (job, events) = rig.job(&config, memory());
    let handle = job.start();
    rig.processed(20).await;
    let error = handle
        .trigger_savepoint(None, SavepointFormat::Canonical)
        .await
        .expect_err("there is no place for it");
    assert!(error.to_string().contains("names a directory for savepoints"), "{error}");
    let target = Some("/savepoints".into());
    let error =
        handle.trigger_savepoint(target, SavepointFormat::Canonical).await.expect_err("memory keeps none");
    assert!(error.to_string().contains("FileSystemCheckpointStorage"), "{error}");
    rig.open();
    handle.wait().await.expect("it was one request");
    events.assert_undisturbed();
    rig.assert_exact();
}
