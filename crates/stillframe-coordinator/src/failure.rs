//! When failed checkpoints fail the job: Flink's failure manager, which answers instead of calling back.
//!
//! ```
//! use stillframe_config::FailureTolerance;
//! use stillframe_coordinator::failure::{Failure, Tolerance, Verdict};
//! use stillframe_model::{CheckpointId, FailureReason};
//!
//! let expired = |number| Failure {
//!     checkpoint: Some(CheckpointId::new(number)),
//!     reason: FailureReason::CheckpointExpired,
//!     is_savepoint: false,
//!     is_synchronous: false,
//!     by_task: false,
//! };
//! let mut tolerance = Tolerance::new(FailureTolerance::UpTo(1));
//! assert_eq!(tolerance.failed(expired(1)), Verdict::Tolerated);
//! tolerance.succeeded(CheckpointId::new(2));
//! assert_eq!(tolerance.failed(expired(3)), Verdict::Tolerated);
//! assert_eq!(tolerance.failed(expired(4)), Verdict::TooMany);
//! ```

use alloc::collections::BTreeSet;
use stillframe_config::FailureTolerance;
use stillframe_model::{CheckpointId, FailurePhase, FailureReason};

/// A checkpoint or savepoint that did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    /// Its id; `None` if it failed before it got one.
    pub checkpoint: Option<CheckpointId>,
    /// Why.
    pub reason: FailureReason,
    /// Whether it was to be a savepoint.
    pub is_savepoint: bool,
    /// Whether the job was to stop with it.
    pub is_synchronous: bool,
    /// Whether a task failed it. A reason that comes before the trigger is never a task's.
    pub by_task: bool,
}

/// What a failure means for the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a job that has to fail should"]
pub enum Verdict {
    /// Nothing.
    Tolerated,
    /// More checkpoints failed than are tolerated: the job fails, and counting begins anew.
    TooMany,
    /// The job was to stop with this savepoint and tasks may have ended their work for it, so the job fails.
    CannotStop,
}

/// Counts failed checkpoints since the last that succeeded. The rules are those of Flink's failure manager.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tolerance {
    policy: FailureTolerance,
    /// Those of the counted that have an id.
    counted: BTreeSet<CheckpointId>,
    /// Those that failed before they got one.
    without_id: u64,
    last_success: Option<CheckpointId>,
}

impl Tolerance {
    /// Begins to count.
    #[must_use]
    pub const fn new(policy: FailureTolerance) -> Self {
        Self { policy, counted: BTreeSet::new(), without_id: 0, last_success: None }
    }

    /// A failure of one checkpoint counts once, whatever number of tasks report it, and only if nothing newer succeeded.
    /// A savepoint that fails without the fault of a task, for a mistyped target for example, says nothing about the job.
    pub fn failed(&mut self, failure: Failure) -> Verdict {
        let Failure { checkpoint, reason, is_savepoint, is_synchronous, by_task } = failure;
        let by_task = by_task && reason.phase() == FailurePhase::AfterTrigger;
        match (is_savepoint, by_task) {
            (true, false) => Verdict::Tolerated,
            (true, true) if is_synchronous => Verdict::CannotStop,
            _ => self.count(checkpoint, reason),
        }
    }

    fn count(&mut self, checkpoint: Option<CheckpointId>, reason: FailureReason) -> Verdict {
        let FailureTolerance::UpTo(tolerable) = self.policy else { return Verdict::Tolerated };
        if !reason.counts_toward_tolerance() {
            return Verdict::Tolerated;
        }
        match checkpoint {
            Some(known) if self.last_success.is_some_and(|last| known <= last) => return Verdict::Tolerated,
            Some(known) => {
                self.counted.insert(known);
            }
            None => self.without_id = self.without_id.saturating_add(1),
        }
        if (self.counted.len() as u64).saturating_add(self.without_id) > u64::from(tolerable) {
            self.forget();
            return Verdict::TooMany;
        }
        Verdict::Tolerated
    }

    /// A checkpoint or savepoint completed. One that is older than the last changes nothing.
    pub fn succeeded(&mut self, checkpoint: CheckpointId) {
        if self.last_success.is_none_or(|last| checkpoint > last) {
            self.last_success = Some(checkpoint);
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.counted.clear();
        self.without_id = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(number: u64) -> CheckpointId {
        CheckpointId::new(number)
    }

    const fn expired(number: u64) -> Failure {
        Failure {
            checkpoint: Some(id(number)),
            reason: FailureReason::CheckpointExpired,
            is_savepoint: false,
            is_synchronous: false,
            by_task: false,
        }
    }

    const WITHOUT_ID: Failure =
        Failure { checkpoint: None, reason: FailureReason::IoException, ..expired(0) };

    fn tolerating(number: u32) -> Tolerance {
        Tolerance::new(FailureTolerance::UpTo(number))
    }

    #[test]
    fn counts_each_checkpoint_once_and_forgets_on_success() {
        let mut tolerance = tolerating(1);
        assert_eq!(tolerance.failed(expired(1)), Verdict::Tolerated);
        assert_eq!(tolerance.failed(expired(1)), Verdict::Tolerated);
        let subsumed = Failure { reason: FailureReason::CheckpointSubsumed, ..expired(2) };
        assert_eq!(tolerance.failed(subsumed), Verdict::Tolerated);
        tolerance.succeeded(id(3));
        assert_eq!(tolerance.failed(expired(2)), Verdict::Tolerated, "older than the last success");
        assert_eq!(tolerance.failed(expired(3)), Verdict::Tolerated, "it has succeeded");
        assert_eq!(tolerance.failed(expired(4)), Verdict::Tolerated);
        tolerance.succeeded(id(2));
        assert_eq!(tolerance.failed(expired(5)), Verdict::TooMany, "an older success forgets nothing");
        assert_eq!(tolerance.failed(expired(6)), Verdict::Tolerated, "counting begins anew");
        assert_eq!(tolerance.failed(expired(5)), Verdict::TooMany, "and knows nobody any more");
    }

    #[test]
    fn without_an_id_each_counts() {
        let mut tolerance = tolerating(2);
        tolerance.succeeded(id(9));
        assert_eq!(tolerance.failed(WITHOUT_ID), Verdict::Tolerated);
        assert_eq!(tolerance.failed(expired(10)), Verdict::Tolerated);
        assert_eq!(tolerance.failed(WITHOUT_ID), Verdict::TooMany);
        assert_eq!(tolerance.failed(WITHOUT_ID), Verdict::Tolerated);
        tolerance.succeeded(id(11));
        assert_eq!(tolerance.failed(WITHOUT_ID), Verdict::Tolerated);
        assert_eq!(tolerance.failed(WITHOUT_ID), Verdict::Tolerated);
    }

    #[test]
    fn a_savepoint_counts_by_the_fault_of_a_task_and_always_fails_a_job_that_stops_with_it() {
        let savepoint = Failure { is_savepoint: true, ..expired(1) };
        let stop = Failure { is_synchronous: true, ..savepoint };
        let by_task = |failure| Failure { by_task: true, ..failure };
        assert_eq!(tolerating(0).failed(savepoint), Verdict::Tolerated);
        assert_eq!(tolerating(0).failed(stop), Verdict::Tolerated);
        assert_eq!(tolerating(0).failed(by_task(savepoint)), Verdict::TooMany);
        assert_eq!(tolerating(1).failed(by_task(savepoint)), Verdict::Tolerated);
        let declined = Failure { reason: FailureReason::CheckpointDeclinedTaskNotReady, ..by_task(stop) };
        for mut tolerance in [tolerating(1), Tolerance::new(FailureTolerance::Unlimited)] {
            assert_eq!(tolerance.failed(declined), Verdict::CannotStop);
        }
        let before_the_trigger = Failure { reason: FailureReason::IoException, ..by_task(stop) };
        assert_eq!(tolerating(0).failed(before_the_trigger), Verdict::Tolerated);
    }

    #[test]
    fn unlimited_never_trips() {
        let mut tolerance = Tolerance::new(FailureTolerance::Unlimited);
        assert!((1..5_000).all(|number| tolerance.failed(expired(number)) == Verdict::Tolerated));
    }
}
