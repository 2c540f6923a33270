//! The world that coordinators share: a store, what is under way to it, and what was said to be so.

use super::coverage::{Coverage, Event};
use super::files::{Files, Live, base};
use super::mutant::Mutant;
use std::collections::BTreeMap;
use std::sync::Arc;
use stillframe::model::JobId;
use stillframe::storage_directory::register::{
    Conclusion, Entry, Fence, Marker, Outcome, Register, Reply, Request, Step,
};

pub(super) const JOB: JobId = JobId::from_bytes([7; 16]);

/// What must hold, under the numbers of the study of reliability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Invariant {
    /// I5: entries form one chain, and a number has one owner for ever.
    OneChain,
    /// I6: reported ids rise, and each is reported once.
    IdsRise,
    /// I7: an id is used once.
    IdsAreUsedOnce,
    /// I15: a checkpoint refers only to files of its own or of the head it was built on.
    FilesAreConfirmed,
    /// A search for the register never ends in nothing, an owner's updates are never refused by rule, and whatever is to be
    /// created has bytes.
    NothingIsCorrupt,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Coordinator {
    /// In the order of birth, so that which of two coordinators is which makes no difference.
    pub(super) token: u128,
    pub(super) register: Register,
    pub(super) request: Option<Request>,
    /// Whether a copy of the request is on its way already, so that it cannot fail for certain any more.
    pub(super) is_sent: bool,
    /// The id that it uses next.
    pub(super) next: u64,
    /// The checkpoint that it has triggered: its id, and the id whose shared file it refers to, 0 if none.
    pub(super) pending: Option<(u64, u64)>,
    /// The one triggered before. Only a mutant cares.
    pub(super) tried: u64,
    /// Has seen its entry there, and not concluded yet. Only a mutant cares.
    pub(super) has_written: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct World {
    /// By epoch, from 1.
    pub(super) markers: Vec<Marker>,
    pub(super) entries: BTreeMap<u64, Arc<Entry>>,
    /// Deletion of the entries below this number is under way, for as long as it takes.
    pub(super) vanishing: u64,
    /// Requests to create something whose sender waits for no answer any more.
    pub(super) late: Vec<Request>,
    pub(super) alive: Vec<Coordinator>,
    pub(super) births: u8,
    pub(super) files: Files,
    /// The checksum of the entry that was the first with each number, from 1.
    pub(super) owners: Vec<u32>,
    /// The number of the entry that was reported last, and the id of its newest checkpoint.
    pub(super) reported: Option<(u64, u64)>,
    pub(super) wrong: Option<Invariant>,
}

/// What is the same in all states.
pub(super) struct Surroundings<'a> {
    pub(super) mutant: Option<Mutant>,
    pub(super) coverage: &'a Coverage,
}

impl World {
    pub(super) fn begin(&mut self, around: &Surroundings<'_>) {
        self.births += 1;
        let token = u128::from(self.births);
        let mut register = Register::new(JOB, token);
        let step = register.claim(self.markers.last().cloned());
        self.alive.push(Coordinator {
            token,
            register,
            request: None,
            is_sent: false,
            next: 0,
            pending: None,
            tried: 0,
            has_written: false,
        });
        self.go_on(self.alive.len() - 1, step, around);
    }

    /// The request is performed and answered.
    pub(super) fn perform(&mut self, which: usize, around: &Surroundings<'_>) -> Option<()> {
        let request = self.alive.get_mut(which)?.request.take()?;
        let reply = self.answer(which, &request, around.mutant);
        let coordinator = self.alive.get_mut(which)?;
        if let (Request::ReadEntry(_), Reply::Entry(Some(found))) = (&request, &reply)
            && found.token == coordinator.token
        {
            around.coverage.saw(Event::OwnWriteReadBack);
        }
        if around.mutant == Some(Mutant::NoLookAfterwards) {
            coordinator.has_written = match &reply {
                Reply::Created(outcome) => {
                    *outcome == Outcome::Done && matches!(request, Request::CreateEntry(_))
                }
                Reply::Entry(found) => found.as_ref().is_some_and(|found| found.token == coordinator.token),
                _ => false,
            };
        }
        let step = coordinator.register.handle(reply.clone());
        match (&request, &reply, &step) {
            (Request::ReadEntry(_), Reply::Entry(None), Step::Request(Request::ReadMarker(1))) => {
                around.coverage.saw(Event::MarkerMissed);
            }
            (Request::ReadEntry(_), Reply::Entry(None), Step::Request(Request::ReadMarker(_)))
                if self.markers.iter().all(|marker| marker.token != coordinator.token) =>
            {
                around.coverage.saw(Event::FloorMissing);
            }
            (Request::ReadEntry(_), Reply::Entry(Some(_)), Step::Request(Request::CreateEntry(_))) => {
                around.coverage.saw(Event::FasterByAHair);
            }
            (Request::ReadMarker(_), Reply::Marker(None), Step::Request(Request::CreateEntry(_))) => {
                around.coverage.saw(Event::SentAgain);
            }
            (Request::ReadMarker(_), Reply::Marker(Some(found)), Step::Request(Request::ReadMarker(_)))
                if found.token != coordinator.token =>
            {
                around.coverage.saw(Event::MarkerTaken);
            }
            _ => {}
        }
        self.go_on(which, step, around);
        Some(())
    }

    /// Its sender hears nothing of it. It arrives later, or never.
    pub(super) fn lose(&mut self, which: usize, around: &Surroundings<'_>) -> Option<()> {
        let coordinator = self.alive.get_mut(which)?;
        let request = coordinator.request.take()?;
        let outcome =
            if around.mutant == Some(Mutant::LostIsRefused) { Outcome::Refused } else { Outcome::Unknown };
        let step = coordinator.register.handle(Reply::Created(outcome));
        self.post(request);
        self.go_on(which, step, around);
        Some(())
    }

    /// It is not sent.
    pub(super) fn refuse(&mut self, which: usize, around: &Surroundings<'_>) -> Option<()> {
        let coordinator = self.alive.get_mut(which)?;
        coordinator.request.take()?;
        let step = coordinator.register.handle(Reply::Created(Outcome::Refused));
        self.go_on(which, step, around);
        Some(())
    }

    /// A second copy of it goes its own way.
    pub(super) fn copy(&mut self, which: usize) -> Option<()> {
        let coordinator = self.alive.get_mut(which)?;
        coordinator.is_sent = true;
        let request = coordinator.request.clone()?;
        self.post(request);
        Some(())
    }

    /// The coordinator is gone, and with it what it knew. What it had sent is still under way, unless there is no room.
    pub(super) fn crash(&mut self, which: usize, room: usize) -> Option<()> {
        let gone = self.remove(which)?;
        match gone.request {
            Some(request @ (Request::CreateMarker(_) | Request::CreateEntry(_)))
                if self.late.len() < room =>
            {
                self.post(request);
            }
            _ => {}
        }
        Some(())
    }

    pub(super) fn arrive(&mut self, which: usize, around: &Surroundings<'_>) -> Option<()> {
        let request = self.late.get(which).is_some().then(|| self.late.remove(which))?;
        let is_old =
            matches!(&request, Request::CreateEntry(entry) if self.owners.len() as u64 >= entry.sequence);
        if self.create(&request) && is_old {
            around.coverage.saw(Event::GhostLanded);
        }
        Some(())
    }

    /// The entry that somebody who looks now would take for the newest.
    pub(super) fn found(&self) -> Option<&Entry> {
        let floor = self.markers.last().map_or(0, |marker| marker.floor).max(1);
        (floor..).map_while(|number| self.entries.get(&number)).last().map(|entry| &**entry)
    }

    fn post(&mut self, request: Request) {
        self.late.push(request);
        self.late.sort_by_key(|request| match request {
            Request::CreateMarker(marker) => (0, marker.epoch, marker.token),
            Request::CreateEntry(entry) => (1, entry.sequence, entry.token),
            _ => (2, 0, 0),
        });
        self.late.dedup();
    }

    fn remove(&mut self, which: usize) -> Option<Coordinator> {
        self.alive.get(which).is_some().then(|| self.alive.remove(which))
    }

    fn create(&mut self, request: &Request) -> bool {
        match request {
            Request::CreateMarker(marker) if marker.epoch == self.markers.len() as u64 + 1 => {
                self.markers.push(marker.clone());
                // Its number is taken for ever, so that other requests for it can do nothing.
                self.late.retain(
                    |late| !matches!(late, Request::CreateMarker(other) if other.epoch == marker.epoch),
                );
                true
            }
            Request::CreateEntry(entry) if !self.entries.contains_key(&entry.sequence) => {
                self.own(entry);
                self.entries.insert(entry.sequence, Arc::new(entry.clone()));
                true
            }
            _ => false,
        }
    }

    /// What has to hold when an entry is the first with its number.
    fn own(&mut self, entry: &Entry) {
        let known = self.owners.len() as u64;
        if entry.sequence <= known {
            return;
        }
        if entry.sequence != known + 1 || entry.previous.0 != self.owners.last().copied().unwrap_or(0) {
            self.wrong = Some(Invariant::OneChain);
        }
        self.owners.push(entry.checksum().map_or(0, |checksum| checksum.0));
        let Some(before) = self.entries.get(&known) else { return };
        let confirmed = Live::of(before);
        let mut added = entry.retained.iter().filter(|one| !before.retained.contains(one));
        if added.any(|one| base(one) != 0 && !confirmed.has_shared(base(one))) {
            self.wrong = Some(Invariant::FilesAreConfirmed);
        }
    }

    fn answer(&mut self, which: usize, request: &Request, mutant: Option<Mutant>) -> Reply {
        match request {
            Request::ReadMarker(epoch) => {
                let is_blind = self.alive.get(which).is_some_and(|coordinator| coordinator.has_written);
                let found = usize::try_from(*epoch - 1).ok().and_then(|at| self.markers.get(at));
                Reply::Marker(found.filter(|_| !is_blind).cloned())
            }
            Request::ReadEntry(number) => {
                Reply::Entry(self.entries.get(number).map(|entry| (**entry).clone()))
            }
            Request::Settle => Reply::Settled,
            create => Reply::Created(match (self.create(create), mutant) {
                (true, _) | (false, Some(Mutant::TakenIsWon)) => Outcome::Done,
                (false, Some(Mutant::TakenIsRefused)) => Outcome::Refused,
                (false, _) => Outcome::Unknown,
            }),
        }
    }

    /// What follows from a step of a coordinator.
    pub(super) fn go_on(&mut self, which: usize, step: Step, around: &Surroundings<'_>) {
        let Some(coordinator) = self.alive.get_mut(which) else { return };
        coordinator.is_sent = false;
        match step {
            // It makes nothing happen here, so that it need not wait for its turn.
            Step::Request(Request::Settle) => {
                let step = coordinator.register.handle(Reply::Settled);
                self.go_on(which, step, around);
            }
            Step::Request(request) => {
                let has_bytes = match &request {
                    Request::CreateMarker(marker) => marker.encode().is_ok(),
                    Request::CreateEntry(entry) => entry.encode().is_ok(),
                    Request::ReadMarker(_) | Request::ReadEntry(_) | Request::Settle => true,
                };
                coordinator.request = Some(request);
                if !has_bytes {
                    self.wrong = Some(Invariant::NothingIsCorrupt);
                }
            }
            Step::Conclude(conclusion) => {
                coordinator.has_written = false;
                self.conclude(which, conclusion, around);
            }
        }
    }

    fn conclude(&mut self, which: usize, conclusion: Conclusion, around: &Surroundings<'_>) {
        let Some(coordinator) = self.alive.get_mut(which) else { return };
        match conclusion {
            Conclusion::Claimed { entry, ids } if coordinator.next == 0 => {
                let newest = entry.retained.last().map_or(0, |one| one.checkpoint.get());
                coordinator.next =
                    if around.mutant == Some(Mutant::NoRanges) { newest + 1 } else { ids.start };
                self.vanish_below(coordinator_garbage(&self.alive[which], around.mutant));
                self.files.drop_by(&entry);
                around.coverage.saw_if(newest != 0, Event::TakenOver);
                around.coverage.saw_if(newest > self.reported.map_or(0, |(_, id)| id), Event::Adopted);
            }
            Conclusion::Claimed { .. } => {
                around.coverage.saw(Event::ClaimedAgain);
                self.vanish_below(coordinator_garbage(&self.alive[which], around.mutant));
            }
            Conclusion::Committed(entry) => {
                coordinator.pending = None;
                self.vanish_below(coordinator_garbage(&self.alive[which], around.mutant));
                self.report(&entry, around);
            }
            Conclusion::Refused => {
                around.coverage.saw(Event::Refused);
                // A claim that was refused is as one that never began.
                if coordinator.register.head().is_none() {
                    self.remove(which);
                }
            }
            Conclusion::Fenced { by } => {
                match by {
                    Fence::Marker(_) => around.coverage.saw(Event::FencedByMarker),
                    Fence::Entry(_) => around.coverage.saw(Event::FencedByEntry),
                    Fence::Doubt => {}
                }
                self.remove(which);
            }
            // The machine refuses an id that is not its own. The model has to see what it would have come to.
            Conclusion::Invalid(_) if around.mutant == Some(Mutant::NoRanges) => {}
            Conclusion::Corrupt { .. } | Conclusion::Foreign { .. } | Conclusion::Invalid(_) => {
                self.wrong = Some(Invariant::NothingIsCorrupt);
            }
        }
    }

    fn vanish_below(&mut self, number: u64) {
        self.vanishing = self.vanishing.max(number);
    }

    fn report(&mut self, entry: &Entry, around: &Surroundings<'_>) {
        let newest = entry.retained.last().map_or(0, |one| one.checkpoint.get());
        let is_owner = usize::try_from(entry.sequence - 1)
            .ok()
            .and_then(|at| self.owners.get(at))
            .is_some_and(|owner| entry.checksum().is_ok_and(|checksum| checksum.0 == *owner));
        if !is_owner {
            self.wrong = Some(Invariant::OneChain);
        }
        if self.reported.is_some_and(|(number, id)| number >= entry.sequence || id >= newest) {
            self.wrong = Some(Invariant::IdsRise);
        }
        self.reported = Some((entry.sequence, newest));
        let (outlived, released) = self.files.drop_by(entry);
        around.coverage.saw_if(outlived, Event::SharedOutlived);
        around.coverage.saw_if(released, Event::SharedReleased);
    }
}

/// Below which number an owner deletes entries.
fn coordinator_garbage(coordinator: &Coordinator, mutant: Option<Mutant>) -> u64 {
    match (mutant, coordinator.register.head()) {
        (Some(Mutant::DeletesToTheTail), Some(head)) => head.sequence,
        _ => coordinator.register.garbage().end,
    }
}
