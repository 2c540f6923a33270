//! A coordinator of one task, with a driver that does what it is told by hand.

use super::effective;
use std::collections::BTreeSet;
use std::time::Duration;
use stillframe::config::{CheckpointConfig, RecoveryClaimMode};
use stillframe::coordinator::{
    Coordinator, Effect, Event, JobPlan, Report, SnapshotRequest, VertexPlan, plan_recovery,
};
use stillframe::model::{
    Attempt, CheckpointId, FailureReason, JobId, JobStatus, LocationReference, Name, Now, OpId, Pointer,
    RequestId, SnapshotMetrics, TaskId, TaskSnapshot, Timestamp, UnixMillis, VertexId,
};

const TASK: TaskId = TaskId { vertex: VertexId::new(0), subtask: 0 };
const ATTEMPT: Attempt = Attempt::new(0);

/// When the first periodic checkpoint is due, in milliseconds.
pub(super) const FIRST: u64 = 500;

/// The coordinator, its time, and everything that it has said.
pub(super) struct Driven {
    coordinator: Coordinator,
    now: Timestamp,
    said: Vec<Effect>,
}

impl Driven {
    /// Runs, with the first periodic checkpoint due at [`FIRST`] if there are any.
    pub(super) fn new(config: &CheckpointConfig) -> Self {
        let name = Name::new("numbers").expect("a good name");
        let source =
            VertexPlan { name, parallelism: 1, max_parallelism: 128, inputs: vec![], has_coordinator: false };
        let plan = JobPlan {
            job: JobId::from_bytes([1; 16]),
            attempt: ATTEMPT,
            vertices: vec![source],
            hooks: vec![],
        };
        let fresh =
            plan_recovery(Vec::new(), BTreeSet::new(), CheckpointId::FIRST, RecoveryClaimMode::NoClaim);
        let coordinator = Coordinator::new(plan, &effective(config), fresh);
        let mut driven = Self { coordinator, now: Timestamp::ORIGIN, said: Vec::new() };
        driven.handle(Event::Running { task: TASK });
        driven.handle(Event::StartPeriodic { first_after: Duration::from_millis(FIRST) });
        driven
    }

    fn handle(&mut self, event: Event) -> &mut Self {
        let now = Now { monotonic: self.now, wall: UnixMillis(0) };
        self.said.extend(self.coordinator.handle(now, event));
        self
    }

    /// Time passes, without anybody looking before its end.
    pub(super) fn at(&mut self, millis: u64) -> &mut Self {
        self.now = Timestamp::from_origin(Duration::from_millis(millis));
        self.handle(Event::Tick)
    }

    /// A person asks for a checkpoint.
    pub(super) fn ask(&mut self) -> &mut Self {
        self.handle(Event::Trigger { request: RequestId::new(1), snapshot: SnapshotRequest::CHECKPOINT })
    }

    /// The newest operation of a kind.
    fn operation(&self, kind: impl Fn(&Effect) -> Option<OpId>) -> OpId {
        self.said.iter().rev().find_map(kind).expect("the effect was emitted")
    }

    /// The storage has made the place.
    pub(super) fn locate(&mut self) -> &mut Self {
        let op =
            self.operation(|effect| if let Effect::Locate { op, .. } = effect { Some(*op) } else { None });
        self.handle(Event::Located { op, result: Ok(LocationReference::Default) })
    }

    /// The storage has made the place, the task has written, the storage has published.
    pub(super) fn complete(&mut self, checkpoint: u64) -> &mut Self {
        self.locate().handle(Event::Acknowledged {
            checkpoint: CheckpointId::new(checkpoint),
            attempt: ATTEMPT,
            task: TASK,
            snapshot: TaskSnapshot::default(),
            metrics: SnapshotMetrics::default(),
        });
        let op =
            self.operation(|effect| if let Effect::Publish { op, .. } = effect { Some(*op) } else { None });
        self.handle(Event::Published { op, result: Ok(Pointer::new("there")) })
    }

    /// The task begins or ends to work off a backlog.
    pub(super) fn backlog(&mut self, is_processing: bool) -> &mut Self {
        self.handle(Event::Backlog { source: TASK.vertex, is_processing })
    }

    /// The task has processed its last record.
    pub(super) fn end_of_data(&mut self) -> &mut Self {
        self.handle(Event::EndOfData { task: TASK })
    }

    /// The task could not write its state.
    pub(super) fn decline(&mut self, checkpoint: u64) -> &mut Self {
        self.handle(Event::Declined {
            checkpoint: CheckpointId::new(checkpoint),
            attempt: ATTEMPT,
            task: TASK,
            reason: FailureReason::CheckpointAsyncException,
        })
    }

    /// The job ends like this, and that is on record.
    pub(super) fn end(&mut self, status: JobStatus) -> &mut Self {
        self.handle(Event::End { status });
        let op =
            self.operation(|effect| if let Effect::Conclude { op, .. } = effect { Some(*op) } else { None });
        self.handle(Event::Concluded { op, result: Ok(()) })
    }

    /// When it wants to be asked again, in milliseconds.
    pub(super) fn next_deadline(&self) -> Option<u128> {
        self.coordinator.next_deadline().map(|deadline| deadline.since_origin().as_millis())
    }

    /// The checkpoints that have begun.
    pub(super) fn begun(&self) -> Vec<u64> {
        self.all(|effect| match effect {
            Effect::Report(Report::Triggered { checkpoint, .. }) => Some(checkpoint.get()),
            _ => None,
        })
    }

    /// The checkpoints that were given up, with the reasons.
    pub(super) fn aborted(&self) -> Vec<(u64, FailureReason)> {
        self.all(|effect| match effect {
            Effect::Report(Report::Aborted(aborted)) => Some((aborted.checkpoint.get(), aborted.reason)),
            _ => None,
        })
    }

    /// The checkpoints that were removed.
    pub(super) fn discarded(&self) -> Vec<u64> {
        self.all(|effect| match effect {
            Effect::Discard { checkpoint, .. } | Effect::Remove { checkpoint, .. } => Some(checkpoint.get()),
            _ => None,
        })
    }

    /// Whether the task was told to end.
    pub(super) fn has_closed(&self) -> bool {
        self.said.iter().any(|effect| matches!(effect, Effect::Close { .. }))
    }

    /// Whether the job was told to fail.
    pub(super) fn has_failed(&self) -> bool {
        self.said.iter().any(|effect| matches!(effect, Effect::FailJob { .. }))
    }

    fn all<T>(&self, what: impl Fn(&Effect) -> Option<T>) -> Vec<T> {
        self.said.iter().filter_map(what).collect()
    }
}
