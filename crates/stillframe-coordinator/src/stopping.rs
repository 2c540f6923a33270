//! Stopping with a savepoint: checkpoints make way for it, and behind it every task ends.

use crate::SnapshotRequest;
use crate::coordinator::Coordinator;
use crate::effect::{Effect, Outcome, Refused};
use crate::ending::Ending;
use crate::pending::Pending;
use crate::waiting::{Origin, Waiting};
use alloc::format;
use alloc::vec::Vec;
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
        if is_stop && self.is_running() && !self.stopping.is_decided() {
            let was_periodic = match self.stopping {
                Stopping::Asked { was_periodic } => was_periodic,
                Stopping::No | Stopping::Decided(_) => self.schedule.is_started(),
            };
            self.suspend(now, effects);
            self.stopping = Stopping::Asked { was_periodic };
        }
        self.submit(Waiting { snapshot, origin: Origin::Person(request) }, effects);
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

    /// A savepoint behind which the job was to stop will not exist, so the job goes on as before.
    pub(crate) fn stop_failed(&mut self, now: Now) {
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
