//! A checkpoint is complete when everything would survive, and not a moment earlier; sinks commit only after that.

use super::brake::{settle, unanswered};
use super::rig::{Rig, memory, on_request};
use super::steered::Steering;
use super::watch::Seen;
use std::sync::Arc;
use stillframe::prelude::*;
use stillframe::runtime::JobHandle;

/// How many streams of state a checkpoint of the rig has at this parallelism: one for each task.
const STREAMS: u64 = 2 * 4;

async fn started(rig: &Rig, steering: &Arc<Steering>) -> (JobHandle, super::watch::Events) {
    rig.allow(50);
    let (job, events) = rig.job(&on_request(), steering.around(memory()));
    let handle = job.start();
    rig.processed(50).await;
    (handle, events)
}

/// Nothing may say that a checkpoint is complete, or act as if it was.
fn assert_not_complete(rig: &Rig, events: &super::watch::Events) {
    assert_eq!(events.completions(), 0, "{:?}", events.all());
    assert_eq!(rig.sums.notified.lock().expect("nothing panics while it holds this")[..], []);
    assert_eq!(rig.ledger.committed(), [], "committed before the checkpoint was complete");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_acknowledged_before_it_is_durable() {
    let (rig, steering) = (Rig::new(60), Arc::<Steering>::default());
    let (handle, events) = started(&rig, &steering).await;
    let hold = steering.finishing.hold();
    let mut request = Box::pin(handle.trigger_checkpoint());
    unanswered(&mut request, steering.finishing.stopped.reach(STREAMS)).await;
    unanswered(&mut request, settle()).await;
    assert_not_complete(&rig, &events);

    drop(hold);
    let outcome = request.await.expect("everything is durable now");
    assert_eq!((steering.finished.get(), events.completions()), (STREAMS, 1));
    rig.open();
    let report = handle.wait().await.expect("nothing failed");
    assert!(report.completed > 1 && outcome.checkpoint == CheckpointId::FIRST, "{report:?}");
    events.assert_undisturbed();
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_committed_before_the_checkpoint_is_published() {
    let (rig, steering) = (Rig::new(60), Arc::<Steering>::default());
    let (handle, events) = started(&rig, &steering).await;
    let hold = steering.publishing.hold();
    let mut request = Box::pin(handle.trigger_checkpoint());
    unanswered(&mut request, steering.publishing.stopped.reach(1)).await;
    unanswered(&mut request, settle()).await;
    assert_not_complete(&rig, &events);
    let prepared = rig.ledger.pending();
    assert!(prepared > 0, "there was nothing to commit");

    drop(hold);
    request.await.expect("it is published now");
    rig.open();
    handle.wait().await.expect("nothing failed");
    events.assert_undisturbed();
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_job_waits_for_its_last_checkpoint() {
    let (rig, steering) = (Rig::new(30), Arc::<Steering>::default());
    let hold = steering.publishing.hold();
    let (job, events) = rig.job(&on_request(), steering.around(memory()));
    let mut running = Box::pin(job.run());
    unanswered(&mut running, steering.publishing.stopped.reach(1)).await;
    unanswered(&mut running, settle()).await;
    assert_not_complete(&rig, &events);
    drop(hold);
    let report = running.await.expect("nothing failed");
    assert_eq!((report.completed, report.status), (1, JobStatus::Finished));
    assert_eq!(events.count(|seen| matches!(seen, Seen::Triggered(_))), 1);
    events.assert_undisturbed();
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_sink_commits_what_a_checkpoint_covers_and_not_what_came_later() {
    let (rig, steering) = (Rig::new(60), Arc::<Steering>::default());
    let (handle, events) = started(&rig, &steering).await;
    super::rig::checkpoint(&handle).await;
    rig.allow(55);
    rig.processed(55).await;
    // The news of the checkpoint is on its way to the sinks; the next checkpoint comes behind it.
    let hold = steering.publishing.hold();
    let mut request = Box::pin(handle.trigger_checkpoint());
    unanswered(&mut request, steering.publishing.stopped.reach(1)).await;
    settle().await;
    let committed = rig.ledger.committed().len() as u64;
    assert_eq!(
        committed,
        50 * 2 * super::numbers::SPLITS,
        "the first checkpoint covers 50 numbers of each split"
    );
    drop(hold);
    request.await.expect("it is published now");
    rig.open();
    handle.wait().await.expect("nothing failed");
    events.assert_undisturbed();
    rig.assert_exact();
}
