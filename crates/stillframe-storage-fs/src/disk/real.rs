use super::beneath::{Lookup, link_or};
use super::root::Root;
use super::{Disk, DiskFile, DiskReader, Entry};
use rustix::buffer::spare_capacity;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    Advice, AtFlags, CWD, Dir, FileType, Mode, OFlags, fadvise, fchmod, fstat, fsync, linkat, mkdirat,
    openat, statat, unlinkat,
};
use rustix::io::{Errno, pread, retry_on_intr, writev};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, IoSlice};
use std::num::NonZeroU64;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A file has one name, and two for a moment while it is published. One with more was linked by somebody else,
/// who can then change what we read.
const MOST_NAMES: u64 = 2;

/// The file system of this machine.
///
/// Confined to a [root](Disk::beneath), it reaches everything through the handle of that directory. The way
/// down is one `openat2` that refuses symbolic links and mount points, or where the kernel has none, one
/// `openat` with `O_NOFOLLOW` for each name; the object itself is then named by the handle of its directory
/// and one name. Handles are closed at once, except for the root's.
#[derive(Debug, Default)]
pub struct RealDisk {
    root: Option<Root>,
    lookup: Arc<Lookup>,
}

/// Where an object is: in a directory that is open, under this name; or in the working directory, under its
/// whole path.
struct At<'a> {
    directory: Directory,
    name: &'a OsStr,
}

enum Directory {
    Working,
    Root(Arc<OwnedFd>),
    Below(OwnedFd),
}

impl RealDisk {
    /// All of it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, as if the kernel had no `openat2`.
    #[must_use]
    pub fn without_openat2() -> Self {
        Self { root: None, lookup: Arc::new(Lookup::step_by_step()) }
    }

    /// The path as seen from the root; `None` if it is above or beside it.
    fn below<'a>(&self, path: &'a Path) -> Option<(&Root, &'a Path)> {
        let root = self.root.as_ref()?;
        path.strip_prefix(root.path()).ok().map(|below| (root, below))
    }

    fn at<'a>(&self, path: &'a Path) -> io::Result<At<'a>> {
        let whole = At { directory: Directory::Working, name: path.as_os_str() };
        let Some((root, below)) = self.below(path) else { return Ok(whole) };
        if below.components().any(|component| !matches!(component, Component::Normal(_))) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path leads out of its directory"));
        }
        let (Some(parent), Some(name)) = (below.parent(), path.file_name()) else {
            // The root itself is created and removed as what it is, a path of the user's.
            return Ok(whole);
        };
        let directory = if parent.as_os_str().is_empty() {
            Directory::Root(root.handle()?)
        } else {
            Directory::Below(self.lookup.directory(root.handle()?.as_fd(), parent)?)
        };
        Ok(At { directory, name })
    }

    /// A directory, open for reading its entries or for syncing them.
    fn directory(&self, path: &Path) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |directory: BorrowedFd<'_>, name: &OsStr, flags| {
            let opened = retry_on_intr(|| openat(directory, name, flags, Mode::empty()));
            opened.map_err(|error| link_or(error, directory, name))
        };
        match self.below(path) {
            Some((root, below)) if below.as_os_str().is_empty() => {
                Ok(open(root.handle()?.as_fd(), OsStr::new("."), flags)?)
            }
            Some(_) => {
                let at = self.at(path)?;
                Ok(open(at.directory.as_fd(), at.name, flags | OFlags::NOFOLLOW)?)
            }
            None => Ok(open(CWD, path.as_os_str(), flags)?),
        }
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Working => CWD,
            Self::Root(handle) => handle.as_fd(),
            Self::Below(handle) => handle.as_fd(),
        }
    }
}

impl Disk for RealDisk {
    fn beneath(&self, root: &Path) -> Arc<dyn Disk> {
        Arc::new(Self { root: Some(Root::new(root)), lookup: Arc::clone(&self.lookup) })
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        let mut missing = Vec::new();
        let mut there = path.to_owned();
        loop {
            match fs::canonicalize(&there) {
                Ok(mut canonical) => {
                    canonical.extend(missing.iter().rev());
                    return Ok(canonical);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // What follows `..` below nothing is nowhere.
                    let Some(name) = there.file_name().map(OsStr::to_owned) else { return Err(error) };
                    missing.push(name);
                    there.pop();
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let At { directory, name } = self.at(path)?;
        let mode = Mode::RUSR | Mode::WUSR;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&directory, name, flags, mode)?;
        set_mode(&file, mode).map_err(|error| undo(error, &directory, name, AtFlags::empty()))?;
        Ok(Box::new(RealFile::new(file)))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (self.at(from)?, self.at(to)?);
        // Without SYMLINK_FOLLOW: a symbolic link in the place of the file is not looked through.
        Ok(linkat(&from.directory, from.name, &to.directory, to.name, AtFlags::empty())?)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let At { directory, name } = self.at(path)?;
        Ok(unlinkat(&directory, name, AtFlags::empty())?)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let At { directory, name } = self.at(path)?;
        mkdirat(&directory, name, Mode::RWXU)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let created = retry_on_intr(|| openat(&directory, name, flags, Mode::empty()))
            .and_then(|created| set_mode(&created, Mode::RWXU));
        Ok(created.map_err(|error| undo(error, &directory, name, AtFlags::REMOVEDIR))?)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let At { directory, name } = self.at(path)?;
        Ok(unlinkat(&directory, name, AtFlags::REMOVEDIR)?)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        Ok(fsync(self.directory(path)?)?)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskReader>> {
        let At { directory, name } = self.at(path)?;
        // Without NONBLOCK, opening a FIFO that somebody put in the place of a file would wait for ever.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(&directory, name, flags, Mode::empty())?;
        let found = fstat(&file)?;
        let refuse = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return refuse("not a regular file".to_owned());
        }
        #[expect(clippy::useless_conversion, reason = "on some architectures the count has 32 bits")]
        let names = u64::from(found.st_nlink);
        if names > MOST_NAMES {
            return refuse(format!(
                "the file has {names} names, expected at most {MOST_NAMES}: somebody linked it"
            ));
        }
        let size = u64::try_from(found.st_size).map_err(|_| Errno::OVERFLOW)?;
        Ok(Box::new(RealReader { file, size }))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let directory = self.directory(path)?;
        for found in Dir::read_from(&directory)? {
            let found = found?;
            let name = found.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let file_type = match found.file_type() {
                FileType::Unknown => match statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Err(Errno::NOENT) => continue,
                    other => FileType::from_raw_mode(other?.st_mode),
                },
                known => known,
            };
            entries.push(Entry {
                name: name.to_string_lossy().into_owned(),
                is_directory: file_type == FileType::Directory,
            });
        }
        Ok(entries)
    }

    fn identity(&self, path: &Path) -> io::Result<(u64, u64)> {
        let At { directory, name } = self.at(path)?;
        let found = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok((found.st_dev, found.st_ino))
    }
}

/// Removes again what was created a moment ago and is not as it should be, for an operation that fails has done
/// nothing.
fn undo(error: Errno, directory: &Directory, name: &OsStr, flags: AtFlags) -> Errno {
    let _ = unlinkat(directory, name, flags);
    error
}

/// Gives a new file or directory the mode that it was created with, of which the process may have masked
/// something. It can only have become less, never more; so where a file system has no modes, that is fine.
fn set_mode(created: &OwnedFd, mode: Mode) -> rustix::io::Result<()> {
    if Mode::from_raw_mode(fstat(created)?.st_mode) == mode {
        return Ok(());
    }
    match retry_on_intr(|| fchmod(created, mode)) {
        Err(Errno::PERM | Errno::OPNOTSUPP) => Ok(()),
        other => other,
    }
}

/// After so many bytes the kernel is asked to begin with writing them out.
const STRIDE: u64 = 4 * 1024 * 1024;

#[derive(Debug)]
struct RealFile {
    file: OwnedFd,
    written: u64,
    /// How much of that the kernel was asked to write out.
    begun: u64,
}

impl RealFile {
    fn new(file: OwnedFd) -> Self {
        Self { file, written: 0, begun: 0 }
    }

    /// Lets the disk work while more is being written, instead of only when the file is synced.
    fn write_behind(&mut self) {
        let len = NonZeroU64::new(self.written - self.begun).filter(|len| len.get() >= STRIDE);
        if len.is_some() {
            // Nobody will read this soon, the kernel hears, and begins to write it out. No more is asked for than that: what
            // comes of it the fsync says, and where this is not understood the fsync does all of the work.
            let _ = fadvise(&self.file, self.begun, len, Advice::DontNeed);
            self.begun = self.written;
        }
    }
}

impl DiskFile for RealFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = writev(&self.file, parts)?;
        self.written += written as u64;
        self.write_behind();
        Ok(written)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(fsync(&self.file)?)
    }
}

#[derive(Debug)]
struct RealReader {
    file: OwnedFd,
    size: u64,
}

impl DiskReader for RealReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64, into: &mut Vec<u8>) -> io::Result<usize> {
        // Into memory that nobody has filled before: zeroing it would cost as much as reading.
        Ok(pread(&self.file, spare_capacity(into), offset)?)
    }
}
