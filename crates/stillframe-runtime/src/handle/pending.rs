use std::fmt;
use std::time::Duration;
use stillframe_coordinator::PendingStatus;

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
    /// For how long.
    pub waiting: Duration,
}

impl fmt::Display for PendingCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        match &self.storage {
            Some(StorageCall { operation, waiting }) => write!(f, "\n  {operation}, for {waiting:.1?}"),
            None => Ok(()),
        }
    }
}
