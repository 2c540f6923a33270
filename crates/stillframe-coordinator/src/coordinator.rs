use crate::effect::{Effect, Ignored, Refused, Report};
use crate::ending::Ending;
use crate::failure::Tolerance;
use crate::pending::Pending;
use crate::recovery::Recovery;
use crate::requests::{Decision, Facts, MAX_QUEUED_REQUESTS, Requests};
use crate::retention::Retained;
use crate::schedule::Schedule;
use crate::shared::Shared;
use crate::waiting::{Origin, Waiting};
use crate::{Event, JobPlan, SnapshotRequest, invariants};
use alloc::collections::{BTreeMap, BTreeSet};
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
/// use stillframe_model::{Attempt, CheckpointId, JobId, Name, Now, Timestamp};
///
/// let source = VertexPlan { name: Name::new("numbers")?, parallelism: 1, max_parallelism: 128, is_source: true };
/// let plan = JobPlan { job: JobId::from_bytes([1; 16]), attempt: Attempt::new(0), vertices: vec![source] };
/// let mut config = CheckpointConfig::default();
/// config.set_checkpoint_interval(Duration::from_secs(1))?;
/// let effective = config.resolve(&GraphDescription::default())?.effective;
/// let fresh = plan_recovery(vec![], BTreeSet::new(), CheckpointId::FIRST, RecoveryClaimMode::NoClaim);
/// let mut coordinator = Coordinator::new(plan, &effective, fresh);
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
    pub(crate) timeout: Duration,
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
    /// Tasks that have processed their last record.
    pub(crate) at_end_of_data: BTreeSet<TaskId>,
    pub(crate) ending: Ending,
}

/// How long to wait before the checkpoint at the end of all input is tried again, when no periodic one will come.
pub(crate) const END_OF_DATA_RETRY: Duration = Duration::from_secs(1);

impl Coordinator {
    /// A coordinator for a job that goes on from `recovery`.
    #[must_use]
    pub fn new(plan: JobPlan, config: &EffectiveConfig, recovery: Recovery) -> Self {
        Self {
            plan,
            max_concurrent: usize::try_from(config.schedule.max_concurrent.get()).unwrap_or(usize::MAX),
            min_pause: config.schedule.min_pause,
            timeout: config.schedule.timeout,
            schedule: Schedule::new(config.schedule.interval),
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

    /// Begins whatever may begin now.
    fn advance(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.publish_next(effects);
        self.advance_ending(effects);
        self.remove_unneeded(effects);
        while self.is_running() {
            if self.schedule.take_due(now.monotonic) {
                self.due(effects);
            }
            let facts = Facts {
                now: now.monotonic,
                pending: self.pending.len(),
                is_triggering: self.pending.values().any(Pending::is_triggering),
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
    }

    fn due(&mut self, effects: &mut Vec<Effect>) {
        // A retry of the last checkpoint comes through the schedule even where there are no periodic ones.
        let origin = if self.schedule.is_periodic() { Origin::Schedule } else { Origin::EndOfData };
        // One that is still waiting stands for all that have become due since: they would only follow it at once.
        if !self.is_waiting(origin) {
            self.submit(Waiting { snapshot: SnapshotRequest::Checkpoint, origin }, effects);
        }
    }

    fn submit(&mut self, request: Waiting, effects: &mut Vec<Effect>) {
        if !self.is_running() {
            self.refuse(request.origin, FailureReason::CheckpointCoordinatorShutdown, None, effects);
        } else if let Some(rejected) = self.requests.submit(request.queued(true)).rejected() {
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

    fn end_of_data(&mut self, task: TaskId, effects: &mut Vec<Effect>) {
        if !self.plan.tasks().any(|known| known == task) {
            return effects.push(Effect::Ignored(Ignored::UnknownTask(task)));
        }
        let news = self.at_end_of_data.insert(task);
        if news && self.all_at_end_of_data() && !self.is_waiting(Origin::EndOfData) {
            self.submit(
                Waiting { snapshot: SnapshotRequest::Checkpoint, origin: Origin::EndOfData },
                effects,
            );
        }
    }

    pub(crate) fn all_at_end_of_data(&self) -> bool {
        self.at_end_of_data.len() == self.plan.tasks().count()
    }
}
