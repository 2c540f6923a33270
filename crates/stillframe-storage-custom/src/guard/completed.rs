use super::reader::GuardedReader;
use super::{Call, Guard};
use crate::history::breach;
use crate::ledger::{Content, Origin};
use crate::{CallKind, Rule};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::{Pointer, Redacted, StateFile, StateHandle};
use stillframe_storage::{CompletedLocation, ErrorKind, StateReader, StorageError};

#[derive(Debug)]
pub(crate) struct GuardedLocation {
    guard: Arc<Guard>,
    inner: Arc<dyn CompletedLocation>,
    pointer: Pointer,
    /// Which checkpoint it is, if that is known.
    origin: Option<Origin>,
}

impl GuardedLocation {
    pub(crate) fn new(
        guard: Arc<Guard>,
        (inner, pointer): (Arc<dyn CompletedLocation>, Pointer),
        origin: Option<Origin>,
    ) -> Self {
        Self { guard, inner, pointer, origin }
    }

    fn shown(&self) -> Redacted<'_> {
        Redacted::new(self.pointer.as_str())
    }

    fn written(&self, handle: &StateHandle) -> Option<Content> {
        self.origin.and_then(|origin| self.guard.ledger().state(origin, handle))
    }
}

#[async_trait]
impl CompletedLocation for GuardedLocation {
    fn pointer(&self) -> &Pointer {
        &self.pointer
    }

    async fn metadata(&self) -> Result<Bytes, StorageError> {
        let call = Call { kind: CallKind::Read, operation: "read metadata of", object: &self.shown() };
        let inner = Arc::clone(&self.inner);
        let metadata = self.guard.call(call, async move { inner.metadata().await })?;
        let written = self.origin.and_then(|origin| self.guard.ledger().metadata(origin));
        if written.is_some() {
            self.guard.compare(call, Content::of(&metadata), written)?;
        }
        Ok(metadata)
    }

    async fn open(&self, handle: &StateHandle) -> Result<Box<dyn StateReader>, StorageError> {
        let call = Call { kind: CallKind::Read, operation: "open state of", object: &self.shown() };
        let (inner, asked) = (Arc::clone(&self.inner), handle.clone());
        GuardedReader::open(&self.guard, call, handle, self.written(handle), async move {
            inner.open(&asked).await
        })
    }

    async fn read(&self, handle: &StateHandle) -> Result<Bytes, StorageError> {
        let call = Call { kind: CallKind::Bulk, operation: "read state of", object: &self.shown() };
        let (inner, asked) = (Arc::clone(&self.inner), handle.clone());
        let bytes = self.guard.call(call, async move { inner.read(&asked).await })?;
        if bytes.len() as u64 != handle.size() {
            let found = format!("{} bytes, the handle has {}", bytes.len(), handle.size());
            return Err(self.guard.broken(ErrorKind::Corrupt, call, breach(Rule::ReadsExactlyLen, found)));
        }
        let written = self.written(handle);
        if written.is_some() {
            self.guard.compare(call, Content::of(&bytes), written)?;
        }
        Ok(bytes)
    }

    fn foreign(&self, file: &StateFile) -> Option<StateFile> {
        let call = Call { kind: CallKind::Open, operation: "name state of", object: &self.shown() };
        let (inner, file) = (Arc::clone(&self.inner), file.clone());
        // A checkpoint elsewhere then does not refer to it; that it failed is in the report.
        self.guard.call(call, async move { Ok(inner.foreign(&file)) }).ok().flatten()
    }
}
