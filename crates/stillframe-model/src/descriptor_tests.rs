//! The descriptors of the storages we know, between typed and plain.

use crate::{
    DescriptorError, Durability, FileSystemDescriptor, JobManagerDescriptor, OptionValue, StorageDescriptor,
    StoragePath,
};
use alloc::format;
use alloc::string::ToString;
use proptest::option::of;
use proptest::prelude::*;

fn path(text: &str) -> StoragePath {
    StoragePath::parse(text).unwrap()
}

fn text(value: &str) -> OptionValue {
    OptionValue::Text(value.into())
}

#[test]
fn what_is_not_set_is_flinks_default_and_in_no_option() {
    let memory = JobManagerDescriptor::new();
    assert_eq!((memory.checkpoint_path(), memory.savepoint_path()), (None, None));
    assert_eq!((memory.max_state_size(), memory.explicit_max_state_size()), (5_242_880, None));
    assert_eq!(StorageDescriptor::from(memory), StorageDescriptor::new("jobmanager"));

    let files = FileSystemDescriptor::new(path("file:///c"));
    assert_eq!((files.min_file_size_threshold(), files.write_buffer_size()), (20_480, 4096));
    assert_eq!((files.explicit_min_file_size_threshold(), files.explicit_write_buffer_size()), (None, None));
    assert_eq!((files.durability(), files.explicit_durability()), (Durability::Sync, None));
    let expected = StorageDescriptor::new("filesystem").with("execution.checkpointing.dir", text("file:/c"));
    assert_eq!(StorageDescriptor::from(files), expected);
}

#[test]
fn what_is_set_is_under_flinks_keys() {
    let memory = JobManagerDescriptor::new()
        .with_checkpoint_path(path("s3://b/c"))
        .with_savepoint_path(path("s3://b/s"))
        .with_max_state_size(5_242_880);
    let expected = StorageDescriptor::new("jobmanager")
        .with("execution.checkpointing.dir", text("s3://b/c"))
        .with("execution.checkpointing.savepoint-dir", text("s3://b/s"))
        .with("max-state-size", OptionValue::Size(5_242_880));
    assert_eq!(StorageDescriptor::from(memory.unwrap()), expected);

    let files = FileSystemDescriptor::new(path("hdfs:///c"))
        .with_savepoint_path(path("hdfs:///s"))
        .with_write_buffer_size(u32::MAX)
        .with_durability(Durability::None)
        .with_min_file_size_threshold(FileSystemDescriptor::MAX_FILE_STATE_THRESHOLD);
    let expected = StorageDescriptor::new("filesystem")
        .with("execution.checkpointing.dir", text("hdfs:/c"))
        .with("execution.checkpointing.savepoint-dir", text("hdfs:/s"))
        .with("execution.checkpointing.data-inline-threshold", OptionValue::Size(1_048_576))
        .with("execution.checkpointing.write-buffer-size", OptionValue::Size(4_294_967_295))
        .with("durability", text("none"));
    assert_eq!(StorageDescriptor::from(files.unwrap()), expected);
}

#[test]
fn setters_refuse_what_flinks_constructors_refuse() {
    let error = JobManagerDescriptor::new().with_max_state_size(0).unwrap_err();
    assert_eq!(error.to_string(), "max-state-size: 0 is not allowed (allowed: at least 1 byte)");
    assert_eq!(error.option(), StorageDescriptor::MAX_STATE_SIZE);
    let files = FileSystemDescriptor::new(path("file:///c"));
    let error = files.with_min_file_size_threshold(1_048_577).unwrap_err();
    assert_eq!(
        error.to_string(),
        "execution.checkpointing.data-inline-threshold: 1048577 is not allowed (allowed: 0 to 1048576 bytes)"
    );
}

fn refusals<T: core::fmt::Debug>(
    read: impl Fn(&StorageDescriptor) -> Result<T, DescriptorError>,
    cases: &[(StorageDescriptor, &str, &str)],
) {
    for (descriptor, option, words) in cases {
        let error = read(descriptor).unwrap_err();
        assert_eq!(error.option(), *option);
        assert!(error.to_string().starts_with(&format!("{option}: ")), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_jobmanager_descriptor_is_checked_when_it_is_read() {
    let plain = StorageDescriptor::new("jobmanager");
    refusals(
        |descriptor| JobManagerDescriptor::try_from(descriptor),
        &[
            (
                StorageDescriptor::new("filesystem"),
                "kind",
                "\"filesystem\" is not allowed (allowed: jobmanager)",
            ),
            (plain.clone().with("max-state-size", OptionValue::Size(0)), "max-state-size", "at least 1 byte"),
            (plain.clone().with("max-state-size", text("5m")), "max-state-size", "the text \"5m\""),
            (
                plain.clone().with("execution.checkpointing.dir", text("/c")),
                "execution.checkpointing.dir",
                "no scheme",
            ),
            (
                plain.clone().with("execution.checkpointing.savepoint-dir", OptionValue::Size(1)),
                "execution.checkpointing.savepoint-dir",
                "the size 1 is not allowed (allowed: the text of an address",
            ),
            (
                plain.with("max-size", OptionValue::Size(1)),
                "max-size",
                "an unknown option is not allowed (allowed: only max-state-size, max-total-size, execution.checkpointing.dir",
            ),
        ],
    );
}

#[test]
fn a_filesystem_descriptor_is_checked_when_it_is_read() {
    let plain = StorageDescriptor::from(FileSystemDescriptor::new(path("file:///c")));
    let dir = "execution.checkpointing.dir";
    let threshold = "execution.checkpointing.data-inline-threshold";
    let buffer = "execution.checkpointing.write-buffer-size";
    refusals(
        |descriptor| FileSystemDescriptor::try_from(descriptor),
        &[
            (StorageDescriptor::new("jobmanager"), "kind", "(allowed: filesystem)"),
            (StorageDescriptor::new("filesystem"), dir, "no value is not allowed"),
            (plain.clone().with(dir, OptionValue::Size(1)), dir, "the size 1"),
            (plain.clone().with(dir, text("s3://k:SECRET@b")), dir, "\"s3://k:***@b\", which has no path"),
            (
                plain.clone().with("execution.checkpointing.savepoint-dir", text("")),
                "execution.checkpointing.savepoint-dir",
                "an empty text",
            ),
            (
                plain.clone().with(threshold, OptionValue::Size(1_048_577)),
                threshold,
                "1048577 is not allowed",
            ),
            (
                plain.clone().with(threshold, OptionValue::Size(1 << 32)),
                threshold,
                "4294967296 is not allowed",
            ),
            (plain.clone().with(threshold, text("20k")), threshold, "the text \"20k\""),
            (plain.clone().with(buffer, OptionValue::Size(1 << 32)), buffer, "0 to 4294967295 bytes"),
            (plain.clone().with("durability", text("fsync")), "durability", "the text \"fsync\""),
            (
                plain.clone().with("durability", OptionValue::Size(0)),
                "durability",
                "(allowed: sync, or none, with",
            ),
            (plain.clone().with("compression", text("lz4")), "compression", "an unknown option"),
        ],
    );
}

#[test]
fn no_descriptor_shows_a_secret_in_its_debug_output() {
    let files = FileSystemDescriptor::new(path("s3://key:SECRET@bucket/c"));
    let memory = JobManagerDescriptor::new().with_savepoint_path(path("s3://key:SECRET@bucket/s"));
    let plain = StorageDescriptor::from(files.clone());
    for shown in [format!("{files:?}"), format!("{memory:?}"), format!("{plain:?}")] {
        assert!(!shown.contains("SECRET") && shown.contains("s3://key:***@bucket"), "{shown}");
    }
}

fn address() -> impl Strategy<Value = StoragePath> {
    "(file:|s3://[a-z]{1,8}|hdfs://n:80)(/[a-zA-Z0-9 ._-]{2,6}){1,3}"
        .prop_filter_map("not an address", |text| StoragePath::parse(&text).ok())
}

fn memory() -> impl Strategy<Value = JobManagerDescriptor> {
    (of(address()), of(address()), of(1..=u64::MAX)).prop_map(|(checkpoints, savepoints, size)| {
        let mut descriptor = JobManagerDescriptor::new();
        if let Some(path) = checkpoints {
            descriptor = descriptor.with_checkpoint_path(path);
        }
        if let Some(path) = savepoints {
            descriptor = descriptor.with_savepoint_path(path);
        }
        match size {
            Some(size) => descriptor.with_max_state_size(size).unwrap(),
            None => descriptor,
        }
    })
}

fn files() -> impl Strategy<Value = FileSystemDescriptor> {
    let sizes = (of(0..=FileSystemDescriptor::MAX_FILE_STATE_THRESHOLD), of(any::<u32>()));
    let durability = of(prop_oneof![Just(Durability::Sync), Just(Durability::None)]);
    let settings = (sizes, durability);
    (address(), of(address()), settings).prop_map(
        |(checkpoints, savepoints, ((threshold, buffer), durability))| {
            let mut descriptor = FileSystemDescriptor::new(checkpoints);
            if let Some(durability) = durability {
                descriptor = descriptor.with_durability(durability);
            }
            if let Some(path) = savepoints {
                descriptor = descriptor.with_savepoint_path(path);
            }
            if let Some(buffer) = buffer {
                descriptor = descriptor.with_write_buffer_size(buffer);
            }
            match threshold {
                Some(threshold) => descriptor.with_min_file_size_threshold(threshold).unwrap(),
                None => descriptor,
            }
        },
    )
}

#[cfg(feature = "serde")]
fn through_json<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

#[cfg(feature = "serde")]
#[test]
fn serde_refuses_what_a_constructor_refuses() {
    for (json, words) in [
        (r#"{"kind":"jobmanager","options":{"max-state-size":{"Size":0}}}"#, "at least 1 byte"),
        (r#"{"kind":"jobmanager","options":{"execution.checkpointing.dir":{"Text":"/c"}}}"#, "no scheme"),
    ] {
        let error = serde_json::from_str::<JobManagerDescriptor>(json).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let error = serde_json::from_str::<FileSystemDescriptor>(r#"{"kind":"filesystem","options":{}}"#);
    assert!(error.unwrap_err().to_string().contains("no value"));
    assert!(serde_json::from_str::<StoragePath>("\"/c\"").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_between_typed_and_plain(memory in memory(), files in files()) {
        let plain = StorageDescriptor::from(memory.clone());
        prop_assert_eq!(JobManagerDescriptor::try_from(&plain), Ok(memory.clone()));
        prop_assert_eq!(StorageDescriptor::from(JobManagerDescriptor::try_from(&plain).unwrap()), plain);
        let plain = StorageDescriptor::from(files.clone());
        prop_assert_eq!(FileSystemDescriptor::try_from(&plain), Ok(files.clone()));
        prop_assert_eq!(StorageDescriptor::from(FileSystemDescriptor::try_from(&plain).unwrap()), plain.clone());
        #[cfg(feature = "serde")]
        {
            prop_assert_eq!(through_json(&memory), memory);
            prop_assert_eq!(through_json(&files), files);
            prop_assert_eq!(through_json(&plain), plain);
        }
    }
}
