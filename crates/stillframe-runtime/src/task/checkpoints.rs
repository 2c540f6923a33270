//! What a task does for checkpoints: it performs the effects of its machine.

use super::{Capture, CaptureError, Stop, Task, UnderWay};
use crate::cancel::{Cancelled, Wanted};
use crate::clock;
use crate::control::Message;
use crate::event::JobEvent;
use crate::gate::Element;
use crate::offload::{Lost, Offload, Unanswered};
use crate::operator::{Record, Stateful};
use crate::output::Disconnected;
use crate::snapshot::{KeyedForm, ProgressReport, Snapshot, Writer, Written};
use crate::{TaskError, TaskResult};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use stillframe_coordinator::Event as CoordinatorEvent;
use stillframe_model::{
    Barrier, CheckpointId, CheckpointKind, SavepointFormat, SavepointKind, SnapshotMetrics, TaskProgress,
    UnixMillis,
};
use stillframe_storage::StateScope;
use stillframe_task::{Effect, Event};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::task::JoinError;
use tokio::time::Instant;

/// When the first barrier of an alignment came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alignment {
    begun: Instant,
    start_delay: Duration,
}

impl<T: Record> Task<T> {
    pub(super) async fn step<S: Stateful + ?Sized>(
        &mut self,
        unit: &mut S,
        event: Event,
    ) -> Result<(), Stop> {
        let triggered_at = match &event {
            Event::Barrier { barrier, .. } => Some(barrier.triggered_at),
            _ => None,
        };
        let mut failure = None;
        let mut effects = VecDeque::from(self.machine.handle(event));
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Aligning { checkpoint, arrived, of } => {
                    self.aligning(checkpoint, triggered_at, TaskProgress::Aligning { arrived, of });
                }
                Effect::Stop { drain } => self.stop(drain).await?,
                Effect::Forward(barrier) => self.forward(|| Element::Barrier(barrier.clone())).await?,
                Effect::ForwardCancel(checkpoint) => self.forward(|| Element::Cancel(checkpoint)).await?,
                Effect::Capture(barrier) => {
                    let checkpoint = barrier.checkpoint;
                    if let Err(error) = self.capture(unit, barrier) {
                        failure = Some(error);
                        effects = self.machine.handle(Event::NotCaptured { checkpoint }).into();
                    }
                }
                Effect::CancelCapture(checkpoint) => {
                    if let Some(under_way) = self.under_way.get(&checkpoint) {
                        under_way.wanted.cancel();
                    }
                }
                Effect::Acknowledge { checkpoint, snapshot } => {
                    let under_way = self.under_way.get(&checkpoint);
                    self.tell(CoordinatorEvent::Acknowledged {
                        checkpoint,
                        attempt: self.context.attempt,
                        task: self.id,
                        snapshot,
                        metrics: under_way.map(|under_way| under_way.metrics).unwrap_or_default(),
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
                    let (attempt, task) = (self.context.attempt, self.id);
                    self.tell(CoordinatorEvent::Committed { checkpoint, attempt, task })?;
                }
                Effect::Aborted(checkpoint) => {
                    self.alignments.remove(&checkpoint);
                    if let Some(history) = &mut self.history {
                        history.abort(checkpoint);
                    }
                    blocking(|| unit.notify_aborted(checkpoint))?;
                }
                Effect::Subsumed(checkpoint) => blocking(|| unit.notify_subsumed(checkpoint))?,
                Effect::Fail(checkpoint) => {
                    failure = Some(TaskError::message(format!(
                        "savepoint {checkpoint}, behind which the job was to stop, was given up after this task had \
                         stopped for it; only a restart lets it go on"
                    )));
                }
                // Late and repeated messages are part of every abort; there is nothing to do about them.
                Effect::Ignored(_) => {}
            }
        }
        failure.map_or(Ok(()), |error| Err(Stop::Failed(error)))
    }

    fn aligning(
        &mut self,
        checkpoint: CheckpointId,
        triggered_at: Option<UnixMillis>,
        progress: TaskProgress,
    ) {
        self.alignments.entry(checkpoint).or_insert_with(|| Alignment {
            begun: Instant::now(),
            start_delay: triggered_at.map_or(Duration::ZERO, clock::since_wall),
        });
        self.report().progressed(checkpoint, progress);
    }

    /// Behind the savepoint that comes now nothing is read any more. For a restored job the input goes on there, so this is
    /// no end of the data for the snapshot.
    async fn stop(&mut self, drain: bool) -> Result<(), Stop> {
        let is_first = !self.has_ended();
        self.stopped = true;
        if drain && is_first { self.end_of_data(false).await } else { Ok(()) }
    }

    async fn forward(&mut self, element: impl Fn() -> Element<T>) -> Result<(), Stop> {
        match self.output.broadcast(element).await {
            // Those behind a task without further records may be closed before it is. It has to live on all the same:
            // what it is to commit may be among the messages that it has not read yet.
            Err(Disconnected) if self.has_ended() => Ok(()),
            sent => Ok(sent?),
        }
    }

    pub(super) fn tell(&self, event: CoordinatorEvent) -> Result<(), Stop> {
        self.coordinator.send(Message::Event(event)).map_err(|_| Stop::Disconnected)
    }

    fn report(&self) -> ProgressReport {
        ProgressReport::new(self.coordinator.clone(), self.context.attempt, self.id)
    }

    /// Takes hold of the state and lets somebody else write it.
    fn capture<S: Stateful + ?Sized>(&mut self, unit: &mut S, barrier: Barrier) -> TaskResult<()> {
        let checkpoint = barrier.checkpoint;
        let begun = Instant::now();
        let alignment = self.alignments.remove(&checkpoint);
        // Older ones were overtaken, and are over.
        self.alignments = self.alignments.split_off(&checkpoint);
        let report = self.report();
        report.progressed(checkpoint, TaskProgress::Capturing);
        let mut snapshot = unit.snapshot(checkpoint)?;
        report.progressed(checkpoint, TaskProgress::Preparing);
        let metrics = SnapshotMetrics {
            start_delay: alignment
                .map_or_else(|| clock::since_wall(barrier.triggered_at), |alignment| alignment.start_delay),
            alignment: alignment.map_or(Duration::ZERO, |alignment| begun.duration_since(alignment.begun)),
            sync: begun.elapsed(),
            // Records are values here and have no size in bytes, so what was processed meanwhile is given as 0.
            ..SnapshotMetrics::default()
        };
        let (wanted, cancelled) = Wanted::new();
        self.under_way.insert(checkpoint, UnderWay { wanted, metrics });
        let (form, offload) = (self.keyed_form(barrier.kind), self.offload.clone());
        let writer =
            Writer::new(Arc::clone(&self.storage), barrier, self.finished, cancelled.clone(), report);
        let preparations = snapshot.take_preparations();
        let (done, prepared) = oneshot::channel();
        let earlier = self.prepared.replace(prepared);
        let prepare = prepare(preparations, earlier, done, offload.clone());
        self.captures.spawn(async move {
            let begun = Instant::now();
            let result = write(prepare, snapshot, form, writer, &offload, &cancelled).await;
            Capture { checkpoint, asynchronous: begun.elapsed(), result }
        });
        Ok(())
    }

    pub(super) async fn captured<S: Stateful + ?Sized>(
        &mut self,
        unit: &mut S,
        capture: Result<Capture, JoinError>,
    ) -> Result<(), Stop> {
        // Writing catches its own panics, so this is the runtime going down.
        let Ok(Capture { checkpoint, asynchronous, result }) = capture else {
            return Err(Stop::Disconnected);
        };
        let was_cancelled = self.under_way.get_mut(&checkpoint).is_none_or(|under_way| {
            under_way.metrics.asynchronous = asynchronous;
            under_way.wanted.is_cancelled()
        });
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
        let stepped = self.step(unit, Event::Durable { checkpoint, snapshot }).await;
        self.under_way.remove(&checkpoint);
        stepped
    }

    /// How keyed state is written for a checkpoint of this kind. A savepoint belongs to somebody else, so it shares nothing.
    fn keyed_form(&self, kind: CheckpointKind) -> KeyedForm {
        match (&self.history, kind) {
            (None, _)
            | (_, CheckpointKind::Savepoint(SavepointKind { format: SavepointFormat::Canonical, .. })) => {
                KeyedForm::Whole
            }
            (Some(_), CheckpointKind::Savepoint(SavepointKind { format: SavepointFormat::Native, .. })) => {
                KeyedForm::Parts { base: None, scope: StateScope::Exclusive }
            }
            (Some(history), CheckpointKind::Checkpoint | CheckpointKind::FullCheckpoint) => {
                KeyedForm::Parts {
                    base: history.confirmed().filter(|_| kind.may_build_on_earlier()),
                    scope: StateScope::Shared,
                }
            }
        }
    }
}

/// Writes what was captured once the preparations are done. What nobody wants any more is let go of at once: not the
/// preparations, because later checkpoints rely on them.
async fn write(
    prepare: impl Future<Output = Result<(), String>>,
    snapshot: Snapshot,
    form: KeyedForm,
    writer: Writer,
    offload: &Offload,
    cancelled: &Cancelled,
) -> Result<Written, CaptureError> {
    tokio::pin!(prepare);
    let is_wanted = tokio::select! {
        biased;
        prepared = &mut prepare => {
            prepared.map_err(CaptureError::Preparation)?;
            true
        }
        () = cancelled.wait() => false,
    };
    if !is_wanted {
        drop((snapshot, writer));
        prepare.await.map_err(CaptureError::Preparation)?;
        return Err(CaptureError::State("cancelled".into()));
    }
    writer.waits();
    let written = match offload.run_while_wanted(cancelled, snapshot.write(form, writer)).await {
        Ok(written) => written,
        Err(Unanswered::Lost) => Err("writing the state panicked".into()),
        Err(Unanswered::NotBegun) => Err("not begun, because too much else has not ended".into()),
        Err(Unanswered::Cancelled | Unanswered::GivenUp { .. }) => Err("cancelled".into()),
    };
    written.map_err(CaptureError::State)
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
pub(super) fn blocking<R>(code: impl FnOnce() -> R) -> R {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(code),
        _ => code(),
    }
}
