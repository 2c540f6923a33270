//! Whatever does not return, the job ends in time, as it should, and says what it waited for.

use super::gate::{Gate, Op, Release};
use super::*;
use crate::error::chain;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use stillframe_config::ExternalizedCheckpointRetention;
use stillframe_model::{Pointer, SavepointFormat};

const TIMEOUT: Duration = Duration::from_secs(60);
const SHUTDOWN: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(250);

/// What happens to the job when something hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Nothing,
    Cancel,
    Suspend,
    Fail,
    End,
}

const RUNNING: u64 = 0;
const FAILING: u64 = 1;
const ENDING: u64 = 2;

/// A job, and everything that is to be seen of it.
struct Bench {
    shelf: Shelf,
    handle: JobHandle,
    offload: Offload,
    mode: Arc<AtomicU64>,
    told: Arc<Mutex<Vec<String>>>,
    completed: Arc<Mutex<Vec<CheckpointId>>>,
    elapsed: Duration,
}

impl Bench {
    fn new(shelf: &Shelf, resume: bool) -> Self {
        Self::with(shelf, resume, |_| {})
    }

    fn with(shelf: &Shelf, resume: bool, change: impl Fn(&mut CheckpointConfig)) -> Self {
        let (mode, told) = (Arc::new(AtomicU64::new(RUNNING)), Arc::<Mutex<Vec<String>>>::default());
        let completed = Arc::<Mutex<Vec<CheckpointId>>>::default();
        let mut config = CheckpointConfig::default();
        config.set_checkpoint_interval(Duration::from_secs(1)).unwrap();
        config.set_checkpoint_timeout(TIMEOUT).unwrap();
        config.set_tolerable_checkpoint_failure_number(1);
        config.set_externalized_checkpoint_retention(ExternalizedCheckpointRetention::RetainOnCancellation);
        change(&mut config);
        let mut graph = JobGraph::new();
        let script = Arc::clone(&mode);
        graph.source("source", 1, move |_| {
            let mode = Arc::clone(&script);
            let read = move || match mode.load(Ordering::SeqCst) {
                FAILING => {
                    mode.store(RUNNING, Ordering::SeqCst);
                    broken()
                }
                ENDING => Ok(SourceStatus::End),
                _ => Ok(SourceStatus::Idle(STEP)),
            };
            Scripted { read, told: Arc::default() }
        });
        let mut job = Job::new(graph, &config, Arc::new(shelf.clone()) as Arc<dyn CheckpointStorage>)
            .expect("a valid config")
            .with_id(JobId::from_bytes([9; 16]))
            .with_shutdown_timeout(SHUTDOWN)
            .with_restart(RestartStrategy::FixedDelay { attempts: 1, delay: Duration::ZERO });
        if resume {
            job = job.resume_from(Pointer::new("savepoint-3"));
        }
        let (log, seen) = (Arc::clone(&told), Arc::clone(&completed));
        let job = job.on_event(move |event| {
            if let JobEvent::Completed(completed) = event
                && !completed.kind.is_savepoint()
            {
                seen.lock().unwrap().push(completed.checkpoint);
            }
            log.lock().unwrap().push(match event {
                JobEvent::LeftBehind(left) => left.to_string(),
                event => format!("{event:?}"),
            });
        });
        let offload = job.offload.clone();
        let handle = job.start();
        Self { shelf: shelf.clone(), handle, offload, mode, told, completed, elapsed: Duration::ZERO }
    }

    /// Lets time pass, when everything that does not hang has been done, until this is so. Says whether it came to be.
    async fn until(&mut self, limit: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        let end = self.elapsed + limit;
        loop {
            for _ in 0..40 {
                tokio::task::yield_now().await;
            }
            if is_so(self) {
                return true;
            }
            if self.elapsed >= end {
                return false;
            }
            if self.offload.under_way().len() == self.shelf.gate.inside() {
                tokio::time::advance(STEP).await;
                self.elapsed += STEP;
            } else {
                std::thread::yield_now();
            }
        }
    }

    fn is_over(&self) -> bool {
        self.handle.running.is_finished()
    }

    fn completed(&self) -> usize {
        self.completed.lock().unwrap().len()
    }
}

/// A shelf on which the second checkpoint cannot be published.
fn shelf() -> Shelf {
    Shelf::publishing(|checkpoint| {
        if checkpoint == CheckpointId::new(2) {
            return Err(StorageError::new(ErrorKind::NoSpace, "publish", "a checkpoint"));
        }
        Ok(())
    })
}

/// Runs a job of which one kind of operation hangs. Says whether it was reached.
async fn run(op: Op, text: &str, then: Then) -> bool {
    let what = format!("{op:?} hangs, {then:?}");
    let shelf = shelf();
    let _release = Release(Arc::clone(&shelf.gate));
    let resume = matches!(op, Op::Resolve | Op::Adopt);
    if resume {
        shelf.keep_savepoint("savepoint-3");
    }
    let inside = |bench: &Bench| bench.shelf.gate.inside() > 0;
    shelf.gate.close_for(op);
    let mut bench = Bench::new(&shelf, resume);
    if matches!(op, Op::BeginSavepoint | Op::PublishSavepoint) {
        bench.until(SHUTDOWN, |bench| bench.completed() > 0).await;
        drop(bench.handle.begin_savepoint(None, SavepointFormat::Canonical));
    }
    bench.until(TIMEOUT, |bench| inside(bench) || bench.completed() >= 3 || bench.is_over()).await;
    let asked = match then {
        Then::Nothing => None,
        Then::Cancel => {
            bench.handle.cancel();
            Some(JobStatus::Canceled)
        }
        Then::Suspend => {
            bench.handle.suspend();
            Some(JobStatus::Suspended)
        }
        Then::Fail => {
            bench.mode.store(FAILING, Ordering::SeqCst);
            None
        }
        Then::End => {
            bench.mode.store(ENDING, Ordering::SeqCst);
            Some(JobStatus::Finished)
        }
    };
    let bound = match then {
        Then::Cancel | Then::Suspend => SHUTDOWN * 2 + STEP * 4,
        Then::Nothing | Then::Fail | Then::End => TIMEOUT * 4,
    };
    let mut has_ended = bench.until(bound, Bench::is_over).await;
    let asked = match (has_ended, then) {
        (false, Then::Nothing | Then::Fail) => {
            bench.handle.cancel();
            has_ended = bench.until(SHUTDOWN * 2 + STEP * 4, Bench::is_over).await;
            Some(JobStatus::Canceled)
        }
        _ => asked,
    };
    assert!(has_ended, "{what}: not within {bound:?}; told: {:#?}", bench.told.lock().unwrap());
    let was_reached = inside(&bench);
    let Bench { handle, told, completed, .. } = bench;
    let mut said = told.lock().unwrap().join("\n");
    match handle.wait().await {
        Ok(report) => {
            assert_eq!(Some(report.status), asked, "{what}: {said}");
            said.extend(report.left_behind.iter().map(ToString::to_string));
        }
        Err(error) => {
            if asked.is_some_and(|asked| asked != JobStatus::Finished) && !said.is_empty() {
                assert!(matches!(error, JobError::Storage(_)), "{what}: {error:?}");
            }
            said.push_str(&chain(&error));
        }
    }
    if was_reached {
        assert!(said.contains(text), "{what}: nobody was told of `{text}`:\n{said}");
        assert!(said.contains("no answer for"), "{what}: {said}");
    }
    if let Some(latest) = completed.lock().unwrap().last()
        && shelf.ended() != Some(JobStatus::Finished)
    {
        assert!(shelf.completed().contains(latest), "{what}: checkpoint {latest} is lost: {said}");
    }
    was_reached
}

#[tokio::test(start_paused = true)]
async fn whatever_the_storage_does_not_answer_the_job_ends_in_time() {
    let mut missed: BTreeSet<_> = Op::ALL.into_iter().map(|(op, _)| op).collect();
    for (op, text) in Op::ALL {
        for then in [Then::Nothing, Then::Cancel, Then::Suspend, Then::Fail, Then::End] {
            if run(op, text, then).await {
                missed.remove(&op);
            }
        }
    }
    assert_eq!(missed, BTreeSet::new(), "these were never asked for");
}

#[tokio::test(start_paused = true)]
async fn what_hangs_while_a_job_fails_keeps_it_from_restarting() {
    let shelf = shelf();
    let _release = Release(Arc::clone(&shelf.gate));
    let mut bench = Bench::new(&shelf, false);
    bench.until(TIMEOUT, |bench| bench.completed() > 0).await;
    shelf.gate.close_for(Op::Create);
    bench.until(TIMEOUT, |bench| bench.shelf.gate.inside() > 0).await;
    bench.mode.store(FAILING, Ordering::SeqCst);
    assert!(bench.until(SHUTDOWN * 3, Bench::is_over).await);
    let error = bench.handle.wait().await.expect_err("it failed, and something hangs");
    let JobError::Failed { attempts: 1, source: JobFailure::LeftBehind { left, cause }, .. } = error else {
        panic!("{error:?}")
    };
    assert!(matches!(&left[..], [LeftBehind::Call { .. }]), "{left:?}");
    assert!(matches!(*cause, JobFailure::Task { .. }), "{cause:?}");
    assert_eq!(shelf.claims(), 1, "the storage is not used again");
}

#[tokio::test(start_paused = true)]
async fn removals_wait_for_each_other_if_the_config_wishes_it() {
    for (parallel, expected) in [(true, 2), (false, 1)] {
        let shelf = Shelf::default();
        let _release = Release(Arc::clone(&shelf.gate));
        shelf.gate.close_for(Op::Remove);
        let mut bench = Bench::with(&shelf, false, |config| {
            config.set_cleaner_parallel_mode(parallel);
        });
        bench.until(Duration::from_secs(20), |_| false).await;
        assert_eq!(bench.shelf.gate.inside(), expected, "one is held, another one is due");
        bench.handle.cancel();
        assert!(bench.until(SHUTDOWN * 3, Bench::is_over).await);
    }
}

/// Code of the user that does not return until the test does.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_job_whose_task_does_not_return_ends_all_the_same() {
    let (release, held) = blocking::channel::<()>();
    let (held, (entered, mut entries)) = (Arc::new(Mutex::new(held)), mpsc::unbounded_channel());
    let shelf = Shelf::default();
    let handle = job(&shelf, move |_: &[CheckpointId]| {
        let _ = entered.send(());
        let _ = held.lock().unwrap_or_else(PoisonError::into_inner).recv();
        broken()
    })
    .with_shutdown_timeout(Duration::from_millis(20))
    .start();
    entries.recv().await.unwrap();
    handle.cancel();
    let report = handle.wait().await.unwrap();
    assert_eq!((report.status, shelf.ended()), (JobStatus::Canceled, Some(JobStatus::Canceled)));
    let expected = LeftBehind::Task { vertex: Name::new("source").unwrap(), subtask: 0 };
    assert_eq!(report.left_behind, [expected]);
    drop(release);
}

/// The runtime of most programs waits when it goes down, but not for the threads of the storage.
#[test]
fn a_program_whose_storage_hangs_can_end() {
    let shelf = Shelf::default();
    let gate: Arc<Gate> = Arc::clone(&shelf.gate);
    gate.close_for(Op::Claim);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let ended = runtime.block_on(async {
        let handle = job(&shelf, |_: &[CheckpointId]| broken())
            .with_shutdown_timeout(Duration::from_millis(20))
            .start();
        while shelf.gate.inside() == 0 {
            tokio::task::yield_now().await;
        }
        handle.cancel();
        handle.wait().await
    });
    assert!(matches!(ended, Err(JobError::Storage(_))), "{ended:?}");
    drop(runtime);
    assert_eq!(gate.inside(), 1, "it still hangs");
    gate.open();
}
