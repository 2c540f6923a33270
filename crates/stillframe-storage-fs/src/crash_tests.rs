//! Power is cut after each operation of a rename, and of a removal that somebody else completes. What a whole storage has to
//! stand is a proof of its own, `cargo xtask prove storage`.

use crate::FileSystemCheckpointStorage;
use crate::directories::Directories;
use crate::durable::{Renamed, rename_on};
use crate::simulation::{Coverage, SimDisk};
use crate::volume::Volume;
use bytes::Bytes;
use futures_executor::block_on;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillframe_model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, Durability, JobId, JobStatus, KeyGroupRange,
    KeyedHandle, KeyedState, LocationReference, Name, OperatorState, StateHandle, TaskSnapshot, UnixMillis,
};
use stillframe_storage::{CheckpointStorage, ErrorKind, StateScope, StorageAccess, StorageError, SweepMode};

fn directories_of(disk: &SimDisk) -> Directories {
    Directories::new(Volume::new(Arc::new(disk.clone()), Durability::Sync), Arc::default())
}

#[test]
fn a_renamed_file_always_has_a_name() {
    let prepared = SimDisk::new();
    let directories = directories_of(&prepared);
    directories.create(Path::new("/out")).unwrap();
    let (from, to) = (Path::new("/out/.x"), Path::new("/out/x"));
    let mut file = directories.volume().create_new(from).unwrap();
    file.write_all(&mut [IoSlice::new(b"records")]).and_then(|()| file.sync()).unwrap();
    directories.sync(Path::new("/out")).unwrap();

    let rename = |disk: &SimDisk| rename_on(&directories_of(disk), from, to);
    for cut in prepared.cut_everywhere(rename) {
        for (survived, image) in cut.disk.after_power_loss(&Coverage::default()) {
            let context = format!("power lost after operation {}, {survived}", cut.after);
            if cut.outcome.is_ok() {
                assert_eq!(image.content(to).unwrap(), b"records", "{context}");
            }
            let again = rename(&image).unwrap();
            assert!(matches!(again, Renamed::Moved | Renamed::AlreadyDone));
            assert_eq!(image.worst_case().content(to).unwrap(), b"records", "{context}");
            assert!(image.content(from).is_none(), "{context}");
        }
    }
}

const JOB: JobId = JobId::from_bytes([0x33; 16]);
const ONE: CheckpointId = CheckpointId::new(1);

const HERE: LocationReference = LocationReference::Default;

fn open(disk: &SimDisk) -> Result<Arc<dyn StorageAccess>, StorageError> {
    let storage =
        FileSystemCheckpointStorage::new("/c").and_then(|storage| storage.with_min_file_size_threshold(0));
    block_on(storage.unwrap().with_disk(Arc::new(disk.clone())).open(JOB))
}

/// Writes state for a first checkpoint, and gives its metadata.
fn write_one(access: &dyn StorageAccess, scope: StateScope) -> Result<(StateHandle, Bytes), StorageError> {
    block_on(access.coordinator().claim())?;
    let location = block_on(access.coordinator().begin_checkpoint(ONE))?;
    let mut stream = block_on(access.worker().create(ONE, &location, scope))?;
    block_on(stream.write(Bytes::from_static(b"state")))?;
    let handle = block_on(stream.finish())?.expect("it was written to");
    block_on(access.worker().sync(ONE, &location))?;
    let keyed =
        KeyedHandle { range: KeyGroupRange { start: 0, end: 7 }, state: KeyedState::Full(handle.clone()) };
    let snapshot = TaskSnapshot { keyed: Some(keyed), ..TaskSnapshot::default() };
    let operator = OperatorState { max_parallelism: 8, subtasks: vec![snapshot], coordinator: None };
    let metadata = CheckpointMetadata {
        job: JOB,
        checkpoint: ONE,
        kind: CheckpointKind::Checkpoint,
        triggered_at: UnixMillis(1),
        operators: [(Name::new("sum").unwrap(), operator)].into(),
        hooks: [].into(),
    };
    Ok((handle, stillframe_metadata::encode(&metadata).unwrap().into()))
}

/// After no loss of power there is metadata without the state that it refers to.
fn assert_nothing_looks_complete(disk: &SimDisk, context: &str) {
    for (survived, image) in disk.after_power_loss(&Coverage::default()) {
        let files = image.files(Path::new("/c"));
        let has = |begin: &str| {
            files.iter().any(|file| file.file_name().unwrap().to_str().unwrap().starts_with(begin))
        };
        assert!(!has("_metadata") || has("segment-") || has("shared-"), "{context}, {survived}: {files:?}");
    }
}

#[test]
fn who_completes_a_removal_does_not_trust_in_what_the_dead_removed() {
    for scope in [StateScope::Exclusive, StateScope::Shared] {
        let disk = SimDisk::new();
        let access = open(&disk).unwrap();
        let (handle, metadata) = write_one(&*access, scope).unwrap();
        block_on(access.coordinator().commit(ONE, &HERE, metadata, &[])).unwrap();
        block_on(access.coordinator().conclude(JobStatus::Finished, &[ONE])).unwrap();
        let shared: Vec<_> =
            handle.file().filter(|_| scope == StateScope::Shared).cloned().into_iter().collect();
        let remove = |disk: &SimDisk| -> Result<(), StorageError> {
            let coordinator = open(disk)?.coordinator();
            block_on(coordinator.claim())?;
            block_on(coordinator.remove(ONE, &shared))
        };
        let sweep = |disk: &SimDisk| -> Result<(), StorageError> {
            let coordinator = open(disk)?.coordinator();
            block_on(coordinator.claim())?;
            block_on(coordinator.sweep(SweepMode::Remove)).map(drop)
        };
        for killed in disk.cut_everywhere(remove) {
            for again in killed.disk.cut_everywhere(remove).chain(killed.disk.cut_everywhere(sweep)) {
                let context =
                    format!("{scope:?}: killed after {}, power lost after {}", killed.after, again.after);
                assert_nothing_looks_complete(&again.disk, &context);
            }
        }
    }
}

#[test]
fn what_the_register_refused_never_looks_complete_while_it_is_discarded() {
    let refused = |disk: &SimDisk| -> Result<(), StorageError> {
        let access = open(disk)?;
        let (_, metadata) = write_one(&*access, StateScope::Shared)?;
        let unknown = [CheckpointId::new(7)];
        let refused = block_on(access.coordinator().commit(ONE, &HERE, metadata, &unknown));
        match refused.expect_err("it drops what is not there") {
            error if error.kind() == ErrorKind::NotFound => {
                block_on(access.coordinator().discard(ONE, &HERE))
            }
            error => Err(error),
        }
    };
    let mut complete = 0;
    for cut in SimDisk::new().cut_everywhere(refused) {
        assert_nothing_looks_complete(&cut.disk, &format!("stopped after {} operations", cut.after));
        complete += usize::from(cut.disk.content(&metadata_of_one()).is_some());
        assert!(!cut.is_whole || cut.outcome.is_ok(), "{:?}", cut.outcome);
    }
    assert!(complete > 3, "the metadata was never there");
}

fn metadata_of_one() -> PathBuf {
    Path::new("/c").join(JOB.to_string()).join("chk-1/_metadata")
}
