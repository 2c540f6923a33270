use core::fmt;

/// What a snapshot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckpointKind {
    /// Taken by the job for its own recovery; the job owns it and discards it when a newer one replaces it.
    Checkpoint,
    /// As [`Checkpoint`](Self::Checkpoint), but it refers to no state that an earlier one wrote. The first of a job that was
    /// restored from a snapshot that it does not own is of this kind.
    FullCheckpoint,
    /// Taken for a person, who owns it. It is never subsumed, never discarded by the job, and sinks do not commit on it.
    Savepoint,
}

impl CheckpointKind {
    /// Whether this is a savepoint.
    #[must_use]
    pub const fn is_savepoint(self) -> bool {
        matches!(self, Self::Savepoint)
    }

    /// Whether a snapshot of this kind may refer to state that an earlier one wrote.
    #[must_use]
    pub const fn may_build_on_earlier(self) -> bool {
        matches!(self, Self::Checkpoint)
    }
}

impl fmt::Display for CheckpointKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checkpoint => "checkpoint",
            Self::FullCheckpoint => "full checkpoint",
            Self::Savepoint => "savepoint",
        })
    }
}
