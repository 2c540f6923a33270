//! For sinks that write files of their own: directories and names that survive the loss of power.
//!
//! A two-phase-commit sink writes into a file under a hidden name and syncs it (`File::sync_all`), then its
//! directory ([`sync_directory`]); that is the prepared transaction. Committing is [`rename_no_replace`] to
//! the visible name. It may be repeated as often as the checkpoint is restored that recorded the transaction.

use crate::directories::Directories;
use crate::disk::RealDisk;
use crate::doubts::Doubts;
use crate::error::{failed, failed_link};
use crate::volume::Volume;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillframe_model::Durability;
use stillframe_storage::{ErrorKind, StorageError};

/// How a rename went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Renamed {
    /// The file has its new name now, and only that.
    Moved,
    /// It had it before this call: the new name was there, and the old one gone or the same.
    AlreadyDone,
}

/// Makes durable which names a directory holds: those that appeared in it and those that went.
///
/// # Errors
/// As the file system fails. What appeared since the last success may then not survive a loss of power, and
/// calling this again proves nothing: the system may report success without having written.
pub fn sync_directory(directory: impl AsRef<Path>) -> Result<(), StorageError> {
    real().sync(&absolute(directory.as_ref())?)
}

/// Creates a directory, and those above it that are missing, for its owner only. One that exists is fine. All
/// of them are durable when this returns.
///
/// # Errors
/// As the file system fails.
pub fn create_directory(directory: impl AsRef<Path>) -> Result<(), StorageError> {
    real().create(&absolute(directory.as_ref())?).map(|_created| ())
}

/// Gives a file its final name and makes that durable, without ever replacing another file. The content must
/// have been synced before. Both names must be on one file system.
///
/// It is a link, an fsync of the new name's directory, and the removal of the old name. At no moment, and
/// after no loss of power, is the file without a name. Interrupted, it is completed by calling it again: when
/// both names are there and are the same file, the old one is removed. A loss of power may bring the old name
/// back beside the new one, which is harmless to remove and to rename again.
///
/// # Errors
/// `AlreadyExists` if `to` is another file. `NotFound` if neither is there. `OutcomeUnknown` if the file has
/// its new name but it is not known whether that is durable. After any other error the old name is still
/// there, and the new one may be.
pub fn rename_no_replace(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<Renamed, StorageError> {
    rename_on(&real(), &absolute(from.as_ref())?, &absolute(to.as_ref())?)
}

pub(crate) fn rename_on(directories: &Directories, from: &Path, to: &Path) -> Result<Renamed, StorageError> {
    let volume = directories.volume();
    let Some(directory) = to.parent() else {
        return Err(StorageError::new(ErrorKind::InvalidPointer, "rename", to.display().to_string()));
    };
    let is_there = match volume.hard_link(from, to) {
        Ok(()) => true,
        Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {
            match (identity(directories, from)?, identity(directories, to)?) {
                // Of a file with one name, none may go.
                (Some(one), Some(other)) if one == other => !is_one_name(directories, from, to)?,
                (None, Some(_)) => false,
                (None, None) => return Err(failed("rename", from, error)),
                (Some(_), _) => {
                    let detail = format!("while renaming {}; nothing was replaced", from.display());
                    return Err(failed("rename to", to, error).with_detail(detail));
                }
            }
        }
        Err(error) => return Err(failed_link("rename", from, error)),
    };
    // The new name has to be durable before the old one goes: the two removals and additions of names that
    // follow may reach the disk in any order, and a file without either name would be lost.
    directories.sync(directory).map_err(|error| {
        StorageError::new(ErrorKind::OutcomeUnknown, "rename to", to.display().to_string())
            .with_detail("it is visible, but may not survive a loss of power")
            .with_source(error)
    })?;
    if !is_there {
        return Ok(Renamed::AlreadyDone);
    }
    match volume.remove_file(from) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove old name", from, error)),
        _ => Ok(Renamed::Moved),
    }
}

fn identity(directories: &Directories, path: &Path) -> Result<Option<(u64, u64)>, StorageError> {
    match directories.volume().identity(path) {
        Ok(identity) => Ok(Some(identity)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("look at", path, error)),
    }
}

/// Whether two paths lead to one entry of one directory, as they do where a directory has several paths.
fn is_one_name(directories: &Directories, one: &Path, other: &Path) -> Result<bool, StorageError> {
    if one.file_name() != other.file_name() {
        return Ok(false);
    }
    // The directory itself, and not a link to it.
    let directory = |path: &Path| identity(directories, &path.parent().unwrap_or(path).join("."));
    Ok(directory(one)? == directory(other)?)
}

fn real() -> Directories {
    Directories::of_anybody(
        Volume::new(Arc::new(RealDisk::new()), Durability::Sync),
        Doubts::of_this_machine(),
    )
}

fn absolute(path: &Path) -> Result<PathBuf, StorageError> {
    std::path::absolute(path).map_err(|error| failed("find", path, error))
}
