use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many bytes of state are held in this process: counted from the end of their stream until nobody refers to them.
///
/// A count by checkpoint would need somebody to say when a checkpoint is over, which a worker in another process never
/// hears.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget(Arc<AtomicU64>);

impl Budget {
    /// The bytes, counted from now on until the last clone is dropped.
    ///
    /// # Errors
    /// How much is held already, if these would make it more than `limit`.
    pub(crate) fn hold(&self, bytes: Bytes, limit: u64) -> Result<Bytes, u64> {
        let more = |held: u64| held.checked_add(bytes.len() as u64).filter(|held| *held <= limit);
        // The order of other memory does not matter: the count protects nothing but itself.
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)?;
        Ok(Bytes::from_owner(Held { bytes, budget: self.clone() }))
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// State that is counted.
struct Held {
    bytes: Bytes,
    budget: Budget,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes.len() as u64, Ordering::Relaxed);
    }
}
