//! The language of events. Whoever changes the coordinator's interface finds all that the transcripts know of it here.

use super::super::*;
use super::words::lines;
use alloc::collections::BTreeMap;
use alloc::format;
use bytes::Bytes;

/// A coordinator that is told what is written.
pub(super) struct Script {
    coordinator: Coordinator,
    plan: JobPlan,
    now: Duration,
    requests: u64,
    /// What it waits for, by what it said: `locate 1`.
    operations: BTreeMap<String, OpId>,
}

const ATTEMPT: u32 = 3;

impl Script {
    /// `small` are two sources and a sum behind both; `large` are two sources with a coordinator, two maps each behind one
    /// of them, a sink with a coordinator behind both, and a hook. `from=4,5` are checkpoints of its own, `their=7` is a
    /// snapshot of another job in the files `theirs/a` and `theirs/b`.
    pub(super) fn new(job: &str) -> Self {
        let mut words = job.split_whitespace();
        let plan = plan(words.next().expect("small or large"));
        let mut config = CheckpointConfig::default();
        let mut found: Vec<RetainedState> = vec![];
        let (mut theirs, mut mode) = (None, RecoveryClaimMode::NoClaim);
        let (mut runs, mut keeps_savepoints) = (true, true);
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || NonZeroU32::new(value.parse().unwrap()).unwrap();
            match key {
                "interval" => config.set_checkpoint_interval(duration(value)).unwrap(),
                "backlog" => config.set_checkpoint_interval_during_backlog(duration(value)).unwrap(),
                "timeout" => config.set_checkpoint_timeout(duration(value)).unwrap(),
                "pause" => config.set_min_pause_between_checkpoints(duration(value)),
                "concurrent" => config.set_max_concurrent_checkpoints(number()),
                "retained" => config.set_num_retained_checkpoints(number()),
                "tolerable" => config.set_tolerable_checkpoint_failure_number(value.parse().unwrap()),
                "unaligned" => config.enable_unaligned_checkpoints(),
                "no-checkpoints-after-tasks-finish" => config.set_checkpoints_after_tasks_finish(false),
                "keep" => config.set_externalized_checkpoint_retention(match value {
                    "never" => ExternalizedCheckpointRetention::NoExternalizedCheckpoints,
                    "on-failure" => ExternalizedCheckpointRetention::DeleteOnCancellation,
                    "on-cancellation" => ExternalizedCheckpointRetention::RetainOnCancellation,
                    other => panic!("keep={other}"),
                }),
                "from" => {
                    let ids = value.split(',').map(number_of);
                    found.extend(ids.map(|id| RetainedState::owned(id, [])));
                    &mut config
                }
                "their" => {
                    theirs = Some(number_of(value));
                    &mut config
                }
                "mode" => {
                    mode = claim_mode(value);
                    &mut config
                }
                "no-savepoint-directory" => {
                    keeps_savepoints = false;
                    &mut config
                }
                "deploying" => {
                    runs = false;
                    &mut config
                }
                other => panic!("`{other}` is no setting"),
            };
        }
        let their_files = ["theirs/a", "theirs/b"].map(file);
        found.extend(theirs.map(|id| match mode {
            RecoveryClaimMode::Claim => RetainedState::owned(id, their_files),
            RecoveryClaimMode::NoClaim | RecoveryClaimMode::Legacy => RetainedState::left(id, their_files),
        }));
        let recovery = plan_recovery(found, BTreeSet::new(), CheckpointId::FIRST, mode);
        let effective = config.resolve(&GraphDescription::default()).unwrap().effective;
        let coordinator = Coordinator::new(plan.clone(), &effective, recovery)
            .with_default_savepoint_location(keeps_savepoints);
        let (now, operations) = (Duration::ZERO, BTreeMap::new());
        let mut script = Self { coordinator, plan, now, requests: 0, operations };
        if runs {
            script.play("running all");
        }
        script
    }

    /// Lets one event happen, to each of the tasks that it names. Gives back what came of it.
    pub(super) fn play(&mut self, event: &str) -> String {
        let words: Vec<_> = event.split_whitespace().collect();
        match words[..] {
            ["status"] => {
                let status = self.coordinator.status(self.time());
                let all: Vec<_> = status.iter().map(|status| format!("{status}\n")).collect();
                return if all.is_empty() { "nothing is in progress\n".to_string() } else { all.concat() };
            }
            ["deadline"] => {
                return self.coordinator.next_deadline().map_or("no deadline\n".to_string(), |due| {
                    format!("next deadline at {:?}\n", due.since_origin())
                });
            }
            ["newest"] => {
                return match self.coordinator.latest_completed() {
                    Some(newest) => format!("the newest is {newest}\n"),
                    None => "there is none\n".to_string(),
                };
            }
            ["done"] => return format!("{}\n", if self.coordinator.is_done() { "done" } else { "not done" }),
            _ => {}
        }
        let mut all = String::new();
        for event in self.events(&words) {
            let effects = self.coordinator.handle(self.time(), event);
            all.push_str(&lines(&self.plan, &effects, &mut self.operations));
        }
        all
    }

    fn time(&self) -> Now {
        Now { monotonic: Timestamp::from_origin(self.now), wall: UnixMillis(0) }
    }

    fn events(&mut self, words: &[&str]) -> Vec<Event> {
        let ask = |snapshot| vec![Event::Trigger { request: RequestId::new(self.requests + 1), snapshot }];
        let (target, format) = (None, SavepointFormat::Canonical);
        if let [how_many, "checkpoints"] = *words {
            let requests = self.requests + 1..=self.requests + how_many.parse::<u64>().unwrap();
            self.requests = *requests.end();
            let ask = |request| Event::Trigger {
                request: RequestId::new(request),
                snapshot: SnapshotRequest::CHECKPOINT,
            };
            return requests.map(ask).collect();
        }
        let events = match *words {
            ["at", time] => {
                self.now = duration(time);
                vec![Event::Tick]
            }
            ["start", after] => vec![Event::StartPeriodic { first_after: duration(after) }],
            ["suspend"] => vec![Event::StopPeriodic],
            ["backlog", source, state] => {
                vec![Event::Backlog { source: self.vertex(source), is_processing: state == "begins" }]
            }
            ["checkpoint"] => ask(SnapshotRequest::CHECKPOINT),
            ["checkpoint", "full"] => {
                ask(SnapshotRequest::Checkpoint { checkpoint_type: CheckpointType::Full })
            }
            ["savepoint"] => ask(SnapshotRequest::Savepoint { target, format }),
            ["savepoint", "in", there] => {
                ask(SnapshotRequest::Savepoint { target: Some(there.to_string()), format })
            }
            ["savepoint", "native"] => {
                ask(SnapshotRequest::Savepoint { target, format: SavepointFormat::Native })
            }
            ["stop"] => ask(SnapshotRequest::Stop { target, format, drain: false }),
            ["stop", "drain"] => ask(SnapshotRequest::Stop { target, format, drain: true }),
            ["running", tasks] => self.each(tasks, |task| Event::Running { task }),
            ["end-of-data", tasks] => self.each(tasks, |task| Event::EndOfData { task }),
            ["finished", tasks] => self.each(tasks, |task| Event::Finished { task }),
            ["end", status] => vec![Event::End { status: job_status(status) }],
            ["failover"] => vec![Event::Failover],
            ["ack", id, tasks, ref how @ ..] => {
                let attempt =
                    Attempt::new(if how.contains(&"before-the-restart") { ATTEMPT - 1 } else { ATTEMPT });
                let (checkpoint, snapshot) = (number_of(id), snapshot(how));
                let metrics = SnapshotMetrics::default();
                self.each(tasks, |task| Event::Acknowledged {
                    checkpoint,
                    attempt,
                    task,
                    snapshot: snapshot.clone(),
                    metrics,
                })
            }
            ["decline", id, tasks, reason, ref how @ ..] => {
                let attempt =
                    Attempt::new(if how.contains(&"before-the-restart") { ATTEMPT - 1 } else { ATTEMPT });
                let (checkpoint, reason) = (number_of(id), self::reason(reason));
                self.each(tasks, |task| Event::Declined { checkpoint, attempt, task, reason })
            }
            ["progress", id, tasks, ref how @ ..] => {
                let (checkpoint, attempt, progress) = (number_of(id), Attempt::new(ATTEMPT), progress(how));
                self.each(tasks, |task| Event::Progressed { checkpoint, attempt, task, progress })
            }
            ["commit", id, tasks] => {
                let (checkpoint, attempt) = (number_of(id), Attempt::new(ATTEMPT));
                self.each(tasks, |task| Event::Committed { checkpoint, attempt, task })
            }
            [how @ ("done" | "failed" | "broken" | "unknown"), ref what @ ..] => vec![self.answer(how, what)],
            _ => panic!("`{}` is no event", words.join(" ")),
        };
        self.requests += u64::from(matches!(events[..], [Event::Trigger { .. }]));
        events
    }

    fn answer(&self, how: &str, what: &[&str]) -> Event {
        let key = what.join(" ");
        let op = *self.operations.get(&key).unwrap_or_else(|| panic!("nobody asked for `{key}`"));
        let message = "disk full".to_string();
        let fault = match how {
            "failed" => Some(Fault::Failed { message }),
            "broken" => Some(Fault::Io { message }),
            "unknown" => Some(Fault::Unknown { message: "no answer".to_string() }),
            _ => None,
        };
        let ok = fault.map_or(Ok(()), Err);
        match what[0] {
            "locate" => Event::Located { op, result: ok.map(|()| LocationReference::Default) },
            "publish" => {
                Event::Published { op, result: ok.map(|()| Pointer::new(format!("chk-{}", what[1]))) }
            }
            "conclude" => Event::Concluded { op, result: ok },
            "discard" | "remove" => Event::Discarded { op },
            "ask" if self.plan.hooks.iter().any(|hook| hook.as_str() == what[1]) => {
                Event::HookTriggered { op, result: ok.map(|()| Some(Bytes::from_static(b"h"))) }
            }
            "ask" => Event::CoordinatorSnapshot { op, result: ok.map(|()| Bytes::from_static(b"c")) },
            other => panic!("`{other}` asks for no answer"),
        }
    }

    fn vertex(&self, name: &str) -> VertexId {
        let place = self.plan.vertices.iter().position(|vertex| vertex.name.as_str() == name);
        VertexId::new(u32::try_from(place.unwrap_or(9)).unwrap())
    }

    /// `all`, or `source.0,sum.0`.
    fn each(&self, tasks: &str, event: impl Fn(TaskId) -> Event) -> Vec<Event> {
        if tasks == "all" {
            return self.plan.tasks().map(event).collect();
        }
        let task = |name: &str| {
            let (vertex, subtask) = name.split_once('.').expect("vertex.subtask");
            TaskId { vertex: self.vertex(vertex), subtask: subtask.parse().unwrap() }
        };
        tasks.split(',').map(task).map(event).collect()
    }
}

fn plan(name: &str) -> JobPlan {
    let vertex = |name: &str, parallelism, inputs, has_coordinator| VertexPlan {
        name: Name::new(name).unwrap(),
        parallelism,
        max_parallelism: 128,
        inputs,
        has_coordinator,
    };
    let input = |from, pattern| vec![Input { from: VertexId::new(from), pattern }];
    let (all, opposite) = (DistributionPattern::AllToAll, DistributionPattern::Pointwise);
    let (vertices, hooks) = match name {
        "small" => {
            let sources = vertex("source", 2, vec![], false);
            (vec![sources, vertex("sum", 1, input(0, all), false)], vec![])
        }
        "large" => {
            let sources = vertex("source", 2, vec![], true);
            let maps = vertex("map", 2, input(0, opposite), false);
            (vec![sources, maps, vertex("sink", 1, input(1, all), true)], vec![Name::new("audit").unwrap()])
        }
        other => panic!("`{other}` is no job"),
    };
    JobPlan { job: JobId::from_bytes([7; 16]), attempt: Attempt::new(ATTEMPT), vertices, hooks }
}

fn number_of(text: &str) -> CheckpointId {
    id(text.parse().unwrap())
}

/// `500ms` or `10s`.
fn duration(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(millis) => Duration::from_millis(millis.parse().unwrap()),
        None => Duration::from_secs(text.strip_suffix('s').expect("ms or s").parse().unwrap()),
    }
}

fn reason(name: &str) -> FailureReason {
    let all = FailureReason::ALL.into_iter();
    all.into_iter()
        .find(|reason| format!("{reason:?}") == name)
        .unwrap_or_else(|| panic!("no reason `{name}`"))
}

fn job_status(name: &str) -> JobStatus {
    let all = [JobStatus::Finished, JobStatus::Canceled, JobStatus::Failed, JobStatus::Suspended];
    all.into_iter().find(|status| status.to_string().eq_ignore_ascii_case(name)).expect("a status")
}

fn claim_mode(name: &str) -> RecoveryClaimMode {
    match name {
        "claim" => RecoveryClaimMode::Claim,
        "no-claim" => RecoveryClaimMode::NoClaim,
        "legacy" => RecoveryClaimMode::Legacy,
        other => panic!("mode={other}"),
    }
}

/// `a` is in the job's own directory of shared files, `theirs/a` in another job's.
fn file(name: &str) -> StateFile {
    match name.split_once('/') {
        Some((_, name)) => sharing::foreign(name),
        None => sharing::shared(name),
    }
}

/// `writes=a,b` are files that the task wrote, `keeps=c` one that an earlier checkpoint has.
fn files(how: &[&str]) -> Vec<(StateFile, PartOrigin)> {
    let named = |what: &str, origin| {
        let names = how.iter().filter_map(|word| word.strip_prefix(what)).flat_map(|names| names.split(','));
        names.map(|name| (file(name), origin)).collect::<Vec<_>>()
    };
    [named("writes=", PartOrigin::Written), named("keeps=", PartOrigin::Placeholder)].concat()
}

fn snapshot(how: &[&str]) -> TaskSnapshot {
    let incremental = sharing::incremental(files(how));
    let union = OperatorHandle {
        name: Name::new("offsets").unwrap(),
        redistribution: Redistribution::Union,
        elements: 1,
        handle: StateHandle::Inline(Bytes::from_static(b"7")),
    };
    TaskSnapshot {
        operator: if how.contains(&"union") { vec![union] } else { vec![] },
        finished: how.contains(&"at-end"),
        keyed: incremental.keyed.filter(|_| !files(how).is_empty()),
        ..TaskSnapshot::default()
    }
}

fn progress(how: &[&str]) -> TaskProgress {
    match *how {
        ["aligning", arrived, "of", of] => {
            TaskProgress::Aligning { arrived: arrived.parse().unwrap(), of: of.parse().unwrap() }
        }
        ["capturing"] => TaskProgress::Capturing,
        ["writing", written, "of", of] => {
            TaskProgress::Writing { written: written.parse().unwrap(), of: Some(of.parse().unwrap()) }
        }
        _ => panic!("`{}` is no progress", how.join(" ")),
    }
}
