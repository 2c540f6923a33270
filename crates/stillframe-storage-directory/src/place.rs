use crate::layout;
use std::sync::Arc;
use stillframe_model::Name;
use stillframe_storage::{BlobEntry, BlobPath, BlobStore, StorageError};

/// The directory of one checkpoint or savepoint, wherever it lies.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) directory: BlobPath,
}

impl Place {
    /// The object `name` in it.
    pub(crate) fn join(&self, name: Name) -> BlobPath {
        self.directory.join(name)
    }

    pub(crate) fn metadata(&self) -> BlobPath {
        self.join(layout::metadata())
    }

    /// How it is called outside.
    pub(crate) fn address(&self) -> String {
        self.blobs.locate(&self.directory)
    }

    /// How an object in it is called outside.
    pub(crate) fn address_of(&self, name: Name) -> String {
        self.blobs.locate(&self.join(name))
    }

    pub(crate) async fn list(&self) -> Result<Vec<BlobEntry>, StorageError> {
        self.blobs.list(&self.directory).await
    }

    /// Whether its metadata is there. A savepoint is complete then; of a checkpoint the register says so.
    pub(crate) async fn is_complete(&self) -> Result<bool, StorageError> {
        Ok(has_metadata(&self.list().await?))
    }
}

/// Whether these are the entries of a complete checkpoint.
pub(crate) fn has_metadata(entries: &[BlobEntry]) -> bool {
    entries.iter().any(|entry| entry.name == layout::METADATA && !entry.is_directory)
}
