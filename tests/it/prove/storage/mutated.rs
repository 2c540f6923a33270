//! A disk on which one thing is left out that the storage asks for, or done wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe::fs::disk::{Disk, DiskFile, DiskReader, Entry};
use stillframe::fs::simulation::SimDisk;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// No fsync of files in whose path this is.
    File(&'static str),
    /// No fsync of directories whose path ends like this, or whose name begins like this if it ends with `*`, after the
    /// last thing that happened there.
    Directory(&'static str, After),
    /// The metadata of the checkpoint that is to be replaced goes before the entry is written that drops it.
    DeletesBeforeCommit,
    /// A name that is taken is taken for a success.
    TakenIsWon,
    /// An fsync that failed is tried again, and the second answer believed.
    RetriesFsync,
    /// A listing is taken for the truth, though it is late: the newest entry of the register is neither in it nor read.
    ListIsTruth,
    /// No mistake: a listing of entries is late by one, where there are several. (With one of markers a claim may be refused, with the
    /// register being called damaged.)
    ListsLate,
    /// No mistake: directories are listed in another order.
    ListsBackwards,
}

/// An fsync that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sync {
    File(PathBuf),
    /// With what happened last in it, and to which name.
    Directory(PathBuf, After, String),
}

impl Mutant {
    /// Whether it is this fsync that is left out.
    pub(super) fn leaves_out(self, sync: &Sync) -> bool {
        match (self, sync) {
            (Self::File(pattern), Sync::File(path)) => path.to_string_lossy().contains(pattern),
            (Self::Directory(pattern, after), Sync::Directory(path, last, name)) => {
                let is_last = match after {
                    After::Any => true,
                    After::Make(begin) => matches!(last, After::Make(_)) && name.starts_with(begin),
                    other => other == *last,
                };
                is_meant(path, pattern) && is_last
            }
            _ => false,
        }
    }
}

/// What happened last in a directory before its fsync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum After {
    Create,
    Link,
    /// A directory was made whose name begins like this.
    Make(&'static str),
    Remove,
    /// Nothing since the last fsync by this process.
    Nothing,
    /// Whatever it was.
    Any,
}

/// What somebody else does.
pub(super) type Rival = Box<dyn FnOnce() + Send>;

/// The disk with the mistake.
#[derive(Clone)]
pub(super) struct Mutated {
    disk: SimDisk,
    mutant: Mutant,
    /// The last thing that happened in each directory, and to which name.
    last: Arc<Mutex<BTreeMap<PathBuf, (After, String)>>>,
    rival: Arc<Mutex<Option<Rival>>>,
    syncs: Arc<Mutex<BTreeSet<Sync>>>,
}

impl Mutated {
    pub(super) fn new(disk: &SimDisk, mutant: Mutant) -> Self {
        Self {
            disk: disk.clone(),
            mutant,
            last: Arc::default(),
            rival: Arc::default(),
            syncs: Arc::default(),
        }
    }

    /// Somebody else comes between when the first marker is about to get its name.
    pub(super) fn with_rival(self, rival: Rival) -> Self {
        Self { rival: Arc::new(Mutex::new(Some(rival))), ..self }
    }

    /// Every fsync that was asked for, left out or not.
    pub(super) fn syncs(&self) -> BTreeSet<Sync> {
        lock(&self.syncs).clone()
    }

    /// An fsync, unless it is the one that is left out.
    fn sync(&self, sync: Sync, mut perform: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        let is_left_out = self.mutant.leaves_out(&sync);
        lock(&self.syncs).insert(sync);
        if is_left_out {
            return Ok(());
        }
        match perform() {
            Err(error)
                if self.mutant == Mutant::RetriesFsync && error.kind() != io::ErrorKind::Interrupted =>
            {
                perform()
            }
            other => other,
        }
    }

    /// The newest entry of the register, if this is its directory and others are there that a late listing shows.
    fn newest(&self, directory: &Path) -> Option<String> {
        if !directory.ends_with("_ctl/r") {
            return None;
        }
        let entries = self.disk.list(directory).ok()?;
        let mut numbers: Vec<_> = entries
            .into_iter()
            .filter_map(|entry| entry.name.parse::<u64>().ok().map(|number| (number, entry.name)))
            .collect();
        numbers.sort_unstable();
        let (_, newest) = numbers.pop()?;
        (!numbers.is_empty()).then_some(newest)
    }

    fn happened<T>(&self, path: &Path, after: After, result: io::Result<T>) -> io::Result<T> {
        if let (Ok(_), Some(directory), Some(name)) = (&result, path.parent(), path.file_name()) {
            let name = name.to_string_lossy().into_owned();
            lock(&self.last).insert(directory.to_owned(), (after, name));
        }
        result
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_meant(path: &Path, pattern: &str) -> bool {
    let path = path.to_string_lossy();
    match pattern.strip_suffix('*') {
        Some(begin) => path.rsplit_once('/').is_some_and(|(_, name)| name.starts_with(begin)),
        None => path.ends_with(pattern),
    }
}

impl core::fmt::Debug for Mutated {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Mutated").field("mutant", &self.mutant).finish_non_exhaustive()
    }
}

impl Disk for Mutated {
    fn beneath(&self, _root: &Path) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let text = path.to_string_lossy();
        if self.mutant == Mutant::DeletesBeforeCommit
            && let Some((job, name)) = text.split_once("/_ctl/")
            && name.starts_with("r/.")
            && self.disk.content(Path::new(&format!("{job}/chk-2/_metadata"))).is_some()
        {
            let _ = self.disk.remove_file(Path::new(&format!("{job}/chk-1/_metadata")));
        }
        let file = self.happened(path, After::Create, self.disk.create_new(path))?;
        Ok(Box::new(MutatedFile { file, path: path.to_owned(), disk: self.clone() }))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        if to.parent().is_some_and(|directory| directory.ends_with("_ctl/e")) {
            let rival = lock(&self.rival).take();
            rival.into_iter().for_each(|rival| rival());
        }
        let linked = self.happened(to, After::Link, self.disk.hard_link(from, to));
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            Err(_) if self.mutant == Mutant::TakenIsWon => Ok(()),
            other => other,
        }
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        // The second name of a file that was just published is no event of its own.
        let is_temporary = path.extension().is_some_and(|extension| extension == "tmp");
        let removed = self.disk.remove_file(path);
        if is_temporary { removed } else { self.happened(path, After::Remove, removed) }
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.happened(path, After::Make(""), self.disk.create_dir(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.happened(path, After::Remove, self.disk.remove_dir(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let (last, name) = lock(&self.last).remove(path).unwrap_or((After::Nothing, String::new()));
        self.sync(Sync::Directory(path.to_owned(), last, name), || self.disk.sync_dir(path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskReader>> {
        if self.mutant == Mutant::ListIsTruth
            && let Some((directory, name)) = path.parent().zip(path.file_name())
            && self.newest(directory).is_some_and(|newest| *newest == *name)
        {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.disk.open(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = self.disk.list(path)?;
        if self.mutant == Mutant::ListsBackwards {
            entries.reverse();
        }
        if matches!(self.mutant, Mutant::ListIsTruth | Mutant::ListsLate) {
            let newest = self.newest(path);
            entries.retain(|entry| Some(&entry.name) != newest.as_ref());
        }
        Ok(entries)
    }

    fn identity(&self, path: &Path) -> io::Result<(u64, u64)> {
        self.disk.identity(path)
    }
}

#[derive(Debug)]
struct MutatedFile {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    disk: Mutated,
}

impl DiskFile for MutatedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.file.write_vectored(parts)
    }

    fn sync(&mut self) -> io::Result<()> {
        let Self { file, path, disk } = self;
        disk.sync(Sync::File(path.clone()), || file.sync())
    }
}
