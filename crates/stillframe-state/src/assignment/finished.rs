//! What had finished before the checkpoint, and whether the job can go on from there.

use super::claims::{Claimed, Stored, old_parallelism};
use super::job::at;
use super::{AssignmentError, DistributionPattern, JobVertex, has_state};
use std::fmt;
use stillframe_model::{Name, OperatorState, VertexId};

/// How many subtasks of an operator had finished before the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FinishedState {
    /// None.
    Running,
    /// Some.
    Partly,
    /// All.
    Fully,
}

impl FinishedState {
    fn of(state: &OperatorState) -> Self {
        let finished = || state.subtasks.iter().map(|subtask| subtask.finished);
        if !finished().any(|finished| finished) {
            Self::Running
        } else if finished().all(|finished| finished) {
            Self::Fully
        } else {
            Self::Partly
        }
    }
}

impl fmt::Display for FinishedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Partly => "partly finished",
            Self::Fully => "finished",
        })
    }
}

/// How far every vertex was.
pub(super) fn of_vertices(claimed: &[Claimed<'_>]) -> Result<Vec<FinishedState>, AssignmentError> {
    claimed.iter().map(of_vertex).collect()
}

/// Whether the vertices before each were as far as they had to be for that.
pub(super) fn check_predecessors(
    claimed: &[Claimed<'_>],
    states: &[FinishedState],
) -> Result<(), AssignmentError> {
    for (Claimed { vertex, .. }, state) in claimed.iter().zip(states) {
        for edge in &vertex.inputs {
            let (Some(predecessor), Some(before)) = (at(claimed, edge.upstream), at(states, edge.upstream))
            else {
                continue;
            };
            let pattern = strictest(vertex, edge.upstream);
            let needed = match (state, pattern) {
                (FinishedState::Running, _) => FinishedState::Running,
                (FinishedState::Partly, DistributionPattern::Pointwise) => FinishedState::Partly,
                (FinishedState::Partly, DistributionPattern::AllToAll) | (FinishedState::Fully, _) => {
                    FinishedState::Fully
                }
            };
            if *before < needed {
                return Err(AssignmentError::FinishedBeforePredecessor {
                    vertex: vertex.name.clone(),
                    state: *state,
                    predecessor: predecessor.vertex.name.clone(),
                    predecessor_state: *before,
                    pattern,
                });
            }
        }
    }
    Ok(())
}

/// Of several edges from one vertex, one that connects all with all decides.
fn strictest(vertex: &JobVertex, upstream: VertexId) -> DistributionPattern {
    let mut patterns = vertex.inputs.iter().filter(|edge| edge.upstream == upstream).map(|edge| edge.pattern);
    match patterns.any(|pattern| pattern == DistributionPattern::AllToAll) {
        true => DistributionPattern::AllToAll,
        false => DistributionPattern::Pointwise,
    }
}

fn of_vertex(claimed: &Claimed<'_>) -> Result<FinishedState, AssignmentError> {
    let of = |stored: &Option<Stored<'_>>| {
        stored.as_ref().map_or(FinishedState::Running, |stored| FinishedState::of(stored.state))
    };
    let state = claimed.states.first().map_or(FinishedState::Running, of);
    let names = || claimed.vertex.operators.iter().map(|operator| &operator.name);
    for (other, name) in claimed.states.iter().zip(names()) {
        let other_state = of(other);
        if other_state != state {
            return Err(AssignmentError::MixedFinished {
                vertex: claimed.vertex.name.clone(),
                operator: names().next().unwrap_or(name).clone(),
                state,
                other: name.clone(),
                other_state,
            });
        }
    }
    Ok(state)
}

/// State of a finished subtask cannot be told from the others' once it has been dealt out. A source goes on from the end of
/// what was finished; an operator would finish it once more.
pub(super) fn check_rescaling(
    vertex: &JobVertex,
    operator: &Name,
    state: &OperatorState,
) -> Result<(), AssignmentError> {
    let (old, new) = (old_parallelism(state), vertex.parallelism);
    let is_source = vertex.inputs.is_empty();
    if old == new || is_source || FinishedState::of(state) != FinishedState::Partly {
        return Ok(());
    }
    let finished = || state.subtasks.iter().filter(|subtask| subtask.finished);
    if !finished().any(has_state) {
        return Ok(());
    }
    let finished = u32::try_from(finished().count()).unwrap_or(u32::MAX);
    Err(AssignmentError::PartlyFinished { operator: operator.clone(), finished, old, new })
}
