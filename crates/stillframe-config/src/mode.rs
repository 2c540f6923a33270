//! Settings that are one of a few words.

use crate::ConfigError;
use crate::option::{OptionType, Value};
use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use stillframe_model::Redacted;

macro_rules! words {
    ($name:ident, $key:literal, $allowed:literal, $($variant:ident = $word:literal),+) => {
        impl $name {
            /// All of them, in Flink's order.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// The name, as Flink writes it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $name {
            type Err = ConfigError;

            /// Reads the name, in any case.
            fn from_str(text: &str) -> Result<Self, ConfigError> {
                Self::read(text).ok_or_else(|| ConfigError::new($key, Redacted::new(text).quote(), $allowed))
            }
        }

        impl Value for $name {
            const TYPE: OptionType = OptionType::Enum;
            const ALLOWED: &'static str = $allowed;

            fn read(text: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|value| text.eq_ignore_ascii_case(value.name()))
            }

            fn write(&self) -> String {
                self.name().into()
            }
        }
    };
}

/// What the snapshots guarantee about each record when the job is restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckpointingMode {
    /// Each record is in the restored state exactly once. Tasks wait for the barriers of all their inputs.
    #[default]
    #[doc(alias = "EXACTLY_ONCE")]
    ExactlyOnce,
    /// Each record is in the restored state at least once. Tasks never wait, and count some records again after a restore.
    #[doc(alias = "AT_LEAST_ONCE")]
    AtLeastOnce,
}

words!(
    CheckpointingMode,
    "execution.checkpointing.mode",
    "EXACTLY_ONCE or AT_LEAST_ONCE",
    ExactlyOnce = "EXACTLY_ONCE",
    AtLeastOnce = "AT_LEAST_ONCE"
);

/// What becomes of a job's checkpoints when the job ends. Whatever the choice, they are deleted when it finishes, and
/// they stay when its process is killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExternalizedCheckpointRetention {
    /// Deleted when a person cancels the job, kept when it fails.
    #[doc(alias = "DELETE_ON_CANCELLATION")]
    DeleteOnCancellation,
    /// Kept when a person cancels the job and when it fails. Deleting them is then up to that person.
    #[doc(alias = "RETAIN_ON_CANCELLATION")]
    RetainOnCancellation,
    /// Deleted however the job ends.
    #[default]
    #[doc(alias = "NO_EXTERNALIZED_CHECKPOINTS")]
    NoExternalizedCheckpoints,
}

words!(
    ExternalizedCheckpointRetention,
    "execution.checkpointing.externalized-checkpoint-retention",
    "DELETE_ON_CANCELLATION, RETAIN_ON_CANCELLATION or NO_EXTERNALIZED_CHECKPOINTS",
    DeleteOnCancellation = "DELETE_ON_CANCELLATION",
    RetainOnCancellation = "RETAIN_ON_CANCELLATION",
    NoExternalizedCheckpoints = "NO_EXTERNALIZED_CHECKPOINTS"
);

/// Who owns the snapshot that a job is restored from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecoveryClaimMode {
    /// The job, which deletes it when it is no longer needed.
    #[doc(alias = "CLAIM")]
    Claim,
    /// Its owner. The job does not rely on it after its own first checkpoint, and never deletes it.
    #[default]
    #[doc(alias = "NO_CLAIM")]
    NoClaim,
    /// Its owner, but the job may go on relying on its files.
    #[doc(alias = "LEGACY")]
    Legacy,
}

words!(
    RecoveryClaimMode,
    "execution.state-recovery.claim-mode",
    "CLAIM, NO_CLAIM or LEGACY",
    Claim = "CLAIM",
    NoClaim = "NO_CLAIM",
    Legacy = "LEGACY"
);
