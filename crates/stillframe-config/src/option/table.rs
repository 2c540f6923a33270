//! The table of all options. Keys, older keys, types and defaults are those of Flink 1.20.

use super::Reader::{Pending, Read};
use super::{
    ConfigOption, Count, Directory, Finite, MaybeCheckpoint, MemorySize, Millis, Natural, StorageKind, Text,
    Value, options, put,
};
use crate::{CheckpointConfig, CheckpointingMode, ExternalizedCheckpointRetention, RecoveryClaimMode};
use core::time::Duration;

const UNALIGNED: &str = "unaligned checkpoints";
const LOCAL_BACKUP: &str = "local copies of state";
const FILE_MERGING: &str = "merging of state files";

options! {
    /// The time from one periodic trigger to the next; without it there are no periodic checkpoints.
    interval: Millis,
        "execution.checkpointing.interval", [], Read("schedule"), interval;
    /// The interval while a source works off a backlog, at least the normal interval, or 0 for no checkpoints then.
    interval_during_backlog: Millis,
        "execution.checkpointing.interval-during-backlog", [], Read("schedule"), interval_or_zero;
    /// What is guaranteed about each record when the job is restored.
    mode: CheckpointingMode = CheckpointConfig::DEFAULT_MODE,
        "execution.checkpointing.mode", [], Read("alignment");
    /// How long a checkpoint may take from its trigger until everything is durable.
    timeout: Millis = Millis::new(CheckpointConfig::DEFAULT_TIMEOUT.as_secs() * 1_000),
        "execution.checkpointing.timeout", [], Read("expiry"), interval;
    /// The least time between the completion of a checkpoint and the next periodic trigger.
    min_pause: Millis = Millis::new(CheckpointConfig::DEFAULT_MIN_PAUSE_BETWEEN_CHECKPOINTS.as_secs() * 1_000),
        "execution.checkpointing.min-pause", [], Read("requests");
    /// How many checkpoints may be in progress at once.
    max_concurrent: Count = Count::new(CheckpointConfig::DEFAULT_MAX_CONCURRENT_CHECKPOINTS.get()),
        "execution.checkpointing.max-concurrent-checkpoints", [], Read("requests");
    /// How many checkpoints may fail in a row before the job does; 2147483647 is any number.
    tolerable_failures: Natural = Natural::new(0),
        "execution.checkpointing.tolerable-failed-checkpoints", [], Read("failure counting");
    /// What becomes of the job's checkpoints when the job is cancelled or fails.
    retention: ExternalizedCheckpointRetention = ExternalizedCheckpointRetention::NoExternalizedCheckpoints,
        "execution.checkpointing.externalized-checkpoint-retention", [], Read("retention");
    /// How many completed checkpoints are kept while the job runs.
    num_retained: i32 = 1,
        "execution.checkpointing.num-retained", ["state.checkpoints.num-retained"], Read("retention");
    /// Whether checkpoints also complete after some tasks have finished.
    after_tasks_finish: bool = true,
        "execution.checkpointing.checkpoints-after-tasks-finish",
        ["execution.checkpointing.checkpoints-after-tasks-finish.enabled"], Read("plan");
    /// Whether a job whose graph has cycles may be checkpointed, although records in the cycles can be lost.
    force: bool = false,
        "execution.checkpointing.force", [], Read("resolve");

    /// Whether barriers may overtake records, which are then part of the checkpoint.
    unaligned: bool = false,
        "execution.checkpointing.unaligned.enabled", ["execution.checkpointing.unaligned"], Pending(UNALIGNED);
    /// How long an unaligned checkpoint first tries to align.
    alignment_timeout: Duration = Duration::ZERO,
        "execution.checkpointing.aligned-checkpoint-timeout", ["execution.checkpointing.alignment-timeout"],
        Pending(UNALIGNED);
    /// Whether unaligned checkpoints are allowed where a graph does not support them.
    force_unaligned: bool = false,
        "execution.checkpointing.unaligned.forced", [], Read("resolve");
    /// Whether the firing of timers may be interrupted by a barrier.
    interruptible_timers: bool = false,
        "execution.checkpointing.unaligned.interruptible-timers.enabled", [], Pending(UNALIGNED);
    /// How many subtasks share one file of records that barriers have overtaken.
    max_subtasks_per_channel_state_file: Count = Count::new(5),
        "execution.checkpointing.unaligned.max-subtasks-per-channel-state-file", [], Pending(UNALIGNED);

    /// The kind of storage: jobmanager, filesystem, or a kind that the program has registered.
    storage: StorageKind,
        "execution.checkpointing.storage", ["state.checkpoint-storage"], Read("resolve");
    /// The directory for checkpoints.
    dir: Directory,
        "execution.checkpointing.dir", ["state.checkpoints.dir", "state.backend.fs.checkpointdir"], Read("storage");
    /// The directory for savepoints whose request names none.
    savepoint_dir: Directory,
        "execution.checkpointing.savepoint-dir", ["state.savepoints.dir", "savepoints.state.backend.fs.dir"],
        Read("storage");
    /// Whether the directory for checkpoints has a directory of its own for each job.
    create_subdir: bool = true,
        "execution.checkpointing.create-subdir", ["state.checkpoints.create-subdir"],
        Pending("checkpoints without a directory for each job");
    /// Up to which size state goes into the metadata instead of a file, at most 1 mb.
    inline_threshold: MemorySize = MemorySize::new(20 * 1024),
        "execution.checkpointing.data-inline-threshold",
        ["state.storage.fs.memory-threshold", "state.backend.fs.memory-threshold"], Read("storage");
    /// How many bytes of a state file are gathered before they are written, at least the inline threshold.
    write_buffer: i32 = 4096,
        "execution.checkpointing.write-buffer-size",
        ["state.storage.fs.write-buffer-size", "state.backend.fs.write-buffer-size"], Read("storage");
    /// Whether several checkpoints are removed at the same time.
    parallel_cleaner: bool = true,
        "execution.checkpointing.cleaner.parallel-mode", ["state.checkpoint.cleaner.parallel-mode"],
        Read("cleaner");
    /// Whether a checkpoint refers to files of earlier ones instead of writing everything again.
    incremental: bool = false,
        "execution.checkpointing.incremental", ["state.backend.incremental"], Read("snapshots");
    /// Whether workers keep a copy of their state on their own disk.
    local_backup: bool = false,
        "execution.checkpointing.local-backup.enabled",
        ["execution.state-recovery.from-local", "state.backend.local-recovery"], Pending(LOCAL_BACKUP);
    /// Where workers keep these copies.
    local_backup_dirs: Text,
        "execution.checkpointing.local-backup.dirs", ["taskmanager.state.local.root-dirs"], Pending(LOCAL_BACKUP);
    /// Whether small files of state are merged into larger ones.
    file_merging: bool = false,
        "execution.checkpointing.file-merging.enabled", [], Pending(FILE_MERGING);
    /// Whether a merged file may hold state of several checkpoints.
    file_merging_across_checkpoints: bool = false,
        "execution.checkpointing.file-merging.across-checkpoint-boundary", [], Pending(FILE_MERGING);
    /// How large a merged file may become.
    file_merging_max_file_size: MemorySize = MemorySize::new(32 * 1024 * 1024),
        "execution.checkpointing.file-merging.max-file-size", [], Pending(FILE_MERGING);
    /// Whether a writer waits when all merged files are in use.
    file_merging_pool_blocking: bool = false,
        "execution.checkpointing.file-merging.pool-blocking", [], Pending(FILE_MERGING);
    /// How many subtasks share one merged file.
    file_merging_max_subtasks: Count = Count::new(4),
        "execution.checkpointing.file-merging.max-subtasks-per-file", [], Pending(FILE_MERGING);
    /// How many times the size of the live state the merged files may take before live state is copied out of them.
    file_merging_space_amplification: Finite = Finite::TWO,
        "execution.checkpointing.file-merging.max-space-amplification", [], Pending(FILE_MERGING);

    /// The checkpoint or savepoint that a new job begins with.
    recovery_path: Text,
        "execution.state-recovery.path", ["execution.savepoint.path"], Read("restore");
    /// Whether state of the snapshot that no operator claims is left out instead of refused.
    ignore_unclaimed_state: bool = false,
        "execution.state-recovery.ignore-unclaimed-state", ["execution.savepoint.ignore-unclaimed-state"],
        Read("restore");
    /// Who owns the snapshot that the job begins with.
    claim_mode: RecoveryClaimMode = RecoveryClaimMode::NoClaim,
        "execution.state-recovery.claim-mode", ["execution.savepoint-restore-mode"], Read("restore");
    /// Whether workers restore from the copies on their own disk.
    local_recovery: bool = false,
        "execution.state-recovery.from-local", ["state.backend.local-recovery"], Pending(LOCAL_BACKUP);
    /// Whether a failed task alone is restored, without its state.
    approximate_local_recovery: bool = false,
        "execution.state-recovery.approximate-local-recovery", ["execution.checkpointing.approximate-local-recovery"],
        Pending(LOCAL_BACKUP);
    /// The checkpoint of which overtaken records are not restored; -1 for none.
    ignored_in_flight_data: MaybeCheckpoint = MaybeCheckpoint::NONE,
        "execution.state-recovery.without-channel-state.checkpoint-id",
        ["execution.checkpointing.recover-without-channel-state.checkpoint-id"], Pending(UNALIGNED);
    /// How many of the last checkpoints the statistics remember.
    history: Natural = Natural::new(10),
        "web.checkpoints.history", ["jobmanager.web.checkpoints.history"], Read("statistics");
}

/// The shortest interval and the shortest timeout.
const SHORTEST: Millis = Millis::new(10);

pub(crate) fn interval(millis: &Millis) -> Result<(), &'static str> {
    if *millis < SHORTEST { Err("10 ms or more") } else { Ok(()) }
}

pub(crate) fn interval_or_zero(millis: &Millis) -> Result<(), &'static str> {
    if *millis == Millis::new(0) { Ok(()) } else { interval(millis).map_err(|_| "0 ms, or 10 ms or more") }
}
