use crate::coordinator::require_default;
use async_trait::async_trait;
use bytes::Bytes;
use stillframe_model::{CheckpointId, LocationReference, StateHandle};
use stillframe_storage::{ErrorKind, StateStream, StorageError, WorkerStorage};

#[derive(Debug)]
pub(crate) struct MemoryWorker {
    max_state_size: u64,
}

impl MemoryWorker {
    pub(crate) fn new(max_state_size: u64) -> Self {
        Self { max_state_size }
    }
}

#[async_trait]
impl WorkerStorage for MemoryWorker {
    async fn create(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
    ) -> Result<Box<dyn StateStream>, StorageError> {
        require_default("write state for checkpoint", checkpoint, location)?;
        Ok(Box::new(MemoryStream { checkpoint, max_state_size: self.max_state_size, buffer: Vec::new() }))
    }
}

#[derive(Debug)]
struct MemoryStream {
    checkpoint: CheckpointId,
    max_state_size: u64,
    buffer: Vec<u8>,
}

#[async_trait]
impl StateStream for MemoryStream {
    fn position(&self) -> u64 {
        self.buffer.len() as u64
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.buffer.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Option<StateHandle>, StorageError> {
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let (size, max) = (self.position(), self.max_state_size);
        // Looked at here and not while writing, as in Flink, so that the error can tell how much would have
        // been needed.
        if size > max {
            return Err(StorageError::new(ErrorKind::TooLarge, "keep state of checkpoint", self.checkpoint.to_string())
                .with_detail(format!(
                    "size={size} limit={max} bytes; raise max-state-size, or use FileSystemCheckpointStorage for large state"
                )));
        }
        Ok(Some(StateHandle::Inline(Bytes::from(self.buffer))))
    }

    async fn abort(self: Box<Self>) -> Result<(), StorageError> {
        Ok(())
    }
}
