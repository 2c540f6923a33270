use crate::align::{Aligned, Decision, Tracking};
use crate::subtask::Subtask;
use crate::{Effect, Event, Ignored};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use stillframe_config::BarrierPolicy;
use stillframe_model::{Barrier, CheckpointId};

/// One task's part in the checkpoints of its job.
///
/// Feed every control element to [`handle`](Self::handle) and perform the effects in order before the next record is
/// processed. Read only from inputs whose [`gate`](Self::gate) is open.
///
/// ```
/// use stillframe_config::BarrierPolicy;
/// use stillframe_model::{Barrier, CheckpointId, CheckpointKind, LocationReference, UnixMillis};
/// use stillframe_task::{Effect, Event, Gate, TaskMachine};
///
/// let mut task = TaskMachine::new(2, BarrierPolicy::Align, None);
/// let barrier = Barrier {
///     checkpoint: CheckpointId::FIRST,
///     kind: CheckpointKind::Checkpoint,
///     triggered_at: UnixMillis(0),
///     location: LocationReference::Default,
/// };
/// let effects = task.handle(Event::Barrier { channel: 0, barrier: barrier.clone() });
/// assert_eq!(effects, [Effect::Aligning { checkpoint: CheckpointId::FIRST, arrived: 1, of: 2 }]);
/// assert_eq!((task.gate(0), task.gate(1)), (Gate::Blocked, Gate::Open));
///
/// let effects = task.handle(Event::Barrier { channel: 1, barrier: barrier.clone() });
/// assert_eq!(effects, [Effect::Forward(barrier.clone()), Effect::Capture(barrier)]);
/// assert_eq!((task.gate(0), task.gate(1)), (Gate::Open, Gate::Open));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskMachine {
    channels: usize,
    /// The inputs that have not ended.
    open: BTreeSet<usize>,
    /// What was triggered before the end of the last input was read.
    held: Vec<Barrier>,
    aligner: Aligner,
    subtask: Subtask,
}

/// Whether the next element of an input may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gate {
    /// It may.
    Open,
    /// Its barrier came; what follows belongs to the next checkpoint and has to wait for the other inputs.
    Blocked,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Aligner {
    Track(Tracking),
    Align(Aligned),
}

impl TaskMachine {
    /// A task with this many inputs (0 for a source), restored from a checkpoint or from none.
    #[must_use]
    pub fn new(channels: usize, policy: BarrierPolicy, restored: Option<CheckpointId>) -> Self {
        Self {
            channels,
            open: (0..channels).collect(),
            held: Vec::new(),
            aligner: Aligner::new(channels, policy, true),
            subtask: Subtask::new(restored),
        }
    }

    /// Whether checkpoints go on when an input has ended, which is so unless it is said here. If they do not, a checkpoint
    /// whose barriers come beside the end of an input is declined.
    #[must_use]
    pub fn with_checkpoints_after_end_of_input(mut self, after_end: bool) -> Self {
        let policy = match self.aligner {
            Aligner::Track(_) => BarrierPolicy::Track,
            Aligner::Align(_) => BarrierPolicy::Align,
        };
        self.aligner = Aligner::new(self.channels, policy, after_end);
        self
    }

    /// Takes in a control element and says what to do about it, in order.
    #[must_use = "effects that are not performed are lost"]
    pub fn handle(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            // What the ended inputs sent last is still to be read, and belongs to the checkpoint.
            Event::Trigger(barrier) if !self.open.is_empty() => self.held.push(barrier),
            Event::Trigger(barrier) => self.subtask.checkpoint(barrier, &mut effects),
            Event::Barrier { channel, .. }
            | Event::CancelMarker { channel, .. }
            | Event::EndOfInput { channel }
                if channel >= self.channels =>
            {
                effects.push(Effect::Ignored(Ignored::UnknownChannel(channel)));
            }
            Event::Barrier { channel, barrier } => {
                let decisions = match &mut self.aligner {
                    Aligner::Track(tracking) => tracking.barrier(channel, barrier),
                    Aligner::Align(aligned) => aligned.barrier(channel, barrier),
                };
                self.apply(decisions, &mut effects);
            }
            Event::CancelMarker { channel, checkpoint } => {
                let decisions = match &mut self.aligner {
                    Aligner::Track(tracking) => tracking.cancel(channel, checkpoint),
                    Aligner::Align(aligned) => aligned.cancel(checkpoint),
                };
                self.apply(decisions, &mut effects);
            }
            Event::EndOfInput { channel } => {
                let decisions = match &mut self.aligner {
                    Aligner::Track(tracking) => tracking.end_of_input(channel),
                    Aligner::Align(aligned) => aligned.end_of_input(channel),
                };
                self.apply(decisions, &mut effects);
                self.open.remove(&channel);
                if self.open.is_empty() {
                    for barrier in core::mem::take(&mut self.held) {
                        self.subtask.checkpoint(barrier, &mut effects);
                    }
                }
            }
            Event::Durable { checkpoint, snapshot } => {
                self.subtask.durable(checkpoint, snapshot, &mut effects)
            }
            Event::NotCaptured { checkpoint } => self.subtask.not_captured(checkpoint, &mut effects),
            Event::NotifyComplete { checkpoint } => self.subtask.complete(checkpoint, &mut effects),
            Event::NotifyAborted { checkpoint, latest_complete } => {
                self.subtask.aborted(checkpoint, latest_complete, &mut effects);
            }
            Event::NotifySubsumed { checkpoint } => self.subtask.subsumed(checkpoint, &mut effects),
        }
        effects
    }

    /// Whether the next element of input `channel` may be read. Changes only in [`handle`](Self::handle).
    #[must_use]
    pub fn gate(&self, channel: usize) -> Gate {
        match &self.aligner {
            Aligner::Track(_) => Gate::Open,
            Aligner::Align(aligned) if aligned.is_blocked(channel) => Gate::Blocked,
            Aligner::Align(_) => Gate::Open,
        }
    }

    fn apply(&mut self, decisions: Vec<Decision>, effects: &mut Vec<Effect>) {
        for decision in decisions {
            match decision {
                Decision::Aligning { checkpoint, arrived, of } => {
                    let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
                    effects.push(Effect::Aligning { checkpoint, arrived: count(arrived), of: count(of) });
                }
                Decision::Checkpoint(barrier) => self.subtask.checkpoint(barrier, effects),
                Decision::GiveUp(checkpoint, reason) => self.subtask.give_up(checkpoint, reason, effects),
                Decision::Obsolete(checkpoint) => {
                    effects.push(Effect::Ignored(Ignored::Obsolete(checkpoint)))
                }
            }
        }
    }
}

impl Aligner {
    fn new(channels: usize, policy: BarrierPolicy, after_end: bool) -> Self {
        match policy {
            BarrierPolicy::Track => Self::Track(Tracking::new(channels, after_end)),
            BarrierPolicy::Align => Self::Align(Aligned::new(channels, after_end)),
        }
    }
}
