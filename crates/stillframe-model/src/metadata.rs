use crate::{CheckpointId, CheckpointKind, JobId, Name, TaskSnapshot, UnixMillis};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;

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
    /// What the job's hooks wanted to have kept, by their names. A hook is told of each checkpoint before any task is, and gets
    /// back what it gave when the job is restored; one that gave nothing is not here.
    pub hooks: BTreeMap<Name, Bytes>,
}

impl CheckpointMetadata {
    /// The size of all state in bytes, that of coordinators and hooks included, without the metadata itself.
    #[must_use]
    pub fn state_size(&self) -> u64 {
        let operators = self.operators.values().map(OperatorState::size);
        let hooks = self.hooks.values().map(|state| state.len() as u64);
        operators.chain(hooks).fold(0, u64::saturating_add)
    }
}

/// The state of one operator: that of all its subtasks, and of its coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OperatorState {
    /// Into how many key groups its keys are divided; fixed for the life of the state.
    pub max_parallelism: u16,
    /// One snapshot per subtask, in the order of the subtasks. Its length is the parallelism.
    pub subtasks: Vec<TaskSnapshot>,
    /// The state of the operator's coordinator, which runs beside the subtasks and deals them their work, as the one of a source
    /// does with the parts of its input. `None` if it has none, or has no work left because all subtasks had finished.
    pub coordinator: Option<Bytes>,
}

impl OperatorState {
    /// The size of all its state in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        let coordinator = self.coordinator.as_ref().map_or(0, |state| state.len() as u64);
        self.subtasks.iter().fold(coordinator, |sum, subtask| sum.saturating_add(subtask.size()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OperatorHandle, Redistribution, StateHandle};
    use alloc::vec;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn the_size_of_all_state_is_that_of_tasks_coordinators_and_hooks() {
        let operator = vec![OperatorHandle {
            name: name("list"),
            redistribution: Redistribution::Split,
            elements: 1,
            handle: StateHandle::Inline(Bytes::from_static(&[0; 1_000])),
        }];
        let subtasks = vec![TaskSnapshot { operator, ..TaskSnapshot::default() }; 2];
        let coordinator = Some(Bytes::from_static(&[0; 100]));
        let source = OperatorState { max_parallelism: 4, subtasks, coordinator };
        let sink = OperatorState { coordinator: None, ..source.clone() };
        assert_eq!((source.size(), sink.size()), (2_100, 2_000));
        let metadata = CheckpointMetadata {
            job: JobId::from_bytes([9; 16]),
            checkpoint: CheckpointId::new(17),
            kind: CheckpointKind::Checkpoint,
            triggered_at: UnixMillis(0),
            operators: BTreeMap::from([(name("source"), source), (name("sink"), sink)]),
            hooks: BTreeMap::from([
                (name("one"), Bytes::from_static(&[0; 10])),
                (name("two"), Bytes::from_static(&[0; 7])),
            ]),
        };
        assert_eq!(metadata.state_size(), 4_117);
    }
}
