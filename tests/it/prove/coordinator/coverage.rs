//! What has to happen somewhere, so that a model in which nothing happens proves nothing.

use std::sync::atomic::{AtomicBool, Ordering};

/// An event that is worth having seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Completed,
    SavepointCompleted,
    Stopped,
    /// A savepoint behind which the job was to stop failed, and the job goes on.
    StopFailed,
    Committed,
    Subsumed,
    Expired,
    Declined,
    Suspended,
    NotLocated,
    NotPublished,
    Fenced,
    JobFailed,
    Dropped,
    Postponed,
    RepeatIgnored,
    LateIgnored,
    OldAttemptIgnored,
    RestartedWithNothing,
    /// A successor found what its predecessor had never been told was published.
    RestartedWithMore,
    Ended,
    /// A publication that was under way at the end took effect.
    CompletedAfterTheEnd,
}

impl Seen {
    const ALL: [Self; 22] = [
        Self::Completed,
        Self::SavepointCompleted,
        Self::Stopped,
        Self::StopFailed,
        Self::Committed,
        Self::Subsumed,
        Self::Expired,
        Self::Declined,
        Self::Suspended,
        Self::NotLocated,
        Self::NotPublished,
        Self::Fenced,
        Self::JobFailed,
        Self::Dropped,
        Self::Postponed,
        Self::RepeatIgnored,
        Self::LateIgnored,
        Self::OldAttemptIgnored,
        Self::RestartedWithNothing,
        Self::RestartedWithMore,
        Self::Ended,
        Self::CompletedAfterTheEnd,
    ];
}

/// Which events happened on any way to any state. Kept outside of the states, which would otherwise differ in it and
/// multiply.
#[derive(Debug, Default)]
pub(super) struct Coverage([AtomicBool; Seen::ALL.len()]);

impl Coverage {
    pub(super) fn saw(&self, seen: Seen) {
        self.0[seen as usize].store(true, Ordering::Relaxed);
    }

    pub(super) fn saw_if(&self, is_so: bool, seen: Seen) {
        if is_so {
            self.saw(seen);
        }
    }

    /// What never happened.
    pub(super) fn unseen(&self) -> Vec<Seen> {
        Seen::ALL.into_iter().filter(|seen| !self.0[*seen as usize].load(Ordering::Relaxed)).collect()
    }
}
