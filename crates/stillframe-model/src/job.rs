use core::fmt;

/// How a job ended. What becomes of its checkpoints depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobStatus {
    /// All input was processed and all output committed.
    Finished,
    /// A person stopped it.
    Canceled,
    /// It failed and will not be restarted.
    Failed,
    /// It stopped here, to be continued from its checkpoints later or elsewhere.
    Suspended,
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finished => "finished",
            Self::Canceled => "canceled",
            Self::Failed => "failed",
            Self::Suspended => "suspended",
        })
    }
}
