//! From a checkpoint in a storage to the state that each task begins with.

use crate::JobError;
use crate::operator::Restored;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use stillframe_coordinator::{JobPlan, VertexPlan};
use stillframe_metadata as metadata;
use stillframe_model::{
    CheckpointId, CheckpointMetadata, KeyGroupRange, Name, OperatorState, TaskId, VertexId,
};
use stillframe_state::{elements, key_group};
use stillframe_storage::CompletedLocation;

/// What one task begins with.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskState {
    pub(crate) restored: Restored,
    pub(crate) finished: bool,
}

/// Whose checkpoint it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This job's own, with this id.
    Own(CheckpointId),
    /// Somebody's, given by a person.
    Foreign {
        /// Whether state that no operator of the job claims is left out instead of refused.
        ignore_unclaimed: bool,
    },
}

/// What is in a checkpoint for a job.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) states: BTreeMap<TaskId, TaskState>,
    /// The operators whose state no operator of the job claims.
    pub(crate) left_out: Vec<Name>,
}

/// Reads a checkpoint and deals its state to the tasks of the plan.
pub(crate) async fn load(
    location: Arc<dyn CompletedLocation>,
    origin: Origin,
    plan: &JobPlan,
) -> Result<Loaded, JobError> {
    let pointer = location.pointer().clone();
    let bytes = location.metadata().await?;
    let metadata =
        metadata::decode(&bytes).map_err(|source| JobError::Metadata { pointer: pointer.clone(), source })?;
    let mismatch = |problem: String| JobError::Mismatch { pointer: pointer.clone(), problem };
    if let Origin::Own(expected) = origin
        && (metadata.job, metadata.checkpoint) != (plan.job, expected)
    {
        return Err(mismatch(format!(
            "it says that it is checkpoint {} of job {}, and stands where checkpoint {expected} of job {} belongs",
            metadata.checkpoint, metadata.job, plan.job
        )));
    }
    let CheckpointMetadata { checkpoint, mut operators, .. } = metadata;
    let mut states = BTreeMap::new();
    for (vertex, id) in plan.vertices.iter().zip((0..).map(VertexId::new)) {
        let Some(operator) = operators.remove(&vertex.name) else { continue };
        check(vertex, &operator).map_err(mismatch)?;
        let subtasks = read(&*location, vertex, operator, checkpoint).await?;
        states.extend((0..).map(|subtask| TaskId { vertex: id, subtask }).zip(subtasks));
    }
    let has_state = |operator: &OperatorState| operator.subtasks.iter().any(|subtask| subtask.size() > 0);
    let unclaimed = operators.into_iter().filter(|(_, operator)| has_state(operator));
    let left_out: Vec<Name> = unclaimed.map(|(name, _)| name).collect();
    if !left_out.is_empty() && origin != (Origin::Foreign { ignore_unclaimed: true }) {
        let names: Vec<_> = left_out.iter().map(Name::as_str).collect();
        return Err(mismatch(format!(
            "it holds state of operators that this job does not have: {}; give them their names back, or drop their \
             state with execution.state-recovery.ignore-unclaimed-state",
            names.join(", ")
        )));
    }
    Ok(Loaded { states, left_out })
}

/// Whether the state of an operator can go into a vertex.
fn check(vertex: &VertexPlan, operator: &OperatorState) -> Result<(), String> {
    let VertexPlan { name, parallelism, max_parallelism, .. } = vertex;
    if operator.max_parallelism != *max_parallelism {
        return Err(format!(
            "operator {name} was written with max parallelism {} and now has {max_parallelism}",
            operator.max_parallelism
        ));
    }
    let finished = operator.subtasks.iter().filter(|subtask| subtask.finished).count();
    let rescaled = operator.subtasks.len() as u64 != u64::from(*parallelism);
    if rescaled && !vertex.is_source && finished > 0 && finished < operator.subtasks.len() {
        return Err(format!(
            "operator {name} was finished in {finished} of {} subtasks; restore it with that parallelism",
            operator.subtasks.len()
        ));
    }
    Ok(())
}

async fn read(
    location: &dyn CompletedLocation,
    vertex: &VertexPlan,
    operator: OperatorState,
    checkpoint: CheckpointId,
) -> Result<Vec<TaskState>, JobError> {
    let mut keyed: Vec<(KeyGroupRange, Bytes)> = Vec::new();
    let mut lists = Vec::new();
    let old_parallelism = operator.subtasks.len();
    for subtask in &operator.subtasks {
        if let Some(part) = &subtask.keyed {
            keyed.push((part.range, location.read(&part.handle).await?));
        }
        lists.push(match &subtask.operator {
            Some(list) => {
                let bytes = location.read(&list.handle).await?;
                elements::decode(&bytes).map_err(|source| JobError::State {
                    pointer: location.pointer().clone(),
                    operator: vertex.name.clone(),
                    source,
                })?
            }
            None => Vec::new(),
        });
    }
    let parallelism = vertex.parallelism;
    let all_finished = operator.subtasks.iter().all(|subtask| subtask.finished);
    let finished = |subtask: usize| {
        if old_parallelism as u64 == u64::from(parallelism) {
            operator.subtasks.get(subtask).is_some_and(|subtask| subtask.finished)
        } else {
            all_finished
        }
    };
    let lists = elements::redistribute(lists, usize::try_from(parallelism).unwrap_or(usize::MAX));
    let states = (0..parallelism).zip(lists).enumerate().map(|(index, (subtask, elements))| {
        let range = key_group::range_of(subtask, parallelism, vertex.max_parallelism);
        let parts = keyed.iter().filter(|(part, _)| part.intersects(range)).map(|(_, bytes)| bytes.clone());
        let restored = Restored { checkpoint: Some(checkpoint), keyed: parts.collect(), elements };
        TaskState { restored, finished: finished(index) }
    });
    Ok(states.collect())
}

/// Tasks whose vertex had no state in the checkpoint still know that they are restored.
pub(crate) fn state_of(
    states: &mut BTreeMap<TaskId, TaskState>,
    task: TaskId,
    checkpoint: Option<CheckpointId>,
) -> TaskState {
    states.remove(&task).unwrap_or_else(|| TaskState {
        restored: Restored { checkpoint, ..Restored::default() },
        finished: false,
    })
}

/// The name by which people know a task.
pub(crate) fn name_of(plan: &JobPlan, task: TaskId) -> Option<Name> {
    let vertex = usize::try_from(task.vertex.get()).ok()?;
    plan.vertices.get(vertex).map(|vertex| vertex.name.clone())
}
