//! A disk that passes everything on to the real one, kills its process at one operation, or forgets to sync.

use super::message::Phase;
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use stillframe::fs::disk::{Disk, DiskFile, DiskReader, Entry, RealDisk};

/// Between which operations a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Site {
    /// Which operation, counted from 0 since the process began; or since it last came to this sort of work, and only there.
    pub(crate) operation: u64,
    pub(crate) phase: Option<Phase>,
    /// Right behind it, and not before it.
    pub(crate) is_done: bool,
}

/// What is not synced, though the caller is told that it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Forgetful {
    pub(crate) files: bool,
    pub(crate) directories: bool,
}

#[derive(Debug)]
pub(crate) struct WatchedDisk {
    inner: Arc<dyn Disk>,
    watch: Arc<Watch>,
}

#[derive(Debug)]
struct Watch {
    die_at: Option<Site>,
    forgetful: Forgetful,
    operations: AtomicU64,
    /// Whether operations count at the moment.
    counts: AtomicBool,
}

impl WatchedDisk {
    pub(crate) fn new(die_at: Option<Site>, forgetful: Forgetful) -> Self {
        let counts = AtomicBool::new(die_at.is_some_and(|site| site.phase.is_none()));
        let watch = Watch { die_at, forgetful, operations: AtomicU64::new(0), counts };
        Self { inner: Arc::new(RealDisk::new()), watch: Arc::new(watch) }
    }

    pub(crate) fn watching_nothing() -> Self {
        Self::new(None, Forgetful::default())
    }

    /// The process begins with another sort of work.
    pub(crate) fn enter(&self, phase: Phase) {
        let Some(chosen) = self.watch.die_at.and_then(|site| site.phase) else { return };
        self.watch.operations.store(0, Ordering::SeqCst);
        self.watch.counts.store(chosen == phase, Ordering::SeqCst);
    }
}

impl Watch {
    /// Counts an operation, and dies before or after it if it is the one.
    fn around<T>(&self, operation: impl FnOnce() -> T) -> T {
        if !self.counts.load(Ordering::SeqCst) {
            return operation();
        }
        let number = self.operations.fetch_add(1, Ordering::SeqCst);
        let site = self.die_at.filter(|site| site.operation == number);
        if site.is_some_and(|site| !site.is_done) {
            die();
        }
        let result = operation();
        if site.is_some() {
            die();
        }
        result
    }
}

fn die() -> ! {
    kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
    // The signal is on its way; nothing may happen any more.
    loop {
        std::thread::park();
    }
}

impl Disk for WatchedDisk {
    fn beneath(&self, root: &Path) -> Arc<dyn Disk> {
        Arc::new(Self { inner: self.inner.beneath(root), watch: Arc::clone(&self.watch) })
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let inner = self.watch.around(|| self.inner.create_new(path))?;
        Ok(Box::new(WatchedFile { inner, watch: Arc::clone(&self.watch) }))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.watch.around(|| self.inner.hard_link(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.watch.around(|| self.inner.remove_file(path))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.watch.around(|| self.inner.create_dir(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.watch.around(|| self.inner.remove_dir(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let is_forgotten = self.watch.forgetful.directories;
        self.watch.around(|| if is_forgotten { Ok(()) } else { self.inner.sync_dir(path) })
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskReader>> {
        let inner = self.watch.around(|| self.inner.open(path))?;
        Ok(Box::new(WatchedReader { inner, watch: Arc::clone(&self.watch) }))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.watch.around(|| self.inner.list(path))
    }

    fn identity(&self, path: &Path) -> io::Result<(u64, u64)> {
        self.watch.around(|| self.inner.identity(path))
    }
}

#[derive(Debug)]
struct WatchedFile {
    inner: Box<dyn DiskFile>,
    watch: Arc<Watch>,
}

impl DiskFile for WatchedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.watch.around(|| self.inner.write(bytes))
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.watch.around(|| self.inner.write_vectored(parts))
    }

    fn sync(&mut self) -> io::Result<()> {
        let is_forgotten = self.watch.forgetful.files;
        self.watch.around(|| if is_forgotten { Ok(()) } else { self.inner.sync() })
    }
}

#[derive(Debug)]
struct WatchedReader {
    inner: Box<dyn DiskReader>,
    watch: Arc<Watch>,
}

impl DiskReader for WatchedReader {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn read_at(&mut self, offset: u64, into: &mut Vec<u8>) -> io::Result<usize> {
        self.watch.around(|| self.inner.read_at(offset, into))
    }
}
