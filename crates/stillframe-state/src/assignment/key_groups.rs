//! Keyed state.

use super::KeyGroupRun;
use crate::key_group;
use stillframe_model::{KeyGroupRange, TaskSnapshot};

/// For each new subtask, what it reads of which old one, in the order of the old ones.
pub(super) fn assign(old: &[TaskSnapshot], parallelism: u32, max_parallelism: u16) -> Vec<Vec<KeyGroupRun>> {
    let mut new: Vec<Vec<KeyGroupRun>> = (0..parallelism).map(|_| Vec::new()).collect();
    let is_rescaled = new.len() != old.len();
    for ((snapshot, subtask), index) in old.iter().zip(0..).zip(0..) {
        let Some(groups) = snapshot.keyed.as_ref().map(|keyed| keyed.range) else { continue };
        if !is_rescaled {
            new.get_mut(index).into_iter().for_each(|runs| runs.push(KeyGroupRun { subtask, groups }));
            continue;
        }
        let owner = |group| key_group::subtask_of(group, parallelism, max_parallelism);
        for owner in owner(groups.start)..=owner(groups.end) {
            let groups = intersection(groups, key_group::range_of(owner, parallelism, max_parallelism));
            let runs = usize::try_from(owner).ok().and_then(|owner| new.get_mut(owner));
            runs.into_iter().for_each(|runs| runs.push(KeyGroupRun { subtask, groups }));
        }
    }
    new
}

/// What two ranges that share a group have in common.
fn intersection(one: KeyGroupRange, other: KeyGroupRange) -> KeyGroupRange {
    KeyGroupRange { start: one.start.max(other.start), end: one.end.min(other.end) }
}
