//! What can happen next, in every state.

use super::coverage::{Coverage, Event};
use super::files::retained;
use super::mutant::Mutant;
use super::world::{Coordinator, Invariant, Surroundings, World};
use stateright::{Model, Property};
use std::sync::Arc;
use stillframe::storage_directory::register::{Request, Step, Update};

/// How much happens at most.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// Coordinators that ever begin. Two of them live at a time.
    pub(super) births: u8,
    /// Checkpoints that are ever triggered.
    pub(super) checkpoints: u32,
    /// Checkpoints that are retained at a time.
    pub(super) retained: usize,
    /// Up to which epoch an owner claims again.
    pub(super) reclaims: usize,
    /// Requests that are under way without anybody waiting for them.
    pub(super) late: usize,
    /// Whether requests may fail for certain.
    pub(super) refusals: bool,
    pub(super) mutant: Option<Mutant>,
    pub(super) coverage: Arc<Coverage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// A coordinator starts and claims the register.
    Begin,
    Perform(usize),
    Lose(usize),
    Refuse(usize),
    Copy(usize),
    Crash(usize),
    /// A late request arrives.
    Arrive(usize),
    /// An entry below the floor is deleted.
    Vanish(u64),
    /// State is written for a checkpoint, all of it or what is new since the head.
    Trigger {
        which: usize,
        is_incremental: bool,
    },
    Commit(usize),
    Abort(usize),
    Sweep(usize),
    Reclaim(usize),
}

impl Bounds {
    fn actions_of(&self, world: &World, which: usize, coordinator: &Coordinator, actions: &mut Vec<Action>) {
        if world.births < self.births {
            actions.push(Action::Crash(which));
        }
        if let Some(request) = &coordinator.request {
            actions.push(Action::Perform(which));
            if matches!(request, Request::CreateMarker(_) | Request::CreateEntry(_)) {
                if world.late.len() < self.late || world.late.contains(request) {
                    actions.push(Action::Lose(which));
                }
                if world.late.len() < self.late && !world.late.contains(request) {
                    actions.push(Action::Copy(which));
                }
                if self.refusals && !coordinator.is_sent {
                    actions.push(Action::Refuse(which));
                }
            }
            return;
        }
        match coordinator.pending {
            Some(_) => actions.extend([Action::Commit(which), Action::Abort(which)]),
            None if world.files.created.len() < self.checkpoints => {
                actions.push(Action::Trigger { which, is_incremental: false });
                actions.push(Action::Trigger { which, is_incremental: true });
            }
            None => {}
        }
        actions.push(Action::Sweep(which));
        if world.markers.len() < self.reclaims {
            actions.push(Action::Reclaim(which));
        }
    }

    fn trigger(&self, world: &mut World, which: usize, is_incremental: bool) -> Option<()> {
        let coordinator = world.alive.get_mut(which)?;
        let id = coordinator.next;
        let confirmed = coordinator.register.head()?.retained.last().map_or(0, |one| one.checkpoint.get());
        let base = match self.mutant {
            _ if !is_incremental => 0,
            Some(Mutant::SharesUnconfirmed) if coordinator.tried != 0 => coordinator.tried,
            // Nothing to share is as good as not sharing.
            _ if confirmed == 0 => return None,
            _ => confirmed,
        };
        coordinator.next += 1;
        coordinator.pending = Some((id, base));
        if self.mutant == Some(Mutant::SharesUnconfirmed) {
            coordinator.tried = id;
        }
        if !world.files.create(id) {
            world.wrong = Some(Invariant::IdsAreUsedOnce);
        }
        Some(())
    }

    fn commit(&self, world: &mut World, which: usize, around: &Surroundings<'_>) -> Option<()> {
        let coordinator = world.alive.get_mut(which)?;
        let (id, base) = coordinator.pending?;
        let mut kept = coordinator.register.head()?.retained.clone();
        kept.push(retained(id, base));
        let dropped = kept.drain(..kept.len().saturating_sub(self.retained)).collect();
        let update = Update { retained: kept, dropped, ..Update::default() };
        let step = coordinator.register.append(update);
        if self.mutant == Some(Mutant::DeletesBeforeCommit)
            && let Step::Request(Request::CreateEntry(entry)) = &step
        {
            world.files.drop_by(entry);
        }
        world.go_on(which, step, around);
        Some(())
    }

    fn sweep(&self, world: &mut World, which: usize) -> Option<()> {
        let coordinator = world.alive.get(which)?;
        let pending = coordinator.pending.map_or(0, |(id, _)| id);
        let is_bounded = self.mutant != Some(Mutant::SweepsEverything);
        let below = is_bounded.then(|| coordinator.register.ids().start);
        let is_new = world.files.sweep(coordinator.register.head()?, below, pending);
        self.coverage.saw_if(is_new, Event::OrphanSwept);
        is_new.then_some(())
    }
}

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::default()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.births < self.births && world.alive.len() < 2 {
            actions.push(Action::Begin);
        }
        for (which, coordinator) in world.alive.iter().enumerate() {
            self.actions_of(world, which, coordinator, actions);
        }
        actions.extend((0..world.late.len()).map(Action::Arrive));
        actions.extend(world.entries.range(..world.vanishing).map(|(number, _)| Action::Vanish(*number)));
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let around = Surroundings { mutant: self.mutant, coverage: &self.coverage };
        let mut world = world.clone();
        match action {
            Action::Begin => world.begin(&around),
            Action::Perform(which) => world.perform(which, &around)?,
            Action::Lose(which) => world.lose(which, &around)?,
            Action::Refuse(which) => world.refuse(which, &around)?,
            Action::Copy(which) => world.copy(which)?,
            Action::Crash(which) => world.crash(which, self.late)?,
            Action::Arrive(which) => world.arrive(which, &around)?,
            Action::Vanish(number) => {
                world.entries.remove(&number)?;
                self.coverage.saw(Event::EntryVanished);
            }
            Action::Trigger { which, is_incremental } => self.trigger(&mut world, which, is_incremental)?,
            Action::Commit(which) => self.commit(&mut world, which, &around)?,
            Action::Abort(which) => {
                let (id, _) = world.alive.get_mut(which)?.pending.take()?;
                world.files.doom(id);
            }
            Action::Sweep(which) => self.sweep(&mut world, which)?,
            Action::Reclaim(which) => {
                let step = world.alive.get_mut(which)?.register.reclaim();
                world.go_on(which, step, &around);
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("I2: nothing is deleted that the head reaches", |_, world: &World| {
                world.found().is_none_or(|head| world.files.keep(head))
            }),
            Property::always("I3: what was reported can be restored", |_, world: &World| {
                let Some((number, id)) = world.reported else { return true };
                let Some(found) = world.found() else { return false };
                let newest = found.retained.last().map_or(0, |one| one.checkpoint.get());
                found.sequence >= number && newest >= id && world.files.keep(found)
            }),
            Property::always("I5: entries form one chain", |_, world: &World| {
                is_kept(world, Invariant::OneChain)
            }),
            Property::always("I6: reported ids rise", |_, world: &World| is_kept(world, Invariant::IdsRise)),
            Property::always("I7: an id is used once", |_, world: &World| {
                is_kept(world, Invariant::IdsAreUsedOnce)
            }),
            Property::always("I15: what is referred to was confirmed", |_, world: &World| {
                is_kept(world, Invariant::FilesAreConfirmed)
            }),
            Property::always("the register is found, and takes what its owner gives", |_, world: &World| {
                is_kept(world, Invariant::NothingIsCorrupt)
            }),
        ]
    }
}

fn is_kept(world: &World, invariant: Invariant) -> bool {
    world.wrong != Some(invariant)
}
