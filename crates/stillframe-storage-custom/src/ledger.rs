//! What passed through the guard in this process, to compare it with what comes back. Bounded: length and checksum of the
//! newest objects, no data.

use std::collections::{BTreeMap, VecDeque};
use stillframe_model::{CheckpointId, Crc32c, JobId, Name, Pointer, StateDirectory, StateHandle};

/// Length and checksum of what was written, or of what was read so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) len: u64,
    pub(crate) crc: Crc32c,
}

impl Content {
    pub(crate) const EMPTY: Self = Self { len: 0, crc: Crc32c::EMPTY };

    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self::EMPTY.extend(bytes)
    }

    pub(crate) fn extend(self, bytes: &[u8]) -> Self {
        Self { len: self.len + bytes.len() as u64, crc: self.crc.extend(bytes) }
    }
}

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Exclusive { job: JobId, checkpoint: CheckpointId, name: Name, offset: u64 },
    Shared { job: JobId, name: Name, offset: u64 },
    TaskOwned { job: JobId, name: Name, offset: u64 },
    Metadata { job: JobId, checkpoint: CheckpointId },
}

/// The checkpoint from whose side a handle is looked at. None, for task-owned state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) job: JobId,
    pub(crate) checkpoint: Option<CheckpointId>,
}

pub(crate) struct Ledger {
    limit: usize,
    contents: BTreeMap<Place, Content>,
    order: VecDeque<Place>,
    pointers: BTreeMap<Pointer, (JobId, CheckpointId)>,
    pointer_order: VecDeque<Pointer>,
}

impl Ledger {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            contents: BTreeMap::new(),
            order: VecDeque::new(),
            pointers: BTreeMap::new(),
            pointer_order: VecDeque::new(),
        }
    }

    /// Remembers a state. `false` if another one is in that place already.
    pub(crate) fn wrote_state(&mut self, origin: Origin, handle: &StateHandle, content: Content) -> bool {
        // States without bytes may share a place.
        match place(origin, handle) {
            Some(place) if content.len > 0 => self.insert(place, content).is_none(),
            _ => true,
        }
    }

    pub(crate) fn state(&self, origin: Origin, handle: &StateHandle) -> Option<Content> {
        match handle {
            StateHandle::Inline(bytes) => Some(Content::of(bytes)),
            _ => self.contents.get(&place(origin, handle)?).copied(),
        }
    }

    pub(crate) fn wrote_metadata(
        &mut self,
        job: JobId,
        checkpoint: CheckpointId,
        pointer: &Pointer,
        content: Content,
    ) {
        self.insert(Place::Metadata { job, checkpoint }, content);
        if self.limit > 0 && self.pointers.insert(pointer.clone(), (job, checkpoint)).is_none() {
            self.pointer_order.push_back(pointer.clone());
            while self.pointer_order.len() > self.limit {
                self.pointer_order.pop_front().and_then(|oldest| self.pointers.remove(&oldest));
            }
        }
    }

    pub(crate) fn metadata(&self, origin: Origin) -> Option<Content> {
        let Origin { job, checkpoint } = origin;
        self.contents.get(&Place::Metadata { job, checkpoint: checkpoint? }).copied()
    }

    /// Whose checkpoint is at this address.
    pub(crate) fn origin(&self, pointer: &Pointer) -> Option<Origin> {
        let (job, checkpoint) = *self.pointers.get(pointer)?;
        Some(Origin { job, checkpoint: Some(checkpoint) })
    }

    fn insert(&mut self, place: Place, content: Content) -> Option<Content> {
        if self.limit == 0 {
            return None;
        }
        let before = self.contents.insert(place.clone(), content);
        if before.is_none() {
            self.order.push_back(place);
        }
        while self.order.len() > self.limit {
            self.order.pop_front().and_then(|oldest| self.contents.remove(&oldest));
        }
        before
    }
}

/// `None` for state in the metadata, and for that of another job, which was not written here under this name.
fn place(origin: Origin, handle: &StateHandle) -> Option<Place> {
    let Origin { job, checkpoint } = origin;
    let offset = match handle {
        StateHandle::Inline(_) => return None,
        StateHandle::File(_) => 0,
        StateHandle::Segment(segment) => segment.offset,
    };
    let file = handle.file()?;
    let name = file.name.clone();
    match file.directory {
        StateDirectory::Exclusive => Some(Place::Exclusive { job, checkpoint: checkpoint?, name, offset }),
        StateDirectory::Shared => Some(Place::Shared { job, name, offset }),
        StateDirectory::TaskOwned => Some(Place::TaskOwned { job, name, offset }),
        StateDirectory::Foreign(_) => None,
    }
}
