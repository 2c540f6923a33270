//! Who takes part in a job's checkpoints.

use alloc::vec::Vec;
use stillframe_model::{Attempt, JobId, Name, TaskId, VertexId};

/// Who takes part in a job's checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobPlan {
    /// The job.
    pub job: JobId,
    /// Which execution of it. Messages of another attempt are ignored.
    pub attempt: Attempt,
    /// Its vertices, in the order of their ids.
    pub vertices: Vec<VertexPlan>,
    /// What is asked at the beginning of every checkpoint, before any task. No two have the same name.
    pub hooks: Vec<Name>,
}

/// One vertex of the job graph.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VertexPlan {
    /// Under which name its state is kept; unique within the job.
    pub name: Name,
    /// How many subtasks it has; at least one.
    pub parallelism: u32,
    /// Into how many key groups its keys are divided.
    pub max_parallelism: u16,
    /// From where its records come. A vertex without inputs is a source: its barriers begin with the coordinator's trigger.
    pub inputs: Vec<Input>,
    /// Whether it has a coordinator with state of its own.
    pub has_coordinator: bool,
}

/// An edge of the job graph, seen from where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Input {
    /// The vertex that it comes from.
    pub from: VertexId,
    /// Which subtasks are connected.
    pub pattern: DistributionPattern,
}

/// Which subtasks of two vertices are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DistributionPattern {
    /// Every one with every other.
    AllToAll,
    /// Each with the few that stand opposite.
    Pointwise,
}

impl VertexPlan {
    /// Whether it has no inputs.
    #[must_use]
    pub fn is_source(&self) -> bool {
        self.inputs.is_empty()
    }
}

impl JobPlan {
    /// All subtasks, in order.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> + '_ {
        (0..)
            .map(VertexId::new)
            .zip(&self.vertices)
            .flat_map(|(vertex, plan)| (0..plan.parallelism).map(move |subtask| TaskId { vertex, subtask }))
    }
}

/// Where each task stands in the order of all. Finding a task is a matter of one addition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Layout {
    /// Of each vertex: the place of its first task, and how many it has.
    vertices: Vec<(usize, u32)>,
    len: usize,
}

impl Layout {
    pub(crate) fn new(plan: &JobPlan) -> Self {
        let mut len = 0;
        let vertices = plan.vertices.iter().map(|vertex| {
            let first = len;
            len += vertex.parallelism as usize;
            (first, vertex.parallelism)
        });
        Self { vertices: vertices.collect(), len }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The place of a task; `None` if the job has no such task.
    pub(crate) fn place(&self, task: TaskId) -> Option<usize> {
        let &(first, parallelism) = self.vertices.get(task.vertex.get() as usize)?;
        (task.subtask < parallelism).then(|| first + task.subtask as usize)
    }

    /// The tasks in order, as often as there are places.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = TaskId> + '_ {
        (0..).map(VertexId::new).zip(&self.vertices).flat_map(|(vertex, &(_, parallelism))| {
            (0..parallelism).map(move |subtask| TaskId { vertex, subtask })
        })
    }

    /// The places of a vertex's tasks.
    pub(crate) fn of(&self, vertex: VertexId) -> core::ops::Range<usize> {
        self.vertices
            .get(vertex.get() as usize)
            .map_or(0..0, |&(first, parallelism)| first..first + parallelism as usize)
    }
}
