//! A coordinator without tasks: whatever it is told comes from here, and whatever it says to a task is counted. All else is
//! as in a job: its machine with the statistics, and a storage on the disk.

use crate::clock::{Clock, processor_time, timed};
use crate::memory::resident_high_water_mark;
use crate::metadata::{name_of, snapshot};
use crate::ours::{JOB, Job};
use crate::place::Place;
use crate::{Failure, Figures};
use serde_json::json;
use std::collections::BTreeSet;
use stillframe::config::{CheckpointConfig, GraphDescription, RecoveryClaimMode};
use stillframe::coordinator::statistics::Statistics;
use stillframe::coordinator::{
    Coordinator, DistributionPattern, Effect, Event, Input, JobPlan, SnapshotRequest, VertexPlan,
    plan_recovery,
};
use stillframe::model::{
    Attempt, CheckpointId, KeyedState, RequestId, SnapshotMetrics, StateHandle, TaskId, VertexId,
};

/// Checkpoints that are not counted, for the allocator and the processor's caches.
const WARM_UP: usize = 3;

/// How many subtasks a vertex has at most, here as in the peer's case.
const LARGEST_VERTEX: u32 = 10_000;

/// What each subtask acknowledges with, as in the peer's case.
#[derive(Clone, Copy, Debug)]
pub(crate) enum State {
    /// A file of 1 MiB in the checkpoint's own directory.
    File,
    /// 256 bytes in the metadata.
    Inline,
}

/// How many acknowledgements are taken in a second, how many nanoseconds of a processor one costs, and how many
/// milliseconds it is from the last one until everybody was told of the completed
/// checkpoint.
pub(crate) fn acknowledge(
    place: &Place,
    repetitions: usize,
    subtasks: u32,
    state: State,
) -> Result<Figures, Failure> {
    let mut driver = Driver::new(place, subtasks)?;
    let [mut rates, mut costs, mut completions] = [Vec::new(), Vec::new(), Vec::new()];
    for repetition in 0..WARM_UP + repetitions {
        let checkpoint = driver.begin()?;
        // Messages are there before the clock starts: in a cluster they come decoded from elsewhere.
        let events = driver.tasks.iter().map(|task| acknowledged(checkpoint, *task, state));
        let mut events = events.collect::<Result<Vec<_>, Failure>>()?.into_iter();
        let last = events.next_back().ok_or("there is no subtask")?;
        let count = events.len() as f64;
        let worked = processor_time();
        let (acknowledging, ()) = timed(|| events.by_ref().try_for_each(|event| driver.accepted(event)))?;
        let worked = processor_time().saturating_sub(worked);
        let (completing, superfluous) = timed(|| driver.complete(last))?;
        driver.clean_up(superfluous)?;
        place.settle()?;
        if repetition >= WARM_UP {
            rates.push(count / acknowledging.as_secs_f64());
            costs.push(worked.as_secs_f64() * 1e9 / count);
            completions.push(completing.as_secs_f64() * 1e3);
        }
    }
    Ok(Figures::from_iter([
        ("rate".to_owned(), json!(rates)),
        ("cost".to_owned(), json!(costs)),
        ("completion".to_owned(), json!(completions)),
    ]))
}

/// By how much the most memory that this process ever held grows for each subtask, in bytes: until all have acknowledged the
/// first checkpoint, and until it is complete. Only one measurement can be made in a process.
pub(crate) fn memory(place: &Place, subtasks: u32) -> Result<Figures, Failure> {
    let before = resident_high_water_mark()?;
    let per_subtask = || {
        let mib = resident_high_water_mark()? - before;
        Ok::<_, Failure>(mib * f64::from(1 << 20) / f64::from(subtasks))
    };
    let mut driver = Driver::new(place, subtasks)?;
    let checkpoint = driver.begin()?;
    let mut tasks = driver.tasks.clone();
    let last = tasks.pop().ok_or("there is no subtask")?;
    for task in tasks {
        driver.accepted(acknowledged(checkpoint, task, State::File)?)?;
    }
    let collected = per_subtask()?;
    driver.complete(acknowledged(checkpoint, last, State::File)?)?;
    let completed = per_subtask()?;
    Ok(Figures::from_iter([
        ("collected".to_owned(), json!([collected])),
        ("completed".to_owned(), json!([completed])),
    ]))
}

/// What a task says whose state is durable.
fn acknowledged(checkpoint: CheckpointId, task: TaskId, state: State) -> Result<Event, Failure> {
    let mut snapshot = snapshot(u16::try_from(task.vertex.get())?, u16::try_from(task.subtask)?)?;
    if let (State::Inline, Some(keyed)) = (state, &mut snapshot.keyed) {
        keyed.state = KeyedState::Full(StateHandle::Inline(vec![0; 256].into()));
    }
    let metrics = SnapshotMetrics::default();
    Ok(Event::Acknowledged { checkpoint, attempt: ATTEMPT, task, snapshot, metrics })
}

/// Stands between the coordinator and everything else.
struct Driver {
    clock: Clock,
    job: Job,
    machine: Coordinator,
    statistics: Statistics,
    tasks: Vec<TaskId>,
    requests: u64,
}

/// What the completion of one checkpoint leaves to be removed of others.
type Superfluous = Vec<Effect>;

const ATTEMPT: Attempt = Attempt::new(0);

impl Driver {
    /// A job with so many running subtasks: a source and a chain behind it.
    fn new(place: &Place, subtasks: u32) -> Result<Self, Failure> {
        let job = Job::on(&place.join("ours"))?;
        let vertices = subtasks.div_ceil(LARGEST_VERTEX);
        let parallelism = subtasks / vertices;
        let vertex = |number: u32| {
            let input = |from| Input { from: VertexId::new(from), pattern: DistributionPattern::Pointwise };
            Ok::<_, Failure>(VertexPlan {
                name: name_of(u16::try_from(number)?)?,
                parallelism,
                max_parallelism: u16::try_from(parallelism.max(128))?,
                inputs: number.checked_sub(1).map(input).into_iter().collect(),
                has_coordinator: false,
            })
        };
        let vertices = (0..vertices).map(vertex).collect::<Result<Vec<_>, Failure>>()?;
        let plan = JobPlan { job: JOB, attempt: ATTEMPT, vertices, hooks: vec![] };
        let effective = CheckpointConfig::default().resolve(&GraphDescription::default())?.effective;
        let recovery = plan_recovery(vec![], BTreeSet::new(), job.next(), RecoveryClaimMode::NoClaim);
        let mut driver = Self {
            clock: Clock::start(),
            job,
            statistics: Statistics::new(&plan, usize::try_from(effective.history)?),
            tasks: plan.tasks().collect(),
            machine: Coordinator::new(plan, &effective, recovery),
            requests: 0,
        };
        for task in driver.tasks.clone() {
            driver.accepted(Event::Running { task })?;
        }
        Ok(driver)
    }

    /// One event, with the statistics before and behind it.
    fn step(&mut self, event: Event) -> Vec<Effect> {
        let now = self.clock.now();
        self.statistics.before(&event);
        let effects = self.machine.handle(now, event);
        self.statistics.after(now, &effects);
        effects
    }

    /// An event that the coordinator only takes in.
    fn accepted(&mut self, event: Event) -> Result<(), Failure> {
        let effects = self.step(event);
        if effects.is_empty() { Ok(()) } else { Err(format!("expected no effect, found {effects:?}").into()) }
    }

    /// A checkpoint, up to where its sources are triggered.
    fn begin(&mut self) -> Result<CheckpointId, Failure> {
        self.requests += 1;
        let request = RequestId::new(self.requests);
        let effects = self.step(Event::Trigger { request, snapshot: SnapshotRequest::CHECKPOINT });
        let located = effects.iter().find_map(|effect| match effect {
            Effect::Locate { op, checkpoint, .. } => Some((*op, *checkpoint)),
            _ => None,
        });
        let (op, checkpoint) = located.ok_or("no checkpoint has begun")?;
        let location = self.job.locate(checkpoint)?;
        let effects = self.step(Event::Located { op, result: Ok(location) });
        let triggered = effects.iter().filter(|effect| matches!(effect, Effect::Trigger { .. })).count();
        let sources = self.tasks.iter().filter(|task| task.vertex == VertexId::new(0)).count();
        if triggered != sources {
            return Err(format!("{triggered} of {sources} sources were triggered").into());
        }
        Ok(checkpoint)
    }

    /// From the last acknowledgement until everybody was told.
    fn complete(&mut self, last: Event) -> Result<Superfluous, Failure> {
        let mut published = None;
        for effect in self.step(last) {
            if let Effect::Publish { op, location, metadata, dropped } = effect {
                published = Some((op, self.job.commit(&location, &metadata, &dropped)?));
            }
        }
        let (op, pointer) = published.ok_or("the last acknowledgement published nothing")?;
        let mut told = 0;
        let mut superfluous = Vec::new();
        for effect in self.step(Event::Published { op, result: Ok(pointer) }) {
            match effect {
                Effect::NotifyComplete { .. } => told += 1,
                Effect::Remove { .. } => superfluous.push(effect),
                _ => {}
            }
        }
        if told != self.tasks.len() {
            return Err(format!("{told} of {} tasks were told", self.tasks.len()).into());
        }
        Ok(superfluous)
    }

    /// Off the clock, as the peer does it.
    fn clean_up(&mut self, superfluous: Superfluous) -> Result<(), Failure> {
        for effect in superfluous {
            if let Effect::Remove { op, checkpoint, shared } = effect {
                self.job.remove(checkpoint, &shared)?;
                self.accepted(Event::Discarded { op })?;
            }
        }
        Ok(())
    }
}
