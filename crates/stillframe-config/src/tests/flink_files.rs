//! Configurations as clusters have them. What is ours applies, whatever its age; the rest is reported, not swallowed.

use crate::{
    CheckpointConfig, CheckpointingMode, ExternalizedCheckpointRetention, GraphDescription, Options, Report,
};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;
use stillframe_model::{FileSystemDescriptor, StoragePath};

/// A `flink-conf.yaml` that has grown since Flink 1.10.
const LEGACY: &str = "\
# Cluster `orders`, managed by hand.
################################################################################

jobmanager.rpc.address: jm.orders.internal
jobmanager.rpc.port: 6123
jobmanager.memory.process.size: 1600m
taskmanager.memory.process.size: 4gb    # was 2gb
taskmanager.numberOfTaskSlots: 4
parallelism.default: 8
env.java.opts.all: --add-opens=java.base/java.util=ALL-UNNAMED -Dlog.level=INFO

#==============================================================================
# State and checkpoints
#==============================================================================

state.backend: rocksdb
state.backend.incremental: true
state.backend.local-recovery: true
state.checkpoint-storage: filesystem
state.checkpoints.dir: hdfs://namenode:8020//flink/checkpoints/
state.savepoints.dir: hdfs://namenode:8020/flink/savepoints
state.checkpoints.num-retained: 3
state.storage.fs.memory-threshold: 40 kb
taskmanager.state.local.root-dirs: /mnt/a,/mnt/b

execution.checkpointing.interval: 3min
execution.checkpointing.min-pause: 1 min
execution.checkpointing.timeout: 1200000
execution.checkpointing.mode: exactly_once
execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION
execution.checkpointing.tolerable-failed-checkpoints: 3
execution.checkpointing.unaligned: true
execution.checkpointing.alignment-timeout: 30 s
# execution.checkpointing.max-concurrent-checkpoints: 2
jobmanager.web.checkpoints.history: 50

high-availability.type: zookeeper
high-availability.zookeeper.quorum: \"zk-1:2181,zk-2:2181\"
metrics.reporter.prom.port: 9250-9260
";

#[test]
fn a_legacy_file_works_unchanged() {
    let options = Options::parse(LEGACY).unwrap();
    let (config, report) = CheckpointConfig::from_options(&options).unwrap();

    let dir = StoragePath::parse("hdfs://namenode:8020/flink/checkpoints").unwrap();
    let savepoints = StoragePath::parse("hdfs://namenode:8020/flink/savepoints").unwrap();
    assert_eq!(config.checkpoint_interval(), Some(Duration::from_secs(180)));
    assert_eq!(config.min_pause_between_checkpoints(), Duration::from_secs(60));
    assert_eq!(config.checkpoint_timeout(), Duration::from_secs(1_200));
    assert_eq!(config.checkpointing_mode(), CheckpointingMode::ExactlyOnce);
    assert_eq!(
        config.externalized_checkpoint_retention(),
        ExternalizedCheckpointRetention::RetainOnCancellation
    );
    assert_eq!(config.tolerable_checkpoint_failure_number(), 3);
    assert!(config.is_unaligned_checkpoints_enabled());
    assert_eq!(config.alignment_timeout(), Duration::from_secs(30));
    assert_eq!(config.max_concurrent_checkpoints(), CheckpointConfig::DEFAULT_MAX_CONCURRENT_CHECKPOINTS);
    assert_eq!(config.num_retained_checkpoints().get(), 3);
    assert_eq!(config.data_inline_threshold(), 40 * 1024);
    assert_eq!(config.checkpoint_storage_dir(), Some(&dir));
    assert_eq!(config.savepoint_dir(), Some(&savepoints));
    assert!(config.is_incremental_checkpoints_enabled());
    assert!(config.is_local_backup_enabled() && config.is_local_recovery_enabled());
    assert_eq!(config.local_backup_dirs(), Some("/mnt/a,/mnt/b"));
    assert_eq!(config.checkpoints_history_size(), 50);

    let unknown: Vec<&str> = report.unknown.iter().map(|key| key.key()).collect();
    assert_eq!(
        unknown,
        [
            "env.java.opts.all",
            "high-availability.type",
            "high-availability.zookeeper.quorum",
            "jobmanager.memory.process.size",
            "jobmanager.rpc.address",
            "jobmanager.rpc.port",
            "metrics.reporter.prom.port",
            "parallelism.default",
            "state.backend",
            "taskmanager.memory.process.size",
            "taskmanager.numberOfTaskSlots",
        ]
    );
    let renamed: Vec<&str> = report.renamed.iter().map(|(old, _)| *old).collect();
    assert_eq!(
        renamed,
        [
            "state.checkpoints.num-retained",
            "execution.checkpointing.unaligned",
            "execution.checkpointing.alignment-timeout",
            "state.checkpoint-storage",
            "state.checkpoints.dir",
            "state.savepoints.dir",
            "state.storage.fs.memory-threshold",
            "state.backend.incremental",
            "state.backend.local-recovery",
            "taskmanager.state.local.root-dirs",
            "state.backend.local-recovery",
            "jobmanager.web.checkpoints.history",
        ]
    );
    // None of the others was meant for us.
    assert!(report.deny_unknown().is_ok());

    let resolved = config.resolve(&GraphDescription::default()).unwrap();
    let files = FileSystemDescriptor::try_from(&resolved.effective.storage).unwrap();
    assert_eq!((files.checkpoint_path(), files.savepoint_path()), (&dir, Some(&savepoints)));
    assert_eq!(files.min_file_size_threshold(), 40 * 1024);
}

#[test]
fn what_applies_of_a_legacy_file_is_written_under_todays_keys() {
    let (config, _) = CheckpointConfig::from_options(&Options::parse(LEGACY).unwrap()).unwrap();
    assert_eq!(
        config.to_options().to_flink_conf(),
        "\
execution.checkpointing.aligned-checkpoint-timeout: 30 s
execution.checkpointing.data-inline-threshold: 40 kb
execution.checkpointing.dir: hdfs://namenode:8020//flink/checkpoints/
execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION
execution.checkpointing.incremental: true
execution.checkpointing.interval: 3 min
execution.checkpointing.local-backup.dirs: \"/mnt/a,/mnt/b\"
execution.checkpointing.local-backup.enabled: true
execution.checkpointing.min-pause: 1 min
execution.checkpointing.mode: EXACTLY_ONCE
execution.checkpointing.num-retained: 3
execution.checkpointing.savepoint-dir: hdfs://namenode:8020/flink/savepoints
execution.checkpointing.storage: filesystem
execution.checkpointing.timeout: 20 min
execution.checkpointing.tolerable-failed-checkpoints: 3
execution.checkpointing.unaligned.enabled: true
execution.state-recovery.from-local: true
web.checkpoints.history: 50
"
    );
}

#[test]
fn a_mistyped_key_of_ours_is_not_swallowed() {
    let read = |line: &str| -> Report {
        let text = [LEGACY, line].concat();
        CheckpointConfig::from_options(&Options::parse(&text).unwrap()).unwrap().1
    };
    for (line, message) in [
        (
            "execution.checkpointing.min-pauze: 1 s",
            "\"execution.checkpointing.min-pauze\": unknown key (did you mean execution.checkpointing.min-pause?)",
        ),
        (
            "state.savepoint.dir: file:///x",
            "\"state.savepoint.dir\": unknown key (did you mean state.savepoints.dir?)",
        ),
        (
            "execution.checkpointing.snapshot-compression: true",
            "\"execution.checkpointing.snapshot-compression\": unknown key (not a setting of checkpointing)",
        ),
    ] {
        assert_eq!(read(line).deny_unknown().unwrap_err().to_string(), message);
    }
    assert!(read("taskmanager.host: tm").deny_unknown().is_ok());
}

/// A `config.yaml` of the shape in which Flink 1.20 comes, with what people put in.
const SHIPPED: &str = "\
# Licensed to whoever runs it.
################################################################################
env:
  java:
    opts:
      all: --add-exports=java.base/sun.net.util=ALL-UNNAMED --add-opens=java.base/java.util=ALL-UNNAMED

#==============================================================================
# Common
#==============================================================================

jobmanager:
  # Where workers find it.
  bind-host: localhost
  rpc:
    address: localhost
    # The port.
    port: 6123
  memory:
    process:
      size: 1600m
  execution:
    failover-strategy: region

taskmanager:
  bind-host: localhost
  numberOfTaskSlots: 1
  memory:
    process:
      size: 1728m

parallelism:
  # The parallelism of programs that set none.
  default: 1

# high-availability:
#   type: zookeeper

execution:
  checkpointing:
    interval: 3min
    externalized-checkpoint-retention: RETAIN_ON_CANCELLATION  # or [DELETE_ON_CANCELLATION]
    max-concurrent-checkpoints: 1
    min-pause: 0s
    mode: 'EXACTLY_ONCE'
    timeout: \"10min\"
    tolerable-failed-checkpoints: 0
    unaligned:
      enabled: true
    # incremental: true
state:
  backend:
    type: hashmap
    incremental: false
  checkpoints:
      dir: hdfs://namenode:8020/flink/checkpoints

rest:
  address: localhost
  # port: 8081
classloader:
  parent-first-patterns:
    additional:
    - org.example.
    - 'com.example.'
io:
  tmp:
    dirs: |
      /mnt/a
      /mnt/b
security:
  kerberos:
    login:
      contexts: [Client, KafkaClient]
metrics:
  reporters:
";

#[test]
fn the_file_that_flink_comes_with_is_read() {
    let options = Options::parse(SHIPPED).unwrap();
    let (config, report) = CheckpointConfig::from_options(&options).unwrap();
    assert_eq!(config.checkpoint_interval(), Some(Duration::from_secs(180)));
    assert_eq!(config.checkpoint_timeout(), Duration::from_secs(600));
    assert_eq!(
        config.externalized_checkpoint_retention(),
        ExternalizedCheckpointRetention::RetainOnCancellation
    );
    assert!(config.is_unaligned_checkpoints_enabled() && !config.is_incremental_checkpoints_enabled());
    let dir = StoragePath::parse("hdfs://namenode:8020/flink/checkpoints").unwrap();
    assert_eq!(config.checkpoint_storage_dir(), Some(&dir));
    let unknown: Vec<(&str, Option<&str>)> =
        report.unknown.iter().map(|key| (key.key(), options.get(key.key()))).collect();
    assert_eq!(
        unknown,
        [
            ("classloader.parent-first-patterns.additional", Some("org.example.;com.example.")),
            (
                "env.java.opts.all",
                Some(
                    "--add-exports=java.base/sun.net.util=ALL-UNNAMED --add-opens=java.base/java.util=ALL-UNNAMED"
                )
            ),
            ("io.tmp.dirs", Some("/mnt/a\n/mnt/b")),
            ("jobmanager.bind-host", Some("localhost")),
            ("jobmanager.execution.failover-strategy", Some("region")),
            ("jobmanager.memory.process.size", Some("1600m")),
            ("jobmanager.rpc.address", Some("localhost")),
            ("jobmanager.rpc.port", Some("6123")),
            ("metrics.reporters", Some("")),
            ("parallelism.default", Some("1")),
            ("rest.address", Some("localhost")),
            ("security.kerberos.login.contexts", Some("[Client, KafkaClient]")),
            ("state.backend.type", Some("hashmap")),
            ("taskmanager.bind-host", Some("localhost")),
            ("taskmanager.memory.process.size", Some("1728m")),
            ("taskmanager.numberOfTaskSlots", Some("1")),
        ]
    );
    assert!(report.deny_unknown().is_ok());
    assert_eq!(Options::parse(&options.to_flink_conf()), Ok(options.clone()));
    assert_eq!(Options::parse(&options.to_toml()), Ok(options));
}

/// A setting of ours without a value is a mistake, unlike somebody else's; and so is one that is there twice.
#[test]
fn what_is_left_open_for_somebody_else_is_not_for_a_setting_of_ours() {
    let read = |line: &str| Options::parse(&[LEGACY, line].concat());
    assert!(read("parallelism.default: 9").is_ok());
    let error = read("execution.checkpointing.interval: 4 min").unwrap_err().to_string();
    assert!(
        error.contains("\"execution.checkpointing.interval\", which was already set in line 26"),
        "{error}"
    );
    let options = read("execution.checkpointing.force:").unwrap();
    let errors = CheckpointConfig::from_options(&options).unwrap_err().to_string();
    assert!(errors.starts_with("execution.checkpointing.force: "), "{errors}");
}

/// The same cluster as a nested file, as Flink 2 has it. `unaligned` and `unaligned.enabled` cannot both be there.
#[cfg(feature = "serde")]
const NESTED: &str = r#"
parallelism.default = 8

[jobmanager]
rpc = { address = "jm.orders.internal", port = 6123 }

[taskmanager]
numberOfTaskSlots = 4
memory.process.size = "4gb"

[execution.checkpointing]
interval = "3min"
min-pause = "1 min"
timeout = 1200000
mode = "exactly_once"
externalized-checkpoint-retention = "RETAIN_ON_CANCELLATION"
tolerable-failed-checkpoints = 3
aligned-checkpoint-timeout = "30 s"
num-retained = 3
incremental = true
storage = "filesystem"
dir = "hdfs://namenode:8020//flink/checkpoints/"
savepoint-dir = "hdfs://namenode:8020/flink/savepoints"
data-inline-threshold = "40 kb"
unaligned.enabled = true
local-backup = { enabled = true, dirs = "/mnt/a,/mnt/b" }

[execution.state-recovery]
from-local = true

[web.checkpoints]
history = 50
"#;

#[cfg(feature = "serde")]
#[test]
fn a_nested_file_reads_as_the_flat_one() {
    let options: Options = toml::from_str(NESTED).unwrap();
    let (config, report) = CheckpointConfig::from_options(&options).unwrap();
    let (legacy, _) = CheckpointConfig::from_options(&Options::parse(LEGACY).unwrap()).unwrap();
    assert_eq!(config, legacy);
    let unknown: Vec<&str> = report.unknown.iter().map(|key| key.key()).collect();
    assert_eq!(
        unknown,
        [
            "jobmanager.rpc.address",
            "jobmanager.rpc.port",
            "parallelism.default",
            "taskmanager.memory.process.size",
            "taskmanager.numberOfTaskSlots",
        ]
    );
    assert!(report.renamed.is_empty() && report.deny_unknown().is_ok());
    let without_a_library = Options::parse(NESTED).unwrap();
    assert_eq!(without_a_library.get("execution.checkpointing.min-pause"), Some("1 min"));

    // The same table out of JSON, which is also YAML.
    let json = serde_json::to_string(&toml::from_str::<toml::Table>(NESTED).unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<Options>(&json).unwrap(), options);

    let mistyped = NESTED.replace("min-pause", "min-pauses");
    let (_, report) = CheckpointConfig::from_options(&toml::from_str(&mistyped).unwrap()).unwrap();
    let error = report.deny_unknown().unwrap_err();
    assert_eq!(
        (error.key(), error.nearest()),
        ("execution.checkpointing.min-pauses", Some("execution.checkpointing.min-pause"))
    );
}
