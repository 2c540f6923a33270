//! How far each checkpoint has come, for those who asked for it.

use crate::handle::Reply;
use std::collections::BTreeMap;
use std::time::Duration;
use stillframe_coordinator::{Outcome, Refused, Report};
use stillframe_model::{CheckpointId, RequestId, Timestamp};

/// Who waits for which checkpoint.
#[derive(Debug)]
pub(crate) struct Levels {
    next: RequestId,
    replies: BTreeMap<RequestId, Reply>,
    checkpoints: BTreeMap<CheckpointId, Begun>,
}

#[derive(Debug)]
struct Begun {
    triggered: Timestamp,
    request: Option<RequestId>,
}

/// Of so many checkpoints it is remembered when they began. A task that never commits must not cost memory for ever.
const MOST: usize = 64;

impl Default for Levels {
    fn default() -> Self {
        Self { next: RequestId::new(0), replies: BTreeMap::new(), checkpoints: BTreeMap::new() }
    }
}

impl Levels {
    /// A person asks.
    pub(crate) fn ask(&mut self, reply: Reply) -> RequestId {
        let request = self.next;
        self.next = request.next();
        self.replies.insert(request, reply);
        request
    }

    /// It is decided what becomes of a request.
    pub(crate) fn resolve(&mut self, request: RequestId, outcome: Result<Outcome, Refused>) {
        self.tell(request, |levels| levels.resolved = Some(outcome));
    }

    /// Writes down what is reported, and says how long after the trigger of the checkpoint that is.
    pub(crate) fn follow(&mut self, now: Timestamp, report: &Report) -> Duration {
        let checkpoint = match report {
            Report::Triggered { checkpoint, request, .. } => {
                let begun = Begun { triggered: now, request: *request };
                self.checkpoints.insert(*checkpoint, begun);
                if self.checkpoints.len() > MOST {
                    self.checkpoints.pop_first();
                }
                *checkpoint
            }
            Report::Captured { checkpoint }
            | Report::Durable { checkpoint }
            | Report::Committed { checkpoint } => *checkpoint,
            Report::Completed(completed) => completed.checkpoint,
            Report::Aborted(aborted) => aborted.checkpoint,
            Report::Subsumed { .. } | Report::Skipped { .. } | Report::Refused { .. } => {
                return Duration::ZERO;
            }
        };
        let Some(Begun { triggered, request }) = self.checkpoints.get(&checkpoint) else {
            return Duration::ZERO;
        };
        let (after, request) = (now.since(*triggered), *request);
        if let Some(request) = request {
            self.tell(request, |levels| match report {
                Report::Triggered { .. } => levels.checkpoint = Some(checkpoint),
                Report::Captured { .. } => levels.captured = Some(after),
                Report::Durable { .. } => levels.durable = Some(after),
                Report::Completed(completed) => {
                    levels.commits_nothing =
                        completed.kind.is_savepoint() && !completed.kind.is_synchronous();
                    let pointer = completed.pointer.clone();
                    levels.published = Some((Outcome { checkpoint, pointer }, after));
                }
                Report::Committed { .. } => levels.committed = Some(after),
                Report::Aborted(_)
                | Report::Subsumed { .. }
                | Report::Skipped { .. }
                | Report::Refused { .. } => {}
            });
        }
        if matches!(report, Report::Aborted(_) | Report::Committed { .. }) {
            self.checkpoints.remove(&checkpoint);
        }
        after
    }

    fn tell(&mut self, request: RequestId, change: impl FnOnce(&mut crate::handle::Levels)) {
        let Some(reply) = self.replies.get(&request) else { return };
        reply.send_modify(change);
        let is_over = reply.borrow().is_over();
        if is_over {
            self.replies.remove(&request);
        }
    }
}
