use core::fmt;

/// What a snapshot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckpointKind {
    /// Taken by the job for its own recovery; the job owns it and discards it when a newer one replaces it.
    Checkpoint,
    /// As [`Checkpoint`](Self::Checkpoint), but it refers to no state that an earlier one wrote. The first of a job that was
    /// restored from a snapshot that it does not own is of this kind.
    FullCheckpoint,
    /// Taken for a person, who owns it. It is never subsumed, never discarded by the job, and refers to nothing outside its
    /// own directory.
    Savepoint(SavepointKind),
}

/// How a savepoint is written, and what follows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SavepointKind {
    /// How keyed state is written.
    pub format: SavepointFormat,
    /// What the job does behind it.
    pub action: PostCheckpointAction,
}

/// How keyed state is written into a savepoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SavepointFormat {
    /// In one piece, whatever keeps the state: what is restored may keep it otherwise.
    #[default]
    Canonical,
    /// As what keeps the state writes its checkpoints, which is quicker.
    Native,
}

/// What the job does behind a savepoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PostCheckpointAction {
    /// It goes on.
    #[default]
    None,
    /// It stops, to go on from there later.
    Suspend,
    /// It stops for good: sources act as if their input had ended, so that operators give out what they still hold.
    Terminate,
}

impl CheckpointKind {
    /// A savepoint behind which the job goes on, in the canonical format.
    pub const SAVEPOINT: Self = Self::Savepoint(SavepointKind {
        format: SavepointFormat::Canonical,
        action: PostCheckpointAction::None,
    });

    /// Whether this is a savepoint.
    #[must_use]
    pub const fn is_savepoint(self) -> bool {
        matches!(self, Self::Savepoint(_))
    }

    /// Whether the job stops behind it. Such a savepoint commits what sinks hold back, as a checkpoint does.
    #[must_use]
    pub const fn is_synchronous(self) -> bool {
        match self {
            Self::Checkpoint | Self::FullCheckpoint => false,
            Self::Savepoint(savepoint) => !matches!(savepoint.action, PostCheckpointAction::None),
        }
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
            Self::Savepoint(savepoint) => match savepoint.action {
                PostCheckpointAction::None => "savepoint",
                PostCheckpointAction::Suspend => "suspend savepoint",
                PostCheckpointAction::Terminate => "terminate savepoint",
            },
        })
    }
}
