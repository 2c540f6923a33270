use std::fmt;
use std::time::Duration;
use stillframe_coordinator::PendingStatus;
use stillframe_storage::CommitStage;

/// A checkpoint in progress, and why it is not complete yet. Printed, it is a few lines for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingCheckpoint {
    /// What the coordinator waits for.
    pub status: PendingStatus,
    /// What the storage does for it at this moment.
    pub storage: Option<StorageCall>,
}

/// A storage operation that has not been answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StorageCall {
    /// Which, on what, and how far it is.
    pub operation: String,
    /// Which part of a publication it is, as far as the storage says so.
    pub stage: Option<CommitStage>,
    /// For how long it has not answered.
    pub waiting: Duration,
}

impl fmt::Display for PendingCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        match &self.storage {
            Some(StorageCall { operation, stage: Some(stage), waiting }) => {
                write!(f, "\n  {operation}: {stage}, for {waiting:.1?}")
            }
            Some(StorageCall { operation, stage: None, waiting }) => {
                write!(f, "\n  {operation}, for {waiting:.1?}")
            }
            None => Ok(()),
        }
    }
}
