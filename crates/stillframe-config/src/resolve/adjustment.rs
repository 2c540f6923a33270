//! What is changed to make a config work.

use crate::ConfigOption;
use crate::option::{MemorySize, Reader, Value};
use core::fmt;
use core::time::Duration;

/// A wish that could not be granted as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Adjustment {
    /// The minimum pause is longer than a year, and was cut to that.
    MinPauseCapped {
        /// What was asked for.
        asked: Duration,
        /// What applies.
        effective: Duration,
    },
    /// The interval is shorter than the minimum pause, which would hold back every trigger; it was raised to the pause.
    IntervalRaised {
        /// What was asked for.
        asked: Duration,
        /// What applies.
        effective: Duration,
    },
    /// The interval is the longest there is, which is Flink's way to say that there are no periodic checkpoints.
    IntervalIsNever {
        /// The key of the option, which is the normal interval or the one during a backlog.
        option: &'static str,
    },
    /// The job runs as a batch, in which there are no periodic checkpoints.
    BatchWithoutCheckpoints,
    /// Barriers overtake records only exactly once; the mode is at least once, so they do not.
    UnalignedNeedsExactlyOnce,
    /// Fewer than one checkpoint was to be retained; the newest is.
    RetainedRaised {
        /// What was asked for.
        asked: i32,
    },
    /// The inline threshold is more than 1 MiB, and was left out.
    InlineThresholdIgnored {
        /// What was asked for, in bytes.
        asked: u64,
        /// What applies, in bytes.
        effective: u32,
    },
    /// The write buffer is smaller than the inline threshold, and was raised to it.
    WriteBufferRaised {
        /// What was asked for, in bytes.
        asked: i32,
        /// What applies, in bytes.
        effective: u32,
    },
    /// The setting is about a storage, and the one that applies does not take it from the settings: the program has set
    /// another, or it keeps nothing in files.
    Unused {
        /// The key of the option.
        option: &'static str,
    },
    /// The setting was changed, and nothing reads it yet.
    Pending {
        /// The key of the option.
        option: &'static str,
        /// What it waits for.
        awaits: &'static str,
    },
}

impl Adjustment {
    /// The key of the option that does not apply as it was set.
    #[must_use]
    pub const fn option(&self) -> &'static str {
        match self {
            Self::MinPauseCapped { .. } => "execution.checkpointing.min-pause",
            Self::IntervalRaised { .. } | Self::BatchWithoutCheckpoints => "execution.checkpointing.interval",
            Self::UnalignedNeedsExactlyOnce => "execution.checkpointing.unaligned.enabled",
            Self::RetainedRaised { .. } => "execution.checkpointing.num-retained",
            Self::InlineThresholdIgnored { .. } => "execution.checkpointing.data-inline-threshold",
            Self::WriteBufferRaised { .. } => "execution.checkpointing.write-buffer-size",
            Self::IntervalIsNever { option } | Self::Unused { option } | Self::Pending { option, .. } => {
                option
            }
        }
    }

    /// The report about an option that nothing reads.
    pub(super) fn pending(option: &ConfigOption) -> Option<Self> {
        match option.reader() {
            Reader::Read(_) => None,
            Reader::Pending(awaits) => Some(Self::Pending { option: option.key(), awaits }),
        }
    }
}

impl fmt::Display for Adjustment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |bytes: u32| MemorySize::new(bytes.into()).write();
        write!(f, "{}: ", self.option())?;
        match self {
            Self::MinPauseCapped { asked, effective } => {
                write!(f, "the minimum pause of {asked:?} was cut to {effective:?}, the longest there is")
            }
            Self::IntervalRaised { asked, effective } => {
                write!(f, "the interval of {asked:?} was raised to the minimum pause of {effective:?}")
            }
            Self::IntervalIsNever { .. } => {
                f.write_str("the longest interval there is means that there are no periodic checkpoints")
            }
            Self::BatchWithoutCheckpoints => {
                f.write_str("a job that runs as a batch has no periodic checkpoints")
            }
            Self::UnalignedNeedsExactlyOnce => f.write_str(
                "checkpoints are aligned, because the mode is AT_LEAST_ONCE and barriers block nothing",
            ),
            Self::RetainedRaised { asked } => {
                write!(f, "{asked} checkpoints cannot be retained; the newest one is")
            }
            Self::InlineThresholdIgnored { asked, effective } => write!(
                f,
                "{} is more than 1 mb and was left out; {} applies",
                MemorySize::new(*asked).write(),
                size(*effective)
            ),
            Self::WriteBufferRaised { asked, effective } => {
                write!(
                    f,
                    "a buffer of {asked} bytes was raised to the inline threshold of {}",
                    size(*effective)
                )
            }
            Self::Unused { .. } => f.write_str("it has no effect on the storage that applies"),
            Self::Pending { awaits, .. } => write!(f, "it has no effect yet; it waits for {awaits}"),
        }
    }
}
