//! Directories that can be reached under several names.

use super::*;
use stillframe_metadata as metadata;
use stillframe_model::{CheckpointKind, CheckpointMetadata, UnixMillis};
use stillframe_storage::Ownership;

fn content() -> Bytes {
    let metadata = CheckpointMetadata {
        job: JOB,
        checkpoint: ONE,
        kind: CheckpointKind::Checkpoint,
        triggered_at: UnixMillis(0),
        operators: [].into(),
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
