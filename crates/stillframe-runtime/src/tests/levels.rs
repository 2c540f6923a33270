//! What somebody who asked for a checkpoint hears of it, from the coordinator's driver alone.

use super::gate::{Gate, Op, Release};
use super::*;
use crate::clock::Clock;
use crate::coordinator::{CoordinatorDriver, Levels, Parties};
use crate::handle::PendingCheckpoint;
use crate::offload::Deadlines;
use crate::statistics::SharedStatistics;
use std::collections::BTreeSet;
use stillframe_config::{GraphDescription, RecoveryClaimMode};
use stillframe_coordinator::{
    Coordinator, Event, JobPlan, SnapshotRequest, Stage, VertexPlan, plan_recovery,
};
use stillframe_model::{SnapshotMetrics, TaskProgress, TaskSnapshot};
use stillframe_storage::{CommitStage, StorageAccess};
use tokio::sync::oneshot;

const TASK: TaskId = TaskId { vertex: VertexId::new(0), subtask: 0 };
const FIRST: CheckpointId = CheckpointId::FIRST;
const ATTEMPT: Attempt = Attempt::new(0);

/// A driver with one task, which is the test.
struct Desk {
    shelf: Shelf,
    inbox: mpsc::UnboundedSender<Message>,
    task: mpsc::UnboundedReceiver<Control>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Desk {
    fn new() -> Self {
        let shelf = Shelf::default();
        let name = Name::new("source").unwrap();
        let vertex =
            VertexPlan { name, parallelism: 1, max_parallelism: 128, inputs: vec![], has_coordinator: false };
        let plan = JobPlan {
            job: JobId::from_bytes([1; 16]),
            attempt: ATTEMPT,
            vertices: vec![vertex],
            hooks: vec![],
        };
        let config = CheckpointConfig::default().resolve(&GraphDescription::default()).unwrap().effective;
        let fresh = plan_recovery(vec![], BTreeSet::new(), FIRST, RecoveryClaimMode::NoClaim);
        let (control, task) = mpsc::unbounded_channel();
        let (inbox, messages) = mpsc::unbounded_channel();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&seen);
        let offload = Offload::new();
        let driver = CoordinatorDriver {
            machine: Coordinator::new(plan, &config, fresh),
            clock: Clock::start(),
            storage: StorageAccess::coordinator(&shelf),
            storage_name: "shelf".into(),
            cleaner: offload.clone(),
            offload,
            deadlines: Arc::new(Deadlines::new(config.schedule.timeout)),
            tasks: BTreeMap::from([(TASK, control)]),
            observer: Arc::new(move |event| log.lock().unwrap().push(format!("{event:?}"))),
            notices: mpsc::unbounded_channel().0,
            answers: JoinSet::new(),
            calls: BTreeMap::new(),
            asked: Arc::default(),
            levels: Levels::default(),
            parties: Parties::default(),
            statistics: SharedStatistics::default(),
            opened: 0,
            leftovers: Vec::new(),
        };
        tokio::spawn(driver.run(messages));
        Self { shelf, inbox, task, seen }
    }

    fn say(&self, event: Event) {
        self.inbox.send(Message::Event(event)).unwrap();
    }

    fn ask(&self, snapshot: SnapshotRequest) -> SnapshotHandle {
        let (handle, reply) = SnapshotHandle::new();
        self.inbox.send(Message::Request { snapshot, reply }).unwrap();
        handle
    }

    async fn pending(&self) -> Vec<PendingCheckpoint> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(Message::Status(reply)).unwrap();
        answer.await.unwrap()
    }

    fn acknowledge(&self) {
        let (snapshot, metrics) = (TaskSnapshot::default(), SnapshotMetrics::default());
        self.say(Event::Acknowledged { checkpoint: FIRST, attempt: ATTEMPT, task: TASK, snapshot, metrics });
    }

    async fn triggered(&mut self) {
        while !matches!(self.task.recv().await, Some(Control::Trigger(_))) {}
    }
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn each_level_is_heard_of_when_it_is_reached_and_says_how_long_it_took() {
    let mut desk = Desk::new();
    desk.say(Event::Running { task: TASK });
    let checkpoint = desk.ask(SnapshotRequest::CHECKPOINT);
    assert_eq!(checkpoint.triggered().await, Ok(FIRST));
    desk.triggered().await;
    pass(2).await;
    let progress = TaskProgress::Writing { written: 1, of: None };
    desk.say(Event::Progressed { checkpoint: FIRST, attempt: ATTEMPT, task: TASK, progress });
    assert_eq!(checkpoint.captured().await, Ok(Duration::from_secs(2)));
    pass(3).await;
    desk.acknowledge();
    assert_eq!(checkpoint.durable().await, Ok(Duration::from_secs(5)));
    let (outcome, after) = checkpoint.published().await.unwrap();
    assert_eq!((outcome.checkpoint, after), (FIRST, Duration::from_secs(5)));
    pass(1).await;
    desk.say(Event::Committed { checkpoint: FIRST, attempt: ATTEMPT, task: TASK });
    assert_eq!(checkpoint.committed().await, Ok(Duration::from_secs(6)));
    // Those that were reached before are still there, for whoever asks late.
    assert_eq!(checkpoint.clone().captured().await, Ok(Duration::from_secs(2)));
    let seen = desk.seen.lock().unwrap();
    let levels: Vec<_> = ["Triggered", "Captured", "Durable", "Completed", "Committed"]
        .into_iter()
        .map(|level| seen.iter().position(|seen| seen.starts_with(level)))
        .collect();
    assert!(levels.is_sorted() && levels.iter().all(Option::is_some), "{seen:?}");
}

#[tokio::test]
async fn a_refusal_is_an_answer_at_every_level() {
    let desk = Desk::new();
    // Its task does not run.
    let checkpoint = desk.ask(SnapshotRequest::CHECKPOINT);
    for answer in [
        checkpoint.captured().await,
        checkpoint.durable().await,
        checkpoint.committed().await,
        checkpoint.published().await.map(|(_, after)| after),
    ] {
        assert!(matches!(answer, Err(RequestError::Refused(_))), "{answer:?}");
    }
    assert!(desk.seen.lock().unwrap().iter().any(|seen| seen.starts_with("Refused")));
}

#[tokio::test]
async fn nothing_is_committed_for_a_savepoint_behind_which_the_job_goes_on() {
    let mut desk = Desk::new();
    desk.say(Event::Running { task: TASK });
    let savepoint = desk.ask(SnapshotRequest::savepoint(None));
    desk.triggered().await;
    desk.acknowledge();
    assert!(savepoint.published().await.is_ok());
    assert_eq!(savepoint.committed().await, Err(RequestError::NothingCommitted));
}

#[tokio::test]
async fn whoever_waits_hears_that_the_job_is_gone() {
    let mut desk = Desk::new();
    desk.say(Event::Running { task: TASK });
    let checkpoint = desk.ask(SnapshotRequest::CHECKPOINT);
    desk.triggered().await;
    desk.acknowledge();
    assert!(checkpoint.published().await.is_ok());
    let Desk { inbox, task, .. } = desk;
    drop((inbox, task));
    assert_eq!(checkpoint.committed().await, Err(RequestError::NotRunning));
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_that_is_stuck_says_what_it_waits_for() {
    let mut desk = Desk::new();
    let _release = Release(Arc::clone(&desk.shelf.gate));
    assert_eq!(desk.pending().await, []);
    desk.say(Event::Running { task: TASK });
    desk.shelf.gate.close_for(Op::Commit);
    let _checkpoint = desk.ask(SnapshotRequest::CHECKPOINT);
    desk.triggered().await;
    pass(7).await;
    let [held] = &desk.pending().await[..] else { panic!("one is in progress") };
    assert!(matches!(&held.status.stage, Stage::Tasks { acknowledged: 0, .. }), "{held}");
    assert_eq!(held.storage, None);
    let text = held.to_string();
    assert!(text.contains("source [0]") && text.contains("7.0s"), "{text}");

    desk.acknowledge();
    while desk.shelf.gate.inside() == 0 {
        tokio::task::yield_now().await;
    }
    pass(9).await;
    let [held] = &desk.pending().await[..] else { panic!("one is in progress") };
    assert_eq!(held.status.stage, Stage::Publication);
    let text = held.to_string();
    assert_eq!(held.storage.as_ref().and_then(|call| call.stage), Some(CommitStage::Metadata));
    let expected = "publish checkpoint 1 in the shelf storage (committing): writing the metadata, for 9.0s";
    assert!(text.ends_with(expected), "{text}");
}

/// Each question that hangs keeps a thread, and when too many do nothing is begun any more.
#[tokio::test(start_paused = true)]
async fn whoever_wonders_often_asks_a_storage_once_that_does_not_say_how_far_it_is() {
    let mut desk = Desk::new();
    let (gate, curious) = (Arc::clone(&desk.shelf.gate), Arc::clone(&desk.shelf.curious));
    let _release = [Release(Arc::clone(&gate)), Release(Arc::clone(&curious))];
    desk.say(Event::Running { task: TASK });
    gate.close_for(Op::Commit);
    curious.close_for(Op::Commit);
    let _checkpoint = desk.ask(SnapshotRequest::CHECKPOINT);
    desk.triggered().await;
    desk.acknowledge();
    let inside = async |gate: &Gate| {
        while gate.inside() == 0 {
            tokio::task::yield_now().await;
        }
    };
    inside(&gate).await;
    for _ in 0..100 {
        // As long as something hangs, time does not pass by itself.
        let passes = async {
            loop {
                pass(1).await;
            }
        };
        let held = tokio::select! {
            biased;
            held = desk.pending() => held,
            () = passes => unreachable!("time does not end"),
        };
        assert!(matches!(&held[0].storage, Some(call) if call.stage.is_none()), "{held:?}");
    }
    inside(&curious).await;
    assert_eq!(curious.asked(Op::Commit), 1);
}
