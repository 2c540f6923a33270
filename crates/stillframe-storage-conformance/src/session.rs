use crate::state::{LARGE, MEDIUM, NATIVE_SAVEPOINT, metadata, pattern};
use crate::subject::Encode;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stillframe_model::{
    CheckpointId, CheckpointKind, JobId, LocationReference, Pointer, StateFile, StateHandle,
};
use stillframe_storage::{
    CheckpointStorage, Claim, CompletedLocation, CoordinatorStorage, StateScope, StorageAccess, WorkerStorage,
};

/// One run of a job, with the few steps that most cases take.
pub(crate) struct Session {
    pub(crate) job: JobId,
    pub(crate) access: Arc<dyn StorageAccess>,
    pub(crate) coordinator: Arc<dyn CoordinatorStorage>,
    pub(crate) worker: Arc<dyn WorkerStorage>,
    /// What it was told when it began.
    pub(crate) claimed: Claim,
    next: AtomicU64,
    encode: Encode,
}

/// A checkpoint or savepoint, with the state that was written for it.
pub(crate) struct Taken {
    pub(crate) id: CheckpointId,
    pub(crate) location: LocationReference,
    pub(crate) states: Vec<(StateHandle, Bytes)>,
    pub(crate) metadata: Bytes,
    pub(crate) pointer: Pointer,
}

impl Taken {
    /// The files with its state.
    pub(crate) fn files(&self) -> impl Iterator<Item = &StateFile> {
        self.states.iter().filter_map(|(handle, _)| handle.file())
    }

    /// Asserts that this is where it is, with its metadata and all of its state.
    pub(crate) async fn assert_at(&self, found: &dyn CompletedLocation) {
        let metadata = found.metadata().await.expect("its metadata can be read");
        assert!(metadata == self.metadata, "the metadata of checkpoint {} differs", self.id);
        for (handle, state) in &self.states {
            let read = found.read(handle).await.expect("its state can be read");
            assert!(read == *state, "{} bytes of state of checkpoint {} differ", state.len(), self.id);
        }
    }
}

impl Session {
    pub(crate) async fn begin(storage: &dyn CheckpointStorage, job: JobId, encode: Encode) -> Self {
        let access = storage.open(job).await.expect("a storage opens");
        let (coordinator, worker) = (access.coordinator(), access.worker());
        let claimed = coordinator.claim().await.expect("a job can be claimed");
        let next = AtomicU64::new(claimed.next.get());
        Self { job, access, coordinator, worker, claimed, next, encode }
    }

    /// The metadata of a checkpoint with these states.
    pub(crate) fn metadata(&self, checkpoint: CheckpointId, states: &[(StateHandle, Bytes)]) -> Bytes {
        (self.encode)(&metadata(self.job, checkpoint, CheckpointKind::Checkpoint, states))
    }

    /// The same of a savepoint.
    pub(crate) fn metadata_of_savepoint(
        &self,
        checkpoint: CheckpointId,
        states: &[(StateHandle, Bytes)],
    ) -> Bytes {
        (self.encode)(&metadata(self.job, checkpoint, NATIVE_SAVEPOINT, states))
    }

    /// An id that nobody used.
    pub(crate) fn draw(&self) -> CheckpointId {
        CheckpointId::new(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// What the coordinator is told when it claims the job once more.
    pub(crate) async fn claim(&self) -> Claim {
        self.coordinator.claim().await.expect("whoever holds a job can claim it again")
    }

    pub(crate) async fn retained(&self) -> Vec<CheckpointId> {
        self.claim().await.retained
    }

    /// Makes the place for a checkpoint under an id that nobody used.
    pub(crate) async fn place(&self) -> (CheckpointId, LocationReference) {
        let id = self.draw();
        let location = self.coordinator.begin_checkpoint(id).await;
        (id, location.expect("an id that was not used can be begun"))
    }

    /// Writes state in pieces of `piece` bytes.
    pub(crate) async fn write(
        &self,
        (checkpoint, location): (CheckpointId, &LocationReference),
        scope: StateScope,
        state: &Bytes,
        piece: usize,
    ) -> StateHandle {
        write(&*self.worker, (checkpoint, location), scope, state, piece).await
    }

    /// Writes one state of this length for the checkpoint alone, in one piece.
    pub(crate) async fn write_one(
        &self,
        at: (CheckpointId, &LocationReference),
        len: usize,
    ) -> (StateHandle, Bytes) {
        let state = pattern(len, at.0.get() ^ (len as u64) << 20);
        (self.write(at, StateScope::Exclusive, &state, len.max(1)).await, state)
    }

    pub(crate) async fn sync(&self, checkpoint: CheckpointId, location: &LocationReference) {
        self.worker.sync(checkpoint, location).await.expect("what was finished can be made durable");
    }

    /// Commits a checkpoint whose metadata refers to these states.
    pub(crate) async fn commit(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        states: &[(StateHandle, Bytes)],
        dropped: &[CheckpointId],
    ) -> Pointer {
        let metadata = self.metadata(checkpoint, states);
        let committed = self.coordinator.commit(checkpoint, location, metadata, dropped).await;
        committed.expect("a checkpoint that was begun can be committed")
    }

    /// Begins, writes and commits a checkpoint with state of several sizes.
    pub(crate) async fn complete(&self, dropped: &[CheckpointId]) -> Taken {
        self.complete_on(&[], dropped).await
    }

    /// The same, with shared state of an earlier checkpoint in it.
    pub(crate) async fn complete_on(
        &self,
        earlier: &[(StateHandle, Bytes)],
        dropped: &[CheckpointId],
    ) -> Taken {
        let (id, location) = self.place().await;
        let mut states = earlier.to_vec();
        for len in [1, MEDIUM, LARGE] {
            states.push(self.write_one((id, &location), len).await);
        }
        self.sync(id, &location).await;
        let pointer = self.commit(id, &location, &states, dropped).await;
        let metadata = self.metadata(id, &states);
        Taken { id, location, states, metadata, pointer }
    }

    /// The same without state.
    pub(crate) async fn complete_empty(&self, dropped: &[CheckpointId]) -> Taken {
        let (id, location) = self.place().await;
        let pointer = self.commit(id, &location, &[], dropped).await;
        Taken { id, location, states: Vec::new(), metadata: self.metadata(id, &[]), pointer }
    }

    /// Begins a checkpoint and writes state for it, durably, but leaves it at that.
    pub(crate) async fn leave_incomplete(&self) -> (CheckpointId, LocationReference) {
        let (id, location) = self.place().await;
        for len in [MEDIUM, LARGE] {
            self.write_one((id, &location), len).await;
        }
        self.sync(id, &location).await;
        (id, location)
    }

    /// Begins, writes and publishes a savepoint.
    pub(crate) async fn savepoint(&self, target: Option<&str>) -> Taken {
        let id = self.draw();
        let location = self.coordinator.begin_savepoint(id, target).await;
        let location = location.expect("a savepoint can be begun");
        let mut states = Vec::new();
        for len in [1, MEDIUM, LARGE] {
            states.push(self.write_one((id, &location), len).await);
        }
        let state = pattern(MEDIUM, 99);
        let shared = self.write((id, &location), StateScope::Shared, &state, MEDIUM).await;
        states.push((shared, state));
        self.sync(id, &location).await;
        let metadata = self.metadata_of_savepoint(id, &states);
        let pointer = self.coordinator.publish_savepoint(id, &location, metadata.clone()).await;
        Taken { id, location, states, metadata, pointer: pointer.expect("a savepoint can be published") }
    }

    pub(crate) async fn open(&self, checkpoint: CheckpointId) -> Arc<dyn CompletedLocation> {
        self.coordinator.open_checkpoint(checkpoint).await.expect("a completed checkpoint opens")
    }

    /// Asserts that a checkpoint is there with its metadata and all of its state.
    pub(crate) async fn assert_intact(&self, taken: &Taken) {
        taken.assert_at(&*self.open(taken.id).await).await;
    }
}

/// Writes state in pieces of `piece` bytes.
pub(crate) async fn write(
    worker: &dyn WorkerStorage,
    (checkpoint, location): (CheckpointId, &LocationReference),
    scope: StateScope,
    state: &Bytes,
    piece: usize,
) -> StateHandle {
    let mut stream = worker.create(checkpoint, location, scope).await.expect("a stream can be created");
    let mut rest = state.clone();
    while !rest.is_empty() {
        let bytes = rest.split_to(piece.min(rest.len()));
        stream.write(bytes).await.expect("state can be written");
        assert_eq!(stream.position(), (state.len() - rest.len()) as u64, "position after a write");
    }
    let handle = stream.finish().await.expect("a stream can be finished");
    let handle = handle.expect("a stream that was written to has a handle");
    assert_eq!(handle.size(), state.len() as u64, "size of a handle");
    handle
}
