use crate::effect::{Aborted, Completed, Effect, Ignored, Outcome, Refused, Report};
use crate::ending::Ending;
use crate::failure::{Tolerance, Verdict};
use crate::pending::{Acknowledgement, Pending, Phase};
use crate::recovery::Recovery;
use crate::requests::{Decision, Facts, Origin, Requests, Waiting};
use crate::retention::Retained;
use crate::schedule::Schedule;
use crate::{Event, Fault, JobPlan, SnapshotRequest, invariants};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use stillframe_config::EffectiveConfig;
use stillframe_model::{
    Attempt, Barrier, CheckpointId, CheckpointKind, FailureReason, LocationReference, Now, OpId, Pointer,
    TaskId, TaskSnapshot, Timestamp,
};

/// The coordinator of one execution attempt of a job.
///
/// Feed every event to [`handle`](Self::handle), perform the effects that it returns, and come back with
/// [`Event::Tick`] no later than [`next_deadline`](Self::next_deadline). The same events at the same times give the same
/// effects. No event in any state panics, unless the coordinator itself is broken; then it says which invariant.
///
/// ```
/// use core::time::Duration;
/// use stillframe_config::CheckpointConfig;
/// use stillframe_coordinator::{Coordinator, Effect, Event, JobPlan, Recovery, VertexPlan, plan_recovery};
/// use stillframe_model::{Attempt, JobId, Name, Now, Timestamp};
///
/// let source = VertexPlan { name: Name::new("numbers")?, parallelism: 1, max_parallelism: 128, is_source: true };
/// let plan = JobPlan { job: JobId::from_bytes([1; 16]), attempt: Attempt::new(0), vertices: vec![source] };
/// let mut config = CheckpointConfig::default();
/// config.set_checkpoint_interval(Duration::from_secs(1))?;
/// let mut coordinator = Coordinator::new(plan, &config.resolve().effective, plan_recovery(&[], &[]));
///
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
    pub(crate) max_concurrent: usize,
    pub(crate) min_pause: Duration,
    timeout: Duration,
    pub(crate) schedule: Schedule,
    pub(crate) requests: Requests,
    pub(crate) pending: BTreeMap<CheckpointId, Pending>,
    pub(crate) retained: Retained,
    tolerance: Tolerance,
    next_checkpoint: CheckpointId,
    next_op: OpId,
    last_completion: Option<Timestamp>,
    /// Removals on their way.
    pub(crate) discarding: BTreeMap<OpId, CheckpointId>,
    /// Places that are being made for checkpoints that were given up meanwhile.
    pub(crate) abandoned: BTreeMap<OpId, CheckpointId>,
    /// Tasks that have processed their last record.
    at_end_of_data: BTreeSet<TaskId>,
    pub(crate) ending: Ending,
}

/// How long to wait before the checkpoint at the end of all input is tried again, when no periodic one will come.
const END_OF_DATA_RETRY: Duration = Duration::from_secs(1);

impl Coordinator {
    /// A coordinator for a job that goes on from `recovery`. Removing its orphans is left to the caller.
    #[must_use]
    pub fn new(plan: JobPlan, config: &EffectiveConfig, recovery: Recovery) -> Self {
        Self {
            plan,
            max_concurrent: usize::try_from(config.schedule.max_concurrent.get()).unwrap_or(usize::MAX),
            min_pause: config.schedule.min_pause,
            timeout: config.schedule.timeout,
            schedule: Schedule::new(config.schedule.interval),
            requests: Requests::default(),
            pending: BTreeMap::new(),
            retained: Retained::new(config.retention, recovery.retained),
            tolerance: Tolerance::new(config.tolerance),
            next_checkpoint: recovery.next,
            next_op: OpId::new(0),
            last_completion: None,
            discarding: BTreeMap::new(),
            abandoned: BTreeMap::new(),
            at_end_of_data: BTreeSet::new(),
            ending: Ending::Running,
        }
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
            Event::StartPeriodic { first_after } if self.is_running() => {
                self.schedule.start(now.monotonic, first_after)
            }
            Event::Trigger { request, snapshot } => {
                self.submit(Waiting { snapshot, origin: Origin::Person(request) }, &mut effects);
            }
            Event::EndOfData { task } if self.is_running() => self.end_of_data(task, &mut effects),
            Event::StartPeriodic { .. } | Event::EndOfData { .. } => {
                effects.push(Effect::Ignored(Ignored::Stopped))
            }
            Event::End { status } => self.begin_ending(Some(status), &mut effects),
            Event::Failover => self.begin_ending(None, &mut effects),
            Event::Acknowledged { checkpoint, attempt, task, snapshot } => {
                self.acknowledged(checkpoint, attempt, task, snapshot, &mut effects);
            }
            Event::Declined { checkpoint, attempt, task, reason } => {
                self.declined(checkpoint, attempt, task, reason, &mut effects);
            }
            Event::Located { op, result } => self.located(now, op, result, &mut effects),
            Event::Published { op, result } => self.published(now, op, result, &mut effects),
            Event::Discarded { op } => {
                if self.discarding.remove(&op).is_none() {
                    effects.push(Effect::Ignored(Ignored::UnknownOperation(op)));
                }
            }
            Event::Concluded { op, result } => self.concluded(op, &result, &mut effects),
            Event::Tick => self.expire(now.monotonic, &mut effects),
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
        expiries.chain(self.schedule.next()).min().filter(|_| self.ending != Ending::Fenced)
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

    /// The newest completed checkpoint, by which a failed job would be restored.
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

    /// Begins whatever may begin now.
    fn advance(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.publish_next(effects);
        self.advance_ending(effects);
        while self.is_running() {
            if self.schedule.take_due(now.monotonic) {
                self.due(effects);
            }
            let facts = Facts {
                now: now.monotonic,
                pending: self.pending.len(),
                triggering: self.pending.values().any(Pending::is_triggering),
                discarding: self.discarding.len(),
                last_completion: self.last_completion,
                max_concurrent: self.max_concurrent,
                min_pause: self.min_pause,
            };
            match self.requests.next(facts) {
                Decision::Wait => break,
                Decision::Postpone { until } => {
                    self.schedule.postpone(until);
                    effects.push(Effect::Report(Report::Skipped {
                        reason: FailureReason::MinimumTimeBetweenCheckpoints,
                    }));
                }
                Decision::Run(request) => self.trigger(now, request, effects),
            }
        }
    }

    fn due(&mut self, effects: &mut Vec<Effect>) {
        // A retry of the last checkpoint comes through the schedule even where there are no periodic ones.
        let origin = if self.schedule.is_periodic() { Origin::Schedule } else { Origin::EndOfData };
        // One that is still waiting stands for all that have become due since: they would only follow it at once.
        if !self.requests.is_waiting(origin) {
            self.submit(Waiting { snapshot: SnapshotRequest::Checkpoint, origin }, effects);
        }
    }

    fn submit(&mut self, request: Waiting, effects: &mut Vec<Effect>) {
        if !self.is_running() {
            self.refuse(request.origin, FailureReason::CheckpointCoordinatorShutdown, None, effects);
        } else if let Err((dropped, reason)) = self.requests.submit(request) {
            self.refuse(dropped.origin, reason, None, effects);
        }
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

    fn trigger(&mut self, now: Now, request: Waiting, effects: &mut Vec<Effect>) {
        let checkpoint = self.next_checkpoint;
        self.next_checkpoint = checkpoint.next();
        let op = self.operation();
        let expires = now.monotonic.after(self.timeout);
        let pending =
            Pending::new(request.snapshot.clone(), request.origin, now, expires, op, self.plan.tasks());
        effects.push(Effect::Report(Report::Triggered { checkpoint, kind: pending.kind() }));
        effects.push(Effect::Locate { op, checkpoint, snapshot: request.snapshot });
        self.pending.insert(checkpoint, pending);
    }

    fn located(
        &mut self,
        now: Now,
        op: OpId,
        result: Result<LocationReference, Fault>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(checkpoint) = self.abandoned.remove(&op) {
            if let Ok(location) = result {
                self.discard(checkpoint, location, effects);
            }
            return;
        }
        let found = self.pending.iter_mut().find(|(_, pending)| pending.phase == Phase::Locating(op));
        let Some((&checkpoint, pending)) = found else {
            effects.push(Effect::Ignored(Ignored::UnknownOperation(op)));
            return;
        };
        match result {
            Ok(location) => {
                let barrier = Barrier {
                    checkpoint,
                    kind: pending.kind(),
                    triggered_at: pending.triggered.wall,
                    location: location.clone(),
                };
                pending.phase = Phase::Collecting(location);
                // The place counts as part of the checkpoint's time: one that took too long to make is not used.
                if pending.expires > now.monotonic {
                    let triggers =
                        self.plan.sources().map(|task| Effect::Trigger { task, barrier: barrier.clone() });
                    effects.extend(triggers);
                }
                self.expire(now.monotonic, effects);
            }
            // Whether or not a place was made, nothing refers to it; a later recovery removes it as an orphan.
            Err(fault) => {
                let cause = Some(fault.message().into());
                self.abort(checkpoint, FailureReason::IoException, None, cause, effects);
                self.abandoned.remove(&op);
            }
        }
    }

    fn acknowledged(
        &mut self,
        checkpoint: CheckpointId,
        attempt: Attempt,
        task: TaskId,
        snapshot: TaskSnapshot,
        effects: &mut Vec<Effect>,
    ) {
        if attempt != self.plan.attempt {
            return effects.push(Effect::Ignored(Ignored::OtherAttempt));
        }
        // Files behind a late acknowledgement are not touched: they went, or will go, with their checkpoint's place.
        let Some(pending) = self.pending.get_mut(&checkpoint) else {
            return effects.push(Effect::Ignored(Ignored::NotPending(checkpoint)));
        };
        match pending.acknowledge(task, snapshot) {
            Acknowledgement::Accepted => {}
            Acknowledgement::Last => {
                if let Phase::Collecting(location) = &pending.phase {
                    pending.phase = Phase::Collected(location.clone());
                }
            }
            Acknowledgement::Duplicate => effects.push(Effect::Ignored(Ignored::Duplicate(checkpoint))),
            Acknowledgement::UnknownTask => effects.push(Effect::Ignored(Ignored::UnknownTask(task))),
        }
    }

    fn declined(
        &mut self,
        checkpoint: CheckpointId,
        attempt: Attempt,
        task: TaskId,
        reason: FailureReason,
        effects: &mut Vec<Effect>,
    ) {
        if attempt != self.plan.attempt {
            return effects.push(Effect::Ignored(Ignored::OtherAttempt));
        }
        match self.pending.get(&checkpoint) {
            Some(pending) if pending.can_be_aborted() => {
                self.abort(checkpoint, reason, Some(task), None, effects)
            }
            _ => effects.push(Effect::Ignored(Ignored::NotPending(checkpoint))),
        }
    }

    /// One publication at a time, in the order of the ids, so that what completes only ever gets newer.
    fn publish_next(&mut self, effects: &mut Vec<Effect>) {
        if self.pending.values().any(Pending::is_publishing) {
            return;
        }
        let ready = self.pending.iter().find_map(|(&checkpoint, pending)| match &pending.phase {
            Phase::Collected(location) => Some((checkpoint, location.clone())),
            Phase::Locating(_) | Phase::Collecting(_) | Phase::Publishing(..) => None,
        });
        let Some((checkpoint, location)) = ready else { return };
        let op = self.operation();
        let Some(pending) = self.pending.get_mut(&checkpoint) else { return };
        pending.phase = Phase::Publishing(op, location.clone());
        let metadata = self.plan.metadata(
            checkpoint,
            pending.kind(),
            pending.triggered.wall,
            pending.snapshots().clone(),
        );
        effects.push(Effect::Publish { op, location, metadata });
    }

    fn published(&mut self, now: Now, op: OpId, result: Result<Pointer, Fault>, effects: &mut Vec<Effect>) {
        let publishing = self.pending.iter().find_map(|(&checkpoint, pending)| match &pending.phase {
            Phase::Publishing(of, location) if *of == op => Some((checkpoint, location.clone())),
            Phase::Locating(_) | Phase::Collecting(_) | Phase::Collected(_) | Phase::Publishing(..) => None,
        });
        let Some((checkpoint, location)) = publishing else {
            return effects.push(Effect::Ignored(Ignored::UnknownOperation(op)));
        };
        match result {
            Ok(pointer) => self.complete(now, checkpoint, pointer, effects),
            Err(Fault::Failed { message }) => {
                if let Some(pending) = self.pending.get_mut(&checkpoint) {
                    pending.phase = Phase::Collected(location);
                }
                self.abort(
                    checkpoint,
                    FailureReason::FinalizeCheckpointFailure,
                    None,
                    Some(message),
                    effects,
                );
            }
            Err(Fault::Unknown { message }) => self.fence(message, effects),
        }
    }

    /// The checkpoint is durable; from here on everybody may know.
    fn complete(&mut self, now: Now, checkpoint: CheckpointId, pointer: Pointer, effects: &mut Vec<Effect>) {
        let Some(pending) = self.pending.remove(&checkpoint) else { return };
        let kind = pending.kind();
        let sizes = pending.snapshots().values().map(TaskSnapshot::size);
        effects.push(Effect::Report(Report::Completed(Completed {
            checkpoint,
            kind,
            pointer: pointer.clone(),
            triggered_at: pending.triggered.wall,
            duration: now.monotonic.since(pending.triggered.monotonic),
            state_size: sizes.fold(0, u64::saturating_add),
        })));
        self.tolerance.succeeded(checkpoint);
        self.last_completion = Some(now.monotonic);
        if let Origin::Person(request) = pending.origin {
            effects.push(Effect::Resolve { request, outcome: Ok(Outcome { checkpoint, pointer }) });
        }
        if kind == CheckpointKind::Savepoint {
            return;
        }
        let subsumed = self.retained.admit(checkpoint);
        if self.is_running() {
            effects.extend(self.plan.tasks().map(|task| Effect::NotifyComplete { task, checkpoint }));
            if pending.covers_end_of_data() {
                self.schedule.stop();
                effects.extend(self.plan.tasks().map(|task| Effect::Close { task }));
                // Nobody is left who could take part.
                for waiting in self.requests.drain() {
                    self.refuse(waiting.origin, FailureReason::CheckpointCoordinatorShutdown, None, effects);
                }
            }
        }
        let older = self.pending.range(..checkpoint).filter(|(_, pending)| !pending.kind().is_savepoint());
        let older: Vec<_> =
            older.filter(|(_, pending)| pending.can_be_aborted()).map(|(&id, _)| id).collect();
        for id in older {
            self.abort(id, FailureReason::CheckpointSubsumed, None, None, effects);
        }
        for id in subsumed {
            self.discard(id, LocationReference::Default, effects);
        }
    }

    fn expire(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let expired =
            self.pending.iter().filter(|(_, pending)| pending.can_be_aborted() && pending.expires <= now);
        let expired: Vec<_> = expired.map(|(&id, _)| id).collect();
        for id in expired {
            let missing = self.pending.get(&id).map_or(0, |pending| pending.missing().len());
            let cause = alloc::format!("{missing} tasks had not acknowledged after {:?}", self.timeout);
            self.abort(id, FailureReason::CheckpointExpired, None, Some(cause), effects);
        }
    }

    pub(crate) fn abort(
        &mut self,
        checkpoint: CheckpointId,
        reason: FailureReason,
        by: Option<TaskId>,
        cause: Option<String>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(pending) = self.pending.remove(&checkpoint) else { return };
        let kind = pending.kind();
        effects.push(Effect::Report(Report::Aborted(Aborted {
            checkpoint,
            kind,
            reason,
            by,
            cause: cause.clone(),
        })));
        self.refuse_aborted(&pending, reason, cause.clone(), effects);
        let latest_complete = self.retained.latest();
        if self.is_running() {
            let notify = |task| Effect::NotifyAborted { task, checkpoint, latest_complete };
            effects.extend(self.plan.tasks().map(notify));
        }
        match pending.phase {
            Phase::Locating(op) => {
                self.abandoned.insert(op, checkpoint);
            }
            Phase::Collecting(location) | Phase::Collected(location) | Phase::Publishing(_, location) => {
                self.discard(checkpoint, location, effects);
            }
        }
        // A savepoint that fails without the fault of a task, for a mistyped target for example, says nothing about the
        // job. The rule is that of Flink's failure manager.
        let counts = by.is_some() || !kind.is_savepoint();
        if self.is_running() && counts && self.tolerance.failed(checkpoint, reason) == Verdict::TooMany {
            let message = cause.unwrap_or_else(|| alloc::format!("{kind} {checkpoint} failed"));
            effects.push(Effect::FailJob { reason, message });
        }
    }

    fn refuse_aborted(
        &mut self,
        pending: &Pending,
        reason: FailureReason,
        cause: Option<String>,
        effects: &mut Vec<Effect>,
    ) {
        if let Origin::Person(_) = pending.origin {
            self.refuse(pending.origin, reason, cause, effects);
        }
        let retry = self.is_running() && self.all_at_end_of_data() && !self.schedule.is_periodic();
        if retry && self.schedule.next().is_none() {
            self.schedule.postpone(pending.triggered.monotonic.after(END_OF_DATA_RETRY));
        }
    }

    pub(crate) fn discard(
        &mut self,
        checkpoint: CheckpointId,
        location: LocationReference,
        effects: &mut Vec<Effect>,
    ) {
        let op = self.operation();
        self.discarding.insert(op, checkpoint);
        effects.push(Effect::Discard { op, checkpoint, location });
    }

    fn end_of_data(&mut self, task: TaskId, effects: &mut Vec<Effect>) {
        if !self.plan.tasks().any(|known| known == task) {
            return effects.push(Effect::Ignored(Ignored::UnknownTask(task)));
        }
        let news = self.at_end_of_data.insert(task);
        if news && self.all_at_end_of_data() && !self.requests.is_waiting(Origin::EndOfData) {
            self.submit(
                Waiting { snapshot: SnapshotRequest::Checkpoint, origin: Origin::EndOfData },
                effects,
            );
        }
    }

    fn all_at_end_of_data(&self) -> bool {
        self.at_end_of_data.len() == self.plan.tasks().count()
    }
}
