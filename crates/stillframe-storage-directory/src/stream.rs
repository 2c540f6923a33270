use crate::pieces::Pieces;
use crate::state_file::StateFileWriter;
use crate::writable::WritableLocation;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::StateHandle;
use stillframe_storage::{ErrorKind, StateScope, StateStream, StorageError};

/// State that stays in memory until it is finished, or so large that it gets a file of its own.
#[derive(Debug)]
pub(crate) struct DirectoryStream {
    location: Arc<WritableLocation>,
    scope: StateScope,
    target: Target,
    len: u64,
}

#[derive(Debug)]
enum Target {
    Memory(Pieces),
    File(StateFileWriter),
    /// An earlier write failed. The file, if there was one, is gone.
    Failed,
}

impl DirectoryStream {
    pub(crate) fn new(location: Arc<WritableLocation>, scope: StateScope) -> Self {
        Self { location, scope, target: Target::Memory(Pieces::default()), len: 0 }
    }

    async fn append(&mut self, target: Target, bytes: Bytes) -> Result<Target, StorageError> {
        match target {
            Target::Memory(mut pieces) => {
                pieces.push(bytes);
                if pieces.len() <= self.location.kept_in_memory(self.scope) {
                    return Ok(Target::Memory(pieces));
                }
                let mut file = self.location.begin_file(self.scope).await?;
                for piece in pieces.into_vec() {
                    file.write(piece).await?;
                }
                Ok(Target::File(file))
            }
            Target::File(mut file) => {
                file.write(bytes).await?;
                Ok(Target::File(file))
            }
            Target::Failed => Err(failed_before()),
        }
    }
}

#[async_trait]
impl StateStream for DirectoryStream {
    fn position(&self) -> u64 {
        self.len
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let len = self.len + bytes.len() as u64;
        // On an error the file is dropped on the way out, which removes it, and `Failed` stays behind.
        let target = core::mem::replace(&mut self.target, Target::Failed);
        let appended = self.append(target, bytes).await;
        self.target = self.location.noting(appended)?;
        self.len = len;
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Option<StateHandle>, StorageError> {
        let Self { location, scope: _, target, len: _ } = *self;
        location.check("finish")?;
        let handle = match target {
            Target::Memory(pieces) if pieces.is_empty() => return Ok(None),
            Target::Memory(pieces) => location.put(pieces).await,
            Target::File(file) => file.finish().await.map(StateHandle::File),
            Target::Failed => Err(failed_before()),
        };
        location.noting(handle).map(Some)
    }

    async fn abort(self: Box<Self>) -> Result<(), StorageError> {
        match self.target {
            Target::File(file) => file.abort().await,
            Target::Memory(_) | Target::Failed => Ok(()),
        }
    }
}

/// A write was given up half-way, by an error or because its future was dropped.
pub(crate) fn failed_before() -> StorageError {
    StorageError::new(ErrorKind::Other, "write", "state")
        .with_detail("an earlier write to this stream failed or was given up; abort it")
}
