//! Cases that the properties found once, or that are too rare to be found often.

use crate::{Adjustment, CheckpointConfig, GraphDescription, Options, Violation};
use alloc::vec::Vec;
use core::time::Duration;
use stillframe_model::{FileSystemDescriptor, JobManagerDescriptor, StorageDescriptor, StoragePath};

fn config(entries: &[(&str, &str)]) -> CheckpointConfig {
    CheckpointConfig::from_options(&entries.iter().copied().collect()).unwrap().0
}

/// Flink looks for the one under the key of the other; the oldest key is one of both.
#[test]
fn local_copies_are_kept_if_they_are_restored_from() {
    let backup = "execution.checkpointing.local-backup.enabled";
    let recovery = "execution.state-recovery.from-local";
    let both = "state.backend.local-recovery";
    for (entries, expected) in [
        (&[(recovery, "true")][..], (true, true)),
        (&[(backup, "true")], (true, false)),
        (&[(backup, "false"), (recovery, "true")], (false, true)),
        (&[(both, "true")], (true, true)),
        (&[(recovery, "false"), (both, "true")], (false, false)),
        (&[(backup, "false"), (both, "true")], (false, true)),
    ] {
        let config = config(entries);
        assert_eq!(
            (config.is_local_backup_enabled(), config.is_local_recovery_enabled()),
            expected,
            "{entries:?}"
        );
    }
    let options = config(&[(recovery, "true")]).to_options();
    assert_eq!(options, [(recovery, "true")].into_iter().collect());
    assert_eq!(
        config(&[(both, "true")]).to_options(),
        [(recovery, "true"), (backup, "true")].into_iter().collect()
    );
}

#[test]
fn the_longest_interval_is_none() {
    let mut config = CheckpointConfig::default();
    config.set_checkpoint_interval(Duration::from_secs(1)).unwrap();
    config.set_checkpoint_interval_during_backlog(Duration::MAX).unwrap();
    let schedule = config.resolve(&GraphDescription::default()).unwrap().effective.schedule;
    assert_eq!((schedule.interval, schedule.interval_during_backlog), (Some(Duration::from_secs(1)), None));
    config.set_checkpoint_interval(Duration::MAX).unwrap();
    let schedule = config.resolve(&GraphDescription::default()).unwrap().effective.schedule;
    assert_eq!((schedule.interval, schedule.interval_during_backlog), (None, None));
}

#[test]
fn a_buffer_below_the_threshold_is_raised_aloud_whoever_set_it() {
    let files = || FileSystemDescriptor::new(StoragePath::parse("file:///data").unwrap());
    let mut by_program = CheckpointConfig::default();
    by_program.set_checkpoint_storage(files().with_write_buffer_size(100));
    let mut by_option = CheckpointConfig::default();
    by_option.set_checkpoint_storage(files()).set_write_buffer_size(100);
    let mut by_nobody = CheckpointConfig::default();
    by_nobody.set_checkpoint_storage(files());
    for (config, is_said) in [(by_program, true), (by_option, true), (by_nobody, false)] {
        let resolved = config.resolve(&GraphDescription::default()).unwrap();
        let raised = Adjustment::WriteBufferRaised { asked: 100, effective: 20_480 };
        assert_eq!(resolved.adjustments.contains(&raised), is_said, "{:?}", resolved.adjustments);
        let files = FileSystemDescriptor::try_from(&resolved.effective.storage).unwrap();
        assert_eq!(files.write_buffer_size(), 20_480);
    }
}

#[test]
fn a_storage_set_by_value_survives_beside_options_that_say_otherwise() {
    let mut config = config(&[
        ("execution.checkpointing.dir", "file:///a"),
        ("execution.checkpointing.storage", "jobmanager"),
    ]);
    assert_eq!(config.checkpoint_storage(), None);
    for storage in [
        StorageDescriptor::new(""),
        FileSystemDescriptor::new(StoragePath::parse("file:///a").unwrap()).into(),
    ] {
        config.set_checkpoint_storage(storage.clone());
        let (read, _) = CheckpointConfig::from_options(&config.to_options()).unwrap();
        assert_eq!(read.checkpoint_storage(), Some(&storage));
        assert_eq!(read, config);
    }
}

#[test]
fn an_empty_key_is_a_key_if_it_is_in_quotes() {
    let options: Options = [("", "x")].into_iter().collect();
    assert_eq!(Options::parse("\"\": x"), Ok(options.clone()));
    assert_eq!(Options::parse(&options.to_toml()), Ok(options));
}

#[test]
fn times_are_cut_to_the_millisecond_and_never_rounded_up() {
    let mut config = CheckpointConfig::default();
    config.set_checkpoint_interval(Duration::from_nanos(10_999_999)).unwrap();
    config.set_min_pause_between_checkpoints(Duration::from_nanos(999_999));
    config.set_checkpoint_timeout(Duration::MAX).unwrap();
    assert_eq!(config.checkpoint_interval(), Some(Duration::from_millis(10)));
    assert_eq!(config.min_pause_between_checkpoints(), Duration::ZERO);
    assert_eq!(config.checkpoint_timeout(), Duration::from_millis(9_223_372_036_854_775_807));
    assert!(config.set_checkpoint_interval(Duration::from_nanos(9_999_999)).is_err());
    config.set_alignment_timeout(Duration::from_nanos(1_500_001));
    assert_eq!(config.alignment_timeout(), Duration::from_nanos(1_500_001));
}

/// A setter refuses it; what Flink reads from a file and then leaves out is no reason to refuse the file.
#[test]
fn an_inline_threshold_that_is_too_large_is_left_out_aloud() {
    let threshold = "execution.checkpointing.data-inline-threshold";
    for (text, asked) in [("1048577", 1_048_577), ("4 gb", 4 << 30)] {
        let config = config(&[("execution.checkpointing.dir", "file:///data"), (threshold, text)]);
        let resolved = config.resolve(&GraphDescription::default()).unwrap();
        assert_eq!(resolved.adjustments, [Adjustment::InlineThresholdIgnored { asked, effective: 20_480 }]);
        let files = FileSystemDescriptor::try_from(&resolved.effective.storage).unwrap();
        assert_eq!(files.min_file_size_threshold(), 20_480);
    }
}

#[test]
fn settings_of_another_storage_are_named() {
    let text = "execution.checkpointing.data-inline-threshold: 1 kb
execution.checkpointing.write-buffer-size: 5000
execution.checkpointing.dir: file:///c
execution.checkpointing.savepoint-dir: file:///s
execution.checkpointing.storage: filesystem";
    let options = Options::parse(text).unwrap();
    let unused = |storage: Option<StorageDescriptor>| {
        let (mut config, _) = CheckpointConfig::from_options(&options).unwrap();
        if let Some(storage) = storage {
            config.set_checkpoint_storage(storage);
        }
        let adjustments = config.resolve(&GraphDescription::default()).unwrap().adjustments;
        let is_unused = |adjustment: &Adjustment| matches!(adjustment, Adjustment::Unused { .. });
        adjustments.iter().filter(|a| is_unused(a)).map(Adjustment::option).collect::<Vec<_>>()
    };
    let [kind, dir, savepoint_dir, threshold, buffer] = [
        "execution.checkpointing.storage",
        "execution.checkpointing.dir",
        "execution.checkpointing.savepoint-dir",
        "execution.checkpointing.data-inline-threshold",
        "execution.checkpointing.write-buffer-size",
    ];
    assert_eq!(unused(None), [] as [&str; 0]);
    let files = FileSystemDescriptor::new(StoragePath::parse("file:/d").unwrap());
    assert_eq!(unused(Some(files.into())), [dir]);
    assert_eq!(unused(Some(JobManagerDescriptor::new().into())), [kind, threshold, buffer]);
    assert_eq!(unused(Some(StorageDescriptor::new("mine"))), [kind, dir, savepoint_dir, threshold, buffer]);
}

/// Flink compares the two settings as they are, before it decides that barriers stay aligned.
#[test]
fn approximate_recovery_and_unaligned_exclude_each_other_whatever_applies() {
    for more in [
        &[][..],
        &[("execution.checkpointing.mode", "AT_LEAST_ONCE"), ("execution.checkpointing.interval", "1 s")],
    ] {
        let both = [
            ("execution.checkpointing.unaligned.enabled", "true"),
            ("execution.state-recovery.approximate-local-recovery", "true"),
        ];
        let config = config(&[&both, more].concat());
        let violations = config.resolve(&GraphDescription::default()).unwrap_err();
        assert_eq!(violations.iter().collect::<Vec<_>>(), [&Violation::UnalignedApproximateRecovery]);
        assert!(config.resolve(&GraphDescription::default().with_batch(true)).is_ok());
    }
}

#[test]
fn the_longest_interval_is_none_and_says_so() {
    let config = config(&[("execution.checkpointing.interval", "9223372036854775807")]);
    let resolved = config.resolve(&GraphDescription::default()).unwrap();
    assert_eq!(resolved.effective.schedule.interval, None);
    assert_eq!(
        resolved.adjustments,
        [Adjustment::IntervalIsNever { option: "execution.checkpointing.interval" }]
    );
}

#[test]
fn a_buffer_below_zero_does_not_become_one_of_somebody_elses_storage() {
    let buffer = "execution.checkpointing.write-buffer-size";
    let config = config(&[("execution.checkpointing.storage", "mine"), (buffer, "-5")]);
    let resolved = config.resolve(&GraphDescription::default()).unwrap();
    assert_eq!(resolved.effective.storage, StorageDescriptor::new("mine"));
    assert_eq!(resolved.adjustments, [Adjustment::Unused { option: buffer }]);
}

#[test]
fn a_buffer_below_zero_is_raised_to_a_threshold_of_zero_and_says_so() {
    let (threshold, buffer) =
        ("execution.checkpointing.data-inline-threshold", "execution.checkpointing.write-buffer-size");
    let config = config(&[("execution.checkpointing.dir", "file:///data"), (threshold, "0"), (buffer, "-1")]);
    let adjustments = config.resolve(&GraphDescription::default()).unwrap().adjustments;
    assert_eq!(adjustments, [Adjustment::WriteBufferRaised { asked: -1, effective: 0 }]);
}
