use super::gone;
use crate::error::failed;
use crate::volume::{Volume, VolumeFile};
use async_trait::async_trait;
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use stillframe_storage::{BlobWriter, StorageError};

/// In what the kernel keeps files in memory, in bytes. As long as writes end where a page does it can take many
/// pages together; a write that goes on within a page has it begin with single ones again, and whoever reads the
/// file later pays for each.
const PAGE: usize = 4096;

#[derive(Debug)]
pub(super) struct LocalWriter {
    volume: Volume,
    path: PathBuf,
    /// Taken when the file is finished or removed; dropping the writer does nothing then.
    file: Option<VolumeFile>,
    /// What the kernel has not been given yet: less than `buffer_size`, except while it is being filled up.
    buffer: Vec<u8>,
    buffer_size: usize,
    /// How far what the kernel was given goes beyond its last whole page.
    beyond: usize,
    /// Whether somebody relies on a part of the file, so that it must not be removed any more.
    is_kept: bool,
}

impl LocalWriter {
    pub(super) fn new(volume: Volume, path: PathBuf, file: VolumeFile, buffer_size: usize) -> Self {
        Self { volume, path, file: Some(file), buffer: Vec::new(), buffer_size, beyond: 0, is_kept: false }
    }

    /// Gives the kernel what is in the buffer, and `bytes` after it.
    fn flush_with(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(&mut [IoSlice::new(&self.buffer), IoSlice::new(bytes)])?;
        self.beyond = self.beyond_with(bytes);
        self.buffer.clear();
        Ok(())
    }

    /// How far it goes beyond the last whole page when the kernel has the buffer and `bytes` as well.
    fn beyond_with(&self, bytes: &[u8]) -> usize {
        (self.beyond + self.buffer.len() + bytes.len()) % PAGE
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() < self.buffer_size {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        let now = if bytes.len() < self.buffer_size {
            self.buffer_size - self.buffer.len()
        } else {
            let beyond = self.beyond_with(bytes);
            bytes.len() - if beyond < self.buffer_size { beyond } else { 0 }
        };
        let (now, later) = bytes.split_at(now);
        self.flush_with(now)?;
        self.buffer.extend_from_slice(later);
        Ok(())
    }

    fn flush_and_sync(&mut self) -> io::Result<()> {
        self.flush_with(&[])?;
        match &mut self.file {
            Some(file) => file.sync(),
            None => Ok(()),
        }
    }

    fn remove(&mut self) -> io::Result<()> {
        match self.file.take() {
            Some(file) if !self.is_kept => {
                drop(file);
                gone(self.volume.remove_file(&self.path))
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, operation: &'static str) -> impl FnOnce(io::Error) -> StorageError {
        let path: &Path = &self.path;
        let path = path.to_owned();
        move |error| failed(operation, &path, error)
    }
}

#[async_trait]
impl BlobWriter for LocalWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.append(&bytes).map_err(self.failed("write"))
    }

    async fn sync(&mut self) -> Result<bool, StorageError> {
        self.flush_and_sync().map_err(self.failed("sync"))?;
        self.is_kept = true;
        Ok(true)
    }

    async fn finish(mut self: Box<Self>) -> Result<(), StorageError> {
        // On an error the file is still ours, and goes when `self` is dropped.
        self.flush_and_sync().map_err(self.failed("sync"))?;
        self.file = None;
        Ok(())
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StorageError> {
        self.remove().map_err(self.failed("delete"))
    }
}

impl Drop for LocalWriter {
    fn drop(&mut self) {
        // Nobody is left to tell; what stays behind goes with its checkpoint.
        let _ = self.remove();
    }
}
