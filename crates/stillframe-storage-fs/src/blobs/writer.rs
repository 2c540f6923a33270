use super::gone;
use crate::error::failed;
use crate::volume::{Volume, VolumeFile};
use async_trait::async_trait;
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use stillframe_storage::{BlobWriter, StorageError};

#[derive(Debug)]
pub(super) struct LocalWriter {
    volume: Volume,
    path: PathBuf,
    /// Taken when the file is finished or removed; dropping the writer does nothing then.
    file: Option<VolumeFile>,
    /// What the kernel has not been given yet: less than `buffer_size`, except while it is being filled up.
    buffer: Vec<u8>,
    buffer_size: usize,
    /// Whether somebody relies on a part of the file, so that it must not be removed any more.
    is_kept: bool,
}

impl LocalWriter {
    pub(super) fn new(volume: Volume, path: PathBuf, file: VolumeFile, buffer_size: usize) -> Self {
        Self { volume, path, file: Some(file), buffer: Vec::new(), buffer_size, is_kept: false }
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if !self.buffer.is_empty() {
            file.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() >= self.buffer_size {
            self.flush()?;
            return self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes));
        }
        let room = self.buffer_size - self.buffer.len();
        let (first, rest) = bytes.split_at(room.min(bytes.len()));
        self.buffer.extend_from_slice(first);
        if self.buffer.len() == self.buffer_size {
            self.flush()?;
        }
        self.buffer.extend_from_slice(rest);
        Ok(())
    }

    fn flush_and_sync(&mut self) -> io::Result<()> {
        self.flush()?;
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
