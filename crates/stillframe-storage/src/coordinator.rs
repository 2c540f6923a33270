use crate::{CompletedLocation, StorageError};
use async_trait::async_trait;
use bytes::Bytes;
use core::fmt::Debug;
use std::sync::Arc;
use stillframe_model::{CheckpointId, JobStatus, LocationReference, Pointer};

/// What an earlier run of a job left in a storage. Ids in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Checkpoints whose metadata is published.
    pub completed: Vec<CheckpointId>,
    /// Checkpoints that were begun and not completed. Nothing refers to them.
    pub incomplete: Vec<CheckpointId>,
    /// How the job ended, if it did.
    pub ended: Option<JobStatus>,
}

/// The administration of one job's checkpoints. Only the coordinator's driver holds it.
#[async_trait]
pub trait CoordinatorStorage: Debug + Send + Sync + 'static {
    /// Looks at what is there. The first call of every run; what it reports as completed is durable when it returns,
    /// even if the process that published it died before it could make sure.
    ///
    /// # Errors
    /// If the place cannot be read.
    async fn survey(&self) -> Result<Survey, StorageError>;

    /// Makes the place for a checkpoint. An id is used once.
    ///
    /// # Errors
    /// `AlreadyExists` for an id that was used before; otherwise as the medium fails.
    async fn begin_checkpoint(&self, checkpoint: CheckpointId) -> Result<LocationReference, StorageError>;

    /// Makes the place for a savepoint under `target`, or under the storage's own savepoint directory.
    ///
    /// # Errors
    /// `Unsupported` if neither is given or the storage keeps no savepoints.
    async fn begin_savepoint(
        &self,
        checkpoint: CheckpointId,
        target: Option<&str>,
    ) -> Result<LocationReference, StorageError>;

    /// Makes a checkpoint or savepoint exist: when this returns `Ok`, its metadata and everything that tasks finished
    /// writing for it survive the loss of power, and no other publication under the same place can succeed.
    ///
    /// # Errors
    /// [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) if it may nevertheless exist. Any other kind means that it
    /// does not and never will by this call.
    async fn publish(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
    ) -> Result<Pointer, StorageError>;

    /// A completed checkpoint of this job, to be read.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    async fn open_checkpoint(
        &self,
        checkpoint: CheckpointId,
    ) -> Result<Arc<dyn CompletedLocation>, StorageError>;

    /// Removes a checkpoint, complete or not, with all state that was written for it. Repeating it is harmless, and so
    /// is interrupting it: metadata goes first, so that what remains is incomplete.
    ///
    /// # Errors
    /// As the medium fails; the rest can be removed later.
    async fn discard(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
    ) -> Result<(), StorageError>;

    /// Writes down, durably, how the job ended. From then on [`survey`](Self::survey) says so, and the job's checkpoints
    /// are no longer what keeps its output from being produced twice. Repeating it is harmless. A suspended job has not
    /// ended: nothing is written for it.
    ///
    /// # Errors
    /// `AlreadyExists` if it ended otherwise before; else as the medium fails.
    async fn conclude(&self, status: JobStatus) -> Result<(), StorageError>;
}
