//! Settings that a task reads: the same barriers, and other inputs held back, or other state written.

use super::files::now;
use super::{Setting, effective};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use stillframe::config::{CheckpointConfig, EffectiveConfig};
use stillframe::metadata;
use stillframe::model::{Barrier, CheckpointKind, FailureReason, KeyedState, LocationReference, UnixMillis};
use stillframe::prelude::{CheckpointId, Exchange, JobGraph, Reduce, Replay};
use stillframe::runtime::JobEvent;
use stillframe::task::{Effect, Event, Gate, TaskMachine};

pub(super) fn mode(setting: &Setting) {
    let gates = setting.changes(["EXACTLY_ONCE", "AT_LEAST_ONCE"], &[], |config| {
        let mut task = TaskMachine::new(2, effective(config).barriers.policy, None);
        let barrier = barrier();
        let waits = Effect::Aligning { checkpoint: CheckpointId::FIRST, arrived: 1, of: 2 };
        assert_eq!(task.handle(Event::Barrier { channel: 0, barrier: barrier.clone() }), [waits]);
        let gates = [task.gate(0), task.gate(1)];
        let taken = task.handle(Event::Barrier { channel: 1, barrier: barrier.clone() });
        assert_eq!(taken, [Effect::Forward(barrier.clone()), Effect::Capture(barrier)]);
        gates
    });
    assert_eq!(gates, [[Gate::Blocked, Gate::Open], [Gate::Open, Gate::Open]]);
}

fn barrier() -> Barrier {
    Barrier {
        checkpoint: CheckpointId::FIRST,
        kind: CheckpointKind::Checkpoint,
        triggered_at: UnixMillis(0),
        location: LocationReference::Default,
    }
}

/// Why a task with two inputs declines a checkpoint whose barrier comes on one of them and not on the other, which ends.
pub(super) fn beside_an_ended_input(config: &CheckpointConfig) -> Option<FailureReason> {
    let EffectiveConfig { barriers, schedule, .. } = effective(config);
    let mut task = TaskMachine::new(2, barriers.policy, None)
        .with_checkpoints_after_end_of_input(schedule.after_tasks_finish);
    let _ = task.handle(Event::Barrier { channel: 0, barrier: barrier() });
    task.handle(Event::EndOfInput { channel: 1 }).into_iter().find_map(|effect| match effect {
        Effect::Decline { reason, .. } => Some(reason),
        _ => None,
    })
}

pub(super) fn incremental(setting: &Setting) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let dir = format!("file://{}", directory.path().display());
    let beside = [
        ("execution.checkpointing.dir", dir.as_str()),
        ("execution.checkpointing.data-inline-threshold", "0 bytes"),
    ];
    let in_parts = setting.changes(["false", "true"], &beside, last_is_in_parts);
    assert_eq!(in_parts, [vec![false], vec![true]]);
}

/// Whether each checkpoint of a job that keeps sums has its keyed state in parts. It takes one, at its end.
fn last_is_in_parts(config: &CheckpointConfig) -> Vec<bool> {
    let mut graph = JobGraph::new();
    let source = graph.source("numbers", 1, |task| Replay::new(task, vec![(1_u64, 2_u64), (3, 4)]));
    graph.operator("sums", 1, [(source, Exchange::by_key())], |task| {
        Reduce::new(task, |sum: &mut u64, number| *sum += number)
    });
    let found = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&found);
    let job = stillframe::job(graph, config).expect("no rule is broken").on_event(move |event| {
        if let JobEvent::Completed(completed) = event {
            let bytes = fs::read(Path::new(completed.pointer.as_str()).join("_metadata")).expect("metadata");
            let metadata = metadata::decode(&bytes).expect("metadata that can be read");
            let subtasks = metadata.operators.values().flat_map(|operator| &operator.subtasks);
            let keyed = subtasks.filter_map(|subtask| subtask.keyed.as_ref());
            let in_parts = keyed.map(|keyed| matches!(keyed.state, KeyedState::Incremental(_)));
            sink.lock().unwrap_or_else(PoisonError::into_inner).extend(in_parts);
        }
    });
    now(job.run()).expect("nothing fails");
    found.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
