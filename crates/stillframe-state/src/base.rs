//! On what an incremental snapshot builds, and how it does.

use crate::StateError;
use crate::increment::{Part, Table};
use crate::keyed::{Content, KeyedSnapshot, Record};
use bytes::Bytes;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use stillframe_model::{
    CheckpointId, IncrementalHandle, IncrementalPart, KeyGroupRange, KeyedHandle, KeyedState, Name,
    PartOrigin, StateDirectory, StateHandle,
};

/// How many times the bytes of its key groups an incremental snapshot refers to at most. A part of which less than one in so
/// many bytes is still current is given up: what is current of it is written anew with the next part. So what did not
/// change is written again only after more than as much beside it did.
pub const AMPLIFICATION: u64 = 2;

/// Keyed state of one subtask as a checkpoint has it: in which parts it stands, and which of them count for which groups.
/// The next checkpoint refers to those parts, as far as the state is still the same.
#[derive(Clone, Debug)]
pub struct KeyedBase {
    range: KeyGroupRange,
    max_parallelism: u16,
    /// Oldest first. The newest says of every group in which part it stands.
    parts: Vec<Written>,
    groups: BTreeMap<u16, Place>,
}

#[derive(Clone, Debug)]
struct Written {
    name: Name,
    handle: StateHandle,
    origin: PartOrigin,
    /// The bytes of its groups, whether they still count or not.
    size: u64,
}

#[derive(Clone, Debug)]
struct Place {
    /// Which of the parts.
    part: usize,
    len: u64,
    content: Content,
}

impl KeyedBase {
    /// The key groups in it, also those that hold nothing.
    #[must_use]
    pub fn range(&self) -> KeyGroupRange {
        self.range
    }

    /// Reads state back from its parts, each with its bytes, in the order of its handle. Gives the record of each group that
    /// holds anything, for [`KeyedState::restore`](crate::KeyedState::restore), and the state as something to build on if
    /// it is restored with the same key groups.
    ///
    /// The handles of the parts have to be such that the next checkpoint could use them; a part that it could not refer
    /// to is not built on.
    ///
    /// # Errors
    /// If a part is damaged, missing, or not what the newest says that it is.
    pub fn read(
        range: KeyGroupRange,
        max_parallelism: u16,
        parts: impl IntoIterator<Item = (IncrementalPart, Bytes)>,
    ) -> Result<(Self, Vec<(u16, Bytes)>), StateError> {
        let mut base = Self { range, max_parallelism, parts: Vec::new(), groups: BTreeMap::new() };
        let mut records = Vec::new();
        let mut current = Table::new();
        for (IncrementalPart { name, handle, origin: _ }, bytes) in parts {
            let part = Part::read(&bytes).map_err(|problem| refused(&name, problem))?;
            if part.max_parallelism != max_parallelism {
                return Err(StateError::MaxParallelism {
                    found: part.max_parallelism,
                    expected: max_parallelism,
                });
            }
            let size = part.records.values().map(|record| record.len() as u64).sum();
            base.parts.push(Written { name, handle, origin: PartOrigin::Placeholder, size });
            records.push(part.records);
            current = part.current;
        }
        let mut found = BTreeMap::new();
        for (name, groups) in current {
            let part = base.parts.iter().position(|part| part.name == name);
            let missing = || refused(&name, "is missing, and holds current key groups".into());
            let part = part.ok_or_else(missing)?;
            for group in groups {
                let record = records.get(part).and_then(|records| records.get(&group));
                let record =
                    record.ok_or_else(|| refused(&name, format!("does not hold key group {group}")))?;
                let content = Record::of(record).filter(|_| range.contains(group)).map(Content::Read);
                let content = content
                    .ok_or_else(|| refused(&name, format!("cannot hold key group {group}, of {range}")))?;
                let place = Place { part, len: record.len() as u64, content };
                if base.groups.insert(group, place).is_some() {
                    return Err(refused(&name, format!("is the second with a current key group {group}")));
                }
                found.insert(group, record.clone());
            }
        }
        Ok((base, found.into_iter().collect()))
    }

    /// What the next checkpoint keeps when these groups are still the same: those in parts that it may refer to and of which
    /// enough is current.
    fn keep(&self, same: BTreeSet<u16>) -> Self {
        let mut live = vec![0_u64; self.parts.len()];
        let places = || self.groups.iter().filter(|(group, _)| same.contains(group));
        for (_, place) in places() {
            if let Some(live) = live.get_mut(place.part) {
                *live += place.len;
            }
        }
        let mut kept = Self { parts: Vec::new(), groups: BTreeMap::new(), ..*self };
        let mut moved = BTreeMap::new();
        for (index, (part, live)) in self.parts.iter().zip(live).enumerate() {
            let is_worth_it = live > 0 && live.saturating_mul(AMPLIFICATION) >= part.size;
            if is_worth_it && part.may_be_shared() {
                moved.insert(index, kept.parts.len());
                kept.parts.push(Written { origin: PartOrigin::Placeholder, ..part.clone() });
            }
        }
        for (group, place) in places() {
            if let Some(part) = moved.get(&place.part) {
                kept.groups.insert(*group, Place { part: *part, ..place.clone() });
            }
        }
        kept
    }

    /// Whether nothing of it is missing in what is kept, and what its newest part says of all parts may be kept as well. That
    /// part need not hold a current group itself.
    fn is_all_in(&self, kept: &Self) -> bool {
        kept.groups.len() == self.groups.len() && self.parts.last().is_none_or(Written::may_be_shared)
    }

    /// The same for another checkpoint, which writes nothing.
    fn as_it_is(&self) -> Self {
        let mut same = self.clone();
        same.parts.iter_mut().for_each(|part| part.origin = PartOrigin::Placeholder);
        same
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        for (group, place) in &self.groups {
            if let Some(part) = self.parts.get(place.part) {
                table.entry(part.name.clone()).or_default().insert(*group);
            }
        }
        table
    }

    /// What a checkpoint's metadata says of it.
    fn handle(&self) -> KeyedHandle {
        let parts = self.parts.iter().map(|part| IncrementalPart {
            name: part.name.clone(),
            handle: part.handle.clone(),
            origin: part.origin,
        });
        let state = KeyedState::Incremental(IncrementalHandle { parts: parts.collect() });
        KeyedHandle { range: self.range, state }
    }
}

impl Written {
    /// Whether another checkpoint may refer to it. That is up to the storage: it may give each checkpoint its own directory
    /// and nothing else.
    fn may_be_shared(&self) -> bool {
        self.handle.file().is_none_or(|file| match file.directory {
            StateDirectory::Shared | StateDirectory::Foreign(_) => true,
            StateDirectory::Exclusive | StateDirectory::TaskOwned => false,
        })
    }
}

/// An incremental snapshot on its way to a storage.
#[derive(Debug)]
pub struct KeyedIncrement {
    name: Name,
    /// Empty if nothing is to be written.
    pieces: Vec<Bytes>,
    size: u64,
    /// The state as it will be, but for the handle of what is to be written.
    base: KeyedBase,
}

impl<K, V> KeyedSnapshot<K, V>
where
    K: Serialize + Send + Sync + 'static,
    V: Serialize + Send + Sync + 'static,
{
    /// What has to be written of the state for this checkpoint if it may refer to the parts of `base`: the key groups that
    /// are not what they were then, all in one part. Without a base, or on one with other key groups, that is everything.
    ///
    /// # Errors
    /// If a group is too large for one record, or a key or value has no encoding.
    pub fn increment(
        &self,
        checkpoint: CheckpointId,
        base: Option<&KeyedBase>,
    ) -> Result<KeyedIncrement, StateError> {
        let (range, max_parallelism) = (self.range(), self.max_parallelism());
        let name = name_of(checkpoint);
        let filled: BTreeSet<u16> = self.filled().collect();
        let draft = match base.filter(|base| base.range == range && base.max_parallelism == max_parallelism) {
            None => KeyedBase { range, max_parallelism, parts: Vec::new(), groups: BTreeMap::new() },
            Some(base) => {
                let is_same = |(group, place): &(&u16, &Place)| self.is_still(**group, &place.content);
                let same = base.groups.iter().filter(is_same).map(|(group, _)| *group).collect();
                let kept = base.keep(same);
                if base.is_all_in(&kept) && kept.groups.len() == filled.len() {
                    return Ok(KeyedIncrement { name, pieces: Vec::new(), size: 0, base: base.as_it_is() });
                }
                kept
            }
        };
        let mut records = BTreeMap::new();
        for group in filled {
            if !draft.groups.contains_key(&group) {
                records.insert(group, Bytes::from(self.encode_group(group)?));
            }
        }
        let mut increment = KeyedIncrement { name, pieces: Vec::new(), size: 0, base: draft };
        let KeyedIncrement { name, pieces, size, base: draft } = &mut increment;
        let mut current = draft.table();
        if !records.is_empty() {
            current.insert(name.clone(), records.keys().copied().collect());
        }
        if current.is_empty() {
            return Ok(increment);
        }
        let part = draft.parts.len();
        for (group, record) in &records {
            let len = record.len() as u64;
            *size += len;
            draft.groups.extend(self.content(*group).map(|content| (*group, Place { part, len, content })));
        }
        *pieces = Part { max_parallelism, records, current }
            .into_pieces()
            .map_err(|problem| refused(name, problem))?;
        Ok(increment)
    }
}

impl KeyedIncrement {
    /// What is to be written into one stream that later checkpoints may share, piece by piece. Nothing if nothing is new.
    #[must_use]
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// The snapshot with what was written of it, as a task acknowledges it and as a later one may build on it.
    ///
    /// # Errors
    /// If there was something to write, and there is no handle of it.
    pub fn finish(self, written: Option<StateHandle>) -> Result<(KeyedHandle, KeyedBase), StateError> {
        let Self { name, pieces, size, mut base } = self;
        if let Some(handle) = written {
            base.parts.push(Written { name, handle, origin: PartOrigin::Written, size });
        } else if !pieces.is_empty() {
            return Err(refused(&name, "was written, and the storage has no handle for it".into()));
        }
        Ok((base.handle(), base))
    }
}

fn name_of(checkpoint: CheckpointId) -> Name {
    Name::new(format!("increment-{checkpoint}")).unwrap_or_else(|_| unreachable!("it fits the grammar"))
}

fn refused(part: &Name, problem: String) -> StateError {
    StateError::Part { part: part.clone(), problem }
}
