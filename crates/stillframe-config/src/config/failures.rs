//! How many failures are too many.

use super::CheckpointConfig;
use crate::option::Natural;

impl CheckpointConfig {
    /// The [tolerable number](Self::tolerable_checkpoint_failure_number) that is any number: 2147483647, as in Flink.
    pub const UNLIMITED_TOLERABLE_FAILURE_NUMBER: u32 = Natural::MAX.get();

    /// How many checkpoints may fail in a row before the job does.
    #[must_use]
    #[doc(alias = "get_tolerable_checkpoint_failure_number")]
    #[doc(alias = "getTolerableCheckpointFailureNumber")]
    pub fn tolerable_checkpoint_failure_number(&self) -> u32 {
        self.settings.tolerable_failures().get()
    }

    /// Sets how many checkpoints may fail in a row before the job does;
    /// [`UNLIMITED_TOLERABLE_FAILURE_NUMBER`](Self::UNLIMITED_TOLERABLE_FAILURE_NUMBER) and beyond is any number.
    #[doc(alias = "setTolerableCheckpointFailureNumber")]
    pub fn set_tolerable_checkpoint_failure_number(&mut self, number: u32) -> &mut Self {
        self.settings.tolerable_failures = Some(Natural::new(number));
        self
    }

    /// Whether the first checkpoint that fails makes the job fail.
    #[must_use]
    #[doc(alias = "isFailOnCheckpointingErrors")]
    pub fn is_fail_on_checkpointing_errors(&self) -> bool {
        self.tolerable_checkpoint_failure_number() == 0
    }

    /// Makes the job fail with the first checkpoint that fails, or with none of them. As in Flink this is only heard as long
    /// as the [number](Self::set_tolerable_checkpoint_failure_number) has not been set, and sets it: a second call has no
    /// effect.
    #[doc(alias = "setFailOnCheckpointingErrors")]
    pub fn set_fail_on_checkpointing_errors(&mut self, fail: bool) -> &mut Self {
        let number = if fail { Natural::new(0) } else { Natural::MAX };
        self.settings.tolerable_failures.get_or_insert(number);
        self
    }
}
