//! From a checkpoint in a storage to the state that each task begins with.

use crate::JobError;
use crate::offload::Call;
use crate::operator::Restored;
use crate::snapshot::ELEMENTS;
use bytes::Bytes;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use stillframe_coordinator::{JobPlan, VertexPlan};
use stillframe_metadata as metadata;
use stillframe_model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, FileHandle, IncrementalPart, KeyGroupRange,
    KeyedHandle, KeyedState, Name, OperatorHandle, OperatorState, Redistribution, SegmentHandle,
    StateDirectory, StateFile, StateHandle, TaskId, TaskSnapshot, VertexId,
};
use stillframe_state::assignment::{
    AssignmentOptions, ElementRun, JobVertex, KeyGroupRun, ListAssignment, OperatorAssignment,
    StateAssignment, SubtaskAssignment, UnclaimedState, assign,
};
use stillframe_state::{KeyedBase, StateError, elements, key_group};
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
    /// One of the job's register, with this id.
    Own {
        id: CheckpointId,
        /// Whether the job did not write it but took it over from where it lay. Only the storage knows: the snapshot may name
        /// this very job, and come out of another directory.
        is_taken: bool,
        /// As below, for one that it took over.
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
    /// For each vertex, into how many key groups its keys are divided from now on.
    pub(crate) max_parallelism: Vec<u16>,
    /// The operators and hooks whose state nobody of the job claims.
    pub(crate) left_out: Vec<Name>,
    /// What the hooks had kept, all of it or nothing.
    pub(crate) hooks: BTreeMap<Name, Bytes>,
    /// The state of the operators' coordinators.
    pub(crate) coordinators: BTreeMap<VertexId, Bytes>,
    pub(crate) checkpoint: CheckpointId,
    pub(crate) kind: CheckpointKind,
}

/// Reads a checkpoint, and from it what is assigned to the tasks of the job with these vertices. Each state that is read is
/// a step of the call.
pub(crate) async fn load(
    location: Arc<dyn CompletedLocation>,
    origin: Origin,
    plan: &JobPlan,
    vertices: &[JobVertex],
    may_finish_early: bool,
    call: &Call,
) -> Result<Loaded, JobError> {
    let pointer = location.pointer().clone();
    call.step("its metadata");
    let metadata = read_metadata(&*location).await?;
    let mismatch = |problem: String| JobError::Mismatch { pointer: pointer.clone(), problem };
    let may_leave_out = match origin {
        Origin::Own { id, is_taken, .. }
            if metadata.checkpoint != id || (!is_taken && metadata.job != plan.job) =>
        {
            return Err(mismatch(format!(
                "it says that it is checkpoint {} of job {}, and stands where checkpoint {id} of job {} belongs",
                metadata.checkpoint, metadata.job, plan.job
            )));
        }
        Origin::Own { is_taken, ignore_unclaimed, .. } => ignore_unclaimed && is_taken,
        Origin::Foreign { ignore_unclaimed } => ignore_unclaimed,
    };
    let is_foreign = matches!(origin, Origin::Foreign { .. } | Origin::Own { is_taken: true, .. });
    let CheckpointMetadata { checkpoint, kind, operators, mut hooks, .. } = metadata;
    let unclaimed = if may_leave_out { UnclaimedState::LeaveOut } else { UnclaimedState::Refuse };
    let assignment = assign(&operators, vertices, AssignmentOptions { unclaimed, may_finish_early })
        .map_err(|source| JobError::Assignment { pointer: pointer.clone(), source })?;
    let StateAssignment { vertices: assigned, mut left_out } = assignment;
    let strangers: Vec<_> = hooks.extract_if(.., |name, _| !plan.hooks.contains(name)).collect();
    let has_lost_coordinator = |vertex: &&VertexPlan| {
        let state = operators.get(&vertex.name).and_then(|operator| operator.coordinator.as_ref());
        !vertex.has_coordinator && state.is_some()
    };
    let gone = strangers.iter().map(|(name, _)| format!("hook {name}"));
    let lost = plan.vertices.iter().filter(has_lost_coordinator);
    let gone: Vec<_> =
        gone.chain(lost.map(|vertex| format!("coordinator of operator {}", vertex.name))).collect();
    if !gone.is_empty() && !may_leave_out {
        return Err(mismatch(format!(
            "it holds state of what this job does not have: {}; give it back, or drop its state with \
             execution.state-recovery.ignore-unclaimed-state",
            gone.join(", ")
        )));
    }
    left_out.extend(strangers.into_iter().map(|(name, _)| name));
    if let Some((vertex, _)) = vertices
        .iter()
        .zip(&assigned)
        .find(|(_, assigned)| !(assigned.inputs.is_empty() && assigned.outputs.is_empty()))
    {
        return Err(mismatch(format!(
            "there are records in the channels of operator {}, which this runtime cannot restore",
            vertex.name
        )));
    }
    let location = Location { completed: &*location, call, is_foreign };
    let (mut states, mut coordinators) = (BTreeMap::new(), BTreeMap::new());
    let mut max_parallelism = Vec::new();
    for (vertex, id) in assigned.into_iter().zip((0..).map(VertexId::new)) {
        max_parallelism.push(vertex.max_parallelism);
        // This runtime has one operator in each vertex.
        for OperatorAssignment { state, subtasks } in vertex.operators {
            let Some((name, state)) = state.and_then(|name| operators.get_key_value(&name)) else { continue };
            let has_coordinator =
                plan.vertices.get(id.get() as usize).is_some_and(|vertex| vertex.has_coordinator);
            if let Some(kept) = state.coordinator.as_ref().filter(|_| has_coordinator) {
                coordinators.insert(id, kept.clone());
            }
            let mut stored = Stored { location, name, state, keyed: BTreeMap::new(), lists: BTreeMap::new() };
            let parallelism = u32::try_from(subtasks.len()).unwrap_or(u32::MAX);
            for (subtask, assigned) in (0..).zip(subtasks) {
                let range = key_group::range_of(subtask, parallelism, vertex.max_parallelism);
                let state = stored.read(assigned, range, checkpoint).await?;
                states.insert(TaskId { vertex: id, subtask }, state);
            }
        }
    }
    for task in plan.tasks() {
        states.entry(task).or_insert_with(|| nothing_but(Some(checkpoint)));
    }
    Ok(Loaded { states, max_parallelism, left_out, hooks, coordinators, checkpoint, kind })
}

/// What a checkpoint consists of.
pub(crate) async fn read_metadata(location: &dyn CompletedLocation) -> Result<CheckpointMetadata, JobError> {
    let bytes = location.metadata().await?;
    metadata::decode(&bytes)
        .map_err(|source| JobError::Metadata { pointer: location.pointer().clone(), source })
}

/// The files of a checkpoint that may outlive it, by the names that later ones have for them. Of a snapshot that the job
/// did not write these are all of its files.
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
    /// Whether it was not written by this job into its own directory.
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

/// State of one operator, read as far as somebody has asked for it.
struct Stored<'a> {
    location: Location<'a>,
    name: &'a Name,
    state: &'a OperatorState,
    /// By the subtask that it was the state of.
    keyed: BTreeMap<u32, Keyed>,
    /// Also by the name of the list.
    lists: BTreeMap<(u32, Redistribution, Name), Vec<Bytes>>,
}

/// Keyed state of one old subtask.
enum Keyed {
    Whole(Bytes),
    /// The record of each group that holds anything, and the state as something to build on.
    Groups(Vec<(u16, Bytes)>, KeyedBase),
}

impl<'a> Stored<'a> {
    /// What one new subtask, with these key groups, begins with.
    async fn read(
        &mut self,
        assigned: SubtaskAssignment,
        range: KeyGroupRange,
        checkpoint: CheckpointId,
    ) -> Result<TaskState, JobError> {
        let SubtaskAssignment { keyed, lists, finished } = assigned;
        let mut state = TaskState { finished, ..nothing_but(Some(checkpoint)) };
        for KeyGroupRun { subtask, groups } in &keyed {
            match self.keyed(*subtask).await? {
                None => {}
                Some(Keyed::Whole(bytes)) => state.restored.keyed.push(bytes.clone()),
                Some(Keyed::Groups(records, base)) => {
                    let wanted = records.iter().filter(|(group, _)| groups.contains(*group));
                    state.restored.keyed.extend(wanted.map(|(_, record)| record.clone()));
                    if base.range() == range {
                        state.base = Some(base.clone());
                    }
                }
            }
        }
        for ListAssignment { name, redistribution, runs } in lists {
            let elements = match name.as_str() {
                ELEMENTS => &mut state.restored.elements,
                _ => state.restored.lists.entry(name.clone()).or_default(),
            };
            for ElementRun { subtask, elements: run } in runs.iter() {
                let list = self.list(*subtask, redistribution, &name).await?;
                let run = usize::try_from(run.start).ok().zip(usize::try_from(run.end).ok());
                elements
                    .extend(run.and_then(|(start, end)| list.get(start..end)).unwrap_or_default().to_vec());
            }
        }
        Ok(state)
    }

    async fn keyed(&mut self, subtask: u32) -> Result<Option<&Keyed>, JobError> {
        let Some(KeyedHandle { range, state }) =
            self.snapshot(subtask).and_then(|snapshot| snapshot.keyed.as_ref())
        else {
            return Ok(None);
        };
        let slot = match self.keyed.entry(subtask) {
            Entry::Occupied(known) => return Ok(Some(known.into_mut())),
            Entry::Vacant(slot) => slot,
        };
        let read = match state {
            KeyedState::Full(handle) => Keyed::Whole(self.location.read(self.name, handle).await?),
            KeyedState::Incremental(incremental) => {
                let mut parts = Vec::new();
                for part in &incremental.parts {
                    let bytes = self.location.read(self.name, &part.handle).await?;
                    parts.push((self.location.seen_from_here(part), bytes));
                }
                let (base, records) = KeyedBase::read(*range, self.state.max_parallelism, parts)
                    .map_err(|source| refused(self.location, self.name, source))?;
                Keyed::Groups(records, base)
            }
        };
        Ok(Some(slot.insert(read)))
    }

    /// The elements of a list that one old subtask had.
    async fn list(
        &mut self,
        subtask: u32,
        redistribution: Redistribution,
        name: &Name,
    ) -> Result<&[Bytes], JobError> {
        let lists = self.snapshot(subtask).map_or(&[][..], |snapshot| &snapshot.operator);
        let is_wanted = |list: &&OperatorHandle| list.name == *name && list.redistribution == redistribution;
        let Some(OperatorHandle { elements: expected, handle, .. }) = lists.iter().find(is_wanted) else {
            return Ok(&[]);
        };
        let slot = match self.lists.entry((subtask, redistribution, name.clone())) {
            Entry::Occupied(known) => return Ok(known.into_mut()),
            Entry::Vacant(slot) => slot,
        };
        let bytes = self.location.read(self.name, handle).await?;
        let elements = elements::decode_all(name, *expected, &bytes);
        let elements = elements.map_err(|source| refused(self.location, self.name, source))?;
        Ok(slot.insert(elements))
    }

    fn snapshot(&self, subtask: u32) -> Option<&'a TaskSnapshot> {
        usize::try_from(subtask).ok().and_then(|subtask| self.state.subtasks.get(subtask))
    }
}

fn refused(location: Location<'_>, operator: &Name, source: StateError) -> JobError {
    JobError::State { pointer: location.completed.pointer().clone(), operator: operator.clone(), source }
}

/// What a task begins with. One that the checkpoint has nothing of still knows that it is restored.
pub(crate) fn state_of(
    states: &mut BTreeMap<TaskId, TaskState>,
    task: TaskId,
    checkpoint: Option<CheckpointId>,
) -> TaskState {
    states.remove(&task).unwrap_or_else(|| nothing_but(checkpoint))
}

fn nothing_but(checkpoint: Option<CheckpointId>) -> TaskState {
    TaskState { restored: Restored { checkpoint, ..Restored::default() }, finished: false, base: None }
}

/// The name by which people know a task.
pub(crate) fn name_of(plan: &JobPlan, task: TaskId) -> Option<Name> {
    let vertex = usize::try_from(task.vertex.get()).ok()?;
    plan.vertices.get(vertex).map(|vertex| vertex.name.clone())
}
