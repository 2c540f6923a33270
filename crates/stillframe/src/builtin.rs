use stillframe_storage::StorageRegistry;

/// A registry of the storages that this build contains, to which others can be added. With the feature `fs` it knows addresses
/// too: `file:/path`, and plain paths.
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
    #[cfg(feature = "fs")]
    registry.register_scheme(["file", ""], |address| {
        Ok(std::sync::Arc::new(stillframe_storage_fs::FileSystemCheckpointStorage::new(address)?))
    });
    registry
}

#[cfg(all(test, feature = "fs"))]
mod tests {
    use super::*;
    use stillframe_model::{OptionValue, StorageDescriptor};

    #[test]
    fn a_path_of_this_machine_is_a_storage_in_files_with_and_without_a_scheme() {
        for address in ["/a/b", "file:/a/b", "file:///a/b"] {
            let storage = builtin_storages().build_for(address).unwrap();
            let expected = StorageDescriptor::new(StorageDescriptor::FILE_SYSTEM)
                .with(StorageDescriptor::CHECKPOINTS_DIRECTORY, OptionValue::Text("file:/a/b".into()));
            assert_eq!(storage.descriptor(), expected, "{address}");
        }
    }

    #[test]
    fn an_address_elsewhere_is_refused_with_the_schemes_that_there_are() {
        for (address, words) in [
            (
                "s3://bucket/a",
                "no storage is registered for the scheme s3:; known schemes: a plain path, file:",
            ),
            ("file://host/a", "file: on another host cannot be reached"),
            ("/", "the root of a file system"),
        ] {
            let error = builtin_storages().build_for(address).unwrap_err().to_string();
            assert!(error.contains(words), "{address}: {error}");
        }
    }
}
