//! One checkpoint between its trigger and its end.

use crate::plan::{JobPlan, Layout};
use crate::tasks::CheckpointPlan;
use crate::waiting::Origin;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;
use stillframe_model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, KeyedState, LocationReference, Name, Now, OpId,
    OperatorState, PartOrigin, Redistribution, TaskId, TaskProgress, TaskSnapshot, Timestamp, VertexId,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pending {
    kind: CheckpointKind,
    pub(crate) origin: Origin,
    pub(crate) triggered: Now,
    pub(crate) expires: Timestamp,
    /// When it came into its present phase.
    pub(crate) since: Timestamp,
    pub(crate) phase: Phase,
    trigger: Vec<TaskId>,
    /// By the places of the tasks.
    parts: Vec<Part>,
    missing: usize,
    /// How many have not even captured their state.
    uncaptured: usize,
    size: u64,
    written: u64,
    pub(crate) coordinator_states: BTreeMap<VertexId, Bytes>,
    pub(crate) hook_states: BTreeMap<Name, Bytes>,
}

/// How far it is. Only forwards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// The storage makes a place for it.
    Locating(OpId),
    /// Coordinators of operators give their state.
    Coordinators { location: LocationReference, waiting: BTreeMap<OpId, VertexId> },
    /// The job's hooks are asked.
    Hooks { location: LocationReference, waiting: BTreeMap<OpId, Name> },
    /// Tasks capture and write their state.
    Collecting(LocationReference),
    /// All state is durable; it waits for an earlier publication to end.
    Collected(LocationReference),
    /// Its metadata is on the way. It can no longer be aborted, because it may already exist.
    Publishing { op: OpId, location: LocationReference, dropped: Vec<CheckpointId> },
}

/// What there is of one task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// It takes no part, because it had finished before.
    Finished,
    Awaited {
        progress: TaskProgress,
        since: Timestamp,
    },
    Acknowledged(TaskSnapshot),
}

/// What an acknowledgement meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledgement {
    Accepted,
    Last,
    Duplicate,
    UnknownTask,
}

impl Pending {
    pub(crate) fn new(
        kind: CheckpointKind,
        origin: Origin,
        triggered: Now,
        expires: Timestamp,
        op: OpId,
        plan: CheckpointPlan,
    ) -> Self {
        let since = triggered.monotonic;
        let part = |finished| match finished {
            true => Part::Finished,
            false => Part::Awaited { progress: TaskProgress::default(), since },
        };
        let parts: Vec<_> = plan.finished.into_iter().map(part).collect();
        let missing = parts.iter().filter(|part| matches!(part, Part::Awaited { .. })).count();
        Self {
            kind,
            origin,
            triggered,
            expires,
            since,
            phase: Phase::Locating(op),
            trigger: plan.trigger,
            parts,
            missing,
            uncaptured: missing,
            size: 0,
            written: 0,
            coordinator_states: BTreeMap::new(),
            hook_states: BTreeMap::new(),
        }
    }

    pub(crate) fn kind(&self) -> CheckpointKind {
        self.kind
    }

    pub(crate) fn enter(&mut self, phase: Phase, now: Timestamp) {
        self.phase = phase;
        self.since = now;
    }

    /// Whether an acknowledgement for this place would be its first, which is the only one that counts.
    pub(crate) fn awaits(&self, place: usize) -> bool {
        matches!(self.parts.get(place), Some(Part::Awaited { .. }))
    }

    /// Whether there is a task in this place, and it had not finished before.
    pub(crate) fn takes_part(&self, place: usize) -> bool {
        matches!(self.parts.get(place), Some(Part::Awaited { .. } | Part::Acknowledged(_)))
    }

    pub(crate) fn acknowledge(&mut self, place: usize, snapshot: TaskSnapshot) -> Acknowledgement {
        match self.parts.get_mut(place) {
            Some(part @ Part::Awaited { .. }) => {
                if !has_captured(part) {
                    self.uncaptured -= 1;
                }
                self.size = self.size.saturating_add(snapshot.size());
                self.written = self.written.saturating_add(snapshot.written_size());
                *part = Part::Acknowledged(snapshot);
                self.missing -= 1;
                if self.missing == 0 { Acknowledgement::Last } else { Acknowledgement::Accepted }
            }
            Some(Part::Acknowledged(_)) => Acknowledgement::Duplicate,
            Some(Part::Finished) | None => Acknowledgement::UnknownTask,
        }
    }

    /// Writes down how far a task is, if it is further than before. Says whether that was the last to capture its state.
    pub(crate) fn progressed(&mut self, place: usize, now: Timestamp, news: TaskProgress) -> bool {
        let Some(part) = self.parts.get_mut(place) else { return false };
        let had_captured = has_captured(part);
        if let Part::Awaited { progress, since } = part
            && rank(*progress) <= rank(news)
        {
            if rank(*progress) < rank(news) {
                *since = now;
            }
            *progress = news;
        }
        if had_captured || !has_captured(part) {
            return false;
        }
        self.uncaptured -= 1;
        self.uncaptured == 0
    }

    /// Whether everybody has captured its state.
    pub(crate) fn is_captured(&self) -> bool {
        self.uncaptured == 0
    }

    pub(crate) fn is_triggering(&self) -> bool {
        matches!(self.phase, Phase::Locating(_) | Phase::Coordinators { .. } | Phase::Hooks { .. })
    }

    /// Whether it only waits for its turn to be published.
    pub(crate) fn is_collected(&self) -> bool {
        matches!(self.phase, Phase::Collected(_))
    }

    pub(crate) fn is_publishing(&self) -> bool {
        matches!(self.phase, Phase::Publishing { .. })
    }

    /// Whether it can still be given up: nothing that could make it exist is on its way.
    pub(crate) fn can_be_aborted(&self) -> bool {
        !self.is_publishing()
    }

    /// Whether tasks hear of its completion, and let out what they hold back. A savepoint behind which the job goes on is
    /// its owner's affair.
    pub(crate) fn is_told(&self) -> bool {
        !self.kind.is_savepoint() || self.kind.is_synchronous()
    }

    /// Whether a newer one that completes makes it superfluous. A savepoint was asked for, so it is not.
    pub(crate) fn can_be_subsumed(&self) -> bool {
        self.can_be_aborted() && !self.kind.is_savepoint()
    }

    pub(crate) fn to_trigger(&self) -> &[TaskId] {
        &self.trigger
    }

    pub(crate) fn missing(&self) -> usize {
        self.missing
    }

    /// The size of all state, and of what was written for this checkpoint.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        (self.size, self.written)
    }

    /// The tasks that take part, and so hear of its end.
    pub(crate) fn participants<'a>(&'a self, layout: &'a Layout) -> impl Iterator<Item = TaskId> + 'a {
        self.with_tasks(layout).filter(|(_, part)| !matches!(part, Part::Finished)).map(|(task, _)| task)
    }

    /// The tasks that had finished before.
    pub(crate) fn finished<'a>(&'a self, layout: &'a Layout) -> impl Iterator<Item = TaskId> + 'a {
        self.with_tasks(layout).filter(|(_, part)| matches!(part, Part::Finished)).map(|(task, _)| task)
    }

    /// The tasks that had processed their last record when their state was captured.
    pub(crate) fn at_end_of_data<'a>(&'a self, layout: &'a Layout) -> impl Iterator<Item = TaskId> + 'a {
        let is_at_end = |part: &Part| matches!(part, Part::Acknowledged(snapshot) if snapshot.finished);
        self.with_tasks(layout).filter(move |(_, part)| is_at_end(part)).map(|(task, _)| task)
    }

    pub(crate) fn with_tasks<'a>(
        &'a self,
        layout: &'a Layout,
    ) -> impl Iterator<Item = (TaskId, &'a Part)> + 'a {
        layout.tasks().zip(&self.parts)
    }

    /// A vertex some of whose subtasks have finished, while others hold state of which each should have the whole. Restored,
    /// nobody could say what the finished ones would have added.
    pub(crate) fn torn_union(&self, plan: &JobPlan, layout: &Layout) -> Option<Name> {
        let vertices = (0..).map(VertexId::new).zip(&plan.vertices);
        let torn = vertices.filter(|(vertex, _)| {
            let parts = self.parts.get(layout.of(*vertex)).unwrap_or_default();
            let is_finished = |part: &Part| match part {
                Part::Finished => true,
                Part::Acknowledged(snapshot) => snapshot.finished,
                Part::Awaited { .. } => false,
            };
            let has_union = |part: &Part| match part {
                Part::Acknowledged(snapshot) => {
                    snapshot.operator.iter().any(|state| state.redistribution == Redistribution::Union)
                }
                Part::Finished | Part::Awaited { .. } => false,
            };
            let finished = parts.iter().filter(|part| is_finished(part)).count();
            finished > 0 && finished < parts.len() && parts.iter().any(has_union)
        });
        torn.map(|(_, vertex)| vertex.name.clone()).next()
    }

    /// What it consists of. The parts are handed over.
    pub(crate) fn metadata(
        &mut self,
        plan: &JobPlan,
        layout: &Layout,
        checkpoint: CheckpointId,
    ) -> CheckpointMetadata {
        let operators = (0..).map(VertexId::new).zip(&plan.vertices).map(|(id, vertex)| {
            let parts = self.parts.get_mut(layout.of(id)).unwrap_or_default();
            // Where nobody is left, there is nobody whose work could be dealt differently.
            let is_over = parts.iter().all(|part| matches!(part, Part::Finished));
            let coordinator = self.coordinator_states.remove(&id).filter(|_| !is_over);
            let subtasks = parts.iter_mut().map(take_snapshot).collect();
            let max_parallelism = vertex.max_parallelism;
            (vertex.name.clone(), OperatorState { max_parallelism, subtasks, coordinator })
        });
        CheckpointMetadata {
            job: plan.job,
            checkpoint,
            kind: self.kind,
            triggered_at: self.triggered.wall,
            operators: operators.collect(),
            hooks: core::mem::take(&mut self.hook_states),
        }
    }
}

/// Later is more.
pub(crate) const fn rank(progress: TaskProgress) -> (u8, u64) {
    match progress {
        TaskProgress::WaitingForBarrier => (0, 0),
        TaskProgress::Aligning { arrived, .. } => (1, arrived as u64),
        TaskProgress::Capturing => (2, 0),
        TaskProgress::Preparing => (3, 0),
        TaskProgress::Queued => (4, 0),
        TaskProgress::Writing { written, .. } => (5, written),
        TaskProgress::Syncing => (6, 0),
    }
}

const fn has_captured(part: &Part) -> bool {
    match part {
        Part::Awaited { progress, .. } => rank(*progress).0 > rank(TaskProgress::Capturing).0,
        Part::Finished | Part::Acknowledged(_) => true,
    }
}

fn take_snapshot(part: &mut Part) -> TaskSnapshot {
    match part {
        Part::Finished => TaskSnapshot { finished: true, ..TaskSnapshot::default() },
        Part::Awaited { .. } => TaskSnapshot::default(),
        Part::Acknowledged(snapshot) => {
            // Whether it had finished is still asked when the checkpoint completes.
            let left = TaskSnapshot { finished: snapshot.finished, ..TaskSnapshot::default() };
            without_origins(core::mem::replace(snapshot, left))
        }
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
