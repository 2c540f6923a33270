use super::worker::{Pending, Place};
use super::{Call, Guard, drain};
use crate::history::{Breach, breach};
use crate::ledger::{Content, Origin};
use crate::{CallKind, Rule, Violation};
use async_trait::async_trait;
use bytes::Bytes;
use core::fmt::{self, Display};
use std::sync::Arc;
use stillframe_model::{StateDirectory, StateHandle};
use stillframe_storage::{ErrorKind, StateScope, StateStream, StorageError, TaskOwnedStorage};

pub(super) struct GuardedStream {
    guard: Arc<Guard>,
    /// `None` after a call that did not give it back.
    inner: Option<Box<dyn StateStream>>,
    origin: Origin,
    target: Target,
    written: Content,
    /// Whether anything was written, be it without bytes.
    is_begun: bool,
    condition: Condition,
}

/// What the stream is for.
pub(super) enum Target {
    Checkpoint { place: Place, scope: StateScope, pending: Arc<Pending> },
    TaskOwned { storage: Arc<dyn TaskOwnedStorage> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Good,
    /// A call failed. It can be aborted.
    Failed,
    /// A call panicked, and the stream went with it.
    Gone,
    /// A call holds it that has not returned.
    Held,
}

impl GuardedStream {
    pub(super) fn new(
        guard: Arc<Guard>,
        inner: Box<dyn StateStream>,
        origin: Origin,
        target: Target,
    ) -> Self {
        let written = Content::EMPTY;
        Self {
            guard,
            inner: Some(inner),
            origin,
            target,
            written,
            is_begun: false,
            condition: Condition::Good,
        }
    }

    /// The stream behind it, unless an error came before.
    fn take(&mut self, call: Call<'_>) -> Result<Box<dyn StateStream>, StorageError> {
        match self.inner.take() {
            Some(inner) if self.condition == Condition::Good => Ok(inner),
            inner => {
                self.inner = inner;
                let breach = breach(Rule::AbortAfterError, "an earlier call for this stream failed");
                Err(self.guard.broken(ErrorKind::Other, call, breach))
            }
        }
    }

    /// Notes that a call kept the stream. What it writes when nobody waits any more may end up anywhere in its segment, so
    /// `is_shared` work at this place is over as well.
    fn lost(&mut self, error: &StorageError, is_shared: bool) {
        self.condition = match Violation::of(error).map(Violation::rule) {
            Some(Rule::ReturnsInTime) => Condition::Held,
            _ => Condition::Gone,
        };
        if let (true, Target::Checkpoint { place, pending, .. }) = (is_shared, &self.target) {
            pending.poison(place);
        }
    }

    /// Compares a handle, or that there is none, with what was written.
    fn check(&self, handle: Option<&StateHandle>) -> Result<(), Breach> {
        let written = self.written;
        let Some(handle) = handle else {
            return match written.len {
                0 => Ok(()),
                len => Err(breach(Rule::NoneOnlyForEmptyStreams, format!("no handle for {len} bytes"))),
            };
        };
        if !self.is_begun {
            let found = format!("{handle:?}, and nothing was written");
            return Err(breach(Rule::NoneOnlyForEmptyStreams, found));
        }
        if handle.size() != written.len {
            let found = format!("a handle of {} bytes for {} bytes", handle.size(), written.len);
            return Err(breach(Rule::HandleSizeIsBytesWritten, found));
        }
        let directory = handle.file().map(|file| &file.directory);
        let fits = match &self.target {
            Target::TaskOwned { .. } => directory == Some(&StateDirectory::TaskOwned),
            Target::Checkpoint { scope: StateScope::Exclusive, .. } => {
                directory.is_none_or(|directory| *directory == StateDirectory::Exclusive)
            }
            Target::Checkpoint { scope: StateScope::Shared, .. } => directory.is_none_or(|directory| {
                matches!(directory, StateDirectory::Exclusive | StateDirectory::Shared)
            }),
        };
        if !fits {
            let found = directory.map_or("state in the metadata".to_owned(), |place| format!("{place:?}"));
            return Err(breach(Rule::HandleFitsScope, format!("{found}, for {}", self.target)));
        }
        if let StateHandle::Inline(bytes) = handle
            && Content::of(bytes) != written
        {
            return Err(breach(Rule::ReadsWhatWasWritten, "the handle holds other bytes"));
        }
        if !self.guard.ledger().wrote_state(self.origin, handle, written) {
            let found = handle.file().map(|file| format!("{} twice", file.name)).unwrap_or_default();
            return Err(breach(Rule::PlacesAreNeverReused, found));
        }
        Ok(())
    }

    /// Task-owned state is durable now; other state is read back when it is synced.
    fn read_back(&self, handle: &StateHandle) -> Result<(), StorageError> {
        match &self.target {
            Target::Checkpoint { place, pending, .. } => {
                pending.finished(&self.guard, place, handle, self.written);
                Ok(())
            }
            Target::TaskOwned { .. } if !self.guard.reads_back() => Ok(()),
            Target::TaskOwned { storage } => {
                let call = Call { kind: CallKind::Bulk, operation: "read back", object: &self.target };
                let (storage, asked) = (Arc::clone(storage), handle.clone());
                let read = self.guard.call(call, async move { drain(storage.open(&asked).await?).await })?;
                self.guard.compare(call, read, Some(self.written))
            }
        }
    }
}

#[async_trait]
impl StateStream for GuardedStream {
    fn position(&self) -> u64 {
        self.written.len
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        let object = self.target.name();
        let call = Call { kind: CallKind::Write, operation: "write", object: &object };
        let mut inner = self.take(call)?;
        let written = self.written.extend(&bytes);
        let result = self.guard.call(call, async move {
            let result = inner.write(bytes).await;
            let position = inner.position();
            Ok((inner, result.map(|()| position)))
        });
        let (inner, result) = result.inspect_err(|error| self.lost(error, false))?;
        self.inner = Some(inner);
        self.condition = Condition::Failed;
        let position = result.map_err(|error| self.guard.secrets.shield(error))?;
        if position != written.len {
            let found = format!("position {position} after {} bytes", written.len);
            let breach = breach(Rule::PositionIsBytesWritten, found);
            return Err(self.guard.broken(ErrorKind::Other, call, breach));
        }
        self.condition = Condition::Good;
        self.is_begun = true;
        self.written = written;
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Option<StateHandle>, StorageError> {
        let object = self.target.name();
        let call = Call { kind: CallKind::Finish, operation: "finish", object: &object };
        let inner = self.take(call)?;
        let handle = self.guard.call(call, async move { inner.finish().await }).inspect_err(|error| {
            if Violation::of(error).is_some() {
                self.lost(error, true);
            }
        })?;
        self.check(handle.as_ref()).map_err(|breach| {
            let kind = match breach.rule {
                Rule::ReadsWhatWasWritten => ErrorKind::Corrupt,
                _ => ErrorKind::Other,
            };
            self.guard.broken(kind, call, breach)
        })?;
        if let Some(handle) = &handle {
            self.read_back(handle)?;
        }
        Ok(handle)
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StorageError> {
        let object = self.target.name();
        let call = Call { kind: CallKind::Finish, operation: "abort", object: &object };
        match self.inner.take() {
            Some(inner) => self.guard.call(call, async move { inner.abort().await }),
            None if self.condition == Condition::Held => {
                Err(StorageError::new(ErrorKind::Unavailable, call.operation, object).with_detail(
                    "a call that has not returned holds the stream; it is dropped when that returns",
                ))
            }
            // Dropping it was all that could be done.
            None => Ok(()),
        }
    }
}

impl Drop for GuardedStream {
    /// A storage may do as much here as in `abort`, and fail in the same ways.
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            let call = Call { kind: CallKind::Finish, operation: "drop", object: &self.target };
            // Nobody hears of it but the report.
            let _ = self.guard.call(call, async move {
                drop(inner);
                Ok(())
            });
        }
    }
}

impl Target {
    /// What errors call the stream.
    fn name(&self) -> String {
        self.to_string()
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint { place: (checkpoint, _), scope: StateScope::Exclusive, .. } => {
                write!(f, "state of checkpoint {checkpoint}")
            }
            Self::Checkpoint { place: (checkpoint, _), scope: StateScope::Shared, .. } => {
                write!(f, "shared state of checkpoint {checkpoint}")
            }
            Self::TaskOwned { .. } => f.write_str("task-owned state"),
        }
    }
}

impl fmt::Debug for GuardedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedStream")
            .field("inner", &self.inner)
            .field("written", &self.written)
            .field("condition", &self.condition)
            .finish_non_exhaustive()
    }
}
