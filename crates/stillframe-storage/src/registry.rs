use crate::{CheckpointStorage, ErrorKind, StorageError};
use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;
use stillframe_model::StorageDescriptor;

type Factory =
    Box<dyn Fn(&StorageDescriptor) -> Result<Arc<dyn CheckpointStorage>, StorageError> + Send + Sync>;

/// Turns descriptors into storages. An ordinary value: what is registered is what can be opened.
#[derive(Default)]
#[doc(alias = "CustomCheckpointStorage")]
pub struct StorageRegistry {
    factories: BTreeMap<String, Factory>,
}

impl StorageRegistry {
    /// A registry that knows no storage.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says how storages of `kind` are built. A later registration of the same kind replaces the earlier.
    pub fn register(
        &mut self,
        kind: impl Into<String>,
        factory: impl Fn(&StorageDescriptor) -> Result<Arc<dyn CheckpointStorage>, StorageError>
        + Send
        + Sync
        + 'static,
    ) -> &mut Self {
        self.factories.insert(kind.into(), Box::new(factory));
        self
    }

    /// Builds the storage that a descriptor describes.
    ///
    /// # Errors
    /// `Unsupported` for a kind that is not registered, with the kinds that are; otherwise what the factory says.
    pub fn build(&self, descriptor: &StorageDescriptor) -> Result<Arc<dyn CheckpointStorage>, StorageError> {
        let Some(factory) = self.factories.get(descriptor.kind.as_ref()) else {
            let known = self.factories.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(StorageError::new(
                ErrorKind::Unsupported,
                "build checkpoint storage",
                descriptor.kind.as_ref(),
            )
            .with_detail(format!("known kinds: {known}")));
        };
        factory(descriptor)
    }
}

impl fmt::Debug for StorageRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.factories.keys()).finish()
    }
}
