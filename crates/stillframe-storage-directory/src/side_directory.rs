use futures_util::lock::Mutex;
use std::sync::Arc;
use stillframe_storage::{BlobPath, BlobStore, ErrorKind, StorageError};

/// A directory of the job beside those of its checkpoints, made when the first file goes into it.
#[derive(Debug)]
pub(crate) struct SideDirectory {
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) path: BlobPath,
    is_made: Mutex<bool>,
}

impl SideDirectory {
    pub(crate) fn new(blobs: Arc<dyn BlobStore>, path: BlobPath) -> Self {
        Self { blobs, path, is_made: Mutex::new(false) }
    }

    /// Makes sure that it is there, durably. The medium is asked once in the life of this process.
    pub(crate) async fn make(&self) -> Result<(), StorageError> {
        let mut is_made = self.is_made.lock().await;
        if !*is_made {
            match self.blobs.create_directory(&self.path).await {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => *is_made = true,
            }
        }
        Ok(())
    }
}
