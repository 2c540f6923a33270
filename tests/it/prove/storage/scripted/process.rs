//! One process of the job, with the steps that scripts are made of.

use super::{Journal, Outcome, Part, adoption, content};
use bytes::Bytes;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use stillframe::fs::disk::Disk;
use stillframe::fs::{FileSystemCheckpointStorage, StorageOnDisk};
use stillframe::model::{
    CheckpointId, CheckpointKind, JobId, JobStatus, LocationReference, Pointer, StateDirectory, StateFile,
    StateHandle,
};
use stillframe::storage::{
    CheckpointStorage, Claim, CompletedLocation, CoordinatorStorage, ErrorKind, StateScope, StateStream,
    StorageError, Sweep, SweepMode, TaskOwnedStorage, WorkerStorage,
};
use stillframe::storage_directory::Entropy;

pub(crate) const JOB: JobId = JobId::from_bytes(*b"scripted job no1");

/// Another job below the same directory, whose snapshots this one begins with.
pub(crate) const THEIRS: JobId = JobId::from_bytes(*b"scripted job no2");

/// The directory that the storage is configured with; the job's own lies in it.
pub(crate) const ROOT: &str = "/data/c";

const SAVEPOINTS: &str = "/data/sp";

/// Up to this many bytes are kept in the metadata.
const INLINE: u32 = 8;

/// What never waits for anything, as is all that happens on a simulated disk.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a storage on a disk in memory waits for something"),
    }
}

/// Unique numbers of one process. Two with different numbers never draw the same, and a process that is run again draws the
/// same as before.
#[derive(Debug)]
struct Numbered {
    process: u64,
    drawn: AtomicU64,
}

impl Entropy for Numbered {
    fn draw(&self) -> Result<u128, StorageError> {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        // Some names take the lower half only.
        Ok(u128::from(self.process) << 64 | u128::from(self.process << 32 | number))
    }
}

/// The storage as the process with this number opens it.
pub(crate) fn storage(disk: Arc<dyn Disk>, process: u64) -> StorageOnDisk {
    let storage = FileSystemCheckpointStorage::new(ROOT)
        .and_then(|storage| storage.with_savepoint_dir(SAVEPOINTS))
        .and_then(|storage| storage.with_min_file_size_threshold(INLINE));
    let storage = storage.expect("the options are valid").with_write_buffer_size(64);
    storage.with_disk(disk).with_entropy(Arc::new(Numbered { process, drawn: AtomicU64::new(0) }))
}

/// Who is told of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errors {
    /// Nobody: the process is dead, or will be. What it was doing may have been done.
    OfTheDead,
    /// The process, which relies on what they say.
    Meant,
}

/// A coordinator and a worker that hold the job.
pub(crate) struct Process<'a> {
    pub(crate) coordinator: Arc<dyn CoordinatorStorage>,
    pub(crate) worker: Arc<dyn WorkerStorage>,
    pub(crate) storage: StorageOnDisk,
    pub(crate) journal: &'a mut Journal,
    /// What the job was told last of what it holds.
    pub(super) claim: Claim,
    job: JobId,
    errors: Errors,
    next: u64,
    salt: u64,
}

impl<'a> Process<'a> {
    /// Opens the storage and claims the job.
    pub(crate) fn begin(
        disk: Arc<dyn Disk>,
        process: u64,
        errors: Errors,
        journal: &'a mut Journal,
    ) -> Result<(Self, Claim), StorageError> {
        Self::begin_as(JOB, disk, process, errors, journal)
    }

    /// As [`begin`](Self::begin), for a job with this id.
    pub(super) fn begin_as(
        job: JobId,
        disk: Arc<dyn Disk>,
        process: u64,
        errors: Errors,
        journal: &'a mut Journal,
    ) -> Result<(Self, Claim), StorageError> {
        let storage = storage(disk, process);
        let access = ready(storage.open(job))?;
        let (coordinator, worker) = (access.coordinator(), access.worker());
        let claim = ready(coordinator.claim())?;
        journal.claimed(&claim);
        let (next, salt) = (claim.next.get(), process * 1_000);
        let told = claim.clone();
        Ok((Self { coordinator, worker, storage, journal, claim, job, errors, next, salt }, told))
    }

    /// Takes note of what the coordinator was told anew.
    pub(super) fn told(&mut self, claim: Claim) {
        self.journal.claimed(&claim);
        self.next = claim.next.get();
        self.claim = claim;
    }

    /// Draws an id that nobody used.
    pub(crate) fn draw(&mut self) -> CheckpointId {
        let id = CheckpointId::new(self.next);
        self.next += 1;
        self.journal.begun = self.journal.begun.max(id.get());
        id
    }

    /// Makes the place for a checkpoint.
    pub(crate) fn place(&mut self) -> Result<CheckpointId, StorageError> {
        let id = self.draw();
        ready(self.coordinator.begin_checkpoint(id)).map(|_| id)
    }

    /// Writes state of these lengths for a checkpoint.
    pub(crate) fn write(
        &mut self,
        id: CheckpointId,
        location: &LocationReference,
        scope: StateScope,
        lens: &[usize],
    ) -> Result<Vec<Part>, StorageError> {
        let mut written = Vec::new();
        for len in lens {
            let stream = ready(self.worker.create(id, location, scope))?;
            let part = self.fill(stream, *len)?;
            if let StateHandle::File(file) = &part.handle {
                self.journal.named(named(id, &file.file));
            }
            written.push(part);
        }
        Ok(written)
    }

    fn fill(&mut self, mut stream: Box<dyn StateStream>, len: usize) -> Result<Part, StorageError> {
        self.salt += 1;
        let mut rest = content::pattern(len, self.salt);
        ready(stream.write(rest.split_to(len / 3)))?;
        ready(stream.write(rest))?;
        let handle = ready(stream.finish())?.expect("state that was written has a handle");
        Ok(Part { len, salt: self.salt, handle })
    }

    pub(crate) fn sync(&self, id: CheckpointId, location: &LocationReference) -> Result<(), StorageError> {
        ready(self.worker.sync(id, location))
    }

    /// Commits a checkpoint with these parts, and drops others.
    pub(crate) fn commit(
        &mut self,
        id: CheckpointId,
        parts: &[Part],
        dropped: &[CheckpointId],
    ) -> Result<(), StorageError> {
        let before = self.journal.outcome();
        let mut after = before.clone();
        after.retained.insert(id.get());
        after.retained.retain(|id| !dropped.contains(&CheckpointId::new(*id)));
        let metadata = content::encode(self.job, id, parts);
        self.changing(after, |coordinator| {
            ready(coordinator.commit(id, &LocationReference::Default, metadata, dropped)).map(drop)
        })
    }

    pub(crate) fn conclude(
        &mut self,
        status: JobStatus,
        dropped: &[CheckpointId],
    ) -> Result<(), StorageError> {
        let mut after = Outcome { ended: Some(status), ..self.journal.outcome() };
        after.retained.retain(|id| !dropped.contains(&CheckpointId::new(*id)));
        self.changing(after, |coordinator| ready(coordinator.conclude(status, dropped)))
    }

    /// Does what changes the register, and writes down what it may say then.
    pub(super) fn changing(
        &mut self,
        after: Outcome,
        change: impl FnOnce(&dyn CoordinatorStorage) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let before = self.journal.outcomes.clone();
        self.journal.outcomes.insert(after.clone());
        let was_given_up = self.journal.gives_up(&after);
        let result = change(&*self.coordinator);
        match &result {
            Ok(()) => self.journal.outcomes = [after].into(),
            Err(error)
                if self.errors == Errors::OfTheDead
                    || matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Fenced) => {}
            Err(_) => {
                self.journal.outcomes = before;
                if let Some(snapshot) = &mut self.journal.snapshot {
                    snapshot.is_given_up = was_given_up;
                }
            }
        }
        result
    }

    /// Removes a checkpoint that was dropped, and with it the shared files among these parts that are this job's.
    pub(crate) fn remove(&mut self, id: CheckpointId, parts: &[Part]) -> Result<(), StorageError> {
        let shared = parts.iter().filter_map(|part| part.handle.file());
        let is_ours = |file: &&StateFile| match &file.directory {
            StateDirectory::Shared => true,
            StateDirectory::Foreign(address) => !self.claim.left.contains(address),
            StateDirectory::Exclusive | StateDirectory::TaskOwned => false,
        };
        let shared = shared.filter(is_ours).cloned();
        let removed = ready(self.coordinator.remove(id, &shared.collect::<Vec<_>>()));
        self.leaving(id, removed)
    }

    pub(crate) fn discard(&mut self, id: CheckpointId) -> Result<(), StorageError> {
        let discarded = ready(self.coordinator.discard(id, &LocationReference::Default));
        self.leaving(id, discarded)
    }

    fn leaving(&mut self, id: CheckpointId, removed: Result<(), StorageError>) -> Result<(), StorageError> {
        if self.errors == Errors::Meant && removed.is_err() {
            self.journal.left_behind.insert(id.get());
        }
        removed
    }

    /// Takes a savepoint with state of these lengths.
    pub(crate) fn savepoint(&mut self, lens: &[usize]) -> Result<Pointer, StorageError> {
        let id = self.draw();
        let location = ready(self.coordinator.begin_savepoint(id, None))?;
        let parts = self.write(id, &location, StateScope::Exclusive, lens)?;
        self.sync(id, &location)?;
        let metadata = content::encode_as(CheckpointKind::SAVEPOINT, self.job, id, &parts);
        let pointer = ready(self.coordinator.publish_savepoint(id, &location, metadata))?;
        self.journal.savepoints.push(pointer.clone());
        Ok(pointer)
    }

    /// Writes state that tasks own.
    pub(crate) fn own(&mut self, len: usize) -> Result<Part, StorageError> {
        let stream = ready(self.task_owned().create())?;
        let part = self.fill(stream, len)?;
        self.journal.owned.push(part.clone());
        Ok(part)
    }

    pub(crate) fn disown(&mut self, part: &Part) -> Result<(), StorageError> {
        self.journal.owned.retain(|owned| owned != part);
        ready(self.task_owned().delete(&part.handle))
    }

    pub(crate) fn task_owned(&self) -> Arc<dyn TaskOwnedStorage> {
        self.worker.task_owned().expect("there is a directory for it")
    }

    pub(crate) fn sweep(&self) -> Result<Sweep, StorageError> {
        ready(self.coordinator.sweep(SweepMode::Remove))
    }

    /// Reads everything of a retained checkpoint, compares it with what has to be in it, and gives its parts as later
    /// checkpoints call them.
    pub(crate) fn verify(&mut self, id: CheckpointId) -> Result<Vec<Part>, StorageError> {
        let found = ready(self.coordinator.open_checkpoint(id))?;
        let parts = self.read(id, &*found)?;
        Ok(if self.claim.taken.contains(&id) { adoption::seen_from_outside(&*found, parts) } else { parts })
    }

    /// Reads everything of a snapshot, compares it with what has to be in it, and gives its parts.
    pub(super) fn read(
        &mut self,
        id: CheckpointId,
        found: &dyn CompletedLocation,
    ) -> Result<Vec<Part>, StorageError> {
        let parts = match content::parts(&ready(found.metadata())?) {
            Ok((of, parts)) if of == id.get() => parts,
            other => {
                self.journal.wrong.push(format!("checkpoint {id}: {other:?}"));
                return Ok(Vec::new());
            }
        };
        for part in &parts {
            let read = ready(found.read(&part.handle))?;
            self.compare(part, &read);
        }
        Ok(parts)
    }

    /// Reads what tasks own.
    pub(crate) fn verify_owned(&mut self) -> Result<(), StorageError> {
        for part in self.journal.owned.clone() {
            let mut reader = ready(self.task_owned().open(&part.handle))?;
            let mut read = Vec::new();
            while let Some(piece) = ready(reader.next())? {
                read.extend_from_slice(&piece);
            }
            self.compare(&part, &Bytes::from(read));
        }
        Ok(())
    }

    fn compare(&mut self, part: &Part, read: &Bytes) {
        if *read != part.content() {
            self.journal.wrong.push(format!("{part:?} is not what was written"));
        }
    }
}

/// The name of a file of this checkpoint, unlike that of any other file of the job.
fn named(id: CheckpointId, file: &StateFile) -> String {
    match file.directory {
        StateDirectory::Exclusive => format!("{id}/{}", file.name),
        _ => file.name.to_string(),
    }
}
