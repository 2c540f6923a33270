//! What people outside of the process know: it outlives every crash.

use super::Part;
use std::collections::{BTreeMap, BTreeSet};
use stillframe::model::{JobStatus, Pointer};
use stillframe::storage::Claim;

/// What a claim may find.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Outcome {
    pub(crate) retained: BTreeSet<u64>,
    pub(crate) ended: Option<JobStatus>,
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
    /// State that tasks own and have not begun to delete.
    pub(crate) owned: Vec<Part>,
    /// The names of all files that were ever written, with their directories.
    pub(crate) names: BTreeSet<String>,
    /// Files of somebody else, and what is in them.
    pub(crate) foreign: BTreeMap<String, Vec<u8>>,
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
            owned: Vec::new(),
            names: BTreeSet::new(),
            foreign: BTreeMap::new(),
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
        self.outcomes = [found].into();
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
