use crate::guard::{Call, Guard, GuardedAccess, GuardedLocation};
use crate::{CallKind, CustomDescriptor, GuardPolicy, GuardReport, Plugin};
use async_trait::async_trait;
use core::num::NonZeroU32;
use std::sync::Arc;
use stillframe_model::{JobId, Pointer, Redacted, StorageDescriptor};
use stillframe_storage::{CheckpointStorage, CompletedLocation, StorageAccess, StorageError};

/// A storage that somebody else wrote, behind a guard that checks its contract while it is used.
///
/// The guard runs every call on a thread of its own, waits for it no longer than its deadline, and contains its panics; the
/// calls themselves block, as those of every storage may. What is written and read is compared by length and checksum, and
/// never copied. A call that commits something and then panics, is lost, or contradicts what came before, is
/// `OutcomeUnknown`; one that breaks another rule fails, so that its checkpoint does.
///
/// Panics are contained where they unwind; a program built with `panic = "abort"` ends with the first. Clones share the guard.
#[derive(Clone, Debug)]
pub struct CustomCheckpointStorage {
    descriptor: CustomDescriptor,
    guard: Arc<Guard>,
    plugin: Plugin,
}

impl CustomCheckpointStorage {
    /// Somebody's storage, described by this, where no registry is needed: in a program of one process. A
    /// [`CustomKind`](crate::CustomKind) builds it in every process.
    #[must_use]
    pub fn new(descriptor: CustomDescriptor, plugin: Plugin, policy: GuardPolicy) -> Self {
        let version = descriptor.version().unwrap_or(NonZeroU32::MIN);
        let guard = Arc::new(Guard::new(descriptor.kind(), version.get(), policy));
        Self::guarded(descriptor.with_version(version), guard, plugin)
    }

    pub(crate) fn guarded(descriptor: CustomDescriptor, guard: Arc<Guard>, plugin: Plugin) -> Self {
        Self { descriptor, guard, plugin }
    }

    /// Its kind, version and options.
    #[must_use]
    pub fn custom_descriptor(&self) -> &CustomDescriptor {
        &self.descriptor
    }

    /// How it has behaved so far, in this process.
    #[must_use]
    pub fn report(&self) -> GuardReport {
        self.guard.report()
    }
}

impl From<CustomCheckpointStorage> for StorageDescriptor {
    fn from(storage: CustomCheckpointStorage) -> Self {
        storage.descriptor.into()
    }
}

#[async_trait]
impl CheckpointStorage for CustomCheckpointStorage {
    /// That which it was built from, with its version, whatever the storage behind the guard says of itself.
    fn descriptor(&self) -> StorageDescriptor {
        self.descriptor.clone().into()
    }

    async fn open(&self, job: JobId) -> Result<Arc<dyn StorageAccess>, StorageError> {
        Ok(Arc::new(GuardedAccess::open(&self.guard, &self.plugin, job)?))
    }

    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        let object = Redacted::new(pointer.as_str());
        let call = Call { kind: CallKind::Open, operation: "resolve", object: &object };
        let (storage, asked) = (Arc::clone(&self.plugin.storage), pointer.clone());
        let (location, found) = self.guard.call(call, async move {
            let location = storage.resolve(&asked).await?;
            let pointer = location.pointer().clone();
            Ok((location, pointer))
        })?;
        let origin = self.guard.ledger().origin(&found);
        Ok(Arc::new(GuardedLocation::new(Arc::clone(&self.guard), (location, found), origin)))
    }

    async fn dispose_savepoint(&self, savepoint: &Pointer) -> Result<(), StorageError> {
        let object = Redacted::new(savepoint.as_str());
        let call = Call { kind: CallKind::Bulk, operation: "dispose of savepoint", object: &object };
        let (storage, asked) = (Arc::clone(&self.plugin.storage), savepoint.clone());
        self.guard.call(call, async move { storage.dispose_savepoint(&asked).await })
    }

    async fn export(&self, snapshot: &Pointer, target: &str) -> Result<Pointer, StorageError> {
        let object = Redacted::new(snapshot.as_str());
        let call = Call { kind: CallKind::Bulk, operation: "export", object: &object };
        let (storage, asked, target) =
            (Arc::clone(&self.plugin.storage), snapshot.clone(), target.to_owned());
        self.guard.call(call, async move { storage.export(&asked, &target).await })
    }
}
