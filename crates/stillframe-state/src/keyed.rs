//! What a task remembers for each key.

mod snapshot;

pub use snapshot::KeyedSnapshot;
pub(crate) use snapshot::{Content, Record};

use crate::key_group::key_group;
use crate::{KeyHash, StateError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use stillframe_metadata::frame::{self, RecordKind};
use stillframe_model::KeyGroupRange;

/// One value per key, for the keys of one subtask.
///
/// ```
/// use stillframe_model::KeyGroupRange;
/// use stillframe_state::KeyedState;
///
/// let all = KeyGroupRange { start: 0, end: 127 };
/// let mut counts = KeyedState::<String, u64>::new(all, 128);
/// *counts.get_or_default("tick".into()) += 1;
/// let snapshot = counts.snapshot();
/// *counts.get_or_default("tick".into()) += 1;
///
/// let restored = KeyedState::<String, u64>::restore(all, 128, [snapshot.encode()?.as_slice()])?;
/// assert_eq!(restored.get(&"tick".into()), Some(&1));
/// assert_eq!(counts.get(&"tick".into()), Some(&2));
/// # Ok::<(), stillframe_state::StateError>(())
/// ```
#[derive(Debug)]
pub struct KeyedState<K, V> {
    range: KeyGroupRange,
    max_parallelism: u16,
    /// One for each key group of the range. Shared with snapshots until it is changed.
    groups: Vec<Arc<BTreeMap<K, V>>>,
    /// From which record a group was read. It holds as long as the group is the one that it names: every change makes
    /// another one of it.
    origins: Vec<Option<Origin<K, V>>>,
}

/// The group that was read, and the record that it was read from.
type Origin<K, V> = (Weak<BTreeMap<K, V>>, Record);

#[derive(Deserialize)]
struct Read<K, V> {
    max_parallelism: u16,
    groups: Vec<(u16, Vec<(K, V)>)>,
}

impl<K, V> KeyedState<K, V>
where
    K: KeyHash + Ord + Clone + Serialize + DeserializeOwned,
    V: Clone + Serialize + DeserializeOwned,
{
    /// State without a value, for the keys in these groups.
    #[must_use]
    pub fn new(range: KeyGroupRange, max_parallelism: u16) -> Self {
        let groups: Vec<_> = (range.start..=range.end).map(|_| Arc::default()).collect();
        let origins = groups.iter().map(|_| None).collect();
        Self { range, max_parallelism, groups, origins }
    }

    /// The state in `parts`, as [`KeyedSnapshot::encode`] wrote them, as far as it falls into the range. Parts of
    /// neighbours may be among them: that is how a job is restored with another parallelism.
    ///
    /// # Errors
    /// If a part is damaged, belongs to an operator with other key groups, or was written with another key hash.
    pub fn restore<'a>(
        range: KeyGroupRange,
        max_parallelism: u16,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, StateError> {
        let mut state = Self::new(range, max_parallelism);
        for part in parts {
            let read = frame::open::<Read<K, V>>(RecordKind::KeyedState, part)
                .map_err(|source| StateError::Format { state: "keyed state", source })?;
            if read.max_parallelism != max_parallelism {
                return Err(StateError::MaxParallelism {
                    found: read.max_parallelism,
                    expected: max_parallelism,
                });
            }
            let record = Record::of(part);
            for (found, entries) in read.groups {
                state.read_group(found, entries, record)?;
            }
        }
        Ok(state)
    }

    /// Takes in a group of a record.
    fn read_group(
        &mut self,
        found: u16,
        entries: Vec<(K, V)>,
        record: Option<Record>,
    ) -> Result<(), StateError> {
        let expected = |key: &K| key_group(key.key_hash(), self.max_parallelism);
        if let Some(expected) = entries.iter().map(|(key, _)| expected(key)).find(|group| *group != found) {
            return Err(StateError::MisplacedKey { found, expected });
        }
        let Some(place) = self.place(found) else { return Ok(()) };
        let (Some(group), Some(origin)) = (self.groups.get_mut(place), self.origins.get_mut(place)) else {
            return Ok(());
        };
        // A group that comes from two records is not what either of them holds.
        let is_first = group.is_empty();
        Arc::make_mut(group).extend(entries);
        *origin = record.filter(|_| is_first).map(|record| (Arc::downgrade(group), record));
        Ok(())
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        let place = self.place(self.group_of(key))?;
        self.groups.get(place)?.get(key)
    }

    /// The value of a key, to be changed; a default one if there was none.
    ///
    /// # Panics
    /// If the key belongs to another subtask, which means that the exchange before this operator does not partition by it.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.owned_group_mut(&key).entry(key).or_default()
    }

    /// Sets the value of a key.
    ///
    /// # Panics
    /// As [`get_or_default`](Self::get_or_default).
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.owned_group_mut(&key).insert(key, value)
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let group = self.group_of(key);
        self.group_mut(group)?.remove(key)
    }

    /// All keys with their values, group by group, in ascending order within a group.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    /// Captures the state as it is now. Takes time for one pointer per key group, however much state there is.
    #[must_use]
    pub fn snapshot(&self) -> KeyedSnapshot<K, V> {
        let still = |group: &Arc<_>, (origin, record): &(Weak<_>, Record)| {
            std::ptr::addr_eq(origin.as_ptr(), Arc::as_ptr(group)).then_some(*record)
        };
        let origins = self.groups.iter().zip(&self.origins);
        let origins = origins.map(|(group, origin)| origin.as_ref().and_then(|origin| still(group, origin)));
        KeyedSnapshot::new(self.range, self.max_parallelism, self.groups.clone(), origins.collect())
    }

    fn group_of(&self, key: &K) -> u16 {
        key_group(key.key_hash(), self.max_parallelism)
    }

    fn place(&self, group: u16) -> Option<usize> {
        self.range.contains(group).then(|| usize::from(group - self.range.start))
    }

    fn group_mut(&mut self, group: u16) -> Option<&mut BTreeMap<K, V>> {
        let place = self.place(group)?;
        self.groups.get_mut(place).map(Arc::make_mut)
    }

    fn owned_group_mut(&mut self, key: &K) -> &mut BTreeMap<K, V> {
        let (group, range) = (self.group_of(key), self.range);
        self.group_mut(group)
            .unwrap_or_else(|| panic!("a key of group {group} came to the subtask for groups {range}; is the input exchanged by this key?"))
    }
}

#[cfg(test)]
mod tests;
