//! From a directory handle and names to the handle of a directory below it, never leaving the first one.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2, statat};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::OsStr;
use std::path::{Component, Path};
use std::sync::atomic::{AtomicBool, Ordering};

/// `openat2(2)`, as rustix declares it.
pub(crate) type OpenAt2 =
    fn(BorrowedFd<'_>, &Path, OFlags, Mode, ResolveFlags) -> rustix::io::Result<OwnedFd>;

/// The handle stands for the directory only; nothing is read or written through it.
const HANDLE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A mount point below the root is refused as well: whoever put it there was not this storage, and a link
/// cannot be made across it. The root itself may be one, as the lookup starts on its inner side.
const CONFINED: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// The way in which directories are found.
#[derive(Debug)]
pub(crate) struct Lookup {
    openat2: OpenAt2,
    /// Linux has it since 5.6, and some sandboxes forbid it.
    is_missing: AtomicBool,
}

impl Lookup {
    pub(crate) fn new(openat2: OpenAt2) -> Self {
        Self { openat2, is_missing: AtomicBool::new(false) }
    }

    /// One step of the path after the other, as on a kernel that is too old for anything else.
    pub(crate) fn step_by_step() -> Self {
        Self { openat2: the_kernels, is_missing: AtomicBool::new(true) }
    }

    /// The directory `below`, which consists of names only.
    pub(crate) fn directory(&self, root: BorrowedFd<'_>, below: &Path) -> rustix::io::Result<OwnedFd> {
        if !self.is_missing.load(Ordering::Relaxed) {
            match retry_on_intr(|| (self.openat2)(root, below, HANDLE, Mode::empty(), CONFINED)) {
                Err(Errno::NOSYS | Errno::PERM) => self.is_missing.store(true, Ordering::Relaxed),
                // It was renamed meanwhile, and the kernel could not make sure of it. Steps always can.
                Err(Errno::AGAIN) => {}
                other => return other,
            }
        }
        steps(root, below)
    }
}

impl Default for Lookup {
    fn default() -> Self {
        Self::new(the_kernels)
    }
}

fn the_kernels(
    directory: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
    resolve: ResolveFlags,
) -> rustix::io::Result<OwnedFd> {
    openat2(directory, path, flags, mode, resolve)
}

fn steps(root: BorrowedFd<'_>, below: &Path) -> rustix::io::Result<OwnedFd> {
    let device = fstat(root)?.st_dev;
    let mut here = openat(root, ".", HANDLE, Mode::empty())?;
    for component in below.components() {
        let Component::Normal(name) = component else { return Err(Errno::XDEV) };
        let next = retry_on_intr(|| openat(&here, name, HANDLE | OFlags::NOFOLLOW, Mode::empty()));
        here = next.map_err(|error| link_or(error, here.as_fd(), name))?;
        if fstat(&here)?.st_dev != device {
            return Err(Errno::XDEV);
        }
    }
    Ok(here)
}

/// The error of opening a directory, told more precisely: a symbolic link is no directory either, but something
/// else to look for.
pub(crate) fn link_or(error: Errno, directory: BorrowedFd<'_>, name: &OsStr) -> Errno {
    let is_link = || {
        statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink)
    };
    if error == Errno::NOTDIR && is_link() { Errno::LOOP } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, open};
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    fn nosys(
        _: BorrowedFd<'_>,
        _: &Path,
        _: OFlags,
        _: Mode,
        _: ResolveFlags,
    ) -> rustix::io::Result<OwnedFd> {
        Err(Errno::NOSYS)
    }

    fn perm(_: BorrowedFd<'_>, _: &Path, _: OFlags, _: Mode, _: ResolveFlags) -> rustix::io::Result<OwnedFd> {
        Err(Errno::PERM)
    }

    fn again(
        _: BorrowedFd<'_>,
        _: &Path,
        _: OFlags,
        _: Mode,
        _: ResolveFlags,
    ) -> rustix::io::Result<OwnedFd> {
        Err(Errno::AGAIN)
    }

    #[test]
    fn every_way_finds_the_same_and_refuses_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir_all(path("a/b")).unwrap();
        fs::write(path("a/file"), b"x").unwrap();
        symlink(path("a"), path("link")).unwrap();
        symlink("/", path("a/out")).unwrap();
        let root = open(directory.path(), HANDLE, Mode::empty()).unwrap();
        let expected = fs::metadata(path("a/b")).unwrap().ino();
        for lookup in [
            Lookup::default(),
            Lookup::step_by_step(),
            Lookup::new(nosys),
            Lookup::new(perm),
            Lookup::new(again),
        ] {
            let find = |below: &str| lookup.directory(root.as_fd(), Path::new(below));
            for _ in 0..2 {
                assert_eq!(fstat(find("a/b").unwrap()).unwrap().st_ino, expected, "{lookup:?}");
            }
            for (below, error) in [
                ("link", Errno::LOOP),
                ("link/b", Errno::LOOP),
                ("a/out", Errno::LOOP),
                ("a/out/etc", Errno::LOOP),
                ("a/file", Errno::NOTDIR),
                ("a/missing", Errno::NOENT),
                ("../a", Errno::XDEV),
                ("/etc", Errno::XDEV),
            ] {
                assert_eq!(find(below).unwrap_err(), error, "{lookup:?}: {below}");
            }
        }
    }

    #[test]
    fn a_mount_point_below_the_root_is_refused_and_one_as_the_root_is_not() {
        let slash = open("/", HANDLE, Mode::empty()).unwrap();
        let proc = openat(CWD, "/proc", HANDLE, Mode::empty()).unwrap();
        for lookup in [Lookup::default(), Lookup::step_by_step()] {
            assert_eq!(lookup.directory(slash.as_fd(), Path::new("proc")).unwrap_err(), Errno::XDEV);
            let this_process = std::process::id().to_string();
            assert!(lookup.directory(proc.as_fd(), Path::new(&this_process)).is_ok());
            assert!(matches!(lookup.directory(proc.as_fd(), Path::new("self")), Err(Errno::LOOP)));
        }
    }
}
