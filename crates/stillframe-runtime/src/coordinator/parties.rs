//! Who is asked at the beginning of a checkpoint, before any task: each one thing after the other, in order.

use super::{Answer, CoordinatorDriver, Notice};
use crate::offload::{Call, Deadlines, Offload, Unanswered};
use crate::{MasterHook, OperatorCoordinator, TaskResult};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use stillframe_coordinator::{Event, Fault};
use stillframe_model::{CheckpointId, Name, OpId, UnixMillis, VertexId};
use stillframe_storage::ErrorKind;
use tokio::sync::oneshot;

/// The coordinator of an operator. It outlives attempts.
pub(crate) type SharedCoordinator = Arc<Mutex<dyn OperatorCoordinator>>;

/// The hooks of a job and the coordinators of its operators.
#[derive(Default)]
pub(crate) struct Parties {
    pub(crate) hooks: BTreeMap<Name, Party<Arc<dyn MasterHook>>>,
    pub(crate) coordinators: BTreeMap<VertexId, Party<SharedCoordinator>>,
}

/// One of them.
pub(crate) struct Party<P> {
    who: String,
    party: P,
    offload: Offload,
    /// Answers when what it was asked last is done.
    last: Option<oneshot::Receiver<()>>,
}

impl<P: Clone + Send + 'static> Party<P> {
    pub(crate) fn new(who: String, party: P, offload: Offload) -> Self {
        Self { who, party, offload, last: None }
    }

    /// Asks for something, when everything that was asked before is done.
    fn ask<R: Send + 'static>(
        &mut self,
        operation: &'static str,
        deadlines: &Arc<Deadlines>,
        work: impl FnOnce(&P) -> R + Send + 'static,
    ) -> (Call, impl Future<Output = Result<R, Unanswered>> + Send + 'static) {
        let (done, turn) = oneshot::channel::<()>();
        let earlier = self.last.replace(turn);
        let (party, offload, deadlines) = (self.party.clone(), self.offload.clone(), Arc::clone(deadlines));
        let call = Call::new(operation, self.who.as_str());
        let asked = call.clone();
        let answer = async move {
            if let Some(earlier) = earlier {
                // It is dropped when the earlier one is done, however that ended.
                let _ = earlier.await;
            }
            let answer = offload.run_within(&asked, &deadlines, async move { work(&party) }).await;
            drop(done);
            answer
        };
        (call, answer)
    }
}

impl CoordinatorDriver {
    pub(super) fn trigger_hook(
        &mut self,
        op: OpId,
        hook: &Name,
        checkpoint: CheckpointId,
        triggered_at: UnixMillis,
    ) {
        let Some(party) = self.parties.hooks.get_mut(hook) else { return };
        let trigger = move |hook: &Arc<dyn MasterHook>| hook.trigger(checkpoint, triggered_at);
        let (call, answer) = party.ask("trigger", &self.deadlines, trigger);
        self.answers.spawn(async move {
            Answer::Event(Event::HookTriggered { op, result: outcome(&call, answer.await) })
        });
    }

    pub(super) fn snapshot_coordinator(&mut self, op: OpId, vertex: VertexId, checkpoint: CheckpointId) {
        let Some(party) = self.parties.coordinators.get_mut(&vertex) else { return };
        let snapshot =
            move |coordinator: &SharedCoordinator| locked(coordinator, |it| it.checkpoint(checkpoint));
        let (call, answer) = party.ask("snapshot", &self.deadlines, snapshot);
        let notices = self.notices.clone();
        self.answers.spawn(async move {
            let answer = answer.await;
            // Its state is what it was in the middle of something, and later checkpoints would contain that. An error that it
            // returns says that it is still itself.
            if let Err(unanswered @ (Unanswered::Lost | Unanswered::GivenUp { .. })) = &answer {
                let message = unanswered.error(&call, ErrorKind::Other).to_string();
                let _ = notices.send(Notice::Broken { message });
            }
            Answer::Event(Event::CoordinatorSnapshot { op, result: outcome(&call, answer) })
        });
    }

    pub(super) fn notify_coordinator(
        &mut self,
        vertex: VertexId,
        tell: impl FnOnce(&mut dyn OperatorCoordinator) + Send + 'static,
    ) {
        let Some(party) = self.parties.coordinators.get_mut(&vertex) else { return };
        let notify = move |coordinator: &SharedCoordinator| locked(coordinator, tell);
        let (call, answer) = party.ask("notify", &self.deadlines, notify);
        self.answers.spawn(async move { Answer::Told { call, result: answer.await } });
    }

    /// A coordinator that cannot be told what became of a checkpoint is no longer one to rely on.
    pub(super) fn told(&self, call: &Call, result: Result<(), Unanswered>) {
        if let Err(unanswered) = result {
            let message = unanswered.error(call, ErrorKind::Other).to_string();
            let _ = self.notices.send(Notice::Broken { message });
        }
    }
}

/// Runs code of the user with its coordinator, also after it panicked once: the next reset puts it right.
pub(crate) fn locked<R>(
    coordinator: &SharedCoordinator,
    code: impl FnOnce(&mut dyn OperatorCoordinator) -> R,
) -> R {
    code(&mut *coordinator.lock().unwrap_or_else(PoisonError::into_inner))
}

fn outcome<R>(call: &Call, answer: Result<TaskResult<R>, Unanswered>) -> Result<R, Fault> {
    Err(match answer {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) if error.is_io() => Fault::Io { message: error.to_string() },
        Ok(Err(error)) => Fault::Failed { message: error.to_string() },
        Err(unanswered) => Fault::Failed { message: unanswered.error(call, ErrorKind::Other).to_string() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JobFailure, TaskError};
    use std::io;
    use stillframe_storage::StorageError;

    #[test]
    fn an_error_of_input_or_output_is_found_anywhere_among_the_causes() {
        let disk = || io::Error::other("disk full");
        let call = Call::new("trigger", "a hook");
        let is_io = |error: TaskError| matches!(outcome::<()>(&call, Ok(Err(error))), Err(Fault::Io { .. }));
        let storage = || StorageError::new(ErrorKind::Unavailable, "read", "a file");
        assert!(is_io(disk().into()));
        assert!(is_io(storage().into()));
        assert!(is_io(storage().with_source(disk()).into()));
        assert!(is_io(JobFailure::Storage(storage()).into()), "behind another error");
        assert!(!is_io("x".parse::<u32>().expect_err("no number").into()));
        assert!(!is_io(TaskError::message("disk full")), "a text says nothing of what it is about");
    }
}
