//! The decisions: find, claim, append, settle what is unclear, and notice a successor.

use super::phase::{Candidate, Change, Owned, Phase, Stop};
use super::update::{self, Update};
use super::{Conclusion, Entry, Fence, Marker, Outcome, Reply, Request, Step};
use std::mem;
use std::ops::Range;
use stillframe_model::JobId;

/// One coordinator's dealings with a register.
///
/// [`claim`](Self::claim), [`append`](Self::append), [`reclaim`](Self::reclaim) and [`confirm`](Self::confirm) begin something, and
/// [`handle`](Self::handle) goes on with it, until a step [concludes](Step::Conclude). Begin nothing before that; whoever does
/// is taken for somebody who lost the thread, and stopped. What can take no more time is [given up](Self::give_up). A
/// coordinator that was stopped stays so: each further call repeats why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Register {
    job: JobId,
    token: u128,
    phase: Phase,
}

impl Register {
    /// A coordinator that owns nothing yet. `token` is drawn at random.
    #[must_use]
    pub const fn new(job: JobId, token: u128) -> Self {
        Self { job, token, phase: Phase::Idle }
    }

    /// The newest entry, if this coordinator owns the register and nothing is under way.
    #[must_use]
    pub const fn head(&self) -> Option<&Entry> {
        match &self.phase {
            Phase::Owning(owned) => Some(&owned.head),
            _ => None,
        }
    }

    /// The checkpoint ids that this coordinator may use, used ones among them; empty unless it owns the register and
    /// nothing is under way. What lies below in the job's directory, and is not reachable from the head, is nobody's.
    #[must_use]
    pub fn ids(&self) -> Range<u64> {
        match &self.phase {
            Phase::Owning(owned) => owned.ids.clone(),
            _ => 0..0,
        }
    }

    /// The numbers of entries that nobody reads any more, as long as this coordinator owns the register: the owner may delete
    /// them. Markers stay.
    #[must_use]
    pub fn garbage(&self) -> Range<u64> {
        match &self.phase {
            Phase::Owning(owned) => 1..owned.floor.max(1),
            _ => 1..1,
        }
    }

    /// Begins to make the register this coordinator's. `hint` is a marker that a listing showed, to begin with; without
    /// one every marker is read. Ends in [`Claimed`](Conclusion::Claimed), or [`Refused`](Conclusion::Refused), after
    /// which it may be called again.
    pub fn claim(&mut self, hint: Option<Marker>) -> Step {
        match &self.phase {
            Phase::Idle => {}
            Phase::Stopped(_) => return self.repeat(),
            _ => return self.stop(Fence::Doubt),
        }
        match hint {
            Some(hint) if hint.job != self.job => self.foreign(hint.job),
            hint => self.find_marker(hint),
        }
    }

    /// Begins to claim the register for the next epoch, which only its owner can. Nothing is appended; but readers begin
    /// at today's newest entry from then on, and what is before it is [garbage](Self::garbage). Ends as a claim does.
    pub fn reclaim(&mut self) -> Step {
        let Phase::Owning(owned) = &self.phase else { return self.not_now() };
        let marker = Marker {
            job: self.job,
            epoch: owned.epoch.saturating_add(1),
            token: self.token,
            floor: owned.head.sequence,
        };
        let tail = Some(owned.head.clone());
        self.mark(Candidate { marker, tail, owned: Some(owned.clone()), in_doubt: false })
    }

    /// Begins to look whether the register is still this coordinator's, which only its owner can. Nothing is written. Ends as a
    /// claim does.
    pub fn confirm(&mut self) -> Step {
        let Phase::Owning(owned) = &self.phase else { return self.not_now() };
        let read = Request::ReadMarker(owned.epoch.saturating_add(1));
        self.phase = Phase::Confirming(owned.clone());
        Step::Request(read)
    }

    /// Begins to append the entry that an update comes to, which only an owner can. Ends in
    /// [`Committed`](Conclusion::Committed), [`Refused`](Conclusion::Refused) or [`Invalid`](Conclusion::Invalid).
    pub fn append(&mut self, update: Update) -> Step {
        let Phase::Owning(owned) = &self.phase else { return self.not_now() };
        let (entry, ids) = match update.apply(&owned.head, &owned.ids) {
            Ok((entry, ids)) => (Entry { epoch: owned.epoch, token: self.token, ..entry }, ids),
            Err(error) => return Step::Conclude(Conclusion::Invalid(error)),
        };
        // What has no bytes would otherwise fail at the store, where failing means something else.
        if let Err(error) = entry.encode() {
            return Step::Conclude(Conclusion::Invalid(error));
        }
        let Owned { epoch, floor, .. } = *owned;
        self.send(Change { epoch, floor, ids, entry, owned: Some(owned.clone()), in_doubt: false })
    }

    /// Stops: for what cannot be settled in time, and for a coordinator that is to do no more.
    pub fn give_up(&mut self) -> Step {
        match &self.phase {
            Phase::Stopped(_) => self.repeat(),
            _ => self.stop(Fence::Doubt),
        }
    }

    /// Goes on with what came of the last request. A reply that does not belong to it stops the coordinator: somebody
    /// performs what it did not ask for.
    pub fn handle(&mut self, reply: Reply) -> Step {
        if matches!(self.phase, Phase::Stopped(_)) {
            return self.repeat();
        }
        if let Some(job) = reply.job().filter(|job| *job != self.job) {
            return self.foreign(job);
        }
        match (mem::replace(&mut self.phase, Phase::Idle), reply) {
            (Phase::FindMarker { newest }, Reply::Marker(Some(marker))) => {
                let expected = newest.map_or(1, |newest| newest.epoch.saturating_add(1));
                if marker.epoch != expected {
                    return self.corrupt(expected);
                }
                self.find_marker(Some(marker))
            }
            (Phase::FindMarker { newest }, Reply::Marker(None)) => {
                let next = newest.as_ref().map_or(0, |newest| newest.floor).max(1);
                self.find_tail(newest, None, next)
            }
            (Phase::FindTail { newest, tail, next }, Reply::Entry(Some(entry))) => {
                if entry.sequence != next {
                    return self.corrupt(next);
                }
                if !follows(tail.as_ref(), &entry) {
                    return self.overtaken(newest, next);
                }
                self.find_tail(newest, Some(entry), next.saturating_add(1))
            }
            (Phase::FindTail { newest, tail, .. }, Reply::Entry(None)) => self.found_tail(newest, tail),
            (Phase::Overtaken { newest, .. }, Reply::Marker(Some(marker))) => {
                let expected = newest.map_or(1, |newest| newest.epoch.saturating_add(1));
                if marker.epoch != expected {
                    return self.corrupt(expected);
                }
                self.find_marker(Some(marker))
            }
            (Phase::Displaced { epoch, .. }, Reply::Marker(Some(_))) => {
                self.stop(Fence::Marker(epoch.saturating_add(1)))
            }
            (Phase::Overtaken { number, .. } | Phase::Displaced { number, .. }, Reply::Marker(None)) => {
                self.corrupt(number)
            }
            (Phase::Settling { newest, tail }, Reply::Settled) => {
                let marker = Marker {
                    job: self.job,
                    epoch: newest.map_or(1, |newest| newest.epoch.saturating_add(1)),
                    token: self.token,
                    floor: tail.as_ref().map_or(0, |tail| tail.sequence),
                };
                self.mark(Candidate { marker, tail, owned: None, in_doubt: false })
            }
            (Phase::Marking(candidate), Reply::Created(outcome)) => self.marking(candidate, outcome),
            (Phase::MarkingUnclear(candidate), Reply::Marker(found)) => {
                self.marker_read_back(candidate, found)
            }
            (Phase::FindTailAgain { marker, tail }, Reply::Entry(Some(entry))) => {
                let expected = tail.as_ref().map_or(1, |tail| tail.sequence.saturating_add(1));
                if entry.sequence != expected {
                    return self.corrupt(expected);
                }
                if !follows(tail.as_ref(), &entry) {
                    return self.displaced(marker.epoch, expected);
                }
                if entry.epoch > marker.epoch {
                    return self.stop(Fence::Entry(expected));
                }
                self.find_tail_again(marker, Some(entry))
            }
            (Phase::FindTailAgain { marker, tail }, Reply::Entry(None)) => {
                self.inherit(marker.epoch, marker.floor, tail.as_ref())
            }
            (Phase::Appending(change), Reply::Created(outcome)) => self.appending(change, outcome),
            (Phase::AppendingUnclear(change), Reply::Entry(found)) => self.entry_read_back(change, found),
            (Phase::AppendingAbsent(change), Reply::Marker(None)) => self.send(change),
            (Phase::Counting(change), Reply::Marker(None)) => self.counts(change),
            (Phase::AppendingAbsent(change) | Phase::Counting(change), Reply::Marker(Some(_))) => {
                self.stop(Fence::Marker(change.epoch.saturating_add(1)))
            }
            (Phase::Confirming(owned), Reply::Marker(None)) => self.owns(owned),
            (Phase::Confirming(owned), Reply::Marker(Some(_))) => {
                self.stop(Fence::Marker(owned.epoch.saturating_add(1)))
            }
            _ => self.stop(Fence::Doubt),
        }
    }

    fn found_tail(&mut self, newest: Option<Marker>, tail: Option<Entry>) -> Step {
        let goes_together = match &newest {
            // Whoever came after that marker may have deleted the entry since.
            Some(newest) => tail.is_some() || newest.floor == 0,
            // Whoever wrote an entry has marked an epoch before, and did so after it was looked for.
            None => tail.is_none(),
        };
        if goes_together {
            self.phase = Phase::Settling { newest, tail };
            return Step::Request(Request::Settle);
        }
        let number = newest.as_ref().map_or(1, |newest| newest.floor);
        self.overtaken(newest, number)
    }

    fn marking(&mut self, candidate: Candidate, outcome: Outcome) -> Step {
        match (outcome, candidate) {
            (Outcome::Done, candidate) => self.marked(candidate),
            (Outcome::Doubtful, _) => self.stop(Fence::Doubt),
            (Outcome::Refused, Candidate { owned, in_doubt: false, .. }) => self.refused(owned),
            // An earlier attempt may have done it, whatever became of this one.
            (Outcome::Refused | Outcome::Unknown, candidate) => {
                let read = Request::ReadMarker(candidate.marker.epoch);
                self.phase = Phase::MarkingUnclear(Candidate { in_doubt: true, ..candidate });
                Step::Request(read)
            }
        }
    }

    fn marker_read_back(&mut self, candidate: Candidate, found: Option<Marker>) -> Step {
        let epoch = candidate.marker.epoch;
        match found {
            None => self.mark(candidate),
            Some(found) if found == candidate.marker => self.marked(candidate),
            Some(found) if found.epoch != epoch => self.corrupt(epoch),
            Some(_) if candidate.owned.is_some() => self.stop(Fence::Marker(epoch)),
            // Somebody was faster. Whoever it is may have stopped since; begin again behind it.
            Some(found) => self.find_marker(Some(found)),
        }
    }

    fn marked(&mut self, Candidate { marker, tail, owned, .. }: Candidate) -> Step {
        match owned {
            None => self.find_tail_again(marker, tail),
            // Nobody else can have appended to what this coordinator owned: whoever came before it was shut out when it
            // claimed, and whoever comes after it would have taken this marker.
            Some(owned) => self.owns(Owned { epoch: marker.epoch, floor: marker.floor, ..owned }),
        }
    }

    fn owns(&mut self, owned: Owned) -> Step {
        let claimed = Conclusion::Claimed { entry: owned.head.clone(), ids: owned.ids.clone() };
        self.phase = Phase::Owning(owned);
        Step::Conclude(claimed)
    }

    fn appending(&mut self, change: Change, outcome: Outcome) -> Step {
        match (outcome, change) {
            (Outcome::Done, change) => self.count(change),
            (Outcome::Doubtful, _) => self.stop(Fence::Doubt),
            (Outcome::Refused, Change { owned, in_doubt: false, .. }) => self.refused(owned),
            (Outcome::Refused | Outcome::Unknown, change) => {
                let read = Request::ReadEntry(change.entry.sequence);
                self.phase = Phase::AppendingUnclear(Change { in_doubt: true, ..change });
                Step::Request(read)
            }
        }
    }

    fn entry_read_back(&mut self, change: Change, found: Option<Entry>) -> Step {
        let number = change.entry.sequence;
        match found {
            Some(found) if found == change.entry => self.count(change),
            Some(found) if found.sequence != number => self.corrupt(number),
            // The coordinator before this one was faster by a hair. Its entry counts, and the claim goes on behind it.
            Some(found) if change.owned.is_none() && found.epoch < change.epoch => {
                if found.previous != change.entry.previous {
                    return self.displaced(change.epoch, number);
                }
                self.inherit(change.epoch, change.floor, Some(&found))
            }
            Some(_) => self.stop(Fence::Entry(number)),
            None => {
                let read = Request::ReadMarker(change.epoch.saturating_add(1));
                self.phase = Phase::AppendingAbsent(change);
                Step::Request(read)
            }
        }
    }

    /// The entry is there. It counts if nobody has begun a newer epoch, which would have read the tail without it.
    fn count(&mut self, change: Change) -> Step {
        let read = Request::ReadMarker(change.epoch.saturating_add(1));
        self.phase = Phase::Counting(change);
        Step::Request(read)
    }

    fn counts(&mut self, Change { epoch, floor, ids, entry, owned, .. }: Change) -> Step {
        self.phase = Phase::Owning(Owned { epoch, floor, ids: ids.clone(), head: entry.clone() });
        Step::Conclude(match owned {
            None => Conclusion::Claimed { entry, ids },
            Some(_) => Conclusion::Committed(entry),
        })
    }

    /// Takes over what the newest entry says, and ids that nobody who came before can have used. What was dropped last stays
    /// on the list, as nobody knows whether its files are gone.
    fn inherit(&mut self, epoch: u64, floor: u64, tail: Option<&Entry>) -> Step {
        let (entry, ids) = match update::inherited(self.job, tail) {
            Ok((entry, ids)) => (Entry { epoch, token: self.token, ..entry }, ids),
            Err(error) => {
                self.phase = Phase::Idle;
                return Step::Conclude(Conclusion::Invalid(error));
            }
        };
        self.send(Change { epoch, floor, ids, entry, owned: None, in_doubt: false })
    }

    fn find_marker(&mut self, newest: Option<Marker>) -> Step {
        let Some(next) = newest.as_ref().map_or(Some(1), |newest| newest.epoch.checked_add(1)) else {
            // Nobody claims so often, and behind it the same one would be found for ever.
            return self.corrupt(u64::MAX);
        };
        self.phase = Phase::FindMarker { newest };
        Step::Request(Request::ReadMarker(next))
    }

    fn overtaken(&mut self, newest: Option<Marker>, number: u64) -> Step {
        let next = newest.as_ref().map_or(1, |newest| newest.epoch.saturating_add(1));
        self.phase = Phase::Overtaken { newest, number };
        Step::Request(Request::ReadMarker(next))
    }

    fn displaced(&mut self, epoch: u64, number: u64) -> Step {
        self.phase = Phase::Displaced { epoch, number };
        Step::Request(Request::ReadMarker(epoch.saturating_add(1)))
    }

    fn find_tail(&mut self, newest: Option<Marker>, tail: Option<Entry>, next: u64) -> Step {
        self.phase = Phase::FindTail { newest, tail, next };
        Step::Request(Request::ReadEntry(next))
    }

    fn find_tail_again(&mut self, marker: Marker, tail: Option<Entry>) -> Step {
        let next = tail.as_ref().map_or(1, |tail| tail.sequence.saturating_add(1));
        self.phase = Phase::FindTailAgain { marker, tail };
        Step::Request(Request::ReadEntry(next))
    }

    fn mark(&mut self, candidate: Candidate) -> Step {
        let create = Request::CreateMarker(candidate.marker.clone());
        self.phase = Phase::Marking(candidate);
        Step::Request(create)
    }

    fn send(&mut self, change: Change) -> Step {
        let create = Request::CreateEntry(change.entry.clone());
        self.phase = Phase::Appending(change);
        Step::Request(create)
    }

    /// Nothing was sent: everything is as it was before it began.
    fn refused(&mut self, owned: Option<Owned>) -> Step {
        self.phase = owned.map_or(Phase::Idle, Phase::Owning);
        Step::Conclude(Conclusion::Refused)
    }

    /// Something was to begin that only an idle owner can begin.
    fn not_now(&mut self) -> Step {
        match &self.phase {
            Phase::Stopped(_) => self.repeat(),
            _ => self.stop(Fence::Doubt),
        }
    }

    fn stop(&mut self, by: Fence) -> Step {
        self.phase = Phase::Stopped(Stop::Fenced(by));
        self.repeat()
    }

    fn corrupt(&mut self, number: u64) -> Step {
        self.phase = Phase::Stopped(Stop::Corrupt(number));
        self.repeat()
    }

    fn foreign(&mut self, job: JobId) -> Step {
        self.phase = Phase::Stopped(Stop::Foreign(job));
        self.repeat()
    }

    fn repeat(&self) -> Step {
        Step::Conclude(match self.phase {
            Phase::Stopped(Stop::Corrupt(number)) => Conclusion::Corrupt { number },
            Phase::Stopped(Stop::Foreign(job)) => Conclusion::Foreign { job },
            Phase::Stopped(Stop::Fenced(by)) => Conclusion::Fenced { by },
            _ => Conclusion::Fenced { by: Fence::Doubt },
        })
    }
}

/// Whether an entry is the one behind that tail.
fn follows(tail: Option<&Entry>, entry: &Entry) -> bool {
    tail.is_none_or(|tail| {
        entry.epoch >= tail.epoch
            && entry.id_limit >= tail.id_limit
            && tail.checksum().is_ok_and(|checksum| checksum == entry.previous)
    })
}
