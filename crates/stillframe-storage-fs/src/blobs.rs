mod reader;
mod writer;

use self::reader::LocalReader;
use self::writer::LocalWriter;
use crate::directories::{Directories, Doubts};
use crate::disk::{Disk, Entry, RealDisk};
use crate::entropy::SystemEntropy;
use crate::error::failed;
use crate::publish::{is_temporary, publish, sweep};
use crate::volume::Volume;
use async_trait::async_trait;
use bytes::Bytes;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use stillframe_model::{Durability, FileSystemDescriptor};
use stillframe_storage::{BlobEntry, BlobPath, BlobReader, BlobStore, BlobWriter, ErrorKind, StorageError};
use stillframe_storage_directory::{BlobStores, Entropy};

/// Every directory of a disk, as a blob store: what a [`FileSystemCheckpointStorage`] is made of, for whoever
/// builds something else on it.
///
/// A store never follows a symbolic link below its directory, nor reads anything but regular files there. Its
/// files are for their owner only, and so are its directories.
///
/// [`FileSystemCheckpointStorage`]: crate::FileSystemCheckpointStorage
#[derive(Clone, Debug)]
pub struct LocalStores {
    disk: Arc<dyn Disk>,
    entropy: Arc<dyn Entropy>,
    write_buffer_size: usize,
    durability: Durability,
    doubts: Doubts,
}

impl LocalStores {
    /// On this machine.
    #[must_use]
    pub fn new() -> Self {
        Self {
            disk: Arc::new(RealDisk::new()),
            entropy: Arc::new(SystemEntropy),
            write_buffer_size: FileSystemDescriptor::DEFAULT_WRITE_BUFFER_SIZE as usize,
            durability: Durability::default(),
            doubts: Doubts::of_this_machine(),
        }
    }

    /// On another disk.
    #[must_use]
    pub fn with_disk(self, disk: Arc<dyn Disk>) -> Self {
        Self { disk, doubts: Doubts::default(), ..self }
    }

    /// With what is known of that disk already.
    pub(crate) fn with_doubts(self, doubts: Doubts) -> Self {
        Self { doubts, ..self }
    }

    /// With temporary names of another origin. They must never repeat on one disk.
    #[must_use]
    pub fn with_entropy(self, entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy, ..self }
    }

    /// State is handed to the kernel in pieces of this many bytes, as long as it comes in smaller ones.
    #[must_use]
    pub fn with_write_buffer_size(self, bytes: usize) -> Self {
        Self { write_buffer_size: bytes, ..self }
    }

    /// Whether anything is synced.
    #[must_use]
    pub fn with_durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }
}

impl Default for LocalStores {
    fn default() -> Self {
        Self::new()
    }
}

impl BlobStores for LocalStores {
    fn at(&self, address: &str) -> Result<Arc<dyn BlobStore>, StorageError> {
        let root = crate::address::parse(address)?;
        let volume = Volume::new(self.disk.beneath(&root), self.durability);
        Ok(Arc::new(LocalBlobs {
            directories: Directories::with_doubts(volume, self.doubts.clone()),
            root,
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

    fn volume(&self) -> &Volume {
        self.directories.volume()
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
        // It begins a new life here, and what its last one left by half goes.
        gone(sweep(self.volume(), &path)).map_err(|error| failed("clear up", &path, error))?;
        Err(StorageError::new(ErrorKind::AlreadyExists, "create directory", path.display().to_string()))
    }

    async fn create(&self, path: &BlobPath) -> Result<Box<dyn BlobWriter>, StorageError> {
        let path = self.path(path);
        let file = self.volume().create_new(&path).map_err(|error| failed("create", &path, error))?;
        Ok(Box::new(LocalWriter::new(self.volume().clone(), path, file, self.write_buffer_size)))
    }

    async fn publish(&self, path: &BlobPath, bytes: Bytes) -> Result<(), StorageError> {
        publish(&self.directories, &self.path(path), &bytes, &*self.entropy)
    }

    async fn settle(&self, directory: &BlobPath) -> Result<(), StorageError> {
        self.directories.sync(&self.path(directory))
    }

    async fn read(&self, path: &BlobPath, limit: u64) -> Result<Bytes, StorageError> {
        let path = self.path(path);
        let bytes = self.volume().read(&path, limit).map_err(|error| failed("read", &path, error))?;
        Ok(Bytes::from(bytes))
    }

    fn shows_only_what_is_durable(&self) -> bool {
        false
    }

    async fn open(&self, path: &BlobPath) -> Result<Box<dyn BlobReader>, StorageError> {
        let path = self.path(path);
        let file = self.volume().open(&path).map_err(|error| failed("open", &path, error))?;
        Ok(Box::new(LocalReader { path, file }))
    }

    async fn list(&self, directory: &BlobPath) -> Result<Vec<BlobEntry>, StorageError> {
        let path = self.path(directory);
        let entries = match self.volume().list(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other.map_err(|error| failed("list", &path, error))?,
        };
        // What is being published is not there yet.
        let objects = entries.into_iter().filter(|entry| entry.is_directory || !is_temporary(&entry.name));
        let entry = |entry: Entry| BlobEntry { name: entry.name, is_directory: entry.is_directory };
        Ok(objects.map(entry).collect())
    }

    async fn delete(&self, path: &BlobPath) -> Result<(), StorageError> {
        let path = self.path(path);
        gone(self.volume().remove_file(&path)).map_err(|error| failed("delete", &path, error))
    }

    async fn delete_directory(&self, path: &BlobPath) -> Result<(), StorageError> {
        let path = self.path(path);
        let swept = gone(sweep(self.volume(), &path)).and_then(|()| gone(self.volume().remove_dir(&path)));
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
