//! What this storage promises beyond the conformance cases, on the real disk.

use crate::FileSystemCheckpointStorage;
use crate::durable::{self, Renamed};
use crate::simulation::SimDisk;
use bytes::Bytes;
use futures_executor::block_on;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use stillframe_model::{
    CheckpointId, Crc32c, Durability, FileHandle, JobId, LocationReference, Name, OptionValue, Pointer,
    StateHandle, StorageDescriptor, StoragePath,
};
use stillframe_storage::{CheckpointStorage, ErrorKind, StorageAccess};
use stillframe_storage_conformance::Subject;
use tempfile::TempDir;

const JOB: JobId = JobId::from_bytes([0x22; 16]);
const ONE: CheckpointId = CheckpointId::new(1);

mod conformance {
    stillframe_storage_conformance::conformance_tests!(super::fresh);
}

fn fresh() -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_owned();
    let storage = FileSystemCheckpointStorage::new(&root).unwrap();
    Subject::new(Arc::new(storage), |descriptor| {
        Ok(Arc::new(FileSystemCheckpointStorage::from_descriptor(descriptor)?))
    })
    .with_residue(move || files(&root))
    .keeping(directory)
}

fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path.display().to_string()) }
    }
    found.sort();
    found
}

fn open(directory: &TempDir) -> Arc<dyn StorageAccess> {
    block_on(FileSystemCheckpointStorage::new(directory.path()).unwrap().open(JOB)).unwrap()
}

/// Completes a checkpoint with one state file.
fn complete_one(directory: &TempDir) -> (Pointer, FileHandle) {
    let access = open(directory);
    let location = block_on(access.coordinator().begin_checkpoint(ONE)).unwrap();
    let mut stream = block_on(access.worker().create(ONE, &location)).unwrap();
    block_on(stream.write(Bytes::from(vec![5; 50_000]))).unwrap();
    let Some(StateHandle::File(file)) = block_on(stream.finish()).unwrap() else { panic!("not a file") };
    (block_on(access.coordinator().publish(ONE, &location, Bytes::from_static(b"meta"))).unwrap(), file)
}

#[test]
fn files_and_directories_are_for_their_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let (pointer, file) = complete_one(&directory);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let checkpoint = Path::new(pointer.as_str());
    assert_eq!(mode(checkpoint), 0o700);
    assert_eq!(mode(&checkpoint.join("_metadata")), 0o600);
    assert_eq!(mode(&checkpoint.join(file.name.as_str())), 0o600);
}

#[test]
fn a_publication_leaves_no_other_name() {
    let directory = tempfile::tempdir().unwrap();
    let (pointer, file) = complete_one(&directory);
    assert_eq!(files(directory.path()), [format!("{pointer}/_metadata"), format!("{pointer}/{}", file.name)]);
}

#[test]
fn leftovers_of_a_dead_publisher_do_not_keep_a_checkpoint_from_being_discarded() {
    let directory = tempfile::tempdir().unwrap();
    let (pointer, _) = complete_one(&directory);
    fs::write(format!("{pointer}/._metadata.{:032x}.tmp", 1), b"half").unwrap();
    block_on(open(&directory).coordinator().discard(ONE, &LocationReference::Default)).unwrap();
    assert!(!Path::new(pointer.as_str()).exists());
}

#[test]
fn discarding_spares_the_hidden_files_of_others() {
    let directory = tempfile::tempdir().unwrap();
    let (pointer, _) = complete_one(&directory);
    let foreign = [".nfs000000000000001200000001", ".notes.tmp", "notes.tmp"];
    for name in foreign {
        fs::write(format!("{pointer}/{name}"), b"somebody's").unwrap();
    }
    let coordinator = open(&directory).coordinator();
    let error = block_on(coordinator.discard(ONE, &LocationReference::Default)).unwrap_err();
    assert!(error.to_string().contains(&foreign.join(", ")), "{error}");
    assert_eq!(files(Path::new(pointer.as_str())), foreign.map(|name| format!("{pointer}/{name}")));
}

#[test]
fn a_directory_with_the_name_of_a_file_completes_and_ends_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (pointer, _) = complete_one(&directory);
    let job = Path::new(pointer.as_str()).parent().unwrap();
    fs::create_dir_all(job.join("chk-2/_metadata")).unwrap();
    fs::create_dir(job.join("_ended")).unwrap();
    let survey = block_on(open(&directory).coordinator().survey()).unwrap();
    assert_eq!((survey.completed, survey.incomplete), (vec![ONE], vec![CheckpointId::new(2)]));
    assert_eq!(survey.ended, None);
}

#[test]
fn damaged_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (pointer, file) = complete_one(&directory);
    let path = format!("{pointer}/{}", file.name);
    let location =
        block_on(FileSystemCheckpointStorage::new(directory.path()).unwrap().resolve(&pointer)).unwrap();
    let mut flipped = vec![5; 50_000];
    flipped[49_999] ^= 1;
    for (damaged, words) in [
        (flipped, "crc32c"),
        (vec![5; 49_999], "expected 50000 bytes, found 49999"),
        (vec![5; 50_001], "expected 50000 bytes, found more"),
        (vec![], "expected 50000 bytes, found 0"),
    ] {
        fs::write(&path, damaged).unwrap();
        let error = block_on(location.read(&StateHandle::File(file.clone()))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(words) && error.to_string().contains(&path), "{error}");
    }
}

#[test]
fn what_is_not_a_regular_file_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let (pointer, file) = complete_one(&directory);
    let location =
        block_on(FileSystemCheckpointStorage::new(directory.path()).unwrap().resolve(&pointer)).unwrap();
    let path = |name: &str| format!("{pointer}/{name}");
    symlink(path(file.name.as_str()), path("link")).unwrap();
    fs::create_dir(path("directory")).unwrap();
    mknodat(CWD, path("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    for name in ["link", "directory", "fifo"] {
        let handle = FileHandle { name: Name::new(name).unwrap(), ..file.clone() };
        let error = block_on(location.read(&StateHandle::File(handle))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPointer, "{error}");
    }
}

#[test]
fn neither_a_handle_nor_a_file_can_make_us_reserve_what_the_other_has_not() {
    let directory = tempfile::tempdir().unwrap();
    let (pointer, file) = complete_one(&directory);
    let location =
        block_on(FileSystemCheckpointStorage::new(directory.path()).unwrap().resolve(&pointer)).unwrap();
    let handle = StateHandle::File(FileHandle { len: u64::MAX, crc: Crc32c::EMPTY, ..file.clone() });
    assert_eq!(block_on(location.read(&handle)).unwrap_err().kind(), ErrorKind::Corrupt);

    // A sparse file, larger than any memory.
    let grow = |name: &str| {
        let file = fs::OpenOptions::new().write(true).open(format!("{pointer}/{name}")).unwrap();
        file.set_len(1 << 42).unwrap();
    };
    grow(file.name.as_str());
    assert_eq!(block_on(location.read(&StateHandle::File(file))).unwrap_err().kind(), ErrorKind::Corrupt);
    grow("_metadata");
    assert_eq!(block_on(location.metadata()).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn a_place_that_is_a_file_is_refused_when_it_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, b"").unwrap();
    let storage = FileSystemCheckpointStorage::new(&path).unwrap();
    let error = block_on(storage.open(JOB)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidPointer);
    let error = block_on(storage.resolve(&Pointer::new(path.to_str().unwrap()))).unwrap_err();
    assert!(error.to_string().contains("where a directory is expected"), "{error}");
}

#[test]
fn pointers_may_be_uris() {
    let directory = tempfile::tempdir().unwrap();
    let (pointer, _) = complete_one(&directory);
    let storage = FileSystemCheckpointStorage::new("file:///elsewhere").unwrap();
    for text in [format!("file:{pointer}"), format!("file://{pointer}/"), format!("file:{pointer}/_metadata")]
    {
        assert_eq!(block_on(storage.resolve(&Pointer::new(text))).unwrap().pointer(), &pointer);
    }
    let error = block_on(storage.resolve(&Pointer::new("s3://bucket/chk-1"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidPointer);
}

#[test]
fn savepoints_go_to_their_own_directory() {
    let directory = tempfile::tempdir().unwrap();
    let storage = FileSystemCheckpointStorage::new(directory.path().join("c")).unwrap();
    let storage = storage.with_savepoint_dir(directory.path().join("new/sp")).unwrap();
    let coordinator = block_on(storage.open(JOB)).unwrap().coordinator();
    let location = block_on(coordinator.begin_savepoint(ONE, None)).unwrap();
    let pointer = block_on(coordinator.publish(ONE, &location, Bytes::from_static(b"meta"))).unwrap();
    let expected = directory.path().join("new/sp/savepoint-222222-");
    assert!(pointer.as_str().starts_with(expected.to_str().unwrap()), "{pointer}");
    assert_eq!(block_on(block_on(storage.resolve(&pointer)).unwrap().metadata()).unwrap(), "meta");
}

#[test]
fn the_descriptor_has_the_options_of_flink() {
    let storage = FileSystemCheckpointStorage::new("/c").unwrap();
    assert_eq!((storage.min_file_size_threshold(), storage.write_buffer_size()), (20_480, 4096));
    assert_eq!((storage.checkpoint_path().as_str(), storage.savepoint_path()), ("file:/c", None));
    assert_eq!(storage.checkpoint_directory(), Path::new("/c"));
    let expected = StorageDescriptor::new("filesystem")
        .with("execution.checkpointing.dir", OptionValue::Text("file:/c".into()));
    assert_eq!(StorageDescriptor::from(&storage), expected);

    let storage = storage.with_savepoint_dir("file:///s").unwrap();
    let storage = storage.with_min_file_size_threshold(1_048_576).unwrap().with_write_buffer_size(7);
    assert_eq!(storage.durability(), Durability::Sync);
    let storage = storage.with_durability(Durability::None);
    assert_eq!(storage.durability(), Durability::None);
    let descriptor = StorageDescriptor::from(storage.clone());
    let expected = expected
        .with("execution.checkpointing.savepoint-dir", OptionValue::Text("file:/s".into()))
        .with("execution.checkpointing.data-inline-threshold", OptionValue::Size(1_048_576))
        .with("execution.checkpointing.write-buffer-size", OptionValue::Size(7))
        .with("durability", OptionValue::Text("none".into()));
    assert_eq!(descriptor, expected);
    assert_eq!(FileSystemCheckpointStorage::from_descriptor(&descriptor).unwrap(), storage);
    assert_eq!(storage.savepoint_path().map(StoragePath::as_str), Some("file:/s"));
}

#[test]
fn options_are_checked() {
    let good = StorageDescriptor::from(FileSystemCheckpointStorage::new("/c").unwrap());
    let address =
        |text: &str| good.clone().with("execution.checkpointing.dir", OptionValue::Text(text.into()));
    for (descriptor, kind, words) in [
        (StorageDescriptor::new("jobmanager"), ErrorKind::InvalidOption, "configure kind: invalid option"),
        (
            StorageDescriptor::new("filesystem"),
            ErrorKind::InvalidOption,
            "configure execution.checkpointing.dir: invalid option (no value is not allowed, allowed: the address",
        ),
        (
            good.clone().with("execution.checkpointing.data-inline-threshold", OptionValue::Size(1_048_577)),
            ErrorKind::InvalidOption,
            "1048577 is not allowed, allowed: 0 to 1048576 bytes",
        ),
        (address("/c"), ErrorKind::InvalidOption, "which has no scheme"),
        (address("s3://bucket/c"), ErrorKind::InvalidPointer, "unknown scheme s3; supported: a plain path"),
        (address("file:/../c"), ErrorKind::InvalidPointer, "above the root"),
        (
            good.clone().with("execution.checkpointing.savepoint-dir", OptionValue::Text("hdfs:/s".into())),
            ErrorKind::InvalidPointer,
            "unknown scheme hdfs",
        ),
    ] {
        let error = FileSystemCheckpointStorage::from_descriptor(&descriptor).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = FileSystemCheckpointStorage::new("/c").unwrap().with_min_file_size_threshold(1_048_577);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidOption);
    for directory in ["/", "file:/", "", "s3://bucket/c", "/a/..", "/.."] {
        let error = FileSystemCheckpointStorage::new(directory).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPointer, "{directory}");
    }
}

/// The sizes of what a disk was given for one state file that comes in these pieces.
fn writes(storage: &FileSystemCheckpointStorage, pieces: &[usize]) -> Vec<usize> {
    let disk = SimDisk::new();
    let access = block_on(storage.with_disk(Arc::new(disk.clone())).open(JOB)).unwrap();
    let location = block_on(access.coordinator().begin_checkpoint(ONE)).unwrap();
    let mut stream = block_on(access.worker().create(ONE, &location)).unwrap();
    for (i, piece) in (0..).zip(pieces) {
        block_on(stream.write(Bytes::from(vec![i; *piece]))).unwrap();
    }
    let Some(StateHandle::File(file)) = block_on(stream.finish()).unwrap() else { panic!("not a file") };
    let path = format!("/c/{JOB}/chk-1/{}", file.name);
    let written: Vec<u8> = (0..).zip(pieces).flat_map(|(i, piece)| vec![i; *piece]).collect();
    assert_eq!(disk.content(Path::new(&path)).unwrap(), written);
    disk.writes(Path::new(&path))
}

#[test]
fn small_writes_are_gathered_in_a_buffer() {
    let storage = FileSystemCheckpointStorage::new("/c").unwrap().with_min_file_size_threshold(0).unwrap();
    let buffered = |bytes| storage.clone().with_write_buffer_size(bytes);
    assert_eq!(writes(&buffered(10), &[4, 4, 4, 4, 4]), [10, 10]);
    assert_eq!(writes(&buffered(10), &[4, 4, 4]), [10, 2]);
    assert_eq!(writes(&buffered(10), &[4, 10, 4, 25, 1]), [4, 10, 4, 25, 1]);
    assert_eq!(writes(&buffered(11), &[4, 4, 4, 4, 4]), [11, 9]);
    assert_eq!(writes(&buffered(0), &[4, 1]), [4, 1]);
    assert_eq!(writes(&buffered(u32::MAX), &[4, 4, 4]), [12]);
    assert_eq!(writes(&storage, &[1000; 9]), [4096, 4096, 808]);
}

#[test]
fn the_buffer_is_never_smaller_than_the_threshold() {
    let storage = FileSystemCheckpointStorage::new("/c").unwrap().with_write_buffer_size(4);
    let storage = storage.with_min_file_size_threshold(10).unwrap();
    assert_eq!(writes(&storage, &[4, 4, 4, 4, 4]), [10, 10]);
    assert_eq!(storage.write_buffer_size(), 4);
}

#[test]
fn a_rename_replaces_nothing_and_can_be_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    durable::create_directory(path("a/b")).unwrap();
    durable::create_directory(path("a/b")).unwrap();
    fs::write(path("a/.x"), b"x").unwrap();
    fs::write(path("a/other"), b"other").unwrap();

    let error = durable::rename_no_replace(path("a/.x"), path("a/other")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(path("a/other")).unwrap(), b"other");

    assert_eq!(durable::rename_no_replace(path("a/.x"), path("a/b/x")).unwrap(), Renamed::Moved);
    assert_eq!(durable::rename_no_replace(path("a/.x"), path("a/b/x")).unwrap(), Renamed::AlreadyDone);
    assert!(!path("a/.x").exists());

    // As if it had been interrupted between the link and the removal of the old name.
    fs::hard_link(path("a/b/x"), path("a/.x")).unwrap();
    assert_eq!(durable::rename_no_replace(path("a/.x"), path("a/b/x")).unwrap(), Renamed::Moved);
    assert!(!path("a/.x").exists());
    assert_eq!(fs::read(path("a/b/x")).unwrap(), b"x");

    let error = durable::rename_no_replace(path("a/.y"), path("a/y")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    fs::write(path("a/.y"), b"y").unwrap();
    let error = durable::rename_no_replace(path("a/.y"), path("missing/y")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(path("a/.y").exists());
    durable::sync_directory(path("a")).unwrap();
}
