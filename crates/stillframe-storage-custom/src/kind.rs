use crate::descriptor::{check_kind, invalid};
use crate::guard::{Call, Guard};
use crate::{CallKind, CustomCheckpointStorage, CustomDescriptor, CustomOptions, GuardPolicy, Plugin};
use core::fmt;
use core::num::NonZeroU32;
use core::ops::RangeInclusive;
use std::sync::Arc;
use stillframe_storage::{CheckpointStorage, ErrorKind, StorageError, StorageRegistry};

type Factory = Arc<dyn Fn(&CustomOptions) -> Result<Plugin, StorageError> + Send + Sync>;

type Describe = Arc<dyn Fn(&str) -> Result<CustomDescriptor, StorageError> + Send + Sync>;

/// How custom storages of a kind are built. Every process that uses the storage registers the same kinds.
///
/// The version is that of the options and of what is on the medium. A process refuses a descriptor whose version it does not
/// know, rather than to guess what it means; a descriptor without one gets the newest.
#[derive(Clone)]
pub struct CustomKind {
    kind: String,
    versions: RangeInclusive<u32>,
    factory: Factory,
    policy: GuardPolicy,
    environment: fn(&str) -> Option<String>,
    schemes: Vec<(String, Describe)>,
}

impl CustomKind {
    /// Storages of `kind`, in these versions, the lowest of which is at least 1, are made by `factory`. It may block, since it is
    /// guarded like the storage itself, and it reads every option that it knows.
    pub fn new(
        kind: impl Into<String>,
        versions: RangeInclusive<u32>,
        factory: impl Fn(&CustomOptions) -> Result<Plugin, StorageError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            kind: kind.into(),
            versions,
            factory: Arc::new(factory),
            policy: GuardPolicy::default(),
            environment: |name| std::env::var(name).ok(),
            schemes: Vec::new(),
        }
    }

    /// The same, with this policy for the guards of its storages.
    #[must_use]
    pub fn with_policy(self, policy: GuardPolicy) -> Self {
        Self { policy, ..self }
    }

    /// The same, which also builds the storage at an address with this scheme: `describe` reads the address and says what the
    /// storage is otherwise described by. The empty scheme is that of a plain path.
    #[must_use]
    pub fn with_scheme(
        mut self,
        scheme: impl Into<String>,
        describe: impl Fn(&str) -> Result<CustomDescriptor, StorageError> + Send + Sync + 'static,
    ) -> Self {
        self.schemes.push((scheme.into(), Arc::new(describe)));
        self
    }

    #[cfg(test)]
    pub(crate) fn with_environment(self, environment: fn(&str) -> Option<String>) -> Self {
        Self { environment, ..self }
    }

    /// Adds the kind to a registry, which builds it from then on.
    ///
    /// # Errors
    /// `InvalidOption` for a kind that a [`CustomDescriptor`] cannot have, for no versions, and for a scheme that no address can
    /// have; `AlreadyExists` for a kind or a scheme that the registry knows, and for a scheme that was given twice. Nothing is added
    /// then.
    pub fn register(self, registry: &mut StorageRegistry) -> Result<(), StorageError> {
        check_kind(&self.kind)?;
        if self.versions.is_empty() || *self.versions.start() == 0 {
            let found =
                format!("the versions {:?} are not allowed, allowed: at least one, from 1 on", self.versions);
            return Err(invalid(&self.kind).with_detail(found));
        }
        if registry.kinds().any(|known| known == self.kind) {
            return Err(StorageError::new(ErrorKind::AlreadyExists, "register custom storage", self.kind)
                .with_detail("the registry knows this kind; use another"));
        }
        for (scheme, _) in &self.schemes {
            self.check_scheme(scheme, registry)?;
        }
        for (scheme, describe) in &self.schemes {
            let (kind, describe) = (self.clone(), Arc::clone(describe));
            registry.register_scheme([scheme.as_str()], move |address| {
                Ok(Arc::new(kind.build(&describe(address)?)?) as Arc<dyn CheckpointStorage>)
            });
        }
        registry.register_versions(self.kind.clone(), self.versions.clone(), move |descriptor| {
            let storage = self.build(&CustomDescriptor::try_from(descriptor.clone())?)?;
            Ok(Arc::new(storage) as Arc<dyn CheckpointStorage>)
        });
        Ok(())
    }

    fn check_scheme(&self, scheme: &str, registry: &StorageRegistry) -> Result<(), StorageError> {
        if StorageRegistry::scheme_of(&format!("{scheme}:")) != scheme {
            return Err(invalid(&self.kind).with_detail(format!(
                "the scheme {scheme:?} is not allowed, allowed: letters, digits, +, - and ., of which the first is a letter"
            )));
        }
        let own = self.schemes.iter().filter(|(known, _)| known == scheme).count();
        if own > 1 || registry.schemes().any(|known| known == scheme) {
            return Err(StorageError::new(ErrorKind::AlreadyExists, "register custom storage", &self.kind)
                .with_detail(format!("the scheme {scheme:?} is registered twice; use another")));
        }
        Ok(())
    }

    /// Builds a storage of this kind, without a registry.
    ///
    /// # Errors
    /// `Unsupported` for another kind, a version that is not known, and a storage in another process; `InvalidOption` for an
    /// option that is missing, unknown or wrong; else what the factory says.
    pub fn build(&self, descriptor: &CustomDescriptor) -> Result<CustomCheckpointStorage, StorageError> {
        let unsupported = |detail: String| {
            Err(StorageError::new(ErrorKind::Unsupported, "build custom storage", descriptor.kind())
                .with_detail(detail))
        };
        if descriptor.kind() != self.kind {
            return unsupported(format!("only storages of the kind {} are built here", self.kind));
        }
        if descriptor.transport().is_some() {
            return unsupported(format!(
                "option {}: storages in other processes are not supported yet; remove the option to build it in this one",
                CustomDescriptor::TRANSPORT
            ));
        }
        let version = descriptor.version().map_or(*self.versions.end(), NonZeroU32::get);
        let Some(version) = NonZeroU32::new(version).filter(|version| self.versions.contains(&version.get()))
        else {
            let (first, last) = (self.versions.start(), self.versions.end());
            return unsupported(format!(
                "version {version} is not known here, known versions: {first} to {last}"
            ));
        };
        let guard = Arc::new(Guard::new(&self.kind, version.get(), self.policy.clone()));
        let call = Call { kind: CallKind::Open, operation: "build custom storage", object: &self.kind };
        let (kind, factory, environment) = (self.kind.clone(), Arc::clone(&self.factory), self.environment);
        let (options, secrets) = (descriptor.own_options(), Arc::clone(&guard.secrets));
        let plugin = guard.call(call, async move {
            let options = CustomOptions::new(kind, version.get(), options, secrets, environment);
            let plugin = factory(&options)?;
            options.check_all_known()?;
            Ok(plugin)
        })?;
        Ok(CustomCheckpointStorage::guarded(descriptor.clone().with_version(version), guard, plugin))
    }
}

impl fmt::Debug for CustomKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomKind")
            .field("kind", &self.kind)
            .field("versions", &self.versions)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
