use crate::error::failed;
use crate::volume::Volume;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use stillframe_storage::{ErrorKind, StorageError};

/// Creates directories and makes their entries durable, and remembers what is known about that.
#[derive(Debug)]
pub(crate) struct Directories {
    volume: Volume,
    /// Directories whose own entry, and those of all above, are durable. Nobody syncs them again.
    anchored: Mutex<BTreeSet<PathBuf>>,
    doubts: Doubts,
}

/// Directories an fsync of which failed. The kernel may have given up on their entries and call the next fsync a success, so
/// whoever shares this never again claims that anything in them is durable.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doubts(Arc<Mutex<BTreeSet<PathBuf>>>);

impl Doubts {
    /// Those that this process has of the disks of this machine. It outlives every storage: who tries again with another one
    /// would believe the kernel.
    pub(crate) fn of_this_machine() -> Self {
        static DOUBTS: LazyLock<Doubts> = LazyLock::new(Doubts::default);
        DOUBTS.clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directories {
    pub(crate) fn new(volume: Volume) -> Self {
        Self::with_doubts(volume, Doubts::default())
    }

    pub(crate) fn with_doubts(volume: Volume, doubts: Doubts) -> Self {
        Self { volume, anchored: Mutex::default(), doubts }
    }

    pub(crate) fn volume(&self) -> &Volume {
        &self.volume
    }

    /// Makes the entries of a directory durable, unless that failed before.
    pub(crate) fn sync(&self, directory: &Path) -> Result<(), StorageError> {
        let result = self.try_sync(directory)?;
        result.map_err(|error| failed("sync directory", directory, error))
    }

    /// Creates a directory, and those above it that are missing. The entries of all of them are durable when
    /// this returns, also of those that were there: whoever created them may have died before it could see to
    /// that.
    ///
    /// `false` if the directory itself was there.
    pub(crate) fn create(&self, directory: &Path) -> Result<bool, StorageError> {
        let parent = directory.parent();
        let created = match self.volume.create_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let Some(parent) = parent else { return Err(failed("create directory", directory, error)) };
                self.create(parent)?;
                self.volume.create_dir(directory)
            }
            other => other,
        };
        match created {
            Ok(()) => {
                if let Some(parent) = parent {
                    self.sync_new(parent, directory)?;
                    self.anchor(parent)?;
                }
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.anchor(directory).map(|()| false)
            }
            Err(error) => Err(failed("create directory", directory, error)),
        }
    }

    /// Makes the entry of a directory durable that was created just now. One for which this fails is removed
    /// again, so that nothing is ever put into a directory that may not be there after a loss of power.
    fn sync_new(&self, parent: &Path, directory: &Path) -> Result<(), StorageError> {
        let was_doubtful = self.doubts.lock().contains(parent);
        let Err(error) = self.sync(parent) else { return Ok(()) };
        // That settles the doubt which this began, and no other.
        if self.volume.remove_dir(directory).is_ok() && !was_doubtful {
            self.doubts.lock().remove(parent);
        }
        Err(error)
    }

    /// Makes the entry of an existing directory durable, and those above it, once in the life of this value.
    fn anchor(&self, directory: &Path) -> Result<(), StorageError> {
        let Some(parent) = directory.parent() else { return Ok(()) };
        if self.lock().contains(directory) {
            return Ok(());
        }
        self.anchor(parent)?;
        match self.try_sync(parent)? {
            Ok(()) => {}
            // Where we may not even look into the directory we cannot have created anything in it either. And some
            // directories are nowhere on a disk, such as those of an automounter: they know no fsync (EINVAL), and what
            // is below them does not depend on one.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::PermissionDenied
                        | io::ErrorKind::ReadOnlyFilesystem
                        | io::ErrorKind::InvalidInput
                ) =>
            {
                self.doubts.lock().remove(parent);
            }
            Err(error) => return Err(failed("sync directory", parent, error)),
        }
        self.lock().insert(directory.to_owned());
        Ok(())
    }

    fn try_sync(&self, directory: &Path) -> Result<io::Result<()>, StorageError> {
        if self.doubts.lock().contains(directory) {
            return Err(StorageError::new(ErrorKind::Unavailable, "sync directory", directory.display().to_string())
                .with_detail("an earlier fsync of it failed, after which none can be trusted; look at the disk and restart"));
        }
        let result = self.volume.sync_dir(directory);
        // A directory that is not there has lost nothing, and may be created yet.
        if result.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
            self.doubts.lock().insert(directory.to_owned());
        }
        Ok(result)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.anchored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use crate::simulation::{Fault, FaultKind, SimDisk};
    use stillframe_model::Durability;

    const DIRECTORY: &str = "/a/b";

    fn directories(disk: &SimDisk) -> Directories {
        Directories::new(Volume::new(Arc::new(disk.clone()), Durability::Sync))
    }

    #[test]
    fn a_directory_that_could_not_be_made_durable_is_made_again() {
        // mkdir /a/b, which fails; mkdir /a; fsync of /
        let disk = SimDisk::new();
        disk.inject(Fault::once(FaultKind::Io, 3));
        let directories = directories(&disk);
        let error = directories.create(Path::new(DIRECTORY)).unwrap_err();
        assert_eq!((error.kind(), error.subject()), (ErrorKind::Unavailable, "/"));
        assert!(directories.create(Path::new(DIRECTORY)).unwrap());
        assert!(disk.worst_case().list(Path::new(DIRECTORY)).is_ok());
    }

    #[test]
    fn a_doubt_about_something_else_outlives_a_directory_that_is_not_made() {
        let disk = SimDisk::new();
        let directories = directories(&disk);
        directories.create(Path::new(DIRECTORY)).unwrap();
        disk.inject(Fault::once(FaultKind::Io, 1));
        directories.sync(Path::new("/a")).unwrap_err();
        directories.create(Path::new("/a/c")).unwrap_err();
        let error = directories.sync(Path::new("/a")).unwrap_err();
        assert_eq!((error.kind(), error.subject()), (ErrorKind::Unavailable, "/a"));
    }

    #[test]
    fn nothing_is_put_below_an_entry_that_may_be_lost() {
        let disk = SimDisk::new();
        disk.create_dir(Path::new("/a")).unwrap();
        // mkdir /a/b; fsync of /a; fsync of / for the sake of /a, which somebody else created
        disk.inject(Fault::once(FaultKind::Io, 3));
        let directories = directories(&disk);
        directories.create(Path::new(DIRECTORY)).unwrap_err();
        assert_eq!(disk.failed().map(|failed| failed.path), Some(PathBuf::from("/")));
        let error = directories.create(Path::new(DIRECTORY)).unwrap_err();
        assert_eq!((error.kind(), error.subject()), (ErrorKind::Unavailable, "/"));
        assert!(disk.worst_case().list(Path::new("/a")).is_err(), "the disk did lose it");
    }
}
