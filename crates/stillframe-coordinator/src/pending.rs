//! One checkpoint between its trigger and its end.

use crate::waiting::Origin;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use stillframe_model::{
    CheckpointId, CheckpointKind, LocationReference, Now, OpId, TaskId, TaskSnapshot, Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pending {
    kind: CheckpointKind,
    pub(crate) origin: Origin,
    pub(crate) triggered: Now,
    pub(crate) expires: Timestamp,
    pub(crate) phase: Phase,
    not_acknowledged: BTreeSet<TaskId>,
    acknowledged: BTreeMap<TaskId, TaskSnapshot>,
}

/// How far it is. Only forwards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// The storage makes a place for it.
    Locating(OpId),
    /// Tasks capture and write their state.
    Collecting(LocationReference),
    /// All state is durable; it waits for an earlier publication to end.
    Collected(LocationReference),
    /// Its metadata is on the way. It can no longer be aborted, because it may already exist.
    Publishing { op: OpId, location: LocationReference, dropped: Vec<CheckpointId> },
}

/// What an acknowledgement meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledgement {
    Accepted,
    Last,
    Duplicate,
    UnknownTask,
}

impl Pending {
    pub(crate) fn new(
        kind: CheckpointKind,
        origin: Origin,
        triggered: Now,
        expires: Timestamp,
        op: OpId,
        tasks: impl Iterator<Item = TaskId>,
    ) -> Self {
        Self {
            kind,
            origin,
            triggered,
            expires,
            phase: Phase::Locating(op),
            not_acknowledged: tasks.collect(),
            acknowledged: BTreeMap::new(),
        }
    }

    pub(crate) fn kind(&self) -> CheckpointKind {
        self.kind
    }

    /// Whether an acknowledgement by this task would be its first, which is the only one that counts.
    pub(crate) fn awaits(&self, task: TaskId) -> bool {
        self.not_acknowledged.contains(&task)
    }

    pub(crate) fn acknowledge(&mut self, task: TaskId, snapshot: TaskSnapshot) -> Acknowledgement {
        if self.not_acknowledged.remove(&task) {
            self.acknowledged.insert(task, snapshot);
            if self.not_acknowledged.is_empty() { Acknowledgement::Last } else { Acknowledgement::Accepted }
        } else if self.acknowledged.contains_key(&task) {
            Acknowledgement::Duplicate
        } else {
            Acknowledgement::UnknownTask
        }
    }

    pub(crate) fn is_triggering(&self) -> bool {
        matches!(self.phase, Phase::Locating(_))
    }

    pub(crate) fn is_publishing(&self) -> bool {
        matches!(self.phase, Phase::Publishing { .. })
    }

    /// Whether it can still be given up: nothing that could make it exist is on its way.
    pub(crate) fn can_be_aborted(&self) -> bool {
        !self.is_publishing()
    }

    pub(crate) fn snapshots(&self) -> &BTreeMap<TaskId, TaskSnapshot> {
        &self.acknowledged
    }

    pub(crate) fn missing(&self) -> &BTreeSet<TaskId> {
        &self.not_acknowledged
    }

    /// Whether every task had processed its last record when its state was captured.
    pub(crate) fn covers_end_of_data(&self) -> bool {
        self.not_acknowledged.is_empty() && self.acknowledged.values().all(|snapshot| snapshot.finished)
    }
}
