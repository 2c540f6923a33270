//! What to do with what an earlier run left behind.

use alloc::vec::Vec;
use stillframe_model::CheckpointId;

/// How a job goes on. Made by [`plan_recovery`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recovery {
    /// The checkpoint to restore; `None` for a job that has none.
    pub restore: Option<CheckpointId>,
    /// Completed checkpoints that the job still owns, oldest first.
    pub retained: Vec<CheckpointId>,
    /// Checkpoints that were begun and not completed. Nothing refers to them, so they can go at any time.
    pub orphans: Vec<CheckpointId>,
    /// The first id that was never used.
    pub next: CheckpointId,
}

/// Decides what to restore from what a storage found: the newest completed checkpoint, always. An older one would be a
/// step back behind output that sinks may have committed; if the newest cannot be read, a person has to decide.
#[must_use]
pub fn plan_recovery(completed: &[CheckpointId], incomplete: &[CheckpointId]) -> Recovery {
    let mut retained = completed.to_vec();
    retained.sort_unstable();
    let restore = retained.last().copied();
    let newest = restore.max(incomplete.iter().max().copied());
    Recovery {
        restore,
        retained,
        orphans: incomplete.to_vec(),
        next: newest.map_or(CheckpointId::FIRST, CheckpointId::next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn ids(numbers: &[u64]) -> Vec<CheckpointId> {
        numbers.iter().copied().map(CheckpointId::new).collect()
    }

    #[test]
    fn restores_the_newest_and_never_uses_an_id_twice() {
        assert_eq!(
            plan_recovery(&ids(&[10, 9]), &ids(&[8, 12])),
            Recovery {
                restore: Some(CheckpointId::new(10)),
                retained: ids(&[9, 10]),
                orphans: ids(&[8, 12]),
                next: CheckpointId::new(13),
            }
        );
    }

    #[test]
    fn a_directory_with_the_last_of_all_ids_is_no_reason_to_panic() {
        let last = CheckpointId::new(u64::MAX);
        assert_eq!(plan_recovery(&[], &[last]).next, last, "which its storage refuses to begin again");
    }

    #[test]
    fn a_job_without_a_past_begins_with_the_first_id() {
        let fresh = Recovery { restore: None, retained: vec![], orphans: vec![], next: CheckpointId::FIRST };
        assert_eq!(plan_recovery(&[], &[]), fresh);
    }
}
