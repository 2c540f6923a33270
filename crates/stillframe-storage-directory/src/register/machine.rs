//! The decisions: find, claim, append, settle what is unclear, and notice a successor.

use super::{Entry, Marker, Retained};
use std::ops::Range;
use stillframe_model::{CheckpointId, Crc32c, JobId};

/// How many ids a coordinator reserves at a time.
const IDS: u64 = 1_024;

/// One operation on the store. The next one is asked for when its [`Reply`] is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Read the marker of this epoch.
    ReadMarker(u64),
    /// Read the entry with this number.
    ReadEntry(u64),
    /// Make durable what is visible of the entries, whoever wrote it.
    Settle,
    /// Create the marker, durably, if there is none of its epoch.
    CreateMarker(Marker),
    /// Create the entry, durably, if there is none of its number.
    CreateEntry(Entry),
}

/// What came of a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The marker that was read, or that there is none.
    Marker(Option<Marker>),
    /// The entry that was read, or that there is none.
    Entry(Option<Entry>),
    /// The entries are durable.
    Settled,
    /// What became of an object that was to be created.
    Created(Outcome),
}

/// What became of an object that was to be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It is there, durable, and was not there before.
    Done,
    /// It is not there, and never will be by this request. Nothing was sent.
    Refused,
    /// It may be there; also if the store says that the name is taken, which may have been this request's own doing.
    Unknown,
    /// It may be there, and reading it back would not tell whether it stays: its durability failed.
    Doubtful,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Perform this.
    Request(Request),
    /// It is over.
    Conclude(Conclusion),
}

/// How a claim or an append ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Conclusion {
    /// The register is this coordinator's.
    Claimed {
        /// That entry.
        entry: Entry,
        /// The checkpoint ids that this coordinator may use, and nobody else.
        ids: Range<u64>,
    },
    /// The entry counts. Only now may anybody be told.
    Committed(Entry),
    /// Nothing was written. The register is as it was.
    Refused,
    /// Somebody else owns the register, or may do so. Nothing may be reported, notified or deleted any more.
    Fenced {
        /// What showed it.
        by: Fence,
    },
    /// The register cannot be as it is.
    Corrupt {
        /// The number of the entry or marker that is missing or wrong.
        number: u64,
    },
}

/// What showed a coordinator that it has to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fence {
    /// The marker of this newer epoch.
    Marker(u64),
    /// An entry of somebody else under the number that was to be its own.
    Entry(u64),
    /// A request whose durability failed.
    Doubt,
}

/// One coordinator's dealings with a register.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Register {
    job: JobId,
    token: u128,
    phase: Phase,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Looks for the newest marker; `newest` is the one found so far.
    FindMarker { newest: Option<Marker> },
    /// Looks for the newest entry. `next` is being read.
    FindTail { newest: Option<Marker>, tail: Option<Entry>, next: u64 },
    /// The entry with which the search was to begin is not there.
    FloorMissing { newest: Marker },
    /// Makes durable what it saw, before anything refers to it.
    Settling { newest: Option<Marker>, tail: Option<Entry> },
    /// Marks its epoch.
    Marking { marker: Marker, tail: Option<Entry> },
    /// Reads back whether it did.
    MarkingUnclear { marker: Marker, tail: Option<Entry> },
    /// Looks whether the coordinator before it has appended meanwhile.
    FindTailAgain { marker: Marker, tail: Option<Entry> },
    /// Appends an entry.
    Appending(Change),
    /// Reads back whether it did.
    AppendingUnclear(Change),
    /// It is not there: asks whether a newer epoch exists before it is sent again.
    AppendingAbsent(Change),
    /// It is there: asks whether it counts.
    Counting(Change),
    /// Owns the register.
    Owning { epoch: u64, floor: u64, head: Entry },
    /// Has to stop.
    Stopped,
}

/// An entry on its way into the register.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Change {
    epoch: u64,
    floor: u64,
    entry: Entry,
    /// The entry before it, if this coordinator owns the register already; a claim has none to go back to.
    head: Option<Entry>,
    /// Whether a request with it may still be under way from an earlier attempt. It may then appear at any time.
    in_doubt: bool,
}

impl Register {
    /// A coordinator that owns nothing yet. `token` is drawn at random.
    #[must_use]
    pub const fn new(job: JobId, token: u128) -> Self {
        Self { job, token, phase: Phase::Stopped }
    }

    /// The newest entry, if this coordinator owns the register.
    #[must_use]
    pub const fn head(&self) -> Option<&Entry> {
        match &self.phase {
            Phase::Owning { head, .. } => Some(head),
            _ => None,
        }
    }

    /// Begins to make the register this coordinator's. `hint` is a marker that a listing showed, to begin with; without
    /// one every marker is read.
    pub fn claim(&mut self, hint: Option<Marker>) -> Step {
        self.find_marker(hint)
    }

    /// The numbers of entries that nobody reads any more, as long as this coordinator owns the register: the owner may delete
    /// them. Markers stay.
    #[must_use]
    pub fn garbage(&self) -> Range<u64> {
        match &self.phase {
            Phase::Owning { floor, .. } => 1..(*floor).max(1),
            _ => 1..1,
        }
    }

    /// Begins to append a change. Only an owner can; anybody else is told to stop.
    pub fn append(&mut self, retained: Vec<Retained>, dropped: Vec<CheckpointId>, more_ids: bool) -> Step {
        let Phase::Owning { epoch, floor, head } = &self.phase else { return self.stop(Fence::Doubt) };
        let Ok(previous) = head.checksum() else { return Step::Conclude(Conclusion::Refused) };
        let entry = Entry {
            job: self.job,
            sequence: head.sequence + 1,
            previous,
            epoch: *epoch,
            token: self.token,
            id_limit: head.id_limit.saturating_add(if more_ids { IDS } else { 0 }),
            retained,
            dropped,
        };
        let head = Some(head.clone());
        self.send(Change { epoch: *epoch, floor: *floor, entry, head, in_doubt: false })
    }

    /// Ends what cannot be settled in time.
    pub fn give_up(&mut self) -> Step {
        self.stop(Fence::Doubt)
    }

    /// Goes on with what came of the last request. A reply that does not belong to it stops the coordinator: somebody
    /// performs what it did not ask for.
    pub fn handle(&mut self, reply: Reply) -> Step {
        let phase = std::mem::replace(&mut self.phase, Phase::Stopped);
        match (phase, reply) {
            (Phase::FindMarker { newest }, Reply::Marker(Some(marker))) => {
                let expected = newest.map_or(1, |newest| newest.epoch + 1);
                if marker.job != self.job || marker.epoch != expected {
                    return self.corrupt(expected);
                }
                self.find_marker(Some(marker))
            }
            (Phase::FindMarker { newest }, Reply::Marker(None)) => {
                let next = newest.as_ref().map_or(0, |newest| newest.floor).max(1);
                self.find_tail(newest, None, next)
            }
            (Phase::FindTail { newest, tail, next }, Reply::Entry(Some(entry))) => {
                if !self.follows(tail.as_ref(), &entry, next) {
                    return self.corrupt(next);
                }
                self.find_tail(newest, Some(entry), next + 1)
            }
            (Phase::FindTail { newest, tail, .. }, Reply::Entry(None)) => {
                if let Some(newest) = newest.clone().filter(|newest| tail.is_none() && newest.floor > 0) {
                    let next = newest.epoch + 1;
                    self.phase = Phase::FloorMissing { newest };
                    return Step::Request(Request::ReadMarker(next));
                }
                self.phase = Phase::Settling { newest, tail };
                Step::Request(Request::Settle)
            }
            // Whoever came after that marker may have deleted the entry since.
            (Phase::FloorMissing { newest }, Reply::Marker(Some(marker))) => {
                if marker.job != self.job || marker.epoch != newest.epoch + 1 {
                    return self.corrupt(newest.epoch + 1);
                }
                self.find_marker(Some(marker))
            }
            (Phase::FloorMissing { newest }, Reply::Marker(None)) => self.corrupt(newest.floor),
            (Phase::Settling { newest, tail }, Reply::Settled) => {
                let marker = Marker {
                    job: self.job,
                    epoch: newest.map_or(1, |newest| newest.epoch + 1),
                    token: self.token,
                    floor: tail.as_ref().map_or(0, |tail| tail.sequence),
                };
                self.mark(marker, tail)
            }
            (Phase::Marking { marker, tail }, Reply::Created(outcome)) => match outcome {
                Outcome::Done => self.find_tail_again(marker, tail),
                Outcome::Refused => Step::Conclude(Conclusion::Refused),
                Outcome::Unknown => {
                    let read = Request::ReadMarker(marker.epoch);
                    self.phase = Phase::MarkingUnclear { marker, tail };
                    Step::Request(read)
                }
                Outcome::Doubtful => self.stop(Fence::Doubt),
            },
            (Phase::MarkingUnclear { marker, tail }, Reply::Marker(found)) => match found {
                None => self.mark(marker, tail),
                Some(found) if found == marker => self.find_tail_again(marker, tail),
                // Somebody was faster. Whoever it is may have stopped since; begin again behind it.
                Some(found) if found.job == self.job && found.epoch == marker.epoch => self.find_marker(Some(found)),
                Some(_) => self.corrupt(marker.epoch),
            },
            (Phase::FindTailAgain { marker, tail }, Reply::Entry(Some(entry))) => {
                let expected = tail.as_ref().map_or(1, |tail| tail.sequence + 1);
                if !self.follows(tail.as_ref(), &entry, expected) {
                    return self.corrupt(expected);
                }
                if entry.epoch > marker.epoch {
                    return self.stop(Fence::Entry(expected));
                }
                self.find_tail_again(marker, Some(entry))
            }
            (Phase::FindTailAgain { marker, tail }, Reply::Entry(None)) => {
                self.inherit(marker.epoch, marker.floor, tail.as_ref())
            }
            (Phase::Appending(change), Reply::Created(outcome)) => self.appended(change, outcome),
            (Phase::AppendingUnclear(change), Reply::Entry(found)) => self.read_back(change, found),
            (Phase::AppendingAbsent(change), Reply::Marker(None)) => self.send(change),
            (Phase::Counting(Change { epoch, floor, entry, head, .. }), Reply::Marker(None)) => {
                self.phase = Phase::Owning { epoch, floor, head: entry.clone() };
                Step::Conclude(match head {
                    None => Conclusion::Claimed { ids: entry.id_limit.saturating_sub(IDS)..entry.id_limit, entry },
                    Some(_) => Conclusion::Committed(entry),
                })
            }
            (Phase::AppendingAbsent(change) | Phase::Counting(change), Reply::Marker(Some(_))) => {
                self.stop(Fence::Marker(change.epoch + 1))
            }
            _ => self.stop(Fence::Doubt),
        }
    }

    fn appended(&mut self, change: Change, outcome: Outcome) -> Step {
        match outcome {
            Outcome::Done => self.count(change),
            Outcome::Doubtful => self.stop(Fence::Doubt),
            Outcome::Refused if !change.in_doubt => {
                self.phase = match change.head {
                    Some(head) => Phase::Owning { epoch: change.epoch, floor: change.floor, head },
                    None => Phase::Stopped,
                };
                Step::Conclude(Conclusion::Refused)
            }
            // An earlier attempt may have done it, whatever became of this one.
            Outcome::Refused | Outcome::Unknown => {
                let read = Request::ReadEntry(change.entry.sequence);
                self.phase = Phase::AppendingUnclear(Change { in_doubt: true, ..change });
                Step::Request(read)
            }
        }
    }

    fn read_back(&mut self, change: Change, found: Option<Entry>) -> Step {
        let number = change.entry.sequence;
        match found {
            Some(found) if found == change.entry => self.count(change),
            Some(found) if found.job != self.job || found.sequence != number => self.corrupt(number),
            // The coordinator before this one was faster by a hair. Its entry counts, and the claim goes on behind it.
            Some(found) if change.head.is_none() && found.epoch < change.epoch => {
                self.inherit(change.epoch, change.floor, Some(&found))
            }
            Some(_) => self.stop(Fence::Entry(number)),
            None => {
                let read = Request::ReadMarker(change.epoch + 1);
                self.phase = Phase::AppendingAbsent(change);
                Step::Request(read)
            }
        }
    }

    /// Whether an entry is the one with this number, behind that tail.
    fn follows(&self, tail: Option<&Entry>, entry: &Entry, number: u64) -> bool {
        let is_linked = tail.is_none_or(|tail| tail.checksum().is_ok_and(|checksum| checksum == entry.previous));
        entry.job == self.job && entry.sequence == number && is_linked
    }

    fn find_marker(&mut self, newest: Option<Marker>) -> Step {
        let next = newest.as_ref().map_or(1, |newest| newest.epoch + 1);
        self.phase = Phase::FindMarker { newest };
        Step::Request(Request::ReadMarker(next))
    }

    fn find_tail(&mut self, newest: Option<Marker>, tail: Option<Entry>, next: u64) -> Step {
        self.phase = Phase::FindTail { newest, tail, next };
        Step::Request(Request::ReadEntry(next))
    }

    fn mark(&mut self, marker: Marker, tail: Option<Entry>) -> Step {
        self.phase = Phase::Marking { marker: marker.clone(), tail };
        Step::Request(Request::CreateMarker(marker))
    }

    fn find_tail_again(&mut self, marker: Marker, tail: Option<Entry>) -> Step {
        let next = tail.as_ref().map_or(1, |tail| tail.sequence + 1);
        self.phase = Phase::FindTailAgain { marker, tail };
        Step::Request(Request::ReadEntry(next))
    }

    /// Takes over what the newest entry says, and ids that nobody who came before can have used.
    fn inherit(&mut self, epoch: u64, floor: u64, tail: Option<&Entry>) -> Step {
        let previous = match tail.map(Entry::checksum) {
            None => Crc32c(0),
            Some(Ok(checksum)) => checksum,
            Some(Err(_)) => return Step::Conclude(Conclusion::Refused),
        };
        let entry = Entry {
            job: self.job,
            sequence: tail.map_or(1, |tail| tail.sequence + 1),
            previous,
            epoch,
            token: self.token,
            id_limit: tail.map_or(CheckpointId::FIRST.get(), |tail| tail.id_limit).saturating_add(IDS),
            retained: tail.map(|tail| tail.retained.clone()).unwrap_or_default(),
            dropped: Vec::new(),
        };
        self.send(Change { epoch, floor, entry, head: None, in_doubt: false })
    }

    fn send(&mut self, change: Change) -> Step {
        let create = Request::CreateEntry(change.entry.clone());
        self.phase = Phase::Appending(change);
        Step::Request(create)
    }

    /// The entry is there. It counts if nobody has begun a newer epoch, which would have read the tail without it.
    fn count(&mut self, change: Change) -> Step {
        let read = Request::ReadMarker(change.epoch + 1);
        self.phase = Phase::Counting(change);
        Step::Request(read)
    }

    fn stop(&mut self, by: Fence) -> Step {
        self.phase = Phase::Stopped;
        Step::Conclude(Conclusion::Fenced { by })
    }

    fn corrupt(&mut self, number: u64) -> Step {
        self.phase = Phase::Stopped;
        Step::Conclude(Conclusion::Corrupt { number })
    }
}
