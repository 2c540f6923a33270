//! Who refers to which shared file, and when nobody can any more.
//!
//! ```text
//!   acknowledged ──▶ pending ──completed──▶ retained ──dropped──▶ waiting ──▶ Removal
//!                       │                      ▲                     │
//!                       └──── given up         └─ referred to again ─┘
//! ```
//!
//! Flink counts uses by the lowest retained id; here the references themselves are kept, one set for each checkpoint. So a
//! file goes when the last set that has it goes, whatever the order in which checkpoints end.

mod references;
mod refusal;

pub(crate) use refusal::Refusal;

use crate::RetainedState;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use references::{Known, References};
use stillframe_model::{CheckpointId, CheckpointKind, StateDirectory, StateFile, TaskSnapshot};

/// The references of all checkpoints that are retained or in progress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Shared {
    retained: BTreeMap<CheckpointId, BTreeSet<StateFile>>,
    pending: BTreeMap<CheckpointId, References>,
    /// Dropped, and not yet safe to remove; oldest first.
    waiting: Vec<Waiting>,
    /// Somebody else's files.
    left: BTreeSet<StateFile>,
    /// Which checkpoint brought a claimed file with it. Its own directory may be the place of that file.
    homes: BTreeMap<StateFile, CheckpointId>,
}

/// A dropped checkpoint that cannot go yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Waiting {
    removal: Removal,
    /// What was in progress when it was dropped, but for savepoints and full checkpoints, which refer to nothing. Each of
    /// them may have been taken by a task that still relied on it.
    until: BTreeSet<CheckpointId>,
    /// Files in places that go with it, to which others may refer.
    houses: BTreeSet<StateFile>,
    /// Those of its files that came from one dropped earlier. What is in progress now was begun after that.
    taken_along: BTreeSet<StateFile>,
}

/// What a dropped checkpoint leaves to be removed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Removal {
    pub(crate) checkpoint: CheckpointId,
    pub(crate) files: BTreeSet<StateFile>,
}

impl Shared {
    pub(crate) fn new(retained: &[RetainedState], left: BTreeSet<StateFile>) -> Self {
        let mut homes = BTreeMap::new();
        for state in retained.iter().filter(|state| state.is_owned) {
            let is_claimed = |file: &&StateFile| {
                matches!(file.directory, StateDirectory::Foreign(_)) && !left.contains(*file)
            };
            for file in state.files.iter().filter(is_claimed) {
                homes.entry(file.clone()).or_insert(state.checkpoint);
            }
        }
        let retained = retained.iter().map(|state| (state.checkpoint, state.files.clone())).collect();
        Self { retained, left, homes, ..Self::default() }
    }

    /// A checkpoint is in progress from now on.
    pub(crate) fn begin(&mut self, checkpoint: CheckpointId, kind: CheckpointKind) {
        self.pending.insert(checkpoint, References::new(kind));
    }

    /// Takes in what one task's part of a checkpoint refers to, or says why the checkpoint cannot be completed with it.
    pub(crate) fn acknowledge(
        &mut self,
        checkpoint: CheckpointId,
        snapshot: &TaskSnapshot,
    ) -> Result<(), Refusal> {
        let Some(references) = self.pending.get_mut(&checkpoint) else { return Ok(()) };
        // What is known of a file is known from everybody else. Empty references in their place cost nothing, whereas
        // an entry that is removed and inserted again is allocated again, once for every task.
        let mut taken = references.take();
        let result = taken.admit(snapshot, |file| self.known(checkpoint, file));
        if let Some(references) = self.pending.get_mut(&checkpoint) {
            *references = taken;
        }
        result
    }

    /// What there is to know about a file before `checkpoint` refers to it.
    fn known(&self, checkpoint: CheckpointId, file: &StateFile) -> Known {
        let is_kept = |waiting: &Waiting| waiting.removal.files.contains(file);
        if self.retained.values().any(|files| files.contains(file))
            || self.waiting.iter().any(|waiting| {
                waiting.until.contains(&checkpoint) && is_kept(waiting) && !waiting.taken_along.contains(file)
            })
        {
            Known::Confirmed
        } else if self.waiting.iter().any(is_kept) || self.pending.values().any(|other| other.contains(file))
        {
            Known::Unconfirmed
        } else {
            Known::Nowhere
        }
    }

    /// A checkpoint is over, and is not retained: it was given up, or is a savepoint.
    pub(crate) fn end(&mut self, checkpoint: CheckpointId) {
        self.pending.remove(&checkpoint);
        for waiting in &mut self.waiting {
            waiting.until.remove(&checkpoint);
        }
    }

    /// A checkpoint is retained from now on, and those that it replaces are not.
    pub(crate) fn complete(&mut self, checkpoint: CheckpointId, dropped: &[CheckpointId]) {
        let files = self.pending.remove(&checkpoint).map(References::into_files).unwrap_or_default();
        for waiting in &mut self.waiting {
            waiting.removal.files.retain(|file| !files.contains(file));
        }
        self.end(checkpoint);
        self.retained.insert(checkpoint, files);
        self.drop_all(dropped);
    }

    /// Checkpoints are not retained any more, oldest first.
    pub(crate) fn drop_all(&mut self, dropped: &[CheckpointId]) {
        for &checkpoint in dropped {
            let mut files = self.retained.remove(&checkpoint).unwrap_or_default();
            files.retain(|file| {
                !self.left.contains(file) && !self.retained.values().any(|others| others.contains(file))
            });
            // A checkpoint that was alone with its state has nothing for which anybody could wait.
            let until = if files.is_empty() { BTreeSet::new() } else { self.may_rely_on_it() };
            let taken_along = self.take_stuck();
            files.extend(taken_along.iter().cloned());
            let houses = self.homes.extract_if(.., |_, home| *home == checkpoint);
            let houses = houses.map(|(file, _)| file).collect();
            self.waiting.push(Waiting { removal: Removal { checkpoint, files }, until, houses, taken_along });
        }
    }

    /// What is in progress and may refer to what exists.
    fn may_rely_on_it(&self) -> BTreeSet<CheckpointId> {
        let builds = |(checkpoint, references): (&CheckpointId, &References)| {
            references.may_build_on_earlier().then_some(*checkpoint)
        };
        self.pending.iter().filter_map(builds).collect()
    }

    /// Files that only wait because a file beside them is needed. They can go with any other checkpoint.
    fn take_stuck(&mut self) -> BTreeSet<StateFile> {
        let is_stuck: Vec<_> =
            self.waiting.iter().map(|waiting| waiting.until.is_empty() && self.is_held(waiting)).collect();
        let stuck = self.waiting.iter_mut().zip(is_stuck).filter(|(_, is_stuck)| *is_stuck);
        stuck.flat_map(|(waiting, _)| core::mem::take(&mut waiting.removal.files)).collect()
    }

    /// Gives out what can be removed now, oldest first.
    ///
    /// # Panics
    /// If a retained checkpoint refers to one of the files.
    pub(crate) fn removable(&mut self) -> Vec<Removal> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let held: Vec<_> = self.waiting.iter().map(|waiting| self.is_held(waiting)).collect();
        let mut held = held.into_iter();
        let ready = self.waiting.extract_if(.., |_| !held.next().unwrap_or(true));
        let ready: Vec<_> = ready.map(|waiting| waiting.removal).collect();
        for Removal { checkpoint, files } in &ready {
            assert!(
                self.retained.values().all(|retained| retained.is_disjoint(files)),
                "a file of checkpoint {checkpoint} would be removed that a retained one refers to"
            );
        }
        ready
    }

    fn is_held(&self, waiting: &Waiting) -> bool {
        let is_needed = |file: &StateFile| {
            self.retained.values().any(|files| files.contains(file))
                || self
                    .waiting
                    .iter()
                    .any(|other| !other.until.is_empty() && other.removal.files.contains(file))
        };
        !waiting.until.is_empty() || waiting.houses.iter().any(is_needed)
    }

    /// Nobody knows any more what is retained, so nothing that waits will ever be removable.
    pub(crate) fn stop(&mut self) {
        self.pending.clear();
        self.waiting.clear();
    }

    pub(crate) fn retained(&self) -> impl Iterator<Item = CheckpointId> + '_ {
        self.retained.keys().copied()
    }

    pub(crate) fn pending(&self) -> impl Iterator<Item = CheckpointId> + '_ {
        self.pending.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stillframe_model::Name;

    const fn id(number: u64) -> CheckpointId {
        CheckpointId::new(number)
    }

    /// Found by the random tests: a file that only waited for another checkpoint's removal looked as if it had been dropped
    /// with that one.
    #[test]
    fn what_a_removal_takes_along_is_no_more_to_be_relied_on_than_before() {
        let file = |directory: StateDirectory, name: &str| StateFile {
            directory,
            name: Name::new(name).expect("a good name"),
        };
        let theirs = |name: &str| file(StateDirectory::Foreign("theirs".into()), name);
        let (a, b, own) = (theirs("a"), theirs("b"), file(StateDirectory::Shared, "own"));
        let claimed = RetainedState::owned(id(7), [a.clone(), b.clone()]);
        let mut shared = Shared::new(&[claimed], BTreeSet::new());
        shared.retained.insert(id(8), [a.clone(), own.clone()].into());
        shared.drop_all(&[id(7)]);
        shared.begin(id(12), CheckpointKind::Checkpoint);
        shared.retained.insert(id(9), [a].into());
        shared.drop_all(&[id(8)]);
        assert_eq!(shared.known(id(12), &own), Known::Confirmed, "it was retained when 12 began");
        assert_eq!(shared.known(id(12), &b), Known::Unconfirmed, "it was not");
    }
}
