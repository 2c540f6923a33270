//! Work that goes on beside its task, and that its task may stop wanting.

use tokio::sync::watch;

/// Held by whoever wants the work. Without it nobody does, so that a task that ends stops what it began.
#[derive(Debug)]
pub(crate) struct Wanted(watch::Sender<bool>);

/// Looked at by whoever does the work.
#[derive(Clone, Debug)]
pub(crate) struct Cancelled(watch::Receiver<bool>);

impl Wanted {
    pub(crate) fn new() -> (Self, Cancelled) {
        let (wanted, cancelled) = watch::channel(false);
        (Self(wanted), Cancelled(cancelled))
    }

    pub(crate) fn cancel(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl Cancelled {
    pub(crate) fn is_so(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until nobody wants it any more.
    pub(crate) async fn wait(&self) {
        // Whoever lets go of it without a word has said so as it went.
        let _ = self.0.clone().wait_for(|is_so| *is_so).await;
    }
}
