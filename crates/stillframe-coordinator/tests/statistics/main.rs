//! The statistics fed by hand, by Flink's recordings, and by a real coordinator.

mod by_hand;
mod properties;
#[cfg(feature = "serde")]
mod recorded;

use std::time::Duration;
use stillframe_coordinator::statistics::Statistics;
use stillframe_coordinator::{
    Aborted, Completed, DistributionPattern, Effect, Event, Input, JobPlan, Report, VertexPlan,
};
use stillframe_model::*;

const ATTEMPT: Attempt = Attempt::new(3);

/// Statistics of a job whose vertices have these numbers of subtasks, and a clock.
struct Observed {
    statistics: Statistics,
    now: Now,
}

const fn id(number: u64) -> CheckpointId {
    CheckpointId::new(number)
}

const fn task(vertex: u32, subtask: u32) -> TaskId {
    TaskId { vertex: VertexId::new(vertex), subtask }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a good name")
}

fn plan(parallelism: &[u32], attempt: Attempt) -> JobPlan {
    let vertices = parallelism.iter().enumerate().map(|(index, &parallelism)| VertexPlan {
        name: name(&format!("vertex-{index}")),
        parallelism,
        max_parallelism: 128,
        inputs: (0..index as u32)
            .map(|from| Input { from: VertexId::new(from), pattern: DistributionPattern::AllToAll })
            .collect(),
        has_coordinator: false,
    });
    JobPlan { job: JobId::from_bytes([7; 16]), attempt, vertices: vertices.collect(), hooks: vec![] }
}

/// State of `size` bytes, of which `written` were written for this checkpoint.
fn snapshot(written: u64, size: u64) -> TaskSnapshot {
    let part = |name: &str, len: u64, origin| IncrementalPart {
        name: self::name(name),
        handle: StateHandle::File(FileHandle {
            file: StateFile { directory: StateDirectory::Shared, name: self::name(name) },
            len,
            crc: Crc32c::of(&[]),
        }),
        origin,
    };
    let parts =
        vec![part("new", written, PartOrigin::Written), part("old", size - written, PartOrigin::Placeholder)];
    let state = KeyedState::Incremental(IncrementalHandle { parts });
    let keyed = Some(KeyedHandle { range: KeyGroupRange { start: 0, end: 127 }, state });
    TaskSnapshot { keyed, ..TaskSnapshot::default() }
}

impl Observed {
    fn new(parallelism: &[u32], history: usize) -> Self {
        let statistics = Statistics::new(&plan(parallelism, ATTEMPT), history);
        Self { statistics, now: Now::default() }
    }

    /// Both clocks show this, in milliseconds.
    fn at(&mut self, millis: u64) -> &mut Self {
        let monotonic = Timestamp::from_origin(Duration::from_millis(millis));
        self.now = Now { monotonic, wall: UnixMillis(millis) };
        self
    }

    fn event(&mut self, event: &Event, effects: &[Effect]) -> &mut Self {
        self.statistics.before(event);
        self.statistics.after(self.now, effects);
        self
    }

    fn report(&mut self, report: Report) -> &mut Self {
        self.event(&Event::Tick, &[Effect::Report(report)])
    }

    fn trigger(&mut self, number: u64, kind: CheckpointKind, finished: Vec<TaskId>) -> &mut Self {
        self.report(Report::Triggered { checkpoint: id(number), kind, request: None, finished })
    }

    fn acknowledged(number: u64, task: TaskId, snapshot: TaskSnapshot, metrics: SnapshotMetrics) -> Event {
        Event::Acknowledged { checkpoint: id(number), attempt: ATTEMPT, task, snapshot, metrics }
    }

    /// An acknowledgement with state of so many bytes.
    fn acknowledge(&mut self, number: u64, task: TaskId, size: u64) -> &mut Self {
        let event = Self::acknowledged(number, task, snapshot(size, size), SnapshotMetrics::default());
        self.event(&event, &[])
    }

    fn complete(&mut self, number: u64, kind: CheckpointKind) -> &mut Self {
        self.complete_at(number, kind, &format!("there/{number}"))
    }

    fn complete_at(&mut self, number: u64, kind: CheckpointKind, path: &str) -> &mut Self {
        self.report(Report::Completed(Completed {
            checkpoint: id(number),
            kind,
            pointer: Pointer::new(path),
            triggered_at: UnixMillis(0),
            duration: Duration::ZERO,
            state_size: 0,
            checkpointed_size: 0,
        }))
    }

    fn fail(&mut self, number: u64, cause: &str) -> &mut Self {
        self.report(Report::Aborted(Self::aborted(number, None, cause)))
    }

    fn aborted(number: u64, by: Option<TaskId>, cause: &str) -> Aborted {
        Aborted {
            checkpoint: id(number),
            kind: CheckpointKind::Checkpoint,
            reason: FailureReason::CheckpointExpired,
            by,
            cause: Some(cause.to_string()),
        }
    }
}
