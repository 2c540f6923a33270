//! Threads for code that may block, and may never come back.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::runtime::{Handle, RuntimeFlavor};

type Work = Box<dyn FnOnce() + Send>;

/// How long a thread waits for more work before it ends.
const LINGER: Duration = Duration::from_secs(10);

/// Plain threads, not those of tokio: a runtime that goes down waits for its own, and one of these may hang for ever. How
/// many there are is the caller's business.
#[derive(Default)]
pub(super) struct Threads {
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    idle: usize,
}

impl Threads {
    /// Begins with it at once. What could not be begun is dropped.
    pub(super) fn begin(self: &Arc<Self>, work: impl FnOnce() + Send + 'static) {
        // The clock of a runtime with one thread may be a stopped one, which goes on by itself when nothing is left to do.
        // Of what there is to do in threads it only knows those that are tokio's.
        if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
            drop(tokio::task::spawn_blocking(work));
            return;
        }
        let mut queue = self.queue();
        queue.waiting.push_back(Box::new(work));
        if queue.idle >= queue.waiting.len() {
            self.more.notify_one();
            return;
        }
        drop(queue);
        let threads = Arc::clone(self);
        let started = thread::Builder::new().name("stillframe-storage".into()).spawn(move || threads.work());
        if started.is_err() {
            let dropped = self.queue().waiting.pop_back();
            drop(dropped);
        }
    }

    fn work(&self) {
        while let Some(work) = self.next() {
            // Whoever waits for it hears of the panic by never getting an answer.
            let _ = catch_unwind(AssertUnwindSafe(work));
        }
    }

    fn next(&self) -> Option<Work> {
        let mut queue = self.queue();
        loop {
            if let Some(work) = queue.waiting.pop_front() {
                return Some(work);
            }
            queue.idle += 1;
            let (later, waited) =
                self.more.wait_timeout(queue, LINGER).unwrap_or_else(PoisonError::into_inner);
            queue = later;
            queue.idle -= 1;
            if waited.timed_out() && queue.waiting.is_empty() {
                return None;
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
