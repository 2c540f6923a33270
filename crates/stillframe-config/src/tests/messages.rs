//! What somebody reads whose setting was refused: the key, what was wrong, what is allowed. And what nobody reads.

use crate::{CheckpointConfig, ConfigError, GraphDescription, Options};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use stillframe_model::{FileSystemDescriptor, StorageDescriptor, StoragePath};

#[test]
fn every_setter_that_refuses_says_why() {
    let nine = Duration::from_millis(9);
    let mut config = CheckpointConfig::default();
    let mut errors: Vec<ConfigError> = Vec::new();
    errors.extend(config.set_checkpoint_interval(nine).err());
    errors.extend(config.set_checkpoint_interval_during_backlog(nine).err());
    errors.extend(config.set_checkpoint_timeout(Duration::from_micros(1)).err());
    errors.extend(config.set_checkpoint_storage_dir("/tmp/x").err());
    errors.extend(config.set_savepoint_dir("file:///").err());
    errors.extend(config.set_data_inline_threshold(1024 * 1024 + 1).err());
    errors.extend(config.set_file_merging_max_space_amplification(f32::NAN).err());
    let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "execution.checkpointing.interval: 9 ms is not allowed (allowed: 10 ms or more)",
            "execution.checkpointing.interval-during-backlog: 9 ms is not allowed (allowed: 0 ms, or 10 ms or more)",
            "execution.checkpointing.timeout: 0 ms is not allowed (allowed: 10 ms or more)",
            "execution.checkpointing.dir: \"/tmp/x\", which has no scheme, is not allowed \
             (allowed: an address with a scheme, such as file:///data/checkpoints or s3://bucket/checkpoints)",
            "execution.checkpointing.savepoint-dir: \"file:///\", the root of a file system, is not allowed \
             (allowed: a directory below the root, such as file:///data/checkpoints or s3://bucket/checkpoints)",
            "execution.checkpointing.data-inline-threshold: 1048577 bytes is not allowed (allowed: 0 bytes to 1 mb)",
            "execution.checkpointing.file-merging.max-space-amplification: NaN is not allowed \
             (allowed: a number such as 2.0)",
        ]
    );
    assert_eq!(config, CheckpointConfig::default());
}

#[test]
fn all_that_is_wrong_with_a_configuration_is_said_at_once_and_nothing_of_it_applies() {
    let mut config = CheckpointConfig::default();
    config.set_checkpoints_history_size(3);
    let before = config.clone();
    let options: Options = [
        ("execution.checkpointing.timeout", "soon"),
        ("execution.checkpointing.interval", "10 s"),
        ("state.checkpoints.num-retained", "many"),
        ("execution.checkpointing.mode", "ONCE"),
        ("stillframe.storage.size.max-state-size", "1"),
    ]
    .into_iter()
    .collect();
    let errors = config.configure(&options).unwrap_err();
    let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "execution.checkpointing.mode: \"ONCE\" is not allowed (allowed: EXACTLY_ONCE or AT_LEAST_ONCE)",
            "execution.checkpointing.timeout: \"soon\" is not allowed (allowed: a whole number and one of ns, µs, ms, s, \
             min, h, d; a bare number is milliseconds)",
            "execution.checkpointing.num-retained: \"many\", set as state.checkpoints.num-retained, is not allowed \
             (allowed: a whole number between -2147483648 and 2147483647)",
            "stillframe.storage.kind: nothing beside stillframe.storage.size.max-state-size is not allowed \
             (allowed: the kind of the storage)",
        ]
    );
    assert_eq!(errors.to_string(), messages.join("; "));
    assert_eq!(config, before);
}

#[test]
fn no_password_is_shown() {
    let address = "s3://key:secret@bucket/x";
    let mut config = CheckpointConfig::default();
    config.set_checkpoint_storage_dir(address).unwrap().set_savepoint_dir(address).unwrap();
    let files = FileSystemDescriptor::new(StoragePath::parse(address).unwrap());
    config.set_recovery_path(address).set_savepoint_dir("https://host/x?sig=secret").unwrap();
    let mut shown = format!("{config:?} {:?}", config.resolve(&GraphDescription::default()));
    config.set_local_backup_dirs(address).set_checkpoint_storage(files);
    shown.push_str(&format!("{config:?} {:?}", config.to_options()));
    // The same where it is refused: no path, a size that is none, a kind that goes without it.
    shown.push_str(&config.set_savepoint_dir("s3://key:secret@bucket").unwrap_err().to_string());
    for (key, value) in [
        ("execution.checkpointing.dir", "s3://key:secret@bucket"),
        ("execution.checkpointing.interval", address),
        ("execution.checkpointing.mode", address),
    ] {
        let errors = config.configure(&[(key, value)].into_iter().collect()).unwrap_err();
        shown.push_str(&format!("{errors} {errors:?}"));
    }
    let broken = StorageDescriptor::new(StorageDescriptor::FILE_SYSTEM).with(
        StorageDescriptor::CHECKPOINTS_DIRECTORY,
        stillframe_model::OptionValue::Text("s3://key:secret@bucket".into()),
    );
    let violations = config.set_checkpoint_storage(broken).resolve(&GraphDescription::default()).unwrap_err();
    shown.push_str(&format!(
        "{violations} {violations:?} {}",
        Options::parse(&format!("{address}\n")).unwrap_err()
    ));
    assert!(shown.contains("***"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
    // Only where a file is written from it, which would not work otherwise.
    assert!(config.to_options().to_flink_conf().contains("key:secret@bucket"));
}
