//! Why each checkpoint in progress is not complete yet, for whoever wonders.

use super::CoordinatorDriver;
use crate::handle::{PendingCheckpoint, StorageCall};
use crate::offload::{Call, Deadlines};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a storage has to say how far it is. It is to answer at once, and nobody waits long for this.
const PATIENCE: Duration = Duration::from_secs(1);

impl CoordinatorDriver {
    pub(super) fn answer(&self, reply: oneshot::Sender<Vec<PendingCheckpoint>>) {
        let mut pending = self.status();
        // While one question hangs there is no other: somebody who wonders often would use up the threads of all.
        let is_asked = Arc::strong_count(&self.asked) > 1;
        if is_asked || pending.iter().all(|pending| pending.storage.is_none()) {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(pending);
            return;
        }
        // The driver itself calls nothing that somebody else wrote.
        let (storage, lane) = (Arc::clone(&self.storage), self.offload.lane(1, "status"));
        let checkpoints: Vec<_> = pending.iter().map(|pending| pending.status.checkpoint).collect();
        let call = Call::new("ask how far it is", format!("the {} storage", self.storage_name));
        let asked = Arc::clone(&self.asked);
        tokio::spawn(async move {
            let ask = async move {
                let stages = checkpoints.into_iter().map(|id| storage.commit_stage(id)).collect();
                drop(asked);
                stages
            };
            let stages: Vec<_> =
                lane.run_within(&call, &Deadlines::new(PATIENCE), ask).await.unwrap_or_default();
            for (pending, stage) in pending.iter_mut().zip(stages) {
                if let Some(call) = &mut pending.storage {
                    call.stage = stage;
                }
            }
            let _ = reply.send(pending);
        });
    }

    fn status(&self) -> Vec<PendingCheckpoint> {
        let storage = |checkpoint| {
            let call = self.calls.values().find(|(of, _)| *of == checkpoint).map(|(_, call)| call)?;
            Some(StorageCall { operation: call.to_string(), stage: None, waiting: call.since().elapsed() })
        };
        let pending = self.machine.status(self.clock.now()).into_iter();
        pending.map(|status| PendingCheckpoint { storage: storage(status.checkpoint), status }).collect()
    }
}
