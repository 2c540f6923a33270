//! The coordinator that runs, told of steps as a driver would tell it, and its effects in the words of the model.

use super::job::{ATTEMPT, BACKLOG_INTERVAL, Backlog, Past, Settings, TIMEOUT, hook};
use super::words::{Op, Part, Progress, Reply, Step, Told, Visible, Waits};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;
use stillframe::config::{CheckpointConfig, GraphDescription, RecoveryClaimMode};
use stillframe::coordinator::{
    Coordinator, Effect, Event, Fault, Ignored, PendingStatus, Report, RetainedState, Stage, plan_recovery,
};
use stillframe::model::{
    Attempt, CheckpointId, CheckpointMetadata, LocationReference, Name, Now, OpId, OperatorHandle, Pointer,
    Redistribution, RequestId, SnapshotMetrics, StateHandle, TaskId, TaskProgress, TaskSnapshot, Timestamp,
    UnixMillis, VertexId,
};

#[derive(Debug)]
pub(super) struct Machine {
    settings: Settings,
    coordinator: Coordinator,
    operations: BTreeMap<Op, OpId>,
    requests: u64,
}

/// An operation that nobody was ever asked for.
const UNHEARD_OF: OpId = OpId::new(u64::MAX);

impl Machine {
    pub(super) fn new(settings: Settings) -> Self {
        let found = match settings.past {
            Past::None => vec![],
            Past::Own => [4, 5].map(|id| RetainedState::owned(CheckpointId::new(id), [])).to_vec(),
            Past::Theirs => vec![RetainedState::left(CheckpointId::new(70), [])],
        };
        let next = CheckpointId::new(if let Past::Own = settings.past { 7 } else { 1 });
        let recovery = plan_recovery(found, BTreeSet::new(), next, RecoveryClaimMode::NoClaim);
        let effective =
            config(&settings).resolve(&GraphDescription::default()).expect("nothing unusual").effective;
        let coordinator = Coordinator::new(settings.graph.plan(), &effective, recovery);
        Self { settings, coordinator, operations: BTreeMap::new(), requests: 0 }
    }

    /// Takes a step at a time in milliseconds, and says what came of it.
    pub(super) fn step(&mut self, now: u64, step: &Step) -> Vec<Told> {
        let event = self.event(step);
        let effects = self.coordinator.handle(at(now), event);
        effects.iter().filter_map(|effect| self.told(effect)).collect()
    }

    pub(super) fn visible(&self, now: u64) -> Visible {
        let pending = self.coordinator.status(at(now)).into_iter().map(waits);
        Visible {
            deadline: self.coordinator.next_deadline().map(|due| millis(due.since_origin())),
            latest: self.coordinator.latest_completed().map(CheckpointId::get),
            is_done: self.coordinator.is_done(),
            pending: pending.collect(),
        }
    }

    fn event(&mut self, step: &Step) -> Event {
        let attempt = |is_current| Attempt::new(if is_current { ATTEMPT } else { ATTEMPT - 1 });
        match *step {
            Step::Pass(_) => Event::Tick,
            Step::Start(after) => Event::StartPeriodic { first_after: Duration::from_millis(after) },
            Step::Stop => Event::StopPeriodic,
            Step::Backlog(source, is_processing) => Event::Backlog { source, is_processing },
            Step::Ask(ref snapshot) => {
                let request = RequestId::new(self.requests);
                self.requests += 1;
                Event::Trigger { request, snapshot: snapshot.clone() }
            }
            Step::Running(task) => Event::Running { task },
            Step::EndOfData(task) => Event::EndOfData { task },
            Step::Finished(task) => Event::Finished { task },
            Step::Acknowledge { checkpoint, is_current, task, part } => Event::Acknowledged {
                checkpoint: CheckpointId::new(checkpoint),
                attempt: attempt(is_current),
                task,
                snapshot: snapshot(part),
                metrics: SnapshotMetrics::default(),
            },
            Step::Decline { checkpoint, is_current, task, reason } => Event::Declined {
                checkpoint: CheckpointId::new(checkpoint),
                attempt: attempt(is_current),
                task,
                reason,
            },
            Step::Progress { checkpoint, is_current, task, progress } => Event::Progressed {
                checkpoint: CheckpointId::new(checkpoint),
                attempt: attempt(is_current),
                task,
                progress: match progress {
                    Progress::Aligning => TaskProgress::Aligning { arrived: 1, of: 2 },
                    Progress::Capturing => TaskProgress::Capturing,
                    Progress::Writing => TaskProgress::Writing { written: 5, of: None },
                },
            },
            Step::Commit { checkpoint, is_current, task } => Event::Committed {
                checkpoint: CheckpointId::new(checkpoint),
                attempt: attempt(is_current),
                task,
            },
            Step::Answer(op, reply) => self.answer(op, reply),
            Step::End(status) => Event::End { status },
            Step::Failover => Event::Failover,
        }
    }

    fn answer(&self, which: Op, reply: Reply) -> Event {
        fn result<T>(reply: Reply, value: T) -> Result<T, Fault> {
            match reply {
                Reply::Done | Reply::Nothing => Ok(value),
                Reply::Failed => Err(Fault::Failed { message: "refused".to_owned() }),
                Reply::Io => Err(Fault::Io { message: "disk full".to_owned() }),
                Reply::Unknown => Err(Fault::Unknown { message: "no answer".to_owned() }),
            }
        }
        let op = self.operations.get(&which).copied().unwrap_or(UNHEARD_OF);
        match which {
            Op::Locate(_) => Event::Located { op, result: result(reply, LocationReference::Default) },
            Op::Coordinator(..) => {
                Event::CoordinatorSnapshot { op, result: result(reply, Bytes::from_static(b"state")) }
            }
            Op::Hook(..) => {
                let state = (reply == Reply::Done).then(|| Bytes::from_static(b"hook"));
                Event::HookTriggered { op, result: result(reply, state) }
            }
            Op::Publish(_) => Event::Published { op, result: result(reply, Pointer::new("there")) },
            Op::Delete(_) => Event::Discarded { op },
            Op::Conclude => Event::Concluded { op, result: result(reply, ()) },
        }
    }

    fn hook(&self, name: &Name) -> usize {
        (0..self.settings.graph.hooks()).find(|index| hook(*index) == *name).expect("a hook of the job")
    }

    fn told(&mut self, effect: &Effect) -> Option<Told> {
        Some(match effect {
            Effect::SnapshotCoordinator { op, vertex, checkpoint } => {
                self.operations.insert(Op::Coordinator(checkpoint.get(), *vertex), *op);
                Told::AskCoordinator(*vertex, checkpoint.get())
            }
            Effect::TriggerHook { op, hook, checkpoint, .. } => {
                let hook = self.hook(hook);
                self.operations.insert(Op::Hook(checkpoint.get(), hook), *op);
                Told::AskHook(hook, checkpoint.get())
            }
            Effect::Trigger { task, barrier } => Told::Trigger(*task, barrier.checkpoint.get(), barrier.kind),
            Effect::NotifyComplete { task, checkpoint } => Told::NotifyComplete(*task, checkpoint.get()),
            Effect::NotifySubsumed { task, checkpoint } => Told::NotifySubsumed(*task, checkpoint.get()),
            Effect::NotifyCoordinatorComplete { vertex, checkpoint } => {
                Told::NotifyCoordinatorComplete(*vertex, checkpoint.get())
            }
            Effect::NotifyCoordinatorAborted { vertex, checkpoint } => {
                Told::NotifyCoordinatorAborted(*vertex, checkpoint.get())
            }
            Effect::NotifyAborted { task, checkpoint, latest_complete } => {
                Told::NotifyAborted(*task, checkpoint.get(), latest_complete.map(CheckpointId::get))
            }
            Effect::Close { task } => Told::Close(*task),
            Effect::Locate { op, checkpoint, snapshot } => {
                self.operations.insert(Op::Locate(checkpoint.get()), *op);
                Told::Locate(checkpoint.get(), snapshot.clone())
            }
            Effect::Publish { op, metadata, dropped, .. } => {
                self.operations.insert(Op::Publish(metadata.checkpoint.get()), *op);
                self.publish(metadata, dropped)
            }
            Effect::Discard { op, checkpoint, .. } => {
                self.operations.insert(Op::Delete(checkpoint.get()), *op);
                Told::Discard(checkpoint.get())
            }
            Effect::Remove { op, checkpoint, shared } => {
                assert_eq!(*shared, [], "nothing is shared");
                self.operations.insert(Op::Delete(checkpoint.get()), *op);
                Told::Remove(checkpoint.get())
            }
            Effect::Conclude { op, status, dropped } => {
                self.operations.insert(Op::Conclude, *op);
                Told::Conclude(*status, numbers(dropped))
            }
            Effect::FailJob { reason, task, .. } => Told::FailJob(*reason, *task),
            Effect::Resolve { request, outcome: Ok(outcome) } => {
                Told::Granted(request.get(), outcome.checkpoint.get())
            }
            Effect::Resolve { request, outcome: Err(refused) } => {
                Told::Refused(request.get(), refused.reason)
            }
            Effect::Report(report) => reported(report),
            Effect::Ignored(Ignored::UnknownOperation(_)) => Told::IgnoredAnswer,
            Effect::Ignored(why) => Told::Ignored(*why),
        })
    }

    fn publish(&self, metadata: &CheckpointMetadata, dropped: &[CheckpointId]) -> Told {
        let plan = self.settings.graph.plan();
        let (mut coordinators, mut finished) = (vec![], vec![]);
        for (vertex, of) in (0..).map(VertexId::new).zip(plan.vertices) {
            let operator = &metadata.operators[&of.name];
            assert_eq!(operator.subtasks.len(), of.parallelism as usize, "there is a part of every task");
            coordinators.extend(operator.coordinator.iter().map(|_| vertex));
            let parts = (0..).zip(&operator.subtasks).filter(|(_, part)| part.finished);
            finished.extend(parts.map(|(subtask, _)| TaskId { vertex, subtask }));
        }
        let checkpoint = metadata.checkpoint.get();
        let mut hooks: Vec<_> = metadata.hooks.keys().map(|name| self.hook(name)).collect();
        hooks.sort_unstable();
        Told::Publish { checkpoint, dropped: numbers(dropped), coordinators, hooks, finished }
    }
}

fn reported(report: &Report) -> Told {
    match report {
        Report::Triggered { checkpoint, kind, request, finished } => Told::Triggered {
            checkpoint: checkpoint.get(),
            kind: *kind,
            request: request.map(RequestId::get),
            finished: finished.clone(),
        },
        Report::Captured { checkpoint } => Told::Captured(checkpoint.get()),
        Report::Durable { checkpoint } => Told::Durable(checkpoint.get()),
        Report::Completed(completed) => Told::Completed(completed.checkpoint.get()),
        Report::Committed { checkpoint } => Told::Committed(checkpoint.get()),
        Report::Aborted(aborted) => Told::Aborted(aborted.checkpoint.get(), aborted.reason, aborted.by),
        Report::Subsumed { checkpoint } => Told::Subsumed(checkpoint.get()),
        Report::Skipped { reason } => Told::Skipped(*reason),
        Report::Refused { reason, .. } => Told::NotBegun(*reason),
    }
}

fn waits(status: PendingStatus) -> (u64, stillframe::model::CheckpointKind, Option<u64>, Waits) {
    let waits = match status.stage {
        Stage::Location => Waits::Place,
        Stage::Coordinators(of) => Waits::Coordinators(of.len()),
        Stage::Hooks(hooks) => Waits::Hooks(hooks.len()),
        Stage::Tasks { missing, .. } => {
            let mut missing: Vec<_> = missing.into_iter().map(|straggler| straggler.task).collect();
            missing.sort_unstable();
            Waits::Tasks(missing)
        }
        Stage::EarlierPublication => Waits::Turn,
        Stage::Publication => Waits::Publication,
    };
    (status.checkpoint.get(), status.kind, status.expires_in.map(millis), waits)
}

fn snapshot(part: Part) -> TaskSnapshot {
    let union = OperatorHandle {
        name: Name::new("offsets").expect("a good name"),
        redistribution: Redistribution::Union,
        elements: 1,
        handle: StateHandle::Inline(Bytes::from_static(b"7")),
    };
    TaskSnapshot {
        operator: if part == Part::Union { vec![union] } else { vec![] },
        finished: part == Part::AtEnd,
        ..TaskSnapshot::default()
    }
}

fn config(settings: &Settings) -> CheckpointConfig {
    let number = |number: u32| NonZeroU32::new(number).expect("at least one");
    let mut config = CheckpointConfig::default();
    config
        .set_min_pause_between_checkpoints(Duration::from_millis(settings.min_pause))
        .set_max_concurrent_checkpoints(number(settings.max_concurrent))
        .set_num_retained_checkpoints(number(settings.retained))
        .set_tolerable_checkpoint_failure_number(settings.tolerable.unwrap_or(u32::MAX))
        .set_checkpoints_after_tasks_finish(settings.after_tasks_finish)
        .set_externalized_checkpoint_retention(settings.on_end)
        .set_checkpoint_timeout(Duration::from_millis(TIMEOUT))
        .expect("long enough");
    if settings.is_unaligned {
        config.enable_unaligned_checkpoints();
    }
    if let Some(interval) = settings.interval {
        config.set_checkpoint_interval(Duration::from_millis(interval)).expect("long enough");
        let backlog = match settings.backlog {
            Backlog::Same => None,
            Backlog::Longer => Some(BACKLOG_INTERVAL),
            Backlog::Never => Some(0),
        };
        if let Some(backlog) = backlog {
            config
                .set_checkpoint_interval_during_backlog(Duration::from_millis(backlog))
                .expect("none, or a longer one");
        }
    }
    config
}

fn at(millis: u64) -> Now {
    Now { monotonic: Timestamp::from_origin(Duration::from_millis(millis)), wall: UnixMillis(0) }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("no test lasts that long")
}

fn numbers(checkpoints: &[CheckpointId]) -> Vec<u64> {
    checkpoints.iter().map(|checkpoint| checkpoint.get()).collect()
}
