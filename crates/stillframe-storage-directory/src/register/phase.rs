//! Where a coordinator stands with the register.

use super::{Entry, Fence, Marker};
use std::ops::Range;
use stillframe_model::JobId;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// Has not begun, or may begin again.
    Idle,
    /// Looks for the newest marker; `newest` is the one found so far.
    FindMarker { newest: Option<Marker> },
    /// Looks for the newest entry. `next` is being read.
    FindTail { newest: Option<Marker>, tail: Option<Entry>, next: u64 },
    /// The newest marker and the entries do not go together: there is none with which the search was to begin, there are some
    /// and no marker, or this one does not follow the one before it. Asks for the next marker, whose writer has made it so: it
    /// deleted entries, and somebody who was late put another one under a number that was free again.
    Overtaken { newest: Option<Marker>, number: u64 },
    /// The same, of one who has marked its epoch.
    Displaced { epoch: u64, number: u64 },
    /// Makes durable what it saw, before anything refers to it.
    Settling { newest: Option<Marker>, tail: Option<Entry> },
    /// Marks its epoch.
    Marking(Candidate),
    /// Reads back whether it did.
    MarkingUnclear(Candidate),
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
    /// Asks whether the register is still its own.
    Confirming(Owned),
    /// Owns the register.
    Owning(Owned),
    /// Has to stop.
    Stopped(Stop),
}

/// What an owner knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Owned {
    pub(super) epoch: u64,
    pub(super) floor: u64,
    pub(super) ids: Range<u64>,
    pub(super) head: Entry,
}

/// A marker on its way into the register.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Candidate {
    pub(super) marker: Marker,
    pub(super) tail: Option<Entry>,
    /// What this coordinator owns under the marker before, if it only claims again.
    pub(super) owned: Option<Owned>,
    /// Whether a request with it may still be under way from an earlier attempt. It may then appear at any time.
    pub(super) in_doubt: bool,
}

/// An entry on its way into the register.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Change {
    pub(super) epoch: u64,
    pub(super) floor: u64,
    /// The ids that are this coordinator's when the entry counts.
    pub(super) ids: Range<u64>,
    pub(super) entry: Entry,
    /// What to go back to if nothing was sent. A claim has nothing.
    pub(super) owned: Option<Owned>,
    /// As for a marker.
    pub(super) in_doubt: bool,
}

/// Why a coordinator does nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stop {
    Fenced(Fence),
    Corrupt(u64),
    Foreign(JobId),
}
