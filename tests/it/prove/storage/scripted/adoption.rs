//! Another job's snapshot, and the job that begins with it.

use super::journal::Snapshot;
use super::process::{Errors, Process, THEIRS, ready};
use super::{Journal, Part};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use stillframe::fs::disk::Disk;
use stillframe::fs::simulation::SimDisk;
use stillframe::model::{
    CheckpointId, FileHandle, JobStatus, LocationReference, Pointer, SegmentHandle, StateDirectory,
    StateHandle,
};
use stillframe::storage::{CheckpointStorage, CompletedLocation, Ownership, StateScope, StorageError};

const HERE: LocationReference = LocationReference::Default;

/// What a job can begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Checkpoint,
    Savepoint,
}

/// Every way to begin with something of another job.
pub(crate) const WAYS: [(Source, Ownership); 6] = [
    (Source::Checkpoint, Ownership::Taken),
    (Source::Checkpoint, Ownership::Left),
    (Source::Checkpoint, Ownership::Unclaimed),
    (Source::Savepoint, Ownership::Taken),
    (Source::Savepoint, Ownership::Left),
    (Source::Savepoint, Ownership::Unclaimed),
];

/// A disk on which another job has lived, and what this one is told of it. All that the other one left is somebody else's but
/// for what the snapshot consists of, if that is to be taken over.
pub(crate) fn prepared(source: Source, ownership: Ownership) -> (SimDisk, Journal) {
    let (disk, mut theirs) = (SimDisk::new(), Journal::default());
    let reached: Arc<dyn Disk> = Arc::new(disk.clone());
    let (pointer, id, used) = live(reached, source, &mut theirs).expect("the disk is fine");
    assert!(theirs.wrong.is_empty(), "nothing came between, and yet: {:?}", theirs.wrong);
    let content = |path: &Path| disk.content(path).unwrap_or_default();
    let all = disk.files(Path::new("/data")).into_iter();
    let all = all.map(|path| (path.display().to_string(), content(&path)));
    let is_of_it = |path: &String| {
        let name = path.rsplit('/').next().unwrap_or_default();
        path.starts_with(&format!("{pointer}/")) || used.iter().any(|used| used == name)
    };
    let (files, foreign) = all.partition::<BTreeMap<_, _>, _>(|(path, _)| is_of_it(path));
    let snapshot = Snapshot { pointer, id, ownership, files, is_given_up: false };
    (disk, Journal { foreign, snapshot: Some(snapshot), ..Journal::default() })
}

/// The life of the other job: a checkpoint that is nobody's business, one that shares files with no other, and a savepoint. Gives
/// the one of the latter two that is meant, with the names of its shared files.
fn live(
    disk: Arc<dyn Disk>,
    source: Source,
    journal: &mut Journal,
) -> Result<(Pointer, CheckpointId, Vec<String>), StorageError> {
    let (mut process, _) = Process::begin_as(THEIRS, disk, 3, Errors::Meant, journal)?;
    let one = process.place()?;
    let mut parts = process.write(one, &HERE, StateScope::Exclusive, &[4, 20])?;
    parts.extend(process.write(one, &HERE, StateScope::Shared, &[25])?);
    process.sync(one, &HERE)?;
    process.commit(one, &parts, &[])?;
    let two = process.place()?;
    let mut parts = process.write(two, &HERE, StateScope::Exclusive, &[5, 21, 31])?;
    let shared = process.write(two, &HERE, StateScope::Shared, &[26, 27])?;
    parts.extend_from_slice(&shared);
    process.sync(two, &HERE)?;
    process.commit(two, &parts, &[])?;
    let savepoint = process.savepoint(&[3, 14, 15])?;
    let three = CheckpointId::new(process.journal.begun);
    process.conclude(JobStatus::Canceled, &[])?;
    let names = shared.iter().filter_map(|part| Some(part.handle.file()?.name.to_string()));
    match source {
        Source::Savepoint => Ok((savepoint, three, Vec::new())),
        Source::Checkpoint => {
            let pointer = ready(process.coordinator.open_checkpoint(two))?.pointer().clone();
            Ok((pointer, two, names.collect()))
        }
    }
}

/// Parts of a snapshot as checkpoints elsewhere have to call them.
pub(super) fn seen_from_outside(found: &dyn CompletedLocation, parts: Vec<Part>) -> Vec<Part> {
    let moved = |part: Part| match &part.handle {
        StateHandle::Inline(_) => Some(part),
        StateHandle::File(file) => {
            let file = FileHandle { file: found.foreign(&file.file)?, ..file.clone() };
            Some(Part { handle: StateHandle::File(file), ..part })
        }
        StateHandle::Segment(segment) => {
            let file = found.foreign(&segment.file)?;
            let segment = SegmentHandle { file, ..segment.clone() };
            Some(Part { handle: StateHandle::Segment(segment), ..part })
        }
    };
    parts.into_iter().filter_map(moved).collect()
}

/// The directories of others in which these parts lie.
fn directories(parts: &[Part]) -> impl Iterator<Item = String> {
    parts.iter().filter_map(|part| match &part.handle.file()?.directory {
        StateDirectory::Foreign(address) => Some(address.to_string()),
        _ => None,
    })
}

impl Process<'_> {
    /// Begins with the snapshot of the other job, and gives what later checkpoints may refer to.
    pub(crate) fn adopt(&mut self) -> Result<Vec<Part>, StorageError> {
        let Some(Snapshot { pointer, id, ownership, .. }) = self.journal.snapshot.clone() else {
            return Ok(Vec::new());
        };
        let found = ready(self.storage.resolve(&pointer))?;
        let parts = self.read(id, &*found)?;
        let parts = seen_from_outside(&*found, parts);
        let mut after = self.journal.outcome();
        if ownership == Ownership::Taken {
            after.retained.insert(id.get());
        }
        let mut claim = None;
        let adopted = self.changing(after.clone(), |coordinator| {
            claim = Some(ready(coordinator.adopt(found, id, ownership))?);
            Ok(())
        });
        // It may have failed at looking what came of it.
        if let Err(error) = adopted {
            self.journal.outcomes.insert(after);
            return Err(error);
        }
        self.journal.begun = self.journal.begun.max(id.get());
        if let Some(claim) = claim {
            self.told(claim);
        }
        if ownership == Ownership::Left {
            self.journal.left.extend(directories(&parts));
        }
        Ok(if ownership == Ownership::Unclaimed { Vec::new() } else { parts })
    }
}
