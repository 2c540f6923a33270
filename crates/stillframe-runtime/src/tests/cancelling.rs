//! What a task writes is let go of when nobody wants it any more, whether the storage answers or not.

use super::gate::{Gate, Op, Release};
use super::*;
use crate::cancel::Wanted;
use crate::offload::{Call, Deadlines, Unanswered};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Weak;
use stillframe_coordinator::Event;
use stillframe_model::KeyGroupRange;
use stillframe_state::KeyedState;

/// A value that a test can see alive.
#[derive(Clone, Debug)]
struct Alive(#[expect(dead_code, reason = "it only lives")] Arc<()>);

impl Serialize for Alive {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(7)
    }
}

impl<'de> Deserialize<'de> for Alive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u8::deserialize(deserializer).map(|_| Self(Arc::default()))
    }
}

/// A source with a value for each of its snapshots, and with preparations that stop at a gate.
struct Holding {
    alive: Arc<Mutex<Vec<Weak<()>>>>,
    prepares: Option<Arc<Gate>>,
    fails: bool,
    /// How many bytes it has beside the value.
    len: usize,
}

impl Stateful for Holding {
    fn snapshot(&mut self, _: CheckpointId) -> TaskResult<Snapshot> {
        let value = Arc::new(());
        self.alive.lock().unwrap().push(Arc::downgrade(&value));
        let mut state = KeyedState::new(KeyGroupRange { start: 0, end: 127 }, 128);
        state.insert(0_u64, Alive(value));
        let snapshot = Snapshot::new().with_keyed(state.snapshot()).with_element(&vec![7_u8; self.len])?;
        let Some(gate) = self.prepares.clone() else { return Ok(snapshot) };
        let fails = self.fails;
        Ok(snapshot.with_preparation(move || {
            gate.pass(Op::Finish);
            if fails { Err(TaskError::message("the disk is full")) } else { Ok(()) }
        }))
    }
}

impl Source<u64> for Holding {
    fn read(&mut self, _: &mut Output<u64>) -> TaskResult<SourceStatus> {
        Ok(SourceStatus::Idle(Duration::from_secs(1)))
    }
}

/// A running task, and what can be seen of it. A lane for one write at a time.
struct Held {
    shelf: Shelf,
    offload: Offload,
    control: mpsc::UnboundedSender<Control>,
    inbox: mpsc::UnboundedReceiver<Message>,
    _behind: mpsc::Receiver<Element<u64>>,
    running: tokio::task::JoinHandle<Result<(), Stop>>,
    alive: Arc<Mutex<Vec<Weak<()>>>>,
}

impl Held {
    fn with(len: usize, prepares: Option<Arc<Gate>>, fails: bool) -> Self {
        let Rig { mut task, control, inbox, behind } = rig();
        let (shelf, offload) = (Shelf::default(), Offload::new().lane(1, "tasks"));
        task.storage = Arc::new(shelf.clone());
        task.offload = offload.clone();
        let alive = Arc::default();
        let source = Holding { alive: Arc::clone(&alive), prepares, fails, len };
        let running = tokio::spawn(task.run_source(Box::new(source), Restored::default()));
        Self { shelf, offload, control, inbox, _behind: behind, running, alive }
    }

    fn trigger(&self, number: u64) {
        self.control.send(Control::Trigger(barrier(number))).unwrap();
    }

    fn abort(&self, number: u64) {
        let checkpoint = CheckpointId::new(number);
        self.control.send(Control::NotifyAborted { checkpoint, latest_complete: None }).unwrap();
    }

    /// Which of the snapshots are still in memory.
    fn held(&self) -> Vec<bool> {
        self.alive.lock().unwrap().iter().map(|value| value.strong_count() > 0).collect()
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..10_000_000_u32 {
            if is_so(self) {
                return;
            }
            tokio::task::yield_now().await;
            std::thread::yield_now();
        }
        panic!("never: {what}");
    }

    async fn ended(self) -> Result<(), Stop> {
        self.until("the task ends", |held| held.running.is_finished()).await;
        self.running.await.unwrap()
    }

    async fn acknowledged(&mut self) -> CheckpointId {
        loop {
            match self.inbox.recv().await {
                Some(Message::Event(Event::Acknowledged { checkpoint, .. })) => return checkpoint,
                Some(_) => {}
                None => panic!("the task has ended"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_closed_does_not_wait_for_what_nobody_wants() {
    for is_aborted_first in [true, false] {
        let held = Held::with(1, None, false);
        let _release = Release(Arc::clone(&held.shelf.gate));
        held.shelf.gate.close_for(Op::Create);
        held.trigger(1);
        held.until("it is written", |held| held.shelf.gate.inside() == 1).await;
        if is_aborted_first {
            held.abort(1);
            held.control.send(Control::Close).unwrap();
        } else {
            held.control.send(Control::Close).unwrap();
            for _ in 0..40 {
                tokio::task::yield_now().await;
            }
            assert!(!held.running.is_finished(), "a checkpoint still waits for what it has captured");
            held.abort(1);
        }
        let offload = held.offload.clone();
        assert!(matches!(held.ended().await, Ok(())));
        let left = offload.left_behind();
        assert!(left.iter().any(|left| left.to_string().starts_with("write for tasks")), "{left:?}");
    }
}

/// Nothing that is to become durable rests on what the last one would prepare.
#[tokio::test(start_paused = true)]
async fn a_task_that_is_closed_does_not_wait_for_a_preparation_that_nobody_wants() {
    let gate = Arc::<Gate>::default();
    let _release = Release(Arc::clone(&gate));
    gate.close_for(Op::Finish);
    let held = Held::with(1, Some(Arc::clone(&gate)), false);
    held.trigger(1);
    held.until("it is prepared", |_| gate.inside() == 1).await;
    held.abort(1);
    held.control.send(Control::Close).unwrap();
    assert!(matches!(held.ended().await, Ok(())));
}

#[tokio::test(start_paused = true)]
async fn what_a_task_writes_stops_within_a_stride_when_its_attempt_ends() {
    let held = Held::with(40 << 20, None, false);
    let gate = Arc::clone(&held.shelf.gate);
    let _release = Release(Arc::clone(&gate));
    gate.close_for(Op::Write);
    held.trigger(1);
    held.until("it is written", |held| held.shelf.gate.inside() == 1).await;
    held.running.abort();
    held.until("the task ends", |held| held.running.is_finished()).await;
    let before = gate.asked(Op::Write);
    gate.open();
    held.until("nothing is written", |held| held.offload.under_way().is_empty()).await;
    assert_eq!(gate.asked(Op::Write), before, "it was written to its end, and nobody wanted it");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_hangs_gives_its_place_away_with_its_checkpoint() {
    let mut held = Held::with(1, None, false);
    let _release = Release(Arc::clone(&held.shelf.gate));
    held.shelf.gate.close_for(Op::Create);
    held.trigger(1);
    held.until("it is written", |held| held.shelf.gate.inside() == 1).await;
    held.trigger(2);
    held.trigger(3);
    held.until("they are captured", |held| held.held().len() == 3).await;
    // What waits for a place lets go of its state at once. The first is written as bytes already.
    held.abort(2);
    held.until("the second is let go of", |held| held.held()[1..] == [false, true]).await;
    held.abort(1);
    held.until("the third is written", |held| held.shelf.gate.inside() == 2).await;
    assert!(held.offload.under_way().iter().all(|write| !write.is_given_up), "an attempt's end waits for it");
    held.shelf.gate.open();
    assert_eq!(held.acknowledged().await, CheckpointId::new(3));
}

/// What a sink prepared for one checkpoint is part of the next one, so it goes on, and only the state is let go of.
#[tokio::test(start_paused = true)]
async fn a_preparation_goes_on_behind_a_checkpoint_that_is_over() {
    for fails in [false, true] {
        let gate = Arc::<Gate>::default();
        let _release = Release(Arc::clone(&gate));
        gate.close_for(Op::Finish);
        let mut held = Held::with(1, Some(Arc::clone(&gate)), fails);
        held.trigger(1);
        held.until("it is prepared", |_| gate.inside() == 1).await;
        held.abort(1);
        held.until("its state is let go of", |held| held.held() == [false]).await;
        held.trigger(2);
        held.until("the second is captured", |held| held.held() == [false, true]).await;
        gate.open();
        if fails {
            let Err(Stop::Failed(error)) = held.ended().await else { panic!("later ones rely on it") };
            assert!(error.to_string().contains("checkpoint 1: the disk is full"), "{error}");
        } else {
            assert_eq!(held.acknowledged().await, CheckpointId::new(2));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_more_is_written_when_too_many_writes_hang() {
    let (offload, gate) = (Offload::new(), Arc::<Gate>::default());
    let _release = Release(Arc::clone(&gate));
    gate.close_for(Op::Write);
    for begun in 1..=64 {
        let (wanted, cancelled) = Wanted::new();
        let (offload, gate) = (offload.clone(), Arc::clone(&gate));
        let held = Arc::clone(&gate);
        let write = tokio::spawn(async move {
            offload.run_while_wanted(&cancelled, async move { held.pass(Op::Write) }).await
        });
        while gate.inside() < begun {
            tokio::task::yield_now().await;
        }
        wanted.cancel();
        assert_eq!(write.await.unwrap(), Err(Unanswered::Cancelled));
    }
    let (_wanted, cancelled) = Wanted::new();
    assert_eq!(offload.run_while_wanted(&cancelled, async {}).await, Err(Unanswered::NotBegun));
}

/// Everything that is still to be removed when the end comes would be named as left behind otherwise.
#[tokio::test(start_paused = true)]
async fn behind_the_end_nothing_is_begun() {
    let (offload, deadlines) = (Offload::new(), Deadlines::new(Duration::from_secs(9)));
    let is_begun = Arc::new(AtomicBool::new(false));
    let begun = Arc::clone(&is_begun);
    deadlines.end_within(Duration::ZERO);
    let call = Call::new("remove", "a checkpoint");
    let answer =
        offload.run_within(&call, &deadlines, async move { begun.store(true, Ordering::SeqCst) }).await;
    assert_eq!(answer, Err(Unanswered::NotBegun));
    assert!(offload.under_way().is_empty() && !is_begun.load(Ordering::SeqCst));
}
