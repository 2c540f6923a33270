//! Tasks that end one by one, with checkpoints that go on without them or do not.

use super::numbers::SPLITS;
use super::rig::{Rig, checkpoint, files, memory, on_request};
use std::sync::Arc;
use stillframe::metadata;
use stillframe::model::{FailureReason, TaskSnapshot};
use stillframe::prelude::*;
use stillframe::runtime::RequestError;

const ID: JobId = JobId::from_bytes([0xcd; 16]);

/// What a checkpoint says of the subtasks of a source.
async fn of_source(
    storage: &Arc<dyn CheckpointStorage>,
    pointer: &Pointer,
    source: &str,
) -> Vec<TaskSnapshot> {
    let location = storage.resolve(pointer).await.expect("it is there");
    let bytes = location.metadata().await.expect("it has metadata");
    let metadata = metadata::decode(&bytes).expect("metadata that can be read");
    let found = metadata.operators.into_iter().find(|(name, _)| name.as_str() == source);
    found.expect("every vertex is in it").1.subtasks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkpoints_go_on_without_a_source_that_has_ended_and_it_is_not_read_again() {
    let (rig, directory) = (Rig::uneven(10, 60), tempfile::tempdir().expect("a temporary directory"));
    rig.right.allow(20);
    let storage = files(directory.path());
    let (job, events) = rig.job(&on_request(), Arc::clone(&storage));
    let handle = job.with_id(ID).start();
    rig.sums.processed.reach(30 * SPLITS).await;
    let first = handle.trigger_checkpoint().await.expect("nothing is in its way");
    let finished = TaskSnapshot { finished: true, ..TaskSnapshot::default() };
    let with_state = of_source(&storage, &first.pointer, "left").await;
    assert!(with_state.iter().all(|subtask| subtask.finished && *subtask != finished), "{with_state:?}");
    let captured = rig.left.captured.get();

    // Those tasks end with it; the others take the next ones alone.
    rig.right.allow(40);
    rig.sums.processed.reach(50 * SPLITS).await;
    let second = handle.trigger_checkpoint().await.expect("nothing is in its way");
    assert_eq!(of_source(&storage, &second.pointer, "left").await, [finished.clone(), finished]);
    assert!(of_source(&storage, &second.pointer, "right").await.iter().all(|subtask| !subtask.finished));
    assert_eq!(rig.left.captured.get(), captured, "they have ended");
    handle.suspend();
    handle.wait().await.expect("it is suspended");
    events.assert_undisturbed();

    let reads = rig.left.reads.get();
    rig.open();
    let (job, events) = rig.job(&on_request(), storage);
    let report = job.with_id(ID).run().await.expect("nothing fails");
    assert_eq!((report.status, &report.restored[..]), (JobStatus::Finished, &[second.checkpoint][..]));
    assert_eq!(rig.left.reads.get(), reads, "it was read again");
    events.assert_undisturbed();
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_checkpoints_after_tasks_finish_tasks_end_at_once_and_no_more_are_taken() {
    let rig = Rig::uneven(30, 60);
    rig.allow(20);
    let mut config = on_request();
    config.set_checkpoints_after_tasks_finish(false);
    let (job, events) = rig.job(&config, memory());
    let handle = job.start();
    rig.processed(20).await;
    checkpoint(&handle).await;
    rig.left.open();
    rig.sums.processed.reach(50 * SPLITS).await;
    // Whether it has been heard of the end of the source yet is open: if not, a checkpoint begins, and loses the source.
    let refused = loop {
        match handle.trigger_checkpoint().await {
            Err(RequestError::Refused(refused))
                if refused.reason != FailureReason::NotAllRequiredTasksRunning =>
            {
                let reasons = [
                    FailureReason::CheckpointDeclinedTaskClosing,
                    FailureReason::CheckpointDeclinedInputEndOfStream,
                ];
                assert!(reasons.contains(&refused.reason), "{refused}");
            }
            Ok(_) => {}
            refused => break refused,
        }
    };
    let RequestError::Refused(refused) = refused.expect_err("a source has ended") else { panic!("it runs") };
    assert_eq!(refused.reason, FailureReason::NotAllRequiredTasksRunning);
    rig.open();
    let report = handle.wait().await.expect("nothing fails");
    assert_eq!((report.status, report.attempts), (JobStatus::Finished, 1));
    events.assert_undisturbed();
    assert_eq!(rig.sums.processed.get(), 90 * SPLITS, "everything was processed");
    assert!(rig.ledger.committed().len() as u64 >= 40 * SPLITS, "what the checkpoint held is committed");
}
