//! Which subtask of a restored job reads which state of the checkpoint: Flink's rules, on handles and without a byte of state.
//!
//! [`assign`] is given the operator states of a checkpoint and the [vertices](JobVertex) of the job as it is now, whatever its
//! parallelism was when the checkpoint was taken, and says for each new subtask from which old subtasks it reads
//! [key groups](KeyGroupRun), [elements of operator state](ElementRun) and [channels](GateAssignment); or it says why the
//! checkpoint does not fit, as an [`AssignmentError`].
//!
//! - **Keyed state**: at the same parallelism everybody keeps what it had. Otherwise each new subtask gets of every old one
//!   the key groups that are now its own.
//! - **Operator state**: elements of a split list are dealt in contiguous runs, a union list goes to everybody, of a broadcast
//!   list everybody gets one copy.
//! - **Channel state**: by the [mappers](SubtaskStateMapper) that the partitioner of the edge implies.
//! - **Max parallelism**: that of the state is adopted, unless the job sets another one.
//! - **Finished subtasks** stay finished with their state; those before them have to be finished as well.
//!
//! An operator that is in the checkpoint without any state counts as not being there.
//!
//! ```
//! use std::collections::BTreeMap;
//! use stillframe_model::{Name, OperatorHandle, OperatorState, Redistribution, StateHandle, TaskSnapshot};
//! use stillframe_state::assignment::{AssignmentOptions, JobVertex, MaxParallelism, assign};
//!
//! // Two subtasks had three and two elements; one subtask takes over all of them.
//! let name = Name::new("source").unwrap();
//! let subtask = |elements| TaskSnapshot {
//!     operator: vec![OperatorHandle {
//!         name: Name::new("positions").unwrap(),
//!         redistribution: Redistribution::Split,
//!         elements,
//!         handle: StateHandle::Inline("…".into()),
//!     }],
//!     ..TaskSnapshot::default()
//! };
//! let state = OperatorState { max_parallelism: 128, subtasks: vec![subtask(3), subtask(2)], coordinator: None };
//! let checkpoint = BTreeMap::from([(name.clone(), state)]);
//!
//! let job = [JobVertex::new(name, 1, MaxParallelism::Derived(128))];
//! let assignment = assign(&checkpoint, &job, AssignmentOptions::default()).unwrap();
//! let list = &assignment.vertices[0].operators[0].subtasks[0].lists[0];
//! let runs: Vec<_> = list.runs.iter().map(|run| (run.subtask, run.elements.clone())).collect();
//! assert_eq!(runs, [(0, 0..3), (1, 0..2)]);
//! ```

mod channels;
mod claims;
mod error;
mod finished;
mod job;
mod key_groups;
mod lists;
mod mapper;
mod parallelism;
mod result;
#[cfg(test)]
mod tests;

pub use error::AssignmentError;
pub use finished::FinishedState;
pub use job::{DistributionPattern, JobEdge, JobVertex, MaxParallelism, OperatorNames, Partitioner};
pub use mapper::{SubtaskMapping, SubtaskStateMapper};
pub use result::{
    Begin, Direction, ElementRun, GateAssignment, KeyGroupRun, ListAssignment, OperatorAssignment, Peer,
    StateAssignment, SubtaskAssignment, VertexAssignment,
};

use claims::{Stored, old_parallelism};
use std::collections::BTreeMap;
use stillframe_model::{Name, OperatorState, TaskSnapshot};

/// What happens to state that no operator of the job claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnclaimedState {
    /// The checkpoint does not fit the job.
    #[default]
    Refuse,
    /// It is left out, and [named](StateAssignment::left_out).
    LeaveOut,
}

/// How far a checkpoint may be from fitting a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssignmentOptions {
    /// What happens to state that no operator of the job claims.
    pub unclaimed: UnclaimedState,
    /// Whether a vertex may have finished before those in front of it, so that it takes none of the records that they
    /// still send. In an aligned checkpoint that comes of a job graph which was changed since, and is refused. It is
    /// right when the job goes on after a failure, and in at-least-once mode, where a task may have processed the last
    /// records before it captured its state: what comes again was processed already.
    pub may_finish_early: bool,
}

/// Assigns the state of a checkpoint to the subtasks of a job.
///
/// The vertices are in the order of their ids, which [edges](JobEdge) refer to.
///
/// # Errors
/// If the job is not described as one can be, or the checkpoint does not fit it. Nothing is assigned in part.
pub fn assign(
    operators: &BTreeMap<Name, OperatorState>,
    vertices: &[JobVertex],
    options: AssignmentOptions,
) -> Result<StateAssignment, AssignmentError> {
    let AssignmentOptions { unclaimed, may_finish_early } = options;
    job::check(vertices)?;
    let (claimed, left_out) = claims::claim(operators, vertices, unclaimed)?;
    let mut max_parallelism = Vec::new();
    for vertex in &claimed {
        max_parallelism.push(parallelism::max_parallelism(vertex)?);
    }
    let finished = finished::of_vertices(&claimed)?;
    if !may_finish_early {
        finished::check_predecessors(&claimed, &finished)?;
    }
    let gates = channels::assign(&claimed)?;
    let mut assigned = Vec::new();
    for (((vertex, max_parallelism), finished), gates) in
        claimed.iter().zip(max_parallelism).zip(finished).zip(gates)
    {
        let mut operators = Vec::new();
        for stored in &vertex.states {
            operators.push(operator(vertex.vertex, stored.as_ref(), max_parallelism)?);
        }
        let begin = if finished == FinishedState::Fully {
            Begin::Finished
        } else if gates.concern_it || vertex.stored().next().is_some() {
            Begin::Restored
        } else {
            Begin::Fresh
        };
        let channels::Gates { inputs, outputs, concern_it: _ } = gates;
        assigned.push(VertexAssignment { max_parallelism, begin, operators, inputs, outputs });
    }
    Ok(StateAssignment { vertices: assigned, left_out })
}

/// Deals out everything of one operator but its channels.
fn operator(
    vertex: &JobVertex,
    stored: Option<&Stored<'_>>,
    max_parallelism: u16,
) -> Result<OperatorAssignment, AssignmentError> {
    let parallelism = vertex.parallelism;
    let Some(Stored { name, state }) = stored else {
        let subtasks = (0..parallelism).map(|_| SubtaskAssignment::default()).collect();
        return Ok(OperatorAssignment { state: None, subtasks });
    };
    finished::check_rescaling(vertex, name, state)?;
    let keyed = key_groups::assign(&state.subtasks, parallelism, max_parallelism);
    let lists = lists::assign(&state.subtasks, parallelism);
    let all_finished = state.subtasks.iter().all(|subtask| subtask.finished);
    let is_rescaled = old_parallelism(state) != parallelism;
    let was_finished = state.subtasks.iter().map(|subtask| subtask.finished);
    let finished = was_finished.map(|was_finished| if is_rescaled { all_finished } else { was_finished });
    let finished = finished.chain(std::iter::repeat(all_finished));
    let subtasks = keyed.into_iter().zip(lists).zip(finished);
    let subtasks =
        subtasks.map(|((keyed, lists), finished)| SubtaskAssignment { keyed, lists, finished }).collect();
    Ok(OperatorAssignment { state: Some((*name).clone()), subtasks })
}

/// Whether there is anything to read. What has been finished without state has none.
fn has_state(snapshot: &TaskSnapshot) -> bool {
    snapshot.handles().next().is_some()
}
