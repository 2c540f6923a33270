use core::fmt::Debug;
use core::time::Duration;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

/// How the guard waits. Time comes in here and nowhere else, so that a test can let it pass.
pub trait Patience: Debug + Send + Sync + 'static {
    /// Waits until `done` has something to say or can never have, or `limit` is over. Whether it was not the limit.
    fn wait(&self, operation: &'static str, limit: Duration, done: &Receiver<()>) -> bool;
}

/// Waits as long as it really takes.
#[derive(Debug)]
pub(crate) struct RealTime;

impl Patience for RealTime {
    fn wait(&self, _: &'static str, limit: Duration, done: &Receiver<()>) -> bool {
        !matches!(done.recv_timeout(limit), Err(RecvTimeoutError::Timeout))
    }
}
