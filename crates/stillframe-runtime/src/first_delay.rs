//! When the first periodic checkpoint of an attempt comes.

use std::sync::Arc;
use std::time::Duration;
use stillframe_config::EffectiveConfig;

/// Where what is drawn at random comes from.
pub(crate) type Draw = Arc<dyn Fn() -> u32 + Send + Sync>;

/// From the operating system.
pub(crate) fn from_system() -> Draw {
    // Without randomness the first checkpoint comes as late as it may; nothing depends on the draw.
    Arc::new(|| getrandom::u32().unwrap_or(u32::MAX))
}

/// Somewhere between the minimum pause and the interval, so that jobs that started together do not write together.
pub(crate) fn first_delay(config: &EffectiveConfig, draw: &Draw) -> Duration {
    let schedule = &config.schedule;
    let range = schedule.interval.unwrap_or(schedule.min_pause).saturating_sub(schedule.min_pause);
    schedule.min_pause.saturating_add(part_of(range, draw()))
}

/// Nothing of `range` for the smallest draw, all of it for the largest.
fn part_of(range: Duration, draw: u32) -> Duration {
    let share = f64::from(draw) / f64::from(u32::MAX);
    // Seconds as a float are rounded, at the very end of the range to more than a duration can hold.
    Duration::try_from_secs_f64(range.as_secs_f64() * share).map_or(range, |part| part.min(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_checkpoint_comes_within_the_range_whatever_its_size() {
        for range in [Duration::ZERO, Duration::from_secs(1), Duration::MAX] {
            assert_eq!(part_of(range, 0), Duration::ZERO);
            assert!(part_of(range, u32::MAX / 2) <= range);
            assert_eq!(part_of(range, u32::MAX), range);
        }
    }
}
