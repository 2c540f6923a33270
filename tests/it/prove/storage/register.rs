//! Two coordinators, one register, and a store between them that delays, loses answers and forgets nothing it was told:
//! every order of events up to a bound. The machine is the one that runs.

use crate::prove::{Proof, report, size};
use stateright::{Checker, Expectation, HasDiscoveries, Model, Property};
use std::collections::{BTreeMap, BTreeSet};
use stillframe::model::{CheckpointId, Crc32c, JobId};
use stillframe::storage_directory::register::{
    Conclusion, Entry, Fence, Marker, Outcome, Register, Reply, Request, Retained, Step,
};

const JOB: JobId = JobId::from_bytes([7; 16]);

/// What is left out of the protocol, to see that it is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mutant {
    None,
    /// Nobody asks for a newer epoch before an entry counts.
    NoLookAfterwards,
    /// Entries are deleted up to the newest one.
    DeletesToTheTail,
    /// An answer that was lost is taken for a refusal.
    LostIsRefused,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    entries: u64,
    epochs: u64,
    crashes: u8,
    mutant: Mutant,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Coordinator {
    register: Register,
    request: Option<Request>,
    /// The next id to use, and the first that is not its own.
    ids: (u64, u64),
    incarnation: u8,
    is_begun: bool,
    /// It knows that its entry is there, and asks whether it counts.
    has_written: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct Seen {
    taken_over: bool,
    fenced: bool,
    own_write_read_back: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    markers: BTreeMap<u64, Marker>,
    entries: BTreeMap<u64, Entry>,
    /// Requests whose sender has given up on the answer.
    late: Vec<Request>,
    coordinators: [Coordinator; 2],
    crashes: u8,
    /// The entries that were reported, by number, and the ids in them.
    reported: BTreeMap<u64, Entry>,
    ids: BTreeSet<u64>,
    wrong: Option<&'static str>,
    seen: Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    Claim(usize),
    Commit(usize),
    /// The request is performed and answered.
    Perform(usize),
    /// It is performed, and the answer is lost.
    LoseAnswer(usize),
    /// It is not performed now, and perhaps later.
    Delay(usize),
    /// A delayed request arrives.
    Arrive(usize),
    Delete(usize),
    Crash(usize),
}

fn fresh(which: usize, incarnation: u8) -> Coordinator {
    let token = (which as u128 + 1) * 1_000 + u128::from(incarnation);
    Coordinator { register: Register::new(JOB, token), request: None, ids: (0, 0), incarnation, is_begun: false, has_written: false }
}

impl World {
    fn create(&mut self, request: &Request) -> bool {
        match request {
            Request::CreateMarker(marker) if !self.markers.contains_key(&marker.epoch) => {
                self.markers.insert(marker.epoch, marker.clone());
                true
            }
            Request::CreateEntry(entry) if !self.entries.contains_key(&entry.sequence) => {
                self.entries.insert(entry.sequence, entry.clone());
                true
            }
            _ => false,
        }
    }

    fn answer(&mut self, which: usize, request: &Request, mutant: Mutant) -> Reply {
        match request {
            Request::ReadMarker(epoch) => {
                let is_blind = mutant == Mutant::NoLookAfterwards && self.coordinators[which].has_written;
                Reply::Marker(self.markers.get(epoch).filter(|_| !is_blind).cloned())
            }
            Request::ReadEntry(number) => Reply::Entry(self.entries.get(number).cloned()),
            Request::Settle => Reply::Settled,
            create => Reply::Created(if self.create(create) { Outcome::Done } else { Outcome::Unknown }),
        }
    }

    fn go_on(&mut self, which: usize, step: Step) {
        let conclusion = match step {
            Step::Request(request) => {
                self.coordinators[which].request = Some(request);
                return;
            }
            Step::Conclude(conclusion) => conclusion,
        };
        match conclusion {
            Conclusion::Claimed { ids, .. } => {
                self.coordinators[which].ids = (ids.start, ids.end);
                self.seen.taken_over |= !self.reported.is_empty();
            }
            Conclusion::Committed(entry) => self.report(entry),
            Conclusion::Refused => {}
            Conclusion::Fenced { by } => self.seen.fenced |= matches!(by, Fence::Marker(_)),
            Conclusion::Corrupt { .. } => self.wrong = Some("a register is taken for corrupt"),
        }
    }

    fn report(&mut self, entry: Entry) {
        if let Some(newest) = entry.retained.last()
            && !self.ids.insert(newest.checkpoint.get())
        {
            self.wrong = Some("an id is used twice");
        }
        if self.reported.last_key_value().is_some_and(|(number, _)| *number >= entry.sequence) {
            self.wrong = Some("an entry is reported behind a later one");
        }
        self.reported.insert(entry.sequence, entry);
    }

    /// What somebody who looks now would restore.
    fn found(&self) -> Option<&Entry> {
        let floor = self.markers.last_key_value().map_or(0, |(_, marker)| marker.floor);
        let mut tail = self.entries.get(&floor);
        let mut next = floor.max(1);
        if tail.is_some() {
            next += 1;
        }
        while let Some(entry) = self.entries.get(&next) {
            tail = Some(entry);
            next += 1;
        }
        tail
    }
}

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            markers: BTreeMap::new(),
            entries: BTreeMap::new(),
            late: Vec::new(),
            coordinators: [fresh(0, 0), fresh(1, 0)],
            crashes: 0,
            reported: BTreeMap::new(),
            ids: BTreeSet::new(),
            wrong: None,
            seen: Seen::default(),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (which, coordinator) in world.coordinators.iter().enumerate() {
            match &coordinator.request {
                Some(request) => {
                    actions.push(Action::Perform(which));
                    if matches!(request, Request::CreateMarker(_) | Request::CreateEntry(_)) {
                        actions.push(Action::LoseAnswer(which));
                        if world.late.len() < 2 {
                            actions.push(Action::Delay(which));
                        }
                    }
                }
                None if !coordinator.is_begun => actions.push(Action::Claim(which)),
                None if coordinator.register.head().is_some() => {
                    actions.push(Action::Commit(which));
                    actions.push(Action::Delete(which));
                }
                None => {}
            }
            if coordinator.is_begun && world.crashes < self.crashes {
                actions.push(Action::Crash(which));
            }
        }
        actions.extend((0..world.late.len()).map(Action::Arrive));
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut world = world.clone();
        match action {
            Action::Claim(which) => {
                world.coordinators[which].is_begun = true;
                let step = world.coordinators[which].register.claim(None);
                world.go_on(which, step);
            }
            Action::Commit(which) => {
                let coordinator = &mut world.coordinators[which];
                let id = coordinator.ids.0;
                coordinator.ids.0 += 1;
                let head = coordinator.register.head()?;
                let retained = Retained { checkpoint: CheckpointId::new(id), len: 1, checksum: Crc32c(1) };
                let dropped = head.retained.iter().map(|old| old.checkpoint).collect();
                let step = coordinator.register.append(vec![retained], dropped, false);
                world.go_on(which, step);
            }
            Action::Perform(which) => {
                let request = world.coordinators[which].request.take()?;
                let reply = world.answer(which, &request, self.mutant);
                let is_own = matches!(&reply, Reply::Entry(Some(entry)) if entry.token / 1_000 == which as u128 + 1);
                world.seen.own_write_read_back |= is_own;
                let is_done = reply == Reply::Created(Outcome::Done) && matches!(request, Request::CreateEntry(_));
                world.coordinators[which].has_written = is_own || is_done;
                let step = world.coordinators[which].register.handle(reply);
                world.go_on(which, step);
            }
            Action::LoseAnswer(which) | Action::Delay(which) => {
                let request = world.coordinators[which].request.take()?;
                match action {
                    Action::LoseAnswer(_) => drop(world.create(&request)),
                    _ => world.late.push(request),
                }
                let lost = if self.mutant == Mutant::LostIsRefused { Outcome::Refused } else { Outcome::Unknown };
                let step = world.coordinators[which].register.handle(Reply::Created(lost));
                world.go_on(which, step);
            }
            Action::Arrive(which) => {
                let request = world.late.remove(which);
                world.create(&request);
            }
            Action::Delete(which) => {
                let register = &world.coordinators[which].register;
                let mut garbage = register.garbage();
                if self.mutant == Mutant::DeletesToTheTail {
                    garbage.end = register.head()?.sequence;
                }
                let before = world.entries.len();
                world.entries.retain(|number, _| !garbage.contains(number));
                if world.entries.len() == before {
                    return None;
                }
            }
            Action::Crash(which) => {
                world.crashes += 1;
                let next = fresh(which, world.coordinators[which].incarnation + 1);
                let old = std::mem::replace(&mut world.coordinators[which], next);
                if let Some(request @ (Request::CreateMarker(_) | Request::CreateEntry(_))) = old.request
                    && world.late.len() < 2
                {
                    world.late.push(request);
                }
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing goes wrong", |_, world: &World| world.wrong.is_none()),
            Property::always("what was reported is found", |_, world: &World| {
                let Some((number, entry)) = world.reported.last_key_value() else { return true };
                let Some(found) = world.found() else { return false };
                found.sequence >= *number && found.retained.last() >= entry.retained.last()
            }),
            Property::sometimes("somebody takes over", |_, world: &World| world.seen.taken_over),
            Property::sometimes("somebody is fenced by a marker", |_, world: &World| world.seen.fenced),
            Property::sometimes("an own write is read back", |_, world: &World| world.seen.own_write_read_back),
        ]
    }

    fn within_boundary(&self, world: &World) -> bool {
        let newest = |row: Option<&u64>| row.copied().unwrap_or(0);
        newest(world.entries.keys().last()) <= self.entries && newest(world.markers.keys().last()) <= self.epochs
    }
}

/// What came of a check.
#[derive(Debug)]
struct Checked {
    states: usize,
    violated: Vec<&'static str>,
    /// What has to happen somewhere and did not: then too little was looked at.
    unseen: Vec<&'static str>,
}

/// Looks at every state, or at as many as it takes to miss what a mutant leaves out.
fn check(bounds: Bounds) -> Checked {
    let checker = bounds.checker().threads(2);
    let checker = match bounds.mutant {
        Mutant::None => checker,
        _ => checker.finish_when(HasDiscoveries::AnyFailures),
    };
    let checker = checker.spawn_bfs().join();
    let found: Vec<_> = checker.discoveries().into_keys().collect();
    let (mut violated, mut unseen) = (Vec::new(), Vec::new());
    for property in bounds.properties() {
        match (property.expectation, found.contains(&property.name)) {
            (Expectation::Sometimes, false) => unseen.push(property.name),
            (Expectation::Always, true) => violated.push(property.name),
            _ => {}
        }
    }
    Checked { states: checker.unique_state_count(), violated, unseen }
}

#[test]
fn no_order_of_events_breaks_the_register() {
    let mut proof = Proof::begin("storage/register");
    let whole = Bounds { entries: 4, epochs: 2, crashes: 1, mutant: Mutant::None };
    let bounds = size().pick(whole, Bounds { entries: 5, epochs: 3, ..whole });
    let Checked { states, violated, unseen } = check(bounds);
    proof.cases = states as u64;
    proof.violations = (violated.len() + unseen.len()) as u64;
    proof.detail = format!("every state of two coordinators up to {bounds:?}; violated {violated:?}, unseen {unseen:?}");
    report(&proof);
}

#[test]
fn every_step_that_is_left_out_is_missed() {
    for (mutant, entries, epochs) in
        [(Mutant::NoLookAfterwards, 5, 3), (Mutant::DeletesToTheTail, 4, 2), (Mutant::LostIsRefused, 4, 2)]
    {
        let checked = check(Bounds { entries, epochs, crashes: 0, mutant });
        assert!(!checked.violated.is_empty(), "{mutant:?}: {checked:?}");
    }
}
