//! Directories that can be reached under several names.

use super::*;
use stillframe_metadata as metadata;
use stillframe_model::{
    CheckpointKind, CheckpointMetadata, KeyGroupRange, KeyedHandle, KeyedState, OperatorState, TaskSnapshot,
    UnixMillis,
};
use stillframe_storage::Ownership;

fn content() -> Bytes {
    encoded(&[])
}

/// What a checkpoint consists of whose only state is this.
fn with_shared(state: &StateHandle) -> Bytes {
    let range = KeyGroupRange { start: 0, end: 7 };
    let keyed = Some(KeyedHandle { range, state: KeyedState::Full(state.clone()) });
    let subtasks = vec![TaskSnapshot { keyed, ..TaskSnapshot::default() }];
    encoded(&[OperatorState { max_parallelism: 8, subtasks, coordinator: None }])
}

fn encoded(operators: &[OperatorState]) -> Bytes {
    let name = || Name::new("operator").unwrap();
    let metadata = CheckpointMetadata {
        job: JOB,
        checkpoint: ONE,
        kind: CheckpointKind::Checkpoint,
        triggered_at: UnixMillis(0),
        operators: operators.iter().map(|operator| (name(), operator.clone())).collect(),
        hooks: [].into(),
    };
    metadata::encode(&metadata).unwrap().into()
}

/// A snapshot that lies where a sweep looks, is not in the register, and is claimed under another name than that under which
/// the sweep comes by.
#[test]
fn a_claimed_snapshot_is_not_swept_whatever_it_was_called() {
    let names: [fn(&TempDir) -> String; 3] = [
        |directory| format!("{}/c/{JOB}/chk-1", directory.path().display()),
        |directory| format!("{}/c/x/../{JOB}/chk-1/", directory.path().display()),
        |directory| format!("{}/link/chk-1/_metadata", directory.path().display()),
    ];
    for name in names {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().join("c");
        fs::create_dir_all(base.join("x")).unwrap();
        symlink(base.join(JOB.to_string()), directory.path().join("link")).unwrap();
        let storage = FileSystemCheckpointStorage::new(&base).unwrap();
        let opened = || block_on(storage.open(JOB)).unwrap().coordinator();
        let first = opened();
        block_on(first.claim()).unwrap();
        block_on(first.begin_checkpoint(ONE)).unwrap();
        fs::write(base.join(format!("{JOB}/chk-1/_metadata")), content()).unwrap();

        let second = opened();
        block_on(second.claim()).unwrap();
        let pointer = Pointer::new(name(&directory));
        let found = || block_on(storage.resolve(&pointer)).unwrap();
        let error = block_on(second.adopt(found(), ONE, Ownership::Unclaimed)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPointer, "{pointer}");
        block_on(second.adopt(found(), ONE, Ownership::Taken)).unwrap();
        for coordinator in [second, opened()] {
            block_on(coordinator.claim()).unwrap();
            block_on(coordinator.sweep(SweepMode::Remove)).unwrap();
            let kept = block_on(coordinator.open_checkpoint(ONE)).unwrap();
            assert_eq!(block_on(kept.metadata()).unwrap(), content(), "{pointer}");
        }
    }
}

/// A configured directory may be a link, and need not be there yet.
#[test]
fn a_storage_below_a_link_reports_where_its_checkpoints_really_are() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("disk")).unwrap();
    symlink(directory.path().join("disk"), directory.path().join("link")).unwrap();
    let storage = FileSystemCheckpointStorage::new(directory.path().join("link/checkpoints")).unwrap();
    let access = block_on(storage.open(JOB)).unwrap();
    block_on(access.coordinator().claim()).unwrap();
    let location = block_on(access.coordinator().begin_checkpoint(ONE)).unwrap();
    let pointer = block_on(access.coordinator().commit(ONE, &location, content(), &[])).unwrap();
    let expected = directory.path().canonicalize().unwrap().join(format!("disk/checkpoints/{JOB}/chk-1"));
    assert_eq!(Path::new(pointer.as_str()), expected);
    assert_eq!(block_on(block_on(storage.resolve(&pointer)).unwrap().metadata()).unwrap(), content());
}

#[test]
fn what_is_below_nothing_has_no_way_back() {
    let directory = tempfile::tempdir().unwrap();
    let pointer = Pointer::new(format!("{}/nothing/../c", directory.path().display()));
    let error = block_on(FileSystemCheckpointStorage::new("/c").unwrap().resolve(&pointer)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

/// A job that goes on where somebody has moved all of its checkpoints to, and a person who resumes from there.
#[test]
#[expect(clippy::disallowed_methods, reason = "a person moves it, to where nothing is")]
fn a_whole_directory_can_be_moved_and_gone_on_with() {
    let directory = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| directory.path().join(name));
    let at = |base: &Path| FileSystemCheckpointStorage::new(base).unwrap();
    let before = block_on(at(&old).open(JOB)).unwrap();
    block_on(before.coordinator().claim()).unwrap();
    let location = block_on(before.coordinator().begin_checkpoint(ONE)).unwrap();
    let mut stream = block_on(before.worker().create(ONE, &location, StateScope::Shared)).unwrap();
    block_on(stream.write(Bytes::from(vec![5; LEN]))).unwrap();
    let state = block_on(stream.finish()).unwrap().unwrap();
    block_on(before.worker().sync(ONE, &location)).unwrap();
    let metadata = with_shared(&state);
    block_on(before.coordinator().commit(ONE, &location, metadata.clone(), &[])).unwrap();
    drop(before);
    fs::rename(&old, &new).unwrap();

    let after = block_on(at(&new).open(JOB)).unwrap().coordinator();
    assert_eq!(block_on(after.claim()).unwrap().retained, [ONE]);
    block_on(after.sweep(SweepMode::Remove)).unwrap();
    let pointer = Pointer::new(format!("{}/{JOB}/chk-1", new.display()));
    let resumed = block_on(at(&new).resolve(&pointer)).unwrap();
    for location in [block_on(after.open_checkpoint(ONE)).unwrap(), resumed] {
        assert_eq!(block_on(location.metadata()).unwrap(), metadata);
        assert!(block_on(location.read(&state)).unwrap() == vec![5; LEN]);
    }
    // The next checkpoint goes on with the shared file, and the first one can go.
    let two = block_on(after.claim()).unwrap().next;
    let location = block_on(after.begin_checkpoint(two)).unwrap();
    block_on(after.commit(two, &location, metadata, &[ONE])).unwrap();
    block_on(after.remove(ONE, &[])).unwrap();
    let kept = block_on(after.open_checkpoint(two)).unwrap();
    assert!(block_on(kept.read(&state)).unwrap() == vec![5; LEN]);
    assert!(!new.join(format!("{JOB}/chk-1")).exists() && !old.exists());
}
