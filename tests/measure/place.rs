use crate::Failure;
use rustix::fs::statfs;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What the kernel calls file systems that keep everything in memory: tmpfs and ramfs.
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// A working directory on a disk. It goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Place(TempDir);

impl Place {
    /// A new one in `directory`.
    ///
    /// # Errors
    /// If that is kept in memory, where an fsync costs nothing and a figure says nothing.
    pub(crate) fn below(directory: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(directory)
            .map_err(|error| format!("cannot create {}: {error}", directory.display()))?;
        #[expect(
            clippy::cast_sign_loss,
            reason = "the magic numbers of file systems are bit patterns of 32 bits"
        )]
        let kind = statfs(directory)?.f_type as u64 & 0xffff_ffff;
        if IN_MEMORY.contains(&kind) {
            return Err(format!(
                "{} is in memory; choose a directory on a disk with --dir",
                directory.display()
            )
            .into());
        }
        Ok(Self(tempfile::Builder::new().prefix("stillframe-measure-").tempdir_in(directory)?))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// Waits until what was removed before is forgotten on the disk as well, so that it costs the next measurement nothing.
    pub(crate) fn settle(&self) -> Result<(), Failure> {
        Ok(File::open(self.path())?.sync_all()?)
    }
}
