//! What the storage needs of an operating system, as a seam.
//!
//! [`RealDisk`] is the file system of this machine. With the feature `simulation` there is also the `SimDisk` of
//! the module `simulation`, which loses power and fails at will. A disk of your own, for
//! instance one that counts, delays or refuses operations before it passes them on, goes below a storage with
//! [`FileSystemCheckpointStorage::with_disk`](crate::FileSystemCheckpointStorage::with_disk).
//!
//! All operations are synchronous, and name their object by an absolute path. Each is tried once: going on
//! after `Interrupted` and after a short transfer is the caller's part, as is everything about durability.

pub(crate) mod beneath;
mod real;
mod root;

pub use real::RealDisk;

use core::fmt::Debug;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file system.
///
/// An operation that gives `Interrupted` has done nothing and will be called again. After any other error it
/// has either done nothing or, where the medium is on the other side of a network, perhaps everything.
pub trait Disk: Debug + Send + Sync + 'static {
    /// The same disk, for somebody who works in one directory only: from `root` on downwards it follows no
    /// symbolic link and leaves the directory by no other way. `root` may be missing still, and is a path of
    /// the user's in which symbolic links are followed.
    fn beneath(&self, root: &Path) -> Arc<dyn Disk>;

    /// The one name of what can be reached by several: without symbolic links and `..`, as far as it exists. A disk
    /// without such things has no others, unless told otherwise.
    ///
    /// # Errors
    /// As the lookup fails, other than by nothing being there.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    /// Creates a file for its owner only.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken, by whatever it is.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file one more name.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes the name of a file.
    ///
    /// # Errors
    /// `NotFound`; also if it is a directory.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Creates one directory in an existing one, for its owner only.
    ///
    /// # Errors
    /// `NotFound` if the one above is missing, `AlreadyExists` if the name is taken.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `DirectoryNotEmpty`, `NotFound`.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes the entries of a directory durable: those that appeared and those that went.
    ///
    /// # Errors
    /// After an error, except for `NotFound` and `Interrupted`, no later success means anything for what was
    /// to be made durable by this call: the kernel may have dropped it.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// A regular file, to be read.
    ///
    /// # Errors
    /// `InvalidInput` if it is anything but a regular file; it never waits for what is not.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskReader>>;

    /// What a directory holds.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// What tells two files apart, whatever they are called. A symbolic link has its own.
    ///
    /// # Errors
    /// `NotFound`.
    fn identity(&self, path: &Path) -> io::Result<(u64, u64)>;
}

/// A file being written from start to end. Dropping it closes it.
pub trait DiskFile: Debug + Send {
    /// Appends a part of these bytes, from their start, and says how many: at least one, unless there are none.
    ///
    /// # Errors
    /// As the medium fails.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// The same for bytes that are not in one place: those of the first part come first. Unless told otherwise
    /// it writes of one part only.
    ///
    /// # Errors
    /// As the medium fails.
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(parts.iter().find(|part| !part.is_empty()).map_or(&[], |part| part))
    }

    /// Makes the content durable.
    ///
    /// # Errors
    /// After an error, except for `Interrupted`, the kernel may have dropped what it could not write and
    /// report the next attempt as a success; so there is none.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file being read.
pub trait DiskReader: Debug + Send {
    /// How many bytes it had when it was opened.
    fn size(&self) -> u64;

    /// Appends to `into` bytes of the file from `offset` on, as many as it can without growing `into`, and
    /// says how many; none at the end of the file.
    ///
    /// # Errors
    /// As the medium fails.
    fn read_at(&mut self, offset: u64, into: &mut Vec<u8>) -> io::Result<usize>;
}

/// Something found in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Its name. What is not UTF-8 is given with replacements: it is nobody's we know.
    pub name: String,
    /// Whether it is itself a directory, and not a link to one.
    pub is_directory: bool,
}
