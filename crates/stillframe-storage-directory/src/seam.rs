use core::fmt::Debug;
use std::sync::Arc;
use stillframe_storage::{BlobStore, StorageError};

/// Opens places by their address. Savepoints and pointers may lie anywhere that a backend can reach, not only
/// below the directory it was configured with.
pub trait BlobStores: Debug + Send + Sync + 'static {
    /// A blob store whose root is the directory at `address`. Creates nothing, and need not look whether it
    /// exists. What [`BlobStore::locate`] returns is an address again.
    ///
    /// # Errors
    /// `InvalidPointer` for text that does not name a place this backend can reach.
    fn at(&self, address: &str) -> Result<Arc<dyn BlobStore>, StorageError>;
}

/// Where unique names come from.
pub trait Entropy: Debug + Send + Sync + 'static {
    /// A number that nobody has drawn before and nobody will draw again.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    fn draw(&self) -> Result<u128, StorageError>;
}
