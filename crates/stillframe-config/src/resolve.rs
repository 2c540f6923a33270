use crate::{
    BarrierPolicy, CheckpointConfig, CheckpointingMode, EffectiveConfig, FailureTolerance, Retention,
    Schedule,
};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use stillframe_model::StorageDescriptor;

/// A config with everything decided, and what had to be changed to get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// What applies.
    pub effective: EffectiveConfig,
    /// Where that differs from what was asked for.
    pub adjustments: Vec<Adjustment>,
}

/// A wish that could not be granted as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Adjustment {
    /// The minimum pause is longer than a year, and was cut to that.
    MinPauseCapped {
        /// What was asked for.
        asked: Duration,
    },
    /// The interval is shorter than the minimum pause, which would hold back every trigger; it was raised to the pause.
    IntervalRaised {
        /// What was asked for.
        asked: Duration,
        /// What applies.
        effective: Duration,
    },
}

impl fmt::Display for Adjustment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinPauseCapped { asked } => {
                write!(f, "the minimum pause of {asked:?} was cut to {MAX_MIN_PAUSE:?}, the longest there is")
            }
            Self::IntervalRaised { asked, effective } => {
                write!(f, "the interval of {asked:?} was raised to the minimum pause of {effective:?}")
            }
        }
    }
}

/// 365 days, as in Flink's coordinator.
const MAX_MIN_PAUSE: Duration = Duration::from_secs(365 * 86_400);

impl CheckpointConfig {
    /// Decides what applies. Total: every config that can be built has an effective one.
    #[must_use]
    pub fn resolve(&self) -> Resolved {
        let mut adjustments = Vec::new();
        let asked = self.min_pause_between_checkpoints();
        let min_pause = asked.min(MAX_MIN_PAUSE);
        if min_pause < asked {
            adjustments.push(Adjustment::MinPauseCapped { asked });
        }
        let interval = self.checkpoint_interval().map(|asked| {
            let effective = asked.max(min_pause);
            if effective > asked {
                adjustments.push(Adjustment::IntervalRaised { asked, effective });
            }
            effective
        });
        let effective = EffectiveConfig {
            schedule: Schedule {
                interval,
                timeout: self.checkpoint_timeout(),
                min_pause,
                max_concurrent: self.max_concurrent_checkpoints(),
            },
            barriers: match self.checkpointing_mode() {
                CheckpointingMode::ExactlyOnce => BarrierPolicy::Align,
                CheckpointingMode::AtLeastOnce => BarrierPolicy::Track,
            },
            tolerance: match self.tolerable_checkpoint_failure_number() {
                u32::MAX => FailureTolerance::Unlimited,
                number => FailureTolerance::UpTo(number),
            },
            retention: Retention {
                max_retained: self.num_retained_checkpoints(),
                on_end: self.externalized_checkpoint_retention(),
            },
            storage: self
                .checkpoint_storage()
                .cloned()
                .unwrap_or_else(|| StorageDescriptor::new(StorageDescriptor::JOB_MANAGER)),
        };
        Resolved { effective, adjustments }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExternalizedCheckpointRetention as R;
    use stillframe_model::JobStatus as J;

    #[test]
    fn an_interval_below_the_pause_is_raised_and_said_so() {
        let mut config = CheckpointConfig::default();
        config.set_checkpoint_interval(Duration::from_secs(1)).unwrap();
        config.set_min_pause_between_checkpoints(Duration::from_secs(5));
        let Resolved { effective, adjustments } = config.resolve();
        assert_eq!(effective.schedule.interval, Some(Duration::from_secs(5)));
        assert_eq!(
            adjustments,
            [Adjustment::IntervalRaised { asked: Duration::from_secs(1), effective: Duration::from_secs(5) }]
        );
    }

    #[test]
    fn each_setting_reaches_its_group() {
        let mut config = CheckpointConfig::default();
        config.set_checkpointing_mode(CheckpointingMode::AtLeastOnce);
        config.set_tolerable_checkpoint_failure_number(u32::MAX);
        let effective = config.resolve().effective;
        assert_eq!(effective.barriers, BarrierPolicy::Track);
        assert_eq!(effective.tolerance, FailureTolerance::Unlimited);
        assert_eq!(effective.storage.kind, StorageDescriptor::JOB_MANAGER);
        assert_eq!(effective.schedule.interval, None);
    }

    #[test]
    fn retention_follows_the_recorded_table() {
        let kept = |on_end| {
            let retention = Retention { max_retained: core::num::NonZeroU32::MIN, on_end };
            [J::Finished, J::Canceled, J::Failed, J::Suspended].map(|status| retention.keeps_after(status))
        };
        assert_eq!(kept(R::NoExternalizedCheckpoints), [false, false, false, true]);
        assert_eq!(kept(R::DeleteOnCancellation), [false, false, true, true]);
        assert_eq!(kept(R::RetainOnCancellation), [false, true, true, true]);
    }
}
