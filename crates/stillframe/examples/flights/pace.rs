use std::time::Duration;

/// Holds a job back so that a small input, too, lasts long enough to be checkpointed and killed: lines are released
/// evenly over a duration, and the end of the input is not seen before it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    first: u64,
    total: u64,
    duration: Duration,
}

impl Pace {
    /// Spreads the data lines from `first` up to `total` over `duration`; zero means as fast as possible.
    pub(crate) const fn new(first: u64, total: u64, duration: Duration) -> Self {
        Self { first, total, duration }
    }

    /// How long after the start this line may be read.
    pub(crate) fn release(&self, line: u64) -> Duration {
        let lines = u128::from(self.total.saturating_sub(self.first));
        let before = u128::from(line.saturating_sub(self.first)).min(lines);
        match (self.duration.as_nanos() * before).checked_div(lines) {
            Some(nanos) => Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)),
            None => self.end(),
        }
    }

    /// How long after the start the end of the input may be seen.
    pub(crate) const fn end(&self) -> Duration {
        self.duration
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_spread_evenly_over_the_duration() {
        let pace = Pace::new(100, 200, Duration::from_secs(10));
        for (line, millis) in
            [(0, 0), (100, 0), (101, 100), (150, 5_000), (199, 9_900), (200, 10_000), (900, 10_000)]
        {
            assert_eq!(pace.release(line), Duration::from_millis(millis), "{line}");
        }
        assert_eq!(pace.end(), Duration::from_secs(10));
    }

    #[test]
    fn zero_means_no_waiting_and_nothing_left_means_waiting_for_the_end() {
        assert_eq!(Pace::new(0, 200, Duration::ZERO).release(199), Duration::ZERO);
        assert_eq!(Pace::new(200, 200, Duration::from_secs(1)).release(200), Duration::from_secs(1));
    }
}
