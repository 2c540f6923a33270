//! A disk in memory that tells what programs see from what survives a loss of power.
//!
//! The model is stricter than any real file system. Content is durable only after an fsync of the file, a
//! name only after an fsync of its directory, and of all that was not synced any part may survive without any
//! other, in particular a later effect without an earlier one. When an fsync fails, what it was to write is
//! never written, and the next fsync says nothing about it: this is how Linux behaves.

use crate::disk::{Disk, DiskFile, DiskReader, Entry, too_large};
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Inode = u64;
const ROOT: Inode = 0;
/// EIO, as Linux numbers it.
const EIO: i32 = 5;
/// Up to this many effects every subset of them is tried, else the empty one, the full one, and those that
/// have or miss just one.
const EVERY_SUBSET: usize = 9;

#[derive(Clone, Debug)]
pub(crate) struct SimDisk(Arc<Mutex<State>>);

#[derive(Clone, Debug)]
struct State {
    seen: Image,
    durable: Image,
    /// What was done since the last fsync that covered it, in order.
    unsynced: Vec<Effect>,
    operations: usize,
    stop_after: Option<usize>,
    fail_at: Option<usize>,
    failed: Option<PathBuf>,
    writes: BTreeMap<PathBuf, Vec<usize>>,
}

type Image = BTreeMap<Inode, Node>;

#[derive(Clone, Debug)]
enum Node {
    File(Vec<u8>),
    Directory(BTreeMap<String, Inode>),
}

#[derive(Clone, Debug)]
enum Effect {
    Content { file: Inode, offset: usize, bytes: Vec<u8> },
    Name { directory: Inode, name: String, inode: Option<Inode> },
}

impl Effect {
    /// What has to be synced to make it durable.
    fn owner(&self) -> Inode {
        match self {
            Self::Content { file: owner, .. } | Self::Name { directory: owner, .. } => *owner,
        }
    }

    fn apply(&self, image: &mut Image) {
        match (self, image.get_mut(&self.owner())) {
            (Self::Content { offset, bytes, .. }, Some(Node::File(content))) => {
                let end = offset + bytes.len();
                content.resize(content.len().max(end), 0);
                content[*offset..end].copy_from_slice(bytes);
            }
            (Self::Name { name, inode: Some(inode), .. }, Some(Node::Directory(names))) => {
                names.insert(name.clone(), *inode);
            }
            (Self::Name { name, inode: None, .. }, Some(Node::Directory(names))) => {
                names.remove(name);
            }
            (effect, node) => panic!("{effect:?} does not fit {node:?}"),
        }
    }
}

impl SimDisk {
    pub(crate) fn new() -> Self {
        let image = BTreeMap::from([(ROOT, Node::Directory(BTreeMap::new()))]);
        Self::holding(image)
    }

    fn holding(image: Image) -> Self {
        Self(Arc::new(Mutex::new(State {
            seen: image.clone(),
            durable: image,
            unsynced: Vec::new(),
            operations: 0,
            stop_after: None,
            fail_at: None,
            failed: None,
            writes: BTreeMap::new(),
        })))
    }

    /// From now on every operation fails without effect once `operations` more have been done. The same as
    /// the process dying there, except that it gets to see that it is dead.
    pub(crate) fn stop_after(&self, operations: usize) {
        let mut state = self.lock();
        state.stop_after = Some(state.operations + operations);
    }

    /// The process is started again on the same, running machine.
    pub(crate) fn resume(&self) {
        self.lock().stop_after = None;
    }

    /// Lets the operation of this number fail with EIO, once.
    pub(crate) fn fail_at(&self, operation: usize) {
        let mut state = self.lock();
        state.fail_at = Some(state.operations + operation);
    }

    /// What the operation was about that failed with EIO, if it has come to that.
    pub(crate) fn failed(&self) -> Option<PathBuf> {
        self.lock().failed.clone()
    }

    pub(crate) fn operations(&self) -> usize {
        self.lock().operations
    }

    /// How many bytes each write into a file had.
    pub(crate) fn writes(&self, path: &Path) -> Vec<usize> {
        self.lock().writes.get(path).cloned().unwrap_or_default()
    }

    /// An independent copy.
    pub(crate) fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.lock().clone())))
    }

    /// The disk after a loss of power that keeps exactly what was synced.
    pub(crate) fn worst_case(&self) -> Self {
        Self::holding(self.lock().durable.clone())
    }

    /// Every disk that a loss of power at this moment may leave, with what survived of the unsynced.
    pub(crate) fn after_power_loss(&self) -> Vec<(String, Self)> {
        let state = self.lock();
        let count = state.unsynced.len();
        let subsets: Vec<Vec<usize>> = if count <= EVERY_SUBSET {
            (0..1_u32 << count).map(|bits| (0..count).filter(|i| bits >> i & 1 == 1).collect()).collect()
        } else {
            let single = (0..count).map(|i| vec![i]);
            let missing = (0..count).map(|i| (0..count).filter(|j| *j != i).collect());
            [vec![], (0..count).collect()].into_iter().chain(single).chain(missing).collect()
        };
        let image = |kept: Vec<usize>| {
            let mut image = state.durable.clone();
            kept.iter().for_each(|i| state.unsynced[*i].apply(&mut image));
            (format!("{kept:?} of {count} unsynced effects survived"), Self::holding(image))
        };
        subsets.into_iter().map(image).collect()
    }

    /// Counts an operation on `path`, and lets it fail if its time has come.
    fn operation(&self, path: &Path) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        state.operations += 1;
        if state.stop_after.is_some_and(|last| state.operations > last) {
            return Err(io::Error::other("the power is off"));
        }
        if state.fail_at == Some(state.operations) {
            state.failed = Some(path.to_owned());
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(state)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes durable what belongs to an inode; if that fails, makes sure that it never becomes so.
    fn sync(&self, path: &Path, inode: impl FnOnce(&State) -> io::Result<Inode>) -> io::Result<()> {
        let (mut state, result) = match self.operation(path) {
            Ok(state) => (state, Ok(())),
            Err(error) if error.raw_os_error() == Some(EIO) => (self.lock(), Err(error)),
            Err(error) => return Err(error),
        };
        let inode = inode(&state)?;
        let State { durable, unsynced, .. } = &mut *state;
        unsynced.retain(|effect| {
            if effect.owner() == inode && result.is_ok() {
                effect.apply(durable);
            }
            effect.owner() != inode
        });
        result
    }
}

impl State {
    fn find(&self, path: &Path) -> io::Result<Inode> {
        let mut inode = ROOT;
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            inode = *self.directory(inode)?.get(&*name.to_string_lossy()).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(inode)
    }

    fn directory(&self, inode: Inode) -> io::Result<&BTreeMap<String, Inode>> {
        match self.seen.get(&inode) {
            Some(Node::Directory(names)) => Ok(names),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// The directory of a path and the name in it.
    fn parent(&self, path: &Path) -> io::Result<(Inode, String)> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::AlreadyExists.into());
        };
        let directory = self.find(parent)?;
        self.directory(directory)?;
        Ok((directory, name.to_string_lossy().into_owned()))
    }

    fn add(&mut self, path: &Path, inode: Inode) -> io::Result<()> {
        let (directory, name) = self.parent(path)?;
        if self.directory(directory)?.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.perform(Effect::Name { directory, name, inode: Some(inode) });
        Ok(())
    }

    fn create(&mut self, path: &Path, node: Node) -> io::Result<Inode> {
        let inode = self.seen.len() as Inode;
        self.add(path, inode)?;
        self.durable.insert(inode, node.clone());
        self.seen.insert(inode, node);
        Ok(inode)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let (directory, name) = self.parent(path)?;
        self.perform(Effect::Name { directory, name, inode: None });
        Ok(())
    }

    fn perform(&mut self, effect: Effect) {
        effect.apply(&mut self.seen);
        self.unsynced.push(effect);
    }
}

impl Disk for SimDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let inode = self.operation(path)?.create(path, Node::File(Vec::new()))?;
        Ok(Box::new(SimFile { disk: self.clone(), path: path.to_owned(), inode }))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.operation(to)?;
        let inode = state.find(from)?;
        state.add(to, inode)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.operation(path)?;
        let inode = state.find(path)?;
        match state.seen.get(&inode) {
            Some(Node::File(_)) => state.remove(path),
            _ => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.operation(path)?.create(path, Node::Directory(BTreeMap::new())).map(|_inode| ())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.operation(path)?;
        let inode = state.find(path)?;
        if !state.directory(inode)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.sync(path, |state| state.find(path))
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let state = self.operation(path)?;
        match state.seen.get(&state.find(path)?) {
            Some(Node::File(content)) if content.len() as u64 > limit => {
                Err(too_large(content.len() as u64, limit))
            }
            Some(Node::File(content)) => Ok(content.clone()),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskReader>> {
        let content = self.read(path, u64::MAX)?;
        Ok(Box::new(SimReader { disk: self.clone(), path: path.to_owned(), content }))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let state = self.operation(path)?;
        let entry = |(name, inode): (&String, &Inode)| Entry {
            name: name.clone(),
            is_directory: matches!(state.seen.get(inode), Some(Node::Directory(_))),
        };
        Ok(state.directory(state.find(path)?)?.iter().map(entry).collect())
    }

    fn identity(&self, path: &Path) -> io::Result<(u64, u64)> {
        Ok((0, self.operation(path)?.find(path)?))
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    inode: Inode,
}

impl DiskFile for SimFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.operation(&self.path)?;
        state.writes.entry(self.path.clone()).or_default().push(bytes.len());
        // In two parts, as the kernel writes back page by page.
        let (first, second) = bytes.split_at(bytes.len() / 2);
        for part in [first, second] {
            let Some(Node::File(content)) = state.seen.get(&self.inode) else {
                panic!("an open file keeps its inode")
            };
            let effect = Effect::Content { file: self.inode, offset: content.len(), bytes: part.to_vec() };
            state.perform(effect);
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.sync(&self.path, |_| Ok(self.inode))
    }
}

#[derive(Debug)]
struct SimReader {
    disk: SimDisk,
    path: PathBuf,
    content: Vec<u8>,
}

impl DiskReader for SimReader {
    fn len(&self) -> u64 {
        self.content.len() as u64
    }

    fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        drop(self.disk.operation(&self.path)?);
        let from = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = from.checked_add(len).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.content.get(from..end).map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}
