use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stillframe_storage::StorageError;
use stillframe_storage_directory::Entropy;

/// Unique numbers that are the same in every run: 0, 1, 2. Clones go on counting together, so that processes
/// which follow one another on a disk never draw the same.
#[derive(Clone, Debug, Default)]
pub struct SimEntropy(Arc<AtomicU64>);

impl SimEntropy {
    /// Begins with 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Entropy for SimEntropy {
    fn draw(&self) -> Result<u128, StorageError> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed).into())
    }
}
