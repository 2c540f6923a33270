use crate::coordinator::SharedCoordinator;
use crate::{Exchange, JobError, MasterHook, Operator, OperatorCoordinator, Record, Source, TaskContext};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use stillframe_config::GraphDescription;
use stillframe_coordinator::{DistributionPattern, Input, JobPlan, VertexPlan};
use stillframe_model::{Attempt, JobId, Name, VertexId};
use stillframe_state::assignment::{JobEdge, JobVertex, MaxParallelism};
use stillframe_state::key_group;

/// A job as vertices and the exchanges between them, without cycles. All records of a job have one type; where several
/// kinds of record flow, it is an enum.
pub struct JobGraph<T> {
    pub(crate) vertices: Vec<Vertex<T>>,
}

pub(crate) struct Vertex<T> {
    name: String,
    parallelism: u32,
    pub(crate) inputs: Vec<(usize, Exchange<T>)>,
    pub(crate) unit: Unit<T>,
    pub(crate) coordinator: Option<SharedCoordinator>,
}

/// Makes the user's part of a task, anew for every attempt.
pub(crate) enum Unit<T> {
    Source(Factory<dyn Source<T>>),
    Operator(Factory<dyn Operator<T>>),
}

type Factory<U> = Arc<dyn Fn(&TaskContext) -> Box<U> + Send + Sync>;

impl<T> Clone for Unit<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Source(factory) => Self::Source(Arc::clone(factory)),
            Self::Operator(factory) => Self::Operator(Arc::clone(factory)),
        }
    }
}

/// The output of a vertex, to be connected to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(usize);

impl<T> Default for JobGraph<T> {
    fn default() -> Self {
        Self { vertices: Vec::new() }
    }
}

impl<T: Record> JobGraph<T> {
    /// A graph without vertices.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source with this many subtasks. `name` is where its state is found again, so it must be unique and stay the
    /// same as long as checkpoints are to be restored.
    pub fn source<S: Source<T>>(
        &mut self,
        name: impl Into<String>,
        parallelism: u32,
        factory: impl Fn(&TaskContext) -> S + Send + Sync + 'static,
    ) -> Stream {
        self.add(
            name.into(),
            parallelism,
            Vec::new(),
            Unit::Source(Arc::new(move |task| Box::new(factory(task)))),
        )
    }

    /// Adds an operator behind one or more streams. A sink is an operator that nothing is connected to.
    pub fn operator<O: Operator<T>>(
        &mut self,
        name: impl Into<String>,
        parallelism: u32,
        inputs: impl IntoIterator<Item = (Stream, Exchange<T>)>,
        factory: impl Fn(&TaskContext) -> O + Send + Sync + 'static,
    ) -> Stream {
        let inputs = inputs.into_iter().map(|(stream, exchange)| (stream.0, exchange)).collect();
        self.add(
            name.into(),
            parallelism,
            inputs,
            Unit::Operator(Arc::new(move |task| Box::new(factory(task)))),
        )
    }

    /// Gives a vertex a coordinator, which takes part in checkpoints. The last one counts.
    ///
    /// # Panics
    /// If the stream is none of this graph.
    pub fn coordinate(&mut self, stream: Stream, coordinator: impl OperatorCoordinator) -> &mut Self {
        let vertex = self.vertices.get_mut(stream.0);
        let vertex = vertex.unwrap_or_else(|| panic!("stream {} is none of this graph", stream.0));
        vertex.coordinator = Some(Arc::new(Mutex::new(coordinator)));
        self
    }

    /// The coordinators of its vertices.
    pub(crate) fn coordinators(&self) -> impl Iterator<Item = (VertexId, &SharedCoordinator)> {
        let vertices = (0..).map(VertexId::new).zip(&self.vertices);
        vertices.filter_map(|(id, vertex)| Some((id, vertex.coordinator.as_ref()?)))
    }

    fn add(
        &mut self,
        name: String,
        parallelism: u32,
        inputs: Vec<(usize, Exchange<T>)>,
        unit: Unit<T>,
    ) -> Stream {
        self.vertices.push(Vertex { name, parallelism, inputs, unit, coordinator: None });
        Stream(self.vertices.len() - 1)
    }

    /// What the rules about checkpoints have to know of it. This runner has neither cycles nor partitioners of the user.
    #[must_use]
    pub fn description(&self) -> GraphDescription {
        GraphDescription::default()
    }

    /// Checks the graph, and says who takes part in checkpoints.
    pub(crate) fn plan(
        &self,
        job: JobId,
        attempt: Attempt,
        hooks: &[Arc<dyn MasterHook>],
    ) -> Result<JobPlan, JobError> {
        let problem = |problem: String| JobError::Graph { problem };
        let mut vertices: Vec<VertexPlan> = Vec::new();
        for (index, vertex) in self.vertices.iter().enumerate() {
            let Vertex { name, parallelism, inputs, unit, coordinator } = vertex;
            let is_source = matches!(unit, Unit::Source(_));
            let name =
                Name::new(name.as_str()).map_err(|error| problem(format!("vertex {index}: {error}")))?;
            if vertices.iter().any(|other| other.name == name) {
                return Err(problem(format!(
                    "two vertices are named {name}; state is found again by the name"
                )));
            }
            let max_parallelism = key_group::default_max_parallelism(*parallelism);
            if NonZeroU32::new(*parallelism).is_none_or(|number| number.get() > u32::from(max_parallelism)) {
                return Err(problem(format!(
                    "{name} has parallelism {parallelism}; allowed are 1 to {}",
                    key_group::MAX_PARALLELISM
                )));
            }
            if !is_source && inputs.is_empty() {
                return Err(problem(format!("{name} is an operator without inputs")));
            }
            // Streams come from vertices that were added before, so a graph of one builder has no cycles.
            if inputs.iter().any(|(upstream, _)| *upstream >= index) {
                return Err(problem(format!("{name} is connected to a stream of another graph")));
            }
            let all_to_all =
                |from: u32| Input { from: VertexId::new(from), pattern: DistributionPattern::AllToAll };
            let inputs = inputs.iter().filter_map(|(upstream, _)| u32::try_from(*upstream).ok());
            vertices.push(VertexPlan {
                name,
                parallelism: *parallelism,
                max_parallelism,
                inputs: inputs.map(all_to_all).collect(),
                has_coordinator: coordinator.is_some(),
            });
        }
        if vertices.is_empty() {
            return Err(problem("it has no vertices".into()));
        }
        let mut names = Vec::new();
        for hook in hooks {
            let name = Name::new(hook.name())
                .map_err(|error| problem(format!("hook {:?}: {error}", hook.name())))?;
            if names.contains(&name) {
                return Err(problem(format!("two hooks are named {name}; state is found again by the name")));
            }
            names.push(name);
        }
        Ok(JobPlan { job, attempt, vertices, hooks: names })
    }

    /// The vertices as the assignment of state has to know them. Nobody can set a max parallelism here, so that of restored
    /// state holds.
    pub(crate) fn job_vertices(&self, plan: &JobPlan) -> Vec<JobVertex> {
        let mut outputs = vec![0_u32; self.vertices.len()];
        let describe = |(vertex, plan): (&Vertex<T>, &VertexPlan)| {
            let max_parallelism = MaxParallelism::Derived(plan.max_parallelism);
            let mut described = JobVertex::new(plan.name.clone(), plan.parallelism, max_parallelism);
            for (upstream, exchange) in &vertex.inputs {
                // Each edge has an output of its own.
                let Some(output) = outputs.get_mut(*upstream) else { continue };
                let upstream = VertexId::new(u32::try_from(*upstream).unwrap_or(u32::MAX));
                described.inputs.push(JobEdge::new(upstream, *output, exchange.partitioner()));
                *output += 1;
            }
            described
        };
        self.vertices.iter().zip(&plan.vertices).map(describe).collect()
    }

    /// The vertices that read from this one, and how.
    pub(crate) fn consumers(&self, vertex: usize) -> impl Iterator<Item = (VertexId, &Exchange<T>)> {
        (0..).map(VertexId::new).zip(&self.vertices).flat_map(move |(id, consumer)| {
            let inputs = consumer.inputs.iter().filter(move |(upstream, _)| *upstream == vertex);
            inputs.map(move |(_, exchange)| (id, exchange))
        })
    }
}

impl<T> fmt::Debug for JobGraph<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vertices = self.vertices.iter().map(|vertex| (&vertex.name, vertex.parallelism, &vertex.inputs));
        f.debug_list().entries(vertices).finish()
    }
}
