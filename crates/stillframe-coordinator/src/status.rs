//! Why a checkpoint is not complete yet: who is waited for, since when, and for what.

use crate::coordinator::Coordinator;
use crate::pending::{Part, Pending, Phase};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use stillframe_model::{
    CheckpointId, CheckpointKind, Name, Now, TaskId, TaskProgress, Timestamp, UnixMillis,
};

/// A checkpoint in progress. Printed, it is a few lines for a person who wonders why it is stuck.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PendingStatus {
    /// Its id.
    pub checkpoint: CheckpointId,
    /// Its kind.
    pub kind: CheckpointKind,
    /// When it was triggered.
    pub triggered_at: UnixMillis,
    /// How long ago that was.
    pub age: Duration,
    /// The time left until it is given up; `None` if it can no longer be.
    pub expires_in: Option<Duration>,
    /// For how long it has been in its present stage.
    pub waiting: Duration,
    /// What it waits for.
    pub stage: Stage,
}

/// What a checkpoint in progress waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The storage makes a place for it.
    Location,
    /// The coordinators of these operators have not given their state.
    Coordinators(Vec<Name>),
    /// These hooks have not answered.
    Hooks(Vec<Name>),
    /// These tasks have not acknowledged it, those who are least far first.
    Tasks {
        /// Who they are.
        missing: Vec<Straggler>,
        /// How many have acknowledged.
        acknowledged: usize,
    },
    /// All state is durable, and an earlier checkpoint is still being published.
    EarlierPublication,
    /// The storage writes the metadata and the entry in the register.
    Publication,
}

/// A task that has not acknowledged a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Straggler {
    /// The task.
    pub task: TaskId,
    /// The name of its vertex.
    pub vertex: Name,
    /// How far it is.
    pub progress: TaskProgress,
    /// For how long it has been there.
    pub waiting: Duration,
}

impl Coordinator {
    /// Why each checkpoint in progress is not complete yet, oldest first. Takes time in proportion to the number of tasks.
    #[must_use]
    pub fn status(&self, now: Now) -> Vec<PendingStatus> {
        let status = |(&checkpoint, pending): (&CheckpointId, &Pending)| PendingStatus {
            checkpoint,
            kind: pending.kind(),
            triggered_at: pending.triggered.wall,
            age: now.monotonic.since(pending.triggered.monotonic),
            expires_in: pending.can_be_aborted().then(|| pending.expires.since(now.monotonic)),
            waiting: now.monotonic.since(pending.since),
            stage: self.stage(pending, now.monotonic),
        };
        self.pending.iter().map(status).collect()
    }

    fn stage(&self, pending: &Pending, now: Timestamp) -> Stage {
        match &pending.phase {
            Phase::Locating(_) => Stage::Location,
            Phase::Coordinators { waiting, .. } => {
                let vertices = waiting.values().filter_map(|vertex| self.vertex(vertex.get()));
                Stage::Coordinators(vertices.cloned().collect())
            }
            Phase::Hooks { waiting, .. } => Stage::Hooks(waiting.values().cloned().collect()),
            Phase::Collecting(_) => {
                let mut missing: Vec<_> = pending
                    .with_tasks(self.tasks.layout())
                    .filter_map(|(task, part)| match part {
                        Part::Awaited { progress, since } => Some(Straggler {
                            task,
                            vertex: self.vertex(task.vertex.get())?.clone(),
                            progress: *progress,
                            waiting: now.since(*since),
                        }),
                        Part::Finished | Part::Acknowledged(_) => None,
                    })
                    .collect();
                missing.sort_by_key(|straggler| crate::pending::rank(straggler.progress));
                let acknowledged = pending.participants(self.tasks.layout()).count() - missing.len();
                Stage::Tasks { missing, acknowledged }
            }
            Phase::Collected(_) => Stage::EarlierPublication,
            Phase::Publishing { .. } => Stage::Publication,
        }
    }

    fn vertex(&self, vertex: u32) -> Option<&Name> {
        self.plan.vertices.get(vertex as usize).map(|vertex| &vertex.name)
    }
}

/// How many tasks are named when a status is printed. The rest are counted.
const SHOWN: usize = 10;

impl fmt::Display for PendingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { checkpoint, kind, age, waiting, stage, expires_in, .. } = self;
        write!(f, "{kind} {checkpoint}, {age:.1?} old")?;
        match expires_in {
            Some(left) => write!(f, ", given up in {left:.1?}: ")?,
            None => f.write_str(": ")?,
        }
        let list = |f: &mut fmt::Formatter<'_>, names: &[Name]| -> fmt::Result {
            names.iter().enumerate().try_for_each(|(index, name)| {
                f.write_str(if index == 0 { " " } else { ", " })?;
                write!(f, "{name}")
            })
        };
        match stage {
            Stage::Location => {
                write!(f, "waiting for {waiting:.1?} for the storage to make a place")
            }
            Stage::Coordinators(operators) => {
                write!(f, "waiting for {waiting:.1?} for the coordinators of")?;
                list(f, operators)
            }
            Stage::Hooks(hooks) => {
                write!(f, "waiting for {waiting:.1?} for the hooks")?;
                list(f, hooks)
            }
            Stage::Tasks { missing, acknowledged } => {
                let all = acknowledged + missing.len();
                write!(f, "{acknowledged} of {all} tasks have acknowledged")?;
                for Straggler { task, vertex, progress, waiting } in missing.iter().take(SHOWN) {
                    write!(f, "\n  {vertex} [{}]: {progress}, for {waiting:.1?}", task.subtask)?;
                }
                match missing.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, "\n  and {more} more"),
                }
            }
            Stage::EarlierPublication => {
                write!(f, "waiting for {waiting:.1?} for an earlier checkpoint to be published")
            }
            Stage::Publication => {
                write!(
                    f,
                    "waiting for {waiting:.1?} for the storage to write the metadata and its register entry"
                )
            }
        }
    }
}
