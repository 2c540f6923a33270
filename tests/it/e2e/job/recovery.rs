//! A job that fails in its process goes on from the newest completed checkpoint, and nothing of it shows in the output.

use super::rig::{Rig, checkpoint, memory, on_request};
use super::sums::Fault;
use super::watch::{Events, Seen};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use stillframe::prelude::*;
use stillframe::runtime::{JobError, JobFailure, RestartStrategy, TaskError};

/// Fails once after a completed checkpoint, at a number that only comes then.
async fn fails_once_after_a_checkpoint(fault: Fault) {
    let rig = Rig::new(200);
    rig.allow(80);
    let (job, events) = rig.job(&on_request(), memory());
    let handle = job.start();
    rig.processed(80).await;
    let newest = [checkpoint(&handle).await, checkpoint(&handle).await][1];
    // The first number of the split 0 beyond its position 120.
    rig.sums.fail_from(120 * 2 * super::numbers::SPLITS, fault, 1);
    rig.open();
    let report = handle.wait().await.expect("one failure is survived");

    assert_eq!((report.attempts, &report.restored[..]), (2, &[newest][..]));
    assert_eq!(events.count(|seen| *seen == Seen::Started(Some(newest))), 1);
    for valve in [&rig.left, &rig.right] {
        assert!(valve.restored().values().all(|position| *position == 80), "{:?}", valve.restored());
    }
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_is_survived() {
    fails_once_after_a_checkpoint(Fault::Error).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_survived() {
    fails_once_after_a_checkpoint(Fault::Panic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_before_the_first_checkpoint_begins_anew() {
    let rig = Rig::new(100);
    rig.sums.fail_from(50, Fault::Error, 2);
    let (job, events) = rig.job(&on_request(), memory());
    let report = job.run().await.expect("two failures are survived");
    assert_eq!(report.restored, []);
    assert_eq!(events.count(|seen| *seen == Seen::Started(None)) as u64, u64::from(report.attempts));
    assert!((2..=3).contains(&report.attempts), "{report:?}");
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_always_fails_says_who_and_why() {
    let rig = Rig::new(20);
    rig.sums.fail_from(0, Fault::Error, u32::MAX);
    let (job, events) = rig.job(&on_request(), memory());
    let error = job.run().await.expect_err("it always fails");
    let mut chain = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        chain.push(error.to_string());
        cause = error.source();
    }
    assert!(chain[0].contains("is not restarted (attempt 4)"), "{chain:?}");
    assert!(chain[1].starts_with("sums, subtask "), "{chain:?}");
    assert_eq!(chain[2], "the number was refused");
    assert!(chain[3].ends_with("is too large"), "{chain:?}");
    assert_eq!(events.count(|seen| matches!(seen, Seen::Failed(_))), 4);
    assert_eq!(rig.ledger.committed(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_always_panics_says_where_and_what() {
    let rig = Rig::new(20);
    rig.sums.fail_from(0, Fault::Panic, u32::MAX);
    let (job, _events) = Events::of(
        Job::new(rig.graph(1), &on_request(), memory())
            .expect("a valid config")
            .with_restart(RestartStrategy::None),
    );
    let error = job.run().await.expect_err("it always fails");
    let JobError::Failed { attempts: 1, latest: None, source, .. } = error else { panic!("{error:?}") };
    assert!(source.to_string().starts_with("sums, subtask 0, panicked: no place for "), "{source}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_task_is_named_with_its_subtask() {
    let rig = Rig::new(20);
    rig.sums.fail_from(0, Fault::Error, u32::MAX);
    let job = Job::new(rig.graph(3), &on_request(), memory())
        .expect("a valid config")
        .with_restart(RestartStrategy::None);
    let error = job.run().await.expect_err("it always fails");
    let JobError::Failed { source: JobFailure::Task { vertex, subtask, .. }, .. } = error else {
        panic!("{error:?}")
    };
    assert!(vertex.as_str() == "sums" && subtask < 3, "{vertex}, {subtask}");
}

type Word = (String, u64);

/// The source that comes along, behind a gate.
struct Gated {
    words: Replay<Word>,
    reads: u32,
    open: Arc<AtomicBool>,
}

impl Stateful for Gated {
    fn open(&mut self, restored: Restored) -> TaskResult<()> {
        Stateful::open(&mut self.words, restored)
    }

    fn snapshot(&mut self, checkpoint: CheckpointId) -> TaskResult<Snapshot> {
        self.words.snapshot(checkpoint)
    }
}

impl Source<Word> for Gated {
    fn read(&mut self, output: &mut Output<Word>) -> TaskResult<SourceStatus> {
        if self.reads == 3 && !self.open.load(Ordering::SeqCst) {
            return Ok(SourceStatus::Idle(Duration::from_millis(1)));
        }
        self.reads += 1;
        self.words.read(output)
    }
}

/// Passes words on; fails once, at a record after the gate was opened.
struct FailsOnce {
    armed: Arc<AtomicBool>,
}

impl Stateful for FailsOnce {}

impl Operator<Word> for FailsOnce {
    fn process(&mut self, word: Word, output: &mut Output<Word>) -> TaskResult<()> {
        if self.armed.swap(false, Ordering::SeqCst) {
            return Err(TaskError::message("once"));
        }
        output.emit(word);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_and_the_operator_that_come_along_survive_as_well() {
    let words: Vec<_> = (0..4_000_u64).map(|number| (format!("word-{}", number % 101), number)).collect();
    let mut expected = BTreeMap::<String, u64>::new();
    words.iter().for_each(|(word, number)| *expected.entry(word.clone()).or_default() += number);

    let [open, armed] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let found = Arc::new(Mutex::new(Vec::new()));
    let mut graph = JobGraph::new();
    let gate = Arc::clone(&open);
    let source = graph.source("words", 2, move |task| Gated {
        words: Replay::new(task, words.clone()),
        reads: 0,
        open: Arc::clone(&gate),
    });
    let failing = Arc::clone(&armed);
    let passed = graph.operator("doubtful", 2, [(source, Exchange::by_key())], move |_| FailsOnce {
        armed: Arc::clone(&failing),
    });
    let sums = graph.operator("sums", 2, [(passed, Exchange::by_key())], |task| {
        Reduce::new(task, |sum: &mut u64, n| *sum += n)
    });
    let output = Arc::clone(&found);
    graph.operator("output", 1, [(sums, Exchange::single())], move |_| {
        let output = Arc::clone(&output);
        ForEach::new(move |sum: Word| output.lock().expect("nothing panics while it holds this").push(sum))
    });
    let restart = RestartStrategy::FixedDelay { attempts: 1, delay: Duration::ZERO };
    let handle =
        Job::new(graph, &on_request(), memory()).expect("a valid config").with_restart(restart).start();
    let newest = checkpoint(&handle).await;
    armed.store(true, Ordering::SeqCst);
    open.store(true, Ordering::SeqCst);
    let report = handle.wait().await.expect("one failure is survived");
    assert_eq!((report.attempts, report.restored), (2, vec![newest]));
    let mut found = found.lock().expect("nothing panics while it holds this").clone();
    found.sort();
    assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
}
