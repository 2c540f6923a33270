//! Which checkpoints are kept.

use super::CheckpointConfig;
use crate::{ExternalizedCheckpointCleanup, ExternalizedCheckpointRetention};
use core::num::NonZeroU32;

impl CheckpointConfig {
    /// What becomes of the checkpoints when the job ends.
    #[must_use]
    #[doc(alias = "get_externalized_checkpoint_retention")]
    #[doc(alias = "getExternalizedCheckpointRetention")]
    #[doc(alias = "EXTERNALIZED_CHECKPOINT_RETENTION")]
    #[doc(alias = "execution.checkpointing.externalized-checkpoint-retention")]
    pub fn externalized_checkpoint_retention(&self) -> ExternalizedCheckpointRetention {
        self.settings.retention()
    }

    /// Sets what becomes of the checkpoints when the job ends.
    #[doc(alias = "setExternalizedCheckpointRetention")]
    #[doc(alias = "EXTERNALIZED_CHECKPOINT_RETENTION")]
    #[doc(alias = "execution.checkpointing.externalized-checkpoint-retention")]
    pub fn set_externalized_checkpoint_retention(
        &mut self,
        retention: ExternalizedCheckpointRetention,
    ) -> &mut Self {
        self.settings.retention = Some(retention);
        self
    }

    /// The older name of [`externalized_checkpoint_retention`](Self::externalized_checkpoint_retention).
    #[must_use]
    #[doc(alias = "get_externalized_checkpoint_cleanup")]
    #[doc(alias = "getExternalizedCheckpointCleanup")]
    #[doc(alias = "EXTERNALIZED_CHECKPOINT_RETENTION")]
    #[doc(alias = "execution.checkpointing.externalized-checkpoint-retention")]
    pub fn externalized_checkpoint_cleanup(&self) -> ExternalizedCheckpointCleanup {
        self.externalized_checkpoint_retention()
    }

    /// The older name of [`set_externalized_checkpoint_retention`](Self::set_externalized_checkpoint_retention).
    #[doc(alias = "setExternalizedCheckpointCleanup")]
    #[doc(alias = "EXTERNALIZED_CHECKPOINT_RETENTION")]
    #[doc(alias = "execution.checkpointing.externalized-checkpoint-retention")]
    pub fn set_externalized_checkpoint_cleanup(
        &mut self,
        cleanup: ExternalizedCheckpointCleanup,
    ) -> &mut Self {
        self.set_externalized_checkpoint_retention(cleanup)
    }

    /// The oldest name of [`set_externalized_checkpoint_retention`](Self::set_externalized_checkpoint_retention).
    #[doc(alias = "enableExternalizedCheckpoints")]
    #[doc(alias = "EXTERNALIZED_CHECKPOINT_RETENTION")]
    #[doc(alias = "execution.checkpointing.externalized-checkpoint-retention")]
    pub fn enable_externalized_checkpoints(&mut self, cleanup: ExternalizedCheckpointCleanup) -> &mut Self {
        self.set_externalized_checkpoint_retention(cleanup)
    }

    /// Whether checkpoints may outlive the job.
    #[must_use]
    #[doc(alias = "isExternalizedCheckpointsEnabled")]
    pub fn is_externalized_checkpoints_enabled(&self) -> bool {
        self.externalized_checkpoint_retention() != ExternalizedCheckpointRetention::NoExternalizedCheckpoints
    }

    /// How many completed checkpoints are kept while the job runs.
    #[must_use]
    #[doc(alias = "execution.checkpointing.num-retained")]
    #[doc(alias = "MAX_RETAINED_CHECKPOINTS")]
    pub fn num_retained_checkpoints(&self) -> NonZeroU32 {
        let number = u32::try_from(self.settings.num_retained()).ok();
        number.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
    }

    /// Sets how many completed checkpoints are kept while the job runs.
    #[doc(alias = "MAX_RETAINED_CHECKPOINTS")]
    #[doc(alias = "execution.checkpointing.num-retained")]
    pub fn set_num_retained_checkpoints(&mut self, number: NonZeroU32) -> &mut Self {
        self.settings.num_retained = Some(i32::try_from(number.get()).unwrap_or(i32::MAX));
        self
    }

    /// Whether several checkpoints are removed at the same time.
    #[must_use]
    #[doc(alias = "execution.checkpointing.cleaner.parallel-mode")]
    #[doc(alias = "CLEANER_PARALLEL_MODE")]
    pub fn is_cleaner_parallel_mode_enabled(&self) -> bool {
        self.settings.parallel_cleaner()
    }

    /// Sets whether several checkpoints are removed at the same time.
    #[doc(alias = "CLEANER_PARALLEL_MODE")]
    #[doc(alias = "execution.checkpointing.cleaner.parallel-mode")]
    pub fn set_cleaner_parallel_mode(&mut self, enabled: bool) -> &mut Self {
        self.settings.parallel_cleaner = Some(enabled);
        self
    }
}
