//! What the drivers owe the machines: nothing hangs, nothing is swallowed. Whole jobs are tested in `tests/`.

mod cancelling;
mod gate;
mod hanging;
mod lanes;
mod levels;
mod parties;
mod reports;
mod requests;
mod stopping;
mod storage;

use crate::backlog::{Backlog, SourceBacklog};
use crate::control::{Control, Message};
use crate::gate::Element;
use crate::offload::Offload;
use crate::output::Edge;
use crate::task::{Stop, Task};
use crate::*;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as blocking};
use std::time::Duration;
use stillframe_config::{BarrierPolicy, CheckpointConfig};
use stillframe_model::{
    Attempt, Barrier, CheckpointId, CheckpointKind, FailureReason, JobId, JobStatus, LocationReference, Name,
    TaskId, UnixMillis, VertexId,
};
use stillframe_storage::{CheckpointStorage, ErrorKind, StorageError};
use stillframe_task::TaskMachine;
use storage::Shelf;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A source that says what its closure says, and writes down what it is told.
struct Scripted<F> {
    read: F,
    told: Arc<Mutex<Vec<CheckpointId>>>,
}

impl<F: Send + 'static> Stateful for Scripted<F> {
    fn snapshot(&mut self, _: CheckpointId) -> TaskResult<Snapshot> {
        Snapshot::new().with_element(&7_u64)
    }

    fn notify_complete(&mut self, checkpoint: CheckpointId) -> TaskResult<()> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(checkpoint);
        Ok(())
    }
}

impl<F: FnMut() -> TaskResult<SourceStatus> + Send + 'static> Source<u64> for Scripted<F> {
    fn read(&mut self, _: &mut Output<u64>) -> TaskResult<SourceStatus> {
        (self.read)()
    }
}

/// The driver of one source task, with both ends of its channels.
struct Rig {
    task: Task<u64>,
    control: mpsc::UnboundedSender<Control>,
    /// Kept open, as the job does.
    inbox: mpsc::UnboundedReceiver<Message>,
    behind: mpsc::Receiver<Element<u64>>,
}

fn rig() -> Rig {
    rig_with(0)
}

/// The same for a task with so many inputs.
fn rig_with(inputs: usize) -> Rig {
    let (sender, behind) = mpsc::channel(8);
    let (control, receiver) = mpsc::unbounded_channel();
    let (coordinator, inbox) = mpsc::unbounded_channel();
    let backlog = SourceBacklog::new(VertexId::new(0), coordinator.clone());
    let task = Task {
        id: TaskId { vertex: VertexId::new(0), subtask: 0 },
        context: TaskContext {
            job: JobId::from_bytes([1; 16]),
            vertex: Name::new("source").unwrap(),
            subtask: 0,
            parallelism: 1,
            max_parallelism: 128,
            attempt: Attempt::new(0),
        },
        machine: TaskMachine::new(inputs, BarrierPolicy::Align, None),
        output: Output::new(vec![Edge::new(Exchange::single(), 128, vec![sender])]),
        control: receiver,
        coordinator,
        storage: Arc::new(Shelf::default()),
        offload: Offload::new(),
        observer: Arc::new(|_| {}),
        captures: JoinSet::new(),
        prepared: None,
        under_way: BTreeMap::new(),
        alignments: BTreeMap::new(),
        history: None,
        finished: false,
        stopped: false,
        backlog: Backlog::new(0, &backlog),
    };
    Rig { task, control, inbox, behind }
}

fn barrier(number: u64) -> Barrier {
    Barrier {
        checkpoint: CheckpointId::new(number),
        kind: CheckpointKind::Checkpoint,
        triggered_at: UnixMillis(0),
        location: LocationReference::Default,
    }
}

/// The one behind is told to close first, while a younger checkpoint is still on its way through this one.
#[tokio::test]
async fn a_task_at_its_end_outlives_those_behind_it_and_still_commits() {
    let Rig { task, control, inbox: _inbox, mut behind } = rig();
    let told = Arc::new(Mutex::new(Vec::new()));
    let source = Scripted { read: || Ok(SourceStatus::End), told: Arc::clone(&told) };
    let running = tokio::spawn(task.run_source(Box::new(source), Restored::default()));
    while !matches!(behind.recv().await, Some(Element::EndOfData { .. })) {}
    drop(behind);
    for message in
        [Control::Trigger(barrier(2)), Control::NotifyComplete(CheckpointId::new(1)), Control::Close]
    {
        control.send(message).unwrap();
    }
    assert!(
        matches!(running.await.unwrap(), Ok(())),
        "it was cut off, and the job would wait for it for ever"
    );
    assert_eq!(*told.lock().unwrap(), [CheckpointId::new(1)]);
}

#[tokio::test]
async fn a_task_with_more_records_is_cut_off_when_those_behind_it_are_gone() {
    let Rig { task, control, inbox: _inbox, behind } = rig();
    drop(behind);
    control.send(Control::Trigger(barrier(1))).unwrap();
    let source = Scripted { read: || Ok(SourceStatus::More), told: Arc::default() };
    let ended = task.run_source(Box::new(source), Restored::default()).await;
    assert!(matches!(ended, Err(Stop::Disconnected)));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_waits_is_not_kept_waiting_by_messages() {
    let Rig { task, control, inbox: _inbox, mut behind } = rig();
    let mut reads = 0;
    let read = move || {
        reads += 1;
        Ok(if reads == 1 { SourceStatus::Idle(Duration::from_secs(1)) } else { SourceStatus::End })
    };
    let source = Scripted { read, told: Arc::default() };
    let _running = tokio::spawn(task.run_source(Box::new(source), Restored::default()));
    for number in 1..10 {
        // Let the task see each message before the clock goes on.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let checkpoint = CheckpointId::new(number);
        control.send(Control::NotifyAborted { checkpoint, latest_complete: None }).unwrap();
        tokio::time::advance(Duration::from_millis(600)).await;
    }
    assert!(
        matches!(behind.try_recv(), Ok(Element::EndOfData { .. })),
        "it did not read again in 5.4 seconds"
    );
}

/// Checkpoints every 10 ms.
fn job(
    storage: &Shelf,
    read: impl FnMut(&[CheckpointId]) -> TaskResult<SourceStatus> + Clone + Send + Sync + 'static,
) -> Job<u64> {
    job_retaining(1, storage, read)
}

/// The same, of which so many are retained.
fn job_retaining(
    retained: u32,
    storage: &Shelf,
    read: impl FnMut(&[CheckpointId]) -> TaskResult<SourceStatus> + Clone + Send + Sync + 'static,
) -> Job<u64> {
    let mut config = CheckpointConfig::default();
    config.set_checkpoint_interval(Duration::from_millis(10)).unwrap();
    config.set_num_retained_checkpoints(NonZeroU32::new(retained).unwrap());
    let mut graph = JobGraph::new();
    graph.source("source", 1, move |_| {
        let told = Arc::new(Mutex::new(Vec::new()));
        let (heard, mut read) = (Arc::clone(&told), read.clone());
        Scripted { read: move || read(&heard.lock().unwrap_or_else(PoisonError::into_inner)), told }
    });
    Job::new(graph, &config, Arc::new(storage.clone()) as Arc<dyn CheckpointStorage>).expect("a valid config")
}

fn broken() -> TaskResult<SourceStatus> {
    Err(TaskError::message("broken"))
}

const SOON: Duration = Duration::from_millis(1);

#[tokio::test]
async fn a_job_that_is_cancelled_between_two_attempts_is_cancelled_for_good() {
    let shelf = Shelf::default();
    let read = |told: &[CheckpointId]| if told.is_empty() { Ok(SourceStatus::Idle(SOON)) } else { broken() };
    let (failed, mut failures) = mpsc::unbounded_channel();
    let handle = job(&shelf, read)
        .with_restart(RestartStrategy::FixedDelay { attempts: 9, delay: Duration::from_secs(3_600) })
        .on_event(move |event| {
            if let JobEvent::Failed { .. } = event {
                let _ = failed.send(());
            }
        })
        .start();
    failures.recv().await.unwrap();
    handle.cancel();
    assert_eq!(handle.wait().await.unwrap().status, JobStatus::Canceled);
    assert_eq!(
        shelf.ended(),
        Some(JobStatus::Canceled),
        "a later run would go on as if nothing had happened"
    );
    assert_eq!(shelf.completed(), [], "the retention says that nothing is kept");
}

#[tokio::test]
async fn an_outcome_that_becomes_unknown_while_the_job_fails_keeps_it_from_restarting() {
    let publishing = Arc::new(AtomicBool::new(false));
    let (release, released) = blocking::channel::<()>();
    let released = Mutex::new(released);
    let shelf = {
        let publishing = Arc::clone(&publishing);
        Shelf::publishing(move |_| {
            publishing.store(true, Ordering::SeqCst);
            // Ends with the first failure of the job.
            let _ = released.lock().unwrap_or_else(PoisonError::into_inner).recv();
            Err(StorageError::new(ErrorKind::OutcomeUnknown, "publish", "a checkpoint"))
        })
    };
    let read = move |_: &[CheckpointId]| {
        if publishing.load(Ordering::SeqCst) { broken() } else { Ok(SourceStatus::Idle(SOON)) }
    };
    let ended = job(&shelf, read)
        .with_restart(RestartStrategy::FixedDelay { attempts: 9, delay: Duration::ZERO })
        .on_event(move |event| {
            if let JobEvent::Failed { .. } = event {
                let _ = release.send(());
            }
        })
        .run()
        .await;
    let Err(JobError::Failed { attempts, source, .. }) = ended else { panic!("{ended:?}") };
    assert!(
        matches!(source, JobFailure::Checkpoints { reason: FailureReason::OutcomeUnknown, .. }),
        "{source}"
    );
    assert_eq!(attempts, 1, "this process cannot know what is durable");
}

#[tokio::test]
async fn an_id_of_an_attempt_that_failed_is_not_used_again() {
    let first = AtomicBool::new(true);
    let shelf = Shelf::publishing(move |_| {
        if first.swap(false, Ordering::SeqCst) {
            return Err(StorageError::new(ErrorKind::NoSpace, "publish", "a checkpoint"));
        }
        Ok(())
    });
    let (triggered, mut ids) = mpsc::unbounded_channel();
    let read = |told: &[CheckpointId]| {
        Ok(if told.is_empty() { SourceStatus::Idle(SOON) } else { SourceStatus::End })
    };
    let report = job(&shelf, read)
        .with_restart(RestartStrategy::FixedDelay { attempts: 9, delay: Duration::ZERO })
        .on_event(move |event| {
            if let JobEvent::Triggered { checkpoint, .. } = event {
                let _ = triggered.send(*checkpoint);
            }
        })
        .run()
        .await
        .unwrap();
    assert_eq!(report.attempts, 2, "no failed checkpoint is tolerated");
    let ids: Vec<_> = std::iter::from_fn(|| ids.try_recv().ok()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
}

/// Fails once, after its first checkpoint.
fn once_broken(told: &[CheckpointId]) -> TaskResult<SourceStatus> {
    match told {
        [] => Ok(SourceStatus::Idle(SOON)),
        [CheckpointId::FIRST, ..] => broken(),
        [_, ..] => Ok(SourceStatus::End),
    }
}

#[tokio::test]
async fn a_storage_that_fails_during_a_restore_uses_up_an_attempt() {
    let restart = RestartStrategy::FixedDelay { attempts: 2, delay: Duration::ZERO };
    let shelf = Shelf::default().with_bad_claim(1);
    let report = job(&shelf, once_broken).with_restart(restart).run().await.unwrap();
    assert_eq!(
        (report.status, report.attempts),
        (JobStatus::Finished, 2),
        "the attempt between them did not begin"
    );

    let ended = job(&Shelf::default().with_bad_claim(0), once_broken).with_restart(restart).run().await;
    assert!(
        matches!(ended, Err(JobError::Storage(_))),
        "a job that cannot even begin says so at once: {ended:?}"
    );
}

#[tokio::test]
async fn what_a_run_killed_at_its_end_left_behind_is_removed() {
    let shelf = Shelf::default().killed_at_its_end();
    let report = job(&shelf, once_broken).run().await.unwrap();
    assert_eq!((report.status, report.attempts), (JobStatus::Finished, 0));
    assert_eq!(shelf.residue(), []);
}

/// Runs a job until it has a checkpoint.
async fn suspended(shelf: &Shelf, id: JobId) {
    let (completed, mut completions) = mpsc::unbounded_channel();
    let handle = job(shelf, |_: &[CheckpointId]| Ok(SourceStatus::Idle(SOON)))
        .with_id(id)
        .on_event(move |event| {
            if let JobEvent::Completed(_) = event {
                let _ = completed.send(());
            }
        })
        .start();
    completions.recv().await.unwrap();
    handle.suspend();
    handle.wait().await.unwrap();
}

#[tokio::test]
async fn a_job_that_fails_for_good_names_the_checkpoint_that_it_was_restored_from() {
    let (shelf, id) = (Shelf::default(), JobId::from_bytes([3; 16]));
    suspended(&shelf, id).await;
    let ended = job(&shelf, |_: &[CheckpointId]| broken())
        .with_id(id)
        .with_restart(RestartStrategy::None)
        .run()
        .await;
    assert!(matches!(ended, Err(JobError::Failed { latest: Some(_), .. })), "{ended:?}");
}

/// With two of them retained, the older one is there to choose from, and not to be in the way.
#[tokio::test]
async fn an_older_checkpoint_that_cannot_be_read_is_reported_and_stops_nobody() {
    for spoils_newest in [false, true] {
        let (shelf, id) = (Shelf::default(), JobId::from_bytes([4; 16]));
        let (completed, mut completions) = mpsc::unbounded_channel();
        let handle = job_retaining(2, &shelf, |_: &[CheckpointId]| Ok(SourceStatus::Idle(SOON)))
            .with_id(id)
            .on_event(move |event| {
                if let JobEvent::Completed(_) = event {
                    let _ = completed.send(());
                }
            })
            .start();
        for _ in 0..2 {
            completions.recv().await.unwrap();
        }
        handle.suspend();
        handle.wait().await.unwrap();
        let retained = shelf.completed();
        let [older, newest] = retained[..] else { panic!("{retained:?}") };
        shelf.spoil(if spoils_newest { newest } else { older });

        let (unreadable, mut reported) = mpsc::unbounded_channel();
        let read = |told: &[CheckpointId]| {
            Ok(if told.is_empty() { SourceStatus::Idle(SOON) } else { SourceStatus::End })
        };
        let ended = job_retaining(2, &shelf, read)
            .with_id(id)
            .on_event(move |event| {
                if let JobEvent::Unreadable { checkpoint, message } = event {
                    let _ = unreadable.send((*checkpoint, (*message).to_owned()));
                }
            })
            .run()
            .await;
        if spoils_newest {
            assert!(
                matches!(ended, Err(JobError::Metadata { .. })),
                "that is for a person to decide: {ended:?}"
            );
            continue;
        }
        assert_eq!(ended.unwrap().restored, [newest]);
        let (checkpoint, message) = reported.recv().await.unwrap();
        assert_eq!(checkpoint, older, "{message}");
    }
}

/// A storage without a register that vouches for each byte may give out the wrong one.
#[tokio::test]
async fn hardening_4_1_4_a_checkpoint_in_the_place_of_another_is_refused() {
    let (shelf, id) = (Shelf::default(), JobId::from_bytes([3; 16]));
    suspended(&shelf, id).await;
    let newest = shelf.misplace_newest().unwrap();
    let ended = job(&shelf, |_: &[CheckpointId]| broken()).with_id(id).run().await;
    let Err(JobError::Mismatch { problem, .. }) = ended else { panic!("{ended:?}") };
    let expected = format!(
        "it says that it is checkpoint {newest} of job {id}, and stands where checkpoint {}",
        newest.next()
    );
    assert!(problem.starts_with(&expected), "{problem}");
}
