//! What waits in the coordinator's own queue of requests, and who asked for it.

use crate::SnapshotRequest;
use crate::requests::Request;
use stillframe_model::RequestId;

/// A request that waits for its turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Waiting {
    pub(crate) snapshot: SnapshotRequest,
    pub(crate) origin: Origin,
}

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    Person(RequestId),
    /// The job itself, because all input was processed.
    EndOfData,
    Schedule,
}

impl Origin {
    pub(crate) fn person(self) -> Option<RequestId> {
        match self {
            Self::Person(request) => Some(request),
            Self::EndOfData | Self::Schedule => None,
        }
    }
}

impl Waiting {
    /// As it is queued. `forced` is whether savepoints go beside as many checkpoints as there may be.
    pub(crate) fn queued(self, forced: bool) -> Request<Self> {
        let is_savepoint = self.snapshot.is_savepoint();
        Request {
            is_savepoint,
            is_forced: is_savepoint && forced,
            is_periodic: matches!(self.origin, Origin::Schedule),
            payload: self,
        }
    }
}
