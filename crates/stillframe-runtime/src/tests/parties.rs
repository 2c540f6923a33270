//! Hooks of the job and coordinators of operators: asked in order, restored with what they gave.

use super::gate::{Gate, Op, Release};
use super::*;
use crate::error::chain;
use bytes::Bytes;

type Log = Arc<Mutex<Vec<String>>>;

/// Keeps the number of the checkpoint, and writes down what it is asked.
struct Noting {
    log: Log,
    refuses: bool,
}

impl Noting {
    fn note(&self, line: String) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

fn text(state: Option<&Bytes>) -> String {
    state.map_or_else(|| "nothing".into(), |state| String::from_utf8_lossy(state).into_owned())
}

impl MasterHook for Noting {
    fn name(&self) -> &str {
        "ledger"
    }

    fn trigger(&self, checkpoint: CheckpointId, _: UnixMillis) -> TaskResult<Option<Bytes>> {
        self.note(format!("hook {checkpoint}"));
        if self.refuses {
            Err(TaskError::message("not today"))
        } else {
            Ok(Some(format!("h{checkpoint}").into()))
        }
    }

    fn restore(&self, checkpoint: CheckpointId, state: Option<Bytes>) -> TaskResult<()> {
        self.note(format!("hook restored {checkpoint} {}", text(state.as_ref())));
        Ok(())
    }

    fn reset(&self) -> TaskResult<()> {
        self.note("hook reset".into());
        Ok(())
    }

    fn close(&self) {
        self.note("hook closed".into());
    }
}

impl OperatorCoordinator for Noting {
    fn checkpoint(&mut self, checkpoint: CheckpointId) -> TaskResult<Bytes> {
        self.note(format!("coordinator {checkpoint}"));
        Ok(format!("c{checkpoint}").into())
    }

    fn notify_complete(&mut self, checkpoint: CheckpointId) {
        self.note(format!("coordinator complete {checkpoint}"));
    }

    fn notify_aborted(&mut self, checkpoint: CheckpointId) {
        self.note(format!("coordinator aborted {checkpoint}"));
    }

    fn reset(&mut self, checkpoint: Option<CheckpointId>, state: Option<Bytes>) -> TaskResult<()> {
        let checkpoint = checkpoint.map_or_else(|| "anew".into(), |checkpoint| checkpoint.to_string());
        self.note(format!("coordinator reset {checkpoint} {}", text(state.as_ref())));
        Ok(())
    }
}

/// A job without periodic checkpoints, whose source reads when `read` says so, and has a coordinator.
fn coordinated(
    shelf: &Shelf,
    log: &Log,
    read: impl FnMut(&[CheckpointId]) -> TaskResult<SourceStatus> + Clone + Send + Sync + 'static,
) -> Job<u64> {
    let mut graph = JobGraph::new();
    let source = graph.source("source", 1, move |_| {
        let told = Arc::new(Mutex::new(Vec::new()));
        let (heard, mut read) = (Arc::clone(&told), read.clone());
        Scripted { read: move || read(&heard.lock().unwrap_or_else(PoisonError::into_inner)), told }
    });
    graph.coordinate(source, Noting { log: Arc::clone(log), refuses: false });
    let storage = Arc::new(shelf.clone()) as Arc<dyn CheckpointStorage>;
    Job::new(graph, &CheckpointConfig::default(), storage)
        .expect("a valid config")
        .with_id(JobId::from_bytes([5; 16]))
}

/// The same with a hook.
fn noted(
    shelf: &Shelf,
    log: &Log,
    refuses: bool,
    read: impl FnMut(&[CheckpointId]) -> TaskResult<SourceStatus> + Clone + Send + Sync + 'static,
) -> Job<u64> {
    coordinated(shelf, log, read).with_master_hook(Noting { log: Arc::clone(log), refuses })
}

fn idle(_: &[CheckpointId]) -> TaskResult<SourceStatus> {
    Ok(SourceStatus::Idle(SOON))
}

#[tokio::test]
async fn what_hooks_and_coordinators_keep_is_given_back_to_them() {
    let (shelf, log) = (Shelf::default(), Log::default());
    let handle = noted(&shelf, &log, false, idle).start();
    handle.trigger_checkpoint().await.unwrap();
    handle.suspend();
    handle.wait().await.unwrap();
    let expected = [
        "hook reset",
        "coordinator reset anew nothing",
        "coordinator 1",
        "hook 1",
        "coordinator complete 1",
        "hook closed",
    ];
    assert_eq!(*log.lock().unwrap(), expected);

    log.lock().unwrap().clear();
    let handle = noted(&shelf, &log, false, idle).start();
    handle.trigger_checkpoint().await.unwrap();
    handle.suspend();
    handle.wait().await.unwrap();
    assert_eq!(log.lock().unwrap()[..2], ["hook restored 1 h1", "coordinator reset 1 c1"]);
}

#[tokio::test]
async fn state_of_a_hook_or_a_coordinator_that_is_gone_is_refused() {
    let (shelf, log) = (Shelf::default(), Log::default());
    let handle = noted(&shelf, &log, false, idle).start();
    handle.trigger_checkpoint().await.unwrap();
    handle.suspend();
    handle.wait().await.unwrap();
    let without_hook = coordinated(&shelf, &log, idle);
    let without_both = job(&shelf, idle).with_id(JobId::from_bytes([5; 16]));
    for (job, missing) in [(without_hook, "ledger"), (without_both, "coordinator")] {
        let ended = job.run().await;
        assert!(
            matches!(&ended, Err(JobError::Mismatch { problem, .. }) if problem.contains(missing)),
            "{ended:?}"
        );
    }
}

#[tokio::test]
async fn a_hook_that_refuses_is_named_and_no_task_is_triggered() {
    let (shelf, log) = (Shelf::default(), Log::default());
    let handle = noted(&shelf, &log, true, idle).start();
    let refused = handle.trigger_checkpoint().await.expect_err("the hook refuses").to_string();
    assert!(refused.contains("the hook ledger: not today"), "{refused}");
    // No fault of a task: the job goes on.
    handle.cancel();
    assert_eq!(handle.wait().await.unwrap().status, JobStatus::Canceled);
    assert!(log.lock().unwrap().contains(&"coordinator aborted 1".to_owned()), "{log:?}");
}

#[tokio::test]
async fn two_hooks_need_two_names() {
    let (shelf, log) = (Shelf::default(), Log::default());
    let ended = noted(&shelf, &log, false, idle)
        .with_master_hook(Noting { log: Arc::clone(&log), refuses: false })
        .run()
        .await;
    assert!(matches!(&ended, Err(JobError::Graph { problem }) if problem.contains("ledger")), "{ended:?}");
}

#[tokio::test]
async fn statistics_go_on_over_attempts_and_say_what_was_restored() {
    let (shelf, log) = (Shelf::default(), Log::default());
    let failing = Arc::new(AtomicBool::new(false));
    let fail = Arc::clone(&failing);
    let read = move |_: &[CheckpointId]| {
        if fail.swap(false, Ordering::SeqCst) { broken() } else { Ok(SourceStatus::Idle(SOON)) }
    };
    let (started, mut starts) = mpsc::unbounded_channel();
    let handle = noted(&shelf, &log, false, read)
        .with_restart(RestartStrategy::FixedDelay { attempts: 1, delay: Duration::ZERO })
        .on_event(move |event| {
            if let JobEvent::Started { restored, .. } = event {
                let _ = started.send(*restored);
            }
        })
        .start();
    assert_eq!(starts.recv().await, Some(None));
    handle.trigger_checkpoint().await.unwrap();
    failing.store(true, Ordering::SeqCst);
    assert_eq!(starts.recv().await, Some(Some(CheckpointId::FIRST)));
    handle.trigger_checkpoint().await.unwrap();
    let statistics = handle.statistics().expect("it has begun").snapshot();
    assert_eq!((statistics.counts.completed, statistics.counts.restored), (2, 1));
    let restored = statistics.latest.restored.expect("it was restored");
    assert_eq!((restored.id, restored.is_savepoint), (CheckpointId::FIRST, false));
    handle.cancel();
    handle.wait().await.unwrap();
}

/// User code that does not return until its gate opens.
struct Stuck(Arc<Gate>);

impl MasterHook for Stuck {
    fn name(&self) -> &str {
        "stuck"
    }

    fn trigger(&self, _: CheckpointId, _: UnixMillis) -> TaskResult<Option<Bytes>> {
        self.0.pass(Op::Write);
        Ok(Some(Bytes::from_static(b"stuck")))
    }

    fn restore(&self, _: CheckpointId, _: Option<Bytes>) -> TaskResult<()> {
        self.0.pass(Op::Next);
        Ok(())
    }

    fn close(&self) {
        self.0.pass(Op::Conclude);
    }
}

const SHUTDOWN: Duration = Duration::from_secs(5);

/// Lets time pass, when everything that does not hang has been done, until the job is over. Says how much that was.
async fn wind_forward(handle: &JobHandle, offload: &Offload, gate: &Gate) -> Duration {
    let (step, mut elapsed) = (Duration::from_millis(250), Duration::ZERO);
    while elapsed < Duration::from_secs(3_600) {
        for _ in 0..40 {
            tokio::task::yield_now().await;
        }
        if handle.running.is_finished() {
            return elapsed;
        }
        // Who is to be told something stands behind whoever hangs.
        let others = offload.under_way().into_iter().filter(|it| !it.call.to_string().starts_with("notify"));
        if others.count() == gate.inside() {
            tokio::time::advance(step).await;
            elapsed += step;
        } else {
            std::thread::yield_now();
        }
    }
    panic!("the job does not end");
}

async fn inside(gate: &Gate) {
    while gate.inside() == 0 {
        tokio::task::yield_now().await;
    }
}

/// The driver of the coordinator waits for nobody's code for ever either.
#[tokio::test(start_paused = true)]
async fn a_hook_that_does_not_return_is_left_behind() {
    let (shelf, log, gate) = (Shelf::default(), Log::default(), Arc::<Gate>::default());
    let _release = Release(Arc::clone(&gate));
    gate.close_for(Op::Write);
    let job = noted(&shelf, &log, false, idle)
        .with_master_hook(Stuck(Arc::clone(&gate)))
        .with_shutdown_timeout(SHUTDOWN);
    let offload = job.offload.clone();
    let handle = job.start();
    let checkpoint = handle.begin_checkpoint();
    inside(&gate).await;
    // The other hook may not have answered yet, in a thread of its own.
    let waits_for_it = |pending: &[PendingCheckpoint]| match pending {
        [pending] => pending.to_string().contains("hooks stuck"),
        _ => panic!("one is in progress: {pending:?}"),
    };
    while !waits_for_it(&handle.pending_checkpoints().await.unwrap()) {
        std::thread::yield_now();
    }
    handle.cancel();
    wind_forward(&handle, &offload, &gate).await;
    assert!(checkpoint.published().await.is_err());
    let report = handle.wait().await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert_eq!(report.status, JobStatus::Canceled);
    let left = report.left_behind.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(left.contains("trigger the hook stuck"), "{left}");
}

/// A coordinator that does not give its state.
struct Breaking(Option<Arc<Gate>>);

impl OperatorCoordinator for Breaking {
    fn checkpoint(&mut self, _: CheckpointId) -> TaskResult<Bytes> {
        let Some(gate) = &self.0 else { panic!("half of it is changed") };
        gate.pass(Op::Write);
        Ok(Bytes::new())
    }

    fn reset(&mut self, _: Option<CheckpointId>, _: Option<Bytes>) -> TaskResult<()> {
        Ok(())
    }
}

/// What it would give to the next checkpoint could not be relied on.
#[tokio::test(start_paused = true)]
async fn a_coordinator_that_panics_or_hangs_over_its_state_fails_the_job() {
    for hangs in [false, true] {
        let gate = Arc::<Gate>::default();
        let _release = Release(Arc::clone(&gate));
        gate.close_for(Op::Write);
        let mut graph = JobGraph::new();
        let source = graph.source("source", 1, |_| Scripted { read: || idle(&[]), told: Arc::default() });
        graph.coordinate(source, Breaking(hangs.then(|| Arc::clone(&gate))));
        let storage: Arc<dyn CheckpointStorage> = Arc::new(Shelf::default());
        let mut config = CheckpointConfig::default();
        config.set_tolerable_checkpoint_failure_number(9);
        let job = Job::new(graph, &config, storage)
            .expect("a valid config")
            .with_restart(RestartStrategy::None)
            .with_shutdown_timeout(SHUTDOWN);
        let offload = job.offload.clone();
        let handle = job.start();
        let checkpoint = handle.begin_checkpoint();
        wind_forward(&handle, &offload, &gate).await;
        assert!(checkpoint.published().await.is_err());
        let error = handle.wait().await.expect_err("a global failure");
        let text = chain(&error);
        assert!(text.contains("the coordinator of an operator: ") && text.contains("snapshot"), "{text}");
        assert_eq!(text.contains("panicked"), !hangs, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_does_not_close_is_named_and_keeps_no_other_from_closing() {
    let (shelf, log, gate) = (Shelf::default(), Log::default(), Arc::<Gate>::default());
    let _release = Release(Arc::clone(&gate));
    gate.close_for(Op::Conclude);
    let job = coordinated(&shelf, &log, idle)
        .with_master_hook(Stuck(Arc::clone(&gate)))
        .with_master_hook(Noting { log: Arc::clone(&log), refuses: false })
        .with_shutdown_timeout(SHUTDOWN);
    let offload = job.offload.clone();
    let handle = job.start();
    handle.trigger_checkpoint().await.unwrap();
    handle.cancel();
    let took = wind_forward(&handle, &offload, &gate).await;
    assert!(took <= SHUTDOWN * 3, "{took:?}");
    let left = handle.wait().await.unwrap().left_behind;
    let [left] = &left[..] else { panic!("{left:?}") };
    assert!(left.to_string().starts_with("close the hook stuck"), "{left}");
    assert!(log.lock().unwrap().contains(&"hook closed".to_owned()), "{log:?}");
}

/// Cannot be restored so many times.
struct Reluctant(Mutex<u32>);

impl MasterHook for Reluctant {
    fn name(&self) -> &str {
        "reluctant"
    }

    fn trigger(&self, _: CheckpointId, _: UnixMillis) -> TaskResult<Option<Bytes>> {
        Ok(Some(Bytes::from_static(b"state")))
    }

    fn restore(&self, _: CheckpointId, _: Option<Bytes>) -> TaskResult<()> {
        let mut times = self.0.lock().unwrap();
        match times.checked_sub(1) {
            None => Ok(()),
            Some(left) => {
                *times = left;
                Err(TaskError::message("not now"))
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_cannot_be_restored_uses_up_an_attempt() {
    for (times, is_for_good) in [(1, false), (9, true)] {
        let (shelf, log) = (Shelf::default(), Log::default());
        let read = |told: &[CheckpointId]| if told.is_empty() { idle(told) } else { broken() };
        let (failed, mut failures) = mpsc::unbounded_channel();
        let handle = coordinated(&shelf, &log, read)
            .with_master_hook(Reluctant(Mutex::new(times)))
            .with_restart(RestartStrategy::FixedDelay { attempts: 2, delay: Duration::from_secs(1) })
            .on_event(move |event| {
                if let JobEvent::Failed { cause, .. } = event {
                    let _ = failed.send(chain(*cause));
                }
            })
            .start();
        handle.trigger_checkpoint().await.unwrap();
        let first = failures.recv().await.unwrap();
        assert!(first.contains("broken"), "{first}");
        let second = failures.recv().await.unwrap();
        assert_eq!(second, "the hook reluctant could not be restored: not now");
        if is_for_good {
            let ended = handle.wait().await;
            let Err(JobError::Failed { source: JobFailure::Restore { .. }, .. }) = ended else {
                panic!("{ended:?}")
            };
            assert_eq!(shelf.ended(), Some(JobStatus::Failed), "the storage is well, and it goes on record");
        } else {
            // The third attempt runs until it has a checkpoint, as the first did.
            while handle.trigger_checkpoint().await.is_err() {
                tokio::time::advance(Duration::from_secs(1)).await;
            }
            let ended = handle.wait().await;
            assert!(
                matches!(ended, Err(JobError::Failed { attempts: 3, source: JobFailure::Task { .. }, .. })),
                "{ended:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_ended_while_a_hook_hangs_over_its_restore_ends_as_it_should() {
    let (shelf, log, gate) = (Shelf::default(), Log::default(), Arc::<Gate>::default());
    let _release = Release(Arc::clone(&gate));
    let stuck = || {
        coordinated(&shelf, &log, idle)
            .with_master_hook(Stuck(Arc::clone(&gate)))
            .with_shutdown_timeout(SHUTDOWN)
    };
    let handle = stuck().start();
    handle.trigger_checkpoint().await.unwrap();
    handle.suspend();
    handle.wait().await.unwrap();

    gate.close_for(Op::Next);
    let job = stuck();
    let offload = job.offload.clone();
    let handle = job.start();
    inside(&gate).await;
    handle.cancel();
    wind_forward(&handle, &offload, &gate).await;
    let report = handle.wait().await.unwrap();
    assert_eq!((report.status, shelf.ended()), (JobStatus::Canceled, Some(JobStatus::Canceled)));
    assert!(report.left_behind.iter().any(|left| left.to_string().contains("restore the hook stuck")));
}
