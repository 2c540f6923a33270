//! Why checkpoints fail, and when that fails the job.

use super::super::conversion;
use super::super::tally::Outcome;
use super::not_understood;
use serde_json::Value;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;
use stillframe::config::{CheckpointConfig, EffectiveConfig, GraphDescription, RecoveryClaimMode};
use stillframe::coordinator::failure::{Failure, Tolerance, Verdict};
use stillframe::coordinator::{
    Coordinator, Effect, Event, JobPlan, SnapshotRequest, VertexPlan, plan_recovery,
};
use stillframe::model::{
    Attempt, CheckpointId, FailurePhase, FailureReason, JobId, LocationReference, Name, Now, OpId, Pointer,
    RequestId, SnapshotMetrics, TaskId, TaskSnapshot, Timestamp, UnixMillis, VertexId,
};

fn reason_named(name: &str) -> Option<FailureReason> {
    FailureReason::ALL.into_iter().find(|reason| conversion::reason(*reason) == name)
}

/// Its name, and whether it comes before the trigger.
pub(super) fn reason(kind: &str, _: &str, entry: &Value) -> Outcome {
    let (Some(name), Some(pre_flight)) = (entry["name"].as_str(), entry["pre_flight"].as_bool()) else {
        return not_understood(kind, "?", entry);
    };
    let Some(reason) = reason_named(name) else { return not_understood(kind, name, entry) };
    let mut findings = Findings::default();
    findings.compare("pre_flight", pre_flight, reason.phase() == FailurePhase::BeforeTrigger);
    Outcome::found(kind, name, findings.0)
}

/// Whether one failure for this reason fails a job that tolerates none.
pub(super) fn counting(kind: &str, _: &str, entry: &Value) -> Outcome {
    let (Some(name), Some(pre_flight), Some(checkpoint), Some(savepoint)) = (
        entry["reason"].as_str(),
        entry["pre_flight"].as_bool(),
        entry["checkpoint_fails_job"].as_bool(),
        entry["savepoint_fails_job"].as_bool(),
    ) else {
        return not_understood(kind, "?", entry);
    };
    let Some(reason) = reason_named(name) else { return not_understood(kind, name, entry) };
    let fails_job = |failure| tolerance(0).failed(failure) != Verdict::Tolerated;
    let failure = failure(Some(1), reason);
    let mut findings = Findings::default();
    findings.compare("pre_flight", pre_flight, reason.phase() == FailurePhase::BeforeTrigger);
    findings.compare("counts_toward_tolerance", checkpoint, reason.counts_toward_tolerance());
    for (checkpoint_id, by_task) in [(failure.checkpoint, false), (failure.checkpoint, true), (None, false)] {
        let failure = Failure { checkpoint: checkpoint_id, by_task, ..failure };
        findings.compare(&format!("checkpoint_fails_job by {failure:?}"), checkpoint, fails_job(failure));
    }
    // Savepoints were recorded to fail without the fault of a task.
    for is_synchronous in [false, true] {
        let failure = Failure { is_savepoint: true, is_synchronous, ..failure };
        findings.compare(&format!("savepoint_fails_job by {failure:?}"), savepoint, fails_job(failure));
    }
    findings.compare("checkpoint_fails_job as a whole", checkpoint, Stage::new(0).declined(1, reason));
    if let Some(ours) = Stage::new(0).savepoint_failed(reason) {
        findings.compare("savepoint_fails_job as a whole", savepoint, ours);
    }
    Outcome::found(kind, name, findings.0)
}

/// Checkpoints that fail and succeed one after the other: played to what counts them, and to a whole coordinator until
/// something comes that cannot happen to one.
pub(super) fn script(kind: &str, name: &str, entry: &Value) -> Outcome {
    let (Some(tolerable), Some(steps)) = (
        entry["tolerable"].as_u64().and_then(|number| u32::try_from(number).ok()),
        entry["steps"].as_array(),
    ) else {
        return not_understood(kind, name, entry);
    };
    let mut tolerance = tolerance(tolerable);
    let mut stage = Some(Stage::new(tolerable));
    let mut findings = Findings::default();
    for (at, step) in steps.iter().enumerate() {
        let (Some(event), Some(checkpoint), Some(fails_job), Some(3)) = (
            step["event"].as_str(),
            checkpoint_id(&step["checkpoint_id"]),
            step["fails_job"].as_bool(),
            step.as_object().map(serde_json::Map::len),
        ) else {
            return not_understood(kind, name, step);
        };
        stage = stage.filter(|stage| checkpoint.is_some_and(|id| stage.can_play(id, event == "ok")));
        let (ours, as_a_whole) = match (event, checkpoint, reason_named(event)) {
            ("ok", Some(id), _) => {
                tolerance.succeeded(CheckpointId::new(id));
                (false, stage.as_mut().map(|stage| stage.completed(id)))
            }
            (_, _, Some(reason)) => {
                let as_a_whole = stage.as_mut().zip(checkpoint).map(|(stage, id)| stage.declined(id, reason));
                (tolerance.failed(failure(checkpoint, reason)) != Verdict::Tolerated, as_a_whole)
            }
            (_, _, None) => return not_understood(kind, name, step),
        };
        findings.compare(&format!("step {at}, {step}"), fails_job, ours);
        if let Some(ours) = as_a_whole {
            findings.compare(&format!("step {at} as a whole, {step}"), fails_job, ours);
        }
    }
    Outcome::found(kind, name, findings.0)
}

/// The id of a checkpoint; the inner `None` is one that failed before it got any.
fn checkpoint_id(value: &Value) -> Option<Option<u64>> {
    match value.as_i64() {
        Some(-1) => Some(None),
        Some(number) => u64::try_from(number).ok().map(Some),
        None => value.is_null().then_some(None),
    }
}

/// Each sentence is about one truth that is none here.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn compare(&mut self, what: &str, expected: bool, ours: bool) {
        if expected != ours {
            self.0.push(format!("{what}: expected {expected}, ours {ours}"));
        }
    }
}

fn effective(tolerable: u32) -> EffectiveConfig {
    let mut config = CheckpointConfig::default();
    config.set_tolerable_checkpoint_failure_number(tolerable);
    config.set_max_concurrent_checkpoints(NonZeroU32::MAX);
    config.resolve(&GraphDescription::default()).expect("nothing unusual").effective
}

/// What counts in a coordinator with this setting.
fn tolerance(tolerable: u32) -> Tolerance {
    Tolerance::new(effective(tolerable).tolerance)
}

/// A failed checkpoint that no task is to blame for.
fn failure(checkpoint: Option<u64>, reason: FailureReason) -> Failure {
    Failure {
        checkpoint: checkpoint.map(CheckpointId::new),
        reason,
        is_savepoint: false,
        is_synchronous: false,
        by_task: false,
    }
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
        let coordinator = Coordinator::new(plan, &effective(tolerable), fresh);
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

    /// Whether this can happen to a whole coordinator. Flink's counter, which nobody guards, also takes a success after the
    /// failure, another failure when the first one is forgotten, and ids that no checkpoint has.
    fn can_play(&self, checkpoint: u64, is_success: bool) -> bool {
        let ended = if is_success { &self.failed } else { &self.forgotten };
        (1..1_000).contains(&checkpoint) && !ended.contains(&checkpoint)
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
