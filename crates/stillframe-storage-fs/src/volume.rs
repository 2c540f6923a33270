use crate::disk::{Disk, DiskFile, DiskReader, Entry};
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use stillframe_model::Durability;

/// An operation that is interrupted this often in a row has something else wrong with it.
const MOST_INTERRUPTIONS: usize = 64;

/// A disk as the rest of this crate uses it: operations go on when they are interrupted, transfers until they
/// are whole, and nothing is synced where the user gave that up.
#[derive(Clone, Debug)]
pub(crate) struct Volume {
    disk: Arc<dyn Disk>,
    durability: Durability,
}

impl Volume {
    pub(crate) fn new(disk: Arc<dyn Disk>, durability: Durability) -> Self {
        Self { disk, durability }
    }

    pub(crate) fn create_new(&self, path: &Path) -> io::Result<VolumeFile> {
        let file = uninterrupted(|| self.disk.create_new(path))?;
        Ok(VolumeFile { file, durability: self.durability })
    }

    pub(crate) fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        uninterrupted(|| self.disk.hard_link(from, to))
    }

    pub(crate) fn remove_file(&self, path: &Path) -> io::Result<()> {
        uninterrupted(|| self.disk.remove_file(path))
    }

    pub(crate) fn create_dir(&self, path: &Path) -> io::Result<()> {
        uninterrupted(|| self.disk.create_dir(path))
    }

    pub(crate) fn remove_dir(&self, path: &Path) -> io::Result<()> {
        uninterrupted(|| self.disk.remove_dir(path))
    }

    pub(crate) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        match self.durability {
            Durability::Sync => uninterrupted(|| self.disk.sync_dir(path)),
            Durability::None => Ok(()),
        }
    }

    pub(crate) fn open(&self, path: &Path) -> io::Result<VolumeReader> {
        Ok(VolumeReader(uninterrupted(|| self.disk.open(path))?))
    }

    pub(crate) fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        uninterrupted(|| self.disk.list(path))
    }

    pub(crate) fn identity(&self, path: &Path) -> io::Result<(u64, u64)> {
        uninterrupted(|| self.disk.identity(path))
    }

    /// The content of a regular file.
    ///
    /// # Errors
    /// `FileTooLarge` beyond `limit` bytes, before anything is allocated for them.
    pub(crate) fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let mut file = self.open(path)?;
        let size = file.size();
        let too_large = || {
            let detail = format!("expected at most {limit} bytes, found {size}");
            io::Error::new(io::ErrorKind::FileTooLarge, detail)
        };
        match usize::try_from(size) {
            Ok(len) if size <= limit => file.read_at(0, len),
            _ => Err(too_large()),
        }
    }
}

/// A file being written.
#[derive(Debug)]
pub(crate) struct VolumeFile {
    file: Box<dyn DiskFile>,
    durability: Durability,
}

impl VolumeFile {
    /// One part after the other, and as one write as far as the disk can.
    pub(crate) fn write_all(&mut self, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        loop {
            let rest = parts.iter().map(|part| part.len()).sum();
            if rest == 0 {
                return Ok(());
            }
            match uninterrupted(|| self.file.write_vectored(parts))? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => IoSlice::advance_slices(&mut parts, written.min(rest)),
            }
        }
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        match self.durability {
            Durability::Sync => uninterrupted(|| self.file.sync()),
            Durability::None => Ok(()),
        }
    }
}

/// A file being read.
#[derive(Debug)]
pub(crate) struct VolumeReader(Box<dyn DiskReader>);

impl VolumeReader {
    pub(crate) fn size(&self) -> u64 {
        self.0.size()
    }

    /// Exactly these bytes.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before them.
    pub(crate) fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len)?;
        while bytes.len() < len {
            let here = offset.checked_add(bytes.len() as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
            if uninterrupted(|| self.0.read_at(here, &mut bytes))? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        // The allocator may have given more room than was asked for.
        bytes.truncate(len);
        Ok(bytes)
    }
}

fn uninterrupted<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..MOST_INTERRUPTIONS {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
    operation()
}
