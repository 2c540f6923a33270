use stillframe_storage::StorageRegistry;

/// A registry of the storages that this build contains, to which others can be added.
#[must_use]
pub fn builtin_storages() -> StorageRegistry {
    #[cfg_attr(
        not(any(feature = "memory", feature = "fs")),
        expect(unused_mut, reason = "nothing is registered then")
    )]
    let mut registry = StorageRegistry::new();
    #[cfg(feature = "memory")]
    registry.register(stillframe_model::StorageDescriptor::JOB_MANAGER, |descriptor| {
        let storage = stillframe_storage_memory::JobManagerCheckpointStorage::from_descriptor(descriptor)?;
        // Its savepoints, and the metadata of its checkpoints where that is wished, are files.
        #[cfg(feature = "fs")]
        let storage = storage.with_files(
            std::sync::Arc::new(stillframe_storage_fs::LocalStores::new()),
            std::sync::Arc::new(stillframe_storage_fs::SystemEntropy),
        );
        Ok(std::sync::Arc::new(storage))
    });
    #[cfg(feature = "fs")]
    registry.register(stillframe_model::StorageDescriptor::FILE_SYSTEM, |descriptor| {
        Ok(std::sync::Arc::new(stillframe_storage_fs::FileSystemCheckpointStorage::from_descriptor(
            descriptor,
        )?))
    });
    registry
}
