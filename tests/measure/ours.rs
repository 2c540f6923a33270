//! All that these measurements call of Stillframe's storage.

use crate::{CHUNK, Failure};
use bytes::Bytes;
use futures_executor::block_on;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use stillframe::fs::FileSystemCheckpointStorage;
use stillframe::metadata::encode;
use stillframe::model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, JobId, LocationReference, Pointer, StateFile,
    StateHandle, UnixMillis,
};
use stillframe::storage::{
    CheckpointStorage, CompletedLocation, CoordinatorStorage, StateScope, WorkerStorage,
};

/// One job on one directory.
#[derive(Debug)]
pub(crate) struct Job {
    coordinator: Arc<dyn CoordinatorStorage>,
    worker: Arc<dyn WorkerStorage>,
    last: u64,
}

/// The one job that there is.
pub(crate) const JOB: JobId = JobId::from_bytes([7; 16]);

impl Job {
    /// With the settings that users get who set nothing.
    pub(crate) fn on(directory: &Path) -> Result<Self, Failure> {
        let access = block_on(FileSystemCheckpointStorage::new(directory)?.open(JOB))?;
        let coordinator = access.coordinator();
        let last = block_on(coordinator.claim())?.next.get() - 1;
        Ok(Self { coordinator, worker: access.worker(), last })
    }

    /// The next checkpoint, with its place.
    pub(crate) fn begin(&mut self) -> Result<Checkpoint, Failure> {
        self.last += 1;
        let id = CheckpointId::new(self.last);
        let location = block_on(self.coordinator.begin_checkpoint(id))?;
        let (coordinator, worker) = (Arc::clone(&self.coordinator), Arc::clone(&self.worker));
        Ok(Checkpoint { coordinator, worker, id, location })
    }

    /// The id of the next checkpoint.
    pub(crate) const fn next(&self) -> CheckpointId {
        CheckpointId::new(self.last + 1)
    }

    /// The place of a checkpoint that somebody else numbered.
    pub(crate) fn locate(&self, checkpoint: CheckpointId) -> Result<LocationReference, Failure> {
        Ok(block_on(self.coordinator.begin_checkpoint(checkpoint))?)
    }

    /// Makes such a checkpoint exist, durably, and others cease to.
    pub(crate) fn commit(
        &self,
        location: &LocationReference,
        metadata: &CheckpointMetadata,
        dropped: &[CheckpointId],
    ) -> Result<Pointer, Failure> {
        let bytes = encode(metadata)?.into();
        Ok(block_on(self.coordinator.commit(metadata.checkpoint, location, bytes, dropped))?)
    }

    /// Removes what was dropped.
    pub(crate) fn remove(&self, checkpoint: CheckpointId, shared: &[StateFile]) -> Result<(), Failure> {
        Ok(block_on(self.coordinator.remove(checkpoint, shared))?)
    }
}

/// A checkpoint that is being written.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    coordinator: Arc<dyn CoordinatorStorage>,
    worker: Arc<dyn WorkerStorage>,
    id: CheckpointId,
    location: LocationReference,
}

impl Checkpoint {
    /// One state of so many bytes, finished.
    pub(crate) fn write(&self, chunk: &Bytes, mut bytes: u64) -> Result<StateHandle, Failure> {
        block_on(async {
            let mut stream = self.worker.create(self.id, &self.location, StateScope::Exclusive).await?;
            while bytes > 0 {
                let part = usize::try_from(bytes).unwrap_or(usize::MAX).min(chunk.len());
                stream.write(chunk.slice(..part)).await?;
                bytes -= part as u64;
            }
            Ok(stream.finish().await?.ok_or("nothing was written")?)
        })
    }

    /// Makes everything durable that was finished.
    pub(crate) fn sync(&self) -> Result<(), Failure> {
        Ok(block_on(self.worker.sync(self.id, &self.location))?)
    }

    /// Completes the checkpoint and opens it.
    pub(crate) fn complete(&self) -> Result<Completed, Failure> {
        let metadata = encode(&CheckpointMetadata {
            job: JOB,
            checkpoint: self.id,
            kind: CheckpointKind::Checkpoint,
            triggered_at: UnixMillis(0),
            operators: BTreeMap::new(),
            hooks: BTreeMap::new(),
        })?;
        let location = block_on(async {
            self.coordinator.commit(self.id, &self.location, metadata.into(), &[]).await?;
            self.coordinator.open_checkpoint(self.id).await
        })?;
        Ok(Completed(location))
    }

    pub(crate) fn discard(self) -> Result<(), Failure> {
        Ok(block_on(self.coordinator.discard(self.id, &self.location))?)
    }
}

/// A checkpoint that can be read.
#[derive(Debug)]
pub(crate) struct Completed(Arc<dyn CompletedLocation>);

impl Completed {
    /// Reads a state, checked, and returns how many bytes it had.
    pub(crate) fn read(&self, handle: &StateHandle) -> Result<u64, Failure> {
        block_on(async {
            let mut reader = self.0.open(handle).await?;
            while let Some(bytes) = reader.next().await? {
                bytes.chunks(CHUNK).for_each(|part| {
                    black_box(part);
                });
            }
            Ok(reader.len())
        })
    }
}
