//! How state becomes files, and where copies of them are.

use super::CheckpointConfig;
use crate::ConfigError;
use crate::option::{Count, Finite, MemorySize, Text, Value};
use alloc::string::String;
use core::num::NonZeroU32;

impl CheckpointConfig {
    /// Whether a checkpoint refers to files of earlier ones instead of writing everything again.
    #[must_use]
    #[doc(alias = "execution.checkpointing.incremental")]
    #[doc(alias = "INCREMENTAL_CHECKPOINTS")]
    pub fn is_incremental_checkpoints_enabled(&self) -> bool {
        self.settings.incremental()
    }

    /// Sets whether a checkpoint refers to files of earlier ones instead of writing everything again.
    #[doc(alias = "INCREMENTAL_CHECKPOINTS")]
    #[doc(alias = "execution.checkpointing.incremental")]
    pub fn set_incremental_checkpoints(&mut self, enabled: bool) -> &mut Self {
        self.settings.incremental = Some(enabled);
        self
    }

    /// Whether workers keep a copy of their state on their own disk. If it was not set, they do if they
    /// [restore](Self::is_local_recovery_enabled) from it.
    #[must_use]
    #[doc(alias = "execution.checkpointing.local-backup.enabled")]
    #[doc(alias = "LOCAL_BACKUP_ENABLED")]
    pub fn is_local_backup_enabled(&self) -> bool {
        if self.settings.local_backup.is_some() {
            self.settings.local_backup()
        } else {
            self.is_local_recovery_enabled()
        }
    }

    /// Sets whether workers keep a copy of their state on their own disk.
    #[doc(alias = "LOCAL_BACKUP_ENABLED")]
    #[doc(alias = "execution.checkpointing.local-backup.enabled")]
    pub fn set_local_backup(&mut self, enabled: bool) -> &mut Self {
        self.settings.local_backup = Some(enabled);
        self
    }

    /// Where workers keep these copies.
    #[must_use]
    #[doc(alias = "execution.checkpointing.local-backup.dirs")]
    #[doc(alias = "LOCAL_RECOVERY_TASK_MANAGER_STATE_ROOT_DIRS")]
    pub fn local_backup_dirs(&self) -> Option<&str> {
        self.settings.local_backup_dirs.as_ref().map(|dirs| dirs.0.as_str())
    }

    /// Sets where workers keep these copies: one or more directories, with commas between them.
    #[doc(alias = "LOCAL_RECOVERY_TASK_MANAGER_STATE_ROOT_DIRS")]
    #[doc(alias = "execution.checkpointing.local-backup.dirs")]
    pub fn set_local_backup_dirs(&mut self, dirs: impl Into<String>) -> &mut Self {
        self.settings.local_backup_dirs = Some(Text(dirs.into()));
        self
    }

    /// Whether small files of state are merged into larger ones.
    #[must_use]
    #[doc(alias = "execution.checkpointing.file-merging.enabled")]
    #[doc(alias = "FILE_MERGING_ENABLED")]
    pub fn is_file_merging_enabled(&self) -> bool {
        self.settings.file_merging()
    }

    /// Sets whether small files of state are merged into larger ones.
    #[doc(alias = "FILE_MERGING_ENABLED")]
    #[doc(alias = "execution.checkpointing.file-merging.enabled")]
    pub fn set_file_merging(&mut self, enabled: bool) -> &mut Self {
        self.settings.file_merging = Some(enabled);
        self
    }

    /// Whether a merged file may hold state of several checkpoints.
    #[must_use]
    #[doc(alias = "execution.checkpointing.file-merging.across-checkpoint-boundary")]
    #[doc(alias = "FILE_MERGING_ACROSS_BOUNDARY")]
    pub fn is_file_merging_across_checkpoint_boundary_enabled(&self) -> bool {
        self.settings.file_merging_across_checkpoints()
    }

    /// Sets whether a merged file may hold state of several checkpoints.
    #[doc(alias = "FILE_MERGING_ACROSS_BOUNDARY")]
    #[doc(alias = "execution.checkpointing.file-merging.across-checkpoint-boundary")]
    pub fn set_file_merging_across_checkpoint_boundary(&mut self, enabled: bool) -> &mut Self {
        self.settings.file_merging_across_checkpoints = Some(enabled);
        self
    }

    /// How many bytes a merged file may reach.
    #[must_use]
    #[doc(alias = "execution.checkpointing.file-merging.max-file-size")]
    #[doc(alias = "FILE_MERGING_MAX_FILE_SIZE")]
    pub fn file_merging_max_file_size(&self) -> u64 {
        self.settings.file_merging_max_file_size().bytes()
    }

    /// Sets how many bytes a merged file may reach.
    #[doc(alias = "FILE_MERGING_MAX_FILE_SIZE")]
    #[doc(alias = "execution.checkpointing.file-merging.max-file-size")]
    pub fn set_file_merging_max_file_size(&mut self, bytes: u64) -> &mut Self {
        self.settings.file_merging_max_file_size = Some(MemorySize::new(bytes));
        self
    }

    /// Whether a writer waits when all merged files are in use, instead of beginning another.
    #[must_use]
    #[doc(alias = "execution.checkpointing.file-merging.pool-blocking")]
    #[doc(alias = "FILE_MERGING_POOL_BLOCKING")]
    pub fn is_file_merging_pool_blocking(&self) -> bool {
        self.settings.file_merging_pool_blocking()
    }

    /// Sets whether a writer waits when all merged files are in use.
    #[doc(alias = "FILE_MERGING_POOL_BLOCKING")]
    #[doc(alias = "execution.checkpointing.file-merging.pool-blocking")]
    pub fn set_file_merging_pool_blocking(&mut self, blocking: bool) -> &mut Self {
        self.settings.file_merging_pool_blocking = Some(blocking);
        self
    }

    /// How many subtasks share one merged file.
    #[must_use]
    #[doc(alias = "execution.checkpointing.file-merging.max-subtasks-per-file")]
    #[doc(alias = "FILE_MERGING_MAX_SUBTASKS_PER_FILE")]
    pub fn file_merging_max_subtasks_per_file(&self) -> NonZeroU32 {
        self.settings.file_merging_max_subtasks().get()
    }

    /// Sets how many subtasks share one merged file.
    #[doc(alias = "FILE_MERGING_MAX_SUBTASKS_PER_FILE")]
    #[doc(alias = "execution.checkpointing.file-merging.max-subtasks-per-file")]
    pub fn set_file_merging_max_subtasks_per_file(&mut self, number: NonZeroU32) -> &mut Self {
        self.settings.file_merging_max_subtasks = Some(Count::new(number.get()));
        self
    }

    /// How many times the size of the live state the merged files may take before live state is copied out of them; below 1
    /// it never is.
    #[must_use]
    #[doc(alias = "execution.checkpointing.file-merging.max-space-amplification")]
    #[doc(alias = "FILE_MERGING_MAX_SPACE_AMPLIFICATION")]
    pub fn file_merging_max_space_amplification(&self) -> f32 {
        self.settings.file_merging_space_amplification().get()
    }

    /// Sets how many times the size of the live state the merged files may take.
    ///
    /// # Errors
    /// For a number that is not finite.
    #[doc(alias = "FILE_MERGING_MAX_SPACE_AMPLIFICATION")]
    #[doc(alias = "execution.checkpointing.file-merging.max-space-amplification")]
    pub fn set_file_merging_max_space_amplification(
        &mut self,
        factor: f32,
    ) -> Result<&mut Self, ConfigError> {
        let Some(factor) = Finite::new(factor) else {
            let option = "execution.checkpointing.file-merging.max-space-amplification";
            return Err(ConfigError::new(option, factor, Finite::ALLOWED));
        };
        self.settings.file_merging_space_amplification = Some(factor);
        Ok(self)
    }
}
