//! The inputs of a task.

use std::future::poll_fn;
use std::task::{Context, Poll};
use stillframe_model::{Barrier, CheckpointId};
use tokio::sync::mpsc;

/// What travels between two tasks, in order.
#[derive(Debug)]
pub(crate) enum Element<T> {
    Records(Vec<T>),
    Barrier(Barrier),
    Cancel(CheckpointId),
    /// No more records will come; barriers still may.
    EndOfData {
        /// Whether the input has ended, and not merely the job stops behind a savepoint.
        for_good: bool,
    },
}

/// What was read.
#[derive(Debug)]
pub(crate) enum Input<T> {
    Element {
        channel: usize,
        element: Element<T>,
    },
    /// The sender is gone.
    Ended {
        channel: usize,
    },
}

/// All inputs of a task, read in turn so that none starves.
#[derive(Debug)]
pub(crate) struct InputGate<T> {
    channels: Vec<Option<mpsc::Receiver<Element<T>>>>,
    next: usize,
}

impl<T> InputGate<T> {
    pub(crate) fn new(channels: Vec<mpsc::Receiver<Element<T>>>) -> Self {
        Self { channels: channels.into_iter().map(Some).collect(), next: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.channels.len()
    }

    /// The next element of any input that is `open`. Cancelling loses nothing.
    pub(crate) async fn next(&mut self, open: impl Fn(usize) -> bool) -> Input<T> {
        poll_fn(|context| self.poll_next(context, &open)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>, open: impl Fn(usize) -> bool) -> Poll<Input<T>> {
        let count = self.channels.len();
        for offset in 0..count {
            let channel = (self.next + offset) % count;
            let Some(slot) = self.channels.get_mut(channel).filter(|_| open(channel)) else { continue };
            let Some(receiver) = slot else { continue };
            match receiver.poll_recv(context) {
                Poll::Pending => {}
                Poll::Ready(Some(element)) => {
                    self.next = channel + 1;
                    return Poll::Ready(Input::Element { channel, element });
                }
                Poll::Ready(None) => {
                    *slot = None;
                    return Poll::Ready(Input::Ended { channel });
                }
            }
        }
        Poll::Pending
    }
}
