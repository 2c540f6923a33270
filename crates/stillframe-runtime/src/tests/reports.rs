//! What a task tells the coordinator, and in which order.

use super::*;
use crate::gate::InputGate;
use crate::handle::RequestError;
use stillframe_coordinator::Event;
use stillframe_model::{SnapshotMetrics, TaskProgress};

/// What a unit is asked to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Record(u64),
    Finish,
    Complete(u64),
    Subsumed(u64),
}

/// Source and operator at once: writes down what it is asked, and has a state of so many bytes, or none to give.
struct Witness {
    asked: Arc<Mutex<Vec<Asked>>>,
    state: Option<usize>,
}

impl Witness {
    fn with_state(state: Option<usize>) -> (Self, Arc<Mutex<Vec<Asked>>>) {
        let asked = Arc::default();
        (Self { asked: Arc::clone(&asked), state }, asked)
    }

    fn write_down(&self, asked: Asked) -> TaskResult<()> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        Ok(())
    }
}

impl Stateful for Witness {
    fn snapshot(&mut self, _: CheckpointId) -> TaskResult<Snapshot> {
        let state = self.state.ok_or_else(|| TaskError::message("the state is on fire"))?;
        Snapshot::new().with_element(&vec![7_u8; state])
    }

    fn notify_complete(&mut self, checkpoint: CheckpointId) -> TaskResult<()> {
        self.write_down(Asked::Complete(checkpoint.get()))
    }

    fn notify_subsumed(&mut self, checkpoint: CheckpointId) -> TaskResult<()> {
        self.write_down(Asked::Subsumed(checkpoint.get()))
    }
}

impl Source<u64> for Witness {
    fn read(&mut self, _: &mut Output<u64>) -> TaskResult<SourceStatus> {
        Ok(SourceStatus::Idle(Duration::from_secs(1)))
    }
}

impl Operator<u64> for Witness {
    fn process(&mut self, record: u64, _: &mut Output<u64>) -> TaskResult<()> {
        self.write_down(Asked::Record(record))
    }

    fn finish(&mut self, _: &mut Output<u64>) -> TaskResult<()> {
        self.write_down(Asked::Finish)
    }
}

/// Longer than anything takes. Without it, a test of something that is no longer said would not end.
const PATIENCE: Duration = Duration::from_secs(60);

async fn event(inbox: &mut mpsc::UnboundedReceiver<Message>) -> Event {
    loop {
        match tokio::time::timeout(PATIENCE, inbox.recv()).await {
            Ok(Some(Message::Event(event))) => return event,
            Ok(Some(_)) => {}
            Ok(None) => panic!("the task has ended"),
            Err(_) => panic!("the task says nothing"),
        }
    }
}

/// Everything that is said of checkpoints up to an acknowledgement, and what that says of the cost.
async fn until_acknowledged(
    inbox: &mut mpsc::UnboundedReceiver<Message>,
) -> (Vec<TaskProgress>, SnapshotMetrics) {
    let mut found = Vec::new();
    loop {
        match event(inbox).await {
            Event::Progressed { progress, .. } => found.push(progress),
            Event::Acknowledged { metrics, .. } => return (found, metrics),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn writing_is_reported_from_its_begin_to_its_end_a_stride_at_a_time() {
    let Rig { mut task, control, mut inbox, behind: _behind } = rig();
    task.storage = Arc::new(Shelf::default().with_files());
    let len = 9 << 20;
    let (source, _) = Witness::with_state(Some(len));
    let _running = tokio::spawn(task.run_source(Box::new(source), Restored::default()));
    control.send(Control::Trigger(barrier(1))).unwrap();
    let (progress, _) = until_acknowledged(&mut inbox).await;
    let (begin, rest) = progress.split_at(4);
    let encoding = TaskProgress::Writing { written: 0, of: None };
    assert_eq!(begin, [TaskProgress::Capturing, TaskProgress::Preparing, TaskProgress::Queued, encoding]);
    let Some((TaskProgress::Syncing, rest)) = rest.split_last() else { panic!("{progress:?}") };
    let Some(TaskProgress::Writing { of: Some(all), .. }) = rest.first() else { panic!("{progress:?}") };
    let written: Vec<_> = rest
        .iter()
        .map(|progress| match progress {
            TaskProgress::Writing { written, of: Some(of) } if *of >= len as u64 => *written,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(written, [0, 4 << 20, 8 << 20, *all], "the last bytes as well");
}

#[tokio::test(start_paused = true)]
async fn an_alignment_is_reported_and_its_length_is_part_of_the_cost() {
    let Rig { task, control: _control, mut inbox, behind: _behind } = rig_with(3);
    let (operator, _) = Witness::with_state(Some(3));
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| mpsc::channel(8)).unzip();
    let _running =
        tokio::spawn(task.run_operator(Box::new(operator), Restored::default(), InputGate::new(receivers)));
    // Triggered by a clock that is ahead of this one.
    let barrier = || Barrier { triggered_at: UnixMillis(u64::MAX), ..barrier(1) };
    for (sender, arrived) in senders.iter().zip(1..) {
        sender.send(Element::Barrier(barrier())).await.unwrap();
        if arrived < 3 {
            let Event::Progressed { progress, .. } = event(&mut inbox).await else { panic!("not aligning") };
            assert_eq!(progress, TaskProgress::Aligning { arrived, of: 3 });
            tokio::time::advance(Duration::from_secs(2)).await;
        }
    }
    let (progress, metrics) = until_acknowledged(&mut inbox).await;
    assert_eq!(progress[0], TaskProgress::Capturing);
    assert_eq!(metrics, SnapshotMetrics { alignment: Duration::from_secs(4), ..SnapshotMetrics::default() });

    // The next comes in a moment, and long after its trigger.
    for sender in &senders {
        sender
            .send(Element::Barrier(Barrier { triggered_at: UnixMillis(1), ..super::barrier(2) }))
            .await
            .unwrap();
    }
    let (_, metrics) = until_acknowledged(&mut inbox).await;
    assert_eq!(metrics.alignment, Duration::ZERO);
    assert!(metrics.start_delay > Duration::from_secs(86_400), "{metrics:?}");
}

#[tokio::test]
async fn a_task_says_that_it_has_committed_and_hears_behind_that_what_was_replaced() {
    let Rig { task, control, mut inbox, behind: _behind } = rig();
    let (source, asked) = Witness::with_state(Some(0));
    let _running = tokio::spawn(task.run_source(Box::new(source), Restored::default()));
    let id = CheckpointId::new;
    control.send(Control::NotifyComplete(id(3))).unwrap();
    control.send(Control::NotifySubsumed(id(2))).unwrap();
    control.send(Control::NotifySubsumed(id(2))).unwrap();
    control.send(Control::NotifyComplete(id(4))).unwrap();
    for expected in [3, 4] {
        let Event::Committed { checkpoint, .. } = event(&mut inbox).await else { panic!("not committed") };
        assert_eq!(checkpoint, id(expected));
    }
    assert_eq!(*asked.lock().unwrap(), [Asked::Complete(3), Asked::Subsumed(2), Asked::Complete(4)]);
}

#[tokio::test]
async fn a_task_whose_inputs_have_all_ended_is_triggered_behind_their_last_records() {
    let Rig { task, control, mut inbox, behind: _behind } = rig_with(1);
    let (operator, asked) = Witness::with_state(Some(1));
    let (sender, receiver) = mpsc::channel(8);
    control.send(Control::Trigger(barrier(1))).unwrap();
    sender.send(Element::Records(vec![8, 9])).await.unwrap();
    sender.send(Element::EndOfData { for_good: true }).await.unwrap();
    drop(sender);
    let gate = InputGate::new(vec![receiver]);
    let _running = tokio::spawn(task.run_operator(Box::new(operator), Restored::default(), gate));
    assert!(matches!(event(&mut inbox).await, Event::EndOfData { .. }));
    until_acknowledged(&mut inbox).await;
    assert_eq!(*asked.lock().unwrap(), [Asked::Record(8), Asked::Record(9), Asked::Finish]);
}

#[tokio::test]
async fn whoever_asks_for_a_checkpoint_hears_that_a_task_failed_over_it() {
    let mut graph = JobGraph::new();
    graph.source("source", 1, |_| Witness::with_state(None).0);
    let mut config = CheckpointConfig::default();
    config.set_tolerable_checkpoint_failure_number(1);
    let storage: Arc<dyn CheckpointStorage> = Arc::new(Shelf::default());
    let job = Job::new(graph, &config, storage).expect("a valid config").with_restart(RestartStrategy::None);
    let handle = job.start();
    let refused = handle.trigger_checkpoint().await.expect_err("there is no state");
    let RequestError::Refused(refused) = refused else { panic!("{refused}") };
    assert_eq!(refused.reason, FailureReason::TaskFailure);
    let ended = handle.wait().await.expect_err("a tolerated failure is another matter");
    let JobError::Failed { source: JobFailure::Task { source, .. }, .. } = ended else { panic!("{ended:?}") };
    assert_eq!(source.to_string(), "the state is on fire");
}

/// A value that has no bytes.
#[derive(Clone, Debug, serde::Deserialize)]
struct Unwritable;

impl serde::Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no bytes for it"))
    }
}

struct Unwilling;

impl Stateful for Unwilling {
    fn snapshot(&mut self, _: CheckpointId) -> TaskResult<Snapshot> {
        let range = stillframe_model::KeyGroupRange { start: 0, end: 127 };
        let mut state = stillframe_state::KeyedState::new(range, 128);
        state.insert(0_u64, Unwritable);
        Ok(Snapshot::new().with_keyed(state.snapshot()))
    }
}

impl Source<u64> for Unwilling {
    fn read(&mut self, _: &mut Output<u64>) -> TaskResult<SourceStatus> {
        Ok(SourceStatus::Idle(Duration::from_secs(1)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_over_a_checkpoint_names_the_task_that_is_to_blame() {
    let mut graph = JobGraph::new();
    graph.source("source", 1, |_| Unwilling);
    let storage: Arc<dyn CheckpointStorage> = Arc::new(Shelf::default());
    let job = Job::new(graph, &CheckpointConfig::default(), storage).expect("a valid config");
    let handle = job.with_restart(RestartStrategy::None).start();
    let checkpoint = handle.begin_checkpoint();
    let ended = handle.wait().await.expect_err("no failure is tolerated");
    let JobError::Failed { source, .. } = ended else { panic!("{ended:?}") };
    let JobFailure::Checkpoints { task, .. } = &source else { panic!("{source}") };
    assert_eq!(*task, Some((Name::new("source").unwrap(), 0)));
    assert!(source.to_string().starts_with("checkpoints failed (source, subtask 0): "), "{source}");
    assert!(checkpoint.published().await.is_err());
}
