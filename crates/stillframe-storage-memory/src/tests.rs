//! What this storage promises beyond the conformance cases.

use crate::{JobManagerCheckpointStorage, NOT_EXTERNALLY_ADDRESSABLE};
use bytes::Bytes;
use futures_executor::block_on;
use std::sync::Arc;
use stillframe_model::{
    CheckpointId, JobId, JobStatus, LocationReference, OptionValue, StateHandle, StorageDescriptor,
    StoragePath,
};
use stillframe_storage::{CheckpointStorage, ErrorKind};
use stillframe_storage_conformance::Subject;

const JOB: JobId = JobId::from_bytes([7; 16]);
const ONE: CheckpointId = CheckpointId::new(1);

mod conformance {
    stillframe_storage_conformance::conformance_tests!(super::fresh);
}

fn fresh() -> Subject {
    let storage = JobManagerCheckpointStorage::new();
    let vault = Arc::clone(storage.vault());
    Subject::new(Arc::new(storage), |descriptor| {
        Ok(Arc::new(JobManagerCheckpointStorage::from_descriptor(descriptor)?))
    })
    .with_residue(move || vault.contents())
}

fn write(
    storage: &JobManagerCheckpointStorage,
    len: usize,
) -> Result<Option<StateHandle>, stillframe_storage::StorageError> {
    let worker = block_on(storage.open(JOB)).unwrap().worker();
    let mut stream = block_on(worker.create(ONE, &LocationReference::Default)).unwrap();
    block_on(stream.write(Bytes::from(vec![1; len]))).unwrap();
    block_on(stream.finish())
}

#[test]
fn the_limit_is_for_one_stream_and_inclusive() {
    let storage = JobManagerCheckpointStorage::new().with_max_state_size(10).unwrap();
    for _ in 0..3 {
        assert_eq!(write(&storage, 10).unwrap().unwrap().size(), 10);
    }
    let error = write(&storage, 11).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    for words in ["size=11", "limit=10", "FileSystemCheckpointStorage"] {
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn the_default_limit_is_that_of_flink() {
    let storage = JobManagerCheckpointStorage::default();
    assert_eq!(storage.max_state_size(), 5_242_880);
    assert!(write(&storage, 5_242_880).is_ok());
    assert_eq!(write(&storage, 5_242_881).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn options_are_checked() {
    let zero = JobManagerCheckpointStorage::new().with_max_state_size(0);
    assert_eq!(zero.unwrap_err().kind(), ErrorKind::InvalidOption);
    let descriptor = StorageDescriptor::new(StorageDescriptor::JOB_MANAGER);
    let read = |descriptor: StorageDescriptor| JobManagerCheckpointStorage::from_descriptor(&descriptor);
    assert_eq!(
        read(descriptor.clone()).unwrap().max_state_size(),
        JobManagerCheckpointStorage::DEFAULT_MAX_STATE_SIZE
    );
    for (descriptor, words) in [
        (StorageDescriptor::new("filesystem"), "\"filesystem\" is not allowed, allowed: jobmanager"),
        (
            descriptor.clone().with("max-state-size", OptionValue::Size(0)),
            "max-state-size: invalid option (0 is not allowed, allowed: at least 1 byte)",
        ),
        (descriptor.clone().with("max-state-size", OptionValue::Text("5m".into())), "\"5m\""),
        (
            descriptor.with("max-size", OptionValue::Size(1)),
            "an unknown option is not allowed, allowed: only max-state-size",
        ),
    ] {
        let error = read(descriptor).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn paths_are_recorded() {
    let storage = JobManagerCheckpointStorage::new();
    assert_eq!((storage.checkpoint_path(), storage.savepoint_path()), (None, None));
    assert_eq!(storage.descriptor(), StorageDescriptor::new("jobmanager"));
    let path = |text| StoragePath::parse(text).unwrap();
    let storage = storage
        .with_checkpoint_path(path("file:///c"))
        .with_savepoint_path(path("s3://b/s"))
        .with_max_state_size(7)
        .unwrap();
    let descriptor = StorageDescriptor::new("jobmanager")
        .with("execution.checkpointing.dir", OptionValue::Text("file:/c".into()))
        .with("execution.checkpointing.savepoint-dir", OptionValue::Text("s3://b/s".into()))
        .with("max-state-size", OptionValue::Size(7));
    assert_eq!(storage.descriptor(), descriptor);
    let rebuilt = JobManagerCheckpointStorage::from_descriptor(&descriptor).unwrap();
    assert_eq!(rebuilt.checkpoint_path(), Some(&path("file:/c")));
    assert_eq!(rebuilt.savepoint_path(), Some(&path("s3://b/s")));
    assert_eq!(rebuilt.max_state_size(), 7);
}

#[test]
fn clones_share_what_they_hold() {
    let storage = JobManagerCheckpointStorage::new();
    let coordinator = block_on(storage.open(JOB)).unwrap().coordinator();
    let location = block_on(coordinator.begin_checkpoint(ONE)).unwrap();
    let pointer = block_on(coordinator.publish(ONE, &location, Bytes::from_static(b"m"))).unwrap();
    assert_eq!(pointer.as_str(), NOT_EXTERNALLY_ADDRESSABLE);
    let clone = block_on(storage.clone().open(JOB)).unwrap().coordinator();
    assert_eq!(block_on(clone.survey()).unwrap().completed, [ONE]);
    let rebuilt = JobManagerCheckpointStorage::from_descriptor(&storage.descriptor()).unwrap();
    let rebuilt = block_on(rebuilt.open(JOB)).unwrap().coordinator();
    assert_eq!(block_on(rebuilt.survey()).unwrap().completed, []);
}

#[test]
fn discarding_leaves_the_vault_empty() {
    let storage = JobManagerCheckpointStorage::new();
    let coordinator = block_on(storage.open(JOB)).unwrap().coordinator();
    for number in 1..=3 {
        let checkpoint = CheckpointId::new(number);
        let location = block_on(coordinator.begin_checkpoint(checkpoint)).unwrap();
        if number != 2 {
            block_on(coordinator.publish(checkpoint, &location, Bytes::from_static(b"m"))).unwrap();
        }
    }
    assert_eq!(storage.vault().contents().len(), 3);
    for number in 1..=3 {
        block_on(coordinator.discard(CheckpointId::new(number), &LocationReference::Default)).unwrap();
    }
    assert_eq!(storage.vault().contents(), [""; 0]);
    // How it ended stays.
    block_on(coordinator.conclude(JobStatus::Finished)).unwrap();
    block_on(coordinator.discard(ONE, &LocationReference::Default)).unwrap();
    assert_eq!(storage.vault().contents(), [JOB.to_string()]);
}

#[test]
fn a_savepoint_is_refused_with_what_to_use_instead() {
    let storage =
        JobManagerCheckpointStorage::new().with_savepoint_path(StoragePath::parse("file:///sp").unwrap());
    let coordinator = block_on(storage.open(JOB)).unwrap().coordinator();
    for target in [None, Some("/sp")] {
        let error = block_on(coordinator.begin_savepoint(ONE, target)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("FileSystemCheckpointStorage"), "{error}");
    }
}
