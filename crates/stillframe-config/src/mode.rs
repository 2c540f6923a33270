use core::fmt;
use core::str::FromStr;

use crate::ConfigError;

/// What the snapshots guarantee about each record when the job is restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckpointingMode {
    /// Each record is in the restored state exactly once. Tasks wait for the barriers of all their inputs.
    #[default]
    ExactlyOnce,
    /// Each record is in the restored state at least once. Tasks never wait, and count some records again after a restore.
    AtLeastOnce,
}

impl fmt::Display for CheckpointingMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExactlyOnce => "exactly-once",
            Self::AtLeastOnce => "at-least-once",
        })
    }
}

impl FromStr for CheckpointingMode {
    type Err = ConfigError;

    /// Reads `exactly-once` or `EXACTLY_ONCE`, and the same for the other, in any case.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let is = |name: &str| {
            text.len() == name.len()
                && text
                    .bytes()
                    .zip(name.bytes())
                    .all(|(a, b)| if a == b'_' { b == b'-' } else { a.eq_ignore_ascii_case(&b) })
        };
        match text {
            _ if is("exactly-once") => Ok(Self::ExactlyOnce),
            _ if is("at-least-once") => Ok(Self::AtLeastOnce),
            _ => Err(ConfigError::new("execution.checkpointing.mode", text, "exactly-once or at-least-once")),
        }
    }
}

/// What becomes of a job's checkpoints when the job ends. Whatever the choice, they are deleted when it finishes, and
/// they stay when its process is killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExternalizedCheckpointRetention {
    /// Deleted when a person cancels the job, kept when it fails.
    DeleteOnCancellation,
    /// Kept when a person cancels the job and when it fails. Deleting them is then up to that person.
    RetainOnCancellation,
    /// Deleted however the job ends.
    #[default]
    NoExternalizedCheckpoints,
}
