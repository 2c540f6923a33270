//! When failed checkpoints fail the job.

use alloc::collections::BTreeSet;
use stillframe_config::FailureTolerance;
use stillframe_model::{CheckpointId, FailureReason};

/// Counts failed checkpoints since the last that succeeded. The rules are those of Flink's failure manager.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tolerance {
    policy: FailureTolerance,
    counted: BTreeSet<CheckpointId>,
    last_success: Option<CheckpointId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Tolerated,
    TooMany,
}

impl Tolerance {
    pub(crate) fn new(policy: FailureTolerance) -> Self {
        Self { policy, counted: BTreeSet::new(), last_success: None }
    }

    /// A failure of one checkpoint counts once, whatever number of tasks report it.
    pub(crate) fn failed(&mut self, checkpoint: CheckpointId, reason: FailureReason) -> Verdict {
        let FailureTolerance::UpTo(tolerable) = self.policy else { return Verdict::Tolerated };
        if !reason.counts_toward_tolerance() || self.last_success.is_some_and(|last| checkpoint <= last) {
            return Verdict::Tolerated;
        }
        self.counted.insert(checkpoint);
        if self.counted.len() as u64 > u64::from(tolerable) {
            self.counted.clear();
            return Verdict::TooMany;
        }
        Verdict::Tolerated
    }

    pub(crate) fn succeeded(&mut self, checkpoint: CheckpointId) {
        if self.last_success.is_none_or(|last| checkpoint > last) {
            self.last_success = Some(checkpoint);
            self.counted.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(number: u64) -> CheckpointId {
        CheckpointId::new(number)
    }

    #[test]
    fn counts_each_checkpoint_once_and_forgets_on_success() {
        let mut tolerance = Tolerance::new(FailureTolerance::UpTo(1));
        let expired = FailureReason::CheckpointExpired;
        assert_eq!(tolerance.failed(id(1), expired), Verdict::Tolerated);
        assert_eq!(tolerance.failed(id(1), expired), Verdict::Tolerated);
        assert_eq!(tolerance.failed(id(2), FailureReason::CheckpointSubsumed), Verdict::Tolerated);
        tolerance.succeeded(id(3));
        assert_eq!(tolerance.failed(id(2), expired), Verdict::Tolerated, "older than the last success");
        assert_eq!(tolerance.failed(id(4), expired), Verdict::Tolerated);
        assert_eq!(tolerance.failed(id(5), expired), Verdict::TooMany);
        assert_eq!(tolerance.failed(id(6), expired), Verdict::Tolerated, "counting begins anew");
    }

    #[test]
    fn unlimited_never_trips() {
        let mut tolerance = Tolerance::new(FailureTolerance::Unlimited);
        assert!(
            (1..5_000)
                .all(|n| tolerance.failed(id(n), FailureReason::CheckpointExpired) == Verdict::Tolerated)
        );
    }
}
