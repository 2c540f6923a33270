use crate::{CheckpointStorage, ErrorKind, StorageError};
use core::fmt;
use core::ops::RangeInclusive;
use std::collections::BTreeMap;
use std::sync::Arc;
use stillframe_model::StorageDescriptor;

type Factory =
    Box<dyn Fn(&StorageDescriptor) -> Result<Arc<dyn CheckpointStorage>, StorageError> + Send + Sync>;

/// Turns descriptors into storages. An ordinary value: what is registered is what can be opened.
#[derive(Default)]
#[doc(alias = "CustomCheckpointStorage")]
pub struct StorageRegistry {
    kinds: BTreeMap<String, Kind>,
}

struct Kind {
    /// For messages; the factory decides.
    versions: Option<RangeInclusive<u32>>,
    factory: Factory,
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
        self.kinds.insert(kind.into(), Kind { versions: None, factory: Box::new(factory) });
        self
    }

    /// The same for a kind that comes in versions. The factory refuses those that it does not know; here they are for whoever
    /// asks for a kind that is not registered.
    pub fn register_versions(
        &mut self,
        kind: impl Into<String>,
        versions: RangeInclusive<u32>,
        factory: impl Fn(&StorageDescriptor) -> Result<Arc<dyn CheckpointStorage>, StorageError>
        + Send
        + Sync
        + 'static,
    ) -> &mut Self {
        self.kinds.insert(kind.into(), Kind { versions: Some(versions), factory: Box::new(factory) });
        self
    }

    /// The kinds that are registered, in the order of their names.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    /// Builds the storage that a descriptor describes.
    ///
    /// # Errors
    /// `Unsupported` for a kind that is not registered, with the kinds that are; otherwise what the factory says.
    pub fn build(&self, descriptor: &StorageDescriptor) -> Result<Arc<dyn CheckpointStorage>, StorageError> {
        let Some(kind) = self.kinds.get(descriptor.kind.as_ref()) else {
            let known = self.kinds.iter().map(|(name, kind)| match &kind.versions {
                None => name.clone(),
                Some(versions) if versions.start() == versions.end() => {
                    format!("{name} (version {})", versions.start())
                }
                Some(versions) => format!("{name} (versions {} to {})", versions.start(), versions.end()),
            });
            return Err(StorageError::new(
                ErrorKind::Unsupported,
                "build checkpoint storage",
                descriptor.kind.as_ref(),
            )
            .with_detail(format!("known kinds: {}", known.collect::<Vec<_>>().join(", "))));
        };
        (kind.factory)(descriptor)
    }
}

impl fmt::Debug for StorageRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.kinds.keys()).finish()
    }
}
