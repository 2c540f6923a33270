//! State that tasks look after themselves, in a directory of its own.

use crate::layout;
use crate::reader::StateFileReader;
use crate::seam::Entropy;
use crate::side_directory::SideDirectory;
use crate::state_file::{self, StateFileWriter};
use crate::stream::failed_before;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::{FileHandle, Name, StateDirectory, StateHandle};
use stillframe_storage::{ErrorKind, StateReader, StateStream, StorageError, TaskOwnedStorage};

#[derive(Clone, Debug)]
pub(crate) struct TaskOwnedDirectory {
    directory: Arc<SideDirectory>,
    entropy: Arc<dyn Entropy>,
}

impl TaskOwnedDirectory {
    pub(crate) fn new(directory: SideDirectory, entropy: Arc<dyn Entropy>) -> Self {
        Self { directory: Arc::new(directory), entropy }
    }

    async fn begin(&self) -> Result<StateFileWriter, StorageError> {
        let SideDirectory { blobs, path, .. } = &*self.directory;
        self.directory.make().await?;
        let begun = state_file::begin(&**blobs, path, &*self.entropy, layout::task_owned_state).await?;
        Ok(StateFileWriter::new(StateDirectory::TaskOwned, begun))
    }

    /// Makes the name of a file durable whose content is.
    async fn settle(&self, file: &Name) -> Result<(), StorageError> {
        let SideDirectory { blobs, path, .. } = &*self.directory;
        let settled = blobs.settle(path).await;
        if settled.is_err() {
            // Nobody will hear of the file. That it cannot be made durable is what the caller has to know.
            let _ = blobs.delete(&path.join(file.clone())).await;
        }
        settled
    }
}

#[async_trait]
impl TaskOwnedStorage for TaskOwnedDirectory {
    async fn create(&self) -> Result<Box<dyn StateStream>, StorageError> {
        Ok(Box::new(TaskOwnedStream { owned: self.clone(), target: Target::Nothing, len: 0 }))
    }

    async fn open(&self, handle: &StateHandle) -> Result<Box<dyn StateReader>, StorageError> {
        let file = own(handle)?;
        let path = self.directory.path.join(file.file.name.clone());
        Ok(Box::new(StateFileReader::of_file(&*self.directory.blobs, &path, file).await?))
    }

    async fn delete(&self, handle: &StateHandle) -> Result<(), StorageError> {
        let file = own(handle)?;
        self.directory.blobs.delete(&self.directory.path.join(file.file.name.clone())).await
    }
}

/// The file of a handle that was made here.
fn own(handle: &StateHandle) -> Result<&FileHandle, StorageError> {
    match handle {
        StateHandle::File(file)
            if file.file.directory == StateDirectory::TaskOwned
                && layout::is_task_owned_state(file.file.name.as_str()) =>
        {
            Ok(file)
        }
        other => {
            let subject =
                other.file().map_or_else(|| "inline state".to_owned(), |file| file.name.to_string());
            Err(StorageError::new(ErrorKind::InvalidPointer, "find task-owned state", subject)
                .with_detail("the handle belongs to a checkpoint, which alone may read or delete it"))
        }
    }
}

#[derive(Debug)]
struct TaskOwnedStream {
    owned: TaskOwnedDirectory,
    target: Target,
    len: u64,
}

#[derive(Debug)]
enum Target {
    Nothing,
    File(StateFileWriter),
    Failed,
}

impl TaskOwnedStream {
    async fn append(&mut self, target: Target, bytes: Bytes) -> Result<Target, StorageError> {
        let mut file = match target {
            Target::Nothing => self.owned.begin().await?,
            Target::File(file) => file,
            Target::Failed => return Err(failed_before()),
        };
        file.write(bytes).await?;
        Ok(Target::File(file))
    }
}

#[async_trait]
impl StateStream for TaskOwnedStream {
    fn position(&self) -> u64 {
        self.len
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let len = self.len + bytes.len() as u64;
        let target = core::mem::replace(&mut self.target, Target::Failed);
        self.target = self.append(target, bytes).await?;
        self.len = len;
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Option<StateHandle>, StorageError> {
        let file = match self.target {
            Target::Nothing => return Ok(None),
            Target::File(file) => file.finish().await?,
            Target::Failed => return Err(failed_before()),
        };
        self.owned.settle(&file.file.name).await?;
        Ok(Some(StateHandle::File(file)))
    }

    async fn abort(self: Box<Self>) -> Result<(), StorageError> {
        match self.target {
            Target::File(file) => file.abort().await,
            Target::Nothing | Target::Failed => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
