//! What the job is now.

use super::{AssignmentError, SubtaskStateMapper};
use crate::key_group;
use std::fmt;
use stillframe_model::{Name, VertexId};

/// A vertex of the job graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobVertex {
    /// What messages call it.
    pub name: Name,
    /// How many subtasks it has.
    pub parallelism: u32,
    /// Into how many key groups its keys are divided.
    pub max_parallelism: MaxParallelism,
    /// Its operators, in the order in which records pass through them. The first has its inputs, the last its outputs.
    pub operators: Vec<OperatorNames>,
    /// Where its records come from, one edge for each input gate.
    pub inputs: Vec<JobEdge>,
}

impl JobVertex {
    /// A vertex of one operator with the same name, and without inputs.
    #[must_use]
    pub fn new(name: Name, parallelism: u32, max_parallelism: MaxParallelism) -> Self {
        let operators = vec![OperatorNames { name: name.clone(), otherwise: None }];
        Self { name, parallelism, max_parallelism, operators, inputs: Vec::new() }
    }
}

/// The number of key groups of a vertex, and whether somebody insists on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxParallelism {
    /// Somebody set it. State that was written with another one is refused.
    Explicit(u16),
    /// It follows from the parallelism, and gives way to that of restored state.
    Derived(u16),
}

impl MaxParallelism {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        match self {
            Self::Explicit(max) | Self::Derived(max) => max,
        }
    }
}

/// Under which names the state of an operator is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorNames {
    /// The one that counts if the checkpoint has it.
    pub name: Name,
    /// The one that it goes by otherwise: what it was called before somebody gave it a name.
    pub otherwise: Option<Name>,
}

/// The way of records into an input gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobEdge {
    /// The vertex that they come from.
    pub upstream: VertexId,
    /// Which of its outputs. Several edges may read the same one.
    pub output: u32,
    /// Who is connected with whom.
    pub pattern: DistributionPattern,
    /// How records in the output are divided when the upstream vertex has another parallelism.
    pub upstream_mapper: SubtaskStateMapper,
    /// How records in the input gate are divided when this vertex has another parallelism.
    pub downstream_mapper: SubtaskStateMapper,
}

impl JobEdge {
    /// An edge on which records are distributed like that.
    #[must_use]
    pub const fn new(upstream: VertexId, output: u32, partitioner: Partitioner) -> Self {
        Self {
            upstream,
            output,
            pattern: partitioner.pattern(),
            upstream_mapper: partitioner.upstream_mapper(),
            downstream_mapper: partitioner.downstream_mapper(),
        }
    }
}

/// Which subtasks of two vertices are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DistributionPattern {
    /// Each with each.
    AllToAll,
    /// Each with some.
    Pointwise,
}

impl fmt::Display for DistributionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AllToAll => "all to all",
            Self::Pointwise => "pointwise",
        })
    }
}

/// How records are distributed on an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitioner {
    /// To all subtasks in turn.
    Rebalance,
    /// To any subtask.
    Shuffle,
    /// To the subtask that owns the key group of the record's key.
    KeyGroup,
    /// To the first subtask.
    Global,
    /// To the subtask that the user's code names.
    Custom,
    /// To every subtask.
    Broadcast,
    /// To the subtask with the same number.
    Forward,
    /// In turn to those subtasks that are near.
    Rescale,
}

impl Partitioner {
    /// Which subtasks it connects.
    #[must_use]
    pub const fn pattern(self) -> DistributionPattern {
        match self {
            Self::Forward | Self::Rescale => DistributionPattern::Pointwise,
            Self::Rebalance
            | Self::Shuffle
            | Self::KeyGroup
            | Self::Global
            | Self::Custom
            | Self::Broadcast => DistributionPattern::AllToAll,
        }
    }

    /// How records in an output are divided when the vertex in front of the edge has another parallelism.
    #[must_use]
    pub const fn upstream_mapper(self) -> SubtaskStateMapper {
        match self {
            Self::Rebalance | Self::Shuffle | Self::KeyGroup | Self::Global | Self::Custom => {
                SubtaskStateMapper::Arbitrary
            }
            Self::Broadcast | Self::Forward | Self::Rescale => SubtaskStateMapper::Unsupported,
        }
    }

    /// How records in an input gate are divided when the vertex behind the edge has another parallelism.
    #[must_use]
    pub const fn downstream_mapper(self) -> SubtaskStateMapper {
        match self {
            Self::Rebalance | Self::Shuffle => SubtaskStateMapper::RoundRobin,
            Self::KeyGroup => SubtaskStateMapper::Range,
            Self::Global => SubtaskStateMapper::First,
            Self::Custom => SubtaskStateMapper::Full,
            Self::Broadcast | Self::Forward | Self::Rescale => SubtaskStateMapper::Unsupported,
        }
    }
}

/// Whether the vertices can be those of a job.
pub(super) fn check(vertices: &[JobVertex]) -> Result<(), AssignmentError> {
    for JobVertex { name, parallelism, max_parallelism, operators, inputs } in vertices {
        let max_parallelism = max_parallelism.get();
        if *parallelism == 0
            || *parallelism > u32::from(max_parallelism)
            || max_parallelism > key_group::MAX_PARALLELISM
        {
            return Err(AssignmentError::Parallelism {
                vertex: name.clone(),
                parallelism: *parallelism,
                max_parallelism,
            });
        }
        if operators.is_empty() {
            return Err(AssignmentError::NoOperators { vertex: name.clone() });
        }
        for (edge, gate) in inputs.iter().zip(0..) {
            if at(vertices, edge.upstream).is_none() {
                let (vertex, upstream) = (name.clone(), edge.upstream.get());
                return Err(AssignmentError::UnknownUpstream { vertex, gate, upstream });
            }
        }
    }
    Ok(())
}

/// What belongs to a vertex, in a list of all of them.
pub(super) fn at<T>(all: &[T], vertex: VertexId) -> Option<&T> {
    usize::try_from(vertex.get()).ok().and_then(|index| all.get(index))
}
