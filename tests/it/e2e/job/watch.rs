//! What a job says, kept for tests that wait for it.

use super::brake::PATIENCE;
use std::sync::{Arc, Mutex, PoisonError};
use stillframe::coordinator::{Aborted, Completed};
use stillframe::model::{CheckpointId, FailureReason};
use stillframe::prelude::Job;
use stillframe::runtime::{JobEvent, Record};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// An event of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Started(Option<CheckpointId>),
    Triggered(CheckpointId),
    Completed(Completed),
    Aborted(Aborted),
    Skipped(FailureReason),
    Failed(String),
    Other(String),
}

/// The events of a job, in order, with the time of the runtime.
#[derive(Debug)]
pub(crate) struct Events {
    receiver: mpsc::UnboundedReceiver<(Instant, Seen)>,
    all: Arc<Mutex<Vec<Seen>>>,
}

impl Events {
    /// Follows a job.
    pub(crate) fn of<T: Record>(job: Job<T>) -> (Job<T>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let all = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&all);
        let job = job.on_event(move |event| {
            let seen = match event {
                JobEvent::Started { restored, .. } => Seen::Started(*restored),
                JobEvent::Triggered { checkpoint, .. } => Seen::Triggered(*checkpoint),
                JobEvent::Completed(completed) => Seen::Completed((*completed).clone()),
                JobEvent::Aborted(aborted) => Seen::Aborted((*aborted).clone()),
                JobEvent::Skipped { reason } => Seen::Skipped(*reason),
                JobEvent::Failed { cause, .. } => Seen::Failed(cause.to_string()),
                other => Seen::Other(format!("{other:?}")),
            };
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
            // A test that has seen enough no longer listens.
            let _ = sender.send((Instant::now(), seen));
        });
        (job, Self { receiver, all })
    }

    /// Waits for the next event that fits, and says when it happened.
    pub(crate) async fn next<R>(&mut self, fits: impl Fn(&Seen) -> Option<R>) -> (Instant, R) {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.receiver.recv()).await;
            let Ok(Some((at, seen))) = next else { panic!("it was not seen among {:?}", self.all()) };
            if let Some(found) = fits(&seen) {
                return (at, found);
            }
        }
    }

    pub(crate) async fn triggered(&mut self) -> (Instant, CheckpointId) {
        self.next(|seen| if let Seen::Triggered(id) = seen { Some(*id) } else { None }).await
    }

    pub(crate) async fn completed(&mut self) -> (Instant, Completed) {
        self.next(|seen| if let Seen::Completed(completed) = seen { Some(completed.clone()) } else { None })
            .await
    }

    pub(crate) async fn aborted(&mut self) -> (Instant, Aborted) {
        self.next(|seen| if let Seen::Aborted(aborted) = seen { Some(aborted.clone()) } else { None }).await
    }

    /// Everything so far, whether it was waited for or not.
    pub(crate) fn all(&self) -> Vec<Seen> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many events so far fit.
    pub(crate) fn count(&self, fits: impl Fn(&Seen) -> bool) -> usize {
        self.all().iter().filter(|seen| fits(seen)).count()
    }

    /// # Panics
    /// If an attempt failed: what a restart made good again was not right.
    pub(crate) fn assert_undisturbed(&self) {
        assert_eq!(self.count(|seen| matches!(seen, Seen::Failed(_))), 0, "{:?}", self.all());
    }

    /// How many checkpoints have completed so far.
    pub(crate) fn completions(&self) -> usize {
        self.count(|seen| matches!(seen, Seen::Completed(_)))
    }
}
