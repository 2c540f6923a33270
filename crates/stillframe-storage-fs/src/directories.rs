use crate::doubts::Doubts;
use crate::error::failed;
use crate::volume::Volume;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe_storage::{ErrorKind, StorageError};

/// Creates directories and makes their entries durable, and remembers what is known about that.
#[derive(Debug)]
pub(crate) struct Directories {
    volume: Volume,
    doubts: Arc<Doubts>,
    /// Directories whose own entry, and those of all above, are durable. Nobody syncs them again.
    anchored: Mutex<BTreeSet<PathBuf>>,
    /// Whether nothing but directories is put where directories are. What failed for one of them then concerns no other.
    forgives: bool,
}

/// What came of making a directory.
enum Made {
    New,
    Existing,
    ParentMissing(io::Error),
}

impl Directories {
    /// For directories that hold either files or directories.
    pub(crate) fn new(volume: Volume, doubts: Arc<Doubts>) -> Self {
        Self { volume, doubts, anchored: Mutex::default(), forgives: true }
    }

    /// For directories that hold whatever somebody puts there.
    pub(crate) fn of_anybody(volume: Volume, doubts: Arc<Doubts>) -> Self {
        Self { forgives: false, ..Self::new(volume, doubts) }
    }

    pub(crate) fn volume(&self) -> &Volume {
        &self.volume
    }

    /// Makes the entries of a directory durable, unless that failed before.
    pub(crate) fn sync(&self, directory: &Path) -> Result<(), StorageError> {
        self.doubts.alone_in(directory, |is_doubtful| self.sync_alone(directory, is_doubtful))
    }

    /// Creates a directory, and those above it that are missing. The entries of all of them are durable when
    /// this returns, also of those that were there: whoever created them may have died before it could see to
    /// that.
    ///
    /// `false` if the directory itself was there.
    pub(crate) fn create(&self, directory: &Path) -> Result<bool, StorageError> {
        let Some(parent) = directory.parent() else { return Ok(false) };
        let made = match self.make(parent, directory)? {
            Made::ParentMissing(_) => {
                self.create(parent)?;
                self.make(parent, directory)?
            }
            made => made,
        };
        match made {
            Made::New => self.anchor(parent).map(|()| true),
            Made::Existing => self.anchor(directory).map(|()| false),
            Made::ParentMissing(error) => Err(failed("create directory", directory, error)),
        }
    }

    /// Makes a directory and its entry durable. One for which that fails is removed again, so that nothing is ever put
    /// into a directory that may not be there after a loss of power.
    fn make(&self, parent: &Path, directory: &Path) -> Result<Made, StorageError> {
        self.doubts.alone_in(parent, |is_doubtful| {
            match self.volume.create_dir(directory) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(Made::ParentMissing(error));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Made::Existing),
                Err(error) => return Err(failed("create directory", directory, error)),
            }
            let was_doubtful = *is_doubtful;
            let Err(error) = self.sync_alone(parent, is_doubtful) else { return Ok(Made::New) };
            // Everything that was made there before was synced before, since nobody else is here.
            if self.volume.remove_dir(directory).is_ok() && self.forgives {
                *is_doubtful = was_doubtful;
            }
            Err(error)
        })
    }

    /// Makes the entry of an existing directory durable, and those above it, once in the life of this value.
    fn anchor(&self, directory: &Path) -> Result<(), StorageError> {
        let Some(parent) = directory.parent() else { return Ok(()) };
        if self.anchored().contains(directory) {
            return Ok(());
        }
        self.anchor(parent)?;
        self.doubts.alone_in(parent, |is_doubtful| match self.try_sync(parent, is_doubtful)? {
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
                *is_doubtful = false;
                Ok(())
            }
            other => other.map_err(|error| failed("sync directory", parent, error)),
        })?;
        self.anchored().insert(directory.to_owned());
        Ok(())
    }

    fn sync_alone(&self, directory: &Path, is_doubtful: &mut bool) -> Result<(), StorageError> {
        let result = self.try_sync(directory, is_doubtful)?;
        result.map_err(|error| failed("sync directory", directory, error))
    }

    fn try_sync(&self, directory: &Path, is_doubtful: &mut bool) -> Result<io::Result<()>, StorageError> {
        if *is_doubtful {
            return Err(StorageError::new(ErrorKind::Unavailable, "sync directory", directory.display().to_string())
                .with_detail("an earlier fsync of it failed, after which none can be trusted; look at the disk and restart"));
        }
        let result = self.volume.sync_dir(directory);
        // A directory that is not there has lost nothing, and may be created yet.
        *is_doubtful = result.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::NotFound);
        Ok(result)
    }

    fn anchored(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
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
        Directories::new(Volume::new(Arc::new(disk.clone()), Durability::Sync), Arc::default())
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
        // Nor by way of another directory there, which is made and removed again; nor by somebody else.
        let error = directories.create(Path::new("/c")).unwrap_err();
        assert_eq!((error.kind(), error.subject()), (ErrorKind::Unavailable, "/"));
        let volume = Volume::new(Arc::new(disk), Durability::Sync);
        let other = Directories::new(volume, Arc::clone(&directories.doubts));
        for directories in [directories, other] {
            let error = directories.create(Path::new(DIRECTORY)).unwrap_err();
            assert_eq!((error.kind(), error.subject()), (ErrorKind::Unavailable, "/"));
        }
    }

    #[test]
    fn where_files_are_as_well_a_doubt_stays() {
        for forgives in [true, false] {
            let disk = SimDisk::new();
            // mkdir /a; fsync of /
            disk.inject(Fault::once(FaultKind::Io, 2));
            let directories = Directories { forgives, ..directories(&disk) };
            directories.create(Path::new("/a")).unwrap_err();
            assert_eq!(directories.sync(Path::new("/")).is_ok(), forgives);
        }
    }
}
