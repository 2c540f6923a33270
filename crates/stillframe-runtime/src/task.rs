//! The driver of a task: reads, lets user code work, and performs what the task machine says in between.

use crate::control::{Control, Message};
use crate::event::{JobEvent, Observer};
use crate::gate::{Element, Input, InputGate};
use crate::offload::{Lost, Offload};
use crate::operator::{Operator, Record, Restored, Source, SourceStatus, Stateful, TaskContext};
use crate::output::{Disconnected, Output};
use crate::snapshot::{KeyedForm, Writer, Written};
use crate::{TaskError, TaskResult};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use stillframe_coordinator::Event as CoordinatorEvent;
use stillframe_model::{Barrier, CheckpointId, CheckpointKind, SnapshotMetrics, TaskId};
use stillframe_state::KeyedHistory;
use stillframe_storage::WorkerStorage;
use stillframe_task::{Effect, Event, Gate, TaskMachine};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
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
    result: Result<Written, CaptureError>,
}

enum CaptureError {
    /// What a sink is to commit later could not be made durable. No later checkpoint can be acknowledged either.
    Preparation(String),
    /// The state could not be written. Another checkpoint may succeed.
    State(String),
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
    pub(crate) cancellations: BTreeMap<CheckpointId, Arc<AtomicBool>>,
    /// What became of the keyed state that was written in parts. `None` if checkpoints are not incremental.
    pub(crate) history: Option<KeyedHistory>,
    /// Whether all records were processed and the operator finished, in this attempt or before the restored checkpoint.
    pub(crate) finished: bool,
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
            self.end_of_data().await?;
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
                () = wait_until(idle_until), if !self.finished => {
                    idle_until = None;
                    match source.read(&mut self.output)? {
                        SourceStatus::More if self.output.is_full() => self.output.flush().await?,
                        SourceStatus::More => {}
                        SourceStatus::Idle(time) => {
                            self.output.flush().await?;
                            idle_until = Some(Instant::now() + time.min(LONGEST_IDLE));
                        }
                        SourceStatus::End => {
                            self.finished = true;
                            self.end_of_data().await?;
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
                    Input::Element { channel, element: Element::EndOfData } => {
                        if let Some(ended) = ended.get_mut(channel) {
                            *ended = true;
                        }
                        if ended.iter().all(|ended| *ended) {
                            if !self.finished {
                                operator.finish(&mut self.output)?;
                                self.finished = true;
                            }
                            self.end_of_data().await?;
                        }
                    }
                    Input::Ended { channel } if ended.get(channel) == Some(&true) => {
                        self.step(&mut *operator, Event::EndOfInput { channel }).await?;
                    }
                    Input::Ended { .. } => return Err(Stop::Disconnected),
                },
            }
        }
    }

    async fn process(&mut self, operator: &mut dyn Operator<T>, records: Vec<T>) -> Result<(), Stop> {
        if self.finished {
            // Restored from after its end, with an input from before: what comes again was processed already.
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

    async fn end_of_data(&mut self) -> Result<(), Stop> {
        self.output.broadcast(|| Element::EndOfData).await?;
        self.tell(CoordinatorEvent::EndOfData { task: self.id })
    }

    fn tell(&self, event: CoordinatorEvent) -> Result<(), Stop> {
        self.coordinator.send(Message::Event(event)).map_err(|_| Stop::Disconnected)
    }

    /// Whether the task has to end.
    async fn controlled<S: Stateful + ?Sized>(
        &mut self,
        unit: &mut S,
        control: Option<Control>,
    ) -> Result<bool, Stop> {
        let event = match control {
            Some(Control::Trigger(barrier)) => Event::Trigger(barrier),
            Some(Control::NotifyComplete(checkpoint)) => Event::NotifyComplete { checkpoint },
            Some(Control::NotifyAborted { checkpoint, latest_complete }) => {
                Event::NotifyAborted { checkpoint, latest_complete }
            }
            Some(Control::Close) => {
                // Other checkpoints may still wait for what this task has captured.
                while let Some(capture) = self.captures.join_next().await {
                    self.captured(unit, capture).await?;
                }
                return Ok(true);
            }
            None => return Err(Stop::Disconnected),
        };
        self.step(unit, event).await?;
        Ok(false)
    }

    async fn captured<S: Stateful + ?Sized>(
        &mut self,
        unit: &mut S,
        capture: Result<Capture, JoinError>,
    ) -> Result<(), Stop> {
        // Writing catches its own panics, so this is the runtime going down.
        let Ok(Capture { checkpoint, result }) = capture else { return Err(Stop::Disconnected) };
        let was_cancelled =
            self.cancellations.remove(&checkpoint).is_none_or(|flag| flag.load(Ordering::Relaxed));
        let snapshot = match result {
            Ok(Written { snapshot, base }) => {
                if let Some((history, base)) = self.history.as_mut().zip(base).filter(|_| !was_cancelled) {
                    history.written(checkpoint, base);
                }
                Some(snapshot)
            }
            Err(CaptureError::Preparation(message)) => {
                let message = format!("output could not be prepared for checkpoint {checkpoint}: {message}");
                return Err(Stop::Failed(TaskError::message(message)));
            }
            Err(CaptureError::State(message)) => {
                if !was_cancelled {
                    (self.observer)(&JobEvent::CaptureFailed {
                        task: self.id,
                        checkpoint,
                        message: &message,
                    });
                }
                None
            }
        };
        self.step(unit, Event::Durable { checkpoint, snapshot }).await
    }

    async fn step<S: Stateful + ?Sized>(&mut self, unit: &mut S, event: Event) -> Result<(), Stop> {
        for effect in self.machine.handle(event) {
            match effect {
                Effect::Forward(barrier) => self.forward(|| Element::Barrier(barrier.clone())).await?,
                Effect::ForwardCancel(checkpoint) => self.forward(|| Element::Cancel(checkpoint)).await?,
                Effect::Capture(barrier) => self.capture(unit, barrier)?,
                Effect::CancelCapture(checkpoint) => {
                    if let Some(cancelled) = self.cancellations.get(&checkpoint) {
                        cancelled.store(true, Ordering::Relaxed);
                    }
                }
                Effect::Acknowledge { checkpoint, snapshot } => {
                    self.tell(CoordinatorEvent::Acknowledged {
                        checkpoint,
                        attempt: self.context.attempt,
                        task: self.id,
                        snapshot,
                        metrics: SnapshotMetrics::default(),
                    })?
                }
                Effect::Decline { checkpoint, reason } => self.tell(CoordinatorEvent::Declined {
                    checkpoint,
                    attempt: self.context.attempt,
                    task: self.id,
                    reason,
                })?,
                Effect::Complete(checkpoint) => {
                    if let Some(history) = &mut self.history {
                        history.confirm(checkpoint);
                    }
                    blocking(|| unit.notify_complete(checkpoint))?;
                }
                Effect::Aborted(checkpoint) => {
                    if let Some(history) = &mut self.history {
                        history.abort(checkpoint);
                    }
                    blocking(|| unit.notify_aborted(checkpoint))?;
                }
                // Late and repeated messages are part of every abort; there is nothing to do about them.
                Effect::Ignored(_) => {}
            }
        }
        Ok(())
    }

    async fn forward(&mut self, element: impl Fn() -> Element<T>) -> Result<(), Stop> {
        match self.output.broadcast(element).await {
            // Those behind a task without further records may be closed before it is. It has to live on all the same:
            // what it is to commit may be among the messages that it has not read yet.
            Err(Disconnected) if self.finished => Ok(()),
            sent => Ok(sent?),
        }
    }

    /// Takes hold of the state and lets somebody else write it.
    fn capture<S: Stateful + ?Sized>(&mut self, unit: &mut S, barrier: Barrier) -> TaskResult<()> {
        let checkpoint = barrier.checkpoint;
        let mut snapshot = unit.snapshot(checkpoint)?;
        let cancelled = Arc::new(AtomicBool::new(false));
        self.cancellations.insert(checkpoint, Arc::clone(&cancelled));
        let (form, offload) = (self.keyed_form(barrier.kind), self.offload.clone());
        let writer = Writer::new(Arc::clone(&self.storage), barrier, self.finished, cancelled);
        let preparations = snapshot.take_preparations();
        let (done, prepared) = oneshot::channel();
        let earlier = self.prepared.replace(prepared);
        let prepare = prepare(preparations, earlier, done, offload.clone());
        self.captures.spawn(async move {
            let result = match prepare.await {
                Ok(()) => {
                    let written = offload.run(snapshot.write(form, writer)).await;
                    let written = written.unwrap_or_else(|Lost| Err("writing the state panicked".into()));
                    written.map_err(CaptureError::State)
                }
                Err(message) => Err(CaptureError::Preparation(message)),
            };
            Capture { checkpoint, result }
        });
        Ok(())
    }

    /// How keyed state is written for a checkpoint of this kind. A savepoint belongs to somebody else, so it shares nothing.
    fn keyed_form(&self, kind: CheckpointKind) -> KeyedForm {
        match &self.history {
            Some(history) if !kind.is_savepoint() => {
                KeyedForm::Parts { base: history.confirmed().filter(|_| kind.may_build_on_earlier()) }
            }
            Some(_) | None => KeyedForm::Whole,
        }
    }
}

/// Runs the preparations of one capture after those of the capture before it. The later checkpoint contains what the
/// earlier one prepared, so it must not be acknowledged first, nor at all if the earlier preparation failed.
async fn prepare(
    preparations: Vec<Box<dyn FnOnce() -> TaskResult<()> + Send>>,
    earlier: Option<oneshot::Receiver<()>>,
    done: oneshot::Sender<()>,
    offload: Offload,
) -> Result<(), String> {
    if let Some(earlier) = earlier {
        earlier.await.map_err(|_| "an earlier preparation failed".to_owned())?;
    }
    if !preparations.is_empty() {
        let run = async move { preparations.into_iter().try_for_each(|prepare| prepare()) };
        let prepared = offload.run(run).await;
        prepared.map_err(|Lost| "it panicked".to_owned())?.map_err(|error| error.to_string())?;
    }
    // The task may have ended meanwhile.
    let _ = done.send(());
    Ok(())
}

/// Runs user code that may block for a moment, such as a commit. Other tasks go on where the runtime has threads for it.
fn blocking<R>(code: impl FnOnce() -> R) -> R {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(code),
        _ => code(),
    }
}

/// Ready at once without a moment to wait for, but never without letting others run once the budget of this task is used
/// up. A moment and not a duration, because the wait begins anew with every control message in between.
async fn wait_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => tokio::task::consume_budget().await,
    }
}
