//! What this storage promises beyond the conformance cases.

mod medium;

use crate::{JobManagerCheckpointStorage, NOT_EXTERNALLY_ADDRESSABLE};
use bytes::Bytes;
use futures_executor::block_on;
use medium::{Counter, Medium};
use std::sync::Arc;
use stillframe_model::{
    CheckpointId, JobId, LocationReference, OptionValue, Pointer, StateHandle, StorageDescriptor, StoragePath,
};
use stillframe_storage::{
    CheckpointStorage, CoordinatorStorage, ErrorKind, Ownership, StateScope, StorageAccess, StorageError,
    SweepMode, Verdict,
};
use stillframe_storage_conformance::{Capability, Subject};

const JOB: JobId = JobId::from_bytes([7; 16]);
const JOB_DIRECTORY: &str = "07070707070707070707070707070707";
const ONE: CheckpointId = CheckpointId::new(1);

mod in_memory {
    stillframe_storage_conformance::conformance_tests!(super::fresh);
}

mod with_savepoints {
    stillframe_storage_conformance::conformance_tests!(super::fresh_with_files);
}

mod with_a_checkpoint_path {
    stillframe_storage_conformance::conformance_tests!(super::fresh_in_a_directory);
}

fn subject(storage: JobManagerCheckpointStorage, files: Option<Medium>) -> Subject {
    let vault = Arc::clone(storage.vault());
    let medium = files.clone().unwrap_or_default();
    let rebuild = move |descriptor: &StorageDescriptor| {
        let storage = JobManagerCheckpointStorage::from_descriptor(descriptor)?;
        let storage = match &files {
            Some(files) => storage.with_files(Arc::new(files.clone()), Arc::new(Counter::default())),
            None => storage,
        };
        Ok(Arc::new(storage) as Arc<dyn CheckpointStorage>)
    };
    let residue = move || {
        let files = medium.files().into_iter().filter(|name| !name.contains("/_ctl/"));
        files.chain(vault.contents()).collect()
    };
    Subject::new(Arc::new(storage), rebuild)
        .with_residue(residue)
        .lacking(Capability::StateInFiles, "all state is in the handles")
        .lacking(Capability::TaskOwnedState, "state that tasks own is never inline, and there are no files")
}

fn fresh() -> Subject {
    let none = "there are no files";
    subject(JobManagerCheckpointStorage::new(), None)
        .lacking(Capability::ReachableMedium, none)
        .lacking(Capability::Savepoints, none)
        .lacking(Capability::TakenSnapshots, "it could not remove them")
}

fn fresh_with_files() -> Subject {
    let medium = Medium::default();
    let storage =
        with_files(JobManagerCheckpointStorage::new(), &medium).with_savepoint_path(path("file:/sp"));
    with_places(subject(storage, Some(medium.clone())), medium)
        .lacking(Capability::TakenSnapshots, "it could not remove them")
}

fn fresh_in_a_directory() -> Subject {
    let medium = Medium::default();
    let storage =
        with_files(JobManagerCheckpointStorage::new(), &medium).with_checkpoint_path(path("file:/c"));
    with_places(subject(storage, Some(medium.clone())), medium)
}

fn with_places(subject: Subject, medium: Medium) -> Subject {
    let [foreign, damaged] = [(); 2].map(|()| medium.clone());
    let put = move |job, checkpoint| {
        let name = format!("/c/{job}/chk-{checkpoint}/notes.txt");
        foreign.put(&name, b"somebody's");
        name
    };
    let relocate = move |pointer: &Pointer| {
        let to = format!("/elsewhere{pointer}");
        medium.rename(pointer.as_str(), &to);
        Pointer::new(to)
    };
    subject
        .with_metadata(|metadata| stillframe_metadata::encode(metadata).unwrap().into())
        .with_decoding(|bytes| stillframe_metadata::decode(bytes).unwrap())
        .with_savepoint_target("/asked/for")
        .with_foreign(put)
        .with_damage(move |name| damaged.damage(name))
        .with_relocation(relocate)
}

fn with_files(storage: JobManagerCheckpointStorage, medium: &Medium) -> JobManagerCheckpointStorage {
    storage.with_files(Arc::new(medium.clone()), Arc::new(Counter::default()))
}

fn path(text: &str) -> StoragePath {
    StoragePath::parse(text).unwrap()
}

fn open(storage: &JobManagerCheckpointStorage) -> Arc<dyn StorageAccess> {
    let access = block_on(storage.open(JOB)).unwrap();
    block_on(access.coordinator().claim()).unwrap();
    access
}

fn write_at(
    access: &dyn StorageAccess,
    location: &LocationReference,
    len: usize,
) -> Result<Option<StateHandle>, StorageError> {
    let mut stream = block_on(access.worker().create(ONE, location, StateScope::Exclusive)).unwrap();
    block_on(stream.write(Bytes::from(vec![1; len]))).unwrap();
    block_on(stream.finish())
}

fn write(storage: &JobManagerCheckpointStorage, len: usize) -> Result<Option<StateHandle>, StorageError> {
    write_at(&*block_on(storage.open(JOB)).unwrap(), &LocationReference::Default, len)
}

fn commit(
    coordinator: &dyn CoordinatorStorage,
    number: u64,
    len: usize,
    dropped: &[CheckpointId],
) -> Result<Pointer, StorageError> {
    let checkpoint = CheckpointId::new(number);
    let location = block_on(coordinator.begin_checkpoint(checkpoint)).unwrap();
    block_on(coordinator.commit(checkpoint, &location, Bytes::from(vec![2; len]), dropped))
}

fn assert_too_large(error: &StorageError, words: &[&str]) {
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    for words in words {
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn the_limit_is_for_one_stream_and_inclusive() {
    let storage = JobManagerCheckpointStorage::new().with_max_state_size(10).unwrap();
    for _ in 0..3 {
        assert_eq!(write(&storage, 10).unwrap().unwrap().size(), 10);
    }
    let error = write(&storage, 11).unwrap_err();
    assert_too_large(&error, &["size=11", "limit=10", "raise max-state-size", "FileSystemCheckpointStorage"]);
}

#[test]
fn a_stream_that_is_too_large_is_counted_and_not_kept() {
    let storage = JobManagerCheckpointStorage::new().with_max_state_size(10).unwrap();
    let worker = block_on(storage.open(JOB)).unwrap().worker();
    let mut stream =
        block_on(worker.create(ONE, &LocationReference::Default, StateScope::Exclusive)).unwrap();
    for written in 1..=4 {
        block_on(stream.write(Bytes::from_static(b"12345"))).unwrap();
        assert_eq!(stream.position(), written * 5);
    }
    assert!(!format!("{stream:?}").contains("49, 50, 51"), "{stream:?}");
    assert_too_large(&block_on(stream.finish()).unwrap_err(), &["size=20", "limit=10"]);
}

#[test]
fn the_default_limit_is_that_of_flink() {
    let storage = JobManagerCheckpointStorage::default();
    assert_eq!(storage.max_state_size(), 5_242_880);
    assert!(write(&storage, 5_242_880).is_ok());
    assert_eq!(write(&storage, 5_242_881).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn memory_total_is_bounded_for_state_that_is_referred_to() {
    let storage = JobManagerCheckpointStorage::new().with_max_total_size(100).unwrap();
    let first = write(&storage, 60).unwrap();
    let second = write(&storage, 40).unwrap();
    assert_eq!(storage.held(), 100);
    let error = write(&storage, 1).unwrap_err();
    assert_too_large(
        &error,
        &["size=1", "held=100", "limit=100", "raise max-total-size", "FileSystemCheckpointStorage"],
    );
    // Who still has a clone still has the memory.
    let clone = first.clone();
    drop(first);
    assert_eq!(write(&storage, 60).unwrap_err().kind(), ErrorKind::TooLarge);
    drop(clone);
    let third = write(&storage, 60).unwrap();
    assert_eq!(storage.held(), 100);
    drop((second, third));
    assert_eq!(storage.held(), 0);
}

#[test]
fn memory_total_is_bounded_for_what_the_vault_keeps() {
    let storage = JobManagerCheckpointStorage::new().with_max_total_size(100).unwrap();
    let coordinator = open(&storage).coordinator();
    commit(&*coordinator, 1, 60, &[]).unwrap();
    commit(&*coordinator, 2, 40, &[]).unwrap();
    let error = commit(&*coordinator, 3, 1, &[]).unwrap_err();
    assert_too_large(&error, &["size=1", "kept=100", "limit=100", "raise max-total-size", "retain fewer"]);
    assert_eq!(block_on(coordinator.claim()).unwrap().retained, [ONE, CheckpointId::new(2)]);
    // What it replaces makes room for it.
    commit(&*coordinator, 4, 60, &[ONE]).unwrap();
    // One that would not fit into an empty vault is refused too, and drops nothing.
    commit(&*coordinator, 5, 101, &[CheckpointId::new(2), CheckpointId::new(4)]).unwrap_err();
    assert_eq!(block_on(coordinator.claim()).unwrap().retained, [2, 4].map(CheckpointId::new));
}

#[test]
fn memory_total_is_bounded_for_all_jobs_of_the_vault_together() {
    let storage = JobManagerCheckpointStorage::new().with_max_total_size(100).unwrap();
    let other = block_on(storage.open(JobId::from_bytes([8; 16]))).unwrap().coordinator();
    block_on(other.claim()).unwrap();
    commit(&*other, 1, 70, &[]).unwrap();
    let coordinator = open(&storage).coordinator();
    let error = commit(&*coordinator, 1, 31, &[]).unwrap_err();
    assert_too_large(&error, &["size=31", "kept=70", "limit=100", "of all jobs"]);
    commit(&*coordinator, 2, 30, &[]).unwrap();
    // A job drops its own checkpoint only, whatever the others call theirs.
    commit(&*other, 2, 70, &[ONE]).unwrap();
    assert_eq!(block_on(coordinator.claim()).unwrap().retained, [CheckpointId::new(2)]);
}

#[test]
fn options_are_checked() {
    let zero = JobManagerCheckpointStorage::new().with_max_state_size(0);
    assert_eq!(zero.unwrap_err().kind(), ErrorKind::InvalidOption);
    let zero = JobManagerCheckpointStorage::new().with_max_total_size(0);
    assert_eq!(zero.unwrap_err().kind(), ErrorKind::InvalidOption);
    let descriptor = StorageDescriptor::new(StorageDescriptor::JOB_MANAGER);
    let read = |descriptor: StorageDescriptor| JobManagerCheckpointStorage::from_descriptor(&descriptor);
    let plain = read(descriptor.clone()).unwrap();
    assert_eq!(plain.max_state_size(), JobManagerCheckpointStorage::DEFAULT_MAX_STATE_SIZE);
    assert_eq!(plain.max_total_size(), 64 * JobManagerCheckpointStorage::DEFAULT_MAX_STATE_SIZE);
    for (descriptor, words) in [
        (StorageDescriptor::new("filesystem"), "\"filesystem\" is not allowed, allowed: jobmanager"),
        (
            descriptor.clone().with("max-state-size", OptionValue::Size(0)),
            "max-state-size: invalid option (0 is not allowed, allowed: at least 1 byte)",
        ),
        (descriptor.clone().with("max-state-size", OptionValue::Text("5m".into())), "\"5m\""),
        (
            descriptor.clone().with("max-total-size", OptionValue::Size(0)),
            "max-total-size: invalid option (0 is not allowed, allowed: at least 1 byte)",
        ),
        (
            descriptor.with("max-size", OptionValue::Size(1)),
            "an unknown option is not allowed, allowed: only max-state-size, max-total-size",
        ),
    ] {
        let error = read(descriptor).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn the_descriptor_has_all_of_it() {
    let storage = JobManagerCheckpointStorage::new();
    assert_eq!((storage.checkpoint_path(), storage.savepoint_path()), (None, None));
    assert_eq!(storage.descriptor(), StorageDescriptor::new("jobmanager"));
    let storage = storage
        .with_checkpoint_path(path("file:///c"))
        .with_savepoint_path(path("s3://b/s"))
        .with_max_state_size(7)
        .unwrap()
        .with_max_total_size(70)
        .unwrap();
    let descriptor = StorageDescriptor::new("jobmanager")
        .with("execution.checkpointing.dir", OptionValue::Text("file:/c".into()))
        .with("execution.checkpointing.savepoint-dir", OptionValue::Text("s3://b/s".into()))
        .with("max-state-size", OptionValue::Size(7))
        .with("max-total-size", OptionValue::Size(70));
    assert_eq!(storage.descriptor(), descriptor);
    let rebuilt = JobManagerCheckpointStorage::from_descriptor(&descriptor).unwrap();
    assert_eq!(rebuilt.checkpoint_path(), Some(&path("file:/c")));
    assert_eq!(rebuilt.savepoint_path(), Some(&path("s3://b/s")));
    assert_eq!((rebuilt.max_state_size(), rebuilt.max_total_size()), (7, 70));
}

#[test]
fn clones_share_what_they_hold() {
    let storage = JobManagerCheckpointStorage::new();
    let coordinator = open(&storage).coordinator();
    let pointer = commit(&*coordinator, 1, 1, &[]).unwrap();
    assert_eq!(pointer.as_str(), NOT_EXTERNALLY_ADDRESSABLE);
    assert!(!coordinator.is_highly_available());
    let clone = block_on(storage.clone().open(JOB)).unwrap().coordinator();
    assert_eq!(block_on(clone.claim()).unwrap().retained, [ONE]);
    let rebuilt = JobManagerCheckpointStorage::from_descriptor(&storage.descriptor()).unwrap();
    let rebuilt = block_on(rebuilt.open(JOB)).unwrap().coordinator();
    assert_eq!(block_on(rebuilt.claim()).unwrap().retained, []);
}

#[test]
fn nobody_does_anything_to_a_job_that_he_did_not_claim() {
    let coordinator = block_on(JobManagerCheckpointStorage::new().open(JOB)).unwrap().coordinator();
    let error = block_on(coordinator.begin_checkpoint(ONE)).unwrap_err();
    assert!(error.to_string().contains("claim it first"), "{error}");
    let error = block_on(coordinator.remove(ONE, &[])).unwrap_err();
    assert!(error.to_string().contains("claim it first"), "{error}");
}

#[test]
fn whoever_lost_the_job_is_fenced_whatever_he_does() {
    let storage = JobManagerCheckpointStorage::new();
    let first = open(&storage).coordinator();
    commit(&*first, 1, 1, &[]).unwrap();
    let snapshot = block_on(first.open_checkpoint(ONE)).unwrap();
    let second = open(&storage).coordinator();
    assert!(block_on(first.open_checkpoint(ONE)).is_ok(), "what is there can be read");
    let two = block_on(second.claim()).unwrap().next;
    commit(&*second, two.get(), 1, &[ONE]).unwrap();
    let default = LocationReference::Default;
    let fenced = [
        block_on(first.begin_checkpoint(CheckpointId::new(2))).map(|_| ()),
        block_on(first.commit(ONE, &default, Bytes::new(), &[])).map(|_| ()),
        block_on(first.discard(ONE, &default)),
        block_on(first.remove(ONE, &[])),
        block_on(first.adopt(snapshot, CheckpointId::new(9), Ownership::Left)).map(|_| ()),
        block_on(first.conclude(stillframe_model::JobStatus::Finished, &[ONE])),
        block_on(first.sweep(SweepMode::Remove)).map(|_| ()),
        block_on(first.claim()).map(|_| ()),
        block_on(first.open_checkpoint(ONE)).map(|_| ()),
    ];
    for result in fenced {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fenced);
        assert!(error.to_string().contains("claim 1 of the job was followed by claim 2"), "{error}");
    }
}

#[test]
fn what_is_complete_is_removed_by_dropping_it_only() {
    let storage = JobManagerCheckpointStorage::new();
    let coordinator = open(&storage).coordinator();
    commit(&*coordinator, 1, 1, &[]).unwrap();
    let discarded = block_on(coordinator.discard(ONE, &LocationReference::Default));
    for result in [discarded, block_on(coordinator.remove(ONE, &[]))] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("drop it with a commit"), "{error}");
    }
    assert_eq!(block_on(coordinator.claim()).unwrap().retained, [ONE]);
    assert_eq!(storage.vault().contents().len(), 1);
}

#[test]
fn a_sweep_tells_what_every_entry_of_the_vault_is() {
    let storage = JobManagerCheckpointStorage::new();
    let first = open(&storage).coordinator();
    commit(&*first, 1, 1, &[]).unwrap();
    block_on(first.begin_checkpoint(CheckpointId::new(2))).unwrap();
    let second = open(&storage).coordinator();
    block_on(second.begin_checkpoint(CheckpointId::new(3))).unwrap();
    let found = block_on(second.sweep(SweepMode::Remove)).unwrap().found;
    let found = found.iter().map(|swept| (swept.object.as_str(), swept.verdict)).collect::<Vec<_>>();
    let object = |number| format!("{number} of job {JOB}");
    let expected = [Verdict::Retained, Verdict::Unreferenced, Verdict::InProgress];
    let expected = (1..).map(object).zip(expected).collect::<Vec<_>>();
    assert_eq!(
        found,
        expected.iter().map(|(object, verdict)| (object.as_str(), *verdict)).collect::<Vec<_>>()
    );
    assert_eq!(storage.vault().contents().len(), 2);
}

#[test]
fn without_files_a_savepoint_is_refused_with_what_to_do() {
    let storage = JobManagerCheckpointStorage::new().with_savepoint_path(path("file:///sp"));
    let coordinator = open(&storage).coordinator();
    assert!(!coordinator.has_default_savepoint_location());
    for target in [None, Some("/sp")] {
        let error = block_on(coordinator.begin_savepoint(ONE, target)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(
            error.to_string().contains("build it with files, or use FileSystemCheckpointStorage"),
            "{error}"
        );
    }
}

#[test]
fn without_files_a_checkpoint_path_is_not_passed_over() {
    let storage = JobManagerCheckpointStorage::new().with_checkpoint_path(path("file:///c"));
    let error = block_on(storage.open(JOB)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(
        error.to_string().contains("file:/c") && error.to_string().contains("build it with files"),
        "{error}"
    );
}

#[test]
fn a_savepoint_is_one_file_with_all_state_in_it() {
    let medium = Medium::default();
    let storage = with_files(JobManagerCheckpointStorage::new(), &medium);
    let access = open(&storage);
    let location = block_on(access.coordinator().begin_savepoint(ONE, Some("/sp"))).unwrap();
    assert!(matches!(write_at(&*access, &location, 100_000), Ok(Some(StateHandle::Inline(_)))));
    block_on(access.worker().sync(ONE, &location)).unwrap();
    let metadata = Bytes::from_static(b"meta");
    let pointer = block_on(access.coordinator().publish_savepoint(ONE, &location, metadata)).unwrap();
    assert_eq!(pointer.as_str(), "/sp/savepoint-070707-000000000000");
    assert_eq!(medium.files(), ["/sp/savepoint-070707-000000000000/_metadata"]);
    assert_eq!(storage.vault().contents(), [""; 0]);
    // It belongs to whoever asked for it, and is not given up once it is there.
    block_on(access.coordinator().discard(ONE, &location)).unwrap_err();
    assert_eq!(medium.files().len(), 1);
}

#[test]
fn a_savepoint_that_is_given_up_leaves_no_directory() {
    let medium = Medium::default();
    let storage = with_files(JobManagerCheckpointStorage::new(), &medium);
    let coordinator = open(&storage).coordinator();
    let location = block_on(coordinator.begin_savepoint(ONE, Some("/sp"))).unwrap();
    assert_eq!(medium.directories(), ["/sp", "/sp/savepoint-070707-000000000000"]);
    block_on(coordinator.discard(ONE, &location)).unwrap();
    assert_eq!(medium.directories(), ["/sp"]);
}

#[test]
fn with_a_checkpoint_path_all_state_is_in_the_metadata_there() {
    let medium = Medium::default();
    let storage = with_files(JobManagerCheckpointStorage::new(), &medium)
        .with_checkpoint_path(path("file:/c"))
        .with_max_state_size(100_000)
        .unwrap()
        .with_max_total_size(250_000)
        .unwrap();
    let access = open(&storage);
    assert!(access.coordinator().is_highly_available());
    let location = block_on(access.coordinator().begin_checkpoint(ONE)).unwrap();
    let held = [(); 2].map(|()| write_at(&*access, &location, 100_000).unwrap().unwrap());
    assert!(held.iter().all(|handle| matches!(handle, StateHandle::Inline(_))));
    assert_too_large(&write_at(&*access, &location, 100_001).unwrap_err(), &["size=100001", "limit=100000"]);
    assert_too_large(&write_at(&*access, &location, 50_001).unwrap_err(), &["held=200000", "limit=250000"]);
    block_on(access.worker().sync(ONE, &location)).unwrap();
    let metadata = Bytes::from_static(b"meta");
    let pointer = block_on(access.coordinator().commit(ONE, &location, metadata, &[])).unwrap();
    assert_eq!(pointer.as_str(), format!("/c/{JOB_DIRECTORY}/chk-1"));
    let own = |name: &String| !name.contains("/_ctl/");
    let files = medium.files().into_iter().filter(own).collect::<Vec<_>>();
    assert_eq!(files, [format!("/c/{JOB_DIRECTORY}/chk-1/_metadata")]);
    let found = block_on(storage.resolve(&pointer)).unwrap();
    assert_eq!(block_on(found.metadata()).unwrap(), "meta");
}

#[test]
fn checkpoints_that_are_nowhere_but_in_memory_have_no_address() {
    let storage = with_files(JobManagerCheckpointStorage::new(), &Medium::default());
    let error = block_on(storage.resolve(&Pointer::new(NOT_EXTERNALLY_ADDRESSABLE))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidPointer);
    assert!(error.to_string().contains("checkpoints in memory have no address"), "{error}");
}
