//! Any event in any state, nonsense too: the machine does not panic, is deterministic, and what it ignores changes nothing.

use super::*;
use alloc::sync::Arc;
use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;

/// Numbers that are likely to mean something, and the ends of what there is.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![12 => 0_u64..8, 1 => select(vec![u64::MAX - 1, u64::MAX, 1 << 32])]
}

fn moment() -> impl Strategy<Value = Duration> {
    prop_oneof![
        9 => (0_u64..30_000).prop_map(Duration::from_millis),
        1 => select(vec![Duration::ZERO, Duration::from_secs(u64::MAX), Duration::MAX]),
    ]
}

fn some_task() -> impl Strategy<Value = TaskId> {
    prop_oneof![
        12 => select(TASKS.to_vec()),
        1 => select(vec![task(0, 2), task(9, 0), task(u32::MAX, u32::MAX), task(1, u32::MAX)]),
    ]
}

fn checkpoint() -> impl Strategy<Value = CheckpointId> {
    number().prop_map(id)
}

fn attempt() -> impl Strategy<Value = Attempt> {
    prop_oneof![12 => Just(3), 1 => select(vec![0, 2, u32::MAX])].prop_map(Attempt::new)
}

fn directory() -> impl Strategy<Value = StateDirectory> + Clone {
    select(vec![
        StateDirectory::Exclusive,
        StateDirectory::Shared,
        StateDirectory::TaskOwned,
        StateDirectory::Foreign(Arc::from("theirs")),
    ])
}

fn handle() -> impl Strategy<Value = StateHandle> {
    let file = || {
        (directory(), select(vec!["a", "b"]))
            .prop_map(|(directory, name)| StateFile { directory, name: Name::new(name).unwrap() })
    };
    prop_oneof![
        Just(StateHandle::Inline(Bytes::from_static(b"x"))),
        (file(), number()).prop_map(|(file, len)| StateHandle::File(FileHandle {
            file,
            len,
            crc: Crc32c(1)
        })),
        (file(), number(), number()).prop_map(|(file, offset, len)| {
            StateHandle::Segment(SegmentHandle { file, offset, len, crc: Crc32c(1) })
        }),
    ]
}

fn snapshot() -> impl Strategy<Value = TaskSnapshot> {
    let part =
        (handle(), any::<bool>(), select(vec!["p", "q"])).prop_map(|(handle, is_placeholder, name)| {
            let origin = if is_placeholder { PartOrigin::Placeholder } else { PartOrigin::Written };
            IncrementalPart { name: Name::new(name).unwrap(), handle, origin }
        });
    let parts = proptest::collection::vec(part, 0..3);
    let all = [Redistribution::Split, Redistribution::Union, Redistribution::Broadcast];
    let operator = (handle(), select(all.to_vec()), any::<u32>());
    (parts, proptest::option::of(operator), any::<bool>()).prop_map(|(parts, operator, finished)| {
        let keyed = KeyedHandle {
            range: KeyGroupRange { start: 0, end: 127 },
            state: KeyedState::Incremental(IncrementalHandle { parts }),
        };
        let operator = operator.map(|(handle, redistribution, elements)| OperatorHandle {
            name: Name::new("o").unwrap(),
            redistribution,
            elements,
            handle,
        });
        let operator = operator.into_iter().collect();
        TaskSnapshot { keyed: Some(keyed), operator, finished, ..TaskSnapshot::default() }
    })
}

fn request() -> impl Strategy<Value = SnapshotRequest> {
    let (target, format) = (None, SavepointFormat::Native);
    let full = SnapshotRequest::Checkpoint { checkpoint_type: CheckpointType::Full };
    let stop = |drain| SnapshotRequest::Stop { target: None, format, drain };
    select(vec![
        SnapshotRequest::CHECKPOINT,
        full,
        SnapshotRequest::Savepoint { target, format },
        stop(true),
        stop(false),
    ])
}

/// How an operation went. What it gave is the same for all.
fn outcome() -> impl Strategy<Value = Result<(), Fault>> {
    let fault = |message: &str| message.to_string();
    prop_oneof![
        12 => Just(Ok(())),
        1 => Just(Err(Fault::Failed { message: fault("no") })),
        1 => Just(Err(Fault::Io { message: fault("disk full") })),
        1 => Just(Err(Fault::Unknown { message: fault("?") })),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let op = || prop_oneof![12 => 0_u64..24, 1 => Just(u64::MAX)].prop_map(OpId::new);
    let progress = prop_oneof![
        (any::<u32>(), any::<u32>()).prop_map(|(arrived, of)| TaskProgress::Aligning { arrived, of }),
        Just(TaskProgress::WaitingForBarrier),
        Just(TaskProgress::Capturing),
        (any::<u64>(), proptest::option::of(any::<u64>()))
            .prop_map(|(written, of)| TaskProgress::Writing { written, of }),
    ];
    let statuses = [JobStatus::Finished, JobStatus::Canceled, JobStatus::Failed, JobStatus::Suspended];
    prop_oneof![
        1 => moment().prop_map(|first_after| Event::StartPeriodic { first_after }),
        1 => Just(Event::StopPeriodic),
        1 => (number(), any::<bool>()).prop_map(|(source, is_processing)| Event::Backlog {
            source: VertexId::new(u32::try_from(source).unwrap_or(u32::MAX)),
            is_processing,
        }),
        8 => (Just(RequestId::new(0)), request())
            .prop_map(|(request, snapshot)| Event::Trigger { request, snapshot }),
        2 => some_task().prop_map(|task| Event::Running { task }),
        2 => some_task().prop_map(|task| Event::EndOfData { task }),
        1 => some_task().prop_map(|task| Event::Finished { task }),
        20 => (checkpoint(), attempt(), some_task(), snapshot()).prop_map(
            |(checkpoint, attempt, task, snapshot)| Event::Acknowledged {
                checkpoint,
                attempt,
                task,
                snapshot,
                metrics: SnapshotMetrics::default(),
            }
        ),
        2 => (checkpoint(), attempt(), some_task(), select(FailureReason::ALL.to_vec())).prop_map(
            |(checkpoint, attempt, task, reason)| Event::Declined { checkpoint, attempt, task, reason }
        ),
        3 => (checkpoint(), attempt(), some_task(), progress).prop_map(
            |(checkpoint, attempt, task, progress)| Event::Progressed { checkpoint, attempt, task, progress }
        ),
        3 => (checkpoint(), attempt(), some_task())
            .prop_map(|(checkpoint, attempt, task)| Event::Committed { checkpoint, attempt, task }),
        8 => (op(), outcome()).prop_map(|(op, result)| Event::Located {
            op,
            result: result.map(|()| LocationReference::Default),
        }),
        8 => (op(), outcome())
            .prop_map(|(op, result)| Event::Published { op, result: result.map(|()| Pointer::new("there")) }),
        4 => (op(), outcome())
            .prop_map(|(op, result)| Event::CoordinatorSnapshot { op, result: result.map(|()| Bytes::new()) }),
        4 => (op(), outcome())
            .prop_map(|(op, result)| Event::HookTriggered { op, result: result.map(|()| None) }),
        4 => op().prop_map(|op| Event::Discarded { op }),
        1 => (op(), outcome()).prop_map(|(op, result)| Event::Concluded { op, result }),
        16 => Just(Event::Tick),
        1 => prop_oneof![3 => Just(Event::Tick), 1 => select(statuses.to_vec()).prop_map(|status| Event::End { status }),
            1 => Just(Event::Failover)],
    ]
}

/// The answer that the effect asks for, if it does.
fn good_answer(effect: &Effect) -> Option<Event> {
    Some(match *effect {
        Effect::Locate { op, .. } => Event::Located { op, result: Ok(LocationReference::Default) },
        Effect::SnapshotCoordinator { op, .. } => Event::CoordinatorSnapshot { op, result: Ok(Bytes::new()) },
        Effect::TriggerHook { op, .. } => Event::HookTriggered { op, result: Ok(None) },
        Effect::Publish { op, .. } => Event::Published { op, result: Ok(Pointer::new("there")) },
        Effect::Discard { op, .. } | Effect::Remove { op, .. } => Event::Discarded { op },
        Effect::Conclude { op, .. } => Event::Concluded { op, result: Ok(()) },
        _ => return None,
    })
}

/// A coordinator that is asked about everything at every step.
struct Questioned {
    coordinator: Coordinator,
    asked: BTreeSet<u64>,
    resolved: Vec<u64>,
    open: Vec<Event>,
}

impl Questioned {
    fn handle(&mut self, now: Now, event: &Event) -> Vec<Effect> {
        let mut twin = self.coordinator.clone();
        let effects = self.coordinator.handle(now, event.clone());
        assert_eq!(twin.handle(now, event.clone()), effects, "the same events have the same effects");
        assert_eq!(twin, self.coordinator);
        for status in self.coordinator.status(Now::default()) {
            let _: String = status.to_string();
        }
        let _ = (
            self.coordinator.next_deadline(),
            self.coordinator.latest_completed(),
            self.coordinator.is_done(),
        );
        for effect in &effects {
            if let Effect::Resolve { request, .. } = effect {
                self.resolved.push(request.get());
            }
            self.open.extend(good_answer(effect));
        }
        effects
    }
}

fn question(
    config: &CheckpointConfig,
    with_coordinator: bool,
    recovery: Recovery,
    events: Vec<(Duration, Event)>,
) {
    let mut plan = plan();
    if with_coordinator {
        plan.vertices[0].has_coordinator = true;
        plan.hooks = vec![Name::new("hook").unwrap()];
    }
    let effective = config.resolve(&GraphDescription::default()).unwrap().effective;
    let coordinator = Coordinator::new(plan, &effective, recovery);
    let (asked, resolved, open) = (BTreeSet::new(), vec![], vec![]);
    let mut questioned = Questioned { coordinator, asked, resolved, open };
    let at = |time| Now { monotonic: Timestamp::from_origin(time), wall: UnixMillis(u64::MAX) };
    for task in TASKS {
        questioned.handle(at(Duration::ZERO), &Event::Running { task });
    }
    let mut last = Duration::ZERO;
    for (index, (time, mut event)) in (0..).zip(events) {
        if let Event::Trigger { request, .. } = &mut event {
            *request = RequestId::new(index);
            questioned.asked.insert(index);
        }
        // What the time alone leads to is out of the way, and then the event comes at the same moment.
        questioned.handle(at(time), &Event::Tick);
        // So a mere tick stands for the answer to what was asked last.
        if event == Event::Tick {
            event = questioned.open.pop().unwrap_or(event);
        }
        let before = questioned.coordinator.clone();
        let effects = questioned.handle(at(time), &event);
        if effects.iter().any(|effect| matches!(effect, Effect::Ignored(_))) {
            assert_eq!(effects.len(), 1, "{event:?} was ignored and had effects: {effects:?}");
            assert_eq!(before, questioned.coordinator, "{event:?} was ignored and changed something");
        }
        last = time;
    }
    questioned.handle(at(last), &Event::End { status: JobStatus::Canceled });
    while let Some(answer) = questioned.open.pop() {
        questioned.handle(at(last), &answer);
    }
    assert!(questioned.coordinator.is_done(), "everything was answered");
    questioned.resolved.sort_unstable();
    assert_eq!(questioned.resolved, questioned.asked.into_iter().collect::<Vec<_>>(), "everybody hears once");
}

fn recovery() -> impl Strategy<Value = Recovery> {
    let found = prop_oneof![
        3 => Just(vec![]),
        1 => Just(vec![RetainedState::owned(id(2), []), RetainedState::owned(id(1), [])]),
        1 => Just(vec![RetainedState::left(id(3), [])]),
        1 => Just(vec![RetainedState::left(id(3), []), RetainedState::owned(id(3), [])]),
        1 => Just(vec![RetainedState::owned(id(u64::MAX), [])]),
    ];
    let next = select(vec![0, 1, 1, 1, u64::MAX - 1, u64::MAX]);
    (found, next, select(RecoveryClaimMode::ALL.to_vec()))
        .prop_map(|(found, next, mode)| plan_recovery(found, BTreeSet::new(), id(next), mode))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_event_in_any_state_panics(
        concurrent in 1_u32..4,
        pause in 0_u64..3_000,
        tolerable in select(vec![0, 2, u32::MAX]),
        periodic in any::<bool>(),
        after_tasks_finish in any::<bool>(),
        with_coordinator in any::<bool>(),
        recovery in recovery(),
        events in proptest::collection::vec((moment(), event()), 0..60),
    ) {
        let mut config = config();
        config
            .set_max_concurrent_checkpoints(NonZeroU32::new(concurrent).unwrap())
            .set_min_pause_between_checkpoints(Duration::from_millis(pause))
            .set_tolerable_checkpoint_failure_number(tolerable)
            .set_checkpoints_after_tasks_finish(after_tasks_finish);
        if !periodic {
            config.disable_checkpointing();
        }
        question(&config, with_coordinator, recovery, events);
    }
}
