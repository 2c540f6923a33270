//! The number of key groups, which state brings with it.

use super::claims::Claimed;
use super::{AssignmentError, MaxParallelism};

/// That of the vertex from now on.
pub(super) fn max_parallelism(claimed: &Claimed<'_>) -> Result<u16, AssignmentError> {
    let vertex = claimed.vertex;
    for stored in claimed.stored() {
        let (operator, max) = (|| stored.name.clone(), stored.state.max_parallelism);
        if u32::from(max) < vertex.parallelism {
            return Err(AssignmentError::ParallelismAboveMax {
                operator: operator(),
                stored: max,
                parallelism: vertex.parallelism,
            });
        }
        match vertex.max_parallelism {
            MaxParallelism::Explicit(set) if set != max => {
                return Err(AssignmentError::MaxParallelism { operator: operator(), stored: max, set });
            }
            MaxParallelism::Explicit(_) | MaxParallelism::Derived(_) => {}
        }
        for (snapshot, subtask) in stored.state.subtasks.iter().zip(0..) {
            if let Some(keyed) = &snapshot.keyed
                && (keyed.range.start > keyed.range.end || keyed.range.end >= max)
            {
                let (operator, range) = (operator(), keyed.range);
                return Err(AssignmentError::KeyGroups { operator, subtask, range, max_parallelism: max });
            }
        }
    }
    let Some(first) = claimed.stored().next() else { return Ok(vertex.max_parallelism.get()) };
    let max = first.state.max_parallelism;
    match claimed.stored().find(|stored| stored.state.max_parallelism != max) {
        None => Ok(max),
        Some(other) => Err(AssignmentError::MaxParallelismsDiffer {
            vertex: vertex.name.clone(),
            operator: first.name.clone(),
            stored: max,
            other: other.name.clone(),
            other_stored: other.state.max_parallelism,
        }),
    }
}
