//! From wishes to what applies.

mod adjustment;
mod storage;
mod violation;

pub use adjustment::Adjustment;
pub use violation::{Violation, Violations};

use crate::option::Millis;
use crate::{
    BarrierPolicy, Barriers, CheckpointConfig, CheckpointingMode, EffectiveConfig, FailureTolerance,
    GraphDescription, OPTIONS, Recovery, Retention, Schedule, Unaligned,
};
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;
use stillframe_model::Pointer;

/// A config with everything decided, and what had to be changed to get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// What applies.
    pub effective: EffectiveConfig,
    /// Where that differs from what was asked for.
    pub adjustments: Vec<Adjustment>,
}

/// 365 days, as in Flink's coordinator.
const MAX_MIN_PAUSE: Duration = Duration::from_secs(365 * 86_400);

impl CheckpointConfig {
    /// Decides what applies to a job with this graph: what Flink decides when it builds the graph of a job, its coordinator
    /// and its storage.
    ///
    /// # Errors
    /// With every rule that is broken.
    pub fn resolve(&self, graph: &GraphDescription) -> Result<Resolved, Violations> {
        let mut adjustments = Vec::new();
        let mut violations = Vec::new();
        let is_periodic = self.is_checkpointing_enabled() && !graph.batch;
        if self.is_checkpointing_enabled() && graph.batch {
            adjustments.push(Adjustment::BatchWithoutCheckpoints);
        }
        if is_periodic {
            self.check_graph(graph, &mut violations);
        }
        // Flink looks at the settings alone here, whatever comes of them.
        if !graph.batch
            && self.is_unaligned_checkpoints_enabled()
            && self.is_approximate_local_recovery_enabled()
        {
            violations.push(Violation::UnalignedApproximateRecovery);
        }
        let schedule = self.schedule(is_periodic, &mut adjustments, &mut violations);
        let barriers = self.barriers(is_periodic, &mut adjustments, &mut violations);
        if let Some(asked) = self.settings.num_retained.filter(|number| *number < 1) {
            adjustments.push(Adjustment::RetainedRaised { asked });
        }
        let storage =
            storage::resolve(self, &mut adjustments).map_err(|violation| violations.push(violation));
        let pending = OPTIONS.iter().filter(|option| option.is_changed(&self.settings));
        adjustments.extend(pending.filter_map(Adjustment::pending));
        let (Ok(storage), []) = (storage, violations.as_slice()) else {
            return Err(Violations::new(violations));
        };
        let effective = EffectiveConfig {
            schedule,
            barriers,
            incremental: self.is_incremental_checkpoints_enabled(),
            tolerance: match self.tolerable_checkpoint_failure_number() {
                Self::UNLIMITED_TOLERABLE_FAILURE_NUMBER => FailureTolerance::Unlimited,
                number => FailureTolerance::UpTo(number),
            },
            retention: Retention {
                max_retained: self.num_retained_checkpoints(),
                on_end: self.externalized_checkpoint_retention(),
            },
            parallel_cleaner: self.is_cleaner_parallel_mode_enabled(),
            storage,
            recovery: Recovery {
                path: self.recovery_path().map(Pointer::new),
                ignore_unclaimed_state: self.is_ignore_unclaimed_state_enabled(),
                claim_mode: self.recovery_claim_mode(),
                ignored_in_flight_data: self.checkpoint_id_of_ignored_in_flight_data(),
            },
            history: self.checkpoints_history_size(),
        };
        Ok(Resolved { effective, adjustments })
    }

    fn check_graph(&self, graph: &GraphDescription, violations: &mut Vec<Violation>) {
        let is_unaligned = self.is_unaligned_checkpoints_enabled();
        let is_unforced = is_unaligned && !self.is_force_unaligned_checkpoints();
        if graph.iterative && !self.is_force_checkpointing() {
            violations.push(Violation::Iterations);
        }
        if graph.iterative && is_unforced {
            violations.push(Violation::UnalignedIterations);
        }
        if graph.custom_partitioner && is_unforced {
            violations.push(Violation::UnalignedCustomPartitioner);
        }
        if graph.input_selectable {
            violations.push(Violation::InputSelectable);
        }
    }

    fn schedule(
        &self,
        is_periodic: bool,
        adjustments: &mut Vec<Adjustment>,
        violations: &mut Vec<Violation>,
    ) -> Schedule {
        let asked = self.min_pause_between_checkpoints();
        let min_pause = asked.min(MAX_MIN_PAUSE);
        if min_pause < asked {
            adjustments.push(Adjustment::MinPauseCapped { asked, effective: min_pause });
        }
        let raise = |asked: Duration| asked.max(min_pause);
        // The longest interval is Flink's way to say that there is none.
        let longest = Millis::MAX.duration();
        let mut never = |option, interval: Option<Duration>| {
            if interval.is_some_and(|interval| interval >= longest) {
                adjustments.push(Adjustment::IntervalIsNever { option });
            }
        };
        never("execution.checkpointing.interval", self.checkpoint_interval());
        never("execution.checkpointing.interval-during-backlog", self.checkpoint_interval_during_backlog());
        let asked = self.checkpoint_interval().filter(|interval| *interval < longest);
        let backlog = match self.checkpoint_interval_during_backlog() {
            None => asked,
            Some(backlog) if backlog.is_zero() || backlog >= longest => None,
            Some(backlog) => {
                if asked.is_none_or(|interval| backlog < interval) {
                    violations.push(Violation::BacklogIntervalTooShort { backlog, interval: asked });
                }
                Some(backlog)
            }
        };
        let interval = asked.filter(|_| is_periodic);
        if let Some(asked) = interval
            && raise(asked) > asked
        {
            adjustments.push(Adjustment::IntervalRaised { asked, effective: raise(asked) });
        }
        Schedule {
            interval: interval.map(raise),
            interval_during_backlog: backlog.filter(|_| is_periodic).map(raise),
            timeout: self.checkpoint_timeout(),
            min_pause,
            max_concurrent: self.max_concurrent_checkpoints(),
            after_tasks_finish: self.is_checkpoints_after_tasks_finish_enabled(),
        }
    }

    fn barriers(
        &self,
        is_periodic: bool,
        adjustments: &mut Vec<Adjustment>,
        violations: &mut Vec<Violation>,
    ) -> Barriers {
        let mode = self.checkpointing_mode();
        let is_asked = is_periodic && self.is_unaligned_checkpoints_enabled();
        if is_asked && mode == CheckpointingMode::AtLeastOnce {
            adjustments.push(Adjustment::UnalignedNeedsExactlyOnce);
        }
        let is_unaligned = is_asked && mode == CheckpointingMode::ExactlyOnce;
        let max_concurrent = self.max_concurrent_checkpoints();
        if is_unaligned && max_concurrent > NonZeroU32::MIN {
            violations.push(Violation::UnalignedNotConcurrent { max_concurrent });
        }
        Barriers {
            policy: match mode {
                CheckpointingMode::ExactlyOnce => BarrierPolicy::Align,
                CheckpointingMode::AtLeastOnce => BarrierPolicy::Track,
            },
            unaligned: is_unaligned.then(|| Unaligned {
                max_subtasks_per_channel_state_file: self.max_subtasks_per_channel_state_file(),
                interruptible_timers: self.is_unaligned_checkpoints_interruptible_timers_enabled(),
            }),
            alignment_timeout: self.alignment_timeout(),
        }
    }
}

#[cfg(test)]
mod tests;
