//! The jobs and settings that the coordinator is tried with.

use std::collections::BTreeMap;
use stillframe::config::ExternalizedCheckpointRetention;
use stillframe::coordinator::{DistributionPattern, Input, JobPlan, VertexPlan};
use stillframe::model::{Attempt, JobId, JobStatus, Name, TaskId, VertexId};

pub(super) const ATTEMPT: u32 = 3;
/// In milliseconds.
pub(super) const TIMEOUT: u64 = 1_700;
/// Between periodic checkpoints while a source has a backlog, where that differs; in milliseconds.
pub(super) const BACKLOG_INTERVAL: u64 = 2_500;
/// A task of no job.
pub(super) const STRANGER: TaskId = TaskId { vertex: VertexId::new(9), subtask: 9 };

/// What a person may set, and with what the job goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) graph: Graph,
    /// In milliseconds; `None` is without periodic checkpoints.
    pub(super) interval: Option<u64>,
    pub(super) backlog: Backlog,
    /// In milliseconds.
    pub(super) min_pause: u64,
    pub(super) max_concurrent: u32,
    pub(super) tolerable: Option<u32>,
    pub(super) retained: u32,
    pub(super) is_unaligned: bool,
    pub(super) after_tasks_finish: bool,
    pub(super) on_end: ExternalizedCheckpointRetention,
    pub(super) past: Past,
    /// Whether all tasks run and periodic checkpoints have begun.
    pub(super) has_begun: bool,
}

/// What there is between periodic checkpoints while a source has a backlog.
#[derive(Clone, Copy, Debug)]
pub(super) enum Backlog {
    Same,
    Longer,
    /// There are none.
    Never,
}

/// With what the job goes on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Past {
    None,
    /// Two checkpoints of its own, 4 and 5.
    Own,
    /// A snapshot, 70, that is somebody else's.
    Theirs,
}

/// Who takes part.
#[derive(Clone, Copy, Debug)]
pub(super) enum Graph {
    /// Two sources and one task behind both.
    Small,
    /// Two sources with a coordinator, two tasks each behind one of them, and a sink with a coordinator behind both; one
    /// hook.
    Large,
}

impl Settings {
    /// What Flink calls the base interval: never shorter than the pause.
    pub(super) fn base_interval(&self) -> Option<u64> {
        self.interval.map(|interval| interval.max(self.min_pause))
    }

    /// Between periodic checkpoints now, if there are any.
    pub(super) fn interval(&self, has_backlog: bool) -> Option<u64> {
        match self.backlog {
            Backlog::Longer if has_backlog => self.interval.map(|_| BACKLOG_INTERVAL.max(self.min_pause)),
            Backlog::Never if has_backlog => None,
            _ => self.base_interval(),
        }
    }

    /// The table of section 1.5 and 4.2. A suspended job goes on elsewhere, as with Flink's highly available store.
    pub(super) fn drops_after(&self, status: JobStatus) -> bool {
        match status {
            JobStatus::Suspended => false,
            JobStatus::Finished => true,
            JobStatus::Canceled => self.on_end != ExternalizedCheckpointRetention::RetainOnCancellation,
            JobStatus::Failed => self.on_end == ExternalizedCheckpointRetention::NoExternalizedCheckpoints,
        }
    }
}

const fn at(vertex: u32, subtask: u32) -> TaskId {
    TaskId { vertex: VertexId::new(vertex), subtask }
}

impl Graph {
    pub(super) fn tasks(self) -> Vec<TaskId> {
        match self {
            Self::Small => vec![at(0, 0), at(0, 1), at(1, 0)],
            Self::Large => vec![at(0, 0), at(0, 1), at(1, 0), at(1, 1), at(2, 0)],
        }
    }

    /// The operators with a coordinator.
    pub(super) fn coordinators(self) -> Vec<VertexId> {
        match self {
            Self::Small => vec![],
            Self::Large => vec![VertexId::new(0), VertexId::new(2)],
        }
    }

    pub(super) fn hooks(self) -> usize {
        match self {
            Self::Small => 0,
            Self::Large => 1,
        }
    }

    /// Who of those that run has nobody running before it, and so is triggered by the coordinator.
    pub(super) fn first(self, runs: &BTreeMap<TaskId, bool>) -> Vec<TaskId> {
        let runs = |task: TaskId| runs.get(&task).copied().unwrap_or(false);
        let before = |task: TaskId| match (self, task.vertex.get()) {
            (Self::Small, 1) => vec![at(0, 0), at(0, 1)],
            (Self::Large, 1) => vec![at(0, task.subtask)],
            (Self::Large, 2) => vec![at(1, 0), at(1, 1)],
            _ => vec![],
        };
        let is_first = |task: &TaskId| runs(*task) && !before(*task).into_iter().any(runs);
        self.tasks().into_iter().filter(is_first).collect()
    }

    pub(super) fn plan(self) -> JobPlan {
        let vertex = |name: &str, parallelism, inputs, has_coordinator| VertexPlan {
            name: Name::new(name).expect("a good name"),
            parallelism,
            max_parallelism: 128,
            inputs,
            has_coordinator,
        };
        let input = |from, pattern| vec![Input { from: VertexId::new(from), pattern }];
        let vertices = match self {
            Self::Small => vec![
                vertex("sources", 2, vec![], false),
                vertex("sums", 1, input(0, DistributionPattern::AllToAll), false),
            ],
            Self::Large => vec![
                vertex("sources", 2, vec![], true),
                vertex("maps", 2, input(0, DistributionPattern::Pointwise), false),
                vertex("sinks", 1, input(1, DistributionPattern::AllToAll), true),
            ],
        };
        let hooks = (0..self.hooks()).map(hook).collect();
        JobPlan { job: JobId::from_bytes([7; 16]), attempt: Attempt::new(ATTEMPT), vertices, hooks }
    }
}

/// The name of a hook.
pub(super) fn hook(index: usize) -> Name {
    Name::new(format!("hook-{index}")).expect("a good name")
}
