//! Runs a future where it may block, and contains its panics.

use core::any::Any;
use core::task::{Context, Poll, Waker};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Wake;
use std::thread::{self, Thread};

/// What a panic said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Panicked(pub(crate) String);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls the future on this thread until it is ready. What it held is gone when this returns, also after a panic.
pub(crate) fn drive<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = Box::pin(future);
    let output = contained(|| {
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            thread::park();
        }
    });
    // By itself, and not while a panic unwinds: two at once end the process.
    let dropped = contained(|| drop(future));
    output.and_then(|output| dropped.map(|()| output))
}

/// The result of `work`, or what it panicked with. Nothing that it leaves half done is looked at again by us.
pub(crate) fn contained<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| Panicked(message(&*payload)))
}

fn message(payload: &(dyn Any + Send)) -> String {
    const LONGEST: usize = 200;
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "a panic without a text",
    };
    text.chars().take(LONGEST).collect::<String>().escape_debug().to_string()
}
