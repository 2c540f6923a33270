//! What applies to the job's checkpoints, in the shape in which Flink says it.

use alloc::string::{String, ToString};
use core::time::Duration;
use stillframe_config::{
    BarrierPolicy, CheckpointConfig, CheckpointingMode, EffectiveConfig, ExternalizedCheckpointRetention,
    FailureTolerance,
};
use stillframe_model::StorageDescriptor;

/// What applies to the job's checkpoints.
///
/// Flink's answer also names a state backend and a changelog of its own. There is neither here: the names are null, the
/// changelog is off, and its interval is -1, which is Flink's way to say that there is none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckpointConfigInfo {
    /// What is guaranteed about each record.
    pub mode: CheckpointingMode,
    /// Between periodic triggers; `None` if there are none.
    pub interval: Option<Duration>,
    /// From trigger to durable.
    pub timeout: Duration,
    /// From completion to the next periodic trigger.
    pub min_pause: Duration,
    /// In progress at once.
    pub max_concurrent: u32,
    /// What becomes of checkpoints when the job ends.
    pub externalization: Externalization,
    /// The kind of storage; of ours, under the name of its class in Flink.
    pub checkpoint_storage: String,
    /// Whether barriers may overtake records.
    pub unaligned_checkpoints: bool,
    /// How many failures in a row are tolerated; 2147483647 is any number.
    pub tolerable_failed_checkpoints: u32,
    /// How long an unaligned checkpoint first tries to align.
    pub aligned_checkpoint_timeout: Duration,
    /// Whether checkpoints go on when some tasks have finished.
    pub checkpoints_after_tasks_finish: bool,
}

/// What becomes of checkpoints when the job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Externalization {
    /// Whether any are kept.
    pub enabled: bool,
    /// Whether they are deleted when a person cancels the job. So it is, too, where none are kept at all.
    pub delete_on_cancellation: bool,
}

impl From<&EffectiveConfig> for CheckpointConfigInfo {
    fn from(config: &EffectiveConfig) -> Self {
        let EffectiveConfig { schedule, barriers, tolerance, retention, storage, .. } = config;
        Self {
            mode: match barriers.policy {
                BarrierPolicy::Align => CheckpointingMode::ExactlyOnce,
                BarrierPolicy::Track => CheckpointingMode::AtLeastOnce,
            },
            interval: schedule.interval,
            timeout: schedule.timeout,
            min_pause: schedule.min_pause,
            max_concurrent: schedule.max_concurrent.get(),
            externalization: Externalization {
                enabled: retention.on_end != ExternalizedCheckpointRetention::NoExternalizedCheckpoints,
                delete_on_cancellation: retention.on_end
                    != ExternalizedCheckpointRetention::RetainOnCancellation,
            },
            checkpoint_storage: match storage.kind.as_ref() {
                StorageDescriptor::JOB_MANAGER => "JobManagerCheckpointStorage".to_string(),
                StorageDescriptor::FILE_SYSTEM => "FileSystemCheckpointStorage".to_string(),
                kind => kind.to_string(),
            },
            unaligned_checkpoints: barriers.unaligned.is_some(),
            tolerable_failed_checkpoints: match tolerance {
                FailureTolerance::UpTo(number) => *number,
                FailureTolerance::Unlimited => CheckpointConfig::UNLIMITED_TOLERABLE_FAILURE_NUMBER,
            },
            aligned_checkpoint_timeout: barriers.alignment_timeout,
            checkpoints_after_tasks_finish: schedule.after_tasks_finish,
        }
    }
}
