use crate::{CheckpointingMode, ConfigError, ExternalizedCheckpointRetention};
use core::num::NonZeroU32;
use core::time::Duration;
use stillframe_model::StorageDescriptor;

/// How a job is checkpointed, as its author wishes. Names, defaults and limits are those of Flink 1.20.
///
/// ```
/// use core::time::Duration;
/// use stillframe_config::CheckpointConfig;
///
/// let mut config = CheckpointConfig::default();
/// config.set_checkpoint_interval(Duration::from_secs(30))?.set_tolerable_checkpoint_failure_number(3);
/// assert!(config.is_checkpointing_enabled());
/// assert!(config.set_checkpoint_interval(Duration::from_millis(9)).is_err());
/// assert_eq!(config.checkpoint_interval(), Some(Duration::from_secs(30)));
/// # Ok::<(), stillframe_config::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckpointConfig {
    mode: CheckpointingMode,
    interval: Option<Duration>,
    timeout: Duration,
    min_pause: Duration,
    max_concurrent: NonZeroU32,
    tolerable_failures: u32,
    retention: ExternalizedCheckpointRetention,
    retained: NonZeroU32,
    storage: Option<StorageDescriptor>,
}

/// The shortest interval and timeout.
const MINIMAL_CHECKPOINT_TIME: Duration = Duration::from_millis(10);

impl CheckpointConfig {
    /// Exactly once.
    pub const DEFAULT_MODE: CheckpointingMode = CheckpointingMode::ExactlyOnce;
    /// Ten minutes.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);
    /// None.
    pub const DEFAULT_MIN_PAUSE_BETWEEN_CHECKPOINTS: Duration = Duration::ZERO;
    /// One at a time.
    pub const DEFAULT_MAX_CONCURRENT_CHECKPOINTS: NonZeroU32 = NonZeroU32::MIN;

    /// Whether checkpoints are taken periodically.
    #[must_use]
    pub fn is_checkpointing_enabled(&self) -> bool {
        self.interval.is_some()
    }

    /// What is guaranteed about each record.
    #[must_use]
    #[doc(alias = "get_checkpointing_mode")]
    pub fn checkpointing_mode(&self) -> CheckpointingMode {
        self.mode
    }

    /// Sets what is guaranteed about each record.
    pub fn set_checkpointing_mode(&mut self, mode: CheckpointingMode) -> &mut Self {
        self.mode = mode;
        self
    }

    /// The time from one periodic trigger to the next; `None` (Flink: -1) if there are no periodic checkpoints.
    #[must_use]
    #[doc(alias = "get_checkpoint_interval")]
    pub fn checkpoint_interval(&self) -> Option<Duration> {
        self.interval
    }

    /// Turns periodic checkpoints on, this far apart.
    ///
    /// # Errors
    /// Below 10 ms.
    pub fn set_checkpoint_interval(&mut self, interval: Duration) -> Result<&mut Self, ConfigError> {
        if interval < MINIMAL_CHECKPOINT_TIME {
            return Err(ConfigError::new(
                "execution.checkpointing.interval",
                format_args!("{interval:?}"),
                "10 ms or more",
            ));
        }
        self.interval = Some(interval);
        Ok(self)
    }

    /// Turns periodic checkpoints off. Savepoints and the checkpoint at the end of all input remain.
    #[doc(alias = "disableCheckpointing")]
    pub fn disable_checkpointing(&mut self) -> &mut Self {
        self.interval = None;
        self
    }

    /// How long a checkpoint may take from its trigger until everything is durable.
    #[must_use]
    #[doc(alias = "get_checkpoint_timeout")]
    pub fn checkpoint_timeout(&self) -> Duration {
        self.timeout
    }

    /// Sets how long a checkpoint may take. One that takes longer is aborted and counts as failed.
    ///
    /// # Errors
    /// Below 10 ms.
    pub fn set_checkpoint_timeout(&mut self, timeout: Duration) -> Result<&mut Self, ConfigError> {
        if timeout < MINIMAL_CHECKPOINT_TIME {
            return Err(ConfigError::new(
                "execution.checkpointing.timeout",
                format_args!("{timeout:?}"),
                "10 ms or more",
            ));
        }
        self.timeout = timeout;
        Ok(self)
    }

    /// The least time between the completion of a checkpoint and the next periodic trigger.
    #[must_use]
    #[doc(alias = "get_min_pause_between_checkpoints")]
    pub fn min_pause_between_checkpoints(&self) -> Duration {
        self.min_pause
    }

    /// Sets the least time between the completion of a checkpoint and the next periodic trigger.
    pub fn set_min_pause_between_checkpoints(&mut self, pause: Duration) -> &mut Self {
        self.min_pause = pause;
        self
    }

    /// How many checkpoints may be in progress at once.
    #[must_use]
    #[doc(alias = "get_max_concurrent_checkpoints")]
    pub fn max_concurrent_checkpoints(&self) -> NonZeroU32 {
        self.max_concurrent
    }

    /// Sets how many checkpoints may be in progress at once.
    pub fn set_max_concurrent_checkpoints(&mut self, number: NonZeroU32) -> &mut Self {
        self.max_concurrent = number;
        self
    }

    /// How many checkpoints may fail in a row before the job does. [`u32::MAX`] is any number.
    #[must_use]
    #[doc(alias = "get_tolerable_checkpoint_failure_number")]
    pub fn tolerable_checkpoint_failure_number(&self) -> u32 {
        self.tolerable_failures
    }

    /// Sets how many checkpoints may fail in a row before the job does. [`u32::MAX`] is any number.
    pub fn set_tolerable_checkpoint_failure_number(&mut self, number: u32) -> &mut Self {
        self.tolerable_failures = number;
        self
    }

    /// What becomes of the checkpoints when the job ends.
    #[must_use]
    #[doc(alias = "get_externalized_checkpoint_retention")]
    #[doc(alias = "get_externalized_checkpoint_cleanup")]
    pub fn externalized_checkpoint_retention(&self) -> ExternalizedCheckpointRetention {
        self.retention
    }

    /// Sets what becomes of the checkpoints when the job ends.
    #[doc(alias = "set_externalized_checkpoint_cleanup")]
    #[doc(alias = "enable_externalized_checkpoints")]
    pub fn set_externalized_checkpoint_retention(
        &mut self,
        retention: ExternalizedCheckpointRetention,
    ) -> &mut Self {
        self.retention = retention;
        self
    }

    /// How many completed checkpoints are kept while the job runs.
    #[must_use]
    #[doc(alias = "execution.checkpointing.num-retained")]
    pub fn num_retained_checkpoints(&self) -> NonZeroU32 {
        self.retained
    }

    /// Sets how many completed checkpoints are kept while the job runs.
    pub fn set_num_retained_checkpoints(&mut self, number: NonZeroU32) -> &mut Self {
        self.retained = number;
        self
    }

    /// Where checkpoints go; `None` is the memory of the process, as in Flink.
    #[must_use]
    #[doc(alias = "get_checkpoint_storage")]
    pub fn checkpoint_storage(&self) -> Option<&StorageDescriptor> {
        self.storage.as_ref()
    }

    /// Sets where checkpoints go.
    pub fn set_checkpoint_storage(&mut self, storage: impl Into<StorageDescriptor>) -> &mut Self {
        self.storage = Some(storage.into());
        self
    }
}

impl Default for CheckpointConfig {
    /// Flink's defaults: exactly once, no periodic checkpoints, ten minutes, one at a time, no failure tolerated, one
    /// checkpoint retained while the job runs and none after.
    fn default() -> Self {
        Self {
            mode: Self::DEFAULT_MODE,
            interval: None,
            timeout: Self::DEFAULT_TIMEOUT,
            min_pause: Self::DEFAULT_MIN_PAUSE_BETWEEN_CHECKPOINTS,
            max_concurrent: Self::DEFAULT_MAX_CONCURRENT_CHECKPOINTS,
            tolerable_failures: 0,
            retention: ExternalizedCheckpointRetention::default(),
            retained: NonZeroU32::MIN,
            storage: None,
        }
    }
}
