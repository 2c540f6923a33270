//! What may happen next: mostly what somebody waits for, sometimes what makes no sense.

use super::job::{Backlog, Graph, Past, STRANGER, Settings};
use super::model::{Model, Task};
use super::words::{Part, Progress, Reply, Step};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use stillframe::config::ExternalizedCheckpointRetention;
use stillframe::coordinator::{CheckpointType, SnapshotRequest};
use stillframe::model::{FailureReason, JobStatus, SavepointFormat, TaskId, VertexId};

pub(super) fn settings() -> impl Strategy<Value = Settings> {
    let schedule = (
        prop_oneof![3 => Just(Some(1_000)), 1 => Just(None)],
        select(vec![Backlog::Same, Backlog::Longer, Backlog::Never]),
        select(vec![0, 300, 1_500]),
        1_u32..4,
        any::<bool>(),
    );
    let after = (
        select(vec![Some(0), Some(1), Some(3), None]),
        1_u32..4,
        select(ExternalizedCheckpointRetention::ALL.to_vec()),
        prop_oneof![3 => Just(true), 1 => Just(false)],
    );
    let job = (
        select(vec![Graph::Small, Graph::Large]),
        select(vec![Past::None, Past::Own, Past::Theirs]),
        prop_oneof![9 => Just(true), 1 => Just(false)],
    );
    (schedule, after, job).prop_map(|(schedule, after, (graph, past, has_begun))| {
        let (interval, backlog, min_pause, max_concurrent, may_overtake) = schedule;
        let (tolerable, retained, on_end, after_tasks_finish) = after;
        Settings {
            graph,
            interval,
            // Neither means anything without periodic checkpoints, and only one at a time may overtake records.
            backlog: if interval.is_some() { backlog } else { Backlog::Same },
            is_unaligned: may_overtake && max_concurrent == 1 && interval.is_some(),
            min_pause,
            max_concurrent,
            tolerable,
            retained,
            after_tasks_finish,
            on_end,
            past,
            has_begun,
        }
    })
}

/// What happens before everything else.
pub(super) fn opening(settings: &Settings) -> Vec<Step> {
    let tasks = settings.graph.tasks().into_iter().map(Step::Running);
    let all = tasks.chain([Step::Start(100)]);
    all.filter(|_| settings.has_begun).collect()
}

pub(super) fn next(model: &Model) -> BoxedStrategy<Step> {
    let mut ways: Vec<(u32, BoxedStrategy<Step>)> = vec![
        (5, select(vec![1, 90, 400, 1_000, 2_000]).prop_map(Step::Pass).boxed()),
        (2, ask().boxed()),
        (2, anything(model).boxed()),
        (1, job(model).boxed()),
    ];
    let ends = prop_oneof![
        select(vec![JobStatus::Finished, JobStatus::Canceled, JobStatus::Failed, JobStatus::Suspended])
            .prop_map(Step::End),
        Just(Step::Failover),
    ];
    if model.requests > 7 || !model.is_running() {
        ways.push((1, ends.boxed()));
    }
    let open: Vec<_> = model.open.iter().copied().collect();
    if !open.is_empty() {
        let reply = prop_oneof![
            60 => Just(Reply::Done),
            6 => Just(Reply::Nothing),
            4 => Just(Reply::Failed),
            3 => Just(Reply::Io),
            1 => Just(Reply::Unknown),
        ];
        ways.push((14, (select(open), reply).prop_map(|(op, reply)| Step::Answer(op, reply)).boxed()));
    }
    if !model.answered.is_empty() {
        let again = (select(model.answered.clone()), select(vec![Reply::Done, Reply::Unknown]));
        ways.push((1, again.prop_map(|(op, reply)| Step::Answer(op, reply)).boxed()));
    }
    let awaited = model
        .pending
        .iter()
        .flat_map(|(&checkpoint, pending)| pending.missing().into_iter().map(move |task| (checkpoint, task)));
    let awaited: Vec<_> = awaited.collect();
    if !awaited.is_empty() {
        let tasks = model.tasks.clone();
        let acknowledge = (select(awaited), 0_u8..10).prop_map(move |((checkpoint, task), how)| {
            let is_at_end = tasks.get(&task).is_some_and(|state| *state >= Task::AtEnd);
            let part = match how {
                0 => Part::Union,
                1 => Part::AtEnd,
                _ if is_at_end => Part::AtEnd,
                _ => Part::Plain,
            };
            Step::Acknowledge { checkpoint, is_current: true, task, part }
        });
        ways.push((16, acknowledge.boxed()));
    }
    let uncommitted =
        model.uncommitted.iter().flat_map(|(&id, tasks)| tasks.iter().map(move |&task| (id, task)));
    let uncommitted: Vec<_> = uncommitted.collect();
    if !uncommitted.is_empty() {
        let commit = select(uncommitted);
        let commit =
            commit.prop_map(|(checkpoint, task)| Step::Commit { checkpoint, is_current: true, task });
        ways.push((4, commit.boxed()));
    }
    let in_state = |state: Task| -> Vec<TaskId> {
        model.tasks.iter().filter(|(_, task)| **task == state).map(|(task, _)| *task).collect()
    };
    let (deploying, closing) = (in_state(Task::Deploying), in_state(Task::Closing));
    if !deploying.is_empty() {
        ways.push((9, select(deploying).prop_map(Step::Running).boxed()));
    }
    if !closing.is_empty() {
        ways.push((6, select(closing).prop_map(Step::Finished).boxed()));
    }
    Union::new_weighted(ways).boxed()
}

fn ask() -> impl Strategy<Value = Step> {
    let format = select(vec![SavepointFormat::Canonical, SavepointFormat::Native]);
    let types = vec![CheckpointType::Configured, CheckpointType::Full, CheckpointType::Incremental];
    let snapshot = prop_oneof![
        6 => select(types).prop_map(|checkpoint_type| SnapshotRequest::Checkpoint { checkpoint_type }),
        6 => format.clone().prop_map(|format| SnapshotRequest::Savepoint { target: None, format }),
        1 => (format, any::<bool>())
            .prop_map(|(format, drain)| SnapshotRequest::Stop { target: None, format, drain }),
    ];
    snapshot.prop_map(Step::Ask)
}

/// What happens to the job.
fn job(model: &Model) -> impl Strategy<Value = Step> + use<> {
    let mut tasks = model.settings.graph.tasks();
    tasks.push(STRANGER);
    let sources = vec![VertexId::new(0), VertexId::new(7)];
    prop_oneof![
        5 => select(tasks.clone()).prop_map(Step::EndOfData),
        1 => select(tasks.clone()).prop_map(Step::Finished),
        1 => select(tasks).prop_map(Step::Running),
        1 => select(vec![0, 500]).prop_map(Step::Start),
        1 => Just(Step::Stop),
        3 => (select(sources), any::<bool>()).prop_map(|(source, has)| Step::Backlog(source, has)),
    ]
}

/// A message of any task about any checkpoint.
fn anything(model: &Model) -> impl Strategy<Value = Step> + use<> {
    let mut tasks = model.settings.graph.tasks();
    tasks.push(STRANGER);
    let checkpoint = model.next_id.saturating_sub(6)..model.next_id + 2;
    let is_current = prop_oneof![8 => Just(true), 1 => Just(false)];
    let reasons = vec![
        FailureReason::CheckpointDeclined,
        FailureReason::CheckpointAsyncException,
        FailureReason::CheckpointDeclinedTaskNotReady,
        FailureReason::CheckpointDeclinedOnCancellationBarrier,
        FailureReason::IoException,
        FailureReason::OutcomeUnknown,
    ];
    (checkpoint, is_current, select(tasks), 0_u8..8, select(reasons)).prop_map(
        |(checkpoint, is_current, task, what, reason)| match what {
            0 => Step::Decline { checkpoint, is_current, task, reason },
            1 => Step::Commit { checkpoint, is_current, task },
            2 => Step::Progress { checkpoint, is_current, task, progress: Progress::Aligning },
            3 => Step::Progress { checkpoint, is_current, task, progress: Progress::Capturing },
            4 | 5 => Step::Progress { checkpoint, is_current, task, progress: Progress::Writing },
            _ => Step::Acknowledge { checkpoint, is_current, task, part: Part::Plain },
        },
    )
}
