use super::ProgressReport;
use crate::cancel::Cancelled;
use crate::error::chain;
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::{Barrier, StateHandle, TaskProgress};
use stillframe_storage::{StateScope, StateStream, WorkerStorage};

/// Where one task writes its state for one checkpoint.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) barrier: Barrier,
    /// Whether the task had finished before the snapshot.
    pub(crate) finished: bool,
    storage: Arc<dyn WorkerStorage>,
    cancelled: Cancelled,
    /// Whether there is something that could still get lost.
    has_written_files: bool,
    report: ProgressReport,
    /// How many bytes are written, and were when it was last said.
    written: u64,
    reported: u64,
    /// Of how many.
    of: u64,
}

/// So much is written at once, and then it is looked whether it is still wanted, and said how much it was.
const STRIDE: usize = 4 << 20;

impl Writer {
    pub(crate) fn new(
        storage: Arc<dyn WorkerStorage>,
        barrier: Barrier,
        finished: bool,
        cancelled: Cancelled,
        report: ProgressReport,
    ) -> Self {
        Self {
            barrier,
            finished,
            storage,
            cancelled,
            has_written_files: false,
            report,
            written: 0,
            reported: 0,
            of: 0,
        }
    }

    /// It waits for a thread.
    pub(crate) fn waits(&self) {
        self.report.progressed(self.barrier.checkpoint, TaskProgress::Queued);
    }

    /// It has one.
    pub(super) fn encodes(&self) {
        self.report.progressed(self.barrier.checkpoint, TaskProgress::Writing { written: 0, of: None });
    }

    /// So many bytes are to be written.
    pub(super) fn begin(&mut self, of: u64) {
        self.of = of;
        self.say();
    }

    fn say(&mut self) {
        self.reported = self.written;
        let progress = TaskProgress::Writing { written: self.written, of: Some(self.of) };
        self.report.progressed(self.barrier.checkpoint, progress);
    }

    /// Nobody waits for the state of an aborted checkpoint any more.
    pub(super) fn wanted(&self) -> Result<(), String> {
        if self.cancelled.is_so() { Err("cancelled".to_owned()) } else { Ok(()) }
    }

    /// Writes one state. `None` if it has no bytes.
    pub(super) async fn store(
        &mut self,
        scope: StateScope,
        pieces: &[Bytes],
    ) -> Result<Option<StateHandle>, String> {
        self.wanted()?;
        let Barrier { checkpoint, location, .. } = &self.barrier;
        let created = self.storage.create(*checkpoint, location, scope).await;
        let mut stream = created.map_err(|error| chain(&error))?;
        for piece in pieces {
            if let Err(message) = self.append(&mut *stream, piece.clone()).await {
                // The first error says what went wrong; what could not be removed goes with the checkpoint.
                let _ = stream.abort().await;
                return Err(message);
            }
        }
        let handle = stream.finish().await.map_err(|error| chain(&error))?;
        self.has_written_files |= handle.as_ref().is_some_and(|handle| handle.file().is_some());
        Ok(handle)
    }

    async fn append(&mut self, stream: &mut dyn StateStream, mut piece: Bytes) -> Result<(), String> {
        while !piece.is_empty() {
            self.wanted()?;
            let next = piece.split_to(piece.len().min(STRIDE));
            let len = next.len() as u64;
            stream.write(next).await.map_err(|error| chain(&error))?;
            self.written += len;
            if self.written - self.reported >= STRIDE as u64 || self.written == self.of {
                self.say();
            }
        }
        Ok(())
    }

    /// Makes durable what was written: only what survives the loss of power may be acknowledged. What an earlier checkpoint
    /// wrote is durable since it was complete.
    pub(super) async fn sync(&self) -> Result<(), String> {
        self.wanted()?;
        if !self.has_written_files {
            return Ok(());
        }
        let Barrier { checkpoint, location, .. } = &self.barrier;
        self.report.progressed(*checkpoint, TaskProgress::Syncing);
        self.storage.sync(*checkpoint, location).await.map_err(|error| chain(&error))
    }
}
