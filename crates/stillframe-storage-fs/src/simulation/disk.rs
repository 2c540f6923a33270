use super::fault::{Failed, Fault, FaultKind};
use super::file::{SimFile, SimReader};
use super::image::{Image, Inode, Node, ROOT};
use super::power::{AfterPowerLoss, Coverage};
use super::state::{Armed, State};
use crate::disk::{Disk, DiskFile, DiskReader, Entry};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A disk in memory. Clones are the same disk; a [fork](Self::fork) is another one that shares memory with it.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<State>>);

/// The sorts of operations on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "they are the methods of the seam")]
pub enum SimOperation {
    Create,
    Link,
    RemoveFile,
    CreateDirectory,
    RemoveDirectory,
    SyncDirectory,
    Open,
    List,
    Identify,
    Write,
    SyncFile,
    Read,
}

impl SimDisk {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::holding(Image::empty(), ROOT + 1)
    }

    pub(super) fn holding(image: Image, next_inode: Inode) -> Self {
        Self(Arc::new(Mutex::new(State {
            seen: image.clone(),
            durable: image,
            unsynced: Vec::new(),
            next_inode,
            operations: 0,
            stop_after: None,
            was_stopped: false,
            fault: None,
            failed: None,
            writes: BTreeMap::new(),
        })))
    }

    /// From now on every operation fails without effect once `operations` more have been done. The same as
    /// the process dying there, except that it gets to see that it is dead.
    pub fn stop_after(&self, operations: usize) {
        let mut state = self.lock();
        state.stop_after = Some(state.operations + operations);
        state.was_stopped = false;
    }

    /// Whether an operation was refused for that.
    #[must_use]
    pub fn was_stopped(&self) -> bool {
        self.lock().was_stopped
    }

    /// The process is started again on the same, running machine.
    pub fn resume(&self) {
        self.lock().stop_after = None;
    }

    /// Lets an operation fail, or all from one on. Replaces a fault that is still to come.
    pub fn inject(&self, fault: Fault) {
        let mut state = self.lock();
        state.fault = Some(Armed { fault, since: state.operations });
        state.failed = None;
    }

    /// Nothing fails any more.
    pub fn mend(&self) {
        self.lock().fault = None;
    }

    /// The first operation that failed since a fault was injected.
    #[must_use]
    pub fn failed(&self) -> Option<Failed> {
        self.lock().failed.clone()
    }

    /// How many operations there have been, failed ones included.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.lock().operations
    }

    /// How many bytes each write into a file had.
    #[must_use]
    pub fn writes(&self, path: &Path) -> Vec<usize> {
        self.lock().writes.get(path).cloned().unwrap_or_default()
    }

    /// What a file holds at the moment. No operation is counted.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.lock();
        match state.seen.get(state.seen.find(path).ok()?) {
            Some(Node::File(content)) => Some(content.clone()),
            Some(Node::Directory(_)) | None => None,
        }
    }

    /// The paths of all files below a directory, in order. No operation is counted.
    #[must_use]
    pub fn files(&self, below: &Path) -> Vec<PathBuf> {
        let state = self.lock();
        let mut found = Vec::new();
        if let Ok(inode) = state.seen.find(below) {
            collect_files(&state.seen, inode, below, &mut found);
        }
        found
    }

    /// Exchanges the content of a file, durably and past everything that counts or fails, as a broken disk or
    /// somebody else would.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn damage(&self, path: &Path, content: impl Into<Vec<u8>>) -> io::Result<()> {
        let mut state = self.lock();
        let inode = state.seen.find(path)?;
        let Some(Node::File(_)) = state.seen.get(inode) else {
            return Err(io::ErrorKind::IsADirectory.into());
        };
        let node = Node::File(content.into());
        state.unsynced.retain(|unsynced| unsynced.effect.owner() != inode);
        state.durable.insert(inode, node.clone());
        state.seen.insert(inode, node);
        Ok(())
    }

    /// A number for all that a program can see on it; equal for disks that look the same.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.lock().seen.digest()
    }

    /// An independent copy, in the middle of everything.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.lock().clone())))
    }

    /// The disk after a loss of power that keeps exactly what was synced.
    #[must_use]
    pub fn worst_case(&self) -> Self {
        let state = self.lock();
        Self::holding(state.durable.clone(), state.next_inode)
    }

    /// Every disk that a loss of power at this moment may leave. Each is that of a machine that was just started:
    /// it has no faults, and its operations count from 0.
    #[must_use]
    pub fn after_power_loss(&self, coverage: &Coverage) -> AfterPowerLoss {
        let state = self.lock();
        let (durable, unsynced) = state.at_stake();
        AfterPowerLoss::new(durable, unsynced, state.next_inode, coverage)
    }

    /// Counts an operation on `path`, and lets it fail if its time has come.
    fn operation(&self, operation: SimOperation, path: &Path) -> io::Result<MutexGuard<'_, State>> {
        let (state, fault) = self.begin(operation, path)?;
        fault.and_then(FaultKind::error).map_or(Ok(state), Err)
    }

    pub(super) fn begin(
        &self,
        operation: SimOperation,
        path: &Path,
    ) -> io::Result<(MutexGuard<'_, State>, Option<FaultKind>)> {
        let mut state = self.lock();
        if state.stop_after.is_some_and(|last| state.operations >= last) {
            state.was_stopped = true;
            return Err(io::Error::other("the power is off"));
        }
        state.operations += 1;
        let Some(Armed { fault, since }) = state.fault else { return Ok((state, None)) };
        let number = state.operations - since;
        if number < fault.operation || !fault.kind.applies_to(operation) {
            return Ok((state, None));
        }
        if !fault.is_sticky {
            state.fault = None;
        }
        state.failed.get_or_insert_with(|| Failed { number, operation, path: path.to_owned() });
        Ok((state, Some(fault.kind)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes durable what belongs to an inode; if that fails, leaves it in doubt for ever.
    pub(super) fn sync(
        &self,
        operation: SimOperation,
        path: &Path,
        inode: impl FnOnce(&State) -> io::Result<Inode>,
    ) -> io::Result<()> {
        let (mut state, fault) = self.begin(operation, path)?;
        let inode = inode(&state)?;
        match fault {
            None => state.sync(inode),
            Some(kind) if kind.leaves_doubt(operation) => state.doubt(inode),
            Some(_) => {}
        }
        fault.and_then(FaultKind::error).map_or(Ok(()), Err)
    }
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

fn collect_files(image: &Image, inode: Inode, path: &Path, found: &mut Vec<PathBuf>) {
    match image.get(inode) {
        Some(Node::File(_)) => found.push(path.to_owned()),
        Some(Node::Directory(names)) => {
            names.iter().for_each(|(name, below)| collect_files(image, *below, &path.join(name), found));
        }
        None => {}
    }
}

impl Disk for SimDisk {
    fn beneath(&self, _root: &Path) -> Arc<dyn Disk> {
        // It has no symbolic links.
        Arc::new(self.clone())
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let inode = self.operation(SimOperation::Create, path)?.create(path, Node::File(Vec::new()))?;
        Ok(Box::new(SimFile { disk: self.clone(), path: path.to_owned(), inode }))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.operation(SimOperation::Link, to)?;
        // Both directories are opened before the link is tried.
        state.seen.parent(from)?;
        state.seen.parent(to)?;
        let inode = state.seen.find(from)?;
        state.vacant(to)?;
        match state.seen.get(inode) {
            Some(Node::File(_)) => state.add(to, inode),
            Some(Node::Directory(_)) | None => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.operation(SimOperation::RemoveFile, path)?;
        match state.seen.get(state.seen.find(path)?) {
            Some(Node::File(_)) => state.remove(path),
            Some(Node::Directory(_)) | None => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.operation(SimOperation::CreateDirectory, path)?;
        state.create(path, Node::Directory(BTreeMap::new())).map(|_inode| ())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.operation(SimOperation::RemoveDirectory, path)?;
        let inode = state.seen.find(path)?;
        if !state.seen.directory(inode)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.sync(SimOperation::SyncDirectory, path, |state| {
            let inode = state.seen.find(path)?;
            state.seen.directory(inode).map(|_names| inode)
        })
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskReader>> {
        let state = self.operation(SimOperation::Open, path)?;
        match state.seen.get(state.seen.find(path)?) {
            Some(Node::File(content)) => Ok(Box::new(SimReader {
                disk: self.clone(),
                path: path.to_owned(),
                content: Bytes::copy_from_slice(content),
            })),
            Some(Node::Directory(_)) | None => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let state = self.operation(SimOperation::List, path)?;
        let entry = |(name, inode): (&String, &Inode)| Entry {
            name: name.clone(),
            is_directory: matches!(state.seen.get(*inode), Some(Node::Directory(_))),
        };
        Ok(state.seen.directory(state.seen.find(path)?)?.iter().map(entry).collect())
    }

    fn identity(&self, path: &Path) -> io::Result<(u64, u64)> {
        Ok((0, self.operation(SimOperation::Identify, path)?.seen.find(path)?))
    }
}
