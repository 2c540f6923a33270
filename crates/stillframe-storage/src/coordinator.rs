use crate::{CompletedLocation, StorageError, Sweep, SweepMode};
use async_trait::async_trait;
use bytes::Bytes;
use core::fmt::{self, Debug};
use std::sync::Arc;
use stillframe_model::{CheckpointId, JobStatus, LocationReference, Pointer, StateFile};

/// What a coordinator takes over when it [claims](CoordinatorStorage::claim) a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The completed checkpoints, in ascending order.
    pub retained: Vec<CheckpointId>,
    /// Those of them that the job did not write itself but [took](Ownership::Taken), in ascending order. Whatever job their
    /// metadata names, later checkpoints call their files as [`foreign`](CompletedLocation::foreign) does.
    pub taken: Vec<CheckpointId>,
    /// The first id that the coordinator may use. Nobody else has used it or any after it, nor will.
    pub next: CheckpointId,
    /// How the job ended, if it did.
    pub ended: Option<JobStatus>,
    /// The directories of others, by their address, that the retained checkpoints may refer to and that stay their owners'.
    pub left: Vec<Arc<str>>,
}

/// Whose a snapshot is that another job took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ownership {
    /// This job's from now on, which removes it when a newer checkpoint replaces it.
    Taken,
    /// Somebody else's. Checkpoints may refer to its state, and none of it is ever removed.
    Left,
    /// Somebody else's, and no checkpoint refers to its state.
    Unclaimed,
}

/// What a [`commit`](CoordinatorStorage::commit) does that has not returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CommitStage {
    /// It writes the metadata.
    Metadata,
    /// It writes the entry of the register that makes the checkpoint complete.
    Register,
}

impl fmt::Display for CommitStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "writing the metadata",
            Self::Register => "writing the entry in the register",
        })
    }
}

/// The administration of one job's checkpoints. Only the coordinator's driver holds it.
#[async_trait]
pub trait CoordinatorStorage: Debug + Send + Sync + 'static {
    /// Whether checkpoints outlive the process that runs the coordinator.
    fn is_highly_available(&self) -> bool;

    /// Whether a savepoint can be begun without naming a directory for it.
    fn has_default_savepoint_location(&self) -> bool;

    /// Takes the job over. The first call of every run; whoever held the job before can commit nothing from now on. A
    /// coordinator that holds it already is told what is there now, and goes on behind the ids that it used.
    ///
    /// # Errors
    /// `Fenced` if somebody else took the job over meanwhile, or the outcome of an earlier call could not be settled;
    /// `Corrupt` if what is there does not fit together.
    async fn claim(&self) -> Result<Claim, StorageError>;

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

    /// Makes a checkpoint exist, and others cease to, in one step. When this returns `Ok`, its metadata and everything that
    /// tasks made durable for it survive the loss of power, and it is among the retained ones of every later claim; the
    /// dropped ones are not. Their state is still there, to be [removed](Self::remove).
    ///
    /// # Errors
    /// [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) if it may nevertheless exist, and `Fenced` if somebody else has
    /// taken over: nothing that the checkpoint consists of may be deleted then. Any other kind means that it does not
    /// exist and never will by this call.
    async fn commit(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
        dropped: &[CheckpointId],
    ) -> Result<Pointer, StorageError>;

    /// How far a [`commit`](Self::commit) of this checkpoint is that has not returned. Asked when a person wonders what is
    /// waited for, and answered at once, from memory. `None` if there is no such commit, or nothing more is known of it.
    fn commit_stage(&self, checkpoint: CheckpointId) -> Option<CommitStage> {
        let _ = checkpoint;
        None
    }

    /// Makes a savepoint exist, durably. It belongs to whoever asked for it.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    async fn publish_savepoint(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
    ) -> Result<Pointer, StorageError>;

    /// A completed checkpoint of this job, to be read.
    ///
    /// # Errors
    /// `NotFound` if it is not there; `Fenced` if that is so because somebody else took the job over, who may have replaced it. What
    /// is read through it fails in the same way.
    async fn open_checkpoint(
        &self,
        checkpoint: CheckpointId,
    ) -> Result<Arc<dyn CompletedLocation>, StorageError>;

    /// Begins with a snapshot that another job took: writes down, durably, whose it is and whether checkpoints may refer to
    /// its state. The ids go on behind its id. [`Taken`](Ownership::Taken), it is one of the retained checkpoints from now on.
    /// Done before the first checkpoint begins.
    ///
    /// # Errors
    /// `Unsupported` if this storage has no place to write that down; `AlreadyExists` if the job has a checkpoint of its own
    /// with that or a higher id.
    async fn adopt(
        &self,
        snapshot: Arc<dyn CompletedLocation>,
        checkpoint: CheckpointId,
        ownership: Ownership,
    ) -> Result<Claim, StorageError>;

    /// Removes a checkpoint or savepoint that was begun and not completed, with all state that was written for it.
    /// Repeating it is harmless, and so is interrupting it.
    ///
    /// # Errors
    /// As the medium fails; the rest can be removed later.
    async fn discard(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
    ) -> Result<(), StorageError>;

    /// Removes a checkpoint that a commit has dropped, and with it those shared files that no retained checkpoint refers to
    /// any more. Repeating it is harmless, and so is interrupting it.
    ///
    /// # Errors
    /// As the medium fails; the rest can be removed later.
    async fn remove(&self, checkpoint: CheckpointId, shared: &[StateFile]) -> Result<(), StorageError>;

    /// Writes down, durably and in one step, how the job ended and which of its checkpoints that makes superfluous. From then
    /// on every [`claim`](Self::claim) says so, and the job's checkpoints are no longer what keeps its output from being
    /// produced twice. Repeating it is harmless. A suspended job has not ended, and nothing is written for it.
    ///
    /// # Errors
    /// `AlreadyExists` if it ended otherwise before; else as [`commit`](Self::commit).
    async fn conclude(&self, status: JobStatus, dropped: &[CheckpointId]) -> Result<(), StorageError>;

    /// Looks for what earlier runs left behind that no retained checkpoint refers to, says of each object why it stays or
    /// goes, and removes what goes if that is the mode. What this run is writing is never touched.
    ///
    /// # Errors
    /// As the medium fails. What was found and removed until then is lost from the account, not from the storage.
    async fn sweep(&self, mode: SweepMode) -> Result<Sweep, StorageError>;
}
