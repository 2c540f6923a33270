use core::fmt;
use stillframe_model::Redacted;

/// Whether a sweep removes what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SweepMode {
    /// It only says what it would do.
    DryRun,
    /// It removes what nobody needs.
    Remove,
}

/// What a sweep found, in the order of the names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// One line for each object.
    pub found: Vec<Swept>,
}

impl Sweep {
    /// What was removed, or would be.
    pub fn orphans(&self) -> impl Iterator<Item = &Swept> {
        self.found.iter().filter(|swept| swept.verdict.is_orphan())
    }
}

/// An object, and what a sweep says of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Swept {
    /// Its address. Shown without what may be a secret in it.
    pub object: String,
    /// What becomes of it, and why.
    pub verdict: Verdict,
}

impl fmt::Display for Swept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Redacted::new(&self.object), self.verdict)
    }
}

impl fmt::Debug for Swept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, verdict } = self;
        f.debug_struct("Swept").field("object", &Redacted::new(object)).field("verdict", verdict).finish()
    }
}

/// What becomes of an object, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// Kept: a retained checkpoint consists of it or refers to it.
    Retained,
    /// Kept: it belongs to the register.
    Register,
    /// Kept: this run may be writing it, or somebody who has not heard yet that this run holds the job.
    InProgress,
    /// Kept: tasks look after it themselves.
    TaskOwned,
    /// Kept: its name is none of ours.
    Foreign,
    /// An orphan: it belongs to a checkpoint that was never completed, or has been dropped.
    Unreferenced,
    /// An orphan: an entry of the register that nobody reads any more.
    Superseded,
}

impl Verdict {
    /// Whether nobody needs it.
    #[must_use]
    pub const fn is_orphan(self) -> bool {
        matches!(self, Self::Unreferenced | Self::Superseded)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Retained => "kept because a retained checkpoint needs it",
            Self::Register => "kept because it belongs to the register",
            Self::InProgress => "kept because somebody may be writing it",
            Self::TaskOwned => "kept because tasks look after it themselves",
            Self::Foreign => "kept because its name is none of ours",
            Self::Unreferenced => "an orphan, since no retained checkpoint refers to it",
            Self::Superseded => "an orphan, since the register begins behind it",
        })
    }
}
