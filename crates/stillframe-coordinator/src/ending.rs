//! How a coordinator stops: abort what can be aborted, wait for what cannot, put the end on record, and only then give
//! up the checkpoints that the record makes superfluous.

use crate::Fault;
use crate::coordinator::Coordinator;
use crate::effect::{Effect, Ignored};
use crate::pending::Pending;
use crate::waiting::Origin;
use alloc::string::String;
use alloc::vec::Vec;
use stillframe_model::{FailureReason, JobStatus, Now, OpId};

/// How far the end has come. Only forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    Running,
    /// Nothing new begins; a publication may be under way. `None`: the job is restarted.
    Aborting(Option<JobStatus>),
    /// The record is on its way.
    Concluding(OpId, JobStatus),
    /// Only removals are left.
    Settled,
    /// It is unknown what the storage holds, so this coordinator does nothing any more.
    Fenced,
}

impl Coordinator {
    pub(crate) fn begin_ending(&mut self, now: Now, status: Option<JobStatus>, effects: &mut Vec<Effect>) {
        if !self.is_running() {
            return effects.push(Effect::Ignored(Ignored::Stopped));
        }
        let reason = match status {
            Some(_) => FailureReason::CheckpointCoordinatorSuspend,
            None => FailureReason::JobFailoverRegion,
        };
        self.ending = Ending::Aborting(status);
        self.schedule.stop();
        self.give_up_all(now, reason, effects);
        self.stopped(status, effects);
        self.confirmations.stop();
    }

    pub(crate) fn advance_ending(&mut self, effects: &mut Vec<Effect>) {
        let Ending::Aborting(status) = self.ending else { return };
        if self.pending.values().any(Pending::is_publishing) {
            return;
        }
        match status {
            None | Some(JobStatus::Suspended) => self.ending = Ending::Settled,
            Some(status @ (JobStatus::Finished | JobStatus::Canceled | JobStatus::Failed)) => {
                let op = self.operation();
                self.ending = Ending::Concluding(op, status);
                let dropped = self.retained.superfluous_after(status);
                effects.push(Effect::Conclude { op, status, dropped });
            }
        }
    }

    pub(crate) fn concluded(&mut self, op: OpId, result: &Result<(), Fault>, effects: &mut Vec<Effect>) {
        let Ending::Concluding(expected, status) = self.ending else {
            return effects.push(Effect::Ignored(Ignored::UnknownOperation(op)));
        };
        if op != expected {
            return effects.push(Effect::Ignored(Ignored::UnknownOperation(op)));
        }
        self.ending = Ending::Settled;
        // Without the record, a restart would find no checkpoint and do the whole job again. So they stay.
        if result.is_ok() {
            let dropped = self.retained.superfluous_after(status);
            self.retained.give_up(&dropped);
            self.shared.drop_all(&dropped);
        }
    }

    /// Stops for good: an entry of this coordinator may or may not exist, so neither reporting nor deleting is safe. A
    /// successor that looks at the storage can know.
    pub(crate) fn fence(&mut self, message: String, effects: &mut Vec<Effect>) {
        let reason = FailureReason::OutcomeUnknown;
        for waiting in self.requests.drain() {
            self.refuse(waiting.origin, reason, Some(message.clone()), effects);
        }
        for pending in core::mem::take(&mut self.pending).into_values() {
            // A periodic one was taken, so it was not skipped.
            if let Origin::Person(_) = pending.origin {
                self.refuse(pending.origin, reason, Some(message.clone()), effects);
            }
        }
        self.stopped(None, effects);
        self.confirmations.stop();
        self.schedule.stop();
        self.discarding.clear();
        self.abandoned.clear();
        self.shared.stop();
        self.ending = Ending::Fenced;
        effects.push(Effect::FailJob { reason, task: None, message });
    }
}
