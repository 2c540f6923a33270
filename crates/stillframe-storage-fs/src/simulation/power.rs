//! What is on a disk after a loss of power: the subsets of what was not synced.

use super::SimDisk;
use super::image::{Effect, Image};
use core::fmt;
use std::sync::Arc;

/// Which subsets of the unsynced effects to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Coverage {
    /// Up to this many effects, every subset. With more of them, the empty and the full one, each prefix, those that
    /// have or miss a single effect, and those chosen by the next fields.
    pub every_subset_up_to: u32,
    /// Up to this many effects, also those that have or miss just two.
    pub pairs_up_to: usize,
    /// How many random subsets besides.
    pub random: usize,
    /// Where the random ones begin.
    pub seed: u64,
}

impl Default for Coverage {
    fn default() -> Self {
        Self { every_subset_up_to: 9, pairs_up_to: 20, random: 32, seed: 0x5711_1f4a }
    }
}

/// Which effects survived.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Survivors {
    kept: Vec<usize>,
    of: usize,
}

impl fmt::Display for Survivors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {} unsynced effects survived", self.kept, self.of)
    }
}

/// Every disk that a loss of power may leave, as far as the [`Coverage`] goes. The same image may come twice.
pub struct AfterPowerLoss {
    durable: Image,
    unsynced: Vec<Arc<Effect>>,
    next_inode: u64,
    subsets: Box<dyn Iterator<Item = Vec<usize>> + Send>,
}

impl AfterPowerLoss {
    pub(super) fn new(
        durable: Image,
        unsynced: Vec<Arc<Effect>>,
        next_inode: u64,
        coverage: &Coverage,
    ) -> Self {
        let subsets = subsets(unsynced.len(), coverage);
        Self { durable, unsynced, next_inode, subsets }
    }
}

impl Iterator for AfterPowerLoss {
    type Item = (Survivors, SimDisk);

    fn next(&mut self) -> Option<Self::Item> {
        let kept = self.subsets.next()?;
        let mut image = self.durable.clone();
        kept.iter().for_each(|i| image.apply(&self.unsynced[*i]));
        let survivors = Survivors { kept, of: self.unsynced.len() };
        Some((survivors, SimDisk::holding(image, self.next_inode)))
    }
}

impl fmt::Debug for AfterPowerLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterPowerLoss").field("unsynced", &self.unsynced).finish_non_exhaustive()
    }
}

fn subsets(n: usize, coverage: &Coverage) -> Box<dyn Iterator<Item = Vec<usize>> + Send> {
    let few = u32::try_from(n).ok().filter(|few| *few <= coverage.every_subset_up_to.min(u64::BITS - 1));
    if let Some(few) = few {
        return Box::new((0..1_u64 << few).map(move |bits| (0..n).filter(|i| bits >> i & 1 == 1).collect()));
    }
    let prefixes = (0..=n).map(|len| (0..len).collect());
    let single = (0..n).map(|i| vec![i]);
    let missing = (0..n).map(move |i| (0..n).filter(|j| *j != i).collect());
    let paired = if n <= coverage.pairs_up_to { n } else { 0 };
    let pairs = move || (0..paired).flat_map(move |i| (i + 1..paired).map(move |j| (i, j)));
    let two = pairs().map(|(i, j)| vec![i, j]);
    let missing_two = pairs().map(move |(i, j)| (0..n).filter(|k| *k != i && *k != j).collect());
    let mut state = coverage.seed;
    let random = (0..coverage.random).map(move |_| (0..n).filter(|_| next(&mut state) & 1 == 1).collect());
    Box::new(prefixes.chain(single).chain(missing).chain(two).chain(missing_two).chain(random))
}

/// `SplitMix64`: small, and good enough to choose by.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_few_effects_are_tried_in_every_combination_and_many_in_chosen_ones() {
        let coverage = Coverage { every_subset_up_to: 3, pairs_up_to: 5, random: 7, seed: 1 };
        let all = |n| subsets(n, &coverage).collect::<Vec<_>>();
        let distinct = |n| all(n).into_iter().collect::<BTreeSet<_>>();
        assert_eq!(all(0), [Vec::<usize>::new()]);
        assert_eq!(distinct(3).len(), 8);
        assert_eq!(all(5).len(), 6 + 5 + 5 + 10 + 10 + 7);
        for expected in [vec![], vec![0, 1, 2, 3, 4], vec![3], vec![0, 1, 3, 4], vec![1, 3], vec![0, 2, 4]] {
            assert!(distinct(5).contains(&expected), "{expected:?}");
        }
        assert_eq!(all(100).len(), 101 + 100 + 100 + 7);
        assert_eq!(all(100), all(100), "random, but the same each time");
    }
}
