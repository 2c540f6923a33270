//! The files of checkpoints, as sets of bits: each checkpoint has one of its own, and makes one that later ones may share.

use stillframe::model::{CheckpointId, Crc32c};
use stillframe::storage_directory::register::{Entry, Retained};

/// A checkpoint whose metadata refers to its own files and to the shared file of `base`, 0 for none. The model has no metadata;
/// what would be in it stands in the length.
pub(super) fn retained(id: u64, base: u64) -> Retained {
    Retained { checkpoint: CheckpointId::new(id), location: None, len: base, checksum: Crc32c(1) }
}

/// The id whose shared file a checkpoint refers to, beside its own.
pub(super) fn base(one: &Retained) -> u64 {
    one.len
}

/// Files, one bit for each id. Ids are given out in ranges of 16, of which a model uses the first 8 each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ids(u64);

impl Ids {
    fn one(id: u64) -> Self {
        Self(if id == 0 { 0 } else { 1 << slot(id) })
    }

    fn below(id: u64) -> Self {
        Self((1 << slot(id)) - 1)
    }

    pub(super) fn len(self) -> u32 {
        self.0.count_ones()
    }
}

fn slot(id: u64) -> u64 {
    let (range, at) = ((id - 1) / 16, (id - 1) % 16);
    assert!(range < 8 && at < 8, "the model has no room for id {id}");
    range * 8 + at
}

/// What can be reached from an entry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Live {
    exclusive: Ids,
    shared: Ids,
}

impl Live {
    pub(super) fn of(entry: &Entry) -> Self {
        entry.retained.iter().fold(Self::default(), |Self { exclusive, shared }, one| {
            let own = Ids::one(one.checkpoint.get());
            Self {
                exclusive: Ids(exclusive.0 | own.0),
                shared: Ids(shared.0 | own.0 | Ids::one(base(one)).0),
            }
        })
    }

    pub(super) fn has_shared(&self, id: u64) -> bool {
        self.shared.0 & Ids::one(id).0 != 0
    }
}

/// What became of the files so far. A file whose deletion was asked for may be gone at any time from then on, whoever asked
/// and whether he still lives; so the model has no deletions that arrive, and a file that is live must never be in
/// the set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Files {
    pub(super) created: Ids,
    exclusive_doomed: Ids,
    shared_doomed: Ids,
}

impl Files {
    /// Makes the files of a checkpoint. Tells whether its id was free.
    pub(super) fn create(&mut self, id: u64) -> bool {
        let (before, own) = (self.created.0, Ids::one(id).0);
        self.created.0 |= own;
        before & own == 0
    }

    pub(super) fn doom(&mut self, id: u64) {
        self.exclusive_doomed.0 |= Ids::one(id).0;
        self.shared_doomed.0 |= Ids::one(id).0;
    }

    /// Deletes what an entry gives up and does not reach. Tells whether a shared file outlived its checkpoint, and whether
    /// one was released after its checkpoint.
    pub(super) fn drop_by(&mut self, entry: &Entry) -> (bool, bool) {
        let live = Live::of(entry);
        let (mut outlived, mut released) = (false, false);
        for one in &entry.dropped {
            let (own, of_base) = (Ids::one(one.checkpoint.get()).0, Ids::one(base(one)).0);
            self.exclusive_doomed.0 |= own;
            self.shared_doomed.0 |= (own | of_base) & !live.shared.0;
            outlived |= own & live.shared.0 != 0;
            released |= of_base & !live.shared.0 != 0;
        }
        (outlived, released)
    }

    /// Deletes what nobody reaches from the head. Tells whether there was anything.
    pub(super) fn sweep(&mut self, head: &Entry, below: Option<u64>, pending: u64) -> bool {
        let live = Live::of(head);
        let within = below.map_or(!Ids::one(pending).0, |id| Ids::below(id).0) & self.created.0;
        let before = *self;
        self.exclusive_doomed.0 |= within & !live.exclusive.0;
        self.shared_doomed.0 |= within & !live.shared.0;
        *self != before
    }

    /// Whether all that can be reached from an entry is there to stay.
    pub(super) fn keep(&self, entry: &Entry) -> bool {
        let live = Live::of(entry);
        let missing = (live.exclusive.0 | live.shared.0) & !self.created.0;
        missing | (live.exclusive.0 & self.exclusive_doomed.0) | (live.shared.0 & self.shared_doomed.0) == 0
    }
}
