use crate::{Operator, Output, Record, Restored, Snapshot, Stateful, TaskContext, TaskResult};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use stillframe_model::CheckpointId;
use stillframe_state::{KeyHash, KeyedState};

/// Merges the values of each key into one, and emits every key with its value at the end. Records are pairs of a key and a
/// value, and come through [`Exchange::by_key`](crate::Exchange::by_key).
pub struct Reduce<K, V, M> {
    task: TaskContext,
    state: KeyedState<K, V>,
    merge: M,
}

impl<K, V, M> Reduce<K, V, M>
where
    K: KeyHash + Ord + Clone + Serialize + DeserializeOwned,
    V: Default + Clone + Serialize + DeserializeOwned,
    M: Fn(&mut V, V),
{
    /// `merge` puts a value into that of its key, which begins as the default.
    pub fn new(task: &TaskContext, merge: M) -> Self {
        let state = KeyedState::new(task.key_groups(), task.max_parallelism);
        Self { task: task.clone(), state, merge }
    }
}

impl<K, V, M> Stateful for Reduce<K, V, M>
where
    K: KeyHash + Ord + Record + Serialize + DeserializeOwned,
    V: Record + Serialize + DeserializeOwned,
    M: Send + 'static,
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

impl<K, V, M> Operator<(K, V)> for Reduce<K, V, M>
where
    K: KeyHash + Ord + Record + Serialize + DeserializeOwned,
    V: Default + Record + Serialize + DeserializeOwned,
    M: Fn(&mut V, V) + Send + 'static,
{
    fn process(&mut self, (key, value): (K, V), _: &mut Output<(K, V)>) -> TaskResult<()> {
        (self.merge)(self.state.get_or_default(key), value);
        Ok(())
    }

    fn finish(&mut self, output: &mut Output<(K, V)>) -> TaskResult<()> {
        for (key, value) in self.state.iter() {
            output.emit((key.clone(), value.clone()));
        }
        Ok(())
    }
}

impl<K, V, M> fmt::Debug for Reduce<K, V, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reduce").field("task", &self.task).finish_non_exhaustive()
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
