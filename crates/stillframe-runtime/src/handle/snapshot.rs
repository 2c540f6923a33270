use crate::RequestError;
use std::time::Duration;
use stillframe_coordinator::{Outcome, Refused};
use stillframe_model::CheckpointId;
use tokio::sync::watch;

/// Where a request's fate is written down.
pub(crate) type Reply = watch::Sender<Levels>;

/// How far a snapshot has come that somebody asked for. The times are those since its trigger.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    pub(crate) checkpoint: Option<CheckpointId>,
    pub(crate) captured: Option<Duration>,
    pub(crate) durable: Option<Duration>,
    pub(crate) published: Option<(Outcome, Duration)>,
    pub(crate) committed: Option<Duration>,
    /// It is complete, and nothing is committed for it.
    pub(crate) commits_nothing: bool,
    pub(crate) resolved: Option<Result<Outcome, Refused>>,
}

impl Levels {
    /// Whether nothing about it will change any more.
    pub(crate) fn is_over(&self) -> bool {
        match &self.resolved {
            None => false,
            Some(Err(_)) => true,
            Some(Ok(_)) => self.committed.is_some() || self.commits_nothing,
        }
    }

    fn why_not(&self) -> RequestError {
        match &self.resolved {
            Some(Err(refused)) => RequestError::Refused(refused.clone()),
            Some(Ok(_)) if self.commits_nothing => RequestError::NothingCommitted,
            Some(Ok(_)) | None => RequestError::NotRunning,
        }
    }
}

/// A checkpoint or savepoint that was asked for, on its way through four levels: captured, durable, published, committed.
/// Each can be awaited, in any order and any number of times, and gives the time from the trigger until it was reached.
/// Dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct SnapshotHandle {
    levels: watch::Receiver<Levels>,
}

impl SnapshotHandle {
    /// A handle, and where what becomes of the snapshot is to be written.
    pub(crate) fn new() -> (Self, Reply) {
        let (reply, levels) = watch::channel(Levels::default());
        (Self { levels }, reply)
    }

    /// Waits until its turn has come, and says under which id it was triggered.
    ///
    /// # Errors
    /// Why it was not.
    pub async fn triggered(&self) -> Result<CheckpointId, RequestError> {
        self.reached(|levels| levels.checkpoint).await
    }

    /// Waits until every task has captured its state and processes again.
    ///
    /// # Errors
    /// Why that will not be.
    pub async fn captured(&self) -> Result<Duration, RequestError> {
        self.reached(|levels| levels.captured).await
    }

    /// Waits until the state of every task is durable.
    ///
    /// # Errors
    /// Why that will not be.
    pub async fn durable(&self) -> Result<Duration, RequestError> {
        self.reached(|levels| levels.durable).await
    }

    /// Waits until it is complete, which it stays whatever happens to the job, and says where it is.
    ///
    /// # Errors
    /// Why that will not be.
    pub async fn published(&self) -> Result<(Outcome, Duration), RequestError> {
        self.reached(|levels| levels.published.clone()).await
    }

    /// Waits until every task has let out what it held back for it.
    ///
    /// # Errors
    /// Why that will not be, or cannot be known: [`RequestError::NothingCommitted`] for a savepoint behind which the job goes
    /// on, [`RequestError::NotRunning`] if the job failed or ended before all tasks had said so.
    pub async fn committed(&self) -> Result<Duration, RequestError> {
        self.reached(|levels| levels.committed).await
    }

    /// Waits until whoever asked has an answer: at a savepoint behind which the job stops, when every task has ended.
    pub(crate) async fn resolved(&self) -> Result<Outcome, RequestError> {
        self.reached(|levels| levels.resolved.as_ref().and_then(|resolved| resolved.as_ref().ok()).cloned())
            .await
    }

    async fn reached<T>(&self, level: impl Fn(&Levels) -> Option<T>) -> Result<T, RequestError> {
        let mut levels = self.levels.clone();
        // If nobody writes any more, what was written last still counts.
        let _ = levels.wait_for(|levels| level(levels).is_some() || levels.is_over()).await;
        let levels = levels.borrow();
        level(&levels).ok_or_else(|| levels.why_not())
    }
}
