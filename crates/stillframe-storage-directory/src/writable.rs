use crate::blocks::BlockChecksums;
use crate::failure::Failure;
use crate::layout;
use crate::pieces::Pieces;
use crate::place::Place;
use crate::seam::Entropy;
use crate::segment::Segment;
use crate::side_directory::SideDirectory;
use crate::state_file::{self, StateFileWriter};
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::{CheckpointId, StateDirectory, StateHandle};
use stillframe_storage::{ErrorKind, StateScope, StorageError};

/// Larger state gets a file of its own, in bytes: in a segment it would make everybody else wait.
const LARGE: usize = 1024 * 1024;

/// Where the tasks of this process write their state of one checkpoint.
///
/// After one failure nothing here succeeds any more: what failed may have been the bytes of a task whose state
/// is complete as far as it knows.
#[derive(Debug)]
pub(crate) struct WritableLocation {
    checkpoint: CheckpointId,
    place: Place,
    /// Where state goes that later checkpoints may share. `None` where nothing is shared.
    shared: Option<Arc<SideDirectory>>,
    entropy: Arc<dyn Entropy>,
    inline_threshold: usize,
    segment: Segment,
    failure: Failure,
}

impl WritableLocation {
    pub(crate) fn new(
        checkpoint: CheckpointId,
        place: Place,
        shared: Option<Arc<SideDirectory>>,
        entropy: Arc<dyn Entropy>,
        inline_threshold: usize,
    ) -> Self {
        let segment = Segment::new(place.clone(), Arc::clone(&entropy));
        Self { checkpoint, place, shared, entropy, inline_threshold, segment, failure: Failure::default() }
    }

    /// How many bytes of state stay in memory before there is a file for them.
    pub(crate) fn kept_in_memory(&self, scope: StateScope) -> usize {
        match self.shared(scope) {
            Some(_) => self.inline_threshold,
            None => self.inline_threshold.max(LARGE),
        }
    }

    /// A file for one state.
    pub(crate) async fn begin_file(&self, scope: StateScope) -> Result<StateFileWriter, StorageError> {
        let entropy = &*self.entropy;
        let Some(shared) = self.shared(scope) else {
            let begun = state_file::begin(&*self.place.blobs, &self.place.directory, entropy, layout::state);
            return Ok(StateFileWriter::new(StateDirectory::Exclusive, begun.await?));
        };
        shared.make().await?;
        let name_of = |unique| layout::shared_state(self.checkpoint, unique);
        let begun = state_file::begin(&*shared.blobs, &shared.path, entropy, name_of);
        Ok(StateFileWriter::new(StateDirectory::Shared, begun.await?))
    }

    /// Where state goes that needs no file of its own.
    pub(crate) async fn put(&self, state: Pieces) -> Result<StateHandle, StorageError> {
        if state.len() <= self.inline_threshold {
            // The handle lives as long as the checkpoint is retained. It must not keep a larger buffer alive,
            // of which the state may be a part.
            return Ok(StateHandle::Inline(state.copied()));
        }
        let state = state.into_vec();
        let mut checksums = BlockChecksums::new();
        state.iter().for_each(|piece: &Bytes| checksums.extend(piece));
        self.segment.append(state, checksums.seal()).await.map(StateHandle::Segment)
    }

    /// Makes durable everything that was put here before. Files of their own are durable already.
    pub(crate) async fn sync(&self) -> Result<(), StorageError> {
        self.check("sync")?;
        self.noting(self.segment.sync().await)
    }

    /// The same, and lets go of the segment.
    pub(crate) async fn close(&self) -> Result<(), StorageError> {
        self.noting(self.segment.close().await)
    }

    /// Refuses `operation` after a failure.
    pub(crate) fn check(&self, operation: &'static str) -> Result<(), StorageError> {
        self.failure.check(operation, || {
            format!("state of checkpoint {} in {}", self.checkpoint, self.place.address())
        })
    }

    /// Remembers a failure on its way to the caller.
    pub(crate) fn noting<T>(&self, result: Result<T, StorageError>) -> Result<T, StorageError> {
        result.inspect_err(|error| self.failure.record(error))
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failure.is_recorded()
    }

    /// Whether it holds nothing that might still get lost.
    pub(crate) fn is_durable(&self) -> bool {
        !self.has_failed() && self.segment.is_durable()
    }

    /// Fails what tasks do here from now on, because the checkpoint is being removed.
    pub(crate) fn discard(&self) {
        let discarded = StorageError::new(ErrorKind::Other, "write", "state")
            .with_detail(format!("checkpoint {} was discarded", self.checkpoint));
        self.failure.record(&discarded);
        self.give_up();
    }

    /// Lets go of the segment after a failure.
    pub(crate) fn give_up(&self) {
        self.segment.give_up();
    }

    fn shared(&self, scope: StateScope) -> Option<&SideDirectory> {
        self.shared.as_deref().filter(|_| scope == StateScope::Shared)
    }
}
