use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use stillframe_model::{
    Attempt, CheckpointId, CheckpointKind, CheckpointMetadata, JobId, KeyedState, Name, OperatorState,
    PartOrigin, TaskId, TaskSnapshot, UnixMillis, VertexId,
};

/// Who takes part in a job's checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobPlan {
    /// The job.
    pub job: JobId,
    /// Which execution of it. Messages of another attempt are ignored.
    pub attempt: Attempt,
    /// Its vertices, in the order of their ids.
    pub vertices: Vec<VertexPlan>,
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
    /// Whether it has no inputs, so that its barriers begin with the coordinator's trigger.
    pub is_source: bool,
}

impl JobPlan {
    /// All subtasks. Each acknowledges every checkpoint and is notified of it.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.of(|_| true)
    }

    /// The subtasks that are triggered.
    pub fn sources(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.of(|vertex| vertex.is_source)
    }

    fn of<'a>(&'a self, which: impl Fn(&VertexPlan) -> bool + 'a) -> impl Iterator<Item = TaskId> + 'a {
        (0..).map(VertexId::new).zip(&self.vertices).filter(move |(_, vertex)| which(vertex)).flat_map(
            |(id, vertex)| (0..vertex.parallelism).map(move |subtask| TaskId { vertex: id, subtask }),
        )
    }

    pub(crate) fn metadata(
        &self,
        checkpoint: CheckpointId,
        kind: CheckpointKind,
        triggered_at: UnixMillis,
        mut snapshots: BTreeMap<TaskId, TaskSnapshot>,
    ) -> CheckpointMetadata {
        let operators = (0..)
            .map(VertexId::new)
            .zip(&self.vertices)
            .map(|(id, vertex)| {
                let subtasks = (0..vertex.parallelism)
                    .map(|subtask| snapshots.remove(&TaskId { vertex: id, subtask }).unwrap_or_default())
                    .map(without_origins)
                    .collect();
                (vertex.name.clone(), OperatorState { max_parallelism: vertex.max_parallelism, subtasks })
            })
            .collect();
        CheckpointMetadata { job: self.job, checkpoint, kind, triggered_at, operators }
    }
}

/// Who wrote a part matters until it is known to be kept. A checkpoint reads the same whoever wrote what it consists of.
fn without_origins(mut snapshot: TaskSnapshot) -> TaskSnapshot {
    if let Some(keyed) = &mut snapshot.keyed
        && let KeyedState::Incremental(incremental) = &mut keyed.state
    {
        incremental.parts.iter_mut().for_each(|part| part.origin = PartOrigin::Written);
    }
    snapshot
}
