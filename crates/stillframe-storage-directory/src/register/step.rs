//! The words in which the register asks and is answered.

use super::{Entry, Marker};
use std::ops::Range;
use stillframe_metadata::FormatError;
use stillframe_model::JobId;

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

impl Reply {
    /// Whose record was read.
    pub(super) fn job(&self) -> Option<JobId> {
        match self {
            Self::Marker(found) => found.as_ref().map(|marker| marker.job),
            Self::Entry(found) => found.as_ref().map(|entry| entry.job),
            Self::Settled | Self::Created(_) => None,
        }
    }
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Perform this.
    Request(Request),
    /// It is over.
    Conclude(Conclusion),
}

/// How a claim or an append ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// The register is this coordinator's.
    Claimed {
        /// The newest entry. If it says that the job has ended, nothing can be added to it, but what it retains can be
        /// restored elsewhere or dropped.
        entry: Entry,
        /// The checkpoint ids that this coordinator may use, and nobody else.
        ids: Range<u64>,
    },
    /// The entry counts. Only now may anybody be told.
    Committed(Entry),
    /// Nothing was written. The register is as it was, and so is whether this coordinator owns it.
    Refused,
    /// The update breaks a rule of the register; nothing was sent. Repeating it is of no use.
    Invalid(FormatError),
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
    /// The register is another job's.
    Foreign {
        /// Whose it is.
        job: JobId,
    },
}

/// What showed a coordinator that it has to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fence {
    /// The marker of this newer epoch.
    Marker(u64),
    /// An entry of somebody else under the number that was to be its own.
    Entry(u64),
    /// A request whose outcome cannot be settled, or that was never asked for.
    Doubt,
}
