//! A storage in memory whose publications can be made to go wrong.

use super::gate::{Gate, Op};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe_model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, Crc32c, FileHandle, JobId, JobStatus,
    LocationReference, Name, Pointer, PostCheckpointAction, SavepointFormat, SavepointKind, StateDirectory,
    StateFile, StateHandle, StorageDescriptor, UnixMillis,
};
use stillframe_storage::{
    CheckpointStorage, Claim, CommitStage, CompletedLocation, CoordinatorStorage, ErrorKind, Ownership,
    StateReader, StateScope, StateStream, StorageAccess, StorageError, Sweep, SweepMode, WorkerStorage,
    async_trait,
};

type Publish = dyn Fn(CheckpointId) -> Result<(), StorageError> + Send + Sync;

#[derive(Clone)]
pub(super) struct Shelf {
    content: Arc<Mutex<Content>>,
    publish: Arc<Publish>,
    /// Which claim fails, counted from 0.
    bad_claim: Option<u32>,
    /// Whether state goes into files, of which only the names are made up.
    in_files: bool,
    pub(super) gate: Arc<Gate>,
    /// The same for whoever only wants to know how far a commit is.
    pub(super) curious: Arc<Gate>,
}

#[derive(Default)]
struct Content {
    /// The metadata of those that are complete.
    checkpoints: BTreeMap<CheckpointId, Option<Bytes>>,
    ended: Option<JobStatus>,
    claims: u32,
    newest: Option<CheckpointId>,
    savepoints: BTreeMap<String, Bytes>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self::publishing(|_| Ok(()))
    }
}

impl Shelf {
    /// `publish` runs before every publication, where it may block, and decides its outcome.
    pub(super) fn publishing(
        publish: impl Fn(CheckpointId) -> Result<(), StorageError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            content: Arc::default(),
            publish: Arc::new(publish),
            bad_claim: None,
            in_files: false,
            gate: Arc::default(),
            curious: Arc::default(),
        }
    }

    /// The same with state that cannot be read again, and has to be made durable.
    pub(super) fn with_files(self) -> Self {
        Self { in_files: true, ..self }
    }

    /// The same with a claim that fails, once.
    pub(super) fn with_bad_claim(self, number: u32) -> Self {
        Self { bad_claim: Some(number), ..self }
    }

    /// As a run leaves it that was killed between the record of its end and what follows that.
    pub(super) fn killed_at_its_end(self) -> Self {
        self.content().checkpoints.insert(CheckpointId::FIRST, None);
        self.content().ended = Some(JobStatus::Finished);
        self
    }

    /// Puts something else in the place of a checkpoint's metadata.
    pub(super) fn spoil(&self, checkpoint: CheckpointId) {
        self.content().checkpoints.insert(checkpoint, Some(Bytes::from_static(b"spoiled")));
    }

    /// With a savepoint of another job.
    pub(super) fn keep_savepoint(&self, name: &str) {
        let action = PostCheckpointAction::None;
        let content = CheckpointMetadata {
            job: JobId::from_bytes([2; 16]),
            checkpoint: CheckpointId::new(3),
            kind: CheckpointKind::Savepoint(SavepointKind { format: SavepointFormat::Canonical, action }),
            triggered_at: UnixMillis(0),
            operators: BTreeMap::new(),
            hooks: BTreeMap::new(),
        };
        let bytes = stillframe_metadata::encode(&content).expect("it is small");
        self.content().savepoints.insert(name.into(), bytes.into());
    }

    pub(super) fn claims(&self) -> u32 {
        self.content().claims
    }

    pub(super) fn ended(&self) -> Option<JobStatus> {
        self.content().ended
    }

    /// Those that take up space, complete or not.
    pub(super) fn residue(&self) -> Vec<CheckpointId> {
        self.content().checkpoints.keys().copied().collect()
    }

    pub(super) fn completed(&self) -> Vec<CheckpointId> {
        let content = self.content();
        content.checkpoints.iter().filter(|(_, metadata)| metadata.is_some()).map(|(&id, _)| id).collect()
    }

    /// Moves the newest to the place of the next.
    pub(super) fn misplace_newest(&self) -> Option<CheckpointId> {
        let newest = self.completed().last().copied()?;
        let mut content = self.content();
        let metadata = content.checkpoints.remove(&newest)?;
        content.checkpoints.insert(newest.next(), metadata);
        Some(newest)
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shelf")
    }
}

#[async_trait]
impl CheckpointStorage for Shelf {
    fn descriptor(&self) -> StorageDescriptor {
        StorageDescriptor::new("shelf")
    }

    async fn open(&self, _: JobId) -> Result<Arc<dyn StorageAccess>, StorageError> {
        self.gate.pass(Op::Open);
        Ok(Arc::new(self.clone()))
    }

    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.gate.pass(Op::Resolve);
        let metadata = self.content().savepoints.get(pointer.as_str()).cloned();
        let metadata =
            metadata.ok_or_else(|| StorageError::new(ErrorKind::NotFound, "resolve", pointer.as_str()))?;
        Ok(Arc::new(Completed { pointer: pointer.clone(), metadata, gate: Arc::clone(&self.gate) }))
    }
}

impl StorageAccess for Shelf {
    fn coordinator(&self) -> Arc<dyn CoordinatorStorage> {
        Arc::new(self.clone())
    }

    fn worker(&self) -> Arc<dyn WorkerStorage> {
        Arc::new(self.clone())
    }
}

#[async_trait]
impl CoordinatorStorage for Shelf {
    fn is_highly_available(&self) -> bool {
        false
    }

    fn has_default_savepoint_location(&self) -> bool {
        true
    }

    async fn claim(&self) -> Result<Claim, StorageError> {
        self.gate.pass(Op::Claim);
        let retained = self.completed();
        let mut content = self.content();
        content.claims += 1;
        if self.bad_claim == Some(content.claims - 1) {
            return Err(StorageError::new(ErrorKind::Unavailable, "claim", "the shelf"));
        }
        let next = content.newest.map_or(CheckpointId::FIRST, CheckpointId::next);
        Ok(Claim { retained, taken: Vec::new(), next, ended: content.ended, left: Vec::new() })
    }

    async fn begin_checkpoint(&self, checkpoint: CheckpointId) -> Result<LocationReference, StorageError> {
        self.gate.pass(Op::BeginCheckpoint);
        let mut content = self.content();
        content.newest = content.newest.max(Some(checkpoint));
        content.checkpoints.insert(checkpoint, None);
        Ok(LocationReference::Default)
    }

    async fn begin_savepoint(
        &self,
        checkpoint: CheckpointId,
        _: Option<&str>,
    ) -> Result<LocationReference, StorageError> {
        self.gate.pass(Op::BeginSavepoint);
        let mut content = self.content();
        content.newest = content.newest.max(Some(checkpoint));
        Ok(LocationReference::Default)
    }

    async fn commit(
        &self,
        checkpoint: CheckpointId,
        _: &LocationReference,
        metadata: Bytes,
        dropped: &[CheckpointId],
    ) -> Result<Pointer, StorageError> {
        self.gate.pass(Op::Commit);
        (self.publish)(checkpoint)?;
        let mut content = self.content();
        content.checkpoints.insert(checkpoint, Some(metadata));
        for id in dropped {
            content.checkpoints.insert(*id, None);
        }
        Ok(Pointer::new(checkpoint.to_string()))
    }

    /// It hangs before it has written anything, if at all.
    fn commit_stage(&self, _: CheckpointId) -> Option<CommitStage> {
        self.curious.pass(Op::Commit);
        (self.gate.inside() > 0).then_some(CommitStage::Metadata)
    }

    async fn publish_savepoint(
        &self,
        checkpoint: CheckpointId,
        _: &LocationReference,
        metadata: Bytes,
    ) -> Result<Pointer, StorageError> {
        self.gate.pass(Op::PublishSavepoint);
        let name = format!("savepoint-{checkpoint}");
        self.content().savepoints.insert(name.clone(), metadata);
        Ok(Pointer::new(name))
    }

    async fn adopt(
        &self,
        _: Arc<dyn CompletedLocation>,
        checkpoint: CheckpointId,
        _: Ownership,
    ) -> Result<Claim, StorageError> {
        self.gate.pass(Op::Adopt);
        let next = checkpoint.next();
        self.content().newest = Some(checkpoint);
        Ok(Claim { retained: Vec::new(), taken: Default::default(), next, ended: None, left: Vec::new() })
    }

    async fn remove(&self, checkpoint: CheckpointId, _: &[StateFile]) -> Result<(), StorageError> {
        self.gate.pass(Op::Remove);
        self.content().checkpoints.remove(&checkpoint);
        Ok(())
    }

    async fn sweep(&self, _: SweepMode) -> Result<Sweep, StorageError> {
        self.gate.pass(Op::Sweep);
        self.content().checkpoints.retain(|_, metadata| metadata.is_some());
        Ok(Sweep::default())
    }

    async fn open_checkpoint(
        &self,
        checkpoint: CheckpointId,
    ) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.gate.pass(Op::OpenCheckpoint);
        let metadata = self.content().checkpoints.get(&checkpoint).cloned().flatten();
        let missing = || StorageError::new(ErrorKind::NotFound, "open checkpoint", checkpoint.to_string());
        Ok(Arc::new(Completed {
            pointer: Pointer::new(checkpoint.to_string()),
            metadata: metadata.ok_or_else(missing)?,
            gate: Arc::clone(&self.gate),
        }))
    }

    async fn discard(&self, checkpoint: CheckpointId, _: &LocationReference) -> Result<(), StorageError> {
        self.gate.pass(Op::Discard);
        self.content().checkpoints.remove(&checkpoint);
        Ok(())
    }

    async fn conclude(&self, status: JobStatus, dropped: &[CheckpointId]) -> Result<(), StorageError> {
        self.gate.pass(Op::Conclude);
        let mut content = self.content();
        content.ended = Some(status);
        for id in dropped {
            content.checkpoints.insert(*id, None);
        }
        Ok(())
    }
}

#[async_trait]
impl WorkerStorage for Shelf {
    async fn create(
        &self,
        _: CheckpointId,
        _: &LocationReference,
        _: StateScope,
    ) -> Result<Box<dyn StateStream>, StorageError> {
        self.gate.pass(Op::Create);
        Ok(Box::new(Stream { bytes: Vec::new(), in_files: self.in_files, gate: Arc::clone(&self.gate) }))
    }

    async fn sync(&self, _: CheckpointId, _: &LocationReference) -> Result<(), StorageError> {
        Ok(())
    }
}

#[derive(Debug)]
struct Stream {
    bytes: Vec<u8>,
    in_files: bool,
    gate: Arc<Gate>,
}

#[async_trait]
impl StateStream for Stream {
    fn position(&self) -> u64 {
        self.bytes.len() as u64
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.gate.pass(Op::Write);
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Option<StateHandle>, StorageError> {
        self.gate.pass(Op::Finish);
        if self.in_files {
            let name =
                Name::new("state").map_err(|_| StorageError::new(ErrorKind::Other, "finish", "state"))?;
            let file = StateFile { directory: StateDirectory::Exclusive, name };
            let (len, crc) = (self.bytes.len() as u64, Crc32c::of(&self.bytes));
            return Ok(Some(StateHandle::File(FileHandle { file, len, crc })));
        }
        Ok((!self.bytes.is_empty()).then(|| StateHandle::Inline(self.bytes.into())))
    }

    async fn abort(self: Box<Self>) -> Result<(), StorageError> {
        Ok(())
    }
}

#[derive(Debug)]
struct Completed {
    pointer: Pointer,
    metadata: Bytes,
    gate: Arc<Gate>,
}

#[async_trait]
impl CompletedLocation for Completed {
    fn pointer(&self) -> &Pointer {
        &self.pointer
    }

    async fn metadata(&self) -> Result<Bytes, StorageError> {
        self.gate.pass(Op::Metadata);
        Ok(self.metadata.clone())
    }

    async fn open(&self, handle: &StateHandle) -> Result<Box<dyn StateReader>, StorageError> {
        self.gate.pass(Op::OpenState);
        match handle {
            StateHandle::Inline(bytes) => Ok(Box::new(Reader {
                bytes: bytes.clone(),
                len: bytes.len() as u64,
                gate: Arc::clone(&self.gate),
            })),
            StateHandle::File(_) | StateHandle::Segment(_) => {
                Err(StorageError::new(ErrorKind::NotFound, "read state", "a file"))
            }
        }
    }

    fn foreign(&self, _: &StateFile) -> Option<StateFile> {
        None
    }
}

#[derive(Debug)]
struct Reader {
    bytes: Bytes,
    len: u64,
    gate: Arc<Gate>,
}

#[async_trait]
impl StateReader for Reader {
    fn len(&self) -> u64 {
        self.len
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        self.gate.pass(Op::Next);
        Ok(Some(std::mem::take(&mut self.bytes)).filter(|bytes| !bytes.is_empty()))
    }
}
