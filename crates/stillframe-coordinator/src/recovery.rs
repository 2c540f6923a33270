//! With what a job goes on: what is restored, what is retained, and what the first checkpoints may build on.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use stillframe_config::RecoveryClaimMode;
use stillframe_model::{CheckpointId, StateFile};

/// How a job goes on. Made by [`plan_recovery`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recovery {
    /// The checkpoint to restore; `None` for a job that has none.
    pub restore: Option<CheckpointId>,
    /// The completed checkpoints on whose state later ones may build, oldest first.
    pub retained: Vec<RetainedState>,
    /// The first id that was never used. It is behind that of every snapshot that is restored or retained.
    pub next: CheckpointId,
    /// Whether checkpoints may refer to no earlier state until the first of them is complete.
    pub full_first: bool,
    /// Files that belong to somebody else. Checkpoints may refer to them, and they are never removed.
    pub left: BTreeSet<StateFile>,
}

/// A completed checkpoint as it is found, and what it shares with others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RetainedState {
    /// Its id.
    pub checkpoint: CheckpointId,
    /// The files in its metadata that belong to more than this checkpoint, as later ones would name them: those in the
    /// job's shared directory and in foreign ones. Of a snapshot that another job took, these are all of its files.
    pub files: BTreeSet<StateFile>,
    /// Whether the job removes it when a newer one replaces it. A snapshot that is left to its owner is not owned.
    pub is_owned: bool,
}

impl RetainedState {
    /// A checkpoint that the job took or claimed.
    #[must_use]
    pub fn owned(checkpoint: CheckpointId, files: impl IntoIterator<Item = StateFile>) -> Self {
        Self { checkpoint, files: files.into_iter().collect(), is_owned: true }
    }

    /// A snapshot that another job took and that stays its owner's.
    #[must_use]
    pub fn left(checkpoint: CheckpointId, files: impl IntoIterator<Item = StateFile>) -> Self {
        Self { checkpoint, files: files.into_iter().collect(), is_owned: false }
    }
}

/// Decides what to restore from the completed checkpoints that a storage has: the newest of the job's own, always. An older
/// one would be a step back behind output that sinks may have committed; if the newest cannot be read, a person has to
/// decide. A snapshot that was left to its owner is restored only as long as the job has completed none of its own.
///
/// `left` are the files of such snapshots that checkpoints among `found` refer to, `next` is the first id that the storage
/// lets this coordinator use, and `mode` says what may be done with a snapshot that is not owned:
/// [`Legacy`](RecoveryClaimMode::Legacy) builds on it, everything else takes a full checkpoint first.
#[must_use]
pub fn plan_recovery(
    found: Vec<RetainedState>,
    left: BTreeSet<StateFile>,
    next: CheckpointId,
    mode: RecoveryClaimMode,
) -> Recovery {
    let mut retained = found;
    retained.sort_by_key(|state| (state.checkpoint, !state.is_owned));
    let newest = |is_owned: bool| {
        retained.iter().rfind(|state| state.is_owned == is_owned).map(|state| state.checkpoint)
    };
    let restore = newest(true).or(newest(false));
    let newest_of_all = retained.last().map(|state| state.checkpoint);
    let full_first = newest(true).is_none() && restore.is_some() && mode != RecoveryClaimMode::Legacy;
    let foreign = retained.iter().filter(|state| !state.is_owned).flat_map(|state| state.files.clone());
    let left = left.into_iter().chain(foreign).collect();
    retained.retain(|state| state.is_owned || mode == RecoveryClaimMode::Legacy);
    // One id is one checkpoint, and what the job owns comes first. The files of another snapshot of that id stay its owner's.
    retained.dedup_by_key(|state| state.checkpoint);
    Recovery {
        restore,
        retained,
        next: next.max(newest_of_all.map_or(CheckpointId::FIRST, CheckpointId::next)),
        full_first,
        left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use stillframe_model::{Name, StateDirectory};

    const fn id(number: u64) -> CheckpointId {
        CheckpointId::new(number)
    }

    fn foreign(name: &str) -> StateFile {
        StateFile {
            directory: StateDirectory::Foreign("theirs".into()),
            name: Name::new(name).expect("a good name"),
        }
    }

    fn own(number: u64) -> RetainedState {
        RetainedState::owned(id(number), [])
    }

    #[test]
    fn restores_the_newest_and_goes_on_behind_every_id() {
        let recovery =
            plan_recovery(vec![own(10), own(9)], BTreeSet::new(), id(12), RecoveryClaimMode::NoClaim);
        let expected = Recovery {
            restore: Some(id(10)),
            retained: vec![own(9), own(10)],
            next: id(12),
            full_first: false,
            left: BTreeSet::new(),
        };
        assert_eq!(recovery, expected);
    }

    #[test]
    fn an_adopted_snapshot_pushes_the_ids_behind_its_own() {
        for mode in RecoveryClaimMode::ALL {
            let left = RetainedState::left(id(70), []);
            assert_eq!(plan_recovery(vec![left], BTreeSet::new(), id(1), mode).next, id(71), "{mode:?}");
        }
    }

    #[test]
    fn a_directory_with_the_last_of_all_ids_is_no_reason_to_panic() {
        let last = CheckpointId::new(u64::MAX);
        let found = vec![own(u64::MAX)];
        let recovery = plan_recovery(found, BTreeSet::new(), last, RecoveryClaimMode::Claim);
        assert_eq!(recovery.next, last, "which its storage refuses to begin again");
    }

    #[test]
    fn a_job_without_a_past_begins_with_the_first_id() {
        let recovery =
            plan_recovery(vec![], BTreeSet::new(), CheckpointId::FIRST, RecoveryClaimMode::NoClaim);
        assert_eq!((recovery.restore, recovery.next), (None, CheckpointId::FIRST));
        assert!(!recovery.full_first, "there is nothing that a checkpoint could refer to");
    }

    #[test]
    fn who_leaves_a_snapshot_to_its_owner_begins_with_a_full_checkpoint_or_keeps_relying_on_it() {
        let theirs = || RetainedState::left(id(7), [foreign("a")]);
        let plan = |mode| plan_recovery(vec![theirs()], BTreeSet::new(), id(8), mode);
        let no_claim = plan(RecoveryClaimMode::NoClaim);
        assert_eq!((no_claim.restore, no_claim.full_first), (Some(id(7)), true));
        assert_eq!(no_claim.retained, [], "nothing may be built on it");
        assert_eq!(no_claim.left, [foreign("a")].into());

        let legacy = plan(RecoveryClaimMode::Legacy);
        assert_eq!((legacy.restore, legacy.full_first), (Some(id(7)), false));
        assert_eq!((legacy.retained, legacy.left), (vec![theirs()], [foreign("a")].into()));
    }

    #[test]
    fn a_claimed_snapshot_is_an_own_checkpoint() {
        let claimed = RetainedState::owned(id(7), [foreign("a")]);
        let recovery = plan_recovery(vec![claimed.clone()], BTreeSet::new(), id(8), RecoveryClaimMode::Claim);
        assert_eq!((recovery.restore, recovery.full_first), (Some(id(7)), false));
        assert_eq!((recovery.retained, recovery.left), (vec![claimed], BTreeSet::new()));
    }

    #[test]
    fn of_two_snapshots_with_one_id_the_jobs_own_is_retained_and_the_files_of_the_other_are_left() {
        for mode in RecoveryClaimMode::ALL {
            let found = vec![RetainedState::left(id(7), [foreign("a")]), own(7)];
            let recovery = plan_recovery(found, BTreeSet::new(), id(8), mode);
            assert_eq!((recovery.restore, recovery.retained), (Some(id(7)), vec![own(7)]), "{mode:?}");
            assert_eq!(recovery.left, [foreign("a")].into(), "{mode:?}");
        }
    }

    #[test]
    fn the_jobs_own_progress_comes_before_what_it_began_with() {
        for mode in RecoveryClaimMode::ALL {
            let found = vec![RetainedState::left(id(70), [foreign("a")]), own(3)];
            let recovery = plan_recovery(found, [foreign("b")].into(), id(4), mode);
            assert_eq!((recovery.restore, recovery.full_first), (Some(id(3)), false), "{mode:?}");
            assert_eq!(recovery.next, id(71), "{mode:?}");
            assert_eq!(recovery.left, [foreign("a"), foreign("b")].into(), "{mode:?}");
        }
    }
}
