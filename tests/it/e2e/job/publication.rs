//! Publications that fail: what is known not to exist is given up, what may exist is neither reported nor removed.

use super::rig::{Rig, checkpoint, memory, on_request};
use super::steered::{PublishFault, Steering};
use super::watch::{Events, Seen};
use std::sync::Arc;
use stillframe::model::FailureReason;
use stillframe::prelude::*;
use stillframe::runtime::{JobError, JobFailure, RestartStrategy};

fn tolerating(failures: u32) -> CheckpointConfig {
    let mut config = on_request();
    config.set_tolerable_checkpoint_failure_number(failures);
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_is_tolerated_costs_one_checkpoint() {
    let (rig, steering) = (Rig::new(40), Arc::<Steering>::default());
    rig.allow(20);
    let (job, mut events) = rig.job(&tolerating(1), steering.around(memory()));
    let handle = job.start();
    rig.processed(20).await;
    steering.fail_publications([PublishFault::Definite]);
    let error = handle.trigger_checkpoint().await.expect_err("it cannot be published");
    assert!(error.to_string().contains("checkpoint 1: unavailable (as the test wished)"), "{error}");
    let (_, aborted) = events.aborted().await;
    assert_eq!(aborted.reason, FailureReason::FinalizeCheckpointFailure);
    assert_eq!(rig.ledger.committed(), []);

    assert_eq!(checkpoint(&handle).await, CheckpointId::new(2), "an id is used once");
    rig.open();
    let report = handle.wait().await.expect("one failure is tolerated");
    assert_eq!((report.attempts, report.aborted), (1, 1));
    assert!(steering.discarded().contains(&CheckpointId::new(1)), "what the failed one had written stays");
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_success_in_between_begins_the_count_anew() {
    use PublishFault::Definite;
    let (rig, steering) = (Rig::new(40), Arc::<Steering>::default());
    rig.allow(20);
    let (job, _events) = rig.job(&tolerating(1), steering.around(memory()));
    let handle = job.start();
    for _ in 0..3 {
        steering.fail_publications([Definite]);
        handle.trigger_checkpoint().await.expect_err("it cannot be published");
        checkpoint(&handle).await;
    }
    rig.open();
    assert_eq!(handle.wait().await.expect("never two in a row").attempts, 1);
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_failure_too_many_fails_the_job() {
    use PublishFault::Definite;
    for (tolerated, faults) in [(0, vec![Definite]), (1, vec![Definite, Definite])] {
        let (rig, steering) = (Rig::new(40), Arc::<Steering>::default());
        rig.allow(20);
        let storage = steering.around(memory());
        let job = Job::new(rig.graph(2), &tolerating(tolerated), storage)
            .expect("a valid config")
            .with_restart(RestartStrategy::None);
        let (job, _events) = Events::of(job);
        let handle = job.start();
        rig.processed(20).await;
        steering.fail_publications(faults.clone());
        for _ in &faults {
            handle.trigger_checkpoint().await.expect_err("it cannot be published");
        }
        rig.open();
        let error = handle.wait().await.expect_err("that was one too many");
        let JobError::Failed { source: JobFailure::Checkpoints { reason, .. }, latest: None, .. } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!(reason, FailureReason::FinalizeCheckpointFailure);
        assert_eq!(rig.ledger.committed(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_fails_for_its_checkpoints_is_restarted_like_any_other() {
    let (rig, steering) = (Rig::new(40), Arc::<Steering>::default());
    rig.allow(20);
    let (job, mut events) = rig.job(&tolerating(0), steering.around(memory()));
    let handle = job.start();
    rig.processed(20).await;
    let first = checkpoint(&handle).await;
    steering.fail_publications([PublishFault::Definite]);
    handle.trigger_checkpoint().await.expect_err("it cannot be published");
    events.next(|seen| (*seen == Seen::Started(Some(first))).then_some(())).await;
    rig.open();
    let report = handle.wait().await.expect("one failure is survived");
    assert_eq!((report.attempts, report.restored), (2, vec![first]));
    rig.assert_exact();
}

/// Runs a job whose second checkpoint gets no answer that says what became of it, and runs it again.
async fn an_unknown_outcome(fault: PublishFault, restored: u64) {
    let (rig, steering) = (Rig::new(40), Arc::<Steering>::default());
    rig.allow(20);
    let (storage, id) = (steering.around(memory()), JobId::from_bytes([7; 16]));
    // Whatever is tolerated, and however often the job may be restarted.
    let (job, events) = rig.job(&tolerating(u32::MAX), Arc::clone(&storage));
    let handle = job.with_id(id).start();
    rig.processed(20).await;
    let first = checkpoint(&handle).await;
    rig.allow(30);
    rig.processed(30).await;
    let committed = 20 * 2 * super::numbers::SPLITS;
    steering.fail_publications([fault]);
    handle.trigger_checkpoint().await.expect_err("nobody knows");
    rig.open();
    let error = handle.wait().await.expect_err("it must not go on");

    let JobError::Failed { attempts: 1, source, latest: Some(_), .. } = error else { panic!("{error:?}") };
    let JobFailure::Checkpoints { reason: FailureReason::OutcomeUnknown, .. } = source else {
        panic!("{source:?}")
    };
    let completed = |seen: &Seen| matches!(seen, Seen::Completed(completed) if completed.checkpoint == first);
    assert_eq!((events.count(completed), events.completions()), (1, 1));
    assert_eq!(steering.discarded(), [], "what may exist was removed, or what it may rely on");
    assert_eq!(rig.ledger.committed().len() as u64, committed, "the second checkpoint was committed");

    // A successor that looks at the storage knows.
    let (job, _events) = rig.job(&on_request(), storage);
    let report = job.with_id(id).run().await.expect("nothing fails any more");
    assert_eq!(report.restored, [CheckpointId::new(restored)]);
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_outcome_that_was_a_success_is_found_later() {
    an_unknown_outcome(PublishFault::UnknownDone, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_outcome_that_was_a_failure_is_found_later() {
    an_unknown_outcome(PublishFault::UnknownLost, 1).await;
}
