use crate::{CheckpointId, CheckpointKind, JobId, Name, TaskSnapshot, UnixMillis};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What a completed checkpoint consists of: enough to restore the job from it, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckpointMetadata {
    /// The job that took it.
    pub job: JobId,
    /// Its id within the job.
    pub checkpoint: CheckpointId,
    /// What it was taken for, and whether it may refer to state that an earlier one wrote.
    pub kind: CheckpointKind,
    /// When it was triggered.
    pub triggered_at: UnixMillis,
    /// The state of each operator, by the name the job gave it.
    pub operators: BTreeMap<Name, OperatorState>,
}

impl CheckpointMetadata {
    /// The size of all state in bytes, without the metadata itself.
    #[must_use]
    pub fn state_size(&self) -> u64 {
        let subtasks = self.operators.values().flat_map(|operator| &operator.subtasks);
        subtasks.fold(0, |sum, subtask| sum.saturating_add(subtask.size()))
    }
}

/// The state of all subtasks of one operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OperatorState {
    /// Into how many key groups its keys are divided; fixed for the life of the state.
    pub max_parallelism: u16,
    /// One snapshot per subtask, in the order of the subtasks. Its length is the parallelism.
    pub subtasks: Vec<TaskSnapshot>,
}
