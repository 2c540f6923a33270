use crate::{CheckpointStorage, ErrorKind, StorageError};
use core::fmt;
use core::ops::RangeInclusive;
use std::collections::BTreeMap;
use std::sync::Arc;
use stillframe_model::{Redacted, StorageDescriptor};

type Factory =
    Box<dyn Fn(&StorageDescriptor) -> Result<Arc<dyn CheckpointStorage>, StorageError> + Send + Sync>;

type AddressFactory = Arc<dyn Fn(&str) -> Result<Arc<dyn CheckpointStorage>, StorageError> + Send + Sync>;

/// Turns descriptors and addresses into storages. An ordinary value: what is registered is what can be opened.
///
/// A descriptor says by its kind which storage is meant, an address by its scheme: the `s3` of `s3://bucket/checkpoints`. The two
/// are registered apart, since a kind may reach several schemes and a storage in memory has none.
#[derive(Default)]
#[doc(alias = "CustomCheckpointStorage")]
pub struct StorageRegistry {
    kinds: BTreeMap<String, Kind>,
    schemes: BTreeMap<String, AddressFactory>,
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

    /// Says how the storage is built that keeps its checkpoints at an address with one of these schemes, in the case in which they
    /// stand here. The empty scheme is that of a plain path. A later registration of the same scheme replaces the earlier.
    ///
    /// The factory is given the whole address. Its errors must not quote what may be a password in it; see [`Redacted`].
    pub fn register_scheme<S: Into<String>>(
        &mut self,
        schemes: impl IntoIterator<Item = S>,
        factory: impl Fn(&str) -> Result<Arc<dyn CheckpointStorage>, StorageError> + Send + Sync + 'static,
    ) -> &mut Self {
        let factory: AddressFactory = Arc::new(factory);
        self.schemes.extend(schemes.into_iter().map(|scheme| (scheme.into(), Arc::clone(&factory))));
        self
    }

    /// The schemes that are registered, in the order of their names. The empty one is that of a plain path.
    pub fn schemes(&self) -> impl Iterator<Item = &str> {
        self.schemes.keys().map(String::as_str)
    }

    /// The scheme of an address: what stands before its first colon, if that begins with a letter and goes on with letters, digits,
    /// `+`, `-` and `.`; else nothing, and the address is a plain path.
    #[must_use]
    pub fn scheme_of(address: &str) -> &str {
        let scheme = address.split_once(':').map_or("", |(scheme, _)| scheme);
        let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        if begins && scheme.chars().all(fits) { scheme } else { "" }
    }

    /// Builds the storage that keeps its checkpoints at this address, with defaults for everything else. The pointer of a checkpoint
    /// is an address too, and what is built from it resolves it.
    ///
    /// # Errors
    /// `Unsupported` for a scheme that is not registered, with those that are; otherwise what the factory says.
    pub fn build_for(&self, address: &str) -> Result<Arc<dyn CheckpointStorage>, StorageError> {
        let scheme = Self::scheme_of(address);
        if let Some(factory) = self.schemes.get(scheme) {
            return factory(address);
        }
        let named = |scheme: &str| match scheme {
            "" => "a plain path".to_owned(),
            scheme => format!("{scheme}:"),
        };
        let known = listed(self.schemes().map(named));
        let asked = match scheme {
            "" => "it has no scheme".to_owned(),
            scheme => format!("no storage is registered for the scheme {scheme}:"),
        };
        Err(StorageError::new(
            ErrorKind::Unsupported,
            "build checkpoint storage at",
            Redacted::new(address).quote(),
        )
        .with_detail(format!("{asked}; known schemes: {known}")))
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
            .with_detail(format!("known kinds: {}", listed(known))));
        };
        (kind.factory)(descriptor)
    }
}

fn listed(known: impl Iterator<Item = String>) -> String {
    let known = known.collect::<Vec<_>>();
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

impl fmt::Debug for StorageRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageRegistry")
            .field("kinds", &self.kinds.keys())
            .field("schemes", &self.schemes.keys())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A registry whose storages for `file` and plain paths do not exist, but say what they were asked for.
    fn registry() -> StorageRegistry {
        let mut registry = StorageRegistry::new();
        registry.register_scheme(["file", ""], |address| {
            Err(StorageError::new(ErrorKind::Other, "build", format!("files at {address}")))
        });
        registry
    }

    fn answer(registry: &StorageRegistry, address: &str) -> (ErrorKind, String) {
        let error = registry.build_for(address).expect_err("nothing is built here");
        (error.kind(), error.to_string())
    }

    #[test]
    fn an_address_goes_to_whoever_registered_its_scheme() {
        for address in ["file:/a", "file:///a", "/a", "a/b:c", "./file:/a", "_s3:/a", ""] {
            let expected = (ErrorKind::Other, format!("build files at {address}: failed"));
            assert_eq!(answer(&registry(), address), expected);
        }
    }

    #[test]
    fn a_scheme_that_nobody_registered_is_named_with_those_that_are() {
        let (kind, text) = answer(&registry(), "s3://key:secret@bucket/a?sig=secret");
        assert_eq!(kind, ErrorKind::Unsupported);
        let expected = "build checkpoint storage at \"s3://key:***@bucket/a?***\": unsupported (no storage is registered for the \
                        scheme s3:; known schemes: a plain path, file:)";
        assert_eq!(text, expected);
        // Two schemes that differ in case are two, as they are to Flink.
        assert_eq!(answer(&registry(), "FILE:/a").0, ErrorKind::Unsupported);
        let (_, text) = answer(&StorageRegistry::new(), "/a");
        assert!(text.ends_with("(it has no scheme; known schemes: none)"), "{text}");
    }

    #[test]
    fn a_later_registration_of_a_scheme_replaces_the_earlier_and_no_other() {
        let mut registry = registry();
        registry.register_scheme(["file", "s3+x"], |_| {
            Err(StorageError::new(ErrorKind::Other, "build", "another"))
        });
        assert_eq!(answer(&registry, "file:/a").1, "build another: failed");
        assert_eq!(answer(&registry, "s3+x://a").1, "build another: failed");
        assert_eq!(answer(&registry, "/a").1, "build files at /a: failed");
        assert_eq!(registry.schemes().collect::<Vec<_>>(), ["", "file", "s3+x"]);
    }
}
