//! A job is known by its id: what becomes of it when it is run again.

use super::rig::{Rig, checkpoint, memory, on_request};
use super::sums::Fault;
use super::watch::{Events, Seen};
use std::sync::Arc;
use stillframe::prelude::*;
use stillframe::runtime::{JobError, RequestError, RestartStrategy};

const ID: JobId = JobId::from_bytes([3; 16]);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_job_goes_on() {
    let (rig, storage) = (Rig::new(60), memory());
    let mut restored = Vec::new();
    for limit in [20, 40] {
        rig.allow(limit);
        let (job, _events) = rig.job(&on_request(), Arc::clone(&storage));
        let handle = job.with_id(ID).start();
        rig.processed(limit).await;
        let last = checkpoint(&handle).await;
        handle.suspend();
        let report = handle.wait().await.expect("it is suspended");
        assert_eq!((report.status, report.attempts, &report.restored), (JobStatus::Suspended, 1, &restored));
        restored = vec![last];
    }
    rig.open();
    let (job, _events) = rig.job(&on_request(), storage);
    let report = job.with_id(ID).run().await.expect("nothing fails");
    assert_eq!((report.status, report.restored), (JobStatus::Finished, restored));
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_suspended_before_its_first_checkpoint_begins_anew() {
    let (rig, storage) = (Rig::new(20), memory());
    rig.allow(10);
    let (job, _events) = rig.job(&on_request(), Arc::clone(&storage));
    let handle = job.with_id(ID).start();
    rig.processed(10).await;
    handle.suspend();
    handle.wait().await.expect("it is suspended");
    rig.open();
    let (job, _events) = rig.job(&on_request(), storage);
    assert_eq!(job.with_id(ID).run().await.expect("nothing fails").restored, []);
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_job_has_nothing_left_to_do() {
    let (rig, storage) = (Rig::new(20), memory());
    let (job, _events) = rig.job(&on_request(), Arc::clone(&storage));
    job.with_id(ID).run().await.expect("nothing fails");
    let processed = rig.sums.processed.get();
    let (job, events) = rig.job(&on_request(), storage);
    let report = job.with_id(ID).run().await.expect("it has finished");
    assert_eq!((report.status, report.attempts, report.completed), (JobStatus::Finished, 0, 0));
    assert_eq!((events.all(), rig.sums.processed.get()), (vec![], processed));
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canceled_job_is_not_run_again() {
    let (rig, storage) = (Rig::new(20), memory());
    rig.allow(10);
    let (job, _events) = rig.job(&on_request(), Arc::clone(&storage));
    let handle = job.with_id(ID).start();
    rig.processed(10).await;
    checkpoint(&handle).await;
    handle.cancel();
    assert_eq!(handle.wait().await.expect("it is canceled").status, JobStatus::Canceled);
    rig.open();
    let (job, events) = rig.job(&on_request(), storage);
    let error = job.with_id(ID).run().await.expect_err("a person canceled it");
    assert!(matches!(error, JobError::Ended { status: JobStatus::Canceled, .. }), "{error:?}");
    assert_eq!(events.all(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_failed_for_good_is_not_run_again() {
    let (rig, storage) = (Rig::new(20), memory());
    rig.sums.fail_from(0, Fault::Error, 1);
    let job = Job::new(rig.graph(2), &on_request(), Arc::clone(&storage))
        .expect("a valid config")
        .with_restart(RestartStrategy::None);
    job.with_id(ID).run().await.expect_err("it fails");
    let (job, _events) = rig.job(&on_request(), storage);
    let error = job.with_id(ID).run().await.expect_err("it failed for good");
    assert!(matches!(error, JobError::Ended { status: JobStatus::Failed, .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_for_its_restart_can_be_stopped_and_asked_nothing() {
    let (rig, storage) = (Rig::new(20), memory());
    rig.sums.fail_from(0, Fault::Error, u32::MAX);
    let restart = RestartStrategy::FixedDelay { attempts: 3, delay: Duration::from_secs(3_600) };
    let job = Job::new(rig.graph(2), &on_request(), storage).expect("a valid config").with_restart(restart);
    let (job, mut events) = Events::of(job);
    let handle = job.start();
    events.next(|seen| matches!(seen, Seen::Failed(_)).then_some(())).await;
    assert_eq!(handle.trigger_checkpoint().await, Err(RequestError::NotRunning));
    handle.suspend();
    let report = handle.wait().await.expect("it is suspended");
    assert_eq!((report.status, report.attempts), (JobStatus::Suspended, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_with_other_ids_share_a_storage_and_nothing_else() {
    let storage = memory();
    for number in 0..3 {
        let rig = Rig::new(20);
        let (job, _events) = rig.job(&on_request(), Arc::clone(&storage));
        let report = job.with_id(JobId::from_bytes([number; 16])).run().await.expect("nothing fails");
        assert_eq!((report.attempts, report.restored), (1, vec![]));
        rig.assert_exact();
    }
}
