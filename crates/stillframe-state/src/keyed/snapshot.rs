use crate::StateError;
use serde::Serialize;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use stillframe_metadata::frame::{self, RecordKind};
use stillframe_model::KeyGroupRange;

/// The state as it was when it was captured. Encoding it can take its time, on any thread.
#[derive(Debug)]
pub struct KeyedSnapshot<K, V> {
    range: KeyGroupRange,
    max_parallelism: u16,
    groups: Vec<Arc<BTreeMap<K, V>>>,
    /// From which record a group was read, as far as it has not changed since.
    origins: Vec<Option<Record>>,
}

/// A record of one key group, by the checksum of its body: the last four bytes of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record([u8; 4]);

impl Record {
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        bytes.last_chunk().copied().map(Self)
    }
}

/// What a key group held at one moment. It keeps no value alive, and is the same again only as long as nobody has
/// changed the group.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// What the task had. Every change gives the group another address, which is never that of this one while this exists.
    Captured(Weak<dyn Any + Send + Sync>),
    /// What the task was restored from.
    Read(Record),
}

/// How it is written: the groups that hold anything, in ascending order.
#[derive(Serialize)]
struct Written<'a, K, V> {
    max_parallelism: u16,
    groups: Vec<(u16, Vec<(&'a K, &'a V)>)>,
}

impl<K, V> KeyedSnapshot<K, V> {
    pub(super) fn new(
        range: KeyGroupRange,
        max_parallelism: u16,
        groups: Vec<Arc<BTreeMap<K, V>>>,
        origins: Vec<Option<Record>>,
    ) -> Self {
        Self { range, max_parallelism, groups, origins }
    }

    /// The key groups in it.
    #[must_use]
    pub fn range(&self) -> KeyGroupRange {
        self.range
    }

    pub(crate) fn max_parallelism(&self) -> u16 {
        self.max_parallelism
    }

    /// The groups that hold anything.
    pub(crate) fn filled(&self) -> impl Iterator<Item = u16> {
        self.numbered().filter(|(_, group)| !group.is_empty()).map(|(number, _)| number)
    }

    fn numbered(&self) -> impl Iterator<Item = (u16, &Arc<BTreeMap<K, V>>)> {
        (self.range.start..=self.range.end).zip(&self.groups)
    }

    fn place(&self, number: u16) -> Option<usize> {
        number.checked_sub(self.range.start).map(usize::from)
    }

    fn group(&self, number: u16) -> Option<&Arc<BTreeMap<K, V>>> {
        self.groups.get(self.place(number)?)
    }

    /// Whether the group is what it was.
    pub(crate) fn is_still(&self, number: u16, content: &Content) -> bool {
        match content {
            Content::Captured(captured) => {
                let is_it = |group| std::ptr::addr_eq(captured.as_ptr(), Arc::as_ptr(group));
                self.group(number).is_some_and(is_it)
            }
            Content::Read(record) => {
                self.place(number).and_then(|place| self.origins.get(place)) == Some(&Some(*record))
            }
        }
    }
}

impl<K, V> KeyedSnapshot<K, V>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// What the group holds now, to be recognised later.
    pub(crate) fn content(&self, number: u16) -> Option<Content> {
        let captured = Arc::downgrade(self.group(number)?);
        Some(Content::Captured(captured))
    }
}

impl<K: Serialize, V: Serialize> KeyedSnapshot<K, V> {
    /// The state as bytes.
    ///
    /// # Errors
    /// If it is too large for one record, or a key or value has no encoding.
    pub fn encode(&self) -> Result<Vec<u8>, StateError> {
        self.record(self.numbered().filter(|(_, group)| !group.is_empty()))
    }

    /// One group as bytes.
    pub(crate) fn encode_group(&self, number: u16) -> Result<Vec<u8>, StateError> {
        self.record(self.group(number).into_iter().map(|group| (number, group)))
    }

    fn record<'a>(
        &self,
        groups: impl Iterator<Item = (u16, &'a Arc<BTreeMap<K, V>>)>,
    ) -> Result<Vec<u8>, StateError>
    where
        K: 'a,
        V: 'a,
    {
        let groups = groups.map(|(number, group)| (number, group.iter().collect())).collect();
        frame::seal(RecordKind::KeyedState, &Written { max_parallelism: self.max_parallelism, groups })
            .map_err(|source| StateError::Format { state: "keyed state", source })
    }
}

#[cfg(test)]
pub(super) fn misplaced() -> Vec<u8> {
    let misplaced = Written { max_parallelism: 128, groups: vec![(0, vec![(&"key 1", &1_u64)])] };
    frame::seal(RecordKind::KeyedState, &misplaced).unwrap()
}
