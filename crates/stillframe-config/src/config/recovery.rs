//! What a job begins with.

use super::CheckpointConfig;
use crate::RecoveryClaimMode;
use crate::option::{MaybeCheckpoint, Text};
use alloc::string::String;
use stillframe_model::CheckpointId;

impl CheckpointConfig {
    /// The checkpoint or savepoint that a new job begins with.
    #[must_use]
    #[doc(alias = "execution.state-recovery.path")]
    #[doc(alias = "SAVEPOINT_PATH")]
    pub fn recovery_path(&self) -> Option<&str> {
        self.settings.recovery_path.as_ref().map(|pointer| pointer.0.as_str())
    }

    /// Sets the checkpoint or savepoint that a new job begins with.
    #[doc(alias = "SAVEPOINT_PATH")]
    #[doc(alias = "execution.state-recovery.path")]
    pub fn set_recovery_path(&mut self, pointer: impl Into<String>) -> &mut Self {
        self.settings.recovery_path = Some(Text(pointer.into()));
        self
    }

    /// Whether state of the [snapshot](Self::recovery_path) that no operator claims is left out instead of refused.
    #[must_use]
    #[doc(alias = "allowNonRestoredState")]
    #[doc(alias = "execution.state-recovery.ignore-unclaimed-state")]
    #[doc(alias = "SAVEPOINT_IGNORE_UNCLAIMED_STATE")]
    pub fn is_ignore_unclaimed_state_enabled(&self) -> bool {
        self.settings.ignore_unclaimed_state()
    }

    /// Sets whether state of the snapshot that no operator claims is left out instead of refused.
    #[doc(alias = "SAVEPOINT_IGNORE_UNCLAIMED_STATE")]
    #[doc(alias = "execution.state-recovery.ignore-unclaimed-state")]
    pub fn set_ignore_unclaimed_state(&mut self, ignore: bool) -> &mut Self {
        self.settings.ignore_unclaimed_state = Some(ignore);
        self
    }

    /// Who owns the snapshot that the job begins with.
    #[must_use]
    #[doc(alias = "execution.state-recovery.claim-mode")]
    #[doc(alias = "RESTORE_MODE")]
    pub fn recovery_claim_mode(&self) -> RecoveryClaimMode {
        self.settings.claim_mode()
    }

    /// Sets who owns the snapshot that the job begins with.
    #[doc(alias = "RESTORE_MODE")]
    #[doc(alias = "execution.state-recovery.claim-mode")]
    pub fn set_recovery_claim_mode(&mut self, mode: RecoveryClaimMode) -> &mut Self {
        self.settings.claim_mode = Some(mode);
        self
    }

    /// Whether workers restore from the copies on their own disk.
    #[must_use]
    #[doc(alias = "execution.state-recovery.from-local")]
    #[doc(alias = "LOCAL_RECOVERY")]
    pub fn is_local_recovery_enabled(&self) -> bool {
        self.settings.local_recovery()
    }

    /// Sets whether workers restore from the copies on their own disk.
    #[doc(alias = "LOCAL_RECOVERY")]
    #[doc(alias = "execution.state-recovery.from-local")]
    pub fn set_local_recovery(&mut self, enabled: bool) -> &mut Self {
        self.settings.local_recovery = Some(enabled);
        self
    }

    /// Whether a failed task alone is restored, without its state.
    #[must_use]
    #[doc(alias = "isApproximateLocalRecoveryEnabled")]
    #[doc(alias = "APPROXIMATE_LOCAL_RECOVERY")]
    #[doc(alias = "execution.state-recovery.approximate-local-recovery")]
    pub fn is_approximate_local_recovery_enabled(&self) -> bool {
        self.settings.approximate_local_recovery()
    }

    /// Sets whether a failed task alone is restored, without its state.
    #[doc(alias = "enableApproximateLocalRecovery")]
    #[doc(alias = "APPROXIMATE_LOCAL_RECOVERY")]
    #[doc(alias = "execution.state-recovery.approximate-local-recovery")]
    pub fn set_approximate_local_recovery(&mut self, enabled: bool) -> &mut Self {
        self.settings.approximate_local_recovery = Some(enabled);
        self
    }

    /// The checkpoint of which records that barriers had overtaken are not restored; `None` (Flink: -1) is no checkpoint.
    #[must_use]
    #[doc(alias = "getCheckpointIdOfIgnoredInFlightData")]
    #[doc(alias = "CHECKPOINT_ID_OF_IGNORED_IN_FLIGHT_DATA")]
    #[doc(alias = "execution.state-recovery.without-channel-state.checkpoint-id")]
    pub fn checkpoint_id_of_ignored_in_flight_data(&self) -> Option<CheckpointId> {
        self.settings.ignored_in_flight_data().get()
    }

    /// Sets the checkpoint of which records that barriers had overtaken are not restored. They are lost.
    #[doc(alias = "setCheckpointIdOfIgnoredInFlightData")]
    #[doc(alias = "CHECKPOINT_ID_OF_IGNORED_IN_FLIGHT_DATA")]
    #[doc(alias = "execution.state-recovery.without-channel-state.checkpoint-id")]
    pub fn set_checkpoint_id_of_ignored_in_flight_data(&mut self, id: Option<CheckpointId>) -> &mut Self {
        self.settings.ignored_in_flight_data = Some(MaybeCheckpoint::new(id));
        self
    }
}
