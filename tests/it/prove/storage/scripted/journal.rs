//! What people outside of the process know: it outlives every crash.

use super::Part;
use std::collections::{BTreeMap, BTreeSet};
use stillframe::model::{CheckpointId, JobStatus, Pointer};
use stillframe::storage::{Claim, Ownership};

/// What a claim may find.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Outcome {
    pub(crate) retained: BTreeSet<u64>,
    pub(crate) ended: Option<JobStatus>,
}

/// A snapshot of another job with which this one is to begin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Snapshot {
    pub(crate) pointer: Pointer,
    pub(crate) id: CheckpointId,
    pub(crate) ownership: Ownership,
    /// What it consists of, file by file.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Whether the job may have taken it over and then dropped it. Before that none of its files may be touched.
    pub(crate) is_given_up: bool,
}

/// Everything that somebody was told, and that has to stay true.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Journal {
    /// What the register may say: one thing, or one of two while a commit is under way or its outcome unknown.
    pub(crate) outcomes: BTreeSet<Outcome>,
    /// The highest id that any coordinator ever began.
    pub(crate) begun: u64,
    /// Checkpoints that are dropped or given up and could not be removed: there may be something left of them, and the next
    /// sweep sees to it.
    pub(crate) left_behind: BTreeSet<u64>,
    /// Savepoints that were reported.
    pub(crate) savepoints: Vec<Pointer>,
    /// Directories of savepoints of which it was reported that they are gone.
    pub(crate) disposed: BTreeSet<String>,
    /// State that tasks own and have not begun to delete.
    pub(crate) owned: Vec<Part>,
    /// The names of all files that were ever written, with their directories.
    pub(crate) names: BTreeSet<String>,
    /// Files of somebody else, and what is in them.
    pub(crate) foreign: BTreeMap<String, Vec<u8>>,
    pub(crate) snapshot: Option<Snapshot>,
    /// Directories of others from which the job was told that it may read.
    pub(crate) left: BTreeSet<String>,
    /// What was seen to be wrong.
    pub(crate) wrong: Vec<String>,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            outcomes: [Outcome::default()].into(),
            begun: 0,
            left_behind: BTreeSet::new(),
            savepoints: Vec::new(),
            disposed: BTreeSet::new(),
            owned: Vec::new(),
            names: BTreeSet::new(),
            foreign: BTreeMap::new(),
            snapshot: None,
            left: BTreeSet::new(),
            wrong: Vec::new(),
        }
    }
}

impl Journal {
    /// A coordinator was told this. From now on it is so.
    pub(super) fn claimed(&mut self, claim: &Claim) {
        let retained = claim.retained.iter().map(|id| id.get()).collect();
        let found = Outcome { retained, ended: claim.ended };
        if !self.outcomes.contains(&found) {
            self.wrong.push(format!("{found:?} is claimed, expected one of {:?}", self.outcomes));
        }
        if claim.next.get() <= self.begun {
            self.wrong.push(format!("id {} is given out, and {} was used before", claim.next, self.begun));
        }
        if let Some(lost) = self.left.iter().find(|left| !claim.left.iter().any(|known| **known == ***left)) {
            self.wrong.push(format!("the register has forgotten that {lost} may be read"));
        }
        self.outcomes = [found].into();
    }

    /// Something is about to be written down after which this is so. Says whether the snapshot may have been given up before.
    pub(super) fn gives_up(&mut self, after: &Outcome) -> bool {
        let Some(snapshot) = &mut self.snapshot else { return false };
        let id = snapshot.id.get();
        let was_given_up = snapshot.is_given_up;
        let is_there = self.outcomes.iter().any(|outcome| outcome.retained.contains(&id));
        snapshot.is_given_up |= is_there && !after.retained.contains(&id);
        was_given_up
    }

    /// Whether a claim will find this checkpoint, whatever became of the last commit.
    pub(crate) fn retains_for_certain(&self, id: u64) -> bool {
        self.outcomes.iter().all(|outcome| outcome.retained.contains(&id))
    }

    /// What the register says for certain; the first of two things it may say otherwise.
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcomes.first().cloned().unwrap_or_default()
    }

    /// A file was created under this name, in this directory.
    pub(super) fn named(&mut self, file: String) {
        if self.names.contains(&file) {
            self.wrong.push(format!("{file} is the name of two files"));
        }
        self.names.insert(file);
    }
}
