//! What makes a config impossible.

use crate::error::Lines;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;
use stillframe_model::DescriptorError;

/// A rule that the settings, or the settings together with the graph, break.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The interval during a backlog is shorter than the normal one, or there is no normal one.
    BacklogIntervalTooShort {
        /// The interval during a backlog.
        backlog: Duration,
        /// The normal interval.
        interval: Option<Duration>,
    },
    /// Barriers can overtake records of one checkpoint at a time only.
    UnalignedNotConcurrent {
        /// How many were to be in progress at once.
        max_concurrent: NonZeroU32,
    },
    /// The graph has a cycle, whose records no checkpoint holds.
    Iterations,
    /// The graph has a cycle, which barriers that overtake records do not get through.
    UnalignedIterations,
    /// The graph has a partitioner of the user, which overtaken records do not go through.
    UnalignedCustomPartitioner,
    /// An operator chooses its input.
    InputSelectable,
    /// A task that is restored alone, without its state, has nothing to do with overtaken records.
    UnalignedApproximateRecovery,
    /// Files were chosen for checkpoints, and no directory for them.
    StorageWithoutDirectory,
    /// A setting of the storage is not allowed.
    Storage(DescriptorError),
}

impl Violation {
    /// The key of the option that has to change; the first, if either of several can.
    #[must_use]
    pub fn option(&self) -> &str {
        match self {
            Self::BacklogIntervalTooShort { .. } => "execution.checkpointing.interval-during-backlog",
            Self::UnalignedNotConcurrent { .. } => "execution.checkpointing.max-concurrent-checkpoints",
            Self::Iterations => "execution.checkpointing.force",
            Self::UnalignedIterations | Self::UnalignedCustomPartitioner => {
                "execution.checkpointing.unaligned.forced"
            }
            Self::InputSelectable => "execution.checkpointing.interval",
            Self::UnalignedApproximateRecovery => "execution.state-recovery.approximate-local-recovery",
            Self::StorageWithoutDirectory => "execution.checkpointing.dir",
            Self::Storage(error) => error.option(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rule = |found: fmt::Arguments<'_>, allowed: &str| {
            write!(f, "{}: {found} (allowed: {allowed})", self.option())
        };
        match self {
            Self::BacklogIntervalTooShort { backlog, interval: Some(interval) } => rule(
                format_args!(
                    "{backlog:?} during a backlog is shorter than the normal interval of {interval:?}"
                ),
                "the normal interval or more, or 0 for no checkpoints during a backlog",
            ),
            Self::BacklogIntervalTooShort { backlog, interval: None } => rule(
                format_args!("{backlog:?} during a backlog, while there is no normal interval"),
                "0, or to set execution.checkpointing.interval as well",
            ),
            Self::UnalignedNotConcurrent { max_concurrent } => rule(
                format_args!("{max_concurrent} checkpoints at once cannot be unaligned"),
                "1, or to disable execution.checkpointing.unaligned.enabled",
            ),
            Self::Iterations => rule(
                format_args!("the job has a cycle, and records in it would be lost when it is restored"),
                "true to accept that, or no periodic checkpoints",
            ),
            Self::UnalignedIterations => rule(
                format_args!("unaligned checkpoints do not hold the records that are in the job's cycle"),
                "true to accept that they are lost, or to disable execution.checkpointing.unaligned.enabled",
            ),
            Self::UnalignedCustomPartitioner => rule(
                format_args!("a custom partitioner cannot place overtaken records at another parallelism"),
                "true to accept that, or to disable execution.checkpointing.unaligned.enabled",
            ),
            Self::InputSelectable => rule(
                format_args!("an operator that selects its inputs can keep a barrier waiting for ever"),
                "no periodic checkpoints, or no such operator",
            ),
            Self::UnalignedApproximateRecovery => rule(
                format_args!("approximate recovery does not go with unaligned checkpoints"),
                "false, or to disable execution.checkpointing.unaligned.enabled",
            ),
            Self::StorageWithoutDirectory => rule(
                format_args!("it is missing, while execution.checkpointing.storage says filesystem"),
                "a URI such as file:///var/checkpoints, or another kind of storage",
            ),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Violation {}

/// Every rule that is broken, at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", Lines(violations))]
pub struct Violations {
    violations: Vec<Violation>,
}

impl Violations {
    pub(super) const fn new(violations: Vec<Violation>) -> Self {
        Self { violations }
    }

    /// The rules.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.violations.iter()
    }
}
