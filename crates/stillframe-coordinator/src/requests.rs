//! Which of the waiting requests goes next, if any: Flink's request decider, with arguments and results instead of
//! suppliers and callbacks.
//!
//! [`Requests::submit`] puts a request into its place in a bounded queue and says who had to leave. [`Requests::next`]
//! looks at the first in the queue and at nobody else, and says whether it begins, waits or came too early.
//!
//! ```
//! use core::{num::NonZeroUsize, time::Duration};
//! use stillframe_coordinator::requests::{Decision, Facts, Request, Requests, Submitted};
//! use stillframe_model::Timestamp;
//!
//! let periodic = |payload| Request { is_savepoint: false, is_forced: false, is_periodic: true, payload };
//! let savepoint = |payload| Request { is_savepoint: true, is_forced: true, is_periodic: false, payload };
//!
//! // One checkpoint is in progress, and there may be one.
//! let busy = Facts {
//!     now: Timestamp::from_origin(Duration::from_secs(60)),
//!     is_triggering: false,
//!     pending: 1,
//!     cleaning: 0,
//!     last_completion: Some(Timestamp::from_origin(Duration::from_secs(57))),
//!     max_concurrent: 1,
//!     min_pause: Duration::from_secs(5),
//! };
//! let mut requests = Requests::new(NonZeroUsize::MIN.saturating_add(1));
//! assert_eq!(requests.submit(periodic("due")), Submitted::Waits);
//! assert_eq!(requests.next(busy), Decision::Wait);
//!
//! // A savepoint overtakes, and a forced one begins beside it.
//! assert_eq!(requests.submit(savepoint("by hand")), Submitted::Waits);
//! assert_eq!(requests.next(busy), Decision::Run("by hand"));
//!
//! // The pause since the last completion ends at 62 seconds.
//! let free = Facts { pending: 0, ..busy };
//! let Decision::Postpone { rejected, until } = requests.next(free) else { panic!("it is too early") };
//! assert_eq!((rejected.payload, until.since_origin().as_secs()), ("due", 62));
//! ```

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::num::NonZeroUsize;
use core::time::Duration;
use stillframe_model::{FailureReason, Timestamp};

/// How many requests may wait for one job, as in Flink.
pub const MAX_QUEUED_REQUESTS: NonZeroUsize = const { NonZeroUsize::new(1_000).unwrap() };

/// A request for a snapshot: what its turn depends on, and `payload`, whatever its owner wants back.
///
/// Among equals, the one that was submitted first goes first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request<T> {
    /// Savepoints go before checkpoints.
    pub is_savepoint: bool,
    /// Forced ones go before the others, do not count how many are in progress, and ignore the pause.
    pub is_forced: bool,
    /// What is merely due goes after what somebody asked for, and alone keeps the pause.
    pub is_periodic: bool,
    /// What to take, and for whom.
    pub payload: T,
}

impl<T> Request<T> {
    /// Lower goes first.
    fn rank(&self) -> (bool, bool, bool) {
        (!self.is_savepoint, !self.is_forced, self.is_periodic)
    }
}

/// A request that left the queue without a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rejected<T> {
    /// What was submitted with it.
    pub payload: T,
    /// Why.
    pub reason: FailureReason,
}

/// What became of the queue when a request came.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "whoever was rejected has to hear of it"]
pub enum Submitted<T> {
    /// It waits, and all others still do.
    Waits,
    /// There was one too many, so the last has left. It may be the one that came.
    Evicted(Rejected<T>),
    /// The queue is full of what somebody asked for, so nothing changed. Not even a savepoint displaces that. Flink does
    /// not look for the next request then; whoever looks after every change finds none that may begin.
    Refused(Rejected<T>),
}

impl<T> Submitted<T> {
    /// Who was rejected, if anybody was.
    #[must_use]
    pub fn rejected(self) -> Option<Rejected<T>> {
        match self {
            Self::Waits => None,
            Self::Evicted(rejected) | Self::Refused(rejected) => Some(rejected),
        }
    }
}

/// What a decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The time.
    pub now: Timestamp,
    /// Whether a checkpoint has begun and not yet reached its tasks.
    pub is_triggering: bool,
    /// Checkpoints in progress.
    pub pending: usize,
    /// Checkpoints that are being removed.
    pub cleaning: usize,
    /// When a checkpoint or savepoint completed last. `None` holds back nothing: Flink begins with zero, but on a clock that
    /// runs since the machine was started, and ours runs since the driver was.
    pub last_completion: Option<Timestamp>,
    /// How many checkpoints may be in progress, and how many may be being removed.
    pub max_concurrent: usize,
    /// The least time from the last completion to a periodic checkpoint.
    pub min_pause: Duration,
}

/// What happens to the first in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "whatever left the queue is lost otherwise"]
pub enum Decision<T> {
    /// Nothing can begin now. Ask again when a fact has changed.
    Wait,
    /// This one has left the queue and begins.
    Run(T),
    /// A periodic one came before the pause was over and has left the queue. The schedule goes on at `until`.
    Postpone {
        /// The one that came too early.
        rejected: Rejected<T>,
        /// When the pause is over.
        until: Timestamp,
    },
}

/// Waiting requests, in the order in which they will be taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requests<T> {
    queue: VecDeque<Request<T>>,
    limit: NonZeroUsize,
}

impl<T> Requests<T> {
    /// An empty queue in which so many may wait.
    #[must_use]
    pub const fn new(limit: NonZeroUsize) -> Self {
        Self { queue: VecDeque::new(), limit }
    }

    /// Adds a request. Of too many, the last leaves if it is periodic; otherwise the new one is refused.
    pub fn submit(&mut self, request: Request<T>) -> Submitted<T> {
        let reason = FailureReason::TooManyCheckpointRequests;
        let is_full = self.queue.len() >= self.limit.get();
        if is_full && self.queue.back().is_some_and(|last| !last.is_periodic) {
            return Submitted::Refused(Rejected { payload: request.payload, reason });
        }
        let rank = request.rank();
        let place = self.queue.partition_point(|waiting| waiting.rank() <= rank);
        self.queue.insert(place, request);
        match self.queue.pop_back_if(|_| is_full) {
            Some(last) => Submitted::Evicted(Rejected { payload: last.payload, reason }),
            None => Submitted::Waits,
        }
    }

    /// Takes the first request out of the queue if its turn has come. What is behind it waits for it.
    pub fn next(&mut self, facts: Facts) -> Decision<T> {
        let Facts { now, is_triggering, pending, cleaning, last_completion, max_concurrent, min_pause } =
            facts;
        if is_triggering || cleaning > max_concurrent {
            return Decision::Wait;
        }
        let is_crowded = pending >= max_concurrent;
        let Some(first) = self.queue.pop_front_if(|first| first.is_forced || !is_crowded) else {
            return Decision::Wait;
        };
        let until = last_completion.map(|last| last.after(min_pause)).filter(|until| *until > now);
        if let Some(until) = until
            && first.is_periodic
            && !first.is_forced
        {
            let reason = FailureReason::MinimumTimeBetweenCheckpoints;
            return Decision::Postpone { rejected: Rejected { payload: first.payload, reason }, until };
        }
        Decision::Run(first.payload)
    }

    /// What waits, the next one first.
    pub fn waiting(&self) -> impl Iterator<Item = &T> {
        self.queue.iter().map(|request| &request.payload)
    }

    /// Empties the queue, for somebody who rejects everything. The one that would have gone next is the first.
    #[must_use = "whoever was waiting has to hear of it"]
    pub fn drain(&mut self) -> Vec<T> {
        self.queue.drain(..).map(|request| request.payload).collect()
    }
}

#[cfg(test)]
mod tests;
