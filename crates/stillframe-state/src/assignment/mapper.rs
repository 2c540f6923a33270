//! Whose channel state goes to whom.

use crate::key_group;
use std::collections::BTreeSet;
use std::sync::Arc;
use stillframe_model::KeyGroupRange;

/// How records that were under way are divided among the subtasks of another parallelism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubtaskStateMapper {
    /// Each old subtask to some new one. It is done in turn.
    Arbitrary,
    /// Each old subtask to one new one, in turn.
    RoundRobin,
    /// All to the first.
    First,
    /// All to everybody, who then keep what is theirs.
    Full,
    /// To whoever owns some of the key groups now, who then keep what is theirs.
    Range,
    /// They cannot be divided: who gets which record depends on the number of subtasks in a way that nobody can undo.
    Unsupported,
}

impl SubtaskStateMapper {
    /// Whether records of one old subtask may go to several new ones, which have to look at each record.
    #[must_use]
    pub const fn is_ambiguous(self) -> bool {
        match self {
            Self::Full | Self::Range => true,
            Self::Arbitrary | Self::RoundRobin | Self::First | Self::Unsupported => false,
        }
    }

    /// Which old subtasks each new one reads. `None` if they cannot be divided.
    ///
    /// # Panics
    /// With [`Range`](Self::Range), if there are no new subtasks.
    #[must_use]
    pub fn mapping(self, old: u32, new: u32) -> Option<SubtaskMapping> {
        let old_of: Vec<Arc<[u32]>> = match self {
            Self::Arbitrary | Self::RoundRobin => {
                (0..new).map(|subtask| in_turn(subtask, old, new)).collect()
            }
            Self::First => {
                let first = |subtask| if subtask == 0 { (0..old).collect() } else { Arc::default() };
                (0..new).map(first).collect()
            }
            Self::Full => {
                let all: Arc<[u32]> = (0..old).collect();
                (0..new).map(|_| Arc::clone(&all)).collect()
            }
            Self::Range => (0..new).map(|subtask| owners(subtask, old, new)).collect(),
            Self::Unsupported => return None,
        };
        Some(SubtaskMapping { old, old_of })
    }
}

fn in_turn(subtask: u32, old: u32, new: u32) -> Arc<[u32]> {
    let step = usize::try_from(new).unwrap_or(usize::MAX);
    (subtask..old).step_by(step).collect()
}

/// The old owners of the key groups that a subtask owns now. Divided finely enough, it does not matter how many groups
/// there really are.
fn owners(subtask: u32, old: u32, new: u32) -> Arc<[u32]> {
    let KeyGroupRange { start, end } = key_group::range_of(subtask, new, key_group::MAX_PARALLELISM);
    let owner = |group| key_group::subtask_of(group, old, key_group::MAX_PARALLELISM);
    (owner(start)..=owner(end)).collect()
}

/// For each new subtask, the old ones whose channel state it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubtaskMapping {
    old: u32,
    old_of: Vec<Arc<[u32]>>,
}

impl SubtaskMapping {
    /// Each keeps what it had.
    #[must_use]
    pub fn identity(parallelism: u32) -> Self {
        Self { old: parallelism, old_of: (0..parallelism).map(|subtask| Arc::from([subtask])).collect() }
    }

    /// The old subtasks that a new one reads, in ascending order.
    #[must_use]
    pub fn old_subtasks(&self, new: u32) -> &[u32] {
        usize::try_from(new).ok().and_then(|new| self.old_of.get(new)).map_or(&[], |old| old)
    }

    /// The new subtasks that read an old one, in ascending order.
    pub fn new_subtasks(&self, old: u32) -> impl Iterator<Item = u32> {
        let reads = move |(_, subtasks): &(u32, &Arc<[u32]>)| subtasks.binary_search(&old).is_ok();
        (0..).zip(&self.old_of).filter(reads).map(|(new, _)| new)
    }

    /// Whether each old subtask is read by the new one with its number and by nobody else. There may be more new ones.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        // Somebody reads each old subtask, so none is left when nobody reads another than its own.
        let mut old = 0..self.old;
        self.old_of.iter().all(|subtasks| subtasks[..] == *old.next().as_slice())
    }

    /// The old subtasks that several new ones read.
    #[must_use]
    pub fn ambiguous(&self) -> BTreeSet<u32> {
        let mut seen = BTreeSet::new();
        self.old_of.iter().flat_map(|old| old.iter().copied()).filter(|old| !seen.insert(*old)).collect()
    }
}
