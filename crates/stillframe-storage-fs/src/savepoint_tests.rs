//! A savepoint is disposed of, or a snapshot exported, and the process is killed, power is lost, or an operation fails, at every
//! point.

use crate::disk::Disk;
use crate::simulation::{Coverage, Failing, FaultKind, SimDisk, SimEntropy, SimOperation};
use crate::{FileSystemCheckpointStorage, StorageOnDisk};
use bytes::Bytes;
use futures_executor::block_on;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillframe_model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, IncrementalHandle, IncrementalPart, JobId,
    KeyGroupRange, KeyedHandle, KeyedState, LocationReference, Name, OperatorState, PartOrigin, Pointer,
    StateHandle, TaskSnapshot, UnixMillis,
};
use stillframe_storage::{CheckpointStorage, ErrorKind, StateScope, StorageError};

const JOB: JobId = JobId::from_bytes([0x44; 16]);
const ONE: CheckpointId = CheckpointId::new(1);
const TARGET: &str = "/s";

/// Two states go to files of different kinds: one in a segment, or shared, and one in a file of its own.
const SIZES: [usize; 2] = [5_000, (1 << 20) + 1];

fn storage(disk: &SimDisk, entropy: &SimEntropy) -> StorageOnDisk {
    let storage = FileSystemCheckpointStorage::new("/c").unwrap().with_min_file_size_threshold(0).unwrap();
    storage.with_disk(Arc::new(disk.clone())).with_entropy(Arc::new(entropy.clone()))
}

fn state(len: usize) -> Bytes {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// A disk with a checkpoint that shares state, or with a savepoint, and where it is.
fn prepared(entropy: &SimEntropy, kind: CheckpointKind) -> (SimDisk, Pointer) {
    let disk = SimDisk::new();
    let access = block_on(storage(&disk, entropy).open(JOB)).unwrap();
    let (coordinator, worker) = (access.coordinator(), access.worker());
    block_on(coordinator.claim()).unwrap();
    let location = match kind.is_savepoint() {
        true => block_on(coordinator.begin_savepoint(ONE, Some(TARGET))),
        false => block_on(coordinator.begin_checkpoint(ONE)),
    };
    let location = location.unwrap();
    let write = |len| {
        let mut stream = block_on(worker.create(ONE, &location, StateScope::Shared)).unwrap();
        block_on(stream.write(state(len))).unwrap();
        block_on(stream.finish()).unwrap().unwrap()
    };
    let parts = SIZES.map(write);
    block_on(worker.sync(ONE, &location)).unwrap();
    let metadata = metadata(kind, parts);
    let pointer = match &location {
        LocationReference::Encoded(_) => block_on(coordinator.publish_savepoint(ONE, &location, metadata)),
        LocationReference::Default => block_on(coordinator.commit(ONE, &location, metadata, &[])),
    };
    (disk, pointer.unwrap())
}

fn metadata(kind: CheckpointKind, parts: [StateHandle; 2]) -> Bytes {
    let part = |(number, handle)| IncrementalPart {
        name: Name::new(format!("part-{number}")).unwrap(),
        handle,
        origin: PartOrigin::Written,
    };
    let parts = parts.into_iter().enumerate().map(part).collect();
    let keyed = KeyedHandle {
        range: KeyGroupRange { start: 0, end: 7 },
        state: KeyedState::Incremental(IncrementalHandle { parts }),
    };
    let snapshot = TaskSnapshot { keyed: Some(keyed), ..TaskSnapshot::default() };
    let operator = OperatorState { max_parallelism: 8, subtasks: vec![snapshot], coordinator: None };
    let metadata = CheckpointMetadata {
        job: JOB,
        checkpoint: ONE,
        kind,
        triggered_at: UnixMillis(1),
        operators: [(Name::new("sum").unwrap(), operator)].into(),
        hooks: [].into(),
    };
    stillframe_metadata::encode(&metadata).unwrap().into()
}

/// Whether there is a snapshot. If there is, it is whole.
fn is_whole(disk: &SimDisk, pointer: &Pointer, context: &str) -> bool {
    let read = || -> Result<(), StorageError> {
        let location = block_on(storage(disk, &SimEntropy::new()).resolve(pointer))?;
        let content = stillframe_metadata::decode(&block_on(location.metadata())?).unwrap();
        let subtasks = content.operators.values().flat_map(|operator| &operator.subtasks);
        let handles: Vec<_> = subtasks.flat_map(TaskSnapshot::handles).collect();
        assert_eq!(handles.len(), SIZES.len(), "{context}");
        for (handle, len) in handles.into_iter().zip(SIZES) {
            assert!(block_on(location.read(handle)).unwrap() == state(len), "{context}: {handle:?}");
        }
        Ok(())
    };
    match read() {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => panic!("{context}: {error:?}"),
    }
}

/// The directories of savepoints.
fn savepoints(disk: &SimDisk) -> Vec<Pointer> {
    let mut found: Vec<PathBuf> =
        disk.files(Path::new(TARGET)).iter().map(|file| file.parent().unwrap().to_owned()).collect();
    found.dedup();
    found.iter().map(|directory| Pointer::new(directory.to_str().unwrap())).collect()
}

#[test]
fn a_disposal_that_was_interrupted_is_completed_by_another() {
    let entropy = SimEntropy::new();
    let (disk, pointer) = prepared(&entropy, CheckpointKind::SAVEPOINT);
    let dispose = |disk: &SimDisk| block_on(storage(disk, &entropy).dispose_savepoint(&pointer));
    let (mut images, mut marked) = (0, 0);
    for cut in disk.cut_everywhere(dispose) {
        let images_of = cut.disk.after_power_loss(&Coverage::default());
        let survivors = images_of.map(|(survived, image)| (survived.to_string(), image));
        for (survived, image) in survivors.chain([("nothing was lost".to_owned(), cut.disk.fork())]) {
            let context = format!("stopped after operation {}, {survived}", cut.after);
            let is_there = is_whole(&image, &pointer, &context);
            assert!(!(is_there && cut.is_whole), "{context}: it was disposed of");
            marked += usize::from(!is_there && !image.files(Path::new(TARGET)).is_empty());
            match dispose(&image) {
                Ok(()) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{context}: {error:?}"),
            }
            assert_eq!(image.files(Path::new(TARGET)), <[PathBuf; 0]>::default(), "{context}");
            images += 1;
        }
    }
    assert!(images > 40 && marked > 10, "{images} states, in {marked} of them it was half gone");
}

#[test]
fn an_export_is_there_whole_or_not_at_all() {
    for kind in [CheckpointKind::Checkpoint, CheckpointKind::SAVEPOINT] {
        let entropy = SimEntropy::new();
        let (disk, source) = prepared(&entropy, kind);
        let before = savepoints(&disk);
        let export = |disk: &SimDisk| block_on(storage(disk, &entropy).export(&source, TARGET));
        let mut complete = 0;
        for cut in disk.cut_everywhere(export) {
            for (survived, image) in cut.disk.after_power_loss(&Coverage::default()) {
                let context = format!("{kind}, stopped after operation {}, {survived}", cut.after);
                assert!(is_whole(&image, &source, &context), "{context}: what is copied stays");
                for copy in savepoints(&image) {
                    complete += usize::from(!before.contains(&copy) && is_whole(&image, &copy, &context));
                }
                if let Some(copy) = cut.outcome.as_ref().ok().filter(|_| cut.is_whole) {
                    assert!(is_whole(&image, copy, &context), "{context}: it was said to be there");
                }
            }
        }
        assert!(complete > 1, "{kind}: there never was a copy");
    }
}

#[test]
fn an_export_that_fails_leaves_nothing_behind() {
    let entropy = SimEntropy::new();
    let (disk, source) = prepared(&entropy, CheckpointKind::Checkpoint);
    let export = |disk: &SimDisk| block_on(storage(disk, &entropy).export(&source, TARGET));
    let mut failures = 0;
    for kind in FaultKind::ALL {
        for Failing { failed, disk, outcome } in disk.fail_everywhere(kind, false, export) {
            let context = format!("{kind:?}, {failed:?}");
            match outcome {
                Ok(copy) => assert!(is_whole(&disk.worst_case(), &copy, &context), "{context}"),
                // It may be there, and then it is whole.
                Err(error) if error.kind() == ErrorKind::OutcomeUnknown => {
                    for copy in savepoints(&disk) {
                        is_whole(&disk, &copy, &context);
                    }
                }
                Err(_) => {
                    failures += 1;
                    let left = savepoints(&disk);
                    assert!(left.iter().all(|copy| !is_whole(&disk, copy, &context)), "{context}");
                    // Nothing is done any more in a directory whose sync has failed once.
                    assert!(left.is_empty() || failed.operation == SimOperation::SyncDirectory, "{context}");
                }
            }
            assert!(is_whole(&disk, &source, &context), "{context}: what is copied stays");
        }
    }
    assert!(failures > 20, "{failures}");
}

/// Whoever tries again after a failed fsync, with the same storage, does not take the kernel's second answer for the truth.
#[test]
fn a_disposal_that_is_tried_again_loses_no_state_of_what_may_come_back() {
    let entropy = SimEntropy::new();
    let (disk, savepoint) = prepared(&entropy, CheckpointKind::SAVEPOINT);
    let twice = |disk: &SimDisk| {
        let storage = storage(disk, &SimEntropy::new());
        let first = block_on(storage.dispose_savepoint(&savepoint));
        let again = first.is_err().then(|| block_on(storage.dispose_savepoint(&savepoint)));
        (first, again)
    };
    for Failing { failed, disk, outcome } in disk.fail_everywhere(FaultKind::Io, false, twice) {
        for (survived, image) in disk.after_power_loss(&Coverage::default()) {
            is_whole(&image, &savepoint, &format!("{failed:?}, {outcome:?}, {survived}"));
        }
        let (first, again) = &outcome;
        let is_reported = first.is_ok() || again.as_ref().is_some_and(Result::is_ok);
        let is_there = disk.list(Path::new(savepoint.as_str())).is_ok();
        assert!(!(is_reported && is_there), "{failed:?}: it is disposed of, and its directory is there");
    }
}
