//! A disk that remembers which fsync failed, and notices when one is tried again on the same thing.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe::fs::disk::{Disk, DiskFile, DiskReader, Entry};
use stillframe::fs::simulation::SimDisk;

/// What one process may not try again, and what it tried all the same.
#[derive(Debug, Default)]
struct Seen {
    failed: BTreeSet<PathBuf>,
    repeated: Vec<PathBuf>,
}

/// The disk of one process.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    disk: SimDisk,
    seen: Arc<Mutex<Seen>>,
}

impl Watched {
    pub(super) fn new(disk: &SimDisk) -> Self {
        Self { disk: disk.clone(), seen: Arc::default() }
    }

    /// The files and directories whose fsync was tried again after it had failed.
    pub(super) fn repeated(&self) -> Vec<PathBuf> {
        lock(&self.seen).repeated.clone()
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets the fsync of something pass, and notes how it went.
fn synced(seen: &Mutex<Seen>, path: &Path, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    if lock(seen).failed.contains(path) {
        lock(seen).repeated.push(path.to_owned());
    }
    let result = sync();
    // Other errors come before the medium is asked for anything.
    let is_doubtful = |error: &io::Error| {
        use io::ErrorKind as K;
        !matches!(error.kind(), K::Interrupted | K::NotFound | K::PermissionDenied | K::ReadOnlyFilesystem)
    };
    if result.as_ref().is_err_and(is_doubtful) {
        lock(seen).failed.insert(path.to_owned());
    }
    result
}

impl Disk for Watched {
    fn beneath(&self, _root: &Path) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.create_new(path)?;
        Ok(Box::new(WatchedFile { file, path: path.to_owned(), seen: Arc::clone(&self.seen) }))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.hard_link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir(path)?;
        // What could not be made durable is gone, so that nothing is left to be in doubt about.
        if let Some(parent) = path.parent() {
            lock(&self.seen).failed.remove(parent);
        }
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        synced(&self.seen, path, || self.disk.sync_dir(path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskReader>> {
        self.disk.open(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.disk.list(path)
    }

    fn identity(&self, path: &Path) -> io::Result<(u64, u64)> {
        self.disk.identity(path)
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
        self.file.write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.file.write_vectored(parts)
    }

    fn sync(&mut self) -> io::Result<()> {
        synced(&self.seen, &self.path, || self.file.sync())
    }
}
