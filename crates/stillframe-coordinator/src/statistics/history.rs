//! Which checkpoints are remembered.

use super::record::{Graph, Record, Slot};
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use stillframe_model::{CheckpointId, CheckpointKind, Now, Pointer, TaskId};

/// The last checkpoints that began, the newest of each kind, and whatever is in progress.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct History {
    /// How many of the last are remembered.
    capacity: usize,
    /// The last ones, oldest first.
    last: VecDeque<CheckpointId>,
    latest_completed: Option<CheckpointId>,
    latest_savepoint: Option<CheckpointId>,
    latest_failed: Option<CheckpointId>,
    /// All that one of the above names or that are in progress, in the order of their ids.
    records: Vec<Record>,
    /// What one that was forgotten leaves for the next.
    spare: Vec<Slot>,
}

impl History {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            last: VecDeque::new(),
            latest_completed: None,
            latest_savepoint: None,
            latest_failed: None,
            records: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Where the record of a checkpoint is, until the next change.
    pub(super) fn find(&self, id: CheckpointId) -> Option<usize> {
        // Nearly always it is the newest that is asked for.
        match self.records.last() {
            Some(last) if last.id == id => Some(self.records.len() - 1),
            _ => self.records.binary_search_by_key(&id, |record| record.id).ok(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<&Record> {
        self.records.get(index)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Record> {
        self.records.get_mut(index)
    }

    pub(super) fn record(&self, id: CheckpointId) -> Option<&Record> {
        self.get(self.find(id)?)
    }

    /// Whether a checkpoint is among the last, and not only the newest of a kind.
    pub(super) fn is_among_last(&self, id: CheckpointId) -> bool {
        self.last.front().is_some_and(|front| *front <= id)
    }

    /// What a person may ask for: what is in progress and too old for the history is not shown, as in Flink.
    pub(super) fn shown(&self, id: CheckpointId) -> Option<&Record> {
        let is_latest =
            [self.latest_completed, self.latest_savepoint, self.latest_failed].contains(&Some(id));
        self.record(id).filter(|_| is_latest || self.is_among_last(id))
    }

    /// The last ones, newest first.
    pub(super) fn last(&self) -> impl Iterator<Item = &Record> {
        self.last.iter().rev().filter_map(|id| self.record(*id))
    }

    pub(super) fn latest_completed(&self) -> Option<&Record> {
        self.record(self.latest_completed?)
    }

    pub(super) fn latest_savepoint(&self) -> Option<&Record> {
        self.record(self.latest_savepoint?)
    }

    pub(super) fn latest_failed(&self) -> Option<&Record> {
        self.record(self.latest_failed?)
    }

    /// What is in progress.
    pub(super) fn open(&self) -> Vec<CheckpointId> {
        self.records.iter().filter(|record| record.is_open()).map(|record| record.id).collect()
    }

    /// A checkpoint begins. Says whether it is a new one: ids only grow.
    pub(super) fn begin(
        &mut self,
        now: Now,
        id: CheckpointId,
        kind: CheckpointKind,
        graph: Arc<Graph>,
        finished: &[TaskId],
    ) -> bool {
        if self.records.last().is_some_and(|newest| id <= newest.id) {
            return false;
        }
        if self.capacity > 0 {
            if self.last.len() == self.capacity {
                self.last.pop_front();
            }
            self.last.push_back(id);
        }
        self.forget();
        let slots = core::mem::take(&mut self.spare);
        self.records.push(Record::new(id, kind, now, graph, finished, slots));
        true
    }

    /// A checkpoint that is in progress completes.
    pub(super) fn complete(&mut self, id: CheckpointId, pointer: Pointer) -> Option<&Record> {
        let record = self.find_open(id)?;
        record.complete(pointer);
        let is_savepoint = record.kind.is_savepoint();
        let latest = if is_savepoint { &mut self.latest_savepoint } else { &mut self.latest_completed };
        *latest = Some(id).max(*latest);
        self.record(id)
    }

    /// A checkpoint that is in progress fails. Says whether it was.
    pub(super) fn fail(&mut self, now: Now, id: CheckpointId, message: String) -> bool {
        let Some(record) = self.find_open(id) else { return false };
        record.fail(now, message);
        self.latest_failed = Some(id).max(self.latest_failed);
        self.forget();
        true
    }

    pub(super) fn discard(&mut self, id: CheckpointId) {
        if let Some(record) = self.find(id).and_then(|index| self.get_mut(index)) {
            record.discard();
        }
    }

    fn find_open(&mut self, id: CheckpointId) -> Option<&mut Record> {
        let index = self.find(id)?;
        self.get_mut(index).filter(|record| record.is_open())
    }

    /// Lets go of what nothing names any more.
    pub(super) fn forget(&mut self) {
        let oldest = self.last.front().copied();
        let latest = [self.latest_completed, self.latest_savepoint, self.latest_failed];
        let is_needed = |record: &Record| {
            record.is_open()
                || oldest.is_some_and(|oldest| oldest <= record.id)
                || latest.contains(&Some(record.id))
        };
        while let Some(index) = self.records.iter().position(|record| !is_needed(record)) {
            self.spare = self.records.remove(index).into_slots();
        }
    }
}
