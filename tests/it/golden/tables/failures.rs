//! Why checkpoints fail, and when that fails the job. The scripts are played to a whole coordinator.

use super::super::conversion;
use super::super::tally::Outcome;
use super::not_understood;
use serde_json::Value;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;
use stillframe::config::{CheckpointConfig, GraphDescription, RecoveryClaimMode};
use stillframe::coordinator::{
    Coordinator, Effect, Event, JobPlan, SnapshotRequest, VertexPlan, plan_recovery,
};
use stillframe::model::{
    Attempt, CheckpointId, FailurePhase, FailureReason, JobId, LocationReference, Name, Now, OpId, Pointer,
    RequestId, SnapshotMetrics, TaskId, TaskSnapshot, Timestamp, UnixMillis, VertexId,
};

const NOT_OURS: &str = "a failure that cannot happen here yet";

fn reason_named(name: &str) -> Option<FailureReason> {
    FailureReason::ALL.into_iter().find(|reason| conversion::reason(*reason) == name)
}

/// Its name, and whether it comes before the trigger.
pub(super) fn reason(kind: &str, _: &str, entry: &Value) -> Outcome {
    let (Some(name), Some(pre_flight)) = (entry["name"].as_str(), entry["pre_flight"].as_bool()) else {
        return not_understood(kind, "?", entry);
    };
    let Some(reason) = reason_named(name) else {
        return Outcome::skipped(kind, name, format!("{NOT_OURS} ({name})"));
    };
    let ours = reason.phase() == FailurePhase::BeforeTrigger;
    let finding = (ours != pre_flight).then(|| format!("pre_flight: expected {pre_flight}, ours {ours}"));
    Outcome::found(kind, name, finding.into_iter().collect())
}

/// Whether one failure for this reason fails a job that tolerates none.
pub(super) fn counting(kind: &str, _: &str, entry: &Value) -> Outcome {
    let (Some(name), Some(checkpoint), Some(savepoint)) = (
        entry["reason"].as_str(),
        entry["checkpoint_fails_job"].as_bool(),
        entry["savepoint_fails_job"].as_bool(),
    ) else {
        return not_understood(kind, "?", entry);
    };
    let Some(reason) = reason_named(name) else {
        return Outcome::skipped(kind, name, format!("{NOT_OURS} ({name})"));
    };
    let mut findings = Vec::new();
    let mut compare = |what: &str, expected: bool, ours: bool| {
        if expected != ours {
            findings.push(format!("{what}: expected {expected}, ours {ours}"));
        }
    };
    compare("counts_toward_tolerance", checkpoint, reason.counts_toward_tolerance());
    compare("checkpoint_fails_job", checkpoint, Stage::new(0).declined(1, reason));
    if let Some(ours) = Stage::new(0).savepoint_failed(reason) {
        compare("savepoint_fails_job", savepoint, ours);
    }
    Outcome::found(kind, name, findings)
}

/// Checkpoints that fail and succeed one after the other.
pub(super) fn script(kind: &str, name: &str, entry: &Value) -> Outcome {
    let (Some(tolerable), Some(steps)) = (
        entry["tolerable"].as_u64().and_then(|number| u32::try_from(number).ok()),
        entry["steps"].as_array(),
    ) else {
        return not_understood(kind, name, entry);
    };
    let mut stage = Stage::new(tolerable);
    let mut findings = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let (Some(event), Some(checkpoint), Some(fails_job), Some(3)) = (
            step["event"].as_str(),
            step["checkpoint_id"].as_u64(),
            step["fails_job"].as_bool(),
            step.as_object().map(serde_json::Map::len),
        ) else {
            return not_understood(kind, name, step);
        };
        if stage.has_ended_before(checkpoint, event == "ok") {
            return Outcome::skipped(
                kind,
                name,
                "a checkpoint that has failed can neither succeed nor fail again",
            );
        }
        let ours = match (event, reason_named(event)) {
            ("ok", _) => stage.completed(checkpoint),
            (_, Some(reason)) => stage.declined(checkpoint, reason),
            (_, None) => return Outcome::skipped(kind, name, format!("{NOT_OURS} ({event})")),
        };
        if ours != fails_job {
            findings.push(format!(
                "step {at}, {event} of {checkpoint}: expected fails_job {fails_job}, ours {ours}"
            ));
        }
    }
    Outcome::found(kind, name, findings)
}

/// A coordinator of one task, with as many checkpoints in progress as a script wants.
struct Stage {
    coordinator: Coordinator,
    now: Duration,
    triggered: u64,
    /// The checkpoints that have failed, and those of them that were counted when the job was failed.
    failed: BTreeSet<u64>,
    forgotten: BTreeSet<u64>,
    publishing: Vec<OpId>,
}

const TASK: TaskId = TaskId { vertex: VertexId::new(0), subtask: 0 };
const ATTEMPT: Attempt = Attempt::new(0);
const TIMEOUT: Duration = Duration::from_secs(600);

impl Stage {
    fn new(tolerable: u32) -> Self {
        let mut config = CheckpointConfig::default();
        config.set_tolerable_checkpoint_failure_number(tolerable);
        config.set_max_concurrent_checkpoints(NonZeroU32::MAX);
        let effective = config.resolve(&GraphDescription::default()).expect("nothing unusual").effective;
        let name = Name::new("source").expect("a name");
        let source =
            VertexPlan { name, parallelism: 1, max_parallelism: 128, inputs: vec![], has_coordinator: false };
        let plan = JobPlan {
            job: JobId::from_bytes([7; 16]),
            attempt: ATTEMPT,
            vertices: vec![source],
            hooks: vec![],
        };
        let fresh =
            plan_recovery(Vec::new(), BTreeSet::new(), CheckpointId::FIRST, RecoveryClaimMode::NoClaim);
        let coordinator = Coordinator::new(plan, &effective, fresh);
        let mut stage = Self {
            coordinator,
            now: Duration::ZERO,
            triggered: 0,
            failed: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            publishing: Vec::new(),
        };
        stage.handle(Event::Running { task: TASK });
        stage
    }

    /// Hands over an event, makes places as they are wanted, and finishes removals. Whether the job was failed.
    fn handle(&mut self, event: Event) -> bool {
        let mut fails_job = false;
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let now = Now { monotonic: Timestamp::from_origin(self.now), wall: UnixMillis(0) };
            for effect in self.coordinator.handle(now, event) {
                match effect {
                    Effect::Locate { op, .. } => {
                        events.push(Event::Located { op, result: Ok(LocationReference::Default) });
                    }
                    Effect::Discard { op, .. } | Effect::Remove { op, .. } => {
                        events.push(Event::Discarded { op });
                    }
                    Effect::Publish { op, .. } => self.publishing.push(op),
                    Effect::FailJob { .. } => fails_job = true,
                    _ => {}
                }
            }
        }
        fails_job
    }

    /// Begins checkpoints up to this one. What became of an earlier one stays as it is.
    fn trigger_up_to(&mut self, checkpoint: u64) {
        while self.triggered < checkpoint {
            self.triggered += 1;
            self.trigger(SnapshotRequest::CHECKPOINT);
        }
    }

    fn trigger(&mut self, snapshot: SnapshotRequest) {
        self.handle(Event::Trigger { request: RequestId::new(self.triggered), snapshot });
    }

    fn declined(&mut self, checkpoint: u64, reason: FailureReason) -> bool {
        self.trigger_up_to(checkpoint);
        self.failed.insert(checkpoint);
        let checkpoint = CheckpointId::new(checkpoint);
        let fails_job = self.handle(Event::Declined { checkpoint, attempt: ATTEMPT, task: TASK, reason });
        if fails_job {
            self.forgotten.clone_from(&self.failed);
        }
        fails_job
    }

    /// Whether Flink's counter, which nobody guards against such things, would count what cannot happen to a whole
    /// coordinator: a success after the failure, or another failure when the first one is forgotten.
    fn has_ended_before(&self, checkpoint: u64, is_success: bool) -> bool {
        if is_success { self.failed.contains(&checkpoint) } else { self.forgotten.contains(&checkpoint) }
    }

    fn completed(&mut self, checkpoint: u64) -> bool {
        self.trigger_up_to(checkpoint);
        let fails_job = self.acknowledged(checkpoint);
        let result = || Ok(Pointer::new("somewhere"));
        std::mem::take(&mut self.publishing).into_iter().fold(fails_job, |fails_job, op| {
            self.handle(Event::Published { op, result: result() }) | fails_job
        })
    }

    fn acknowledged(&mut self, checkpoint: u64) -> bool {
        self.handle(Event::Acknowledged {
            checkpoint: CheckpointId::new(checkpoint),
            attempt: ATTEMPT,
            task: TASK,
            snapshot: TaskSnapshot::default(),
            metrics: SnapshotMetrics::default(),
        })
    }

    /// Lets a savepoint fail without the fault of a task, as was recorded. `None` if it cannot for this reason.
    fn savepoint_failed(&mut self, reason: FailureReason) -> Option<bool> {
        self.triggered += 1;
        self.trigger(SnapshotRequest::savepoint(None));
        match reason {
            FailureReason::CheckpointExpired => {
                self.now += TIMEOUT;
                Some(self.handle(Event::Tick))
            }
            FailureReason::FinalizeCheckpointFailure => {
                self.acknowledged(self.triggered);
                let fault = stillframe::coordinator::Fault::Failed { message: "no room".into() };
                let op = self.publishing.pop()?;
                Some(self.handle(Event::Published { op, result: Err(fault) }))
            }
            _ => None,
        }
    }
}
