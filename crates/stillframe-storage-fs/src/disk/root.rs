use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::{Errno, retry_on_intr};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The directory that a disk is confined to: its path, and a handle from when it was first needed.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    handle: Mutex<Option<Arc<OwnedFd>>>,
}

impl Root {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), handle: Mutex::new(None) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A handle of the directory, always of the same one as long as it exists.
    ///
    /// # Errors
    /// `StaleNetworkFileHandle` if the path leads elsewhere by now: what is written through the handle would
    /// not be found by the pointers that go out, which are paths.
    pub(super) fn handle(&self) -> io::Result<Arc<OwnedFd>> {
        self.handle_beside(|| ())
    }

    /// The same, with what somebody else does between the two looks that it takes.
    fn handle_beside(&self, others: impl FnOnce()) -> io::Result<Arc<OwnedFd>> {
        let mut known = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = &*known {
            // The path first: what it leads to, or that it leads nowhere, means nothing unless the directory that is held is
            // there after that.
            let found = retry_on_intr(|| statat(CWD, &self.path, AtFlags::empty()));
            others();
            let exists = match fstat(handle) {
                Err(Errno::STALE) => None,
                other => Some(other?).filter(|held| held.st_nlink > 0),
            };
            if let Some(held) = exists {
                return match found {
                    Ok(found) if is_same(&held, &found) => Ok(Arc::clone(handle)),
                    Ok(_) | Err(Errno::NOENT) => Err(Errno::STALE.into()),
                    Err(error) => Err(error.into()),
                };
            }
        }
        // The first time, or it was removed, perhaps to be created again.
        *known = None;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = Arc::new(retry_on_intr(|| openat(CWD, &self.path, flags, Mode::empty()))?);
        *known = Some(Arc::clone(&handle));
        Ok(handle)
    }
}

fn is_same(a: &Stat, b: &Stat) -> bool {
    (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_root_that_was_moved_is_noticed_and_one_that_was_made_again_is_fine() {
        let directory = tempfile::tempdir().unwrap();
        let (here, elsewhere) = (directory.path().join("c"), directory.path().join("d"));
        let root = Root::new(&here);
        assert_eq!(root.handle().unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::create_dir(&here).unwrap();
        root.handle().unwrap();
        fs::remove_dir(&here).unwrap();
        assert_eq!(root.handle().unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::create_dir(&here).unwrap();
        root.handle().unwrap();

        // Renamed by whatever means; the tests may not use std's function, which replaces.
        rustix::fs::renameat(CWD, &here, CWD, &elsewhere).unwrap();
        assert_eq!(root.handle().unwrap_err().kind(), io::ErrorKind::StaleNetworkFileHandle);
        fs::create_dir(&here).unwrap();
        assert_eq!(root.handle().unwrap_err().kind(), io::ErrorKind::StaleNetworkFileHandle);
        fs::remove_dir(&here).unwrap();
        rustix::fs::renameat(CWD, &elsewhere, CWD, &here).unwrap();
        root.handle().unwrap();
    }

    /// Several clear up at once, and each may find that another one was faster. Only a move would be worth a person's time.
    #[test]
    fn a_root_that_somebody_removes_meanwhile_is_gone_and_not_moved() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path().join("c");
        let root = Root::new(&here);
        for is_made_again in [false, true] {
            fs::create_dir(&here).unwrap();
            root.handle().unwrap();
            let handle = root.handle_beside(|| {
                fs::remove_dir(&here).unwrap();
                if is_made_again {
                    fs::create_dir(&here).unwrap();
                }
            });
            assert_eq!(
                handle.err().map(|error| error.kind()),
                (!is_made_again).then_some(io::ErrorKind::NotFound)
            );
        }
        root.handle().unwrap();
    }
}
