//! A storage in memory whose publications can be made to go wrong.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe_model::{
    CheckpointId, JobId, JobStatus, LocationReference, Pointer, StateHandle, StorageDescriptor,
};
use stillframe_storage::{
    CheckpointStorage, CompletedLocation, CoordinatorStorage, ErrorKind, StateStream, StorageAccess,
    StorageError, Survey, WorkerStorage, async_trait,
};

type Publish = dyn Fn(CheckpointId) -> Result<(), StorageError> + Send + Sync;

#[derive(Clone)]
pub(super) struct Shelf {
    content: Arc<Mutex<Content>>,
    publish: Arc<Publish>,
    /// Which survey fails, counted from 0.
    bad_survey: Option<u32>,
}

#[derive(Default)]
struct Content {
    /// The metadata of those that are complete.
    checkpoints: BTreeMap<CheckpointId, Option<Bytes>>,
    ended: Option<JobStatus>,
    surveys: u32,
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
        Self { content: Arc::default(), publish: Arc::new(publish), bad_survey: None }
    }

    /// The same with a survey that fails, once.
    pub(super) fn with_bad_survey(self, number: u32) -> Self {
        Self { bad_survey: Some(number), ..self }
    }

    /// As a run leaves it that was killed between the record of its end and what follows that.
    pub(super) fn killed_at_its_end(self) -> Self {
        self.content().checkpoints.insert(CheckpointId::FIRST, Some(Bytes::new()));
        self.content().ended = Some(JobStatus::Finished);
        self
    }

    pub(super) fn ended(&self) -> Option<JobStatus> {
        self.content().ended
    }

    pub(super) fn completed(&self) -> Vec<CheckpointId> {
        let content = self.content();
        content.checkpoints.iter().filter(|(_, metadata)| metadata.is_some()).map(|(&id, _)| id).collect()
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
        Ok(Arc::new(self.clone()))
    }

    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        Err(StorageError::new(ErrorKind::NotFound, "resolve", pointer.as_str()))
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
    async fn survey(&self) -> Result<Survey, StorageError> {
        let completed = self.completed();
        let mut content = self.content();
        content.surveys += 1;
        if self.bad_survey == Some(content.surveys - 1) {
            return Err(StorageError::new(ErrorKind::Unavailable, "survey", "the shelf"));
        }
        let incomplete =
            content.checkpoints.iter().filter(|(_, metadata)| metadata.is_none()).map(|(&id, _)| id);
        Ok(Survey { completed, incomplete: incomplete.collect(), ended: content.ended })
    }

    async fn begin_checkpoint(&self, checkpoint: CheckpointId) -> Result<LocationReference, StorageError> {
        self.content().checkpoints.insert(checkpoint, None);
        Ok(LocationReference::Default)
    }

    async fn begin_savepoint(
        &self,
        checkpoint: CheckpointId,
        _: Option<&str>,
    ) -> Result<LocationReference, StorageError> {
        Err(StorageError::new(ErrorKind::Unsupported, "begin savepoint", checkpoint.to_string()))
    }

    async fn publish(
        &self,
        checkpoint: CheckpointId,
        _: &LocationReference,
        metadata: Bytes,
    ) -> Result<Pointer, StorageError> {
        (self.publish)(checkpoint)?;
        self.content().checkpoints.insert(checkpoint, Some(metadata));
        Ok(Pointer::new(checkpoint.to_string()))
    }

    async fn open_checkpoint(
        &self,
        checkpoint: CheckpointId,
    ) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        let metadata = self.content().checkpoints.get(&checkpoint).cloned().flatten();
        let missing = || StorageError::new(ErrorKind::NotFound, "open checkpoint", checkpoint.to_string());
        Ok(Arc::new(Completed {
            pointer: Pointer::new(checkpoint.to_string()),
            metadata: metadata.ok_or_else(missing)?,
        }))
    }

    async fn discard(&self, checkpoint: CheckpointId, _: &LocationReference) -> Result<(), StorageError> {
        self.content().checkpoints.remove(&checkpoint);
        Ok(())
    }

    async fn conclude(&self, status: JobStatus) -> Result<(), StorageError> {
        self.content().ended = Some(status);
        Ok(())
    }
}

#[async_trait]
impl WorkerStorage for Shelf {
    async fn create(
        &self,
        _: CheckpointId,
        _: &LocationReference,
    ) -> Result<Box<dyn StateStream>, StorageError> {
        Ok(Box::new(Stream::default()))
    }
}

/// All state is inline.
#[derive(Debug, Default)]
struct Stream(Vec<u8>);

#[async_trait]
impl StateStream for Stream {
    fn position(&self) -> u64 {
        self.0.len() as u64
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.0.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Option<StateHandle>, StorageError> {
        Ok((!self.0.is_empty()).then(|| StateHandle::Inline(self.0.into())))
    }

    async fn abort(self: Box<Self>) -> Result<(), StorageError> {
        Ok(())
    }
}

#[derive(Debug)]
struct Completed {
    pointer: Pointer,
    metadata: Bytes,
}

#[async_trait]
impl CompletedLocation for Completed {
    fn pointer(&self) -> &Pointer {
        &self.pointer
    }

    async fn metadata(&self) -> Result<Bytes, StorageError> {
        Ok(self.metadata.clone())
    }

    async fn read(&self, handle: &StateHandle) -> Result<Bytes, StorageError> {
        match handle {
            StateHandle::Inline(bytes) => Ok(bytes.clone()),
            StateHandle::File(file) => {
                Err(StorageError::new(ErrorKind::NotFound, "read state", file.name.as_str()))
            }
        }
    }
}
