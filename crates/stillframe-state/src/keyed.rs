use crate::key_group::key_group;
use crate::{KeyHash, StateError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
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
}

/// The state as it was when it was captured. Encoding it can take its time, on any thread.
#[derive(Debug)]
pub struct KeyedSnapshot<K, V> {
    range: KeyGroupRange,
    max_parallelism: u16,
    groups: Vec<Arc<BTreeMap<K, V>>>,
}

/// How it is written: the groups that hold anything, in ascending order.
#[derive(Serialize)]
struct Written<'a, K, V> {
    max_parallelism: u16,
    groups: Vec<(u16, Vec<(&'a K, &'a V)>)>,
}

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
        let groups = (range.start..=range.end).map(|_| Arc::default()).collect();
        Self { range, max_parallelism, groups }
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
            for (found, entries) in read.groups {
                for (key, value) in entries {
                    let expected = key_group(key.key_hash(), max_parallelism);
                    if found != expected {
                        return Err(StateError::MisplacedKey { found, expected });
                    }
                    if let Some(group) = state.group_mut(expected) {
                        group.insert(key, value);
                    }
                }
            }
        }
        Ok(state)
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
        KeyedSnapshot {
            range: self.range,
            max_parallelism: self.max_parallelism,
            groups: self.groups.clone(),
        }
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

impl<K: Serialize, V: Serialize> KeyedSnapshot<K, V> {
    /// The key groups in it.
    #[must_use]
    pub fn range(&self) -> KeyGroupRange {
        self.range
    }

    /// The state as bytes.
    ///
    /// # Errors
    /// If it is too large for one record, or a key or value has no encoding.
    pub fn encode(&self) -> Result<Vec<u8>, StateError> {
        let groups =
            (self.range.start..=self.range.end).zip(&self.groups).filter(|(_, group)| !group.is_empty());
        let groups = groups.map(|(number, group)| (number, group.iter().collect())).collect();
        frame::seal(RecordKind::KeyedState, &Written { max_parallelism: self.max_parallelism, groups })
            .map_err(|source| StateError::Format { state: "keyed state", source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_group::range_of;

    type Counts = KeyedState<String, u64>;

    const ALL: KeyGroupRange = KeyGroupRange { start: 0, end: 127 };

    fn counts(keys: u64) -> Counts {
        let mut state = Counts::new(ALL, 128);
        for key in 0..keys {
            state.insert(format!("key {key}"), key);
        }
        state
    }

    #[test]
    fn what_happens_after_the_capture_is_not_in_it() {
        let mut state = counts(500);
        let before: BTreeMap<_, _> = state.iter().map(|(key, value)| (key.clone(), *value)).collect();
        let snapshot = state.snapshot();
        for key in 0..500 {
            *state.get_or_default(format!("key {key}")) += 1;
        }
        state.remove(&"key 7".into());
        state.insert("new".into(), 1);
        let restored = Counts::restore(ALL, 128, [snapshot.encode().unwrap().as_slice()]).unwrap();
        let after: BTreeMap<_, _> = restored.iter().map(|(key, value)| (key.clone(), *value)).collect();
        assert_eq!(after, before);
    }

    #[test]
    fn two_subtasks_become_three_and_no_key_is_lost_or_doubled() {
        let whole = counts(500).snapshot().encode().unwrap();
        let divide = |parts: &[Vec<u8>], parallelism| -> Vec<Counts> {
            let part = |subtask| range_of(subtask, parallelism, 128);
            (0..parallelism)
                .map(|subtask| Counts::restore(part(subtask), 128, parts.iter().map(Vec::as_slice)).unwrap())
                .collect()
        };
        let two = divide(&[whole], 2);
        let three =
            divide(&two.iter().map(|state| state.snapshot().encode().unwrap()).collect::<Vec<_>>(), 3);
        let mut keys: Vec<_> = three.iter().flat_map(|state| state.iter().map(|(_, value)| *value)).collect();
        keys.sort_unstable();
        assert_eq!(keys, (0..500).collect::<Vec<_>>());
        assert!(three.iter().all(|state| state.iter().count() > 100));
    }

    #[test]
    fn foreign_state_is_refused() {
        let bytes = counts(3).snapshot().encode().unwrap();
        let found = |result: Result<Counts, StateError>| result.unwrap_err().to_string();
        let other = KeyGroupRange { start: 0, end: 63 };
        assert!(found(Counts::restore(other, 64, [bytes.as_slice()])).contains("max parallelism 128"));
        let misplaced = Written { max_parallelism: 128, groups: vec![(0, vec![(&"key 1", &1_u64)])] };
        let misplaced = frame::seal(RecordKind::KeyedState, &misplaced).unwrap();
        assert!(found(Counts::restore(ALL, 128, [misplaced.as_slice()])).contains("stands in group 0"));
        assert!(Counts::restore(ALL, 128, [&bytes[1..]]).is_err());
    }

    #[test]
    #[should_panic(expected = "is the input exchanged by this key?")]
    fn a_key_of_another_subtask_is_a_bug_of_the_job() {
        let mut state = Counts::new(KeyGroupRange { start: 0, end: 0 }, 128);
        (0..9).for_each(|key| *state.get_or_default(format!("key {key}")) += 1);
    }
}
