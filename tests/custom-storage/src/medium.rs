//! Objects in a map. A directory is an entry without bytes.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe::storage::{
    BlobEntry, BlobPath, BlobReader, BlobStore, BlobWriter, ErrorKind, StorageError, async_trait,
};
use stillframe::storage_directory::{BlobStores, Entropy};

type Objects = BTreeMap<String, Option<Bytes>>;

/// All rooms. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Medium {
    objects: Arc<Mutex<Objects>>,
    drawn: Arc<AtomicU64>,
}

/// One room: the objects whose address begins with its name.
#[derive(Clone, Debug)]
struct Room {
    name: String,
    objects: Arc<Mutex<Objects>>,
}

impl BlobStores for Medium {
    fn at(&self, address: &str) -> Result<Arc<dyn BlobStore>, StorageError> {
        let name = address.trim_end_matches('/').to_owned();
        if !name.starts_with('/') {
            return Err(StorageError::new(ErrorKind::InvalidPointer, "open room", address));
        }
        Ok(Arc::new(Room { name, objects: Arc::clone(&self.objects) }))
    }
}

impl Entropy for Medium {
    fn draw(&self) -> Result<u128, StorageError> {
        // The medium ends with the process, so counting is unique enough.
        Ok(self.drawn.fetch_add(1, Ordering::Relaxed).into())
    }
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, path: &BlobPath, bytes: Option<Bytes>) -> Result<(), StorageError> {
        let address = self.locate(path);
        let mut objects = self.lock();
        if objects.contains_key(&address) {
            return Err(StorageError::new(ErrorKind::AlreadyExists, "put", address));
        }
        objects.insert(address, bytes);
        Ok(())
    }
}

#[async_trait]
impl BlobStore for Room {
    fn locate(&self, path: &BlobPath) -> String {
        if path.names().is_empty() { self.name.clone() } else { format!("{}/{path}", self.name) }
    }

    async fn create_directory(&self, path: &BlobPath) -> Result<(), StorageError> {
        if let Some((parent, _)) = path.split() {
            self.lock().entry(self.locate(&parent)).or_insert(None);
        }
        self.put(path, None)
    }

    async fn create(&self, path: &BlobPath) -> Result<Box<dyn BlobWriter>, StorageError> {
        self.put(path, Some(Bytes::new()))?;
        let writer =
            Writer { room: self.clone(), address: self.locate(path), bytes: Vec::new(), is_kept: false };
        Ok(Box::new(writer))
    }

    async fn publish(&self, path: &BlobPath, bytes: Bytes) -> Result<(), StorageError> {
        self.put(path, Some(bytes))
    }

    async fn settle(&self, _: &BlobPath) -> Result<(), StorageError> {
        Ok(())
    }

    fn shows_only_what_is_durable(&self) -> bool {
        true
    }

    async fn read(&self, path: &BlobPath, limit: u64) -> Result<Bytes, StorageError> {
        let address = self.locate(path);
        match self.lock().get(&address) {
            Some(Some(bytes)) if bytes.len() as u64 <= limit => Ok(bytes.clone()),
            Some(Some(_)) => Err(StorageError::new(ErrorKind::TooLarge, "read", address)),
            _ => Err(StorageError::new(ErrorKind::NotFound, "read", address)),
        }
    }

    async fn open(&self, path: &BlobPath) -> Result<Box<dyn BlobReader>, StorageError> {
        Ok(Box::new(Reader(self.read(path, u64::MAX).await?)))
    }

    async fn list(&self, directory: &BlobPath) -> Result<Vec<BlobEntry>, StorageError> {
        let prefix = format!("{}/", self.locate(directory));
        let objects = self.lock();
        let below = objects.iter().filter_map(|(address, bytes)| {
            let name = address.strip_prefix(&prefix)?.to_owned();
            (!name.contains('/')).then_some(BlobEntry { name, is_directory: bytes.is_none() })
        });
        Ok(below.collect())
    }

    async fn delete(&self, path: &BlobPath) -> Result<(), StorageError> {
        self.lock().remove(&self.locate(path));
        Ok(())
    }

    async fn delete_directory(&self, path: &BlobPath) -> Result<(), StorageError> {
        if !self.list(path).await?.is_empty() {
            let address = self.locate(path);
            return Err(StorageError::new(ErrorKind::Other, "delete", address).with_detail("not empty"));
        }
        self.delete(path).await
    }
}

#[derive(Debug)]
struct Reader(Bytes);

#[async_trait]
impl BlobReader for Reader {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    async fn read_at(&mut self, offset: u64, len: usize) -> Result<Bytes, StorageError> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        match from.checked_add(len).filter(|end| *end <= self.0.len()) {
            Some(end) => Ok(self.0.slice(from..end)),
            None => Err(StorageError::new(ErrorKind::Corrupt, "read", "an object that ends before")),
        }
    }
}

#[derive(Debug)]
struct Writer {
    room: Room,
    address: String,
    bytes: Vec<u8>,
    is_kept: bool,
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn sync(&mut self) -> Result<bool, StorageError> {
        // An object appears when it is finished.
        Ok(false)
    }

    async fn finish(mut self: Box<Self>) -> Result<(), StorageError> {
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        self.room.lock().insert(self.address.clone(), Some(bytes));
        self.is_kept = true;
        Ok(())
    }

    async fn abort(self: Box<Self>) -> Result<(), StorageError> {
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.is_kept {
            self.room.lock().remove(&self.address);
        }
    }
}
