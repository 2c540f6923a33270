use crate::budget::Budget;
use async_trait::async_trait;
use bytes::Bytes;
use stillframe_model::{CheckpointId, StateHandle};
use stillframe_storage::{ErrorKind, StateStream, StorageError};

/// What limits a stream.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) max_state_size: u64,
    pub(crate) max_total_size: u64,
    pub(crate) budget: Budget,
}

impl Limits {
    /// The state, if it fits. Looked at when the stream ends and not while it is written, as in Flink, so that the error can
    /// tell how much would have been needed.
    fn admit(&self, checkpoint: CheckpointId, state: Bytes) -> Result<StateHandle, StorageError> {
        let (size, limit) = (state.len(), self.max_total_size);
        match self.budget.hold(state, limit) {
            Ok(held) => Ok(StateHandle::Inline(held)),
            Err(held) => Err(too_large(
                checkpoint,
                format!(
                    "size={size} held={held} limit={limit} bytes; raise max-total-size, or use FileSystemCheckpointStorage for large state"
                ),
            )),
        }
    }

    fn check_size(&self, checkpoint: CheckpointId, size: u64) -> Result<(), StorageError> {
        let limit = self.max_state_size;
        if size <= limit {
            return Ok(());
        }
        Err(too_large(
            checkpoint,
            format!(
                "size={size} limit={limit} bytes; raise max-state-size, or use FileSystemCheckpointStorage for large state"
            ),
        ))
    }
}

fn too_large(checkpoint: CheckpointId, detail: String) -> StorageError {
    StorageError::new(ErrorKind::TooLarge, "keep state of checkpoint", checkpoint.to_string())
        .with_detail(detail)
}

/// State that is collected in memory and given away inline.
#[derive(Debug)]
pub(crate) struct MemoryStream {
    checkpoint: CheckpointId,
    limits: Limits,
    position: u64,
    buffer: Vec<u8>,
}

impl MemoryStream {
    pub(crate) fn new(checkpoint: CheckpointId, limits: Limits) -> Self {
        Self { checkpoint, limits, position: 0, buffer: Vec::new() }
    }
}

#[async_trait]
impl StateStream for MemoryStream {
    fn position(&self) -> u64 {
        self.position
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.position += bytes.len() as u64;
        if self.position > self.limits.max_state_size {
            // It will be refused for its size, of which nothing but the number is needed.
            self.buffer = Vec::new();
        } else {
            self.buffer.extend_from_slice(&bytes);
        }
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Option<StateHandle>, StorageError> {
        if self.position == 0 {
            return Ok(None);
        }
        self.limits.check_size(self.checkpoint, self.position)?;
        self.limits.admit(self.checkpoint, Bytes::from(self.buffer)).map(Some)
    }

    async fn abort(self: Box<Self>) -> Result<(), StorageError> {
        Ok(())
    }
}

/// The same limits on a stream of a directory that keeps all state inline.
#[derive(Debug)]
pub(crate) struct LimitedStream {
    checkpoint: CheckpointId,
    limits: Limits,
    position: u64,
    inner: Box<dyn StateStream>,
}

impl LimitedStream {
    pub(crate) fn new(checkpoint: CheckpointId, limits: Limits, inner: Box<dyn StateStream>) -> Self {
        Self { checkpoint, limits, position: 0, inner }
    }
}

#[async_trait]
impl StateStream for LimitedStream {
    fn position(&self) -> u64 {
        self.position
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        let position = self.position + bytes.len() as u64;
        if position <= self.limits.max_state_size {
            self.inner.write(bytes).await?;
        }
        self.position = position;
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Option<StateHandle>, StorageError> {
        let Self { checkpoint, limits, position, inner } = *self;
        if let Err(error) = limits.check_size(checkpoint, position) {
            // That it is too large is worth more than whether its buffer could be given back.
            let _ = inner.abort().await;
            return Err(error);
        }
        match inner.finish().await? {
            Some(StateHandle::Inline(state)) => limits.admit(checkpoint, state).map(Some),
            other => Ok(other),
        }
    }

    async fn abort(self: Box<Self>) -> Result<(), StorageError> {
        self.inner.abort().await
    }
}
