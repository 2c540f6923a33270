//! A test of something that no longer happens would wait for ever. It is ended, and named.

use std::io::{self, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// Far longer than any test takes. How long one took decides nothing.
const LIMIT: Duration = Duration::from_secs(180);

/// Ends the process when it lives too long: a test that hangs in a thread cannot be ended in another way.
#[derive(Debug)]
pub(crate) struct Watchdog {
    _leash: Sender<()>,
}

impl Watchdog {
    /// Watches the test that runs in this thread.
    pub(crate) fn new() -> Self {
        let test = thread::current().name().unwrap_or("a test").to_owned();
        let (leash, gone) = channel::<()>();
        thread::spawn(move || {
            if gone.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                // Not with a macro: what is printed would be kept for the end of the test.
                let _ = writeln!(
                    io::stderr(),
                    "{test} has not ended after {LIMIT:?}; it waits for what does not happen"
                );
                std::process::exit(101);
            }
        });
        Self { _leash: leash }
    }
}
