//! What is in a checkpoint is what the sources had emitted, whatever the order in which barriers arrive.

use super::brake::{settle, unanswered};
use super::readback::{Cut, Kept};
use super::rig::{Rig, checkpoint, memory, on_request};
use super::sums::Fault;
use std::num::NonZeroU32;
use std::sync::Arc;
use stillframe::prelude::*;
use stillframe::runtime::JobHandle;

const ID: JobId = JobId::from_bytes([9; 16]);

fn config(mode: CheckpointingMode) -> CheckpointConfig {
    let mut config = on_request();
    config.set_checkpointing_mode(mode).set_num_retained_checkpoints(NonZeroU32::new(100).expect("not zero"));
    config
}

/// Takes a checkpoint in which the barriers of the left source come late: it is busy with a read while the right one sends
/// its barriers and more numbers after them. Gives back what the checkpoint holds.
async fn late_barriers(
    rig: &Rig,
    handle: &JobHandle,
    storage: &dyn CheckpointStorage,
    mode: CheckpointingMode,
) -> Cut {
    rig.processed(20).await;
    let (left, right) = (&rig.left, &rig.right);
    let hold = left.reading.hold();
    left.reading.stopped.reach(2).await;
    let mut request = Box::pin(handle.trigger_checkpoint());
    unanswered(&mut request, right.captured.reach(2)).await;
    // From here on the barriers of the right source are ahead of what it emits.
    right.allow(30);
    let emitted = right.idle.get() + 4;
    right.idle.reach(emitted).await;
    match mode {
        CheckpointingMode::ExactlyOnce => settle().await,
        // No input is held back, so all of it is processed.
        CheckpointingMode::AtLeastOnce => rig.sums.processed.reach((20 + 30) * super::numbers::SPLITS).await,
    }
    drop(hold);
    let outcome = request.await.expect("all barriers are there");
    Cut::of(storage, ID, outcome.checkpoint).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_follows_a_barrier_waits_for_the_others() {
    let (rig, storage) = (Rig::new(60), Kept::around(memory()));
    rig.allow(20);
    let mode = CheckpointingMode::ExactlyOnce;
    let (job, _events) = rig.job(&config(mode), Arc::clone(&storage));
    let handle = job.with_id(ID).start();
    let cut = late_barriers(&rig, &handle, &*storage, mode).await;
    assert_eq!(cut.emitted(), 20 * 2 * super::numbers::SPLITS, "the positions are those of the barriers");
    cut.assert_consistent();

    rig.sums.fail_from(40 * 2 * super::numbers::SPLITS, Fault::Error, 1);
    rig.open();
    assert_eq!(handle.wait().await.expect("one failure is survived").attempts, 2);
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn at_least_once_does_not_wait_and_counts_twice_after_a_restore() {
    let (rig, storage) = (Rig::new(60), Kept::around(memory()));
    rig.allow(20);
    let mode = CheckpointingMode::AtLeastOnce;
    let (job, _events) = rig.job(&config(mode), Arc::clone(&storage));
    let handle = job.with_id(ID).start();
    let cut = late_barriers(&rig, &handle, &*storage, mode).await;
    assert_eq!(cut.emitted(), 20 * 2 * super::numbers::SPLITS);
    assert_eq!(cut.summed(), (20 + 30) * super::numbers::SPLITS, "what came after the barriers is in it");
    let exact = cut.sums_at_the_positions();
    assert!(exact.iter().all(|(key, sum)| cut.sums[key].count >= sum.count), "something was lost");

    rig.sums.fail_from(40 * 2 * super::numbers::SPLITS, Fault::Error, 1);
    rig.open();
    assert_eq!(handle.wait().await.expect("one failure is survived").attempts, 2);
    let sums: u64 = rig
        .ledger
        .committed()
        .iter()
        .map(|item| match item {
            super::sums::Item::Number(_) => 0,
            super::sums::Item::Sum(_, sum) => sum.count,
        })
        .sum();
    assert_eq!(
        sums,
        (2 * 60 + 10) * super::numbers::SPLITS,
        "10 of each split of the right source count twice"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_checkpoint_of_a_busy_job_is_a_consistent_cut() {
    // Many more numbers than the checkpoints take; the job is stopped when there are enough.
    let (rig, storage) = (Rig::new(u64::MAX / 1_000), Kept::around(memory()));
    let (job, _events) = rig.job(&config(CheckpointingMode::ExactlyOnce), Arc::clone(&storage));
    let handle = job.with_id(ID).start();
    rig.sums.processed.reach(1_000).await;
    let mut emitted = 0;
    for _ in 0..15 {
        let cut = Cut::of(&*storage, ID, checkpoint(&handle).await).await;
        cut.assert_consistent();
        assert!(cut.emitted() > emitted, "it is not busy");
        emitted = cut.emitted();
    }
    handle.cancel();
    handle.wait().await.expect("it was canceled");
}
