//! When the next periodic checkpoint is due.

use alloc::collections::BTreeSet;
use core::time::Duration;
use stillframe_config::Schedule as Policy;
use stillframe_model::{Timestamp, VertexId};

/// The periodic trigger: a fixed rate on an absolute timeline, as in Flink, not a fixed delay.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Schedule {
    interval: Option<Duration>,
    interval_during_backlog: Option<Duration>,
    min_pause: Duration,
    /// The sources that work off a backlog.
    backlog: BTreeSet<VertexId>,
    is_started: bool,
    next: Option<Timestamp>,
}

impl Schedule {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            interval: policy.interval,
            interval_during_backlog: policy.interval_during_backlog,
            min_pause: policy.min_pause,
            backlog: BTreeSet::new(),
            is_started: false,
            next: None,
        }
    }

    /// Whether there are periodic checkpoints at all, be it only without a backlog.
    pub(crate) fn is_periodic(&self) -> bool {
        self.interval.is_some()
    }

    pub(crate) fn start(&mut self, now: Timestamp, first_after: Duration) {
        // Without an interval there may still be a retry of the last checkpoint, which must not be lost.
        if self.is_periodic() {
            self.is_started = true;
            self.next = Some(now.after(first_after));
        }
    }

    /// Begins again after it was stopped. Only the first start of a coordinator is spread at random.
    pub(crate) fn restart(&mut self, now: Timestamp) {
        self.start(now, self.min_pause);
    }

    /// A backlog that ends may bring the next trigger nearer; one that begins never does more than that either.
    pub(crate) fn backlog(&mut self, now: Timestamp, source: VertexId, is_processing: bool) {
        if is_processing {
            self.backlog.insert(source);
        } else {
            self.backlog.remove(&source);
        }
        if let Some(interval) = self.current().filter(|_| self.is_started) {
            let soon = now.after(interval);
            if self.next.is_none_or(|next| soon < next) {
                self.next = Some(soon);
            }
        }
    }

    fn current(&self) -> Option<Duration> {
        if self.backlog.is_empty() { self.interval } else { self.interval_during_backlog }
    }

    pub(crate) fn is_started(&self) -> bool {
        self.is_started
    }

    /// Moves the next trigger to `at`; the ones after it follow at the same rate.
    pub(crate) fn postpone(&mut self, at: Timestamp) {
        self.next = Some(at);
    }

    pub(crate) fn stop(&mut self) {
        self.is_started = false;
        self.next = None;
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Whether a trigger is due, which it is once; if so, the next one is set. Triggers that were missed because
    /// nobody asked in time are not made up for.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> bool {
        let Some(next) = self.next.filter(|next| *next <= now) else { return false };
        // What is due once only, behind a stopped schedule, is not followed by others.
        let following = self.current().filter(|_| self.is_started).map(|interval| {
            let following = next.after(interval);
            if following > now { following } else { now.after(interval) }
        });
        // At the end of time nothing follows.
        self.next = following.filter(|following| *following > now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::num::NonZeroU32;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_origin(Duration::from_millis(millis))
    }

    const fn millis(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    fn schedule(interval: Option<Duration>, interval_during_backlog: Option<Duration>) -> Schedule {
        Schedule::new(&Policy {
            interval,
            interval_during_backlog,
            timeout: Duration::from_secs(600),
            min_pause: Duration::from_millis(7),
            max_concurrent: NonZeroU32::MIN,
            after_tasks_finish: true,
        })
    }

    #[test]
    fn keeps_its_rate_when_asked_late() {
        let mut schedule = schedule(millis(100), millis(100));
        schedule.start(at(0), Duration::from_millis(30));
        assert!(!schedule.take_due(at(29)));
        assert!(schedule.take_due(at(45)));
        assert_eq!(schedule.next(), Some(at(130)));
        assert!(!schedule.take_due(at(45)));
        assert!(schedule.take_due(at(999)));
        assert_eq!(schedule.next(), Some(at(1_099)));
    }

    #[test]
    fn at_the_end_of_time_nothing_follows() {
        let end = Timestamp::from_origin(Duration::MAX);
        let mut schedule = schedule(millis(100), millis(100));
        schedule.start(at(0), Duration::ZERO);
        assert!(schedule.take_due(end));
        assert!(!schedule.take_due(end), "or it would be due for ever");
    }

    #[test]
    fn without_an_interval_nothing_is_due() {
        let mut schedule = schedule(None, None);
        schedule.start(at(0), Duration::ZERO);
        schedule.backlog(at(0), VertexId::new(0), false);
        assert!(!schedule.take_due(at(1_000_000)));
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn a_backlog_has_an_interval_of_its_own_and_its_end_brings_the_next_nearer() {
        let (first, second) = (VertexId::new(0), VertexId::new(1));
        let mut schedule = schedule(millis(100), millis(1_000));
        schedule.start(at(0), Duration::from_millis(50));
        schedule.backlog(at(0), first, true);
        schedule.backlog(at(0), second, true);
        assert_eq!(schedule.next(), Some(at(50)), "what was planned is not put off");
        assert!(schedule.take_due(at(50)));
        assert_eq!(schedule.next(), Some(at(1_050)));
        schedule.backlog(at(200), first, false);
        assert_eq!(schedule.next(), Some(at(1_050)), "one source still has a backlog");
        schedule.backlog(at(200), second, false);
        assert_eq!(schedule.next(), Some(at(300)));
        schedule.backlog(at(250), second, false);
        assert_eq!(schedule.next(), Some(at(300)), "never later than planned");
    }

    #[test]
    fn without_checkpoints_during_a_backlog_the_planned_one_is_the_last_until_it_ends() {
        let source = VertexId::new(0);
        let mut schedule = schedule(millis(100), None);
        schedule.start(at(0), Duration::from_millis(50));
        schedule.backlog(at(0), source, true);
        assert!(schedule.take_due(at(50)));
        assert_eq!(schedule.next(), None);
        schedule.backlog(at(400), source, false);
        assert_eq!(schedule.next(), Some(at(500)));
        schedule.stop();
        schedule.backlog(at(600), source, false);
        assert_eq!(schedule.next(), None, "who is stopped is not started by a backlog");
        schedule.restart(at(700));
        assert_eq!(schedule.next(), Some(at(707)));
    }
}
