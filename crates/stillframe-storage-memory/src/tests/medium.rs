//! A file system in a map, so that these tests need no medium.

use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe_storage::{BlobEntry, BlobPath, BlobReader, BlobStore, BlobWriter, ErrorKind, StorageError};
use stillframe_storage_directory::{BlobStores, Entropy};

/// Objects by address; a directory is an address without bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Medium(Arc<Mutex<BTreeMap<String, Option<Bytes>>>>);

impl Medium {
    pub(super) fn files(&self) -> Vec<String> {
        self.lock().iter().filter(|(_, bytes)| bytes.is_some()).map(|(address, _)| address.clone()).collect()
    }

    pub(super) fn directories(&self) -> Vec<String> {
        self.lock().iter().filter(|(_, bytes)| bytes.is_none()).map(|(address, _)| address.clone()).collect()
    }

    pub(super) fn put(&self, address: &str, bytes: &'static [u8]) {
        self.lock().insert(address.to_owned(), Some(Bytes::from_static(bytes)));
    }

    /// Moves a directory with all that is in it.
    /// Changes one bit in the middle of an object.
    pub(super) fn damage(&self, address: &str) {
        let mut objects = self.lock();
        let object = objects.get_mut(address).and_then(Option::as_mut).expect("it is there");
        let mut bytes = object.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        *object = bytes.into();
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        let mut objects = self.lock();
        let moved = objects.extract_if(.., |address, _| {
            address.strip_prefix(from).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        let moved = moved.collect::<Vec<_>>();
        objects.extend(moved.into_iter().map(|(address, bytes)| (address.replacen(from, to, 1), bytes)));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Option<Bytes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlobStores for Medium {
    fn at(&self, address: &str) -> Result<Arc<dyn BlobStore>, StorageError> {
        let path = address.strip_prefix("file:").unwrap_or(address);
        if !path.starts_with('/') {
            return Err(StorageError::new(ErrorKind::InvalidPointer, "open", address));
        }
        Ok(Arc::new(MapStore { root: path.trim_end_matches('/').to_owned(), medium: self.clone() }))
    }
}

/// Numbers in a row, which never come twice.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Entropy for Counter {
    fn draw(&self) -> Result<u128, StorageError> {
        Ok(u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

#[derive(Debug)]
struct MapStore {
    root: String,
    medium: Medium,
}

impl MapStore {
    fn insert(&self, path: &BlobPath, bytes: Option<Bytes>) -> Result<(), StorageError> {
        let address = self.locate(path);
        let mut objects = self.medium.lock();
        if objects.contains_key(&address) {
            return Err(StorageError::new(ErrorKind::AlreadyExists, "create", address));
        }
        let parent = address.rsplit_once('/').map_or("", |(parent, _)| parent);
        if bytes.is_some() && objects.get(parent) != Some(&None) {
            return Err(StorageError::new(ErrorKind::NotFound, "create", address));
        }
        objects.insert(address, bytes);
        Ok(())
    }
}

#[async_trait]
impl BlobStore for MapStore {
    fn locate(&self, path: &BlobPath) -> String {
        if path.names().is_empty() { self.root.clone() } else { format!("{}/{path}", self.root) }
    }

    async fn create_directory(&self, path: &BlobPath) -> Result<(), StorageError> {
        let mut above = path.clone();
        while let Some((parent, _)) = above.split() {
            self.medium.lock().entry(self.locate(&parent)).or_insert(None);
            above = parent;
        }
        self.insert(path, None)
    }

    async fn create(&self, path: &BlobPath) -> Result<Box<dyn BlobWriter>, StorageError> {
        self.insert(path, Some(Bytes::new()))?;
        let (address, medium) = (self.locate(path), Some(self.medium.clone()));
        Ok(Box::new(MapWriter { address, bytes: Vec::new(), medium }))
    }

    async fn publish(&self, path: &BlobPath, bytes: Bytes) -> Result<(), StorageError> {
        self.insert(path, Some(bytes))
    }

    async fn settle(&self, _: &BlobPath) -> Result<(), StorageError> {
        Ok(())
    }

    fn shows_only_what_is_durable(&self) -> bool {
        true
    }

    async fn read(&self, path: &BlobPath, limit: u64) -> Result<Bytes, StorageError> {
        let refuse = |kind| Err(StorageError::new(kind, "read", self.locate(path)));
        match self.medium.lock().get(&self.locate(path)) {
            Some(Some(bytes)) if bytes.len() as u64 > limit => refuse(ErrorKind::TooLarge),
            Some(Some(bytes)) => Ok(bytes.clone()),
            _ => refuse(ErrorKind::NotFound),
        }
    }

    async fn open(&self, path: &BlobPath) -> Result<Box<dyn BlobReader>, StorageError> {
        Ok(Box::new(MapReader(self.read(path, u64::MAX).await?)))
    }

    async fn list(&self, directory: &BlobPath) -> Result<Vec<BlobEntry>, StorageError> {
        let prefix = format!("{}/", self.locate(directory));
        let objects = self.medium.lock();
        let below =
            objects.iter().filter_map(|(address, bytes)| Some((address.strip_prefix(&prefix)?, bytes)));
        let below = below.filter(|(name, _)| !name.contains('/'));
        Ok(below
            .map(|(name, bytes)| BlobEntry { name: name.into(), is_directory: bytes.is_none() })
            .collect())
    }

    async fn delete(&self, path: &BlobPath) -> Result<(), StorageError> {
        self.medium.lock().remove(&self.locate(path));
        Ok(())
    }

    async fn delete_directory(&self, path: &BlobPath) -> Result<(), StorageError> {
        if self.list(path).await?.is_empty() {
            return self.delete(path).await;
        }
        Err(StorageError::new(ErrorKind::Other, "delete", self.locate(path)).with_detail("not empty"))
    }
}

#[derive(Debug)]
struct MapWriter {
    address: String,
    bytes: Vec<u8>,
    /// Taken by `finish`, so that dropping the writer afterwards removes nothing.
    medium: Option<Medium>,
}

impl Drop for MapWriter {
    fn drop(&mut self) {
        if let Some(medium) = &self.medium {
            medium.lock().remove(&self.address);
        }
    }
}

#[async_trait]
impl BlobWriter for MapWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn sync(&mut self) -> Result<bool, StorageError> {
        Ok(false)
    }

    async fn finish(mut self: Box<Self>) -> Result<(), StorageError> {
        if let Some(medium) = self.medium.take() {
            medium.lock().insert(self.address.clone(), Some(Bytes::from(core::mem::take(&mut self.bytes))));
        }
        Ok(())
    }

    async fn abort(self: Box<Self>) -> Result<(), StorageError> {
        Ok(())
    }
}

#[derive(Debug)]
struct MapReader(Bytes);

#[async_trait]
impl BlobReader for MapReader {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    async fn read_at(&mut self, offset: u64, len: usize) -> Result<Bytes, StorageError> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = from.checked_add(len).filter(|end| *end <= self.0.len());
        end.map(|end| self.0.slice(from..end))
            .ok_or_else(|| StorageError::new(ErrorKind::Corrupt, "read", "an object that ends before"))
    }
}
