use std::future::Future;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Runs storage operations on threads that may block, a bounded number at a time.
#[derive(Clone, Debug)]
pub(crate) struct Offload {
    permits: Arc<Semaphore>,
}

/// The operation panicked, or the runtime is going down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost;

/// Enough to keep a disk busy, few enough not to exhaust file descriptors.
const CONCURRENT: u32 = 16;

impl Offload {
    pub(crate) fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(CONCURRENT as usize)) }
    }

    /// Runs the future to its end, even if the caller is cancelled after it began.
    pub(crate) async fn run<F>(&self, future: F) -> Result<F::Output, Lost>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Lost)?;
        let runtime = Handle::current();
        let operation = tokio::task::spawn_blocking(move || {
            let output = runtime.block_on(future);
            drop(permit);
            output
        });
        operation.await.map_err(|_| Lost)
    }

    /// Waits until nothing runs any more.
    pub(crate) async fn idle(&self) {
        // The semaphore is never closed, so the permits are had sooner or later.
        drop(self.permits.acquire_many(CONCURRENT).await);
    }
}
