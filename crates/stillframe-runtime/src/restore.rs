//! From a checkpoint in a storage to the state that each task begins with.

use crate::JobError;
use crate::offload::Call;
use crate::operator::Restored;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use stillframe_coordinator::{JobPlan, VertexPlan};
use stillframe_metadata as metadata;
use stillframe_model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, FileHandle, IncrementalPart, KeyGroupRange,
    KeyedHandle, KeyedState, Name, OperatorState, Redistribution, SegmentHandle, StateDirectory, StateFile,
    StateHandle, TaskId, TaskSnapshot, VertexId,
};
use stillframe_state::{KeyedBase, elements, key_group};
use stillframe_storage::{CompletedLocation, StorageError};

/// What one task begins with.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskState {
    pub(crate) restored: Restored,
    pub(crate) finished: bool,
    /// Its keyed state as the checkpoint has it, for later ones to build on. `None` if the checkpoint was not incremental, or
    /// divided the key groups otherwise.
    pub(crate) base: Option<KeyedBase>,
}

/// Whose checkpoint it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// One of the job's register, with this id. The job took it, or has adopted it.
    Own {
        id: CheckpointId,
        /// As below, for one that another job took.
        ignore_unclaimed: bool,
    },
    /// Somebody's, given by a person, and left to them.
    Foreign {
        /// Whether state that no operator of the job claims is left out instead of refused.
        ignore_unclaimed: bool,
    },
}

/// What is in a checkpoint for a job.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) states: BTreeMap<TaskId, TaskState>,
    /// The operators and hooks whose state nobody of the job claims.
    pub(crate) left_out: Vec<Name>,
    /// What the hooks had kept, all of it or nothing.
    pub(crate) hooks: BTreeMap<Name, Bytes>,
    /// The state of the operators' coordinators.
    pub(crate) coordinators: BTreeMap<VertexId, Bytes>,
    pub(crate) checkpoint: CheckpointId,
    pub(crate) kind: CheckpointKind,
}

/// Reads a checkpoint and deals its state to the tasks of the plan. Each state that is read is a step of the call.
pub(crate) async fn load(
    location: Arc<dyn CompletedLocation>,
    origin: Origin,
    plan: &JobPlan,
    call: &Call,
) -> Result<Loaded, JobError> {
    let pointer = location.pointer().clone();
    call.step("its metadata");
    let metadata = read_metadata(&*location).await?;
    let mismatch = |problem: String| JobError::Mismatch { pointer: pointer.clone(), problem };
    let may_leave_out = match origin {
        Origin::Own { id, .. } if metadata.checkpoint != id => {
            return Err(mismatch(format!(
                "it says that it is checkpoint {} of job {}, and stands where checkpoint {id} of job {} belongs",
                metadata.checkpoint, metadata.job, plan.job
            )));
        }
        Origin::Own { ignore_unclaimed, .. } => ignore_unclaimed && metadata.job != plan.job,
        Origin::Foreign { ignore_unclaimed } => ignore_unclaimed,
    };
    let is_foreign = matches!(origin, Origin::Foreign { .. }) || metadata.job != plan.job;
    let CheckpointMetadata { checkpoint, kind, mut operators, mut hooks, .. } = metadata;
    let (mut states, mut coordinators) = (BTreeMap::new(), BTreeMap::new());
    for (vertex, id) in plan.vertices.iter().zip((0..).map(VertexId::new)) {
        let Some(mut operator) = operators.remove(&vertex.name) else { continue };
        if vertex.has_coordinator {
            coordinators.extend(operator.coordinator.take().map(|state| (id, state)));
        } else if operator.coordinator.is_some() && !may_leave_out {
            return Err(mismatch(format!(
                "operator {} has no coordinator any more, and the checkpoint holds the state of one; give it back, or drop \
                 its state with execution.state-recovery.ignore-unclaimed-state",
                vertex.name
            )));
        }
        check(vertex, &operator).map_err(mismatch)?;
        let subtasks =
            read(Location { completed: &*location, is_foreign, call }, vertex, operator, checkpoint).await?;
        states.extend((0..).map(|subtask| TaskId { vertex: id, subtask }).zip(subtasks));
    }
    let has_state = |operator: &OperatorState| {
        operator.coordinator.is_some() || operator.subtasks.iter().any(|subtask| subtask.size() > 0)
    };
    let unclaimed = operators.into_iter().filter(|(_, operator)| has_state(operator));
    let mut left_out: Vec<Name> = unclaimed.map(|(name, _)| name).collect();
    left_out.extend(hooks.extract_if(.., |name, _| !plan.hooks.contains(name)).map(|(name, _)| name));
    if !left_out.is_empty() && !may_leave_out {
        let names: Vec<_> = left_out.iter().map(Name::as_str).collect();
        return Err(mismatch(format!(
            "it holds state of operators or hooks that this job does not have: {}; give them their names back, or drop their \
             state with execution.state-recovery.ignore-unclaimed-state",
            names.join(", ")
        )));
    }
    Ok(Loaded { states, left_out, hooks, coordinators, checkpoint, kind })
}

/// What a checkpoint consists of.
pub(crate) async fn read_metadata(location: &dyn CompletedLocation) -> Result<CheckpointMetadata, JobError> {
    let bytes = location.metadata().await?;
    metadata::decode(&bytes)
        .map_err(|source| JobError::Metadata { pointer: location.pointer().clone(), source })
}

/// The files of a checkpoint that may outlive it, by the names that later ones have for them. Of a snapshot that another
/// job took these are all of its files.
pub(crate) fn shared_files(
    location: &dyn CompletedLocation,
    metadata: &CheckpointMetadata,
    is_foreign: bool,
) -> BTreeSet<StateFile> {
    let subtasks = metadata.operators.values().flat_map(|operator| &operator.subtasks);
    let files = subtasks.flat_map(TaskSnapshot::handles).filter_map(StateHandle::file);
    files
        .filter_map(|file| match (&file.directory, is_foreign) {
            (_, true) => location.foreign(file),
            (StateDirectory::Shared | StateDirectory::Foreign(_), false) => Some(file.clone()),
            (StateDirectory::Exclusive | StateDirectory::TaskOwned, false) => None,
        })
        .collect()
}

/// A checkpoint that is being read.
#[derive(Clone, Copy)]
struct Location<'a> {
    completed: &'a dyn CompletedLocation,
    call: &'a Call,
    /// Whether another job took it.
    is_foreign: bool,
}

impl Location<'_> {
    async fn read(&self, operator: &Name, handle: &StateHandle) -> Result<Bytes, StorageError> {
        self.call.step(format!("state of operator {operator}"));
        self.completed.read(handle).await
    }

    /// The part under the name that later checkpoints have for its file, where they can have one. It is the name that
    /// [`shared_files`] has for it.
    fn seen_from_here(&self, part: &IncrementalPart) -> IncrementalPart {
        let mut part = part.clone();
        if self.is_foreign
            && let StateHandle::File(FileHandle { file, .. })
            | StateHandle::Segment(SegmentHandle { file, .. }) = &mut part.handle
            && let Some(name) = self.completed.foreign(file)
        {
            *file = name;
        }
        part
    }
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
    let has_channels =
        |task: &TaskSnapshot| !task.input_channels.is_empty() || !task.output_channels.is_empty();
    if operator.subtasks.iter().any(has_channels) {
        return Err(format!(
            "operator {name} has records in its channels, which this runtime cannot restore"
        ));
    }
    let finished = operator.subtasks.iter().filter(|subtask| subtask.finished).count();
    let rescaled = operator.subtasks.len() as u64 != u64::from(*parallelism);
    if rescaled && !vertex.is_source() && finished > 0 && finished < operator.subtasks.len() {
        return Err(format!(
            "operator {name} was finished in {finished} of {} subtasks; restore it with that parallelism",
            operator.subtasks.len()
        ));
    }
    Ok(())
}

async fn read(
    location: Location<'_>,
    vertex: &VertexPlan,
    operator: OperatorState,
    checkpoint: CheckpointId,
) -> Result<Vec<TaskState>, JobError> {
    let of_operator = |source| JobError::State {
        pointer: location.completed.pointer().clone(),
        operator: vertex.name.clone(),
        source,
    };
    let mut keyed: Vec<(KeyGroupRange, Bytes)> = Vec::new();
    let mut bases = Vec::new();
    let mut lists = Vec::new();
    let old_parallelism = operator.subtasks.len();
    for subtask in &operator.subtasks {
        match &subtask.keyed {
            None => {}
            Some(KeyedHandle { range, state: KeyedState::Full(handle) }) => {
                keyed.push((*range, location.read(&vertex.name, handle).await?));
            }
            Some(KeyedHandle { range, state: KeyedState::Incremental(incremental) }) => {
                let mut parts = Vec::new();
                for part in &incremental.parts {
                    parts.push((
                        location.seen_from_here(part),
                        location.read(&vertex.name, &part.handle).await?,
                    ));
                }
                let (base, records) =
                    KeyedBase::read(*range, operator.max_parallelism, parts).map_err(of_operator)?;
                bases.push(base);
                let of_group = |group| KeyGroupRange { start: group, end: group };
                keyed.extend(records.into_iter().map(|(group, record)| (of_group(group), record)));
            }
        }
        let mut list_elements = Vec::new();
        for list in &subtask.operator {
            if list.redistribution != Redistribution::Split {
                let problem = format!(
                    "operator {} has state {} that is dealt otherwise than as a list, which its operator cannot take",
                    vertex.name, list.name
                );
                return Err(JobError::Mismatch { pointer: location.completed.pointer().clone(), problem });
            }
            let bytes = location.read(&vertex.name, &list.handle).await?;
            list_elements.extend(elements::decode(&bytes).map_err(of_operator)?);
        }
        lists.push(list_elements);
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
        let base = bases.iter().find(|base| base.range() == range).cloned();
        TaskState { restored, finished: finished(index), base }
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
        base: None,
    })
}

/// The name by which people know a task.
pub(crate) fn name_of(plan: &JobPlan, task: TaskId) -> Option<Name> {
    let vertex = usize::try_from(task.vertex.get()).ok()?;
    plan.vertices.get(vertex).map(|vertex| vertex.name.clone())
}
