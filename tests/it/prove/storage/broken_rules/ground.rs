//! A job's directory with two checkpoints in it, in memory or on the disk of this machine, that can be copied and broken.

use crate::prove::storage::scripted::{JOB, Part, encode, parts, pattern, ready};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillframe::fs::FileSystemCheckpointStorage;
use stillframe::fs::disk::{Disk, RealDisk};
use stillframe::fs::simulation::SimDisk;
use stillframe::metadata::FormatError;
use stillframe::model::{CheckpointId, JobId, LocationReference};
use stillframe::storage::{
    CheckpointStorage, CoordinatorStorage, ErrorKind, StateScope, StateStream, StorageAccess, StorageError,
    SweepMode,
};
use tempfile::TempDir;

const HERE: LocationReference = LocationReference::Default;

/// All files below a directory, with what is in them.
pub(super) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A place for the job, and something else beside it.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) disk: Arc<dyn Disk>,
    /// What the storage is configured with.
    pub(super) root: PathBuf,
    /// What is none of its business.
    pub(super) outside: PathBuf,
    kept: Kept,
    /// What tasks own.
    pub(super) owned: Vec<Part>,
}

#[derive(Debug)]
enum Kept {
    Simulated(SimDisk),
    Real(TempDir),
}

impl Ground {
    /// Nothing yet, in memory.
    pub(super) fn simulated() -> Self {
        Self::on(Kept::Simulated(SimDisk::new()))
    }

    /// Nothing yet, on the disk of this machine.
    pub(super) fn real() -> Self {
        Self::on(Kept::Real(tempfile::tempdir().expect("a temporary directory")))
    }

    fn on(kept: Kept) -> Self {
        let (disk, base): (Arc<dyn Disk>, _) = match &kept {
            Kept::Simulated(disk) => (Arc::new(disk.clone()), PathBuf::from("/")),
            Kept::Real(directory) => (Arc::new(RealDisk::new()), directory.path().to_owned()),
        };
        let (root, outside) = (base.join("root"), base.join("outside"));
        let ground = Self { disk, root, outside, kept, owned: Vec::new() };
        for directory in [&ground.root, &ground.outside] {
            let _ = ground.disk.create_dir(directory);
        }
        ground
    }

    /// The directory of the machine, where there is one.
    pub(super) fn directory(&self) -> Option<&Path> {
        match &self.kept {
            Kept::Simulated(_) => None,
            Kept::Real(directory) => Some(directory.path()),
        }
    }

    /// Another one with the same in it.
    pub(super) fn copied(&self) -> Self {
        match &self.kept {
            Kept::Simulated(disk) => {
                Self { owned: self.owned.clone(), ..Self::on(Kept::Simulated(disk.fork())) }
            }
            Kept::Real(_) => {
                let copy = Self { owned: self.owned.clone(), ..Self::real() };
                for (from, to) in [(&self.root, &copy.root), (&self.outside, &copy.outside)] {
                    copy_below(from, to).expect("a temporary directory can be copied");
                }
                copy
            }
        }
    }

    pub(super) fn job(&self) -> PathBuf {
        self.root.join(JOB.to_string())
    }

    pub(super) fn storage(&self) -> impl CheckpointStorage {
        let storage = FileSystemCheckpointStorage::new(&self.root)
            .and_then(|storage| storage.with_min_file_size_threshold(8));
        storage.expect("the options are valid").with_disk(Arc::clone(&self.disk))
    }

    pub(super) fn open(&self, job: JobId) -> Result<Arc<dyn StorageAccess>, StorageError> {
        ready(self.storage().open(job))
    }

    /// Two checkpoints of the job, both retained, which share a file; and a file that tasks own.
    pub(super) fn with_two_checkpoints(mut self) -> Self {
        let taken = (|| {
            let access = self.open(JOB)?;
            ready(access.coordinator().claim())?;
            let shared = take(&*access, 1, &[], &[])?;
            take(&*access, 2, &shared[3..], &[])?;
            let stream = access.worker().task_owned().map(|owned| ready(owned.create()));
            fill(stream.expect("there is a directory for it")?, 15, 9)
        })();
        self.owned.push(taken.expect("nothing is broken yet"));
        self
    }

    /// The content of every file below a directory.
    pub(super) fn files(&self, below: &Path) -> Files {
        let mut found = Files::new();
        let Ok(entries) = self.disk.list(below) else { return found };
        for entry in entries {
            let path = below.join(&entry.name);
            if entry.is_directory {
                found.extend(self.files(&path));
            } else if let Ok(content) = self.read(&path) {
                found.insert(path, content);
            }
        }
        found
    }

    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut file = self.disk.open(path)?;
        let mut bytes = Vec::with_capacity(usize::try_from(file.size()).map_err(io::Error::other)?);
        while bytes.len() < bytes.capacity() && file.read_at(bytes.len() as u64, &mut bytes)? > 0 {}
        Ok(bytes)
    }

    /// Puts a file there, in the place of whatever file there is.
    pub(super) fn put(&self, path: &Path, bytes: &[u8]) {
        let _ = self.disk.remove_file(path);
        let written = self.disk.create_new(path).and_then(|mut file| {
            let mut rest = bytes;
            while !rest.is_empty() {
                let written = file.write(rest)?;
                rest = &rest[written..];
            }
            Ok(())
        });
        written.unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
    }

    /// What a new process makes of it that claims the job, reads all there is, and sweeps.
    pub(super) fn judge(&self) -> Judged {
        let before = self.files(&self.root);
        let outside = self.files(&self.outside);
        let read = self.read_all();
        let after = self.files(&self.root);
        let is_touched = |(path, content): &(&PathBuf, &Vec<u8>)| match after.get(*path) {
            Some(found) => found != *content,
            // Whoever claims the register removes the entries before that with which it begins.
            None => !path.parent().is_some_and(|parent| parent.ends_with("_ctl/r")),
        };
        if let Some((path, _)) = before.iter().find(is_touched) {
            return Judged::Wrong(format!("{} was touched; {read:?}", path.display()));
        }
        if outside != self.files(&self.outside) {
            return Judged::Wrong("something outside was touched".to_owned());
        }
        match read {
            Ok(None) => Judged::Right,
            Ok(Some(wrong)) => Judged::Wrong(wrong),
            Err(refusal) => Judged::Refused(refusal),
        }
    }

    /// What is read that is not so; or why it cannot be read.
    fn read_all(&self) -> Result<Option<String>, Refusal> {
        let access = self.open(JOB)?;
        let coordinator = access.coordinator();
        let claim = ready(coordinator.claim())?;
        let read = self.read_retained(&*access, &*coordinator);
        // Whatever it comes to, it may remove nothing that is needed.
        let swept = ready(coordinator.sweep(SweepMode::Remove));
        if claim.retained.iter().map(|id| id.get()).ne([1, 2]) {
            return Ok(Some(format!("{:?} are retained", claim.retained)));
        }
        let wrong = read?;
        swept?;
        Ok(wrong)
    }

    fn read_retained(
        &self,
        access: &dyn StorageAccess,
        coordinator: &dyn CoordinatorStorage,
    ) -> Result<Option<String>, Refusal> {
        for id in [1, 2] {
            let found = ready(coordinator.open_checkpoint(CheckpointId::new(id)))?;
            let (of, parts) = match parts(&ready(found.metadata())?) {
                Ok(read) => read,
                Err(wrong) => return Ok(Some(format!("checkpoint {id} was given out: {wrong}"))),
            };
            if of != id || parts.len() != 4 + usize::from(id == 2) {
                return Ok(Some(format!("checkpoint {id} is {of} with {} parts", parts.len())));
            }
            for part in parts {
                if ready(found.read(&part.handle))? != part.content() {
                    return Ok(Some(format!("{part:?} is not what was written")));
                }
            }
        }
        let owned = access.worker().task_owned().expect("there is a directory for it");
        for part in &self.owned {
            let mut reader = ready(owned.open(&part.handle))?;
            let mut read = Vec::new();
            while let Some(piece) = ready(reader.next())? {
                read.extend_from_slice(&piece);
            }
            if part.content() != read {
                return Ok(Some(format!("{part:?} is not what was written")));
            }
        }
        Ok(None)
    }
}

/// What came of reading something that was broken.
#[derive(Debug)]
pub(super) enum Judged {
    /// All of it is as it was written.
    Right,
    /// An error that says so.
    Refused(Refusal),
    /// Something was given out that is not so, or touched that may not be.
    Wrong(String),
}

/// Why something was not given out, or not done.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) kind: ErrorKind,
    pub(super) text: String,
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        Self { kind: error.kind(), text: format!("{error:?}") }
    }
}

impl From<FormatError> for Refusal {
    fn from(error: FormatError) -> Self {
        Self { kind: ErrorKind::Corrupt, text: format!("{error:?}") }
    }
}

/// Takes a checkpoint with state of every kind, three parts of its own and one that is shared, and the earlier ones given.
pub(super) fn take(
    access: &dyn StorageAccess,
    id: u64,
    earlier: &[Part],
    dropped: &[CheckpointId],
) -> Result<Vec<Part>, StorageError> {
    let (coordinator, worker) = (access.coordinator(), access.worker());
    let checkpoint = CheckpointId::new(id);
    ready(coordinator.begin_checkpoint(checkpoint))?;
    let mut written = Vec::new();
    for (at, len) in [(0, 4), (1, 20), (2, 30)] {
        let stream = ready(worker.create(checkpoint, &HERE, StateScope::Exclusive))?;
        written.push(fill(stream, len, id * 10 + at)?);
    }
    let stream = ready(worker.create(checkpoint, &HERE, StateScope::Shared))?;
    written.push(fill(stream, 25, id * 10 + 3)?);
    written.extend_from_slice(earlier);
    ready(worker.sync(checkpoint, &HERE))?;
    ready(coordinator.commit(checkpoint, &HERE, encode(JOB, checkpoint, &written), dropped))?;
    Ok(written)
}

fn fill(mut stream: Box<dyn StateStream>, len: usize, salt: u64) -> Result<Part, StorageError> {
    ready(stream.write(Bytes::clone(&pattern(len, salt))))?;
    let handle = ready(stream.finish())?.expect("state that was written has a handle");
    Ok(Part { len, salt, handle })
}

fn copy_below(from: &Path, to: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let (path, copy) = {
            let entry = entry?;
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            std::fs::create_dir(&copy)?;
            copy_below(&path, &copy)?;
        } else {
            std::fs::copy(&path, &copy)?;
        }
    }
    Ok(())
}
