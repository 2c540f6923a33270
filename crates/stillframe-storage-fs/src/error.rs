//! The one place where an [`io::Error`] becomes a storage error. The path always goes with it.

use rustix::io::Errno;
use std::io;
use std::path::Path;
use stillframe_storage::{ErrorKind, StorageError};

pub(crate) fn failed(operation: &'static str, path: &Path, error: io::Error) -> StorageError {
    let mapped = StorageError::new(kind(&error), operation, path.display().to_string());
    let mapped = match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => mapped.with_detail("a symbolic link is where a file is expected"),
        Some(Errno::NOTDIR) => {
            mapped.with_detail("a part of the path is a file where a directory is expected")
        }
        Some(Errno::XDEV) => mapped.with_detail(
            "a mount point is where a directory of the storage is expected; mount at the storage's own directory",
        ),
        Some(Errno::STALE) => mapped.with_detail(
            "the storage's directory was moved, replaced or lost its server since it was opened; put it back or restart",
        ),
        Some(Errno::MFILE | Errno::NFILE) => {
            mapped.with_detail("too many files are open; raise the limit of the process")
        }
        Some(Errno::NOSPC) => {
            mapped.with_detail("the file system is full; make room, or use a larger one. What was complete stays so")
        }
        Some(Errno::DQUOT) => {
            mapped.with_detail("the quota of this user is used up; raise it, or make room. What was complete stays so")
        }
        Some(Errno::ROFS) => mapped.with_detail("the file system is mounted for reading only; mount it for writing"),
        Some(Errno::ACCESS | Errno::PERM) => mapped.with_detail(
            "the user of this process may not do that; correct the owner or the mode of what is named, or of a directory above it",
        ),
        Some(errno) if is_unsupported(errno) => mapped.with_detail(
            "this file system cannot do that; use one that makes directories durable by fsync, such as ext4, XFS, Btrfs or NFS",
        ),
        _ if error.kind() == io::ErrorKind::InvalidInput => mapped.with_detail(error.to_string()),
        _ => mapped,
    };
    mapped.with_source(error)
}

/// What became of a link that was refused.
pub(crate) fn failed_link(operation: &'static str, path: &Path, error: io::Error) -> StorageError {
    // What those file systems answer that know one name for each file only (`EPERM`, says the manual).
    if !Errno::from_io_error(&error).is_some_and(|errno| errno == Errno::PERM || is_unsupported(errno)) {
        return failed(operation, path, error);
    }
    StorageError::new(ErrorKind::Unsupported, operation, path.display().to_string())
        .with_detail(
            "the file system refuses hard links, as vfat and some others do that have none; without them a finished file cannot get \
             its name without ever replacing another: use one that has them, such as ext4, XFS, Btrfs or NFS",
        )
        .with_source(error)
}

/// What a file system answers that does not have an operation at all.
fn is_unsupported(errno: Errno) -> bool {
    matches!(errno, Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS)
}

fn kind(error: &io::Error) -> ErrorKind {
    match Errno::from_io_error(error) {
        Some(errno) if is_unsupported(errno) => return ErrorKind::Unsupported,
        Some(Errno::IO | Errno::MFILE | Errno::NFILE) => return ErrorKind::Unavailable,
        Some(Errno::LOOP) => return ErrorKind::InvalidPointer,
        _ => {}
    }
    match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::PermissionDenied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoSpace,
        io::ErrorKind::FileTooLarge => ErrorKind::TooLarge,
        io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput => ErrorKind::InvalidPointer,
        io::ErrorKind::TimedOut
        | io::ErrorKind::Interrupted
        | io::ErrorKind::StaleNetworkFileHandle
        | io::ErrorKind::ResourceBusy
        | io::ErrorKind::OutOfMemory => ErrorKind::Unavailable,
        io::ErrorKind::Unsupported | io::ErrorKind::CrossesDevices => ErrorKind::Unsupported,
        _ => ErrorKind::Other,
    }
}
