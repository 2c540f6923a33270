//! When the supervisor kills the worker.

use std::collections::VecDeque;
use std::time::Duration;

/// One moment: the worker is killed as soon as it has come this far and is this old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KillMoment {
    /// The job's position in the input, in records.
    pub(crate) position: u64,
    /// How long the worker must have lived. On a large input it has, when it gets to the position; on a small one this
    /// is what keeps the kills apart, and what makes some of them meet a checkpoint.
    pub(crate) age: Duration,
}

/// The moments of a run, in order, drawn from a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KillPlan(VecDeque<KillMoment>);

impl KillPlan {
    /// Spreads `kills` over the records from `first` up to `total`: each has an equal share of them to itself and falls
    /// at random within it. An interval between checkpoints is the measure of the worker's age.
    pub(crate) fn new(seed: u64, kills: u32, first: u64, total: u64, interval: Duration) -> Self {
        let mut random = SplitMix64(seed);
        // The end is left out, so that the worker does not get away between the last moment and the news of it.
        let reach = u128::from(total.saturating_sub(first)) * 19 / 20;
        let share = |kill: u32| (reach * u128::from(kill) / u128::from(kills.max(1))) as u64;
        let moments = (0..kills).map(|kill| {
            let (begin, end) = (share(kill), share(kill + 1));
            let position = first + begin + random.below(end - begin);
            // Up to two intervals: some workers live through no checkpoint, most through one or more.
            let age = interval * u32::try_from(random.below(2000)).unwrap_or(0) / 1000;
            KillMoment { position, age }
        });
        Self(moments.collect())
    }

    /// The next moment.
    pub(crate) fn next(&self) -> Option<KillMoment> {
        self.0.front().copied()
    }

    /// How many are left.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Goes on to the one after it.
    pub(crate) fn advance(&mut self) {
        self.0.pop_front();
    }
}

/// Steele, Lea and Flood's generator, in a few lines and the same everywhere: a seed names the same run for ever.
struct SplitMix64(u64);

impl SplitMix64 {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `bound`; 0 if there is none.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(200);

    fn positions(seed: u64, kills: u32, first: u64, total: u64) -> Vec<u64> {
        KillPlan::new(seed, kills, first, total, INTERVAL).0.iter().map(|moment| moment.position).collect()
    }

    #[test]
    fn the_generator_is_the_published_one() {
        let mut random = SplitMix64(1234567);
        assert_eq!([random.draw(), random.draw()], [6457827717110365317, 3203168211198807973]);
    }

    #[test]
    fn every_kill_falls_into_its_own_share() {
        for seed in 0..200 {
            for (kill, position) in positions(seed, 20, 1000, 201_000).into_iter().enumerate() {
                let begin = 1000 + 9500 * kill as u64;
                assert!((begin..begin + 9500).contains(&position), "seed {seed}, kill {kill}: {position}");
            }
        }
    }

    #[test]
    fn a_single_kill_may_fall_anywhere_but_close_to_the_end() {
        let positions: Vec<_> = (0..200).flat_map(|seed| positions(seed, 1, 0, 1000)).collect();
        assert!(
            positions.iter().any(|&position| position < 100)
                && positions.iter().any(|&position| position > 850)
        );
        assert!(positions.iter().all(|&position| position < 950));
    }

    #[test]
    fn a_seed_names_a_plan() {
        let plan = |seed| KillPlan::new(seed, 5, 0, 200_000, INTERVAL);
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }

    #[test]
    fn tiny_inputs_have_all_their_kills_within_them() {
        for total in [0, 1, 2] {
            for seed in 0..50 {
                let positions = positions(seed, 20, 0, total);
                assert_eq!(positions.len(), 20);
                assert!(
                    positions.iter().all(|&position| position <= total.saturating_sub(1)),
                    "{positions:?} of {total}"
                );
            }
        }
        assert_eq!(positions(1, 3, 10, 10), [10; 3], "a job that was restored at its end");
    }

    #[test]
    fn workers_live_up_to_two_intervals_more() {
        let ages: Vec<_> = KillPlan::new(3, 1000, 0, 1, INTERVAL).0.iter().map(|moment| moment.age).collect();
        assert!(ages.iter().all(|&age| age < 2 * INTERVAL));
        assert!(ages.iter().any(|&age| age < INTERVAL / 2) && ages.iter().any(|&age| age > INTERVAL * 3 / 2));
    }

    #[test]
    fn moments_come_in_order_and_end() {
        let mut plan = KillPlan::new(1, 2, 0, 100, INTERVAL);
        let first = plan.next().expect("two moments");
        plan.advance();
        let second = plan.next().expect("one moment");
        assert!(first.position < second.position);
        plan.advance();
        assert_eq!(plan.next(), None);
        assert_eq!(KillPlan::new(1, 0, 0, 100, INTERVAL).next(), None);
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let positions = positions(1, 10_000, 0, u64::MAX);
        assert!(positions.is_sorted());
    }
}
