//! One operator, its coordinator and its storage, as simple as they can be.

use crate::key_group::{key_group, range_of};
use crate::{AMPLIFICATION, KeyHash, KeyedBase, KeyedHistory, KeyedState};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use stillframe_model::{
    CheckpointId, CheckpointKind, Crc32c, FileHandle, IncrementalPart, KeyedHandle,
    KeyedState as KeyedStateHandle, Name, PartOrigin, StateDirectory, StateFile, StateHandle,
};

/// Few enough for every one to be changed, emptied and kept.
pub(super) const MAX_PARALLELISM: u16 = 12;
pub(super) type Values = BTreeMap<u64, Vec<u8>>;
type State = KeyedState<u64, Vec<u8>>;

struct Subtask {
    state: State,
    history: KeyedHistory,
}

/// A checkpoint as the coordinator has it.
#[derive(Clone, Default)]
pub(super) struct Checkpoint {
    pub(super) handles: Vec<KeyedHandle>,
    values: Values,
}

impl Checkpoint {
    pub(super) fn parts(&self) -> impl Iterator<Item = &IncrementalPart> {
        self.handles.iter().flat_map(parts)
    }

    fn files(&self) -> BTreeSet<StateFile> {
        self.parts().filter_map(|part| part.handle.file()).cloned().collect()
    }

    pub(super) fn written(&self) -> usize {
        self.parts().filter(|part| part.origin == PartOrigin::Written).count()
    }
}

pub(super) fn parts(handle: &KeyedHandle) -> &[IncrementalPart] {
    match &handle.state {
        KeyedStateHandle::Full(_) => panic!("it is not incremental"),
        KeyedStateHandle::Incremental(incremental) => &incremental.parts,
    }
}

pub(super) struct World {
    subtasks: Vec<Subtask>,
    pub(super) values: Values,
    pub(super) files: BTreeMap<StateFile, Bytes>,
    pub(super) confirmed: Option<Checkpoint>,
    pub(super) under_way: BTreeMap<CheckpointId, Checkpoint>,
    next: CheckpointId,
    /// Where the storage puts what may be shared.
    pub(super) directory: StateDirectory,
    /// Parts that are not larger are inside the metadata.
    pub(super) inline: usize,
}

impl World {
    pub(super) fn new(parallelism: u32) -> Self {
        let mut world = Self {
            subtasks: Vec::new(),
            values: Values::new(),
            files: BTreeMap::new(),
            confirmed: None,
            under_way: BTreeMap::new(),
            next: CheckpointId::FIRST,
            directory: StateDirectory::Shared,
            inline: 400,
        };
        world.restart(parallelism);
        world
    }

    fn owner(&mut self, key: u64) -> &mut State {
        let group = key_group(key.key_hash(), MAX_PARALLELISM);
        let parallelism = u32::try_from(self.subtasks.len()).unwrap();
        let owner = crate::key_group::subtask_of(group, parallelism, MAX_PARALLELISM);
        &mut self.subtasks[owner as usize].state
    }

    pub(super) fn put(&mut self, key: u64, value: Vec<u8>) {
        self.owner(key).insert(key, value.clone());
        self.values.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: u64) {
        let removed = self.owner(key).remove(&key);
        assert_eq!(removed, self.values.remove(&key));
    }

    /// Takes a checkpoint in all subtasks, and looks at what it refers to.
    pub(super) fn capture(&mut self, kind: CheckpointKind) -> CheckpointId {
        let checkpoint = self.next;
        self.next = checkpoint.next();
        let mut handles = Vec::new();
        for index in 0..self.subtasks.len() {
            let Subtask { state, history } = &self.subtasks[index];
            let base = history.confirmed().filter(|_| kind.may_build_on_earlier());
            let increment = state.snapshot().increment(checkpoint, base.as_deref()).unwrap();
            let bytes = increment.pieces().concat();
            let written = (!bytes.is_empty()).then(|| self.store(checkpoint, index, bytes.into()));
            let (handle, base) = increment.finish(written).unwrap();
            self.subtasks[index].history.written(checkpoint, base);
            handles.push(handle);
        }
        let taken = Checkpoint { handles, values: self.values.clone() };
        self.assert_refers_to_what_is_confirmed(&taken);
        self.assert_bounded(&taken);
        self.under_way.insert(checkpoint, taken);
        checkpoint
    }

    fn store(&mut self, checkpoint: CheckpointId, subtask: usize, bytes: Bytes) -> StateHandle {
        if bytes.len() <= self.inline {
            return StateHandle::Inline(bytes);
        }
        let name = Name::new(format!("shared-{checkpoint}-{subtask}")).unwrap();
        let file = StateFile { directory: self.directory.clone(), name };
        let (len, crc) = (bytes.len() as u64, Crc32c::of(&bytes));
        assert_eq!(self.files.insert(file.clone(), bytes), None, "a name was used twice");
        StateHandle::File(FileHandle { file, len, crc })
    }

    /// What a coordinator would refuse.
    fn assert_refers_to_what_is_confirmed(&self, taken: &Checkpoint) {
        let confirmed = self.confirmed.iter().flat_map(Checkpoint::parts);
        let confirmed: Vec<_> = confirmed.map(|part| (&part.name, &part.handle)).collect();
        for part in taken.parts().filter(|part| part.origin == PartOrigin::Placeholder) {
            assert!(confirmed.contains(&(&part.name, &part.handle)), "{part:?} is not confirmed");
            let is_shared = part.handle.file().is_none_or(|file| file.directory == StateDirectory::Shared);
            assert!(is_shared, "{part:?} goes with its checkpoint");
        }
    }

    /// The groups in all parts together are at most a few times those that count, and no part is there for nothing.
    fn assert_bounded(&self, taken: &Checkpoint) {
        for handle in &taken.handles {
            if let Some((newest, older)) = parts(handle).split_last() {
                let current = crate::increment::Part::read(&self.bytes_of(&newest.handle)).unwrap().current;
                assert!(
                    older.iter().all(|part| current.contains_key(&part.name)),
                    "{current:?} of {older:?}"
                );
            }
            let held = parts(handle).iter().map(|part| {
                let part = crate::increment::Part::read(&self.bytes_of(&part.handle)).unwrap();
                part.records.values().map(|record| record.len() as u64).sum::<u64>()
            });
            let held: u64 = held.sum();
            let (_, current) = self.read(handle);
            let current: u64 = current.iter().map(|(_, record)| record.len() as u64).sum();
            assert!(held <= AMPLIFICATION * current, "{held} bytes for {current}");
        }
    }

    fn bytes_of(&self, handle: &StateHandle) -> Bytes {
        match handle {
            StateHandle::Inline(bytes) => bytes.clone(),
            StateHandle::File(file) => {
                self.files.get(&file.file).expect("a file that is needed is gone").clone()
            }
            StateHandle::Segment(_) => panic!("nothing here writes segments"),
        }
    }

    pub(super) fn read(&self, handle: &KeyedHandle) -> (KeyedBase, Vec<(u16, Bytes)>) {
        let parts = parts(handle).iter().map(|part| (part.clone(), self.bytes_of(&part.handle)));
        KeyedBase::read(handle.range, MAX_PARALLELISM, parts).unwrap()
    }

    /// A checkpoint is complete. Older ones are given up, and files that nobody needs any more are gone.
    pub(super) fn complete(&mut self, checkpoint: CheckpointId) {
        let later = self.under_way.split_off(&checkpoint.next());
        self.confirmed = std::mem::replace(&mut self.under_way, later).remove(&checkpoint);
        self.subtasks.iter_mut().for_each(|subtask| subtask.history.confirm(checkpoint));
        self.collect();
    }

    pub(super) fn abort(&mut self, checkpoint: CheckpointId) {
        self.under_way.remove(&checkpoint);
        self.subtasks.iter_mut().for_each(|subtask| subtask.history.abort(checkpoint));
        self.collect();
    }

    fn collect(&mut self) {
        let needed: BTreeSet<_> =
            self.confirmed.iter().chain(self.under_way.values()).flat_map(Checkpoint::files).collect();
        self.files.retain(|file, _| needed.contains(file));
    }

    /// Everything begins again with what is confirmed.
    pub(super) fn restart(&mut self, parallelism: u32) {
        self.under_way.clear();
        self.collect();
        let restored = self.confirmed.clone().unwrap_or_default();
        let (bases, records): (Vec<_>, Vec<_>) =
            restored.handles.iter().map(|handle| self.read(handle)).unzip();
        let records: Vec<_> = records.into_iter().flatten().collect();
        let subtask = |subtask| {
            let range = range_of(subtask, parallelism, MAX_PARALLELISM);
            let mine = records.iter().filter(|(group, _)| range.contains(*group));
            let state = State::restore(range, MAX_PARALLELISM, mine.map(|(_, record)| &record[..])).unwrap();
            let base = bases.iter().find(|base| base.range() == range).cloned();
            Subtask { state, history: KeyedHistory::new(base) }
        };
        self.subtasks = (0..parallelism).map(subtask).collect();
        self.values = restored.values;
        self.assert_equal();
    }

    /// Every key is where it belongs, with its value, and nothing else is anywhere.
    pub(super) fn assert_equal(&self) {
        let mut found = Values::new();
        for (key, value) in self.subtasks.iter().flat_map(|subtask| subtask.state.iter()) {
            assert_eq!(found.insert(*key, value.clone()), None, "key {key} is there twice");
        }
        assert_eq!(found, self.values);
    }
}
