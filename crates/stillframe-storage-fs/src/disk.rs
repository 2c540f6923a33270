//! What a local storage needs of an operating system, as a seam: the tests put a disk behind it that loses
//! power.
//!
//! Everything is synchronous and names its object by path. Opening beneath a directory handle (`openat2`)
//! fits behind the same operations.

use core::fmt::Debug;
use rustix::fs::OFlags;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// A file system. Each operation is one system call, or close to it, and gives up on the first error.
pub(crate) trait Disk: Debug + Send + Sync + 'static {
    /// Creates a file that must not exist yet, for its owner only.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, which must not exist yet.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;

    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Creates one directory in an existing one, for its owner only.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes the entries of a directory durable: those that appeared and those that went.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// The content of a regular file. `FileTooLarge` beyond `limit` bytes, before anything is allocated for
    /// them.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;

    /// A regular file, to be read in parts.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskReader>>;

    /// What a directory holds. Names that are not UTF-8 are given with replacements: they are nobody's we
    /// know.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// What tells two files apart, whatever they are called. Does not follow a symbolic link.
    fn identity(&self, path: &Path) -> io::Result<(u64, u64)>;
}

/// A file being written. Dropping it closes it.
pub(crate) trait DiskFile: Debug + Send {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes the content durable. After an error the kernel may have dropped what it could not write and
    /// report the next attempt as a success, so there must not be one.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file being read.
pub(crate) trait DiskReader: Debug + Send {
    /// How many bytes it had when it was opened.
    fn len(&self) -> u64;

    /// Exactly these bytes, which lie within [`len`](Self::len).
    fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Vec<u8>>;
}

pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) is_directory: bool,
}

/// The disk of this machine.
#[derive(Debug)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Box::new(file))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        OpenOptions::new().read(true).custom_flags(flags(OFlags::DIRECTORY)).open(path)?.sync_all()
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let (file, metadata) = open_regular(path)?;
        if metadata.len() > limit {
            return Err(too_large(metadata.len(), limit));
        }
        let mut bytes = Vec::new();
        let len = usize::try_from(metadata.len()).map_err(|_| too_large(metadata.len(), limit))?;
        bytes.try_reserve_exact(len)?;
        // The file may have grown since; one byte more than allowed is enough to know.
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        let found = bytes.len() as u64;
        if found > limit { Err(too_large(found, limit)) } else { Ok(bytes) }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskReader>> {
        let (file, metadata) = open_regular(path)?;
        Ok(Box::new(RealReader { file, len: metadata.len() }))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let entry = |found: io::Result<fs::DirEntry>| {
            let found = found?;
            let is_directory = found.file_type()?.is_dir();
            Ok(Entry { name: found.file_name().to_string_lossy().into_owned(), is_directory })
        };
        fs::read_dir(path)?.map(entry).collect()
    }

    fn identity(&self, path: &Path) -> io::Result<(u64, u64)> {
        let metadata = fs::symlink_metadata(path)?;
        Ok((metadata.dev(), metadata.ino()))
    }
}

fn open_regular(path: &Path) -> io::Result<(File, fs::Metadata)> {
    // Without NONBLOCK, opening a FIFO that somebody put in the place of a file would wait for ever.
    let flags = flags(OFlags::NOFOLLOW | OFlags::NONBLOCK);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok((file, metadata))
}

#[derive(Debug)]
struct RealReader {
    file: File,
    len: u64,
}

impl DiskReader for RealReader {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len)?;
        bytes.resize(len, 0);
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }
}

impl DiskFile for File {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        Write::write_all(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// The error of a read whose file has more bytes than the caller is prepared for.
pub(crate) fn too_large(found: u64, limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("expected at most {limit} bytes, found {found}"))
}

#[expect(
    clippy::cast_possible_wrap,
    reason = "open(2) takes its flags as a C int, and none of them is the sign bit"
)]
fn flags(flags: OFlags) -> i32 {
    flags.bits() as i32
}
