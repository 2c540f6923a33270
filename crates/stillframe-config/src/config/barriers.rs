//! What barriers do, and to which records.

use super::CheckpointConfig;
use crate::CheckpointingMode;
use crate::option::Count;
use crate::text::duration;
use core::num::NonZeroU32;
use core::time::Duration;

impl CheckpointConfig {
    /// Exactly once.
    pub const DEFAULT_MODE: CheckpointingMode = CheckpointingMode::ExactlyOnce;

    /// What is guaranteed about each record.
    #[must_use]
    #[doc(alias = "get_checkpointing_mode")]
    #[doc(alias = "getCheckpointingConsistencyMode")]
    #[doc(alias = "CHECKPOINTING_CONSISTENCY_MODE")]
    #[doc(alias = "execution.checkpointing.mode")]
    pub fn checkpointing_mode(&self) -> CheckpointingMode {
        self.settings.mode()
    }

    /// Sets what is guaranteed about each record.
    #[doc(alias = "setCheckpointingMode")]
    #[doc(alias = "setCheckpointingConsistencyMode")]
    #[doc(alias = "CHECKPOINTING_CONSISTENCY_MODE")]
    #[doc(alias = "execution.checkpointing.mode")]
    pub fn set_checkpointing_mode(&mut self, mode: CheckpointingMode) -> &mut Self {
        self.settings.mode = Some(mode);
        self
    }

    /// Whether barriers may overtake records. What applies is decided by [`resolve`](Self::resolve): only with periodic
    /// checkpoints, exactly once.
    #[must_use]
    #[doc(alias = "isUnalignedCheckpointsEnabled")]
    #[doc(alias = "ENABLE_UNALIGNED")]
    #[doc(alias = "execution.checkpointing.unaligned.enabled")]
    pub fn is_unaligned_checkpoints_enabled(&self) -> bool {
        self.settings.unaligned()
    }

    /// Lets barriers overtake records, which are then part of the checkpoint.
    #[doc(alias = "enableUnalignedCheckpoints")]
    #[doc(alias = "ENABLE_UNALIGNED")]
    #[doc(alias = "execution.checkpointing.unaligned.enabled")]
    pub fn enable_unaligned_checkpoints(&mut self) -> &mut Self {
        self.settings.unaligned = Some(true);
        self
    }

    /// Keeps barriers behind the records before them.
    #[doc(alias = "disableUnalignedCheckpoints")]
    #[doc(alias = "ENABLE_UNALIGNED")]
    #[doc(alias = "execution.checkpointing.unaligned.enabled")]
    pub fn disable_unaligned_checkpoints(&mut self) -> &mut Self {
        self.settings.unaligned = Some(false);
        self
    }

    /// How long an unaligned checkpoint first tries to align.
    #[must_use]
    #[doc(alias = "get_alignment_timeout")]
    #[doc(alias = "getAlignedCheckpointTimeout")]
    #[doc(alias = "ALIGNED_CHECKPOINT_TIMEOUT")]
    #[doc(alias = "execution.checkpointing.aligned-checkpoint-timeout")]
    pub fn alignment_timeout(&self) -> Duration {
        self.settings.alignment_timeout()
    }

    /// Sets how long an unaligned checkpoint first tries to align. It is kept to the nanosecond, as in Flink; beyond three
    /// hundred years to a coarser unit.
    #[doc(alias = "setAlignedCheckpointTimeout")]
    #[doc(alias = "ALIGNED_CHECKPOINT_TIMEOUT")]
    #[doc(alias = "execution.checkpointing.aligned-checkpoint-timeout")]
    pub fn set_alignment_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.settings.alignment_timeout = Some(duration::writable(timeout));
        self
    }

    /// Whether unaligned checkpoints are allowed where a graph does not support them.
    #[must_use]
    #[doc(alias = "isForceUnalignedCheckpoints")]
    #[doc(alias = "FORCE_UNALIGNED")]
    #[doc(alias = "execution.checkpointing.unaligned.forced")]
    pub fn is_force_unaligned_checkpoints(&self) -> bool {
        self.settings.force_unaligned()
    }

    /// Sets whether unaligned checkpoints are allowed where a graph does not support them: with partitioners of its own,
    /// where restoring at another parallelism may go wrong, and with cycles, whose records may be lost.
    #[doc(alias = "setForceUnalignedCheckpoints")]
    #[doc(alias = "FORCE_UNALIGNED")]
    #[doc(alias = "execution.checkpointing.unaligned.forced")]
    pub fn set_force_unaligned_checkpoints(&mut self, force: bool) -> &mut Self {
        self.settings.force_unaligned = Some(force);
        self
    }

    /// Whether the firing of timers may be interrupted by a barrier.
    #[must_use]
    #[doc(alias = "isUnalignedCheckpointsInterruptibleTimersEnabled")]
    #[doc(alias = "ENABLE_UNALIGNED_INTERRUPTIBLE_TIMERS")]
    #[doc(alias = "execution.checkpointing.unaligned.interruptible-timers.enabled")]
    pub fn is_unaligned_checkpoints_interruptible_timers_enabled(&self) -> bool {
        self.settings.interruptible_timers()
    }

    /// Sets whether the firing of timers may be interrupted by a barrier.
    #[doc(alias = "enableUnalignedCheckpointsInterruptibleTimers")]
    #[doc(alias = "ENABLE_UNALIGNED_INTERRUPTIBLE_TIMERS")]
    #[doc(alias = "execution.checkpointing.unaligned.interruptible-timers.enabled")]
    pub fn set_unaligned_checkpoints_interruptible_timers(&mut self, enabled: bool) -> &mut Self {
        self.settings.interruptible_timers = Some(enabled);
        self
    }

    /// How many subtasks share one file of records that barriers have overtaken.
    #[must_use]
    #[doc(alias = "getMaxSubtasksPerChannelStateFile")]
    #[doc(alias = "UNALIGNED_MAX_SUBTASKS_PER_CHANNEL_STATE_FILE")]
    #[doc(alias = "execution.checkpointing.unaligned.max-subtasks-per-channel-state-file")]
    pub fn max_subtasks_per_channel_state_file(&self) -> NonZeroU32 {
        self.settings.max_subtasks_per_channel_state_file().get()
    }

    /// Sets how many subtasks share one file of records that barriers have overtaken.
    #[doc(alias = "setMaxSubtasksPerChannelStateFile")]
    #[doc(alias = "UNALIGNED_MAX_SUBTASKS_PER_CHANNEL_STATE_FILE")]
    #[doc(alias = "execution.checkpointing.unaligned.max-subtasks-per-channel-state-file")]
    pub fn set_max_subtasks_per_channel_state_file(&mut self, number: NonZeroU32) -> &mut Self {
        self.settings.max_subtasks_per_channel_state_file = Some(Count::new(number.get()));
        self
    }
}
