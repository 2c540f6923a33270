//! The driver of a task: reads, lets user code work, and performs what the task machine says in between.

mod checkpoints;

pub(crate) use checkpoints::Alignment;

use crate::TaskError;
use crate::backlog::Backlog;
use crate::cancel::Wanted;
use crate::control::{Control, Message};
use crate::event::Observer;
use crate::gate::{Element, Input, InputGate};
use crate::offload::Offload;
use crate::operator::{Operator, Record, Restored, Source, SourceStatus, Stateful, TaskContext};
use crate::output::{Disconnected, Output};
use crate::snapshot::Written;
use checkpoints::blocking;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use stillframe_coordinator::Event as CoordinatorEvent;
use stillframe_model::{CheckpointId, SnapshotMetrics, TaskId};
use stillframe_state::KeyedHistory;
use stillframe_storage::WorkerStorage;
use stillframe_task::{Event, Gate, TaskMachine};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A source that names a longer time is asked again after this one, which keeps moments within what a clock can name.
const LONGEST_IDLE: Duration = Duration::from_secs(86_400);

/// Why a task stopped early.
pub(crate) enum Stop {
    /// User code returned an error.
    Failed(TaskError),
    /// Somebody else failed, and says so.
    Disconnected,
}

impl From<TaskError> for Stop {
    fn from(error: TaskError) -> Self {
        Self::Failed(error)
    }
}

impl From<Disconnected> for Stop {
    fn from(Disconnected: Disconnected) -> Self {
        Self::Disconnected
    }
}

/// How the writing of captured state ended.
pub(crate) struct Capture {
    checkpoint: CheckpointId,
    asynchronous: Duration,
    result: Result<Written, CaptureError>,
}

enum CaptureError {
    /// What a sink is to commit later could not be made durable. No later checkpoint can be acknowledged either.
    Preparation(String),
    /// The state could not be written. Another checkpoint may succeed.
    State(String),
}

/// State that is being written.
#[derive(Debug)]
pub(crate) struct UnderWay {
    /// Cancelled with its checkpoint, and dropped with the task.
    wanted: Wanted,
    /// What it has cost so far.
    metrics: SnapshotMetrics,
}

/// Everything about a task but the user's code and its inputs.
pub(crate) struct Task<T> {
    pub(crate) id: TaskId,
    pub(crate) context: TaskContext,
    pub(crate) machine: TaskMachine,
    pub(crate) output: Output<T>,
    pub(crate) control: mpsc::UnboundedReceiver<Control>,
    pub(crate) coordinator: mpsc::UnboundedSender<Message>,
    pub(crate) storage: Arc<dyn WorkerStorage>,
    pub(crate) offload: Offload,
    pub(crate) observer: Observer,
    pub(crate) captures: JoinSet<Capture>,
    /// Answers when the preparations of the newest capture are done; is gone if they failed.
    pub(crate) prepared: Option<oneshot::Receiver<()>>,
    pub(crate) under_way: BTreeMap<CheckpointId, UnderWay>,
    /// Checkpoints of which some barriers have come, and others have not.
    pub(crate) alignments: BTreeMap<CheckpointId, Alignment>,
    /// What became of the keyed state that was written in parts. `None` if checkpoints are not incremental.
    pub(crate) history: Option<KeyedHistory>,
    /// Whether all records were processed and the operator finished, in this attempt or before the restored checkpoint.
    pub(crate) finished: bool,
    /// Whether nothing is read any more because the job stops behind a savepoint. A job restored from it reads on.
    pub(crate) stopped: bool,
    /// For a source: whether it works off a backlog.
    pub(crate) backlog: Backlog,
}

impl<T: Record> Task<T> {
    /// Runs a source until the job closes it.
    pub(crate) async fn run_source(
        mut self,
        mut source: Box<dyn Source<T>>,
        restored: Restored,
    ) -> Result<(), Stop> {
        blocking(|| source.open(restored))?;
        self.opened();
        if self.finished {
            self.end_of_data(true).await?;
        }
        let mut idle_until = None;
        loop {
            tokio::select! {
                biased;
                control = self.control.recv() => {
                    if self.controlled(&mut *source, control).await? {
                        return Ok(());
                    }
                }
                Some(capture) = self.captures.join_next() => self.captured(&mut *source, capture).await?,
                () = wait_until(idle_until), if !self.has_ended() => {
                    idle_until = None;
                    let status = source.read(&mut self.output)?;
                    self.backlog.set(status != SourceStatus::End && source.is_processing_backlog());
                    match status {
                        SourceStatus::More if self.output.is_full() => self.output.flush().await?,
                        SourceStatus::More => {}
                        SourceStatus::Idle(time) => {
                            self.output.flush().await?;
                            idle_until = Some(Instant::now() + time.min(LONGEST_IDLE));
                        }
                        SourceStatus::End => {
                            self.finished = true;
                            self.end_of_data(true).await?;
                        }
                    }
                }
            }
        }
    }

    /// Runs an operator until the job closes it.
    pub(crate) async fn run_operator(
        mut self,
        mut operator: Box<dyn Operator<T>>,
        restored: Restored,
        mut gate: InputGate<T>,
    ) -> Result<(), Stop> {
        blocking(|| operator.open(restored))?;
        self.opened();
        let mut ended = vec![false; gate.len()];
        let mut for_good = true;
        loop {
            let machine = &self.machine;
            tokio::select! {
                biased;
                control = self.control.recv() => {
                    if self.controlled(&mut *operator, control).await? {
                        return Ok(());
                    }
                }
                Some(capture) = self.captures.join_next() => self.captured(&mut *operator, capture).await?,
                input = gate.next(|channel| machine.gate(channel) == Gate::Open) => match input {
                    Input::Element { element: Element::Records(records), .. } => {
                        self.process(&mut *operator, records).await?;
                    }
                    Input::Element { channel, element: Element::Barrier(barrier) } => {
                        // What was announced before this barrier was sent may have come between the two looks. A snapshot
                        // that builds on a checkpoint which was replaced meanwhile would be refused.
                        while let Ok(control) = self.control.try_recv() {
                            if self.controlled(&mut *operator, Some(control)).await? {
                                return Ok(());
                            }
                        }
                        self.step(&mut *operator, Event::Barrier { channel, barrier }).await?;
                    }
                    Input::Element { channel, element: Element::Cancel(checkpoint) } => {
                        self.step(&mut *operator, Event::CancelMarker { channel, checkpoint }).await?;
                    }
                    Input::Element { channel, element: Element::EndOfData { for_good: this_is } } => {
                        if let Some(ended) = ended.get_mut(channel) {
                            *ended = true;
                        }
                        for_good &= this_is;
                        if ended.iter().all(|ended| *ended) {
                            if !self.finished {
                                operator.finish(&mut self.output)?;
                            }
                            self.finished |= for_good;
                            self.stopped |= !for_good;
                            self.end_of_data(for_good).await?;
                        }
                    }
                    // Behind a savepoint tasks end without a word, after everybody has captured its state.
                    Input::Ended { channel } if self.stopped || ended.get(channel) == Some(&true) => {
                        self.step(&mut *operator, Event::EndOfInput { channel }).await?;
                    }
                    Input::Ended { .. } => return Err(Stop::Disconnected),
                },
            }
        }
    }

    async fn process(&mut self, operator: &mut dyn Operator<T>, records: Vec<T>) -> Result<(), Stop> {
        if self.has_ended() {
            // Restored from after its end, with an input from before: what comes again was processed already. And behind a
            // savepoint nothing is processed, because the job restored from it will process it.
            return Ok(());
        }
        for record in records {
            operator.process(record, &mut self.output)?;
            if self.output.is_full() {
                self.output.flush().await?;
            }
        }
        // Nothing may linger while the inputs are quiet. With busy inputs the batch that comes next is as large as this.
        Ok(self.output.flush().await?)
    }

    fn opened(&self) {
        let _ = self.coordinator.send(Message::Opened(self.id));
    }

    /// Whether no more records will be processed.
    fn has_ended(&self) -> bool {
        self.finished || self.stopped
    }

    /// Says that no more records will come: because the input has ended, or because the job stops behind a savepoint.
    async fn end_of_data(&mut self, for_good: bool) -> Result<(), Stop> {
        self.output.broadcast(|| Element::EndOfData { for_good }).await?;
        if for_good { self.tell(CoordinatorEvent::EndOfData { task: self.id }) } else { Ok(()) }
    }

    /// Whether the task has to end.
    async fn controlled<S: Stateful + ?Sized>(
        &mut self,
        unit: &mut S,
        control: Option<Control>,
    ) -> Result<bool, Stop> {
        match event_of(control.ok_or(Stop::Disconnected)?) {
            Some(event) => self.step(unit, event).await.map(|()| false),
            None => self.close(unit).await.map(|()| true),
        }
    }

    /// Waits for what the task has captured, because other checkpoints may still wait for it: until each is written, or its
    /// checkpoint is heard to be over.
    async fn close<S: Stateful + ?Sized>(&mut self, unit: &mut S) -> Result<(), Stop> {
        while self.under_way.values().any(|under_way| !under_way.wanted.is_cancelled()) {
            tokio::select! {
                biased;
                control = self.control.recv() => {
                    if let Some(event) = event_of(control.ok_or(Stop::Disconnected)?) {
                        self.step(unit, event).await?;
                    }
                }
                Some(capture) = self.captures.join_next() => self.captured(unit, capture).await?,
            }
        }
        Ok(())
    }
}

/// What the machine is told; `None` if the task has to end.
fn event_of(control: Control) -> Option<Event> {
    Some(match control {
        Control::Trigger(barrier) => Event::Trigger(barrier),
        Control::NotifyComplete(checkpoint) => Event::NotifyComplete { checkpoint },
        Control::NotifyAborted { checkpoint, latest_complete } => {
            Event::NotifyAborted { checkpoint, latest_complete }
        }
        Control::NotifySubsumed(checkpoint) => Event::NotifySubsumed { checkpoint },
        Control::Close => return None,
    })
}

/// Ready at once without a moment to wait for, but never without letting others run once the budget of this task is used
/// up. A moment and not a duration, because the wait begins anew with every control message in between.
async fn wait_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => tokio::task::consume_budget().await,
    }
}
