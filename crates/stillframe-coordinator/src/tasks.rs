//! How far the tasks of a job are, and who of them takes part in the next checkpoint: Flink's checkpoint plan calculator.

use crate::plan::{DistributionPattern, Input, JobPlan, Layout};
use alloc::vec;
use alloc::vec::Vec;
use stillframe_model::{FailureReason, TaskId, Timestamp, VertexId};

/// The tasks of a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tasks {
    layout: Layout,
    states: Vec<TaskState>,
    running: usize,
    at_end: usize,
    closing: usize,
    /// When somebody was told last to end, while it is worth waiting for those who were.
    closing_since: Option<Timestamp>,
    /// Of each vertex, how many have finished.
    finished: Vec<u32>,
    after_tasks_finish: bool,
}

/// How far a task is. Only forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TaskState {
    /// It would not see a barrier.
    Deploying,
    Running,
    /// It runs, and has processed its last record.
    AtEndOfData,
    /// It was told to end.
    Closing,
    Finished,
}

/// Who takes part in one checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CheckpointPlan {
    /// Those that nobody running could send a barrier to.
    pub(crate) trigger: Vec<TaskId>,
    /// By the places of the tasks, whether they have finished. All others acknowledge, and are notified.
    pub(crate) finished: Vec<bool>,
}

impl Tasks {
    pub(crate) fn new(plan: &JobPlan, after_tasks_finish: bool) -> Self {
        let layout = Layout::new(plan);
        Self {
            states: vec![TaskState::Deploying; layout.len()],
            running: 0,
            at_end: 0,
            closing: 0,
            closing_since: None,
            finished: vec![0; plan.vertices.len()],
            layout,
            after_tasks_finish,
        }
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Moves a task on. `None` if there is no such task, `Some(false)` if it was as far already.
    pub(crate) fn reach(&mut self, task: TaskId, state: TaskState) -> Option<bool> {
        let place = self.layout.place(task)?;
        let known = self.states.get_mut(place)?;
        if *known >= state {
            return Some(false);
        }
        if *known < TaskState::Running {
            self.running += 1;
        }
        if *known < TaskState::AtEndOfData && state >= TaskState::AtEndOfData {
            self.at_end += 1;
        }
        if *known == TaskState::Closing {
            self.closing -= 1;
            if self.closing == 0 {
                self.closing_since = None;
            }
        }
        if state == TaskState::Closing {
            self.closing += 1;
        }
        if state == TaskState::Finished
            && let Some(finished) = self.finished.get_mut(task.vertex.get() as usize)
        {
            *finished += 1;
        }
        *known = state;
        Some(true)
    }

    /// Tells a task to end. Says whether that is news.
    pub(crate) fn close(&mut self, task: TaskId, now: Timestamp) -> bool {
        let is_news = self.reach(task, TaskState::Closing) == Some(true);
        if is_news {
            self.closing_since = Some(now);
        }
        is_news
    }

    /// Since when somebody was told to end, has not done so, and is waited for: who takes part in the next checkpoint is
    /// open until then.
    pub(crate) fn changing_since(&self) -> Option<Timestamp> {
        self.closing_since
    }

    /// Those who were told to end and have not done so take part in what begins from now on, as any task that runs.
    pub(crate) fn wait_no_longer(&mut self) {
        self.closing_since = None;
    }

    /// Whether a task is as far as this, in this attempt.
    pub(crate) fn is_at_least(&self, task: TaskId, state: TaskState) -> bool {
        let known = self.layout.place(task).and_then(|place| self.states.get(place));
        known.is_some_and(|known| *known >= state)
    }

    /// Whether all have processed their last record.
    pub(crate) fn all_at_end(&self) -> bool {
        self.at_end == self.layout.len()
    }

    /// Whether somebody has processed its last record and was not told to end.
    pub(crate) fn some_wait(&self) -> bool {
        self.at_end > self.closing + self.finished()
    }

    fn finished(&self) -> usize {
        self.finished.iter().map(|finished| *finished as usize).sum()
    }

    /// Whether checkpoints go on when tasks have finished, and so whether tasks wait for a last one.
    pub(crate) fn wait_for_last(&self) -> bool {
        self.after_tasks_finish
    }

    /// Who takes part in a checkpoint that begins now, or why there can be none.
    pub(crate) fn plan(&self, job: &JobPlan) -> Result<CheckpointPlan, FailureReason> {
        let finished = self.finished();
        let all_run = self.running == self.layout.len();
        let nobody_is_left = finished == self.layout.len();
        if !all_run || nobody_is_left || (finished > 0 && !self.after_tasks_finish) {
            return Err(FailureReason::NotAllRequiredTasksRunning);
        }
        let is_finished = |state: &TaskState| *state == TaskState::Finished;
        let trigger = (0..).map(VertexId::new).zip(&job.vertices).flat_map(|(vertex, plan)| {
            let places = self.layout.of(vertex);
            let begins = !plan
                .inputs
                .iter()
                .any(|input| input.pattern == DistributionPattern::AllToAll && self.has_running(input.from));
            let pointwise: Vec<_> = plan
                .inputs
                .iter()
                .copied()
                .filter(|input| input.pattern == DistributionPattern::Pointwise)
                .collect();
            let parallelism = plan.parallelism;
            (0..parallelism).zip(places).filter_map(move |(subtask, place)| {
                let runs = self.states.get(place).is_some_and(|state| !is_finished(state));
                let is_first =
                    || !pointwise.iter().any(|input| self.has_running_opposite(*input, subtask, parallelism));
                (begins && runs && is_first()).then_some(TaskId { vertex, subtask })
            })
        });
        Ok(CheckpointPlan {
            trigger: trigger.collect(),
            finished: self.states.iter().map(is_finished).collect(),
        })
    }

    fn has_running(&self, vertex: VertexId) -> bool {
        let finished = self.finished.get(vertex.get() as usize).copied().unwrap_or(0) as usize;
        finished < self.layout.of(vertex).len()
    }

    /// Whether one of the subtasks that this one is connected with has not finished.
    fn has_running_opposite(&self, input: Input, subtask: u32, parallelism: u32) -> bool {
        let places = self.layout.of(input.from);
        let opposite = opposite(subtask, parallelism, places.len());
        let mut states = places.skip(opposite.start).take(opposite.len());
        states.any(|place| self.states.get(place).is_some_and(|state| *state != TaskState::Finished))
    }
}

/// Which of `upstream` subtasks a pointwise edge connects with one of `parallelism`: each with the next ones in turn, as
/// evenly as can be.
fn opposite(subtask: u32, parallelism: u32, upstream: usize) -> core::ops::Range<usize> {
    let (subtask, parallelism) = (subtask as usize, (parallelism as usize).max(1));
    if upstream >= parallelism {
        subtask * upstream / parallelism..(subtask + 1) * upstream / parallelism
    } else {
        let one = subtask * upstream / parallelism;
        one..(one + 1).min(upstream)
    }
}
