//! One execution attempt: tasks and coordinator are started, watched, and ended in the right order.

use crate::backlog::{Backlog, SourceBacklog};
use crate::clock::Clock;
use crate::commands::Commands;
use crate::control::{Control, Message};
use crate::coordinator::{CoordinatorDriver, Leftover, Levels, Notice, Parties, Party};
use crate::event::{JobEvent, Observer};
use crate::first_delay::{Draw, first_delay};
use crate::gate::InputGate;
use crate::graph::{JobGraph, Unit};
use crate::handle::Command;
use crate::offload::{CONCURRENT, Deadlines, Offload};
use crate::operator::{Record, TaskContext};
use crate::output::{Edge, Output};
use crate::restore::{self, TaskState};
use crate::statistics::SharedStatistics;
use crate::task::{Stop, Task};
use crate::{JobFailure, LeftBehind, MasterHook, TaskError};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use stillframe_config::EffectiveConfig;
use stillframe_coordinator::{Coordinator, Event, JobPlan, Recovery};
use stillframe_model::{
    CheckpointId, CheckpointKind, FailureReason, JobStatus, Name, Pointer, TaskId, VertexId,
};
use stillframe_state::KeyedHistory;
use stillframe_storage::StorageAccess;
use stillframe_task::TaskMachine;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};

/// Everything an attempt needs.
pub(crate) struct Attempt<'a, T> {
    pub(crate) graph: &'a JobGraph<T>,
    pub(crate) hooks: &'a [Arc<dyn MasterHook>],
    pub(crate) plan: JobPlan,
    pub(crate) config: &'a EffectiveConfig,
    pub(crate) storage: Arc<dyn StorageAccess>,
    /// What messages call it.
    pub(crate) storage_name: Arc<str>,
    pub(crate) recovery: Recovery,
    pub(crate) restored: Option<CheckpointId>,
    /// Where that one is, and which kind.
    pub(crate) pointer: Option<Pointer>,
    pub(crate) kind: Option<CheckpointKind>,
    pub(crate) states: BTreeMap<TaskId, TaskState>,
    /// What people asked for before it began.
    pub(crate) early: Vec<Message>,
    pub(crate) observer: Observer,
    /// One for all attempts, so that what is counted over several of them is.
    pub(crate) clock: Clock,
    pub(crate) statistics: SharedStatistics,
    pub(crate) offload: Offload,
    pub(crate) deadlines: Arc<Deadlines>,
    /// For the delay of its first periodic checkpoint.
    pub(crate) draw: Draw,
    /// How long its tasks may take to end, and after them the storage.
    pub(crate) shutdown: Duration,
}

/// How an attempt ended.
pub(crate) enum AttemptEnd {
    Ended(JobStatus),
    Failed(JobFailure),
}

/// How many batches fit into a channel between two tasks. Few, so that barriers are not long on their way.
const CHANNEL: usize = 8;

impl<T: Record> Attempt<'_, T> {
    /// Runs to the end or to the first failure. `on_failure` says how a failed job goes on, so that its coordinator ends
    /// accordingly.
    pub(crate) async fn run(
        mut self,
        commands: &mut Commands,
        on_failure: impl FnOnce(&JobFailure) -> Event,
    ) -> AttemptEnd {
        let (inbox, messages) = mpsc::unbounded_channel();
        let (notices_sender, mut notices) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let mut names = BTreeMap::new();
        let controls = self.start_tasks(&inbox, &mut tasks, &mut names);
        let mut driver = self.driver(controls, notices_sender).start(messages);

        let mut open = names.len();
        // What a person asks for while tasks still open waits for them; refusing it would only make the person ask again.
        let mut early = Some(std::mem::take(&mut self.early));
        let end = loop {
            tokio::select! {
                biased;
                Some(ended) = tasks.join_next_with_id() => match self.task_end(&mut names, ended) {
                    TaskEnd::Failed(failure) => break AttemptEnd::Failed(failure),
                    // Whoever failed first is about to say why. If nobody is left to say so, waiting would be for ever.
                    TaskEnd::CutOff if tasks.is_empty() => {
                        let message = "every task was cut off, and none had failed".to_owned();
                        break AttemptEnd::Failed(JobFailure::Coordinator { message });
                    }
                    TaskEnd::CutOff => {}
                    TaskEnd::Closed(task) => {
                        let _ = inbox.send(Message::Event(Event::Finished { task }));
                        open -= 1;
                        if open == 0 {
                            break AttemptEnd::Ended(JobStatus::Finished);
                        }
                    }
                },
                Some(notice) = notices.recv() => match notice {
                    Notice::Opened => {
                        for early in early.take().into_iter().flatten() {
                            let _ = inbox.send(early);
                        }
                        let _ = inbox.send(Message::Event(Event::StartPeriodic {
                            first_after: first_delay(self.config, &self.draw),
                        }));
                    }
                    Notice::Broken { message } => {
                        break AttemptEnd::Failed(JobFailure::OperatorCoordinator { message });
                    }
                    Notice::Fail { reason, task, message } => {
                        let task = task.and_then(|task| self.named(task));
                        break AttemptEnd::Failed(JobFailure::Checkpoints { reason, task, message });
                    }
                },
                Some(ended) = driver.join_next() => {
                    break AttemptEnd::Failed(JobFailure::Coordinator { message: coordinator_ended(ended) });
                }
                command = commands.next() => match command {
                    Command::Snapshot { snapshot, reply } => {
                        let request = Message::Request { snapshot, reply };
                        match &mut early {
                            Some(early) => early.push(request),
                            None => {
                                let _ = inbox.send(request);
                            }
                        }
                    }
                    Command::Status(reply) => {
                        let _ = inbox.send(Message::Status(reply));
                    }
                    Command::Stop(status) => break AttemptEnd::Ended(status),
                },
            }
        };

        // First nobody processes any more, then the coordinator ends.
        let left_tasks = commands.while_ending(self.end_tasks(tasks, names), &inbox).await;
        let end = match end {
            AttemptEnd::Failed(cause) => AttemptEnd::Failed(beside(cause, left_tasks.clone())),
            ended => ended,
        };
        let last = match &end {
            AttemptEnd::Ended(status) => Event::End { status: *status },
            AttemptEnd::Failed(failure) => on_failure(failure),
        };
        commands.while_ending(self.wind_up(driver, &inbox, last), &inbox).await;
        let left_calls = self.offload.left_behind();
        for left in left_tasks.iter().chain(&left_calls) {
            (self.observer)(&JobEvent::LeftBehind(left));
        }
        // A publication that was under way may have had an end that nobody can know.
        let fenced = std::iter::from_fn(|| notices.try_recv().ok()).find_map(|notice| match notice {
            Notice::Fail { reason: reason @ FailureReason::OutcomeUnknown, message, .. } => {
                Some((reason, message))
            }
            Notice::Fail { .. } | Notice::Broken { .. } | Notice::Opened => None,
        });
        match (end, fenced) {
            (AttemptEnd::Failed(failure), None) if !left_calls.is_empty() => {
                AttemptEnd::Failed(self.not_restarted(beside(failure, left_calls)))
            }
            (end, None) => end,
            (AttemptEnd::Ended(status), Some((_, message))) => {
                (self.observer)(&JobEvent::ConcludeFailed { message: &message });
                AttemptEnd::Ended(status)
            }
            (AttemptEnd::Failed(_), Some((reason, message))) => {
                AttemptEnd::Failed(self.not_restarted(JobFailure::Checkpoints {
                    reason,
                    task: None,
                    message,
                }))
            }
        }
    }

    /// Says that the job does not go on after all, and why.
    fn not_restarted(&self, cause: JobFailure) -> JobFailure {
        let attempt = self.plan.attempt;
        (self.observer)(&JobEvent::Failed { attempt, cause: &cause, restart_in: None });
        cause
    }

    /// Ends the tasks, as far as they return from the user's code in time.
    async fn end_tasks(
        &self,
        mut tasks: JoinSet<Result<(), Stop>>,
        mut names: BTreeMap<Id, TaskId>,
    ) -> Vec<LeftBehind> {
        let deadline = Deadlines::new(self.shutdown);
        deadline.end_within(self.shutdown);
        tasks.abort_all();
        loop {
            tokio::select! {
                biased;
                ended = tasks.join_next_with_id() => match ended {
                    Some(Ok((id, _))) => names.remove(&id),
                    Some(Err(error)) => names.remove(&error.id()),
                    None => return Vec::new(),
                },
                () = deadline.ended() => break,
            };
        }
        let left = names.into_values().filter_map(|task| {
            self.named(task).map(|(vertex, subtask)| LeftBehind::Task { vertex, subtask })
        });
        left.collect()
    }

    /// Ends a job that nothing runs of at the moment.
    pub(crate) async fn end(self, status: JobStatus) {
        let (inbox, messages) = mpsc::unbounded_channel();
        let (notices, _) = mpsc::unbounded_channel();
        let driver = self.driver(BTreeMap::new(), notices).start(messages);
        self.wind_up(driver, &inbox, Event::End { status }).await;
        for left in self.offload.left_behind() {
            (self.observer)(&JobEvent::LeftBehind(&left));
        }
    }

    fn driver(
        &self,
        tasks: BTreeMap<TaskId, mpsc::UnboundedSender<Control>>,
        notices: mpsc::UnboundedSender<Notice>,
    ) -> CoordinatorDriver {
        let storage = self.storage.coordinator();
        CoordinatorDriver {
            machine: Coordinator::new(self.plan.clone(), self.config, self.recovery.clone())
                .with_default_savepoint_location(storage.has_default_savepoint_location()),
            clock: self.clock,
            storage,
            storage_name: Arc::clone(&self.storage_name),
            offload: self.offload.clone(),
            cleaner: self.cleaner(),
            deadlines: Arc::clone(&self.deadlines),
            tasks,
            observer: Arc::clone(&self.observer),
            notices,
            answers: JoinSet::new(),
            calls: BTreeMap::new(),
            asked: Arc::default(),
            levels: Levels::default(),
            parties: self.parties(),
            statistics: self.statistics.clone(),
            opened: 0,
            leftovers: Vec::new(),
        }
    }

    /// Who is asked when a checkpoint begins.
    fn parties(&self) -> Parties {
        let lane = self.offload.lane(CONCURRENT, "hooks");
        let hooks = self.plan.hooks.iter().zip(self.hooks).map(|(name, hook)| {
            (name.clone(), Party::new(format!("the hook {name}"), Arc::clone(hook), lane.clone()))
        });
        let coordinators = self.graph.coordinators().map(|(vertex, coordinator)| {
            let name = self.plan.vertices.get(index(vertex)).map_or("", |plan| plan.name.as_str());
            let who = format!("the coordinator of {name}");
            (vertex, Party::new(who, Arc::clone(coordinator), lane.clone()))
        });
        Parties { hooks: hooks.collect(), coordinators: coordinators.collect() }
    }

    /// Where removals run: some at once, or one after the other.
    fn cleaner(&self) -> Offload {
        let concurrent = if self.config.parallel_cleaner { CONCURRENT } else { 1 };
        self.offload.lane(concurrent, "the cleaner")
    }

    /// Ends the coordinator, and waits until everything that was being written is settled, but not for ever.
    async fn wind_up(
        &self,
        mut driver: JoinSet<Vec<Leftover>>,
        inbox: &mpsc::UnboundedSender<Message>,
        last: Event,
    ) {
        self.deadlines.end_within(self.shutdown);
        let _ = inbox.send(Message::Event(last));
        let leftovers = match driver.join_next().await {
            Some(Ok(leftovers)) => leftovers,
            Some(Err(_)) | None => Vec::new(),
        };
        self.offload.idle_within(&self.deadlines).await;
        let cleaner = self.cleaner();
        for leftover in leftovers {
            let storage = self.storage.coordinator();
            // The failure was reported when it happened first; what still stays is found by a later run.
            let _ = leftover.remove(storage, &self.storage_name, &cleaner, &self.deadlines).await;
        }
    }

    fn start_tasks(
        &mut self,
        inbox: &mpsc::UnboundedSender<Message>,
        running: &mut JoinSet<Result<(), Stop>>,
        names: &mut BTreeMap<Id, TaskId>,
    ) -> BTreeMap<TaskId, mpsc::UnboundedSender<Control>> {
        let mut senders: BTreeMap<(VertexId, VertexId), Vec<Vec<mpsc::Sender<_>>>> = BTreeMap::new();
        let mut receivers: BTreeMap<TaskId, Vec<mpsc::Receiver<_>>> = BTreeMap::new();
        let ids = || (0..).map(VertexId::new);
        // A row holds the channels from one producing subtask to all consuming ones. Rows between the same vertices are
        // alike, so each subtask takes one for each of its edges.
        for (consumer, vertex) in ids().zip(&self.graph.vertices) {
            let parallelism = self.plan.vertices.get(index(consumer)).map_or(0, |plan| plan.parallelism);
            for (upstream, _) in &vertex.inputs {
                let producer = VertexId::new(u32::try_from(*upstream).unwrap_or(u32::MAX));
                let producers = self.plan.vertices.get(*upstream).map_or(0, |plan| plan.parallelism);
                for _ in 0..producers {
                    let mut row = Vec::new();
                    for subtask in 0..parallelism {
                        let (sender, receiver) = mpsc::channel(CHANNEL);
                        row.push(sender);
                        receivers.entry(TaskId { vertex: consumer, subtask }).or_default().push(receiver);
                    }
                    senders.entry((producer, consumer)).or_default().push(row);
                }
            }
        }
        let mut controls = BTreeMap::new();
        let plan = self.plan.clone();
        // What tasks write holds up nothing that the coordinator asks for.
        let writers = self.offload.lane(CONCURRENT, "tasks");
        for ((id, vertex), description) in ids().zip(&self.graph.vertices).zip(&plan.vertices) {
            let backlog = SourceBacklog::new(id, inbox.clone());
            for subtask in 0..description.parallelism {
                let task = TaskId { vertex: id, subtask };
                let mut edges = Vec::new();
                for (consumer, exchange) in self.graph.consumers(index(id)) {
                    let max_parallelism =
                        plan.vertices.get(index(consumer)).map_or(1, |plan| plan.max_parallelism);
                    let rows = senders.get_mut(&(id, consumer));
                    if let Some(row) = rows.filter(|rows| !rows.is_empty()).map(|rows| rows.remove(0)) {
                        edges.push(Edge::new(exchange.clone(), max_parallelism, row));
                    }
                }
                let gate = InputGate::new(receivers.remove(&task).unwrap_or_default());
                let context = TaskContext {
                    job: plan.job,
                    vertex: description.name.clone(),
                    subtask,
                    parallelism: description.parallelism,
                    max_parallelism: description.max_parallelism,
                    attempt: plan.attempt,
                };
                let TaskState { restored, finished, base } =
                    restore::state_of(&mut self.states, task, self.restored);
                let (control, receiver) = mpsc::unbounded_channel();
                controls.insert(task, control);
                let unit = vertex.unit.clone();
                let driver = Task {
                    id: task,
                    machine: TaskMachine::new(gate.len(), self.config.barriers.policy, self.own_restored())
                        .with_checkpoints_after_end_of_input(self.config.schedule.after_tasks_finish),
                    output: Output::new(edges),
                    control: receiver,
                    coordinator: inbox.clone(),
                    storage: self.storage.worker(),
                    offload: writers.named(&format!("{}, subtask {subtask}", description.name)),
                    observer: Arc::clone(&self.observer),
                    captures: JoinSet::new(),
                    prepared: None,
                    under_way: BTreeMap::new(),
                    alignments: BTreeMap::new(),
                    history: self.config.incremental.then(|| KeyedHistory::new(base)),
                    finished,
                    stopped: false,
                    backlog: Backlog::new(subtask, &backlog),
                    context: context.clone(),
                };
                let handle = match unit {
                    Unit::Source(factory) => {
                        running.spawn(async move { driver.run_source(factory(&context), restored).await })
                    }
                    Unit::Operator(factory) => running
                        .spawn(async move { driver.run_operator(factory(&context), restored, gate).await }),
                };
                names.insert(handle.id(), task);
            }
        }
        controls
    }

    /// The ids of this job go on behind it, whoever took it.
    fn own_restored(&self) -> Option<CheckpointId> {
        self.recovery.restore
    }

    /// What people call a task.
    fn named(&self, task: TaskId) -> Option<(Name, u32)> {
        restore::name_of(&self.plan, task).map(|vertex| (vertex, task.subtask))
    }

    fn task_end(
        &self,
        names: &mut BTreeMap<Id, TaskId>,
        ended: Result<(Id, Result<(), Stop>), JoinError>,
    ) -> TaskEnd {
        let task = names.remove(&ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id));
        let named = || self.named(task?);
        let failure = match ended {
            Ok((_, Ok(()))) => return task.map_or(TaskEnd::CutOff, TaskEnd::Closed),
            Ok((_, Err(Stop::Disconnected))) => return TaskEnd::CutOff,
            Ok((_, Err(Stop::Failed(error)))) => named().map(|(vertex, subtask)| JobFailure::Task {
                vertex,
                subtask,
                source: TaskError::into_source(error),
            }),
            Err(error) => named().map(|(vertex, subtask)| JobFailure::Panic {
                vertex,
                subtask,
                message: panic_message(error),
            }),
        };
        failure.map_or(TaskEnd::CutOff, TaskEnd::Failed)
    }
}

/// How a task ended.
enum TaskEnd {
    /// The job told it to, after everything was committed.
    Closed(TaskId),
    /// Its neighbours or the coordinator are gone; whoever failed first says why.
    CutOff,
    Failed(JobFailure),
}

/// The failure, and what goes on beside it.
fn beside(cause: JobFailure, more: Vec<LeftBehind>) -> JobFailure {
    match cause {
        cause if more.is_empty() => cause,
        JobFailure::LeftBehind { mut left, cause } => {
            left.extend(more);
            JobFailure::LeftBehind { left, cause }
        }
        cause => JobFailure::LeftBehind { left: more, cause: Box::new(cause) },
    }
}

fn index(vertex: VertexId) -> usize {
    usize::try_from(vertex.get()).unwrap_or(usize::MAX)
}

fn coordinator_ended<R>(ended: Result<R, JoinError>) -> String {
    match ended {
        Ok(_) => "it ended before the job".into(),
        Err(error) => panic_message(error),
    }
}

fn panic_message(error: JoinError) -> String {
    let text = |panic: Box<dyn Any + Send>| {
        panic
            .downcast::<String>()
            .map(|text| *text)
            .or_else(|panic| panic.downcast::<&str>().map(|text| (*text).into()))
    };
    match error.try_into_panic() {
        Ok(panic) => text(panic).unwrap_or_else(|_| "with no message".into()),
        Err(error) => error.to_string(),
    }
}
