//! Whose state is whose.

use super::{AssignmentError, JobVertex, OperatorNames, UnclaimedState, has_state};
use std::collections::BTreeMap;
use stillframe_model::{Name, OperatorState};

/// A vertex with the state of its operators.
pub(super) struct Claimed<'a> {
    pub(super) vertex: &'a JobVertex,
    /// One for each operator; `None` if the checkpoint has nothing of it.
    pub(super) states: Vec<Option<Stored<'a>>>,
}

/// State of an operator, under the name that the checkpoint has for it.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) name: &'a Name,
    pub(super) state: &'a OperatorState,
}

impl<'a> Claimed<'a> {
    /// The states that there are.
    pub(super) fn stored(&self) -> impl Iterator<Item = &Stored<'a>> {
        self.states.iter().flatten()
    }

    /// That of the operator which has the inputs.
    pub(super) fn head(&self) -> Option<&Stored<'a>> {
        self.states.first().and_then(Option::as_ref)
    }

    /// That of the operator which has the outputs.
    pub(super) fn tail(&self) -> Option<&Stored<'a>> {
        self.states.last().and_then(Option::as_ref)
    }
}

/// How many subtasks there were. An operator without state counts as having had as many as it has now.
pub(super) fn old_parallelism(state: &OperatorState) -> u32 {
    u32::try_from(state.subtasks.len()).unwrap_or(u32::MAX)
}

/// Finds the state of every operator, and what nobody claims.
pub(super) fn claim<'a>(
    operators: &'a BTreeMap<Name, OperatorState>,
    vertices: &'a [JobVertex],
    unclaimed: UnclaimedState,
) -> Result<(Vec<Claimed<'a>>, Vec<Name>), AssignmentError> {
    let mut owners: BTreeMap<&Name, &JobVertex> = BTreeMap::new();
    let mut claimed = Vec::new();
    for vertex in vertices {
        let mut states = Vec::new();
        for OperatorNames { name, otherwise } in &vertex.operators {
            let found = [Some(name), otherwise.as_ref()].into_iter().flatten();
            let Some((name, state)) = found.into_iter().find_map(|name| operators.get_key_value(name)) else {
                states.push(None);
                continue;
            };
            if let Some(owner) = owners.insert(name, vertex) {
                let (operator, vertex, other) = (name.clone(), owner.name.clone(), vertex.name.clone());
                return Err(AssignmentError::ClaimedTwice { operator, vertex, other });
            }
            let says_something = state.coordinator.is_some()
                || state.subtasks.iter().any(|subtask| subtask.finished || has_state(subtask));
            states.push(says_something.then_some(Stored { name, state }));
        }
        claimed.push(Claimed { vertex, states });
    }
    let holds_state =
        |state: &OperatorState| state.coordinator.is_some() || state.subtasks.iter().any(has_state);
    let left_out: Vec<Name> = operators
        .iter()
        .filter(|(name, state)| !owners.contains_key(name) && holds_state(state))
        .map(|(name, _)| name.clone())
        .collect();
    match unclaimed {
        UnclaimedState::Refuse if !left_out.is_empty() => {
            Err(AssignmentError::Unclaimed { operators: left_out })
        }
        UnclaimedState::Refuse | UnclaimedState::LeaveOut => Ok((claimed, left_out)),
    }
}
