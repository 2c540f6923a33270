use super::reader::GuardedReader;
use super::stream::{GuardedStream, Target};
use super::{Call, Guard};
use crate::history::breach;
use crate::ledger::Origin;
use crate::{CallKind, Rule};
use async_trait::async_trait;
use std::sync::Arc;
use stillframe_model::{JobId, StateHandle};
use stillframe_storage::{ErrorKind, StateReader, StateStream, StorageError, TaskOwnedStorage};

#[derive(Debug)]
pub(super) struct GuardedTaskOwned {
    guard: Arc<Guard>,
    job: JobId,
    inner: Arc<dyn TaskOwnedStorage>,
}

/// What errors call it: a name of state says more than its job, and handles have one.
const OBJECT: &str = "task-owned state";

impl GuardedTaskOwned {
    pub(super) fn new(guard: Arc<Guard>, job: JobId, inner: Arc<dyn TaskOwnedStorage>) -> Self {
        Self { guard, job, inner }
    }

    fn origin(&self) -> Origin {
        Origin { job: self.job, checkpoint: None }
    }
}

#[async_trait]
impl TaskOwnedStorage for GuardedTaskOwned {
    async fn create(&self) -> Result<Box<dyn StateStream>, StorageError> {
        let call = Call { kind: CallKind::Begin, operation: "create", object: &OBJECT };
        let inner = Arc::clone(&self.inner);
        let stream = self.guard.call(call, async move { inner.create().await })?;
        let target = Target::TaskOwned { storage: Arc::clone(&self.inner) };
        Ok(Box::new(GuardedStream::new(Arc::clone(&self.guard), stream, self.origin(), target)))
    }

    async fn open(&self, handle: &StateHandle) -> Result<Box<dyn StateReader>, StorageError> {
        let call = Call { kind: CallKind::Read, operation: "open", object: &OBJECT };
        let written = self.guard.ledger().state(self.origin(), handle);
        let (inner, asked) = (Arc::clone(&self.inner), handle.clone());
        GuardedReader::open(&self.guard, call, handle, written, async move { inner.open(&asked).await })
    }

    async fn delete(&self, handle: &StateHandle) -> Result<(), StorageError> {
        let call = Call { kind: CallKind::Bulk, operation: "delete", object: &OBJECT };
        let (inner, handle) = (Arc::clone(&self.inner), handle.clone());
        self.guard.call(call, async move { inner.delete(&handle).await }).map_err(|error| {
            if error.kind() == ErrorKind::NotFound {
                let breach = breach(Rule::RemovalIsRepeatable, "not found, which counts as removed");
                self.guard.broken(ErrorKind::Other, call, breach)
            } else {
                error
            }
        })
    }
}
