//! Where state is: what a task hands to the coordinator when it acknowledges, and gets back when it is restored.

use crate::{Crc32c, Name, Redacted};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// The state itself when it is small, or where it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StateHandle {
    /// The bytes, stored inside the checkpoint's metadata.
    Inline(Bytes),
    /// A file that holds this state and nothing else.
    File(FileHandle),
    /// A part of a file that holds the state of many.
    Segment(SegmentHandle),
}

impl StateHandle {
    /// The size of the state in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::File(file) => file.len,
            Self::Segment(segment) => segment.len,
        }
    }

    /// The file that it is in; `None` for state in the metadata.
    #[must_use]
    pub const fn file(&self) -> Option<&StateFile> {
        match self {
            Self::Inline(_) => None,
            Self::File(file) => Some(&file.file),
            Self::Segment(segment) => Some(&segment.file),
        }
    }
}

/// The name of a file with state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateFile {
    /// In which directory it is.
    pub directory: StateDirectory,
    /// Its name there. Drawn at random and never used again.
    pub name: Name,
}

/// A directory with state, as seen from the checkpoint that refers to it. All but the last move with the job's directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateDirectory {
    /// The checkpoint's own: the file belongs to it alone, and goes when it goes.
    Exclusive,
    /// The one that the job's checkpoints share: a file goes when no retained checkpoint refers to it.
    Shared,
    /// The one for what tasks look after themselves: the coordinator never deletes a file there.
    TaskOwned,
    /// Another job's, at this address, from which this job was restored.
    Foreign(Arc<str>),
}

impl fmt::Debug for StateDirectory {
    /// Without what may be a secret in the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exclusive => f.write_str("Exclusive"),
            Self::Shared => f.write_str("Shared"),
            Self::TaskOwned => f.write_str("TaskOwned"),
            Self::Foreign(address) => f.debug_tuple("Foreign").field(&Redacted::new(address)).finish(),
        }
    }
}

/// A file with one state in it, and what must be in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileHandle {
    /// The file.
    pub file: StateFile,
    /// The length of the state in bytes.
    pub len: u64,
    /// What the checksums of its blocks must give.
    pub crc: Crc32c,
}

/// A part of a file, and what must be in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SegmentHandle {
    /// The file.
    pub file: StateFile,
    /// Where in the file the state begins, in bytes.
    pub offset: u64,
    /// The length of the state in bytes.
    pub len: u64,
    /// What the checksums of its blocks must give.
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
    /// Where they are.
    pub state: KeyedState,
}

impl KeyedHandle {
    /// The size of the state in bytes, whichever checkpoint wrote it.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.handles().fold(0, |sum, handle| sum.saturating_add(handle.size()))
    }

    /// Everything that has to be read to restore it.
    pub fn handles(&self) -> impl Iterator<Item = &StateHandle> {
        let (full, parts) = match &self.state {
            KeyedState::Full(handle) => (Some(handle), &[][..]),
            KeyedState::Incremental(incremental) => (None, &incremental.parts[..]),
        };
        full.into_iter().chain(parts.iter().map(|part| &part.handle))
    }
}

/// Keyed state, in one piece or in parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyedState {
    /// All of it, written for this checkpoint.
    Full(StateHandle),
    /// Parts, some of which an earlier checkpoint wrote.
    Incremental(IncrementalHandle),
}

/// Keyed state in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct IncrementalHandle {
    /// The parts, which together are all of the state. No two have the same name.
    pub parts: Vec<IncrementalPart>,
}

/// A part of keyed state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IncrementalPart {
    /// What it is, in the words of whoever writes and restores the state.
    pub name: Name,
    /// Where it is.
    pub handle: StateHandle,
    /// Whether the task wrote it, or only says that it is still what it was.
    pub origin: PartOrigin,
}

/// Who wrote a part of incremental state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartOrigin {
    /// The task, for this checkpoint.
    Written,
    /// The task, for an earlier one: a placeholder. It counts only if a retained checkpoint still refers to that file.
    Placeholder,
}

/// How operator state goes to the subtasks of another parallelism.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Redistribution {
    /// Each element goes to one subtask. Also known as a list.
    #[default]
    Split,
    /// Every subtask gets all elements of all.
    Union,
    /// Every subtask has the same elements, and gets one copy.
    Broadcast,
}

/// Operator state of one subtask: elements that other subtasks may take over when the parallelism changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OperatorHandle {
    /// Which of the operator's states it is.
    pub name: Name,
    /// How it is dealt.
    pub redistribution: Redistribution,
    /// How many elements are in it.
    pub elements: u32,
    /// Where it is.
    pub handle: StateHandle,
}

/// Records that were under way in one channel when the snapshot was taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChannelHandle {
    /// Which of the task's input gates or outputs, from 0.
    pub gate: u32,
    /// Which channel of it, from 0.
    pub channel: u32,
    /// How many buffers there are.
    pub buffers: u32,
    /// Where they are.
    pub handle: StateHandle,
}

/// Everything one task has to remember for one checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TaskSnapshot {
    /// Its keyed state, if it has any.
    pub keyed: Option<KeyedHandle>,
    /// Its operator states. No two have the same name.
    pub operator: Vec<OperatorHandle>,
    /// What was under way to it.
    pub input_channels: Vec<ChannelHandle>,
    /// What was under way from it.
    pub output_channels: Vec<ChannelHandle>,
    /// Whether the task had processed its last record and finished its operator before the snapshot.
    pub finished: bool,
}

impl TaskSnapshot {
    /// The size of all state in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size_with(|_| true)
    }

    /// The size in bytes of what was written for this checkpoint, without what earlier ones wrote.
    #[must_use]
    pub fn written_size(&self) -> u64 {
        self.size_with(|part| part.origin == PartOrigin::Written)
    }

    /// Of the parts of incremental state only those that count. Plain loops, because it is asked for every acknowledgement
    /// of every task, most of which have one handle.
    fn size_with(&self, counts: impl Fn(&IncrementalPart) -> bool) -> u64 {
        let mut size = 0_u64;
        let mut add = |handle: &StateHandle| size = size.saturating_add(handle.size());
        match self.keyed.as_ref().map(|keyed| &keyed.state) {
            None => {}
            Some(KeyedState::Full(handle)) => add(handle),
            Some(KeyedState::Incremental(incremental)) => {
                incremental.parts.iter().filter(|part| counts(part)).for_each(|part| add(&part.handle));
            }
        }
        self.operator.iter().for_each(|operator| add(&operator.handle));
        self.input_channels.iter().for_each(|channel| add(&channel.handle));
        self.output_channels.iter().for_each(|channel| add(&channel.handle));
        size
    }

    /// All state that it refers to.
    pub fn handles(&self) -> impl Iterator<Item = &StateHandle> {
        let keyed = self.keyed.iter().flat_map(KeyedHandle::handles);
        let operator = self.operator.iter().map(|operator| &operator.handle);
        let channels = self.input_channels.iter().chain(&self.output_channels).map(|channel| &channel.handle);
        keyed.chain(operator).chain(channels)
    }
}
