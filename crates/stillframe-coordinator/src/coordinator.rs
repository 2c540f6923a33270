use crate::confirmations::Confirmations;
use crate::effect::{Effect, Ignored, Refused, Report};
use crate::ending::Ending;
use crate::failure::Tolerance;
use crate::pending::Pending;
use crate::recovery::Recovery;
use crate::requests::{Decision, Facts, MAX_QUEUED_REQUESTS, Requests};
use crate::retention::Retained;
use crate::schedule::Schedule;
use crate::shared::Shared;
use crate::stopping::Stopping;
use crate::tasks::{TaskState, Tasks};
use crate::waiting::{Origin, Waiting};
use crate::{Event, JobPlan, SnapshotRequest, invariants};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use stillframe_config::EffectiveConfig;
use stillframe_model::{CheckpointId, FailureReason, Now, OpId, TaskId, Timestamp};

/// The coordinator of one execution attempt of a job.
///
/// Feed every event to [`handle`](Self::handle), perform the effects that it returns, and come back with
/// [`Event::Tick`] no later than [`next_deadline`](Self::next_deadline). The same events at the same times give the same
/// effects. No event in any state panics, unless the coordinator itself is broken; then it says which invariant.
///
/// ```
/// use core::time::Duration;
/// use std::collections::BTreeSet;
/// use stillframe_config::{CheckpointConfig, GraphDescription, RecoveryClaimMode};
/// use stillframe_coordinator::{Coordinator, Effect, Event, JobPlan, Recovery, VertexPlan, plan_recovery};
/// use stillframe_model::{Attempt, CheckpointId, JobId, Name, Now, TaskId, Timestamp, VertexId};
///
/// let source = VertexPlan {
///     name: Name::new("numbers")?,
///     parallelism: 1,
///     max_parallelism: 128,
///     inputs: vec![],
///     has_coordinator: false,
/// };
/// let task = TaskId { vertex: VertexId::new(0), subtask: 0 };
/// let job = JobId::from_bytes([1; 16]);
/// let plan = JobPlan { job, attempt: Attempt::new(0), vertices: vec![source], hooks: vec![] };
/// let mut config = CheckpointConfig::default();
/// config.set_checkpoint_interval(Duration::from_secs(1))?;
/// let effective = config.resolve(&GraphDescription::default())?.effective;
/// let fresh = plan_recovery(vec![], BTreeSet::new(), CheckpointId::FIRST, RecoveryClaimMode::NoClaim);
/// let mut coordinator = Coordinator::new(plan, &effective, fresh);
///
/// assert_eq!(coordinator.handle(Now::default(), Event::Running { task }), []);
/// let effects = coordinator.handle(Now::default(), Event::StartPeriodic { first_after: Duration::from_millis(300) });
/// assert_eq!(effects, []);
/// let due = coordinator.next_deadline().expect("a checkpoint is planned");
/// assert_eq!(due, Timestamp::from_origin(Duration::from_millis(300)));
///
/// let effects = coordinator.handle(Now { monotonic: due, ..Now::default() }, Event::Tick);
/// assert!(matches!(effects[..], [Effect::Report(_), Effect::Locate { .. }]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinator {
    pub(crate) plan: JobPlan,
    pub(crate) tasks: Tasks,
    pub(crate) max_concurrent: usize,
    pub(crate) min_pause: Duration,
    pub(crate) timeout: Duration,
    /// Whether barriers may overtake records, so that a savepoint, whose barriers may not, is no light thing to add.
    pub(crate) is_unaligned: bool,
    /// Whether there is a place for a savepoint whose target nobody names.
    pub(crate) has_default_savepoint_location: bool,
    pub(crate) schedule: Schedule,
    pub(crate) requests: Requests<Waiting>,
    pub(crate) pending: BTreeMap<CheckpointId, Pending>,
    pub(crate) retained: Retained,
    pub(crate) shared: Shared,
    /// Whether checkpoints must refer to no earlier state, because the job does not own the snapshot that it began with.
    pub(crate) full_first: bool,
    pub(crate) tolerance: Tolerance,
    pub(crate) next_checkpoint: CheckpointId,
    next_op: OpId,
    pub(crate) last_completion: Option<Timestamp>,
    /// Removals on their way, of checkpoints that never completed and of those that did.
    pub(crate) discarding: BTreeMap<OpId, CheckpointId>,
    /// Places that are being made for checkpoints that were given up meanwhile.
    pub(crate) abandoned: BTreeMap<OpId, CheckpointId>,
    /// The last that took too long, oldest first.
    pub(crate) expired: VecDeque<CheckpointId>,
    pub(crate) confirmations: Confirmations,
    pub(crate) stopping: Stopping,
    pub(crate) ending: Ending,
}

/// How long to wait before the checkpoint at the end of all input is tried again, when no other one will come.
const END_OF_DATA_RETRY: Duration = Duration::from_secs(1);

impl Coordinator {
    /// A coordinator for a job that goes on from `recovery`. None of its tasks runs yet.
    #[must_use]
    pub fn new(plan: JobPlan, config: &EffectiveConfig, recovery: Recovery) -> Self {
        Self {
            tasks: Tasks::new(&plan, config.schedule.after_tasks_finish),
            plan,
            max_concurrent: usize::try_from(config.schedule.max_concurrent.get()).unwrap_or(usize::MAX),
            min_pause: config.schedule.min_pause,
            timeout: config.schedule.timeout,
            is_unaligned: config.barriers.unaligned.is_some(),
            has_default_savepoint_location: true,
            schedule: Schedule::new(&config.schedule),
            requests: Requests::new(MAX_QUEUED_REQUESTS),
            pending: BTreeMap::new(),
            retained: Retained::new(config.retention, &recovery.retained),
            shared: Shared::new(&recovery.retained, recovery.left),
            full_first: recovery.full_first,
            tolerance: Tolerance::new(config.tolerance),
            next_checkpoint: recovery.next,
            next_op: OpId::new(0),
            last_completion: None,
            discarding: BTreeMap::new(),
            abandoned: BTreeMap::new(),
            expired: VecDeque::new(),
            confirmations: Confirmations::default(),
            stopping: Stopping::No,
            ending: Ending::Running,
        }
    }

    /// Whether the storage has a place for savepoints whose target nobody names; it has one unless this says otherwise.
    /// Without one, such a savepoint is refused before anything is given up for it.
    #[must_use]
    pub fn with_default_savepoint_location(self, has_default_savepoint_location: bool) -> Self {
        Self { has_default_savepoint_location, ..self }
    }

    /// Takes in what happened and says what to do about it, in order.
    ///
    /// # Panics
    /// If an invariant of the coordinator itself is broken; the message names it. Wrong is worse than down.
    #[must_use = "effects that are not performed are lost"]
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.ending == Ending::Fenced {
            if let Event::Trigger { request, .. } = event {
                self.refuse(Origin::Person(request), FailureReason::OutcomeUnknown, None, &mut effects);
            } else {
                effects.push(Effect::Ignored(Ignored::Stopped));
            }
            return effects;
        }
        match event {
            Event::StartPeriodic { .. }
            | Event::StopPeriodic
            | Event::Backlog { .. }
            | Event::Running { .. }
            | Event::EndOfData { .. }
            | Event::Finished { .. }
                if !self.is_running() =>
            {
                effects.push(Effect::Ignored(Ignored::Stopped));
            }
            Event::StartPeriodic { first_after } => self.start_periodic(now, first_after),
            Event::StopPeriodic => self.suspend(now, &mut effects),
            Event::Backlog { source, is_processing } => {
                self.schedule.backlog(now.monotonic, source, is_processing);
            }
            Event::Trigger { request, snapshot } => self.asked(now, request, snapshot, &mut effects),
            Event::Running { task } => self.reached(now, task, TaskState::Running, &mut effects),
            Event::EndOfData { task } => self.reached(now, task, TaskState::AtEndOfData, &mut effects),
            Event::Finished { task } => self.reached(now, task, TaskState::Finished, &mut effects),
            Event::End { status } => self.begin_ending(now, Some(status), &mut effects),
            Event::Failover => self.begin_ending(now, None, &mut effects),
            Event::Acknowledged { checkpoint, attempt, task, snapshot, metrics: _ } => {
                self.acknowledged(now, checkpoint, attempt, task, snapshot, &mut effects);
            }
            Event::Declined { checkpoint, attempt, task, reason } => {
                self.declined(now, checkpoint, attempt, task, reason, &mut effects);
            }
            Event::Progressed { checkpoint, attempt, task, progress } => {
                self.progressed(now, checkpoint, attempt, task, progress, &mut effects);
            }
            Event::Committed { checkpoint, attempt, task } => {
                self.committed(checkpoint, attempt, task, &mut effects);
            }
            Event::CoordinatorSnapshot { op, result } => {
                self.coordinator_answered(now, op, result, &mut effects);
            }
            Event::HookTriggered { op, result } => self.hook_answered(now, op, result, &mut effects),
            Event::Located { op, result } => self.located(now, op, result, &mut effects),
            Event::Published { op, result } => self.published(now, op, result, &mut effects),
            Event::Discarded { op } => {
                if self.discarding.remove(&op).is_none() {
                    effects.push(Effect::Ignored(Ignored::UnknownOperation(op)));
                }
            }
            Event::Concluded { op, result } => self.concluded(op, &result, &mut effects),
            Event::Tick => self.expire(now, &mut effects),
        }
        self.advance(now, &mut effects);
        invariants::check(self);
        effects
    }

    /// When the next [`Event::Tick`] is due; `None` if only other events can change anything.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let expiries =
            self.pending.values().filter(|pending| pending.can_be_aborted()).map(|pending| pending.expires);
        // Until somebody asks for a checkpoint, nobody is held up by tasks that do not end.
        let is_held_up = self.requests.waiting().next().is_some();
        let closing = self.closing_until().filter(|_| is_held_up);
        expiries.chain(self.schedule.next()).chain(closing).min().filter(|_| self.ending != Ending::Fenced)
    }

    /// Whether it has ended and no answer is outstanding.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match self.ending {
            Ending::Fenced => true,
            Ending::Settled => {
                self.pending.is_empty() && self.discarding.is_empty() && self.abandoned.is_empty()
            }
            Ending::Running | Ending::Aborting(_) | Ending::Concluding(..) => false,
        }
    }

    /// The newest completed checkpoint on which the job may rely: its own, or one that it goes on sharing with its owner.
    #[must_use]
    pub fn latest_completed(&self) -> Option<CheckpointId> {
        self.retained.latest()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.ending == Ending::Running
    }

    pub(crate) fn operation(&mut self) -> OpId {
        let op = self.next_op;
        self.next_op = op.next();
        op
    }

    /// How long tasks that were told to end are waited for.
    fn closing_until(&self) -> Option<Timestamp> {
        self.tasks.changing_since().map(|since| since.after(self.timeout))
    }

    /// Begins whatever may begin now.
    fn advance(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.publish_next(now, effects);
        self.advance_ending(effects);
        self.remove_unneeded(effects);
        // One that never ends must not end all checkpoints with it. What begins now expires, and names it.
        if self.closing_until().is_some_and(|until| until <= now.monotonic) {
            self.tasks.wait_no_longer();
        }
        while self.is_running() {
            if self.schedule.take_due(now.monotonic) {
                self.due(effects);
            }
            if self.is_held_back() {
                break;
            }
            let facts = Facts {
                now: now.monotonic,
                pending: self.pending.len(),
                is_triggering: self.pending.values().any(Pending::is_triggering)
                    || self.tasks.changing_since().is_some(),
                cleaning: self.discarding.len(),
                last_completion: self.last_completion,
                max_concurrent: self.max_concurrent,
                min_pause: self.min_pause,
            };
            match self.requests.next(facts) {
                Decision::Wait => break,
                Decision::Postpone { rejected, until } => {
                    self.schedule.postpone(until);
                    self.refuse(rejected.payload.origin, rejected.reason, None, effects);
                }
                Decision::Run(request) => self.trigger(now, request, effects),
            }
        }
        self.retry_last(now);
    }

    /// At the end of all input, tasks wait for a checkpoint that lets them end. If it failed, or never got its turn, and no
    /// other one will come, it is tried again.
    fn retry_last(&mut self, now: Now) {
        if !self.is_running() || !self.tasks.wait_for_last() {
            return;
        }
        let will_come = || {
            self.schedule.next().is_some()
                || self.requests.waiting().any(|waiting| waiting.snapshot.is_told())
                || self.pending.values().any(Pending::is_told)
        };
        let again = now.monotonic.after(END_OF_DATA_RETRY);
        // At the end of time nothing follows.
        if self.tasks.all_at_end() && !will_come() && self.tasks.some_wait() && again > now.monotonic {
            self.schedule.postpone(again);
        }
    }

    fn due(&mut self, effects: &mut Vec<Effect>) {
        // A retry of the last checkpoint comes through the schedule even where there are no periodic ones.
        let origin = if self.schedule.is_started() { Origin::Schedule } else { Origin::EndOfData };
        // One that is still waiting stands for all that have become due since: they would only follow it at once.
        if !self.is_waiting(origin) {
            self.submit(Waiting { snapshot: SnapshotRequest::CHECKPOINT, origin }, effects);
        }
    }

    pub(crate) fn submit(&mut self, request: Waiting, effects: &mut Vec<Effect>) {
        if !self.is_running() {
            self.refuse(request.origin, FailureReason::CheckpointCoordinatorShutdown, None, effects);
        } else if self.stopping.is_decided() {
            self.refuse(request.origin, FailureReason::CheckpointCoordinatorSuspend, None, effects);
        } else if let Some(rejected) = self.requests.submit(request.queued(!self.is_unaligned)).rejected() {
            self.refuse(rejected.payload.origin, rejected.reason, None, effects);
        }
    }

    fn is_waiting(&self, origin: Origin) -> bool {
        self.requests.waiting().any(|waiting| waiting.origin == origin)
    }

    pub(crate) fn refuse(
        &self,
        origin: Origin,
        reason: FailureReason,
        cause: Option<String>,
        effects: &mut Vec<Effect>,
    ) {
        match origin {
            Origin::Person(request) => {
                effects.push(Effect::Resolve { request, outcome: Err(Refused { reason, cause }) });
            }
            Origin::Schedule => effects.push(Effect::Report(Report::Skipped { reason })),
            Origin::EndOfData => {}
        }
    }

    /// Tells tasks to end.
    pub(crate) fn close(&mut self, now: Now, tasks: &[TaskId], effects: &mut Vec<Effect>) {
        for &task in tasks {
            if self.tasks.close(task, now.monotonic) {
                effects.push(Effect::Close { task });
            }
        }
    }

    /// A task has ended, and will not acknowledge what it has not acknowledged so far.
    fn give_up_without(&mut self, now: Now, task: TaskId, effects: &mut Vec<Effect>) {
        let Some(place) = self.tasks.layout().place(task) else { return };
        let waiting = self.pending.iter().filter(|(_, pending)| pending.awaits(place));
        let waiting: Vec<_> = waiting.map(|(&checkpoint, _)| checkpoint).collect();
        for checkpoint in waiting {
            let cause = alloc::format!("task {task} ended before it acknowledged");
            let reason = FailureReason::CheckpointDeclinedTaskClosing;
            self.abort(now, checkpoint, reason, None, Some(cause), effects);
        }
    }

    /// A task is further than before.
    fn reached(&mut self, now: Now, task: TaskId, state: TaskState, effects: &mut Vec<Effect>) {
        let Some(is_news) = self.tasks.reach(task, state) else {
            return effects.push(Effect::Ignored(Ignored::UnknownTask(task)));
        };
        if is_news && state == TaskState::Finished {
            self.give_up_without(now, task, effects);
        }
        if !is_news || state != TaskState::AtEndOfData {
            return;
        }
        if !self.tasks.wait_for_last() {
            return self.close(now, &[task], effects);
        }
        if self.tasks.all_at_end() && !self.is_waiting(Origin::EndOfData) {
            let origin = Origin::EndOfData;
            self.submit(Waiting { snapshot: SnapshotRequest::CHECKPOINT, origin }, effects);
        }
    }
}
