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
        _ if error.kind() == io::ErrorKind::InvalidInput => mapped.with_detail(error.to_string()),
        _ => mapped,
    };
    mapped.with_source(error)
}

fn kind(error: &io::Error) -> ErrorKind {
    match Errno::from_io_error(error) {
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
