//! What can happen next, in every state.

use super::coverage::Coverage;
use super::mutant::Mutant;
use super::world::{Answer, Around, Message, Operation, Settings, World};
use stateright::{Model, Property};
use std::fmt;
use std::sync::Arc;
use stillframe::model::{JobStatus, OpId};

/// How much happens at most.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    pub(super) settings: Settings,
    /// Checkpoints and savepoints that are ever triggered.
    pub(super) ids: u64,
    pub(super) savepoints: u8,
    /// Savepoints behind which the job is to stop.
    pub(super) stops: u8,
    /// Messages that are delivered more than once.
    pub(super) repeats: u8,
    /// Tasks that decline instead of acknowledging.
    pub(super) declines: u8,
    /// Operations of the storage that fail or have an unknown outcome.
    pub(super) faults: u8,
    pub(super) restarts: u8,
    /// Whether the job is ended by a person.
    pub(super) ends: u8,
    pub(super) mutant: Option<Mutant>,
    pub(super) coverage: Arc<Coverage>,
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { settings, ids, savepoints, stops, repeats, declines, faults, restarts, ends, .. } = self;
        write!(
            f,
            "{ids} ids, {savepoints} savepoints, {stops} stops, {repeats} repeats, {declines} declines, {faults} faults, \
             {restarts} restarts, {ends} ends, {settings:?}"
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// Time passes until the machine wants to know.
    Tick,
    Deliver(Message),
    /// As [`Deliver`](Self::Deliver), and it will come again.
    Repeat(Message),
    /// The task says no instead.
    Decline(Message),
    Answer(OpId, Answer),
    AskForASavepoint,
    AskToStop,
    End(JobStatus),
    FailOver,
    /// The coordinator ends without a word and another takes over; what it was publishing has landed or not.
    Restart {
        has_landed: bool,
    },
}

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.around())]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let used = &world.used;
        for &message in &world.messages {
            actions.push(Action::Deliver(message));
            if used.repeats < self.repeats {
                actions.push(Action::Repeat(message));
            }
            if used.declines < self.declines && matches!(message, Message::Acknowledge { .. }) {
                actions.push(Action::Decline(message));
            }
        }
        for (&op, operation) in &world.operations {
            actions.push(Action::Answer(op, Answer::Done));
            if used.faults < self.faults && !matches!(operation, Operation::Delete) {
                actions.push(Action::Answer(op, Answer::Failed));
                if let Operation::Publish { .. } = operation {
                    actions.push(Action::Answer(op, Answer::Unknown(true)));
                    actions.push(Action::Answer(op, Answer::Unknown(false)));
                }
            }
        }
        if used.restarts < self.restarts && (!world.ended || world.failed_over) {
            actions.push(Action::Restart { has_landed: false });
            if world.operations.values().any(|operation| matches!(operation, Operation::Publish { .. })) {
                actions.push(Action::Restart { has_landed: true });
            }
        }
        if world.failed {
            return actions.push(Action::FailOver);
        }
        if world.ended {
            return;
        }
        actions.push(Action::Tick);
        if used.savepoints < self.savepoints {
            actions.push(Action::AskForASavepoint);
        }
        if used.stops < self.stops {
            actions.push(Action::AskToStop);
        }
        if used.ends < self.ends {
            actions.extend([Action::End(JobStatus::Finished), Action::End(JobStatus::Canceled)]);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let around = self.around();
        let mut world = world.clone();
        match action {
            Action::Tick => world.tick(&around)?,
            Action::Deliver(message) => world.deliver(&around, message, false)?,
            Action::Repeat(message) => {
                world.used.repeats += 1;
                world.deliver(&around, message, true)?;
            }
            Action::Decline(message) => {
                world.used.declines += 1;
                world.decline(&around, message)?;
            }
            Action::Answer(op, answer) => {
                world.used.faults += u8::from(answer != Answer::Done);
                world.answer(&around, op, answer)?;
            }
            Action::AskForASavepoint => {
                world.used.savepoints += 1;
                world.ask(&around, false);
            }
            Action::AskToStop => {
                world.used.stops += 1;
                world.ask(&around, true);
            }
            Action::End(status) => {
                world.used.ends += 1;
                world.end(&around, status);
            }
            Action::FailOver => {
                world.failed = false;
                world.ended = true;
                world.failed_over = true;
                world.fail_over(&around);
            }
            Action::Restart { has_landed } => {
                world.used.restarts += 1;
                world.restart(&around, has_landed);
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("nothing is wrong", |_, world: &World| world.wrong().is_none())]
    }

    fn within_boundary(&self, world: &World) -> bool {
        world.triggered() <= self.ids
    }
}

impl Bounds {
    fn around(&self) -> Around<'_> {
        Around { settings: self.settings, mutant: self.mutant, coverage: &self.coverage }
    }
}
