//! Every way to change a config, as a value that a test can draw, print and repeat.

use super::texts;
use crate::{
    CheckpointConfig, CheckpointingMode, ConfigError, ExternalizedCheckpointRetention, Options,
    RecoveryClaimMode,
};
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Debug;
use core::num::NonZeroU32;
use core::time::Duration;
use proptest::prelude::*;
use proptest::strategy::Union;
use stillframe_model::{
    CheckpointId, FileSystemDescriptor, JobManagerDescriptor, OptionValue, StorageDescriptor, StoragePath,
};

/// An argument of a setter, with what is at the edges drawn often.
trait Argument: Clone + Debug + 'static {
    fn any() -> BoxedStrategy<Self>;
}

/// What a setter returns.
trait Answer {
    fn refusals(self) -> Result<(), Vec<ConfigError>>;
}

impl Answer for &mut CheckpointConfig {
    fn refusals(self) -> Result<(), Vec<ConfigError>> {
        Ok(())
    }
}

impl<T> Answer for Result<T, ConfigError> {
    fn refusals(self) -> Result<(), Vec<ConfigError>> {
        self.map(drop).map_err(|error| Vec::from([error]))
    }
}

macro_rules! calls {
    ($($name:ident($argument:ty) = $setter:expr;)+) => {
        /// A call of one setter, or of `configure`.
        #[derive(Clone, Debug)]
        pub(super) enum Call {
            $($name($argument),)+
            Configure(Vec<(String, String)>),
        }

        impl Call {
            /// Any of them.
            pub(super) fn any() -> BoxedStrategy<Self> {
                let setters = Union::new([$(<$argument>::any().prop_map(Self::$name).boxed()),+]);
                let configure = proptest::collection::vec(texts::entry(), 0..4).prop_map(Self::Configure);
                prop_oneof![4 => setters, 1 => configure].boxed()
            }

            /// Calls it.
            pub(super) fn apply(&self, config: &mut CheckpointConfig) -> Result<(), Vec<ConfigError>> {
                match self.clone() {
                    $(Self::$name(argument) => ($setter)(config, argument).refusals(),)+
                    Self::Configure(entries) => match config.configure(&entries.into_iter().collect::<Options>()) {
                        Ok(_) => Ok(()),
                        Err(errors) => Err(errors.iter().cloned().collect()),
                    },
                }
            }
        }
    };
}

calls! {
    Interval(Duration) = CheckpointConfig::set_checkpoint_interval;
    NoInterval(()) = |config: &mut CheckpointConfig, ()| { config.disable_checkpointing(); Ok(()) };
    IntervalDuringBacklog(Duration) = CheckpointConfig::set_checkpoint_interval_during_backlog;
    Timeout(Duration) = CheckpointConfig::set_checkpoint_timeout;
    MinPause(Duration) = CheckpointConfig::set_min_pause_between_checkpoints;
    MaxConcurrent(NonZeroU32) = CheckpointConfig::set_max_concurrent_checkpoints;
    AfterTasksFinish(bool) = CheckpointConfig::set_checkpoints_after_tasks_finish;
    Force(bool) = CheckpointConfig::set_force_checkpointing;
    History(u32) = CheckpointConfig::set_checkpoints_history_size;

    Mode(CheckpointingMode) = CheckpointConfig::set_checkpointing_mode;
    Unaligned(()) = |config: &mut CheckpointConfig, ()| { config.enable_unaligned_checkpoints(); Ok(()) };
    Aligned(()) = |config: &mut CheckpointConfig, ()| { config.disable_unaligned_checkpoints(); Ok(()) };
    AlignmentTimeout(Duration) = CheckpointConfig::set_alignment_timeout;
    ForceUnaligned(bool) = CheckpointConfig::set_force_unaligned_checkpoints;
    InterruptibleTimers(bool) = CheckpointConfig::set_unaligned_checkpoints_interruptible_timers;
    MaxSubtasksPerChannelStateFile(NonZeroU32) = CheckpointConfig::set_max_subtasks_per_channel_state_file;

    TolerableFailures(u32) = CheckpointConfig::set_tolerable_checkpoint_failure_number;
    FailOnErrors(bool) = CheckpointConfig::set_fail_on_checkpointing_errors;

    Retention(ExternalizedCheckpointRetention) = CheckpointConfig::set_externalized_checkpoint_retention;
    Cleanup(ExternalizedCheckpointRetention) = CheckpointConfig::set_externalized_checkpoint_cleanup;
    Externalized(ExternalizedCheckpointRetention) = CheckpointConfig::enable_externalized_checkpoints;
    NumRetained(NonZeroU32) = CheckpointConfig::set_num_retained_checkpoints;
    CleanerParallelMode(bool) = CheckpointConfig::set_cleaner_parallel_mode;

    Storage(StorageDescriptor) = CheckpointConfig::set_checkpoint_storage;
    StorageDir(String) =
        |config: &mut CheckpointConfig, dir: String| config.set_checkpoint_storage_dir(&dir).map(drop);
    SavepointDir(String) = |config: &mut CheckpointConfig, dir: String| config.set_savepoint_dir(&dir).map(drop);
    DataInlineThreshold(u32) = CheckpointConfig::set_data_inline_threshold;
    WriteBufferSize(u32) = CheckpointConfig::set_write_buffer_size;
    CreateSubdir(bool) = CheckpointConfig::set_create_subdir;

    Incremental(bool) = CheckpointConfig::set_incremental_checkpoints;
    LocalBackup(bool) = CheckpointConfig::set_local_backup;
    LocalBackupDirs(String) = CheckpointConfig::set_local_backup_dirs;
    FileMerging(bool) = CheckpointConfig::set_file_merging;
    FileMergingAcross(bool) = CheckpointConfig::set_file_merging_across_checkpoint_boundary;
    FileMergingMaxFileSize(u64) = CheckpointConfig::set_file_merging_max_file_size;
    FileMergingPoolBlocking(bool) = CheckpointConfig::set_file_merging_pool_blocking;
    FileMergingMaxSubtasks(NonZeroU32) = CheckpointConfig::set_file_merging_max_subtasks_per_file;
    FileMergingMaxSpace(f32) = CheckpointConfig::set_file_merging_max_space_amplification;

    RecoveryPath(String) = CheckpointConfig::set_recovery_path;
    IgnoreUnclaimedState(bool) = CheckpointConfig::set_ignore_unclaimed_state;
    ClaimMode(RecoveryClaimMode) = CheckpointConfig::set_recovery_claim_mode;
    LocalRecovery(bool) = CheckpointConfig::set_local_recovery;
    ApproximateLocalRecovery(bool) = CheckpointConfig::set_approximate_local_recovery;
    IgnoredInFlightData(Option<CheckpointId>) = CheckpointConfig::set_checkpoint_id_of_ignored_in_flight_data;
}

/// A config that somebody has worked on for a while. What was refused is not in it.
pub(super) fn config() -> impl Strategy<Value = CheckpointConfig> {
    proptest::collection::vec(Call::any(), 0..24).prop_map(|calls| {
        let mut config = CheckpointConfig::default();
        for call in calls {
            // Every other test looks at what is refused.
            let _ = call.apply(&mut config);
        }
        config
    })
}

impl Argument for () {
    fn any() -> BoxedStrategy<Self> {
        Just(()).boxed()
    }
}

impl Argument for bool {
    fn any() -> BoxedStrategy<Self> {
        any::<Self>().boxed()
    }
}

impl Argument for Duration {
    fn any() -> BoxedStrategy<Self> {
        let year = Self::from_secs(365 * 86_400);
        let longest = Self::from_millis(i64::MAX.unsigned_abs());
        let tick = Self::from_nanos(1);
        prop_oneof![
            Just(Self::ZERO),
            prop::sample::select(Vec::from([year, longest])).prop_map(|edge| edge),
            prop::sample::select(Vec::from([year + tick, longest + tick, longest - tick, Self::MAX])),
            (0_u64..25_000).prop_map(Self::from_micros),
            (0_u64..25_000).prop_map(Self::from_millis),
            (1_u64..100_000).prop_map(Self::from_secs),
            (any::<u64>(), 0_u32..1_000_000_000).prop_map(|(seconds, nanos)| Self::new(seconds, nanos)),
        ]
        .boxed()
    }
}

impl Argument for u32 {
    fn any() -> BoxedStrategy<Self> {
        let edges = [Self::MAX, i32::MAX.unsigned_abs(), i32::MAX.unsigned_abs() + 1, 1 << 20, (1 << 20) + 1];
        prop_oneof![0_u32..5, 0_u32..100_000, any::<Self>(), prop::sample::select(edges.to_vec())].boxed()
    }
}

impl Argument for u64 {
    fn any() -> BoxedStrategy<Self> {
        let edges = [Self::MAX, i64::MAX.unsigned_abs(), i64::MAX.unsigned_abs() + 1];
        let round = (0_u32..64, 0_u64..5).prop_map(|(shift, number)| number << shift);
        prop_oneof![round, any::<Self>(), prop::sample::select(edges.to_vec())].boxed()
    }
}

impl Argument for NonZeroU32 {
    fn any() -> BoxedStrategy<Self> {
        let from_zero = prop_oneof![4 => Just(0), 4 => u32::any()];
        from_zero.prop_map(|number| Self::MIN.saturating_add(number)).boxed()
    }
}

impl Argument for f32 {
    fn any() -> BoxedStrategy<Self> {
        let edges = [Self::NAN, Self::INFINITY, -0.0, Self::MAX, Self::MIN_POSITIVE, 0.1];
        prop_oneof![
            0.0_f32..4.0,
            any::<u32>().prop_map(Self::from_bits),
            prop::sample::select(edges.to_vec())
        ]
        .boxed()
    }
}

impl Argument for CheckpointingMode {
    fn any() -> BoxedStrategy<Self> {
        prop_oneof![2 => Just(Self::ExactlyOnce), 1 => Just(Self::AtLeastOnce)].boxed()
    }
}

impl Argument for ExternalizedCheckpointRetention {
    fn any() -> BoxedStrategy<Self> {
        prop::sample::select(Self::ALL.to_vec()).boxed()
    }
}

impl Argument for RecoveryClaimMode {
    fn any() -> BoxedStrategy<Self> {
        prop::sample::select(Self::ALL.to_vec()).boxed()
    }
}

impl Argument for Option<CheckpointId> {
    fn any() -> BoxedStrategy<Self> {
        prop_oneof![Just(None), u64::any().prop_map(|number| Some(CheckpointId::new(number)))].boxed()
    }
}

impl Argument for String {
    fn any() -> BoxedStrategy<Self> {
        texts::text()
    }
}

impl Argument for StorageDescriptor {
    /// One that its typed descriptor would make, one of somebody else, or one that nobody should have made.
    fn any() -> BoxedStrategy<Self> {
        let path = || prop::option::of(Just(StoragePath::parse("s3://bucket/x").unwrap()));
        let memory = (path(), path(), 1_u64..).prop_map(|(checkpoints, savepoints, size)| {
            let mut memory = JobManagerDescriptor::new().with_max_state_size(size).unwrap();
            if let Some(path) = checkpoints {
                memory = memory.with_checkpoint_path(path);
            }
            if let Some(path) = savepoints {
                memory = memory.with_savepoint_path(path);
            }
            memory.into()
        });
        let threshold = prop::option::of(0..=FileSystemDescriptor::MAX_FILE_STATE_THRESHOLD);
        let files =
            (path(), threshold, prop::option::of(u32::any())).prop_map(|(savepoints, threshold, buffer)| {
                let mut files =
                    FileSystemDescriptor::new(StoragePath::parse("file:///data/checkpoints").unwrap());
                if let Some(path) = savepoints {
                    files = files.with_savepoint_path(path);
                }
                if let Some(bytes) = threshold {
                    files = files.with_min_file_size_threshold(bytes).unwrap();
                }
                if let Some(bytes) = buffer {
                    files = files.with_write_buffer_size(bytes);
                }
                files.into()
            });
        let kind = prop_oneof![
            Just(Self::JOB_MANAGER.to_owned()),
            Just(Self::FILE_SYSTEM.to_owned()),
            Just("custom".to_string()),
            texts::text(),
        ];
        let name = prop_oneof![
            Just(Self::MAX_STATE_SIZE.to_owned()),
            Just(Self::CHECKPOINTS_DIRECTORY.to_owned()),
            Just(Self::FS_WRITE_BUFFER_SIZE.to_owned()),
            texts::text(),
        ];
        let value =
            prop_oneof![texts::text().prop_map(OptionValue::Text), u64::any().prop_map(OptionValue::Size)];
        let anything = (kind, proptest::collection::vec((name, value), 0..4)).prop_map(|(kind, options)| {
            options.into_iter().fold(Self::new(kind), |storage, (name, value)| storage.with(name, value))
        });
        prop_oneof![memory, files, anything].boxed()
    }
}
