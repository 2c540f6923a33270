//! When the next periodic checkpoint is due.

use core::time::Duration;
use stillframe_model::Timestamp;

/// The periodic trigger: a fixed rate on an absolute timeline, as in Flink, not a fixed delay.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Schedule {
    interval: Option<Duration>,
    next: Option<Timestamp>,
}

impl Schedule {
    pub(crate) fn new(interval: Option<Duration>) -> Self {
        Self { interval, next: None }
    }

    pub(crate) fn is_periodic(&self) -> bool {
        self.interval.is_some()
    }

    pub(crate) fn start(&mut self, now: Timestamp, first_after: Duration) {
        // Without an interval there may still be a retry of the last checkpoint, which must not be lost.
        if self.is_periodic() {
            self.next = Some(now.after(first_after));
        }
    }

    /// Moves the next trigger to `at`; the ones after it follow at the same rate.
    pub(crate) fn postpone(&mut self, at: Timestamp) {
        self.next = Some(at);
    }

    pub(crate) fn stop(&mut self) {
        self.next = None;
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Whether a trigger is due, which it is once; if so, the next one is set. Triggers that were missed because
    /// nobody asked in time are not made up for.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> bool {
        let Some(next) = self.next.filter(|next| *next <= now) else { return false };
        self.next = self.interval.map(|interval| {
            let following = next.after(interval);
            if following > now { following } else { now.after(interval) }
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_origin(Duration::from_millis(millis))
    }

    #[test]
    fn keeps_its_rate_when_asked_late() {
        let mut schedule = Schedule::new(Some(Duration::from_millis(100)));
        schedule.start(at(0), Duration::from_millis(30));
        assert!(!schedule.take_due(at(29)));
        assert!(schedule.take_due(at(45)));
        assert_eq!(schedule.next(), Some(at(130)));
        assert!(!schedule.take_due(at(45)));
        assert!(schedule.take_due(at(999)));
        assert_eq!(schedule.next(), Some(at(1_099)));
    }

    #[test]
    fn without_an_interval_nothing_is_due() {
        let mut schedule = Schedule::new(None);
        schedule.start(at(0), Duration::ZERO);
        assert!(!schedule.take_due(at(1_000_000)));
        assert_eq!(schedule.next(), None);
    }
}
