//! What tests wait for and what they hold.

use std::fmt::Debug;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// A number that only grows, and for which a test can wait.
#[derive(Debug, Default)]
pub(crate) struct Gauge(watch::Sender<u64>);

/// Longer than anything takes. Without it, a test of something that no longer happens would not end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

impl Gauge {
    pub(crate) fn add(&self, more: u64) {
        self.0.send_modify(|number| *number += more);
    }

    pub(crate) fn get(&self) -> u64 {
        *self.0.borrow()
    }

    /// Waits until the number is at least this.
    pub(crate) async fn reach(&self, number: u64) {
        let mut receiver = self.0.subscribe();
        let reached = tokio::time::timeout(PATIENCE, receiver.wait_for(|found| *found >= number)).await;
        assert!(reached.is_ok(), "waited for {number}, found {}", self.get());
    }
}

/// Stops threads that pass it while it is held. They may be threads of storage operations, or of user code that blocks.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    holds: Mutex<u32>,
    released: Condvar,
    /// What the next one waits for, and nobody behind it.
    next: Mutex<Option<Receiver<()>>>,
    /// How many have come here while it was held.
    pub(crate) stopped: Gauge,
}

impl Brake {
    /// Holds everybody who comes from now on, until what is returned is dropped: also by a test that fails, whose runtime
    /// would otherwise wait for them.
    #[must_use]
    pub(crate) fn hold(self: &Arc<Self>) -> Hold {
        *self.lock() += 1;
        Hold(Arc::clone(self))
    }

    /// Holds the next one, and nobody behind it, until what is returned is dropped.
    #[must_use]
    pub(crate) fn hold_next(&self) -> Sender<()> {
        let (hold, held) = channel();
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        hold
    }

    /// Goes on at once, or when the brake is released.
    pub(crate) fn pass(&self) {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(held) = next {
            self.stopped.add(1);
            // Whatever comes, and whether anybody is still there: it goes on.
            let _ = held.recv();
        }
        let mut holds = self.lock();
        if *holds > 0 {
            self.stopped.add(1);
        }
        while *holds > 0 {
            holds = self.released.wait(holds).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, u32> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A brake that is held as long as this lives.
#[derive(Debug)]
pub(crate) struct Hold(Arc<Brake>);

impl Drop for Hold {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.released.notify_all();
    }
}

/// Gives everything that could happen now many opportunities to happen, before a test claims that it did not.
pub(crate) async fn settle() {
    for _ in 0..100 {
        // Through the queue of the runtime, and through a thread as storage operations go.
        let _ = tokio::spawn(async {}).await;
        let _ = tokio::task::spawn_blocking(|| {}).await;
    }
}

/// Waits for something during which a request must stay unanswered.
///
/// # Panics
/// If it is answered.
pub(crate) async fn unanswered<R: Debug>(
    request: &mut (impl Future<Output = R> + Unpin),
    meanwhile: impl Future<Output = ()>,
) {
    tokio::select! {
        biased;
        outcome = request => panic!("too early: {outcome:?}"),
        () = meanwhile => {}
    }
}
