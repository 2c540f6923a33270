use crate::{Operator, Output, Record, Restored, Snapshot, Stateful, TaskContext, TaskResult};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use stillframe_model::CheckpointId;
use stillframe_state::{KeyHash, KeyedState};

/// Keeps one value per key, changes it with every record of that key, and emits all of them at the end.
pub struct Fold<K, V, Key, Add, Finish> {
    task: TaskContext,
    state: KeyedState<K, V>,
    key: Key,
    add: Add,
    finish: Finish,
}

impl<K, V, Key, Add, Finish> Fold<K, V, Key, Add, Finish>
where
    K: KeyHash + Ord + Clone + Serialize + DeserializeOwned,
    V: Default + Clone + Serialize + DeserializeOwned,
{
    /// `key` gives the key of a record, the same that the exchange before this operator hashes; `add` puts the record into
    /// the value of its key, which begins as the default; `finish` makes a record of each key and its last value.
    pub fn new(task: &TaskContext, key: Key, add: Add, finish: Finish) -> Self {
        let state = KeyedState::new(task.key_groups(), task.max_parallelism);
        Self { task: task.clone(), state, key, add, finish }
    }
}

impl<K, V, Key, Add, Finish> Stateful for Fold<K, V, Key, Add, Finish>
where
    K: KeyHash + Ord + Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    V: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    Key: Send + 'static,
    Add: Send + 'static,
    Finish: Send + 'static,
{
    fn open(&mut self, restored: Restored) -> TaskResult<()> {
        let parts = restored.keyed.iter().map(|part| &part[..]);
        self.state = KeyedState::restore(self.task.key_groups(), self.task.max_parallelism, parts)?;
        Ok(())
    }

    fn snapshot(&mut self, _: CheckpointId) -> TaskResult<Snapshot> {
        Ok(Snapshot::new().with_keyed(self.state.snapshot()))
    }
}

impl<T, K, V, Key, Add, Finish> Operator<T> for Fold<K, V, Key, Add, Finish>
where
    T: Record,
    K: KeyHash + Ord + Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    V: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    Key: Fn(&T) -> K + Send + 'static,
    Add: Fn(&mut V, T) + Send + 'static,
    Finish: Fn(&K, &V) -> T + Send + 'static,
{
    fn process(&mut self, record: T, _: &mut Output<T>) -> TaskResult<()> {
        let value = self.state.get_or_default((self.key)(&record));
        (self.add)(value, record);
        Ok(())
    }

    fn finish(&mut self, output: &mut Output<T>) -> TaskResult<()> {
        for (key, value) in self.state.iter() {
            output.emit((self.finish)(key, value));
        }
        Ok(())
    }
}

impl<K, V, Key, Add, Finish> fmt::Debug for Fold<K, V, Key, Add, Finish> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fold").field("task", &self.task).finish_non_exhaustive()
    }
}

/// Calls a function with every record, and again for those that come again after a restore. For output that must not be
/// doubled, use a [two-phase-commit sink](crate::sink).
pub struct ForEach<F> {
    function: F,
}

impl<F> ForEach<F> {
    /// Calls `function` with every record.
    pub fn new(function: F) -> Self {
        Self { function }
    }
}

impl<F: Send + 'static> Stateful for ForEach<F> {}

impl<T, F: FnMut(T) + Send + 'static> Operator<T> for ForEach<F> {
    fn process(&mut self, record: T, _: &mut Output<T>) -> TaskResult<()> {
        (self.function)(record);
        Ok(())
    }
}

impl<F> fmt::Debug for ForEach<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForEach")
    }
}
