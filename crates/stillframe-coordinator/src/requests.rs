//! Which of the waiting requests goes next, if any: Flink's request decider, with arguments and a result instead of
//! suppliers and a callback.

use crate::SnapshotRequest;
use alloc::vec::Vec;
use core::time::Duration;
use stillframe_model::{FailureReason, RequestId, Timestamp};

/// A request that waits for its turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Waiting {
    pub(crate) snapshot: SnapshotRequest,
    pub(crate) origin: Origin,
}

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    Person(RequestId),
    /// The job itself, because all input was processed.
    EndOfData,
    Schedule,
}

impl Waiting {
    /// Lower goes first: savepoints, then what somebody asked for, then what is merely due.
    fn rank(&self) -> (bool, bool) {
        (!self.is_forced(), matches!(self.origin, Origin::Schedule))
    }

    /// Savepoints do not count against the number of concurrent checkpoints, because their barriers always align.
    fn is_forced(&self) -> bool {
        self.snapshot.is_savepoint()
    }
}

/// What the decision depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) now: Timestamp,
    /// Checkpoints in progress.
    pub(crate) pending: usize,
    /// Whether one of them has not yet reached its tasks.
    pub(crate) triggering: bool,
    /// Checkpoints that are being removed.
    pub(crate) discarding: usize,
    pub(crate) last_completion: Option<Timestamp>,
    pub(crate) max_concurrent: usize,
    pub(crate) min_pause: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing can begin now.
    Wait,
    /// This one begins.
    Run(Waiting),
    /// The periodic one that was next is dropped, because it is too early; the schedule goes on at this time.
    Postpone { until: Timestamp },
}

/// Waiting requests, in the order in which they will be taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Requests {
    queue: Vec<Waiting>,
}

impl Requests {
    /// As many as may wait.
    pub(crate) const MAX: usize = 1_000;

    /// Adds a request. If there are too many, the one that would have gone last is given back with the reason.
    pub(crate) fn submit(&mut self, request: Waiting) -> Result<(), (Waiting, FailureReason)> {
        let rank = request.rank();
        let place = self.queue.partition_point(|waiting| waiting.rank() <= rank);
        if self.queue.len() >= Self::MAX && place == self.queue.len() {
            return Err((request, FailureReason::TooManyCheckpointRequests));
        }
        self.queue.insert(place, request);
        if self.queue.len() > Self::MAX
            && let Some(last) = self.queue.pop()
        {
            return Err((last, FailureReason::TooManyCheckpointRequests));
        }
        Ok(())
    }

    /// Takes the next request that may begin. Only the first is looked at: what waits behind it waits for it.
    pub(crate) fn next(&mut self, facts: Facts) -> Decision {
        let Facts { now, pending, triggering, discarding, last_completion, max_concurrent, min_pause } =
            facts;
        let Some(first) = self.queue.first() else { return Decision::Wait };
        if triggering || discarding > max_concurrent || (pending >= max_concurrent && !first.is_forced()) {
            return Decision::Wait;
        }
        if matches!(first.origin, Origin::Schedule)
            && let Some(until) =
                last_completion.map(|last| last.after(min_pause)).filter(|until| *until > now)
        {
            self.queue.remove(0);
            return Decision::Postpone { until };
        }
        Decision::Run(self.queue.remove(0))
    }

    pub(crate) fn is_waiting(&self, origin: Origin) -> bool {
        self.queue.iter().any(|waiting| waiting.origin == origin)
    }

    pub(crate) fn drain(&mut self) -> Vec<Waiting> {
        core::mem::take(&mut self.queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn request(origin: Origin) -> Waiting {
        Waiting { snapshot: SnapshotRequest::CHECKPOINT, origin }
    }

    const fn person(number: u64) -> Waiting {
        request(Origin::Person(RequestId::new(number)))
    }

    const fn savepoint(number: u64) -> Waiting {
        Waiting { snapshot: SnapshotRequest::savepoint(None), origin: Origin::Person(RequestId::new(number)) }
    }

    const FREE: Facts = Facts {
        now: Timestamp::ORIGIN,
        pending: 0,
        triggering: false,
        discarding: 0,
        last_completion: None,
        max_concurrent: 1,
        min_pause: Duration::ZERO,
    };

    fn waiting(requests: impl IntoIterator<Item = Waiting>) -> Requests {
        let mut queue = Requests::default();
        for request in requests {
            queue.submit(request).unwrap();
        }
        queue
    }

    #[test]
    fn savepoints_first_then_people_then_the_schedule_each_in_order() {
        let mut queue =
            waiting([request(Origin::Schedule), person(1), savepoint(2), person(3), savepoint(4)]);
        let order: Vec<_> = core::iter::from_fn(|| match queue.next(FREE) {
            Decision::Run(request) => Some(request),
            Decision::Wait | Decision::Postpone { .. } => None,
        })
        .collect();
        assert_eq!(order, [savepoint(2), savepoint(4), person(1), person(3), request(Origin::Schedule)]);
    }

    #[test]
    fn a_full_house_lets_only_savepoints_in() {
        let busy = Facts { pending: 1, ..FREE };
        assert_eq!(waiting([person(1)]).next(busy), Decision::Wait);
        assert_eq!(waiting([savepoint(1)]).next(busy), Decision::Run(savepoint(1)));
        assert_eq!(waiting([savepoint(1)]).next(Facts { triggering: true, ..busy }), Decision::Wait);
        assert_eq!(waiting([savepoint(1)]).next(Facts { discarding: 2, ..FREE }), Decision::Wait);
    }

    #[test]
    fn the_pause_holds_back_the_schedule_and_nobody_else() {
        let pausing =
            Facts { last_completion: Some(Timestamp::ORIGIN), min_pause: Duration::from_secs(5), ..FREE };
        let until = Timestamp::from_origin(Duration::from_secs(5));
        let mut queue = waiting([request(Origin::Schedule)]);
        assert_eq!(queue.next(pausing), Decision::Postpone { until });
        assert_eq!(queue.next(pausing), Decision::Wait);
        assert_eq!(waiting([person(1)]).next(pausing), Decision::Run(person(1)));
        let mut queue = waiting([request(Origin::Schedule)]);
        assert_eq!(queue.next(Facts { now: until, ..pausing }), Decision::Run(request(Origin::Schedule)));
    }

    #[test]
    fn the_queue_is_bounded_and_gives_back_the_last() {
        let mut queue = waiting((0..Requests::MAX as u64).map(person));
        assert_eq!(queue.submit(person(7)), Err((person(7), FailureReason::TooManyCheckpointRequests)));
        let last = person(Requests::MAX as u64 - 1);
        assert_eq!(queue.submit(savepoint(8)), Err((last, FailureReason::TooManyCheckpointRequests)));
    }
}
