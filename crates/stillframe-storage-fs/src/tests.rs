//! What this storage promises beyond the conformance cases, on the real disk.

mod names;
mod subjects;

use crate::durable::{self, Renamed};
use crate::simulation::SimDisk;
use crate::{FileSystemCheckpointStorage, LocalStores};
use bytes::Bytes;
use futures_executor::block_on;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillframe_model::{
    CheckpointId, Crc32c, Durability, FileHandle, JobId, JobStatus, Name, OptionValue, Pointer, StateFile,
    StateHandle, StorageDescriptor, StoragePath,
};
use stillframe_storage::{
    BlobPath, CheckpointStorage, ErrorKind, StateScope, StorageAccess, SweepMode, Verdict,
};
use stillframe_storage_directory::BlobStores;
use subjects::{files, residue};
use tempfile::TempDir;

const JOB: JobId = JobId::from_bytes([0x22; 16]);
const ONE: CheckpointId = CheckpointId::new(1);

fn open(directory: &TempDir) -> Arc<dyn StorageAccess> {
    block_on(FileSystemCheckpointStorage::new(directory.path()).unwrap().open(JOB)).unwrap()
}

/// What every file with state begins with, in bytes.
const MARK: usize = 32;
/// The length of the state that [`complete_one`] writes, and of the checksums behind it.
const LEN: usize = (1 << 20) + 1;
const TABLE: usize = 17 * 4;

/// Completes a checkpoint with one file of state.
fn complete_one(directory: &TempDir) -> (Pointer, FileHandle) {
    let access = open(directory);
    let coordinator = access.coordinator();
    assert_eq!(block_on(coordinator.claim()).unwrap().next, ONE);
    let location = block_on(coordinator.begin_checkpoint(ONE)).unwrap();
    let mut stream = block_on(access.worker().create(ONE, &location, StateScope::Exclusive)).unwrap();
    block_on(stream.write(Bytes::from(vec![5; LEN]))).unwrap();
    let Some(StateHandle::File(file)) = block_on(stream.finish()).unwrap() else { panic!("not a file") };
    block_on(access.worker().sync(ONE, &location)).unwrap();
    let metadata = Bytes::from_static(b"meta");
    (block_on(coordinator.commit(ONE, &location, metadata, &[])).unwrap(), file)
}

/// The name of a file of the only checkpoint, as the pointer and a handle give it.
fn path_of(pointer: &Pointer, file: &FileHandle) -> PathBuf {
    Path::new(pointer.as_str()).join(file.file.name.as_str())
}

/// The only file of a checkpoint under another name.
fn renamed(file: &FileHandle, name: &str) -> StateHandle {
    let name = Name::new(name).unwrap();
    StateHandle::File(FileHandle { file: StateFile { name, ..file.file.clone() }, ..file.clone() })
}

#[test]
fn files_and_directories_are_for_their_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let (pointer, file) = complete_one(&directory);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let checkpoint = Path::new(pointer.as_str());
    assert_eq!(mode(checkpoint), 0o700);
    assert_eq!(mode(&checkpoint.join("_metadata")), 0o600);
    assert_eq!(mode(&path_of(&pointer, &file)), 0o600);
}

#[test]
fn a_publication_leaves_no_other_name() {
    let directory = tempfile::tempdir().unwrap();
    let (pointer, file) = complete_one(&directory);
    let state = path_of(&pointer, &file).display().to_string();
    assert_eq!(residue(files(directory.path())), [format!("{pointer}/_metadata"), state]);
    let register = format!("{}/{JOB}/_ctl", directory.path().display());
    let numbers = ["e/00000000000000000001", "r/00000000000000000001", "r/00000000000000000002"];
    assert_eq!(files(Path::new(&register)), numbers.map(|number| format!("{register}/{number}")));
}

/// What a process leaves that is killed while it publishes a file of this name.
fn leftover(name: &str) -> String {
    format!(".{name}.{:032x}.tmp", 1)
}

#[test]
fn leftovers_of_a_dead_publisher_do_not_keep_a_checkpoint_from_being_removed() {
    let directory = tempfile::tempdir().unwrap();
    let (pointer, _) = complete_one(&directory);
    fs::write(format!("{pointer}/{}", leftover("_metadata")), b"half").unwrap();
    let coordinator = open(&directory).coordinator();
    block_on(coordinator.claim()).unwrap();
    block_on(coordinator.conclude(JobStatus::Finished, &[ONE])).unwrap();
    block_on(coordinator.remove(ONE, &[])).unwrap();
    assert!(!Path::new(pointer.as_str()).exists());
}

#[test]
fn leftovers_of_a_dead_publisher_are_no_objects_and_go_with_the_next_claim_or_sweep() {
    let directory = tempfile::tempdir().unwrap();
    complete_one(&directory);
    let job = directory.path().join(JOB.to_string());
    fs::create_dir(job.join("chk-7")).unwrap();
    let paths =
        [("_ctl/e", "00000000000000000002"), ("_ctl/r", "00000000000000000003"), ("chk-7", "_metadata")]
            .map(|(directory, name)| job.join(directory).join(leftover(name)));
    for path in &paths {
        fs::write(path, b"half").unwrap();
    }
    let coordinator = open(&directory).coordinator();
    block_on(coordinator.claim()).unwrap();
    assert_eq!(paths.each_ref().map(|path| path.exists()), [false, false, true]);
    block_on(coordinator.conclude(JobStatus::Finished, &[ONE])).unwrap();
    block_on(coordinator.remove(ONE, &[])).unwrap();
    let sweep = block_on(coordinator.sweep(SweepMode::Remove)).unwrap();
    assert!(sweep.found.iter().all(|swept| swept.verdict != Verdict::Foreign), "{sweep:?}");
    assert!(!job.join("chk-7").exists(), "{sweep:?}");
}

#[test]
fn discarding_spares_the_hidden_files_of_others() {
    let directory = tempfile::tempdir().unwrap();
    let coordinator = open(&directory).coordinator();
    block_on(coordinator.claim()).unwrap();
    let location = block_on(coordinator.begin_checkpoint(ONE)).unwrap();
    let place = directory.path().join(format!("{JOB}/chk-1"));
    let foreign = [".nfs000000000000001200000001", ".notes.tmp", "notes.tmp"];
    for name in foreign {
        fs::write(place.join(name), b"somebody's").unwrap();
    }
    let error = block_on(coordinator.discard(ONE, &location)).unwrap_err();
    assert!(error.to_string().contains(&foreign.join(", ")), "{error}");
    assert_eq!(files(&place), foreign.map(|name| place.join(name).display().to_string()));
}

#[test]
fn a_directory_with_the_name_of_a_file_completes_nothing_and_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (pointer, _) = complete_one(&directory);
    let job = Path::new(pointer.as_str()).parent().unwrap();
    fs::create_dir_all(job.join("chk-2/_metadata")).unwrap();
    fs::create_dir(job.join("_ended")).unwrap();
    let coordinator = open(&directory).coordinator();
    let claim = block_on(coordinator.claim()).unwrap();
    assert_eq!((claim.retained, claim.ended), (vec![ONE], None));
    let error = block_on(coordinator.open_checkpoint(CheckpointId::new(2))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // Without metadata that can be decoded nobody knows what is needed, and so nothing goes.
    let error = block_on(coordinator.sweep(SweepMode::Remove)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    block_on(coordinator.conclude(JobStatus::Finished, &[ONE])).unwrap();
    block_on(coordinator.remove(ONE, &[])).unwrap();
    let sweep = block_on(coordinator.sweep(SweepMode::Remove)).unwrap();
    for foreign in ["chk-2/_metadata", "_ended"] {
        let object = job.join(foreign).display().to_string();
        let swept = sweep.found.iter().find(|swept| swept.object == object);
        assert_eq!(swept.map(|swept| swept.verdict), Some(Verdict::Foreign), "{foreign}: {sweep:?}");
        assert!(Path::new(&object).is_dir());
    }
}

#[test]
fn damaged_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (pointer, file) = complete_one(&directory);
    let path = path_of(&pointer, &file);
    let location =
        block_on(FileSystemCheckpointStorage::new(directory.path()).unwrap().resolve(&pointer)).unwrap();
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), MARK + LEN + TABLE);
    let flipped = |at: usize| {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        flipped
    };
    let expected =
        format!("expected exactly {MARK} bytes of mark, {LEN} of state and {TABLE} of checksums, found");
    for (damaged, words) in [
        (flipped(MARK - 1), "it does not begin with the mark of this file".to_owned()),
        (flipped(MARK + LEN - 1), "block of 1 bytes at offset 1048608: expected crc32c".to_owned()),
        (flipped(MARK + LEN), "table of checksums at offset 1048609: expected crc32c".to_owned()),
        (whole[..MARK + LEN + TABLE - 1].to_vec(), format!("{expected} {} in all", MARK + LEN + TABLE - 1)),
        ([&whole[..], &[5]].concat(), format!("{expected} {} in all", MARK + LEN + TABLE + 1)),
        (vec![], format!("{expected} 0 in all")),
    ] {
        fs::write(&path, damaged).unwrap();
        let error = block_on(location.read(&StateHandle::File(file.clone()))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let text = error.to_string();
        assert!(text.contains(&words) && text.contains(path.to_str().unwrap()), "{words}: {text}");
    }
}

#[test]
fn what_is_not_a_regular_file_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let (pointer, file) = complete_one(&directory);
    let location =
        block_on(FileSystemCheckpointStorage::new(directory.path()).unwrap().resolve(&pointer)).unwrap();
    let path = |name: &str| format!("{pointer}/{name}");
    symlink(path_of(&pointer, &file), path("link")).unwrap();
    fs::create_dir(path("directory")).unwrap();
    mknodat(CWD, path("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    for name in ["link", "directory", "fifo"] {
        let error = block_on(location.read(&renamed(&file, name))).unwrap_err();
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
    grow(file.file.name.as_str());
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
    block_on(coordinator.claim()).unwrap();
    let location = block_on(coordinator.begin_savepoint(ONE, None)).unwrap();
    let metadata = Bytes::from_static(b"meta");
    let pointer = block_on(coordinator.publish_savepoint(ONE, &location, metadata)).unwrap();
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

/// The sizes of what a disk was given for one file of shared state that comes in these pieces.
fn writes(storage: &FileSystemCheckpointStorage, pieces: &[usize]) -> Vec<usize> {
    let disk = SimDisk::new();
    let access = block_on(storage.with_disk(Arc::new(disk.clone())).open(JOB)).unwrap();
    block_on(access.coordinator().claim()).unwrap();
    let location = block_on(access.coordinator().begin_checkpoint(ONE)).unwrap();
    let mut stream = block_on(access.worker().create(ONE, &location, StateScope::Shared)).unwrap();
    for (i, piece) in (0..).zip(pieces) {
        block_on(stream.write(Bytes::from(vec![i; *piece]))).unwrap();
    }
    let Some(StateHandle::File(file)) = block_on(stream.finish()).unwrap() else { panic!("not a file") };
    let path = format!("/c/{JOB}/shared/{}", file.file.name);
    let written: Vec<u8> = (0..).zip(pieces).flat_map(|(i, piece)| vec![i; *piece]).collect();
    assert!(disk.content(Path::new(&path)).unwrap()[MARK..] == written, "other bytes than were written");
    disk.writes(Path::new(&path))
}

#[test]
fn small_writes_are_gathered_in_a_buffer() {
    let storage = FileSystemCheckpointStorage::new("/c").unwrap().with_min_file_size_threshold(0).unwrap();
    let buffered = |bytes| storage.clone().with_write_buffer_size(bytes);
    assert_eq!(writes(&buffered(10), &[4, 4, 4, 4, 4]), [MARK, 10, 10]);
    assert_eq!(writes(&buffered(10), &[4, 4, 4]), [MARK, 10, 2]);
    assert_eq!(writes(&buffered(10), &[4, 10, 4, 25, 1]), [MARK, 14, 29, 1]);
    assert_eq!(writes(&buffered(11), &[4, 4, 4, 4, 4]), [MARK, 11, 9]);
    assert_eq!(writes(&buffered(0), &[4, 1]), [MARK, 4, 1]);
    assert_eq!(writes(&buffered(u32::MAX), &[4, 4, 4]), [MARK + 12]);
    assert_eq!(writes(&storage, &[1000; 9]), [4096, 4096, MARK + 808]);
}

#[test]
fn large_writes_end_where_a_page_does() {
    let storage = FileSystemCheckpointStorage::new("/c").unwrap().with_min_file_size_threshold(0).unwrap();
    assert_eq!(writes(&storage, &[8_192; 3]), [8_192, 8_192, 8_192, MARK]);
    assert_eq!(writes(&storage, &[100, 10_000, 5_000, 1]), [8_192, 4_096, MARK + 2_813]);
    // What goes beyond the page is never more than the buffer may hold.
    let storage = storage.with_write_buffer_size(100);
    assert_eq!(writes(&storage, &[4_100, 5_000]), [4_096, MARK + 5_004]);
    // Where a page ends counts from the start of the file, wherever earlier writes ended.
    assert_eq!(writes(&storage, &[60, 60, 4_000]), [100, 3_996, 56]);
}

#[test]
fn the_buffer_is_never_smaller_than_the_threshold() {
    let storage = FileSystemCheckpointStorage::new("/c").unwrap().with_write_buffer_size(4);
    let storage = storage.with_min_file_size_threshold(10).unwrap();
    // What stayed in memory until it was more than the threshold comes as one.
    assert_eq!(writes(&storage, &[4, 4, 4, 4, 4]), [MARK, 12, 8]);
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

#[test]
fn a_file_renamed_to_its_own_name_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("a")).unwrap();
    fs::write(path("a/x"), b"x").unwrap();
    symlink(path("a"), path("b")).unwrap();
    for (from, to) in [("a/x", "a/x"), ("a/x", "b/x"), ("b/x", "a/x"), ("a/./x", "b//x")] {
        let renamed = durable::rename_no_replace(path(from), path(to)).unwrap();
        assert_eq!(renamed, Renamed::AlreadyDone, "{from} to {to}");
        assert_eq!(fs::read(path("a/x")).unwrap(), b"x", "{from} to {to}");
    }
    // One name in two directories is two names.
    fs::create_dir(path("c")).unwrap();
    fs::hard_link(path("a/x"), path("c/x")).unwrap();
    assert_eq!(durable::rename_no_replace(path("a/x"), path("c/x")).unwrap(), Renamed::Moved);
    assert!(!path("a/x").exists() && path("c/x").exists());
}

#[test]
fn directories_that_are_on_no_disk_may_lie_above() {
    let directory = tempfile::tempdir().unwrap();
    // As below an automounter, the way leads through directories that know no fsync.
    let base = format!("/proc/self/root{}/c", directory.path().display());
    let error = fs::File::open("/proc/self").and_then(|directory| directory.sync_all()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
    let access = block_on(FileSystemCheckpointStorage::new(&base).unwrap().open(JOB)).unwrap();
    let coordinator = access.coordinator();
    block_on(coordinator.claim()).unwrap();
    let location = block_on(coordinator.begin_checkpoint(ONE)).unwrap();
    let pointer = block_on(coordinator.commit(ONE, &location, Bytes::from_static(b"meta"), &[])).unwrap();
    let found = block_on(coordinator.open_checkpoint(ONE)).unwrap();
    assert_eq!((found.pointer(), block_on(found.metadata()).unwrap()), (&pointer, "meta".into()));
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_corrupt() {
    let directory = tempfile::tempdir().unwrap();
    let store = LocalStores::new().at(directory.path().to_str().unwrap()).unwrap();
    let object = BlobPath::root().join(Name::new("object").unwrap());
    block_on(store.publish(&object, Bytes::from_static(b"0123456789"))).unwrap();
    let mut reader = block_on(store.open(&object)).unwrap();
    fs::write(directory.path().join("object"), b"0123").unwrap();
    assert_eq!(block_on(reader.read_at(0, 4)).unwrap(), "0123");
    assert_eq!(block_on(reader.read_at(2, 4)).unwrap_err().kind(), ErrorKind::Corrupt);
}
