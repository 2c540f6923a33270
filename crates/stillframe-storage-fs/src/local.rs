use crate::directories::Directories;
use crate::disk::{Disk, DiskFile, DiskReader};
use crate::error::failed;
use crate::publish::{publish, sweep};
use async_trait::async_trait;
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillframe_storage::{BlobEntry, BlobPath, BlobReader, BlobStore, BlobWriter, ErrorKind, StorageError};
use stillframe_storage_directory::{BlobStores, Entropy};

/// Every directory of a disk, as a blob store.
#[derive(Debug)]
pub(crate) struct LocalStores {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// State is handed to the kernel in pieces of this many bytes, as long as it comes in smaller ones.
    pub(crate) write_buffer_size: usize,
}

impl BlobStores for LocalStores {
    fn at(&self, address: &str) -> Result<Arc<dyn BlobStore>, StorageError> {
        Ok(Arc::new(LocalBlobs {
            root: crate::address::parse(address)?,
            directories: Directories::new(Arc::clone(&self.disk)),
            entropy: Arc::clone(&self.entropy),
            write_buffer_size: self.write_buffer_size,
        }))
    }
}

/// One directory of a disk, as a blob store.
#[derive(Debug)]
struct LocalBlobs {
    root: PathBuf,
    directories: Directories,
    entropy: Arc<dyn Entropy>,
    write_buffer_size: usize,
}

impl LocalBlobs {
    fn path(&self, path: &BlobPath) -> PathBuf {
        let mut full = self.root.clone();
        full.extend(path.names().iter().map(|name| name.as_str()));
        full
    }

    fn disk(&self) -> &dyn Disk {
        self.directories.disk()
    }
}

#[async_trait]
impl BlobStore for LocalBlobs {
    fn locate(&self, path: &BlobPath) -> String {
        self.path(path).display().to_string()
    }

    async fn create_directory(&self, path: &BlobPath) -> Result<(), StorageError> {
        let path = self.path(path);
        if self.directories.create(&path)? {
            return Ok(());
        }
        Err(StorageError::new(ErrorKind::AlreadyExists, "create directory", path.display().to_string()))
    }

    async fn create(&self, path: &BlobPath) -> Result<Box<dyn BlobWriter>, StorageError> {
        let path = self.path(path);
        let file = self.disk().create_new(&path).map_err(|error| failed("create", &path, error))?;
        Ok(Box::new(LocalWriter {
            disk: self.directories.share_disk(),
            path,
            file: Some(file),
            buffer: Vec::new(),
            buffer_size: self.write_buffer_size,
            is_kept: false,
        }))
    }

    async fn publish(&self, path: &BlobPath, bytes: Bytes) -> Result<(), StorageError> {
        publish(&self.directories, &self.path(path), &bytes, self.entropy.draw()?)
    }

    async fn settle(&self, directory: &BlobPath) -> Result<(), StorageError> {
        self.directories.sync(&self.path(directory))
    }

    async fn read(&self, path: &BlobPath, limit: u64) -> Result<Bytes, StorageError> {
        let path = self.path(path);
        let bytes = self.disk().read(&path, limit).map_err(|error| failed("read", &path, error))?;
        Ok(Bytes::from(bytes))
    }

    fn shows_only_what_is_durable(&self) -> bool {
        false
    }

    async fn open(&self, path: &BlobPath) -> Result<Box<dyn BlobReader>, StorageError> {
        let path = self.path(path);
        let file = self.disk().open(&path).map_err(|error| failed("open", &path, error))?;
        Ok(Box::new(LocalReader { path, file }))
    }

    async fn list(&self, directory: &BlobPath) -> Result<Vec<BlobEntry>, StorageError> {
        let path = self.path(directory);
        let entries = match self.disk().list(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other.map_err(|error| failed("list", &path, error))?,
        };
        let entry =
            |entry: crate::disk::Entry| BlobEntry { name: entry.name, is_directory: entry.is_directory };
        Ok(entries.into_iter().map(entry).collect())
    }

    async fn delete(&self, path: &BlobPath) -> Result<(), StorageError> {
        let path = self.path(path);
        gone(self.disk().remove_file(&path)).map_err(|error| failed("delete", &path, error))
    }

    async fn delete_directory(&self, path: &BlobPath) -> Result<(), StorageError> {
        let path = self.path(path);
        let swept = gone(sweep(self.disk(), &path)).and_then(|()| gone(self.disk().remove_dir(&path)));
        swept.map_err(|error| failed("delete directory", &path, error))
    }
}

/// What is not there counts as removed.
fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[derive(Debug)]
struct LocalWriter {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Taken when the file is finished or removed; dropping the writer does nothing then.
    file: Option<Box<dyn DiskFile>>,
    /// What the kernel has not been given yet: less than `buffer_size`, except while it is being filled up.
    buffer: Vec<u8>,
    buffer_size: usize,
    /// Whether somebody relies on a part of the file, so that it must not be removed any more.
    is_kept: bool,
}

impl LocalWriter {
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
                gone(self.disk.remove_file(&self.path))
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

#[derive(Debug)]
struct LocalReader {
    path: PathBuf,
    file: Box<dyn DiskReader>,
}

#[async_trait]
impl BlobReader for LocalReader {
    fn len(&self) -> u64 {
        self.file.len()
    }

    async fn read_at(&mut self, offset: u64, len: usize) -> Result<Bytes, StorageError> {
        let found = self.file.len();
        if offset.checked_add(len as u64).is_none_or(|end| end > found) {
            let error = StorageError::new(ErrorKind::Corrupt, "read", self.path.display().to_string());
            let detail =
                format!("{len} bytes are expected at offset {offset}, and the file has {found} in all");
            return Err(error.with_detail(detail));
        }
        let bytes = self.file.read_at(offset, len).map_err(|error| failed("read", &self.path, error))?;
        Ok(Bytes::from(bytes))
    }
}
