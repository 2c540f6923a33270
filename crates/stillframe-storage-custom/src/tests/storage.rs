//! A storage in a map that keeps the contract, except for one fault that it is told to have.

mod state;

use async_trait::async_trait;
use bytes::Bytes;
use state::{Finished, Reader, Stream};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use stillframe_model::{
    CheckpointId, JobId, JobStatus, LocationReference, Name, Pointer, StateDirectory, StateFile, StateHandle,
    StorageDescriptor,
};
use stillframe_storage::{
    CheckpointStorage, Claim, CommitStage, CompletedLocation, CoordinatorStorage, ErrorKind, Ownership,
    StateReader, StateScope, StateStream, StorageAccess, StorageError, Sweep, SweepMode, TaskOwnedStorage,
    WorkerStorage,
};

/// State of at most so many bytes is inline.
const INLINE: usize = 4;
/// A reader gives pieces of so many bytes.
const PIECE: usize = 16;
/// Writing this fails.
pub(super) const TOO_MUCH: &[u8] = b"too much";
/// After this was written for a checkpoint, its state cannot be synced.
pub(super) const UNSYNCABLE: &[u8] = b"cannot be synced";

/// What a storage does wrong. The texts are operations as the guard calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    Hang(&'static str),
    Panic(&'static str),
    PositionLags,
    NoHandle,
    HandleForNothing,
    HandleTooLong,
    WrongDirectory,
    TaskOwnedInline,
    InlineOther,
    SameName,
    SyncForgives,
    NextGoesBack,
    NextIsUsed,
    RetainedDescends,
    ForgetsRetained,
    KeepsDropped,
    ForgetsAdopted,
    ForgetsTaken,
    BeginsTwice,
    CommitsTwice,
    PublishesTwice,
    CommitsFenced,
    EndsTwice,
    ForgetsEnd,
    RefusesSameEnd,
    DiscardsOnce,
    RemovesOnce,
    DeletesOnce,
    ReaderTooShort,
    ReaderTooLong,
    ReaderLen,
    EmptyPiece,
    OtherBytes,
    OtherMetadata,
    LosesMetadata,
}

#[derive(Clone, Debug)]
pub(super) struct Shelf {
    pub(super) fault: Fault,
    shared: Arc<Mutex<Content>>,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

#[derive(Debug, Default)]
struct Content {
    files: BTreeMap<Name, Bytes>,
    names: u64,
    next: u64,
    claims: u64,
    begun: BTreeSet<CheckpointId>,
    discarded: BTreeSet<CheckpointId>,
    retained: BTreeMap<CheckpointId, Bytes>,
    dropped: BTreeSet<CheckpointId>,
    savepoints: BTreeMap<CheckpointId, Bytes>,
    unsyncable: BTreeSet<CheckpointId>,
    ended: Option<JobStatus>,
    is_fenced: bool,
}

impl Shelf {
    pub(super) fn new(fault: Fault) -> Self {
        Self { fault, shared: Arc::default(), gate: Arc::default() }
    }

    /// Lets hanging calls go on.
    pub(super) fn release(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }

    /// Somebody else takes the job over.
    pub(super) fn fence(&self) {
        self.lock().is_fenced = true;
    }

    pub(super) fn files(&self) -> usize {
        self.lock().files.len()
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.shared.lock().unwrap()
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn enter(&self, operation: &'static str) {
        if self.has(Fault::Panic(operation)) {
            panic!("out of shelves in {operation}");
        }
        if self.has(Fault::Hang(operation)) {
            let mut is_open = self.gate.0.lock().unwrap();
            while !*is_open {
                is_open = self.gate.1.wait(is_open).unwrap();
            }
        }
    }

    fn check_fence(&self) -> Result<(), StorageError> {
        if self.lock().is_fenced { Err(error(ErrorKind::Fenced)) } else { Ok(()) }
    }

    fn complete(
        &self,
        checkpoint: CheckpointId,
        metadata: Bytes,
        repeats: Fault,
        into: fn(&mut Content) -> &mut BTreeMap<CheckpointId, Bytes>,
    ) -> Result<Pointer, StorageError> {
        let mut content = self.lock();
        if !content.begun.contains(&checkpoint) || content.discarded.contains(&checkpoint) {
            return Err(error(ErrorKind::NotFound));
        }
        let is_complete = content.dropped.contains(&checkpoint)
            || content.retained.contains_key(&checkpoint)
            || content.savepoints.contains_key(&checkpoint);
        if is_complete && !self.has(repeats) {
            return Err(error(ErrorKind::AlreadyExists));
        }
        into(&mut content).insert(checkpoint, metadata);
        Ok(pointer(checkpoint))
    }
}

pub(super) fn pointer(checkpoint: CheckpointId) -> Pointer {
    Pointer::new(format!("shelf:{checkpoint}"))
}

fn error(kind: ErrorKind) -> StorageError {
    StorageError::new(kind, "use", "the shelf")
}

#[async_trait]
impl CheckpointStorage for Shelf {
    fn descriptor(&self) -> StorageDescriptor {
        StorageDescriptor::new("whatever")
    }

    async fn open(&self, _: JobId) -> Result<Arc<dyn StorageAccess>, StorageError> {
        self.enter("open storage for");
        Ok(Arc::new(self.clone()))
    }

    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.enter("resolve");
        self.find(pointer)
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
        true
    }

    fn has_default_savepoint_location(&self) -> bool {
        true
    }

    async fn claim(&self) -> Result<Claim, StorageError> {
        self.enter("claim");
        self.check_fence()?;
        let mut content = self.lock();
        let used = content.begun.last().map_or(0, |last| last.get());
        content.next = content.next.max(used + 5);
        content.claims += 1;
        let mut retained = content.retained.keys().copied().collect::<Vec<_>>();
        match self.fault {
            Fault::RetainedDescends => retained.reverse(),
            Fault::ForgetsRetained => drop(retained.pop()),
            _ => {}
        }
        let next = match self.fault {
            Fault::NextGoesBack => 1_000 - content.claims,
            Fault::NextIsUsed if used > 0 => used,
            _ => content.next,
        };
        let next = CheckpointId::new(next);
        let ended = content.ended.filter(|_| !self.has(Fault::ForgetsEnd));
        Ok(Claim { retained, taken: Vec::new(), next, ended, left: Vec::new() })
    }

    async fn begin_checkpoint(&self, checkpoint: CheckpointId) -> Result<LocationReference, StorageError> {
        self.enter("begin");
        self.check_fence()?;
        if !self.lock().begun.insert(checkpoint) && !self.has(Fault::BeginsTwice) {
            return Err(error(ErrorKind::AlreadyExists));
        }
        Ok(LocationReference::Default)
    }

    async fn begin_savepoint(
        &self,
        checkpoint: CheckpointId,
        _: Option<&str>,
    ) -> Result<LocationReference, StorageError> {
        self.enter("begin savepoint");
        self.begin_checkpoint(checkpoint).await
    }

    fn commit_stage(&self, checkpoint: CheckpointId) -> Option<CommitStage> {
        assert_ne!(checkpoint, CheckpointId::new(13), "it is a bad one");
        Some(CommitStage::Register)
    }

    async fn commit(
        &self,
        checkpoint: CheckpointId,
        _: &LocationReference,
        metadata: Bytes,
        dropped: &[CheckpointId],
    ) -> Result<Pointer, StorageError> {
        self.enter("commit");
        let fenced = self.check_fence();
        if self.has(Fault::CommitsFenced) {
            self.lock().is_fenced = false;
        }
        fenced?;
        let pointer =
            self.complete(checkpoint, metadata, Fault::CommitsTwice, |content| &mut content.retained)?;
        if !self.has(Fault::KeepsDropped) {
            let mut content = self.lock();
            content.retained.retain(|id, _| !dropped.contains(id));
            content.dropped.extend(dropped);
        }
        Ok(pointer)
    }

    async fn publish_savepoint(
        &self,
        checkpoint: CheckpointId,
        _: &LocationReference,
        metadata: Bytes,
    ) -> Result<Pointer, StorageError> {
        self.enter("publish savepoint");
        self.check_fence()?;
        self.complete(checkpoint, metadata, Fault::PublishesTwice, |content| &mut content.savepoints)
    }

    async fn open_checkpoint(
        &self,
        checkpoint: CheckpointId,
    ) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.enter("open");
        if self.has(Fault::LosesMetadata) {
            return Err(error(ErrorKind::NotFound));
        }
        self.find(&pointer(checkpoint))
    }

    async fn adopt(
        &self,
        snapshot: Arc<dyn CompletedLocation>,
        checkpoint: CheckpointId,
        ownership: Ownership,
    ) -> Result<Claim, StorageError> {
        self.enter("adopt");
        let metadata = snapshot.metadata().await?;
        self.take_over(checkpoint, metadata, ownership == Ownership::Taken);
        self.claim().await
    }

    async fn discard(&self, checkpoint: CheckpointId, _: &LocationReference) -> Result<(), StorageError> {
        self.enter("discard");
        let mut content = self.lock();
        if content.retained.contains_key(&checkpoint) || content.savepoints.contains_key(&checkpoint) {
            return Err(error(ErrorKind::Other));
        }
        if content.begun.contains(&checkpoint)
            && !content.discarded.insert(checkpoint)
            && self.has(Fault::DiscardsOnce)
        {
            return Err(error(ErrorKind::NotFound));
        }
        Ok(())
    }

    async fn remove(&self, checkpoint: CheckpointId, _: &[StateFile]) -> Result<(), StorageError> {
        self.enter("remove");
        let mut content = self.lock();
        if content.retained.contains_key(&checkpoint) || content.savepoints.contains_key(&checkpoint) {
            return Err(error(ErrorKind::Other));
        }
        if !content.dropped.remove(&checkpoint) && self.has(Fault::RemovesOnce) {
            return Err(error(ErrorKind::NotFound));
        }
        Ok(())
    }

    async fn conclude(&self, status: JobStatus, dropped: &[CheckpointId]) -> Result<(), StorageError> {
        self.enter("conclude");
        self.check_fence()?;
        let mut content = self.lock();
        let is_allowed = match content.ended {
            Some(ended) if ended == status => !self.has(Fault::RefusesSameEnd),
            Some(_) => self.has(Fault::EndsTwice),
            None => true,
        };
        if !is_allowed {
            return Err(error(ErrorKind::AlreadyExists));
        }
        content.ended = Some(status);
        content.retained.retain(|id, _| !dropped.contains(id));
        content.dropped.extend(dropped);
        Ok(())
    }

    async fn sweep(&self, _: SweepMode) -> Result<Sweep, StorageError> {
        self.enter("sweep");
        Ok(Sweep::default())
    }
}

#[async_trait]
impl WorkerStorage for Shelf {
    async fn create(
        &self,
        checkpoint: CheckpointId,
        _: &LocationReference,
        scope: StateScope,
    ) -> Result<Box<dyn StateStream>, StorageError> {
        self.enter("create state of");
        let directory = match scope {
            StateScope::Exclusive => StateDirectory::Exclusive,
            StateScope::Shared => StateDirectory::Shared,
        };
        Ok(self.stream(Some(checkpoint), directory))
    }

    async fn sync(&self, checkpoint: CheckpointId, _: &LocationReference) -> Result<(), StorageError> {
        self.enter("sync state of");
        let mut content = self.lock();
        if content.unsyncable.contains(&checkpoint) {
            if self.has(Fault::SyncForgives) {
                content.unsyncable.clear();
            }
            return Err(error(ErrorKind::NoSpace));
        }
        Ok(())
    }

    fn task_owned(&self) -> Option<Arc<dyn TaskOwnedStorage>> {
        Some(Arc::new(self.clone()))
    }
}

impl Shelf {
    fn take_over(&self, checkpoint: CheckpointId, metadata: Bytes, is_taken: bool) {
        let mut content = self.lock();
        if !self.has(Fault::ForgetsAdopted) {
            content.begun.insert(checkpoint);
        }
        if is_taken && !self.has(Fault::ForgetsTaken) {
            content.retained.insert(checkpoint, metadata);
        }
    }

    fn find(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        let number = pointer.as_str().strip_prefix("shelf:").and_then(|number| number.parse().ok());
        let checkpoint = CheckpointId::new(number.ok_or_else(|| error(ErrorKind::InvalidPointer))?);
        let content = self.lock();
        let metadata = content.retained.get(&checkpoint).or_else(|| content.savepoints.get(&checkpoint));
        let metadata = metadata.ok_or_else(|| error(ErrorKind::NotFound))?.clone();
        drop(content);
        Ok(Arc::new(Finished { shelf: self.clone(), pointer: pointer.clone(), metadata }))
    }

    fn stream(&self, checkpoint: Option<CheckpointId>, directory: StateDirectory) -> Box<dyn StateStream> {
        Box::new(Stream {
            shelf: self.clone(),
            checkpoint,
            directory,
            bytes: Vec::new(),
            is_begun: false,
            is_over: false,
        })
    }

    pub(super) fn reader(&self, handle: &StateHandle) -> Result<Box<dyn StateReader>, StorageError> {
        let bytes = match handle {
            StateHandle::Inline(bytes) => bytes.clone(),
            handle => {
                let name = &handle.file().ok_or_else(|| error(ErrorKind::InvalidPointer))?.name;
                self.lock().files.get(name).ok_or_else(|| error(ErrorKind::NotFound))?.clone()
            }
        };
        let bytes = match self.fault {
            Fault::OtherBytes => Bytes::from(bytes.iter().map(|byte| byte ^ 1).collect::<Vec<_>>()),
            _ => bytes,
        };
        let len = bytes.len() as u64 + u64::from(self.has(Fault::ReaderLen));
        let bytes = match self.fault {
            Fault::ReaderTooShort => bytes.slice(..bytes.len() / 2),
            Fault::ReaderTooLong => Bytes::from([&bytes[..], b"more"].concat()),
            _ => bytes,
        };
        Ok(Box::new(Reader { shelf: self.clone(), len, bytes }))
    }
}
