//! A disk that remembers what failed, and notices when an fsync is tried again on what it failed on.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe::fs::disk::{Disk, DiskFile, DiskReader, Entry};
use stillframe::fs::simulation::{SimDisk, SimOperation};

/// What one process may not try again, and what it tried all the same.
#[derive(Debug, Default)]
struct Seen {
    /// What failed of which the disk is to blame, and not what was asked of it.
    failed: Vec<(SimOperation, PathBuf)>,
    doubtful: BTreeSet<PathBuf>,
    /// What was made last in each directory of which nothing is in doubt.
    made: BTreeMap<PathBuf, PathBuf>,
    repeated: Vec<PathBuf>,
}

/// The disk of one process.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    disk: SimDisk,
    /// Whether a listing of entries of the register does not show the newest but one, as one may that is late.
    has_gaps: bool,
    seen: Arc<Mutex<Seen>>,
}

impl Watched {
    pub(super) fn new(disk: &SimDisk, has_gaps: bool) -> Self {
        Self { disk: disk.clone(), has_gaps, seen: Arc::default() }
    }

    /// Everything that failed and could have worked.
    pub(super) fn failed(&self) -> Vec<(SimOperation, PathBuf)> {
        lock(&self.seen).failed.clone()
    }

    fn note<T>(&self, operation: SimOperation, path: &Path, result: io::Result<T>) -> io::Result<T> {
        note(&self.seen, operation, path, result)
    }

    /// The files and directories whose fsync was tried again after it had failed.
    pub(super) fn repeated(&self) -> Vec<PathBuf> {
        lock(&self.seen).repeated.clone()
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes what failed though nothing was wrong with it.
fn note<T>(seen: &Mutex<Seen>, operation: SimOperation, path: &Path, result: io::Result<T>) -> io::Result<T> {
    result.inspect_err(|error| {
        use io::ErrorKind as K;
        if !matches!(error.kind(), K::NotFound | K::AlreadyExists | K::DirectoryNotEmpty) {
            lock(seen).failed.push((operation, path.to_owned()));
        }
    })
}

/// Lets the fsync of something pass, and notes how it went.
fn synced(
    seen: &Mutex<Seen>,
    operation: SimOperation,
    path: &Path,
    sync: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    if lock(seen).doubtful.contains(path) {
        lock(seen).repeated.push(path.to_owned());
    }
    let result = note(seen, operation, path, sync());
    // Other errors come before the medium is asked for anything.
    let is_doubtful = |error: &io::Error| {
        use io::ErrorKind as K;
        !matches!(error.kind(), K::Interrupted | K::NotFound | K::PermissionDenied | K::ReadOnlyFilesystem)
    };
    if result.as_ref().is_err_and(is_doubtful) {
        lock(seen).doubtful.insert(path.to_owned());
    }
    result
}

impl Disk for Watched {
    fn beneath(&self, _root: &Path) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.note(SimOperation::Create, path, self.disk.create_new(path))?;
        Ok(Box::new(WatchedFile { file, path: path.to_owned(), seen: Arc::clone(&self.seen) }))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note(SimOperation::Link, to, self.disk.hard_link(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.note(SimOperation::RemoveFile, path, self.disk.remove_file(path))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.note(SimOperation::CreateDirectory, path, self.disk.create_dir(path))?;
        let mut seen = lock(&self.seen);
        if let Some(parent) = path.parent().filter(|parent| !seen.doubtful.contains(*parent)) {
            seen.made.insert(parent.to_owned(), path.to_owned());
        }
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.note(SimOperation::RemoveDirectory, path, self.disk.remove_dir(path))?;
        // What could not be made durable is gone, so that nothing is left to be in doubt about.
        let mut seen = lock(&self.seen);
        if let Some(parent) = path.parent()
            && seen.made.get(parent).is_some_and(|made| made == path)
        {
            seen.doubtful.remove(parent);
        }
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        synced(&self.seen, SimOperation::SyncDirectory, path, || self.disk.sync_dir(path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskReader>> {
        let reader = self.note(SimOperation::Open, path, self.disk.open(path))?;
        Ok(Box::new(WatchedReader { reader, path: path.to_owned(), seen: Arc::clone(&self.seen) }))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = self.note(SimOperation::List, path, self.disk.list(path))?;
        if self.has_gaps && path.ends_with("_ctl/r") {
            let mut numbers: Vec<u64> = entries.iter().filter_map(|entry| entry.name.parse().ok()).collect();
            numbers.sort_unstable();
            let hidden = numbers.len().checked_sub(2).map(|at| numbers[at]);
            entries.retain(|entry| hidden.is_none() || entry.name.parse().ok() != hidden);
        }
        Ok(entries)
    }

    fn identity(&self, path: &Path) -> io::Result<(u64, u64)> {
        self.note(SimOperation::Identify, path, self.disk.identity(path))
    }
}

#[derive(Debug)]
struct WatchedFile {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    seen: Arc<Mutex<Seen>>,
}

impl DiskFile for WatchedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        note(&self.seen, SimOperation::Write, &self.path, self.file.write(bytes))
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        note(&self.seen, SimOperation::Write, &self.path, self.file.write_vectored(parts))
    }

    fn sync(&mut self) -> io::Result<()> {
        synced(&self.seen, SimOperation::SyncFile, &self.path, || self.file.sync())
    }
}

#[derive(Debug)]
struct WatchedReader {
    reader: Box<dyn DiskReader>,
    path: PathBuf,
    seen: Arc<Mutex<Seen>>,
}

impl DiskReader for WatchedReader {
    fn size(&self) -> u64 {
        self.reader.size()
    }

    fn read_at(&mut self, offset: u64, buffer: &mut Vec<u8>) -> io::Result<usize> {
        note(&self.seen, SimOperation::Read, &self.path, self.reader.read_at(offset, buffer))
    }
}
