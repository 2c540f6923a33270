//! What holds of every effective config.

use crate::option::Millis;
use crate::{
    Adjustment, BarrierPolicy, CheckpointConfig, CheckpointingMode, EffectiveConfig, FailureTolerance,
    GraphDescription, Resolved,
};
use core::num::NonZeroU32;
use core::time::Duration;
use stillframe_model::{FileSystemDescriptor, JobManagerDescriptor, StorageDescriptor};

const SHORTEST: Duration = Duration::from_millis(10);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// What its types leave open, and its readers rely on.
pub(super) fn assert_valid(effective: &EffectiveConfig) {
    let EffectiveConfig { schedule, barriers, tolerance, storage, .. } = effective;
    assert!(schedule.min_pause <= YEAR, "{schedule:?}");
    assert!(schedule.timeout >= SHORTEST, "{schedule:?}");
    if let Some(interval) = schedule.interval {
        assert!(interval >= SHORTEST && interval >= schedule.min_pause, "{schedule:?}");
        assert!(interval < Millis::MAX.duration(), "the longest interval is none: {schedule:?}");
    }
    if let Some(backlog) = schedule.interval_during_backlog {
        assert!(schedule.interval.is_some_and(|interval| interval <= backlog), "{schedule:?}");
        assert!(backlog < Millis::MAX.duration(), "the longest interval is none: {schedule:?}");
    }
    if barriers.unaligned.is_some() {
        assert_eq!(barriers.policy, BarrierPolicy::Align);
        assert_eq!(schedule.max_concurrent, NonZeroU32::MIN);
    }
    if let FailureTolerance::UpTo(number) = tolerance {
        assert!(*number < CheckpointConfig::UNLIMITED_TOLERABLE_FAILURE_NUMBER);
    }
    assert_storage(storage);
}

/// A storage of ours has settings that it can be built from, all of those that a config can complete.
fn assert_storage(storage: &StorageDescriptor) {
    match storage.kind.as_ref() {
        StorageDescriptor::JOB_MANAGER => {
            assert!(JobManagerDescriptor::try_from(storage).unwrap().max_state_size() > 0);
        }
        StorageDescriptor::FILE_SYSTEM => {
            let files = FileSystemDescriptor::try_from(storage).unwrap();
            let threshold = files.explicit_min_file_size_threshold().unwrap();
            assert!(threshold <= FileSystemDescriptor::MAX_FILE_STATE_THRESHOLD);
            assert!(files.explicit_write_buffer_size().unwrap() >= threshold);
        }
        _ => {}
    }
}

/// A config that asks for exactly this.
fn asking_for(effective: &EffectiveConfig) -> CheckpointConfig {
    let EffectiveConfig {
        schedule,
        barriers,
        incremental,
        tolerance,
        retention,
        parallel_cleaner,
        storage,
        recovery,
        history,
    } = effective;
    let mut config = CheckpointConfig::default();
    config
        .set_min_pause_between_checkpoints(schedule.min_pause)
        .set_max_concurrent_checkpoints(schedule.max_concurrent)
        .set_checkpoints_after_tasks_finish(schedule.after_tasks_finish)
        .set_checkpointing_mode(match barriers.policy {
            BarrierPolicy::Align => CheckpointingMode::ExactlyOnce,
            BarrierPolicy::Track => CheckpointingMode::AtLeastOnce,
        })
        .set_alignment_timeout(barriers.alignment_timeout)
        .set_tolerable_checkpoint_failure_number(match tolerance {
            FailureTolerance::UpTo(number) => *number,
            FailureTolerance::Unlimited => CheckpointConfig::UNLIMITED_TOLERABLE_FAILURE_NUMBER,
        })
        .set_externalized_checkpoint_retention(retention.on_end)
        .set_num_retained_checkpoints(retention.max_retained)
        .set_cleaner_parallel_mode(*parallel_cleaner)
        .set_checkpoint_storage(storage.clone())
        .set_incremental_checkpoints(*incremental)
        .set_recovery_claim_mode(recovery.claim_mode)
        .set_ignore_unclaimed_state(recovery.ignore_unclaimed_state)
        .set_checkpoints_history_size(*history)
        .set_recovery_claim_mode(recovery.claim_mode)
        .set_incremental_checkpoints(*incremental)
        .set_checkpoint_id_of_ignored_in_flight_data(recovery.ignored_in_flight_data)
        // These two only permit what was permitted before.
        .set_force_checkpointing(true)
        .set_force_unaligned_checkpoints(true);
    config.set_checkpoint_timeout(schedule.timeout).unwrap();
    if let Some(pointer) = &recovery.path {
        config.set_recovery_path(pointer.as_str());
    }
    // Barriers overtake nothing in a job without checkpoints; the longest interval is one with none of them.
    let interval = schedule.interval.or(barriers.unaligned.map(|_| Duration::MAX));
    if let Some(interval) = interval {
        config.set_checkpoint_interval(interval).unwrap();
        let backlog = schedule.interval_during_backlog.unwrap_or(Duration::ZERO);
        config.set_checkpoint_interval_during_backlog(backlog).unwrap();
    }
    if let Some(unaligned) = barriers.unaligned {
        config
            .enable_unaligned_checkpoints()
            .set_max_subtasks_per_channel_state_file(unaligned.max_subtasks_per_channel_state_file)
            .set_unaligned_checkpoints_interruptible_timers(unaligned.interruptible_timers);
    }
    config
}

/// Who asks for what applies gets it, and hears of nothing but what waits for its reader.
pub(super) fn assert_settled(effective: &EffectiveConfig, graph: &GraphDescription) {
    let again = asking_for(effective).resolve(graph).unwrap_or_else(|violations| panic!("{violations}"));
    let Resolved { effective: settled, adjustments } = again;
    assert_eq!(&settled, effective);
    for adjustment in adjustments {
        // The longest interval is how one asks for none while periodic checkpoints are enabled.
        let is_settled =
            matches!(adjustment, Adjustment::Pending { .. } | Adjustment::IntervalIsNever { .. });
        assert!(is_settled, "{adjustment}");
    }
}
