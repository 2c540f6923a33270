//! Where state is: what a task hands to the coordinator when it acknowledges, and gets back when it is restored.

use crate::{Crc32c, Name};
use bytes::Bytes;
use core::fmt;

/// The state itself when it is small, or where it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StateHandle {
    /// The bytes, stored inside the checkpoint's metadata.
    Inline(Bytes),
    /// A file of the checkpoint.
    File(FileHandle),
}

impl StateHandle {
    /// The size of the state in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::File(file) => file.len,
        }
    }
}

/// A file beside the checkpoint's metadata, and what must be in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileHandle {
    /// The file's name within the checkpoint's own directory.
    pub name: Name,
    /// Its length in bytes.
    pub len: u64,
    /// The checksum of all its bytes.
    pub crc: Crc32c,
}

/// Key groups `start..=end`, the unit in which keyed state moves between subtasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyGroupRange {
    /// The first key group.
    pub start: u16,
    /// The last key group, itself included.
    pub end: u16,
}

impl KeyGroupRange {
    /// Whether the group is in the range.
    #[must_use]
    pub const fn contains(self, group: u16) -> bool {
        self.start <= group && group <= self.end
    }

    /// Whether the two share a group.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.start <= other.end && other.start <= self.end
    }
}

impl fmt::Display for KeyGroupRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.start, self.end)
    }
}

/// Keyed state of one subtask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyedHandle {
    /// The key groups in it.
    pub range: KeyGroupRange,
    /// Where it is.
    pub handle: StateHandle,
}

/// Operator (list) state of one subtask: elements that may be dealt to other subtasks when the parallelism changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OperatorHandle {
    /// How many elements are in it.
    pub elements: u32,
    /// Where it is.
    pub handle: StateHandle,
}

/// Everything one task has to remember for one checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TaskSnapshot {
    /// Its keyed state, if it has any.
    pub keyed: Option<KeyedHandle>,
    /// Its operator state, if it has any.
    pub operator: Option<OperatorHandle>,
    /// Whether the task had processed its last record and finished its operator before the snapshot.
    pub finished: bool,
}

impl TaskSnapshot {
    /// The size of all state in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        let keyed = self.keyed.as_ref().map_or(0, |keyed| keyed.handle.size());
        let operator = self.operator.as_ref().map_or(0, |operator| operator.handle.size());
        keyed.saturating_add(operator)
    }
}
