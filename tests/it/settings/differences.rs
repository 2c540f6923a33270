//! What the settings deliberately do otherwise than Flink's, by the names in `docs/from-flink.md`.

use super::{config, effective};
use std::num::NonZeroU32;
use stillframe::builtin_storages;
use stillframe::config::{
    Adjustment, BarrierPolicy, CheckpointConfig, CheckpointingMode, ConfigErrors, GraphDescription, Options,
};
use stillframe::model::{
    CheckpointId, FileSystemDescriptor, JobManagerDescriptor, OptionValue, StorageDescriptor, StoragePath,
};
use stillframe::prelude::{Duration, KeyHash};
use stillframe::storage::ErrorKind;

fn from_options(settings: &[(&str, &str)]) -> Result<CheckpointConfig, ConfigErrors> {
    CheckpointConfig::from_options(&settings.iter().copied().collect()).map(|(config, _)| config)
}

/// The settings that are refused, by key.
fn refused(settings: &[(&str, &str)]) -> Vec<String> {
    match from_options(settings) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(|error| error.option().to_owned()).collect(),
    }
}

fn path(text: &str) -> StoragePath {
    StoragePath::parse(text).expect("a good address")
}

#[test]
fn unsigned_types_negative_values_exist_in_texts_only_and_are_refused_there() {
    for (key, value) in [
        ("execution.checkpointing.min-pause", "-1 ms"),
        ("execution.checkpointing.interval", "-1"),
        ("execution.checkpointing.timeout", "-10 s"),
        ("execution.checkpointing.aligned-checkpoint-timeout", "-1 ns"),
        ("execution.checkpointing.tolerable-failed-checkpoints", "-1"),
        ("execution.checkpointing.max-concurrent-checkpoints", "-1"),
        ("execution.checkpointing.data-inline-threshold", "-1"),
    ] {
        assert_eq!(refused(&[(key, value)]), [key], "{value}");
    }
}

#[test]
fn atomic_setters_what_is_refused_changes_nothing() {
    let before = config([("execution.checkpointing.dir", "file:///data/one")]);
    let mut config = before.clone();
    config.set_checkpoint_storage_dir("no-scheme").expect_err("it has no scheme");
    assert_eq!(config, before);
    config.set_checkpoint_timeout(Duration::from_millis(9)).expect_err("it is too short");
    assert_eq!(config, before);
    let options: Options =
        [("execution.checkpointing.mode", "AT_LEAST_ONCE"), ("execution.checkpointing.timeout", "9 ms")]
            .into_iter()
            .collect();
    config.configure(&options).expect_err("the timeout is too short");
    assert_eq!(config, before, "the mode was not the trouble, and is not kept either");
}

#[test]
fn refused_when_read_a_bad_value_is_not_carried_along() {
    for (key, value) in [
        ("execution.checkpointing.num-retained", "many"),
        ("execution.checkpointing.data-inline-threshold", "1 parsec"),
        ("execution.checkpointing.file-merging.enabled", "perhaps"),
        ("web.checkpoints.history", ""),
    ] {
        assert_eq!(refused(&[(key, value)]), [key], "{value}");
    }
}

#[test]
fn every_value_can_be_written_however_long() {
    for timeout in [Duration::MAX, Duration::new(i64::MAX.unsigned_abs(), 0), Duration::from_secs(1 << 40)] {
        let mut config = CheckpointConfig::default();
        config.set_alignment_timeout(timeout);
        config.set_checkpoint_timeout(timeout).expect("it is long enough");
        let written = config.to_options();
        let (read, _) = CheckpointConfig::from_options(&written).expect("what is written can be read");
        assert_eq!(read, config, "{written:?}");
    }
}

#[test]
fn todays_keys_are_written_for_what_was_read_under_older_ones() {
    let options: Options =
        [("state.checkpoints.dir", "file:///data"), ("execution.checkpointing.unaligned", "true")]
            .into_iter()
            .collect();
    let (config, report) = CheckpointConfig::from_options(&options).expect("old keys are read");
    let written = config.to_options();
    assert_eq!(
        written.iter().collect::<Vec<_>>(),
        [
            ("execution.checkpointing.dir", "file:///data"),
            ("execution.checkpointing.unaligned.enabled", "true")
        ]
    );
    assert_eq!(
        report.renamed,
        [
            ("execution.checkpointing.unaligned", "execution.checkpointing.unaligned.enabled"),
            ("state.checkpoints.dir", "execution.checkpointing.dir")
        ]
    );
}

#[test]
fn one_text_per_value_however_it_was_typed() {
    let typed = [
        ("execution.checkpointing.aligned-checkpoint-timeout", "10sec"),
        ("execution.checkpointing.data-inline-threshold", "20480"),
        ("execution.checkpointing.force", "TRUE"),
        ("execution.checkpointing.mode", "at_least_once"),
    ];
    let written = config(typed).to_options();
    let texts = written.iter().map(|(_, text)| text).collect::<Vec<_>>();
    assert_eq!(texts, ["10 s", "20 kb", "true", "AT_LEAST_ONCE"]);
}

#[test]
fn unknown_keys_are_reported_and_not_kept() {
    let options: Options =
        [("parallelism.default", "4"), ("execution.checkpointing.intervall", "1 s")].into_iter().collect();
    let (config, report) = CheckpointConfig::from_options(&options).expect("they are not ours to refuse");
    assert_eq!(config, CheckpointConfig::default());
    let unknown = report.unknown.iter().map(|key| (key.key(), key.nearest())).collect::<Vec<_>>();
    assert_eq!(
        unknown,
        [
            ("execution.checkpointing.intervall", Some("execution.checkpointing.interval")),
            ("parallelism.default", None)
        ]
    );
}

#[test]
fn interval_raised_in_config_and_the_pause_capped() {
    let year = Duration::from_secs(365 * 86_400);
    let config = config([
        ("execution.checkpointing.interval", "1 s"),
        ("execution.checkpointing.min-pause", "1000 d"),
    ]);
    let resolved = config.resolve(&GraphDescription::default()).expect("no rule is broken");
    let schedule = resolved.effective.schedule;
    assert_eq!((schedule.interval, schedule.min_pause), (Some(year), year));
    let (second, asked) = (Duration::from_secs(1), Duration::from_secs(1_000 * 86_400));
    assert_eq!(
        resolved.adjustments,
        [
            Adjustment::MinPauseCapped { asked, effective: year },
            Adjustment::IntervalRaised { asked: second, effective: year }
        ]
    );
}

#[test]
fn mode_while_disabled_barriers_follow_the_mode() {
    let mut config = CheckpointConfig::default();
    assert!(!config.is_checkpointing_enabled());
    assert_eq!(effective(&config).barriers.policy, BarrierPolicy::Align);
    config.set_checkpointing_mode(CheckpointingMode::AtLeastOnce);
    assert_eq!(effective(&config).barriers.policy, BarrierPolicy::Track);
}

#[test]
fn one_configuration_completes_a_storage_set_by_the_program() {
    let mut config = config([
        ("execution.checkpointing.data-inline-threshold", "64 kb"),
        ("execution.checkpointing.savepoint-dir", "file:///data/savepoints"),
    ]);
    config.set_checkpoint_storage(FileSystemDescriptor::new(path("file:///data/checkpoints")));
    let storage = FileSystemDescriptor::try_from(effective(&config).storage).expect("it is one of files");
    assert_eq!(storage.min_file_size_threshold(), 64 * 1024);
    assert_eq!(storage.savepoint_path(), Some(&path("file:/data/savepoints")));

    let own = FileSystemDescriptor::new(path("file:///data/checkpoints")).with_min_file_size_threshold(7);
    config.set_checkpoint_storage(own.expect("it is small enough"));
    let storage = FileSystemDescriptor::try_from(effective(&config).storage).expect("it is one of files");
    assert_eq!(storage.min_file_size_threshold(), 7, "what the storage says itself goes first");
}

#[test]
fn storage_by_value_is_written_and_read_again() {
    let memory = JobManagerDescriptor::new().with_max_state_size(1 << 20).expect("it is not zero");
    let cards = StorageDescriptor::new("punched-cards").with("drawer", OptionValue::Text("7".into()));
    for storage in [memory.into(), cards] {
        let mut config = CheckpointConfig::default();
        config.set_checkpoint_storage(storage.clone());
        let written = config.to_options();
        assert!(written.iter().all(|(key, _)| key.starts_with("stillframe.storage.")), "{written:?}");
        let (read, report) = CheckpointConfig::from_options(&written).expect("what is written can be read");
        assert_eq!((read.checkpoint_storage(), report.unknown), (Some(&storage), vec![]));
    }
}

#[test]
fn storage_is_data_that_a_registry_makes_a_storage_of() {
    let mut config = CheckpointConfig::default();
    config.set_checkpoint_storage(JobManagerDescriptor::new());
    let descriptor = effective(&config).storage;
    let built = builtin_storages().build(&descriptor).expect("it is built in");
    assert_eq!(built.descriptor(), descriptor);
}

#[test]
fn no_class_names_a_kind_that_nobody_registered_is_unknown() {
    let name = "org.apache.flink.runtime.state.storage.FileSystemCheckpointStorageFactory";
    let storage = effective(&config([("execution.checkpointing.storage", name)])).storage;
    assert_eq!(storage.kind, name);
    let error = builtin_storages().build(&storage).expect_err("nobody registered it");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("known kinds: filesystem, jobmanager"), "{error}");
}

#[test]
fn null_is_none_wherever_there_may_be_nothing() {
    let mut config = CheckpointConfig::default();
    assert_eq!((config.checkpoint_interval(), config.checkpoint_storage()), (None, None));
    config.set_checkpoint_id_of_ignored_in_flight_data(Some(CheckpointId::new(3)));
    config.set_checkpoint_id_of_ignored_in_flight_data(None);
    assert_eq!(config.checkpoint_id_of_ignored_in_flight_data(), None);
    let memory = JobManagerDescriptor::new();
    assert_eq!((memory.checkpoint_path(), memory.savepoint_path()), (None, None));
}

#[test]
fn at_least_one_subtask_writes_into_a_file() {
    for key in [
        "execution.checkpointing.unaligned.max-subtasks-per-channel-state-file",
        "execution.checkpointing.file-merging.max-subtasks-per-file",
    ] {
        assert_eq!(refused(&[(key, "0")]), [key]);
        assert_eq!(refused(&[(key, "1")]), [""; 0]);
    }
}

#[test]
fn backlog_as_set_is_what_the_getter_says() {
    let backlog = |settings: &[(&str, &str)]| {
        from_options(settings).expect("the values are allowed").checkpoint_interval_during_backlog()
    };
    const INTERVAL: (&str, &str) = ("execution.checkpointing.interval", "10 s");
    const BACKLOG: &str = "execution.checkpointing.interval-during-backlog";
    assert_eq!(backlog(&[INTERVAL]), None);
    assert_eq!(backlog(&[INTERVAL, (BACKLOG, "0 ms")]), Some(Duration::ZERO));
    assert_eq!(backlog(&[INTERVAL, (BACKLOG, "5 s")]), Some(Duration::from_secs(5)));
    let config = config([INTERVAL, (BACKLOG, "5 s")]);
    let violations = config.resolve(&GraphDescription::default()).expect_err("it is too short");
    assert_eq!(violations.iter().map(|violation| violation.option()).collect::<Vec<_>>(), [BACKLOG]);
}

#[test]
fn none_retained_becomes_one_retained_and_is_reported() {
    for (text, asked) in [("0", 0), ("-3", -3)] {
        let resolved = config([("execution.checkpointing.num-retained", text)])
            .resolve(&GraphDescription::default())
            .expect("no rule is broken");
        assert_eq!(resolved.effective.retention.max_retained, NonZeroU32::MIN);
        assert_eq!(resolved.adjustments, [Adjustment::RetainedRaised { asked }]);
    }
}

#[test]
fn text_hashes_as_bytes_and_ascii_as_in_flink() {
    // What Java's `hashCode` gives.
    for (text, java) in [("", 0), ("a", 97), ("the", 114_801), ("quick", 107_947_501)] {
        assert_eq!(text.key_hash(), java, "{text}");
    }
    assert_ne!("\u{fc}n\u{ef}".key_hash(), 245_821, "two of its letters are more than one byte each");
    assert_eq!("\u{fc}n".key_hash(), b"\xc3\xbcn".key_hash());
}
