//! Every setting once around: by its setter, read by its getter, written under its key.

use crate::{
    CheckpointConfig, CheckpointingMode, ConfigError, ExternalizedCheckpointRetention, OPTIONS,
    RecoveryClaimMode,
};
use alloc::string::ToString;
use core::num::NonZeroU32;
use core::time::Duration;
use stillframe_model::CheckpointId;

const fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(number - 1)
}

/// Everything set to something that is not the default.
fn full() -> Result<CheckpointConfig, ConfigError> {
    let mut config = CheckpointConfig::default();
    config
        .set_checkpoint_interval(Duration::from_millis(1_500))?
        .set_checkpoint_interval_during_backlog(Duration::from_secs(90))?
        .set_checkpointing_mode(CheckpointingMode::AtLeastOnce)
        .set_checkpoint_timeout(Duration::from_secs(3_600))?
        .set_min_pause_between_checkpoints(Duration::from_millis(5))
        .set_max_concurrent_checkpoints(count(2))
        .set_tolerable_checkpoint_failure_number(3)
        .set_externalized_checkpoint_retention(ExternalizedCheckpointRetention::RetainOnCancellation)
        .set_num_retained_checkpoints(count(4))
        .set_checkpoints_after_tasks_finish(false)
        .set_force_checkpointing(true)
        .enable_unaligned_checkpoints()
        .set_alignment_timeout(Duration::from_micros(7))
        .set_force_unaligned_checkpoints(true)
        .set_unaligned_checkpoints_interruptible_timers(true)
        .set_max_subtasks_per_channel_state_file(count(6))
        .set_checkpoint_storage_dir("file:///data/checkpoints")?
        .set_savepoint_dir("file:///data/savepoints")?
        .set_create_subdir(false)
        .set_data_inline_threshold(8 * 1024)?
        .set_write_buffer_size(9_000)
        .set_cleaner_parallel_mode(false)
        .set_incremental_checkpoints(true)
        .set_local_backup(true)
        .set_local_backup_dirs("/mnt/a")
        .set_file_merging(true)
        .set_file_merging_across_checkpoint_boundary(true)
        .set_file_merging_max_file_size(10 << 20)
        .set_file_merging_pool_blocking(true)
        .set_file_merging_max_subtasks_per_file(count(11))
        .set_file_merging_max_space_amplification(1.25)?
        .set_recovery_path("/data/chk-12")
        .set_ignore_unclaimed_state(true)
        .set_recovery_claim_mode(RecoveryClaimMode::Claim)
        .set_local_recovery(true)
        .set_approximate_local_recovery(true)
        .set_checkpoint_id_of_ignored_in_flight_data(Some(CheckpointId::new(13)))
        .set_checkpoints_history_size(14);
    Ok(config)
}

#[test]
fn a_getter_returns_what_its_setter_set() {
    let config = full().unwrap();
    assert!(config.is_checkpointing_enabled());
    assert_eq!(config.checkpoint_interval(), Some(Duration::from_millis(1_500)));
    assert_eq!(config.checkpoint_interval_during_backlog(), Some(Duration::from_secs(90)));
    assert_eq!(config.checkpointing_mode(), CheckpointingMode::AtLeastOnce);
    assert_eq!(config.checkpoint_timeout(), Duration::from_secs(3_600));
    assert_eq!(config.min_pause_between_checkpoints(), Duration::from_millis(5));
    assert_eq!(config.max_concurrent_checkpoints(), count(2));
    assert_eq!(config.tolerable_checkpoint_failure_number(), 3);
    assert!(!config.is_fail_on_checkpointing_errors());
    assert_eq!(
        config.externalized_checkpoint_cleanup(),
        ExternalizedCheckpointRetention::RetainOnCancellation
    );
    assert!(config.is_externalized_checkpoints_enabled());
    assert_eq!(config.num_retained_checkpoints(), count(4));
    assert!(!config.is_checkpoints_after_tasks_finish_enabled());
    assert!(config.is_force_checkpointing());
    assert!(config.is_unaligned_checkpoints_enabled());
    assert_eq!(config.alignment_timeout(), Duration::from_micros(7));
    assert!(config.is_force_unaligned_checkpoints());
    assert!(config.is_unaligned_checkpoints_interruptible_timers_enabled());
    assert_eq!(config.max_subtasks_per_channel_state_file(), count(6));
    assert_eq!(config.checkpoint_storage().unwrap().kind, "filesystem");
    assert_eq!(config.checkpoint_storage_dir().unwrap().as_str(), "file:/data/checkpoints");
    assert_eq!(config.checkpoint_storage_kind(), None);
    assert_eq!(config.savepoint_dir().unwrap().as_str(), "file:/data/savepoints");
    assert!(!config.is_create_subdir_enabled());
    assert_eq!(config.data_inline_threshold(), 8 * 1024);
    assert_eq!(config.write_buffer_size(), 9_000);
    assert!(!config.is_cleaner_parallel_mode_enabled());
    assert!(config.is_incremental_checkpoints_enabled());
    assert!(config.is_local_backup_enabled());
    assert_eq!(config.local_backup_dirs(), Some("/mnt/a"));
    assert!(config.is_file_merging_enabled());
    assert!(config.is_file_merging_across_checkpoint_boundary_enabled());
    assert_eq!(config.file_merging_max_file_size(), 10 << 20);
    assert!(config.is_file_merging_pool_blocking());
    assert_eq!(config.file_merging_max_subtasks_per_file(), count(11));
    assert_eq!(config.file_merging_max_space_amplification().to_bits(), 1.25_f32.to_bits());
    assert_eq!(config.recovery_path(), Some("/data/chk-12"));
    assert!(config.is_ignore_unclaimed_state_enabled());
    assert_eq!(config.recovery_claim_mode(), RecoveryClaimMode::Claim);
    assert!(config.is_local_recovery_enabled());
    assert!(config.is_approximate_local_recovery_enabled());
    assert_eq!(config.checkpoint_id_of_ignored_in_flight_data(), Some(CheckpointId::new(13)));
    assert_eq!(config.checkpoints_history_size(), 14);
}

#[test]
fn every_setting_is_written_under_its_own_key() {
    let written = full().unwrap().to_options();
    assert_eq!(
        written.to_flink_conf(),
        "\
execution.checkpointing.aligned-checkpoint-timeout: 7 µs
execution.checkpointing.checkpoints-after-tasks-finish: false
execution.checkpointing.cleaner.parallel-mode: false
execution.checkpointing.create-subdir: false
execution.checkpointing.data-inline-threshold: 8 kb
execution.checkpointing.dir: file:///data/checkpoints
execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION
execution.checkpointing.file-merging.across-checkpoint-boundary: true
execution.checkpointing.file-merging.enabled: true
execution.checkpointing.file-merging.max-file-size: 10 mb
execution.checkpointing.file-merging.max-space-amplification: 1.25
execution.checkpointing.file-merging.max-subtasks-per-file: 11
execution.checkpointing.file-merging.pool-blocking: true
execution.checkpointing.force: true
execution.checkpointing.incremental: true
execution.checkpointing.interval: 1500 ms
execution.checkpointing.interval-during-backlog: 90 s
execution.checkpointing.local-backup.dirs: /mnt/a
execution.checkpointing.local-backup.enabled: true
execution.checkpointing.max-concurrent-checkpoints: 2
execution.checkpointing.min-pause: 5 ms
execution.checkpointing.mode: AT_LEAST_ONCE
execution.checkpointing.num-retained: 4
execution.checkpointing.savepoint-dir: file:///data/savepoints
execution.checkpointing.timeout: 1 h
execution.checkpointing.tolerable-failed-checkpoints: 3
execution.checkpointing.unaligned.enabled: true
execution.checkpointing.unaligned.forced: true
execution.checkpointing.unaligned.interruptible-timers.enabled: true
execution.checkpointing.unaligned.max-subtasks-per-channel-state-file: 6
execution.checkpointing.write-buffer-size: 9000
execution.state-recovery.approximate-local-recovery: true
execution.state-recovery.claim-mode: CLAIM
execution.state-recovery.from-local: true
execution.state-recovery.ignore-unclaimed-state: true
execution.state-recovery.path: /data/chk-12
execution.state-recovery.without-channel-state.checkpoint-id: 13
web.checkpoints.history: 14
"
    );
    for option in OPTIONS {
        // The kind of storage has no setter: a program sets the storage itself.
        let has_setter = option.key() != "execution.checkpointing.storage";
        assert_eq!(written.get(option.key()).is_some(), has_setter, "{}", option.key());
        if has_setter {
            assert_ne!(written.get(option.key()), option.default().as_deref(), "{}", option.key());
        }
    }
}

#[test]
fn the_other_names_of_a_setter_do_the_same() {
    let [delete, retain, none] = ExternalizedCheckpointRetention::ALL;
    let mut config = CheckpointConfig::default();
    assert_eq!(config.enable_externalized_checkpoints(delete).externalized_checkpoint_retention(), delete);
    assert_eq!(
        config.set_externalized_checkpoint_cleanup(retain).externalized_checkpoint_retention(),
        retain
    );
    assert!(!config.set_externalized_checkpoint_cleanup(none).is_externalized_checkpoints_enabled());

    config.enable_unaligned_checkpoints().disable_unaligned_checkpoints();
    assert!(!config.is_unaligned_checkpoints_enabled());
    config.set_checkpoint_interval(Duration::from_secs(1)).unwrap().disable_checkpointing();
    assert_eq!((config.is_checkpointing_enabled(), config.checkpoint_interval()), (false, None));

    // Only the first call is heard, and none once the number was set.
    config.set_fail_on_checkpointing_errors(false).set_fail_on_checkpointing_errors(true);
    let unlimited = CheckpointConfig::UNLIMITED_TOLERABLE_FAILURE_NUMBER;
    assert_eq!(config.tolerable_checkpoint_failure_number(), unlimited);
    config.set_tolerable_checkpoint_failure_number(2).set_fail_on_checkpointing_errors(true);
    assert_eq!(config.tolerable_checkpoint_failure_number(), 2);
    assert!(!config.is_fail_on_checkpointing_errors());
}

#[test]
fn what_is_too_large_is_the_largest() {
    let mut config = CheckpointConfig::default();
    config
        .set_max_concurrent_checkpoints(NonZeroU32::MAX)
        .set_num_retained_checkpoints(NonZeroU32::MAX)
        .set_max_subtasks_per_channel_state_file(NonZeroU32::MAX)
        .set_file_merging_max_subtasks_per_file(NonZeroU32::MAX)
        .set_tolerable_checkpoint_failure_number(u32::MAX)
        .set_checkpoints_history_size(u32::MAX)
        .set_write_buffer_size(u32::MAX);
    let options = config.to_options();
    assert_eq!(options.len(), 7);
    for (key, value) in options.iter() {
        assert_eq!(value, i32::MAX.to_string(), "{key}");
    }
    config.set_file_merging_max_file_size(u64::MAX);
    assert_eq!(config.file_merging_max_file_size(), i64::MAX.unsigned_abs());
    config.set_checkpoint_id_of_ignored_in_flight_data(Some(CheckpointId::new(u64::MAX)));
    assert_eq!(
        config.checkpoint_id_of_ignored_in_flight_data(),
        Some(CheckpointId::new(i64::MAX.unsigned_abs()))
    );
}
