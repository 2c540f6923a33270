//! The one way in which a small file appears under its final name.

use crate::directories::Directories;
use crate::error::{failed, failed_link};
use crate::volume::Volume;
use rustix::io::Errno;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use stillframe_storage::{ErrorKind, StorageError};
use stillframe_storage_directory::Entropy;

/// How often a file is written whose temporary name is taken away. Each coordinator that begins takes it away once at
/// most, so that this is for as many of them at once.
const ATTEMPTS: usize = 16;

const SUFFIX: &str = ".tmp";
const UNIQUE_DIGITS: usize = 32;

/// Makes a file with these bytes appear at `target`: whole or not at all, replacing nothing, never durable
/// before what was in its directory earlier, and durable when this returns `Ok`. `entropy` gives the names that
/// it has until then.
///
/// # Errors
/// `AlreadyExists` if the name is taken. `OutcomeUnknown` if the file is there but its directory could not be
/// synced, so that a loss of power may or may not take it away; also if it may be there, for all that the file
/// system says. After any other error it is not there and never will be by this call; `NotFound` means its directory.
pub(crate) fn publish(
    directories: &Directories,
    target: &Path,
    bytes: &[u8],
    entropy: &dyn Entropy,
) -> Result<(), StorageError> {
    for _ in 0..ATTEMPTS {
        if try_publish(directories, target, bytes, entropy.draw()?)? {
            return Ok(());
        }
    }
    let target = target.display().to_string();
    Err(StorageError::new(ErrorKind::Unavailable, "publish", target).with_detail(format!(
        "{ATTEMPTS} times somebody removed the file before it had its name: look for what else clears up there"
    )))
}

/// Says `false` if the temporary name was gone when the file was to get its final one: whoever clears up took its
/// publisher for dead.
fn try_publish(
    directories: &Directories,
    target: &Path,
    bytes: &[u8],
    unique: u128,
) -> Result<bool, StorageError> {
    let (Some(directory), Some(temporary)) = (target.parent(), temporary(target, unique)) else {
        return Err(StorageError::new(ErrorKind::InvalidPointer, "publish", target.display().to_string())
            .with_detail("it does not end in the name of a file"));
    };
    let volume = directories.volume();
    // A name that refers to others in its directory must not be on the disk before they are. One fsync after
    // the link would make all of them durable, but until it returns any part of them may be, in any order.
    let linked = write_durably(volume, &temporary, bytes)
        .and_then(|()| directories.sync(directory))
        .and_then(|()| match link(directories, &temporary, target) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            other => other.map(|()| true),
        });
    // Whether the link exists or not, the temporary name has done its duty. If it cannot be removed, that is
    // not worth failing for: whoever removes the directory sweeps it.
    let _ = volume.remove_file(&temporary);
    if !linked? {
        return Ok(false);
    }
    directories.sync(directory).map_err(|error| {
        StorageError::new(ErrorKind::OutcomeUnknown, "publish", target.display().to_string())
            .with_detail("it is visible, but may not survive a loss of power")
            .with_source(error)
    })?;
    Ok(true)
}

/// Creates a file with these bytes and makes its content durable. A file whose fsync failed is not tried
/// again: the kernel may have dropped the bytes and call the next attempt a success.
fn write_durably(volume: &Volume, path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let mut file = volume.create_new(path).map_err(|error| failed("create", path, error))?;
    file.write_all(&mut [IoSlice::new(bytes)]).map_err(|error| failed("write", path, error))?;
    file.sync().map_err(|error| failed("sync", path, error))
}

/// Gives the file its final name.
///
/// A file system behind a network may do that and lose the answer. Asked again, it finds the name taken, by this very
/// file; or it gives an error that says neither what it did nor what it will still do. Whoever took that for a
/// refusal would delete what the new name refers to.
fn link(directories: &Directories, temporary: &Path, target: &Path) -> Result<(), StorageError> {
    let volume = directories.volume();
    let Err(error) = volume.hard_link(temporary, target) else { return Ok(()) };
    let is_taken = error.kind() == io::ErrorKind::AlreadyExists;
    if !is_taken && is_refusal(&error) {
        return Err(failed_link("publish", target, error));
    }
    // As long as the temporary name stands, no other file has the identity of this one.
    let ours = volume.identity(temporary);
    match (&ours, volume.identity(target)) {
        (Ok(ours), Ok(found)) if *ours == found => return Ok(()),
        (Ok(_), Ok(_)) => {
            return Err(failed("publish", target, io::ErrorKind::AlreadyExists.into()).with_source(error));
        }
        _ => {}
    }
    // Whoever is told that the name is taken reads what is there, and may find his own words: they must be durable then.
    if is_taken && directories.sync(target.parent().unwrap_or(target)).is_ok() {
        return Err(failed("publish", target, error));
    }
    // What has no name left cannot be given another one, however late the request arrives.
    let is_gone = match volume.remove_file(temporary) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    let is_absent = || volume.identity(target).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if !is_taken && ours.is_ok() && is_gone && is_absent() {
        return Err(failed("publish", target, error));
    }
    Err(StorageError::new(ErrorKind::OutcomeUnknown, "publish", target.display().to_string())
        .with_detail(
            "the file system gave no clear answer, and it could not be found out whether the name is there",
        )
        .with_source(failed("publish", target, error)))
}

/// Whether an error says that nothing was done, and nothing will be.
fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    let is_clear = matches!(
        error.kind(),
        K::NotFound
            | K::PermissionDenied
            | K::ReadOnlyFilesystem
            | K::StorageFull
            | K::QuotaExceeded
            | K::TooManyLinks
            | K::CrossesDevices
            | K::InvalidFilename
            | K::InvalidInput
            | K::NotADirectory
            | K::Unsupported
    );
    is_clear || matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::LOOP))
}

/// Removes from a directory what publications left there whose process died. One that is under way begins again.
pub(crate) fn sweep(volume: &Volume, directory: &Path) -> io::Result<()> {
    for entry in volume.list(directory)? {
        if !entry.is_directory && is_temporary(&entry.name) {
            match volume.remove_file(&directory.join(&entry.name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// `.<name>.<32 hexadecimal digits>.tmp` in the same directory, since a link cannot leave its file system.
fn temporary(target: &Path, unique: u128) -> Option<PathBuf> {
    let name = target.file_name()?.to_str()?;
    Some(target.with_file_name(format!(".{name}.{unique:0UNIQUE_DIGITS$x}{SUFFIX}")))
}

/// Whether a file has the name of a publication that is under way, or whose process died.
pub(crate) fn is_temporary(name: &str) -> bool {
    let parts = name
        .strip_prefix('.')
        .and_then(|name| name.strip_suffix(SUFFIX))
        .and_then(|name| name.rsplit_once('.'));
    parts.is_some_and(|(name, unique)| {
        let hexadecimal = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        !name.is_empty() && unique.len() == UNIQUE_DIGITS && unique.bytes().all(hexadecimal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_leftovers_are_swept() {
        let path = temporary(Path::new("/c/chk-1/_metadata"), 0xabc).unwrap();
        assert_eq!(path, Path::new("/c/chk-1/._metadata.00000000000000000000000000000abc.tmp"));
        assert!(is_temporary(path.file_name().unwrap().to_str().unwrap()));
        for name in [
            "_metadata",
            ".tmp",
            ".x.tmp",
            ".nfs0001",
            "..00000000000000000000000000000abc.tmp",
            "._metadata.0abc.tmp",
        ] {
            assert!(!is_temporary(name), "{name}");
        }
    }
}
