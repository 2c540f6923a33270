//! When checkpoints are triggered, and how long they may take.

use super::CheckpointConfig;
use crate::ConfigError;
use crate::option::{Count, Millis, Natural, checked, interval, interval_or_zero};
use core::num::NonZeroU32;
use core::time::Duration;

impl CheckpointConfig {
    /// Ten minutes.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);
    /// None.
    pub const DEFAULT_MIN_PAUSE_BETWEEN_CHECKPOINTS: Duration = Duration::ZERO;
    /// One at a time.
    pub const DEFAULT_MAX_CONCURRENT_CHECKPOINTS: NonZeroU32 = NonZeroU32::MIN;

    /// Whether checkpoints are taken periodically.
    #[must_use]
    #[doc(alias = "isCheckpointingEnabled")]
    #[doc(alias = "CHECKPOINTING_INTERVAL")]
    #[doc(alias = "execution.checkpointing.interval")]
    pub fn is_checkpointing_enabled(&self) -> bool {
        self.settings.interval.is_some()
    }

    /// The time from one periodic trigger to the next; `None` (Flink: -1) if there are no periodic checkpoints.
    #[must_use]
    #[doc(alias = "get_checkpoint_interval")]
    #[doc(alias = "getCheckpointInterval")]
    #[doc(alias = "CHECKPOINTING_INTERVAL")]
    #[doc(alias = "execution.checkpointing.interval")]
    pub fn checkpoint_interval(&self) -> Option<Duration> {
        self.settings.interval.map(Millis::duration)
    }

    /// Turns periodic checkpoints on, this far apart.
    ///
    /// # Errors
    /// Below 10 ms.
    #[doc(alias = "setCheckpointInterval")]
    #[doc(alias = "enable_checkpointing")]
    #[doc(alias = "CHECKPOINTING_INTERVAL")]
    #[doc(alias = "execution.checkpointing.interval")]
    pub fn set_checkpoint_interval(&mut self, interval: Duration) -> Result<&mut Self, ConfigError> {
        let millis = checked("execution.checkpointing.interval", interval.into(), self::interval)?;
        self.settings.interval = Some(millis);
        Ok(self)
    }

    /// Turns periodic checkpoints off. Savepoints and the checkpoint at the end of all input remain.
    #[doc(alias = "disableCheckpointing")]
    #[doc(alias = "CHECKPOINTING_INTERVAL")]
    #[doc(alias = "execution.checkpointing.interval")]
    pub fn disable_checkpointing(&mut self) -> &mut Self {
        self.settings.interval = None;
        self
    }

    /// The interval while a source works off a backlog, if it was set; zero is no periodic checkpoints then. What was not
    /// set is the [normal interval](Self::checkpoint_interval).
    #[must_use]
    #[doc(alias = "getCheckpointIntervalDuringBacklog")]
    #[doc(alias = "CHECKPOINTING_INTERVAL_DURING_BACKLOG")]
    #[doc(alias = "execution.checkpointing.interval-during-backlog")]
    pub fn checkpoint_interval_during_backlog(&self) -> Option<Duration> {
        self.settings.interval_during_backlog.map(Millis::duration)
    }

    /// Sets the interval while a source works off a backlog; zero is no periodic checkpoints then. That it is at least the
    /// normal interval is a matter of both settings, and checked by [`resolve`](Self::resolve).
    ///
    /// # Errors
    /// Between zero and 10 ms.
    #[doc(alias = "setCheckpointIntervalDuringBacklog")]
    #[doc(alias = "CHECKPOINTING_INTERVAL_DURING_BACKLOG")]
    #[doc(alias = "execution.checkpointing.interval-during-backlog")]
    pub fn set_checkpoint_interval_during_backlog(
        &mut self,
        interval: Duration,
    ) -> Result<&mut Self, ConfigError> {
        let millis =
            checked("execution.checkpointing.interval-during-backlog", interval.into(), interval_or_zero)?;
        self.settings.interval_during_backlog = Some(millis);
        Ok(self)
    }

    /// How long a checkpoint may take from its trigger until everything is durable.
    #[must_use]
    #[doc(alias = "get_checkpoint_timeout")]
    #[doc(alias = "getCheckpointTimeout")]
    #[doc(alias = "CHECKPOINTING_TIMEOUT")]
    #[doc(alias = "execution.checkpointing.timeout")]
    pub fn checkpoint_timeout(&self) -> Duration {
        self.settings.timeout().duration()
    }

    /// Sets how long a checkpoint may take. One that takes longer is aborted and counts as failed.
    ///
    /// # Errors
    /// Below 10 ms.
    #[doc(alias = "setCheckpointTimeout")]
    #[doc(alias = "CHECKPOINTING_TIMEOUT")]
    #[doc(alias = "execution.checkpointing.timeout")]
    pub fn set_checkpoint_timeout(&mut self, timeout: Duration) -> Result<&mut Self, ConfigError> {
        let millis = checked("execution.checkpointing.timeout", timeout.into(), interval)?;
        self.settings.timeout = Some(millis);
        Ok(self)
    }

    /// The least time between the completion of a checkpoint and the next periodic trigger.
    #[must_use]
    #[doc(alias = "get_min_pause_between_checkpoints")]
    #[doc(alias = "getMinPauseBetweenCheckpoints")]
    #[doc(alias = "MIN_PAUSE_BETWEEN_CHECKPOINTS")]
    #[doc(alias = "execution.checkpointing.min-pause")]
    pub fn min_pause_between_checkpoints(&self) -> Duration {
        self.settings.min_pause().duration()
    }

    /// Sets the least time between the completion of a checkpoint and the next periodic trigger.
    #[doc(alias = "setMinPauseBetweenCheckpoints")]
    #[doc(alias = "MIN_PAUSE_BETWEEN_CHECKPOINTS")]
    #[doc(alias = "execution.checkpointing.min-pause")]
    pub fn set_min_pause_between_checkpoints(&mut self, pause: Duration) -> &mut Self {
        self.settings.min_pause = Some(pause.into());
        self
    }

    /// How many checkpoints may be in progress at once.
    #[must_use]
    #[doc(alias = "get_max_concurrent_checkpoints")]
    #[doc(alias = "getMaxConcurrentCheckpoints")]
    #[doc(alias = "MAX_CONCURRENT_CHECKPOINTS")]
    #[doc(alias = "execution.checkpointing.max-concurrent-checkpoints")]
    pub fn max_concurrent_checkpoints(&self) -> NonZeroU32 {
        self.settings.max_concurrent().get()
    }

    /// Sets how many checkpoints may be in progress at once.
    #[doc(alias = "setMaxConcurrentCheckpoints")]
    #[doc(alias = "MAX_CONCURRENT_CHECKPOINTS")]
    #[doc(alias = "execution.checkpointing.max-concurrent-checkpoints")]
    pub fn set_max_concurrent_checkpoints(&mut self, number: NonZeroU32) -> &mut Self {
        self.settings.max_concurrent = Some(Count::new(number.get()));
        self
    }

    /// Whether checkpoints also complete after some tasks have finished.
    #[must_use]
    #[doc(alias = "execution.checkpointing.checkpoints-after-tasks-finish")]
    #[doc(alias = "ENABLE_CHECKPOINTS_AFTER_TASKS_FINISH")]
    pub fn is_checkpoints_after_tasks_finish_enabled(&self) -> bool {
        self.settings.after_tasks_finish()
    }

    /// Sets whether checkpoints also complete after some tasks have finished.
    #[doc(alias = "ENABLE_CHECKPOINTS_AFTER_TASKS_FINISH")]
    #[doc(alias = "execution.checkpointing.checkpoints-after-tasks-finish")]
    pub fn set_checkpoints_after_tasks_finish(&mut self, enabled: bool) -> &mut Self {
        self.settings.after_tasks_finish = Some(enabled);
        self
    }

    /// Whether a job whose graph has cycles may be checkpointed.
    #[must_use]
    #[doc(alias = "isForceCheckpointing")]
    #[doc(alias = "FORCE_CHECKPOINTING")]
    #[doc(alias = "execution.checkpointing.force")]
    pub fn is_force_checkpointing(&self) -> bool {
        self.settings.force()
    }

    /// Sets whether a job whose graph has cycles may be checkpointed. Records that are in a cycle when a checkpoint is
    /// taken are then lost when it is restored.
    #[doc(alias = "setForceCheckpointing")]
    #[doc(alias = "FORCE_CHECKPOINTING")]
    #[doc(alias = "execution.checkpointing.force")]
    pub fn set_force_checkpointing(&mut self, force: bool) -> &mut Self {
        self.settings.force = Some(force);
        self
    }

    /// How many of the last checkpoints the statistics remember.
    #[must_use]
    #[doc(alias = "web.checkpoints.history")]
    #[doc(alias = "CHECKPOINTS_HISTORY_SIZE")]
    pub fn checkpoints_history_size(&self) -> u32 {
        self.settings.history().get()
    }

    /// Sets how many of the last checkpoints the statistics remember. With 0 it is only the newest of each kind.
    #[doc(alias = "CHECKPOINTS_HISTORY_SIZE")]
    #[doc(alias = "web.checkpoints.history")]
    pub fn set_checkpoints_history_size(&mut self, number: u32) -> &mut Self {
        self.settings.history = Some(Natural::new(number));
        self
    }
}
