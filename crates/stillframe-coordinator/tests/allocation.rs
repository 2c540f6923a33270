//! What one acknowledgement costs in memory must not depend on how many tasks there are. A binary of its own: the counts are
//! those of the whole process.
//!
//! This sees whatever is copied or collected for each acknowledgement, and not what is merely looked at. That the time stays
//! flat as well is for `cargo xtask bench coordinator` to say.

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use std::alloc::System;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;
use stillframe_config::{CheckpointConfig, GraphDescription, RecoveryClaimMode};
use stillframe_coordinator::{
    Coordinator, Effect, Event, JobPlan, Recovery, SnapshotRequest, VertexPlan, plan_recovery,
};
use stillframe_model::{
    Attempt, CheckpointId, Crc32c, FileHandle, IncrementalHandle, IncrementalPart, JobId, KeyGroupRange,
    KeyedHandle, KeyedState, LocationReference, Name, Now, PartOrigin, RequestId, SnapshotMetrics,
    StateDirectory, StateFile, StateHandle, TaskId, TaskSnapshot, Timestamp, VertexId,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A job of so many tasks with two checkpoints in progress.
fn collecting(tasks: u32) -> Coordinator {
    let vertex = VertexPlan {
        name: Name::new("all").expect("a good name"),
        parallelism: tasks,
        max_parallelism: 32_768,
        inputs: vec![],
        has_coordinator: false,
    };
    let job = JobId::from_bytes([1; 16]);
    let plan = JobPlan { job, attempt: Attempt::new(0), vertices: vec![vertex], hooks: vec![] };
    let mut config = CheckpointConfig::default();
    config.set_max_concurrent_checkpoints(NonZeroU32::new(2).expect("two"));
    let effective = config.resolve(&GraphDescription::default()).expect("nothing unusual").effective;
    let fresh: Recovery =
        plan_recovery(vec![], BTreeSet::new(), CheckpointId::FIRST, RecoveryClaimMode::NoClaim);
    let mut coordinator = Coordinator::new(plan, &effective, fresh);
    for subtask in 0..tasks {
        let task = task(subtask);
        assert_eq!(coordinator.handle(Now::default(), Event::Running { task }), []);
    }
    for request in 0..2 {
        let (request, snapshot) = (RequestId::new(request), SnapshotRequest::CHECKPOINT);
        let effects = coordinator.handle(Now::default(), Event::Trigger { request, snapshot });
        let locate = effects.iter().find_map(|effect| match effect {
            Effect::Locate { op, .. } => Some(*op),
            _ => None,
        });
        let op = locate.expect("a place is asked for");
        let result = Ok(LocationReference::Default);
        assert_eq!(coordinator.handle(Now::default(), Event::Located { op, result }).len(), tasks as usize);
    }
    coordinator
}

const fn task(subtask: u32) -> TaskId {
    TaskId { vertex: VertexId::new(0), subtask }
}

fn acknowledgement(subtask: u32, snapshot: TaskSnapshot) -> Event {
    Event::Acknowledged {
        checkpoint: CheckpointId::new(2),
        attempt: Attempt::new(0),
        task: task(subtask),
        snapshot,
        metrics: SnapshotMetrics::default(),
    }
}

/// State in two files that others may refer to later.
fn incremental(subtask: u32) -> TaskSnapshot {
    let part = |name: &str| {
        let file = Name::new(format!("{name}-{subtask}")).expect("a good name");
        let file = StateFile { directory: StateDirectory::Shared, name: file };
        IncrementalPart {
            name: Name::new(name).expect("a good name"),
            handle: StateHandle::File(FileHandle { file, len: 10, crc: Crc32c(1) }),
            origin: PartOrigin::Written,
        }
    };
    let state = KeyedState::Incremental(IncrementalHandle { parts: vec![part("a"), part("b")] });
    let keyed = Some(KeyedHandle { range: KeyGroupRange { start: 0, end: 0 }, state });
    TaskSnapshot { keyed, ..TaskSnapshot::default() }
}

/// What all acknowledgements but the last cost together. The count is that of the whole process, and the harness may allocate
/// meanwhile: never less than nothing, so of several counts the least is that of the acknowledgements.
fn cost(tasks: u32, snapshot: fn(u32) -> TaskSnapshot) -> Stats {
    let counts = (0..3).map(|_| counted(tasks, snapshot));
    counts.min_by_key(|count| (count.allocations, count.bytes_allocated)).expect("three counts")
}

fn counted(tasks: u32, snapshot: fn(u32) -> TaskSnapshot) -> Stats {
    let mut coordinator = collecting(tasks);
    let events: Vec<_> = (1..tasks).map(|subtask| acknowledgement(subtask, snapshot(subtask))).collect();
    let now = Now { monotonic: Timestamp::from_origin(Duration::from_secs(1)), ..Now::default() };
    let region = Region::new(ALLOCATOR);
    for event in events {
        assert_eq!(coordinator.handle(now, event), []);
    }
    region.change()
}

/// One test, so that nobody else allocates meanwhile.
#[test]
fn an_acknowledgement_costs_the_same_among_many_tasks_as_among_few() {
    for tasks in [100, 10_000] {
        let plain = cost(tasks, |_| TaskSnapshot::default());
        assert_eq!((plain.allocations, plain.reallocations), (0, 0), "of {tasks} tasks");
    }
    let of_each = |tasks: u32| cost(tasks, incremental).bytes_allocated / tasks as usize;
    let (few, many) = (of_each(100), of_each(20_000));
    assert!(many <= few * 2, "{few} bytes for each of 100 tasks, and {many} for each of 20,000");
    assert!(many > 0, "files are written down");
}
