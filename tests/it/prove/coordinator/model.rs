//! What can happen next, in every state.

use super::coverage::Coverage;
use super::mutant::Mutant;
use super::world::{Answer, Around, Message, Operation, Settings, Wish, World};
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
    /// How often time moves on to the machine's next deadline.
    pub(super) ticks: u8,
    pub(super) savepoints: u8,
    /// Savepoints behind which the job is to stop.
    pub(super) stops: u8,
    /// Checkpoints that a person asks for.
    pub(super) checkpoints: u8,
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
        let Self {
            settings,
            ids,
            ticks,
            savepoints,
            stops,
            checkpoints,
            declines,
            faults,
            restarts,
            ends,
            ..
        } = self;
        write!(
            f,
            "{ids} ids, {ticks} ticks, {savepoints} savepoints, {stops} stops, {checkpoints} checkpoints on request, \
             {declines} declines, {faults} faults, {restarts} restarts, {ends} ends, {settings:?}"
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// Time passes until the machine wants to know.
    Tick,
    /// It is there afterwards as before: what can come late can come twice.
    Deliver(Message),
    /// The task says no instead.
    Decline(Message),
    Answer(OpId, Answer),
    Ask(Wish),
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
        if used.ticks < self.ticks {
            actions.push(Action::Tick);
        }
        let wishes = [
            (used.savepoints < self.savepoints, Wish::Savepoint),
            (used.stops < self.stops, Wish::Stop),
            (used.checkpoints < self.checkpoints, Wish::Checkpoint),
        ];
        actions.extend(wishes.into_iter().filter(|(may, _)| *may).map(|(_, wish)| Action::Ask(wish)));
        if used.ends < self.ends {
            actions.extend([Action::End(JobStatus::Finished), Action::End(JobStatus::Canceled)]);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let around = self.around();
        let mut world = world.clone();
        match action {
            Action::Tick => {
                world.used.ticks += 1;
                world.tick(&around)?;
            }
            Action::Deliver(message) => world.deliver(&around, message)?,
            Action::Decline(message) => {
                world.used.declines += 1;
                world.decline(&around, message)?;
            }
            Action::Answer(op, answer) => {
                world.used.faults += u8::from(answer != Answer::Done);
                world.answer(&around, op, answer)?;
            }
            Action::Ask(wish) => {
                let used = match wish {
                    Wish::Savepoint => &mut world.used.savepoints,
                    Wish::Stop => &mut world.used.stops,
                    Wish::Checkpoint => &mut world.used.checkpoints,
                };
                *used += 1;
                world.ask(&around, wish);
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
