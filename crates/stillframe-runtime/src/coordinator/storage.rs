//! What the driver asks of the storage. Each operation has a deadline, and every outcome is an answer.

use super::{Answer, CoordinatorDriver};
use crate::error::chain;
use crate::offload::{Call, Deadlines, Offload, Unanswered};
use std::sync::Arc;
use stillframe_coordinator::{Event, Fault, SnapshotRequest};
use stillframe_metadata as metadata;
use stillframe_model::{CheckpointId, CheckpointMetadata, JobStatus, LocationReference, OpId, StateFile};
use stillframe_storage::{CoordinatorStorage, ErrorKind, StorageError};

/// What is to be removed of a checkpoint.
#[derive(Clone, Debug)]
pub(crate) enum Leftover {
    /// It was begun and not completed.
    Begun { checkpoint: CheckpointId, location: LocationReference },
    /// A later one replaced it.
    Dropped { checkpoint: CheckpointId, shared: Vec<StateFile> },
}

impl Leftover {
    pub(crate) fn checkpoint(&self) -> CheckpointId {
        match self {
            Self::Begun { checkpoint, .. } | Self::Dropped { checkpoint, .. } => *checkpoint,
        }
    }

    /// Removes it, or gives it back with the reason why it stays.
    pub(crate) async fn remove(
        self,
        storage: Arc<dyn CoordinatorStorage>,
        called: &str,
        cleaner: &Offload,
        deadlines: &Deadlines,
    ) -> Result<(), (Self, StorageError)> {
        let call = Call::new("remove", subject(self.checkpoint(), called));
        let leftover = self.clone();
        let removal = async move {
            match leftover {
                Self::Begun { checkpoint, location } => storage.discard(checkpoint, &location).await,
                Self::Dropped { checkpoint, shared } => storage.remove(checkpoint, &shared).await,
            }
        };
        match cleaner.run_within(&call, deadlines, removal).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err((self, error)),
            Err(unanswered) => Err((self, unanswered.error(&call, ErrorKind::Unavailable))),
        }
    }
}

impl CoordinatorDriver {
    pub(super) fn locate(&mut self, op: OpId, checkpoint: CheckpointId, snapshot: SnapshotRequest) {
        let (storage, offload) = (Arc::clone(&self.storage), self.offload.clone());
        let deadlines = Arc::clone(&self.deadlines);
        let call = Call::new("begin", subject(checkpoint, &self.storage_name));
        self.calls.insert(op, (checkpoint, call.clone()));
        self.answers.spawn(async move {
            let located = offload.run_within(&call, &deadlines, async move {
                match snapshot {
                    SnapshotRequest::Checkpoint { .. } => storage.begin_checkpoint(checkpoint).await,
                    SnapshotRequest::Savepoint { target, .. } | SnapshotRequest::Stop { target, .. } => {
                        storage.begin_savepoint(checkpoint, target.as_deref()).await
                    }
                }
            });
            // A place that is made all the same has nothing in it; a later run finds it.
            let result = outcome(&call, located.await, ErrorKind::Unavailable);
            Answer::Event(Event::Located { op, result })
        });
    }

    pub(super) fn publish(
        &mut self,
        op: OpId,
        location: LocationReference,
        content: CheckpointMetadata,
        dropped: Vec<CheckpointId>,
    ) {
        let (storage, offload) = (Arc::clone(&self.storage), self.offload.clone());
        let deadlines = Arc::clone(&self.deadlines);
        let call = Call::new("publish", subject(content.checkpoint, &self.storage_name));
        self.calls.insert(op, (content.checkpoint, call.clone()));
        self.answers.spawn(async move {
            let steps = call.clone();
            let published = offload.run_within(&call, &deadlines, async move {
                steps.step("encoding the metadata");
                let bytes = metadata::encode(&content).map_err(|error| {
                    StorageError::new(ErrorKind::TooLarge, "encode metadata", content.checkpoint.to_string())
                        .with_source(error)
                })?;
                if content.kind.is_savepoint() {
                    steps.step("writing the metadata");
                    storage.publish_savepoint(content.checkpoint, &location, bytes.into()).await
                } else {
                    // Which of the two it writes, the metadata or the entry in the register, the storage knows.
                    steps.step("committing");
                    storage.commit(content.checkpoint, &location, bytes.into(), &dropped).await
                }
            });
            // What a publication did before it panicked, or will still do, cannot be known.
            let result = outcome(&call, published.await, ErrorKind::OutcomeUnknown);
            Answer::Event(Event::Published { op, result })
        });
    }

    pub(super) fn remove(&mut self, op: OpId, leftover: Leftover) {
        let (storage, cleaner) = (Arc::clone(&self.storage), self.cleaner.clone());
        let (deadlines, called) = (Arc::clone(&self.deadlines), Arc::clone(&self.storage_name));
        self.answers.spawn(async move {
            let failed = leftover.remove(storage, &called, &cleaner, &deadlines).await.err();
            Answer::Discarded { op, failed }
        });
    }

    pub(super) fn conclude(&mut self, op: OpId, status: JobStatus, dropped: Vec<CheckpointId>) {
        let (storage, offload) = (Arc::clone(&self.storage), self.offload.clone());
        let deadlines = Arc::clone(&self.deadlines);
        let call = Call::new("record the end of the job", format!("in the {} storage", self.storage_name));
        self.answers.spawn(async move {
            let conclude = async move { storage.conclude(status, &dropped).await };
            let concluded = offload.run_within(&call, &deadlines, conclude).await;
            match outcome(&call, concluded, ErrorKind::OutcomeUnknown) {
                Ok(()) => Answer::Event(Event::Concluded { op, result: Ok(()) }),
                Err(fault) => Answer::ConcludeFailed { op, message: fault.message().into() },
            }
        });
    }
}

fn subject(checkpoint: CheckpointId, storage: &str) -> String {
    format!("checkpoint {checkpoint} in the {storage} storage")
}

/// What the machine is told about the outcome of an operation. `unanswered` is the kind of error if there was no answer.
fn outcome<T>(
    call: &Call,
    result: Result<Result<T, StorageError>, Unanswered>,
    unanswered: ErrorKind,
) -> Result<T, Fault> {
    let error = match result {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error,
        Err(why) => why.error(call, unanswered),
    };
    let message = chain(&error);
    Err(match error.kind() {
        ErrorKind::OutcomeUnknown | ErrorKind::Fenced => Fault::Unknown { message },
        _ => Fault::Failed { message },
    })
}
