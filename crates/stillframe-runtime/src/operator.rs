//! What users write: sources and operators.

use crate::snapshot::ELEMENTS;
use crate::{Output, Snapshot, TaskResult};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::time::Duration;
use stillframe_model::{Attempt, CheckpointId, JobId, KeyGroupRange, Name};
use stillframe_state::{elements, key_group};

/// What travels through a job. Everything that can be copied and sent is one; there is nothing to implement.
pub trait Record: Clone + Send + Sync + 'static {}

impl<T: Clone + Send + Sync + 'static> Record for T {}

/// Which task this is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskContext {
    /// The job.
    pub job: JobId,
    /// The name of the vertex.
    pub vertex: Name,
    /// Which subtask of the vertex, from 0.
    pub subtask: u32,
    /// How many subtasks the vertex has.
    pub parallelism: u32,
    /// Into how many key groups the keys of the vertex are divided.
    pub max_parallelism: u16,
    /// Which execution attempt of this process.
    pub attempt: Attempt,
}

impl TaskContext {
    /// The key groups of this subtask, for its [`KeyedState`](stillframe_state::KeyedState).
    #[must_use]
    pub fn key_groups(&self) -> KeyGroupRange {
        key_group::range_of(self.subtask, self.parallelism, self.max_parallelism)
    }
}

/// The state that a task begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// The checkpoint it comes from; `None` in a job without a past.
    pub checkpoint: Option<CheckpointId>,
    /// Keyed state, to be given to [`KeyedState::restore`](stillframe_state::KeyedState::restore). Several parts, if the
    /// parallelism changed.
    pub keyed: Vec<Bytes>,
    /// Elements of operator state, in order: those that were added with [`Snapshot::with_element`].
    pub elements: Vec<Bytes>,
    /// Elements of other lists of operator state by the name of the list, in order; more easily taken with
    /// [`list`](Self::list).
    pub lists: BTreeMap<Name, Vec<Bytes>>,
}

impl Restored {
    /// What falls to this subtask of a list that was captured with [`Snapshot::with_list`]: nothing if there is no such list.
    ///
    /// # Errors
    /// If there cannot be a list with this name, or an element was of another type.
    pub fn list<E: DeserializeOwned>(&self, name: &str) -> TaskResult<Vec<E>> {
        let elements = match name {
            ELEMENTS => Some(&self.elements),
            _ => self.lists.get(&Name::new(name)?),
        };
        elements.into_iter().flatten().map(|element| Ok(elements::decode_value(element)?)).collect()
    }
}

/// State that takes part in checkpoints. Everything has a default, so that a stateless operator implements nothing.
pub trait Stateful: Send + 'static {
    /// Called once, before anything else.
    ///
    /// # Errors
    /// Fail the attempt.
    fn open(&mut self, restored: Restored) -> TaskResult<()> {
        let _ = restored;
        Ok(())
    }

    /// Captures the state as it is now. The stream waits meanwhile, so this should only take hold of the state and leave
    /// encoding and writing to the [`Snapshot`].
    ///
    /// # Errors
    /// Fail the attempt.
    fn snapshot(&mut self, checkpoint: CheckpointId) -> TaskResult<Snapshot> {
        let _ = checkpoint;
        Ok(Snapshot::new())
    }

    /// A checkpoint is complete, and all earlier ones with it: what was prepared for them can be committed. May be skipped
    /// for a checkpoint, never comes twice for one, and must not assume that it comes at all before a restart.
    ///
    /// # Errors
    /// Fail the attempt; the checkpoint stays complete.
    fn notify_complete(&mut self, checkpoint: CheckpointId) -> TaskResult<()> {
        let _ = checkpoint;
        Ok(())
    }

    /// A checkpoint will not be complete. Best effort.
    ///
    /// # Errors
    /// Fail the attempt.
    fn notify_aborted(&mut self, checkpoint: CheckpointId) -> TaskResult<()> {
        let _ = checkpoint;
        Ok(())
    }

    /// A completed checkpoint, and every one before it, was replaced by a newer one and is not restored any more: what was
    /// only kept for them can go. Comes after [`notify_complete`](Self::notify_complete) of the newer one, in the order of
    /// the checkpoints and never twice for one. Best effort: it may not come at all, and does not come again after a
    /// restart. Their files may exist for a while yet.
    ///
    /// # Errors
    /// Fail the attempt.
    fn notify_subsumed(&mut self, checkpoint: CheckpointId) -> TaskResult<()> {
        let _ = checkpoint;
        Ok(())
    }
}

/// What a source has to say after a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceStatus {
    /// There is more to read at once.
    More,
    /// There may be more after this time.
    Idle(Duration),
    /// There is no more.
    End,
}

/// Where records come from. It can go back: its state says from where it continues, and reading from there again gives
/// the same records.
pub trait Source<T>: Stateful {
    /// Emits some records, a few hundred at most, and returns. Checkpoints are taken between two reads. It runs on a thread
    /// of the runtime: reading a local file is fine, waiting is not; for that, return [`SourceStatus::Idle`].
    ///
    /// # Errors
    /// Fail the attempt.
    fn read(&mut self, output: &mut Output<T>) -> TaskResult<SourceStatus>;

    /// Whether what it reads is old and is merely to be caught up with. As long as this is so for any subtask of any source,
    /// periodic checkpoints come in the
    /// [interval during a backlog](stillframe_config::CheckpointConfig::set_checkpoint_interval_during_backlog). Asked after
    /// every read, so it should only look up what is known.
    #[doc(alias = "setIsProcessingBacklog")]
    fn is_processing_backlog(&self) -> bool {
        false
    }
}

/// What happens to records.
pub trait Operator<T>: Stateful {
    /// Takes in one record.
    ///
    /// # Errors
    /// Fail the attempt.
    fn process(&mut self, record: T, output: &mut Output<T>) -> TaskResult<()>;

    /// All input was processed. Called once in the life of the job, even if it is restored from a checkpoint after that; and
    /// before a savepoint behind which the job stops for good, even if a job goes on from that all the same. What it emits
    /// is held in memory until it returns.
    ///
    /// # Errors
    /// Fail the attempt.
    fn finish(&mut self, output: &mut Output<T>) -> TaskResult<()> {
        let _ = output;
        Ok(())
    }
}
