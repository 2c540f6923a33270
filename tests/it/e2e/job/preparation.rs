//! What a sink has to make durable is part of the checkpoint, and of every checkpoint after it.

use super::brake::{settle, unanswered};
use super::rig::{Rig, checkpoint, memory, on_request};
use super::watch::Seen;
use std::num::NonZeroU32;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_checkpoint_waits_for_the_preparations() {
    let rig = Rig::new(60);
    rig.allow(50);
    let (job, events) = rig.job(&on_request(), memory());
    let handle = job.start();
    rig.processed(50).await;
    let hold = rig.ledger.preparing.hold();
    let mut request = Box::pin(handle.trigger_checkpoint());
    unanswered(&mut request, rig.ledger.preparing.stopped.reach(2)).await;
    unanswered(&mut request, settle()).await;
    assert_eq!((events.completions(), rig.ledger.committed()), (0, vec![]));
    drop(hold);
    request.await.expect("the sinks are prepared now");
    rig.open();
    handle.wait().await.expect("nothing failed");
    events.assert_undisturbed();
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_preparation_that_fails_fails_the_attempt() {
    let rig = Rig::new(60);
    rig.allow(30);
    let (job, mut events) = rig.job(&on_request(), memory());
    let handle = job.start();
    rig.processed(30).await;
    let first = checkpoint(&handle).await;
    rig.allow(40);
    rig.processed(40).await;
    rig.ledger.fail_preparations(1);
    handle.trigger_checkpoint().await.expect_err("the ledger is full");
    let (_, cause) =
        events.next(|seen| if let Seen::Failed(cause) = seen { Some(cause.clone()) } else { None }).await;
    assert!(cause.starts_with("ledger, subtask "), "{cause}");
    rig.open();
    let report = handle.wait().await.expect("one failure is survived");
    assert_eq!((report.attempts, report.restored), (2, vec![first]));
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_later_checkpoint_is_complete_after_a_preparation_that_failed() {
    let rig = Rig::new(60);
    rig.allow(20);
    let mut config = on_request();
    config.set_max_concurrent_checkpoints(NonZeroU32::new(2).expect("not zero"));
    let (job, mut events) = rig.job(&config, memory());
    let handle = job.start();
    rig.processed(20).await;
    // The first checkpoint is held in the sinks, one of which will fail; the second one would have nothing to wait for.
    let hold = rig.ledger.preparing.hold();
    let mut first = Box::pin(handle.trigger_checkpoint());
    let mut second = Box::pin(handle.trigger_checkpoint());
    unanswered(&mut first, rig.ledger.preparing.stopped.reach(2)).await;
    unanswered(&mut second, settle()).await;
    assert_eq!(events.count(|seen| matches!(seen, Seen::Triggered(_))), 2);
    rig.ledger.fail_preparations(1);
    drop(hold);
    first.await.expect_err("the ledger is full");
    second.await.expect_err("it contains what was not prepared");
    events.next(|seen| matches!(seen, Seen::Failed(_)).then_some(())).await;
    assert_eq!(events.completions(), 0, "{:?}", events.all());
    rig.open();
    let report = handle.wait().await.expect("one failure is survived");
    assert_eq!((report.attempts, report.restored), (2, vec![]));
    rig.assert_exact();
}
