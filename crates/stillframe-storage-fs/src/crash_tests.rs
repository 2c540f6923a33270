//! Power is cut, the process is killed, and the disk fails, after or at each single operation of a job's
//! checkpoints.
//!
//! What must hold each time: a checkpoint that was reported complete and is not being discarded can be
//! restored bit for bit, and whatever a survey calls completed verifies. The recovery that is asked is the
//! real one; only the disk is not.

use crate::blobs::LocalStores;
use crate::directories::Directories;
use crate::durable::{Renamed, rename_on};
use crate::simulation::{Coverage, FaultKind, SimDisk, SimEntropy};
use crate::volume::Volume;
use bytes::Bytes;
use futures_executor::block_on;
use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use stillframe_model::{
    CheckpointId, Crc32c, Durability, FileHandle, JobId, JobStatus, LocationReference, Name, StateHandle,
};
use stillframe_storage::{CoordinatorStorage, ErrorKind, StorageAccess, StorageError};
use stillframe_storage_directory::{DirectoryStorage, Entropy};

const JOB: JobId = JobId::from_bytes([0x33; 16]);
const DIRECTORY: &str = "/data/checkpoints";
const INLINE_THRESHOLD: u32 = 8;
const WRITE_BUFFER_SIZE: usize = 64;

/// A new process opens the storage on this disk.
fn open(disk: &SimDisk) -> Result<Arc<dyn StorageAccess>, StorageError> {
    // Never repeats a number, not even from one simulated process to the next.
    static UNIQUE: LazyLock<SimEntropy> = LazyLock::new(SimEntropy::new);
    let entropy: Arc<dyn Entropy> = Arc::new(UNIQUE.clone());
    let stores = LocalStores::new()
        .with_disk(Arc::new(disk.clone()))
        .with_entropy(Arc::clone(&entropy))
        .with_write_buffer_size(WRITE_BUFFER_SIZE);
    let storage = DirectoryStorage::new(Arc::new(stores), entropy, DIRECTORY);
    block_on(storage.with_inline_threshold(INLINE_THRESHOLD).open(JOB))
}

/// What the two files of a checkpoint hold.
fn content(checkpoint: CheckpointId, index: u8) -> Bytes {
    let seed = checkpoint.get() as u8 * 16 + index;
    (0..60).map(|i| seed.wrapping_mul(31).wrapping_add(i) | 1).collect()
}

/// What somebody was told, and must therefore stay true.
#[derive(Clone, Debug, Default)]
struct Journal {
    complete: BTreeSet<CheckpointId>,
    being_discarded: BTreeSet<CheckpointId>,
    ended: bool,
}

impl Journal {
    /// Restores from a disk as a new process would.
    fn check(&self, disk: &SimDisk, context: &str) {
        let access = open(disk).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        let coordinator = access.coordinator();
        let survey = block_on(coordinator.survey()).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        for promised in self.complete.difference(&self.being_discarded) {
            assert!(
                survey.completed.contains(promised),
                "{context}: checkpoint {promised} was complete and is gone: {survey:?}"
            );
        }
        assert!(survey.ended.is_some() || !self.ended, "{context}: the end of the job is forgotten");
        for checkpoint in &survey.completed {
            let verified = verify(&*coordinator, *checkpoint);
            verified
                .unwrap_or_else(|error| panic!("{context}: checkpoint {checkpoint} is broken: {error:?}"));
        }
    }

    fn check_all(&self, disk: &SimDisk, context: &str) -> usize {
        let images = disk.after_power_loss(&Coverage::default());
        images.map(|(survived, image)| self.check(&image, &format!("{context}, {survived}"))).count()
    }
}

/// Reads everything of a checkpoint and compares it with what was written.
fn verify(coordinator: &dyn CoordinatorStorage, checkpoint: CheckpointId) -> Result<(), StorageError> {
    let location = block_on(coordinator.open_checkpoint(checkpoint))?;
    let handles = decode(&block_on(location.metadata())?);
    assert_eq!(handles.len(), 2);
    for (index, handle) in (0..).zip(handles) {
        assert_eq!(
            block_on(location.read(&handle))?,
            content(checkpoint, index),
            "state {index} of {checkpoint}"
        );
    }
    Ok(())
}

fn encode(files: &[FileHandle]) -> Bytes {
    let line = |file: &FileHandle| format!("{} {} {}\n", file.name, file.len, file.crc.0);
    let lines = files.iter().map(line).collect::<String>();
    Bytes::from(format!("{lines}{}", Crc32c::of(lines.as_bytes())))
}

fn decode(metadata: &[u8]) -> Vec<StateHandle> {
    let text = str::from_utf8(metadata).expect("metadata is text");
    let (lines, crc) = text.split_at(text.len().saturating_sub(8));
    assert_eq!(Crc32c::of(lines.as_bytes()).to_string(), crc, "checksum of the metadata");
    let file = |line: &str| {
        let [name, len, crc] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("malformed: {line}") };
        FileHandle {
            name: Name::new(name).unwrap(),
            len: len.parse().unwrap(),
            crc: Crc32c(crc.parse().unwrap()),
        }
    };
    lines.lines().map(file).map(StateHandle::File).collect()
}

/// Takes one checkpoint, and reports it complete if it is.
fn take(
    access: &dyn StorageAccess,
    checkpoint: CheckpointId,
    journal: &mut Journal,
) -> Result<(), StorageError> {
    let coordinator = access.coordinator();
    let location = block_on(coordinator.begin_checkpoint(checkpoint))?;
    let mut files = Vec::new();
    for index in 0..2 {
        let mut stream = block_on(access.worker().create(checkpoint, &location))?;
        let mut rest = content(checkpoint, index);
        block_on(stream.write(rest.split_to(10)))?;
        block_on(stream.write(rest))?;
        match block_on(stream.finish())? {
            Some(StateHandle::File(file)) => files.push(file),
            other => panic!("expected a file, found {other:?}"),
        }
    }
    block_on(coordinator.publish(checkpoint, &location, encode(&files)))?;
    journal.complete.insert(checkpoint);
    Ok(())
}

fn discard(
    access: &dyn StorageAccess,
    checkpoint: CheckpointId,
    journal: &mut Journal,
) -> Result<(), StorageError> {
    journal.being_discarded.insert(checkpoint);
    block_on(access.coordinator().discard(checkpoint, &LocationReference::Default))
}

/// A run of a job: looks at what is there, takes `count` checkpoints, keeps the newest one, and finishes.
/// Ends with the first error, as the process it stands for does.
fn run(disk: &SimDisk, count: u64, journal: &mut Journal) -> Result<(), StorageError> {
    let access = open(disk)?;
    let survey = block_on(access.coordinator().survey())?;
    // The run restores from the newest of these, so from here on they count as reported.
    journal.complete.extend(&survey.completed);
    journal.ended |= survey.ended.is_some();
    let last = survey.completed.iter().chain(&survey.incomplete).max().map_or(0, |last| last.get());
    let mut retained = survey.completed;
    for abandoned in survey.incomplete {
        discard(&*access, abandoned, journal)?;
    }
    for checkpoint in (last + 1..=last + count).map(CheckpointId::new) {
        take(&*access, checkpoint, journal)?;
        for subsumed in core::mem::replace(&mut retained, vec![checkpoint]) {
            discard(&*access, subsumed, journal)?;
        }
    }
    block_on(access.coordinator().conclude(JobStatus::Finished))?;
    journal.ended = true;
    Ok(())
}

/// How many operations a run of `count` checkpoints takes on this disk.
fn operations_of(disk: &SimDisk, count: u64) -> usize {
    let disk = disk.fork();
    let before = disk.operations();
    run(&disk, count, &mut Journal::default()).expect("a run without faults succeeds");
    disk.operations() - before
}

#[test]
#[expect(clippy::print_stdout, reason = "the number of states is what this test is worth")]
fn a_loss_of_power_after_any_operation_loses_nothing_that_was_reported() {
    let (mut cuts, mut states) = (0, 0);
    let three = |disk: &SimDisk| {
        let mut journal = Journal::default();
        (run(disk, 3, &mut journal), journal)
    };
    for cut in SimDisk::new().cut_everywhere(three) {
        let (result, journal) = cut.outcome;
        assert_eq!(result.is_ok(), cut.is_whole);
        states += journal.check_all(&cut.disk, &format!("power lost after operation {}", cut.after));
        cuts += 1;
    }
    println!("power loss: {cuts} cuts, {states} states");
}

/// A process that is killed leaves behind what it did not come to sync, visible to the next one. That one
/// must not build on it as if it were durable.
#[test]
#[expect(clippy::print_stdout, reason = "the number of states is what this test is worth")]
fn what_a_killed_process_left_is_made_durable_before_it_is_relied_on() {
    let mut states = 0;
    for killed in 0..operations_of(&SimDisk::new(), 2) {
        let (disk, mut journal) = (SimDisk::new(), Journal::default());
        disk.stop_after(killed);
        run(&disk, 2, &mut journal).expect_err("the process is killed");
        disk.resume();
        for count in 0..=1 {
            for cut in 0..=operations_of(&disk, count) {
                let (disk, mut journal) = (disk.fork(), journal.clone());
                disk.stop_after(cut);
                let _ = run(&disk, count, &mut journal);
                journal.check(
                    &disk.worst_case(),
                    &format!("killed after {killed}, power lost {cut} later, {count} taken"),
                );
                states += 1;
            }
        }
    }
    println!("kill, then power loss: {states} states");
}

/// The disk fails once. The checkpoint that met with it is given up unless its outcome is unknown, in which
/// case the run ends; the error says which file it was.
#[test]
#[expect(clippy::print_stdout, reason = "the number of states is what this test is worth")]
fn a_failing_disk_loses_nothing_that_was_reported() {
    let (mut sites, mut states) = (0, 0);
    let three = |disk: &SimDisk| {
        let mut journal = Journal::default();
        (run_despite_errors(disk, &mut journal), journal)
    };
    for kind in FaultKind::ALL {
        for failing in SimDisk::new().fail_everywhere(kind, false, three) {
            let (outcome, journal) = failing.outcome;
            let context = format!("{kind:?}: {:?}", failing.failed);
            if let Err(error) = outcome {
                let path = &failing.failed.path;
                assert!(names(&error, path), "{context}: {error:?} does not name {path:?}");
            }
            states += journal.check_all(&failing.disk, &context);
            journal.check(&failing.disk, &context);
            sites += 1;
        }
    }
    println!("failing disk: {sites} failures, {states} states");
}

/// Three checkpoints as in [`run`], the first error of which is returned at the end.
fn run_despite_errors(disk: &SimDisk, journal: &mut Journal) -> Result<(), StorageError> {
    let access = open(disk)?;
    block_on(access.coordinator().survey())?;
    let mut outcome = Ok(());
    let mut retained = None;
    for checkpoint in (1..=3).map(CheckpointId::new) {
        match take(&*access, checkpoint, journal) {
            Ok(()) => {
                journal.check(&disk.worst_case(), "right after it was reported");
                let subsumed = retained.replace(checkpoint);
                outcome =
                    outcome.and(subsumed.map_or(Ok(()), |subsumed| discard(&*access, subsumed, journal)));
            }
            Err(error) if error.kind() == ErrorKind::OutcomeUnknown => return Err(error),
            Err(error) => {
                outcome = outcome.and(Err(error));
                let survey = block_on(open(disk)?.coordinator().survey())?;
                assert!(
                    !survey.completed.contains(&checkpoint),
                    "{checkpoint} failed for certain, and is there"
                );
                // The disk is fine again, so what is left of the checkpoint can be removed.
                discard(&*access, checkpoint, journal)?;
            }
        }
    }
    let conclude = || block_on(access.coordinator().conclude(JobStatus::Finished));
    outcome = outcome.and(conclude());
    // Once more, in case that failed. It may not call durable what the first call left in doubt.
    journal.ended = conclude().is_ok();
    outcome
}

fn names(error: &(dyn Error + 'static), path: &Path) -> bool {
    let here = error.to_string().contains(&format!("{}:", path.display()));
    here || error.source().is_some_and(|cause| names(cause, path))
}

fn directories_of(disk: &SimDisk) -> Directories {
    Directories::new(Volume::new(Arc::new(disk.clone()), Durability::Sync))
}

#[test]
fn a_renamed_file_always_has_a_name() {
    let prepared = SimDisk::new();
    let directories = directories_of(&prepared);
    directories.create(Path::new("/out")).unwrap();
    let (from, to) = (Path::new("/out/.x"), Path::new("/out/x"));
    let mut file = directories.volume().create_new(from).unwrap();
    file.write_all(b"records").and_then(|()| file.sync()).unwrap();
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
