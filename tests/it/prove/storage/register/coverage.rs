//! What has to happen somewhere, so that a model in which nothing happens proves nothing.

use std::sync::atomic::{AtomicBool, Ordering};

/// An event that is worth having seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    TakenOver,
    /// A successor retains what its writer never reported.
    Adopted,
    FencedByMarker,
    FencedByEntry,
    OwnWriteReadBack,
    SentAgain,
    Refused,
    ClaimedAgain,
    /// Two coordinators wanted the same epoch.
    MarkerTaken,
    /// The coordinator before appended between the last look and the claim's entry.
    FasterByAHair,
    /// A search began at an entry that was deleted meanwhile.
    FloorMissing,
    /// The first claim was made while somebody looked, after the marker and before the entries.
    MarkerMissed,
    EntryVanished,
    /// A late request made an entry under a number that was free again.
    GhostLanded,
    OrphanSwept,
    /// A shared file is used by a later checkpoint, and the one that made it is dropped.
    SharedOutlived,
    /// A shared file went with the last checkpoint that used it.
    SharedReleased,
}

impl Event {
    const ALL: [Self; 17] = [
        Self::TakenOver,
        Self::Adopted,
        Self::FencedByMarker,
        Self::FencedByEntry,
        Self::OwnWriteReadBack,
        Self::SentAgain,
        Self::Refused,
        Self::ClaimedAgain,
        Self::MarkerTaken,
        Self::FasterByAHair,
        Self::FloorMissing,
        Self::MarkerMissed,
        Self::EntryVanished,
        Self::GhostLanded,
        Self::OrphanSwept,
        Self::SharedOutlived,
        Self::SharedReleased,
    ];
}

/// Which events happened on any way to any state. Kept outside of the states, which would otherwise differ in
/// it and multiply.
#[derive(Debug, Default)]
pub(super) struct Coverage([AtomicBool; Event::ALL.len()]);

impl Coverage {
    pub(super) fn saw(&self, event: Event) {
        self.0[event as usize].store(true, Ordering::Relaxed);
    }

    pub(super) fn saw_if(&self, is_so: bool, event: Event) {
        if is_so {
            self.saw(event);
        }
    }

    /// What never happened.
    pub(super) fn unseen(&self) -> Vec<Event> {
        Event::ALL.into_iter().filter(|event| !self.0[*event as usize].load(Ordering::Relaxed)).collect()
    }
}
