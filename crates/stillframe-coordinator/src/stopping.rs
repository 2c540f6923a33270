//! Stopping with a savepoint: checkpoints make way for it, and behind it every task ends.

use crate::SnapshotRequest;
use crate::coordinator::Coordinator;
use crate::effect::{Effect, Outcome, Refused};
use crate::ending::Ending;
use crate::pending::Pending;
use crate::waiting::{Origin, Waiting};
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use stillframe_model::{FailureReason, JobStatus, Now, RequestId};

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stopping {
    /// Nobody asked for it.
    No,
    /// The savepoint is asked for, or being taken. Whether periodic checkpoints begin again if it fails.
    Asked { was_periodic: bool },
    /// The savepoint exists, and the tasks end. Who asked hears of it when they have; it is more than one if another
    /// savepoint was already on its way.
    Decided(Vec<(RequestId, Outcome)>),
}

impl Stopping {
    pub(crate) fn is_decided(&self) -> bool {
        matches!(self, Self::Decided(_))
    }
}

impl Coordinator {
    /// A person asks for a snapshot.
    pub(crate) fn asked(
        &mut self,
        now: Now,
        request: RequestId,
        snapshot: SnapshotRequest,
        effects: &mut Vec<Effect>,
    ) {
        let is_stop = matches!(snapshot, SnapshotRequest::Stop { .. });
        let may_begin = self.is_running() && !self.stopping.is_decided();
        // Before everything makes way for it: who mistypes a request must not lose what is in progress.
        if may_begin && snapshot.needs_default_location() && !self.has_default_savepoint_location {
            let cause =
                "neither the request nor the storage names a directory for savepoints; give one of them";
            let reason = FailureReason::TriggerCheckpointFailure;
            return self.refuse(Origin::Person(request), reason, Some(cause.into()), effects);
        }
        if is_stop && may_begin {
            let was_periodic = match self.stopping {
                Stopping::Asked { was_periodic } => was_periodic,
                Stopping::No | Stopping::Decided(_) => self.schedule.is_started(),
            };
            self.suspend(now, effects);
            self.stopping = Stopping::Asked { was_periodic };
        }
        self.submit(Waiting { snapshot, origin: Origin::Person(request) }, effects);
    }

    /// Begins with the periodic checkpoints, unless the job is about to stop: then they begin if it does not.
    pub(crate) fn start_periodic(&mut self, now: Now, first_after: Duration) {
        match &mut self.stopping {
            Stopping::No => self.schedule.start(now.monotonic, first_after),
            Stopping::Asked { was_periodic } => *was_periodic = true,
            Stopping::Decided(_) => {}
        }
    }

    /// Whether what is first in the queue waits for a savepoint behind which the job is to stop. A checkpoint beside it could
    /// be complete before it, and tasks do not let out what they are told of behind something newer. A savepoint behind
    /// which the job goes on is nothing that tasks are told of.
    pub(crate) fn is_held_back(&self) -> bool {
        self.requests.waiting().next().is_some_and(|first| !first.snapshot.is_savepoint())
            && self.pending.values().any(|pending| pending.kind().is_synchronous())
    }

    /// Ends the periodic checkpoints, and gives up everything that waits or is in progress.
    pub(crate) fn suspend(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.schedule.stop();
        // A savepoint that is given up here, and behind which the job was to stop, does not begin them again.
        if !self.stopping.is_decided() {
            self.stopping = Stopping::No;
        }
        self.give_up_all(now, FailureReason::CheckpointCoordinatorSuspend, effects);
    }

    pub(crate) fn give_up_all(&mut self, now: Now, reason: FailureReason, effects: &mut Vec<Effect>) {
        for waiting in self.requests.drain() {
            self.refuse(waiting.origin, reason, None, effects);
        }
        let open = self.pending.iter().filter(|(_, pending)| pending.can_be_aborted());
        let open: Vec<_> = open.map(|(&id, _)| id).collect();
        for checkpoint in open {
            self.abort(now, checkpoint, reason, None, None, effects);
        }
    }

    /// A savepoint behind which the job was to stop will not exist, so the job goes on as before, unless there is another.
    pub(crate) fn stop_failed(&mut self, now: Now) {
        let is_waiting = |waiting: &Waiting| matches!(waiting.snapshot, SnapshotRequest::Stop { .. });
        if self.requests.waiting().any(is_waiting)
            || self.pending.values().any(|pending| pending.kind().is_synchronous())
        {
            return;
        }
        if let Stopping::Asked { was_periodic } = self.stopping {
            self.stopping = Stopping::No;
            if was_periodic && self.is_running() {
                self.schedule.restart(now.monotonic);
            }
        }
    }

    /// The savepoint exists and every task was told to end. Nothing else begins any more.
    pub(crate) fn stop_decided(&mut self, pending: &Pending, outcome: Outcome, effects: &mut Vec<Effect>) {
        self.schedule.stop();
        for waiting in self.requests.drain() {
            self.refuse(waiting.origin, FailureReason::CheckpointCoordinatorSuspend, None, effects);
        }
        if let Origin::Person(request) = pending.origin {
            match &mut self.stopping {
                Stopping::Decided(all) => all.push((request, outcome)),
                Stopping::No | Stopping::Asked { .. } => {
                    self.stopping = Stopping::Decided(alloc::vec![(request, outcome)]);
                }
            }
        }
        if let Ending::Aborting(status) = self.ending {
            self.stopped(status, effects);
        }
    }

    /// Tells who wanted the job to stop whether it did. `None`: it is restarted after a failure.
    pub(crate) fn stopped(&mut self, status: Option<JobStatus>, effects: &mut Vec<Effect>) {
        let Stopping::Decided(all) = core::mem::replace(&mut self.stopping, Stopping::No) else { return };
        effects.extend(all.into_iter().map(|(request, outcome)| {
            let how = match status {
                Some(JobStatus::Finished) => return Effect::Resolve { request, outcome: Ok(outcome) },
                Some(status) => format!("was {status}"),
                None => "failed".into(),
            };
            let cause = Some(format!(
                "savepoint {} is complete at {}, but the job {how} before all of its tasks had ended",
                outcome.checkpoint, outcome.pointer
            ));
            Effect::Resolve { request, outcome: Err(Refused { reason: FailureReason::TaskFailure, cause }) }
        }));
    }
}
