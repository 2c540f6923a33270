//! What a job says of itself while it runs.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What it is about to do, or has done. What it says that it is about to do may take effect at any time from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Message {
    /// It begins with one sort of work.
    At(Phase),
    /// It took the job over, and this is what it was told.
    Claimed { retained: BTreeSet<u64>, next: u64, ended: bool },
    /// It has read everything of a retained checkpoint.
    Found { checkpoint: u64, digest: u64 },
    /// It has swept, and writes nothing before it got an answer.
    Swept,
    /// It is about to begin a checkpoint or savepoint.
    Beginning(u64),
    /// It is about to commit.
    Committing { checkpoint: u64, dropped: BTreeSet<u64>, digest: u64, files: BTreeSet<String> },
    /// It was told that this is complete.
    Committed(u64),
    /// It is about to publish a savepoint.
    Publishing { savepoint: u64, digest: u64 },
    /// It was told that this is complete, and where it is.
    Published { savepoint: u64, pointer: String },
    /// It is about to end the job.
    Concluding { dropped: BTreeSet<u64> },
    /// It was told that the job has ended.
    Concluded,
    /// It cannot go on.
    Failed(String),
    /// It has done what it was told.
    Over,
}

/// The sorts of work, those of a recovery first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Phase {
    Claim,
    Restore,
    Sweep,
    Begin,
    Write,
    Sync,
    Commit,
    Remove,
    Discard,
    Savepoint,
    Conclude,
}

impl Phase {
    pub(crate) const ALL: [Self; 11] = [
        Self::Claim,
        Self::Restore,
        Self::Sweep,
        Self::Begin,
        Self::Write,
        Self::Sync,
        Self::Commit,
        Self::Remove,
        Self::Discard,
        Self::Savepoint,
        Self::Conclude,
    ];

    /// Whether a process that is doing this has not yet come to work of its own.
    pub(crate) fn is_recovery(self) -> bool {
        matches!(self, Self::Claim | Self::Restore | Self::Sweep)
    }
}
