//! What a person asks of a job at any moment of its life.

use super::gate::{Op, Release};
use super::*;
use stillframe_model::SavepointFormat;
use tokio::time::Instant;

async fn inside(shelf: &Shelf) {
    while shelf.gate.inside() == 0 {
        tokio::task::yield_now().await;
    }
}

fn idle(_: &[CheckpointId]) -> TaskResult<SourceStatus> {
    Ok(SourceStatus::Idle(SOON))
}

#[tokio::test(start_paused = true)]
async fn whoever_wonders_is_answered_while_an_attempt_begins_and_while_it_ends() {
    let shelf = Shelf::default();
    let _release = Release(Arc::clone(&shelf.gate));
    shelf.gate.close_for(Op::Claim);
    let handle = job(&shelf, idle).start();
    inside(&shelf).await;
    assert_eq!(handle.pending_checkpoints().await, Ok(Vec::new()));
    shelf.gate.open();
    while shelf.gate.inside() > 0 || shelf.completed().is_empty() {
        tokio::time::advance(SOON).await;
    }
    shelf.gate.close_for(Op::Conclude);
    handle.cancel();
    inside(&shelf).await;
    assert!(handle.pending_checkpoints().await.is_ok(), "its coordinator still runs");
    shelf.gate.open();
    assert_eq!(handle.wait().await.unwrap().status, JobStatus::Canceled);
}

#[tokio::test(start_paused = true)]
async fn who_ends_a_job_whose_attempt_is_failing_is_heard() {
    let shelf = Shelf::default();
    let _release = Release(Arc::clone(&shelf.gate));
    shelf.gate.close_for(Op::Create);
    let failing = Arc::new(AtomicBool::new(false));
    let fail = Arc::clone(&failing);
    let read = move |_: &[CheckpointId]| if fail.load(Ordering::SeqCst) { broken() } else { idle(&[]) };
    let (failed, mut failures) = mpsc::unbounded_channel();
    let handle = job(&shelf, read)
        .with_restart(RestartStrategy::FixedDelay { attempts: 9, delay: Duration::ZERO })
        .on_event(move |event| {
            if let JobEvent::Failed { .. } = event {
                let _ = failed.send(());
            }
        })
        .start();
    while shelf.gate.inside() == 0 {
        tokio::time::advance(SOON).await;
    }
    failing.store(true, Ordering::SeqCst);
    // The clock does not go on by itself while something hangs.
    while failures.try_recv().is_err() {
        tokio::time::advance(SOON).await;
    }
    // Its attempt waits for the write.
    handle.cancel();
    let refused = handle.trigger_checkpoint().await;
    assert_eq!(refused.expect_err("nothing begins any more"), RequestError::NotRunning);
    shelf.gate.open();
    let report = handle.wait().await.unwrap();
    assert_eq!((report.status, report.attempts), (JobStatus::Canceled, 1));
}

#[tokio::test(start_paused = true)]
async fn the_first_checkpoint_comes_when_the_given_randomness_says() {
    let second = Duration::from_secs(1);
    for (draw, expected) in [(0, second), (u32::MAX, second * 9)] {
        let mut config = CheckpointConfig::default();
        config.set_checkpoint_interval(second * 9).unwrap();
        config.set_min_pause_between_checkpoints(second);
        let mut graph = JobGraph::new();
        graph.source("source", 1, |_| Scripted { read: || idle(&[]), told: Arc::default() });
        let storage: Arc<dyn CheckpointStorage> = Arc::new(Shelf::default());
        let (triggered, mut triggers) = mpsc::unbounded_channel();
        let begun = Instant::now();
        let handle = Job::new(graph, &config, storage)
            .expect("a valid config")
            .with_randomness(move || draw)
            .on_event(move |event| {
                if let JobEvent::Triggered { .. } = event {
                    let _ = triggered.send(begun.elapsed());
                }
            })
            .start();
        let after = triggers.recv().await.unwrap();
        // The clock is a stopped one, so that only its own grain comes between.
        assert!((expected..expected + second / 10).contains(&after), "{draw}: {after:?}");
        handle.cancel();
        handle.wait().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_savepoint_that_stops_the_job_reaches_all_four_levels() {
    let shelf = Shelf::default();
    let handle = job(&shelf, idle).start();
    // One is refused before the tasks run.
    handle.trigger_checkpoint().await.unwrap();
    let savepoint = handle.begin_stop_with_savepoint(None, SavepointFormat::Canonical, false);
    let checkpoint = savepoint.triggered().await.unwrap();
    assert!(savepoint.captured().await.is_ok() && savepoint.durable().await.is_ok());
    let (outcome, _) = savepoint.published().await.unwrap();
    assert_eq!(outcome.checkpoint, checkpoint);
    assert!(savepoint.committed().await.is_ok(), "what was held back is let out");
    assert_eq!(handle.wait().await.unwrap().status, JobStatus::Finished);
}
