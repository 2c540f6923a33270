use crate::error::chain;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use stillframe_model::{Barrier, StateHandle};
use stillframe_storage::{StateScope, StorageError, WorkerStorage};

/// Where one task writes its state for one checkpoint.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) barrier: Barrier,
    /// Whether the task had finished before the snapshot.
    pub(crate) finished: bool,
    storage: Arc<dyn WorkerStorage>,
    cancelled: Arc<AtomicBool>,
    /// Whether there is something that could still get lost.
    has_written_files: bool,
}

impl Writer {
    pub(crate) fn new(
        storage: Arc<dyn WorkerStorage>,
        barrier: Barrier,
        finished: bool,
        cancelled: Arc<AtomicBool>,
    ) -> Self {
        Self { barrier, finished, storage, cancelled, has_written_files: false }
    }

    /// Nobody waits for the state of an aborted checkpoint any more.
    pub(super) fn wanted(&self) -> Result<(), String> {
        if self.cancelled.load(Ordering::Relaxed) { Err("cancelled".to_owned()) } else { Ok(()) }
    }

    /// Writes one state. `None` if it has no bytes.
    pub(super) async fn store(
        &mut self,
        scope: StateScope,
        pieces: &[Bytes],
    ) -> Result<Option<StateHandle>, String> {
        self.wanted()?;
        let handle = self.stream(scope, pieces).await.map_err(|error| chain(&error))?;
        self.has_written_files |= handle.as_ref().is_some_and(|handle| handle.file().is_some());
        Ok(handle)
    }

    async fn stream(&self, scope: StateScope, pieces: &[Bytes]) -> Result<Option<StateHandle>, StorageError> {
        let Barrier { checkpoint, location, .. } = &self.barrier;
        let mut stream = self.storage.create(*checkpoint, location, scope).await?;
        for piece in pieces {
            if let Err(error) = stream.write(piece.clone()).await {
                // The first error says what went wrong; what could not be removed goes with the checkpoint.
                let _ = stream.abort().await;
                return Err(error);
            }
        }
        stream.finish().await
    }

    /// Makes durable what was written: only what survives the loss of power may be acknowledged. What an earlier checkpoint
    /// wrote is durable since it was complete.
    pub(super) async fn sync(&self) -> Result<(), String> {
        self.wanted()?;
        if !self.has_written_files {
            return Ok(());
        }
        let Barrier { checkpoint, location, .. } = &self.barrier;
        self.storage.sync(*checkpoint, location).await.map_err(|error| chain(&error))
    }
}
