//! A blob store in a map, so that this crate's tests need no medium. What is in the map is durable: an object
//! that is being written shows there what was synced of it. Every operation can be made to fail, or to hang, and somebody
//! else can be made to do something right before it.

mod others;

use self::others::Others;
use crate::{BlobStores, DirectoryStorage, Entropy};
use async_trait::async_trait;
use bytes::Bytes;
use core::task::Poll;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe_storage::{BlobEntry, BlobPath, BlobReader, BlobStore, BlobWriter, ErrorKind, StorageError};

/// Where relative addresses begin.
const CURRENT_DIRECTORY: &str = "/c/11111111111111111111111111111111";

/// Objects by address; a directory is an address without bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Medium {
    objects: Arc<Mutex<BTreeMap<String, Option<Bytes>>>>,
    settled: Arc<Mutex<Vec<String>>>,
    script: Arc<Mutex<Script>>,
    others: Others,
    /// How many unique numbers were drawn.
    drawn: Arc<AtomicU64>,
    /// Held by every writer that is neither finished nor dropped.
    open: Arc<()>,
}

/// What the medium did, and what it is to do.
#[derive(Debug, Default)]
struct Script {
    /// The operations, each as the name of its function.
    operations: Vec<&'static str>,
    /// The operation that fails, counted from 0.
    failing: Option<usize>,
    /// Whether every operation fails.
    is_out: bool,
    /// The operation that never returns.
    hanging: Option<usize>,
    /// The operation that always fails, and how the address ends on which it does.
    broken: Option<(&'static str, String)>,
    /// Whether every operation lets others go first.
    yields: bool,
    /// Whether an object appears only when it is finished.
    shows_whole_objects_only: bool,
}

impl Medium {
    pub(crate) fn storage(&self, directory: &str) -> DirectoryStorage {
        DirectoryStorage::new(Arc::new(self.clone()), Arc::new(self.clone()), directory)
    }

    pub(crate) fn put(&self, address: &str, bytes: &'static [u8]) {
        let mut objects = self.lock();
        for (end, _) in address.match_indices('/').skip(1) {
            objects.entry(address[..end].to_owned()).or_insert(None);
        }
        objects.insert(address.to_owned(), Some(Bytes::from_static(bytes)));
    }

    pub(crate) fn files(&self) -> Vec<String> {
        self.lock().iter().filter(|(_, bytes)| bytes.is_some()).map(|(address, _)| address.clone()).collect()
    }

    pub(crate) fn has_directory(&self, address: &str) -> bool {
        self.lock().get(address) == Some(&None)
    }

    /// All that is at this address and below, directories too.
    pub(crate) fn all_at(&self, address: &str) -> Vec<String> {
        let below = format!("{address}/");
        let is_there = |found: &&String| *found == address || found.starts_with(&below);
        self.lock().keys().filter(is_there).cloned().collect()
    }

    /// The directories that were settled since the last call, in order.
    pub(crate) fn take_settled(&self) -> Vec<String> {
        core::mem::take(&mut *self.settled.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The content of an object.
    pub(crate) fn content(&self, address: &str) -> Option<Bytes> {
        self.lock().get(address).cloned().flatten()
    }

    /// Puts other content in the place of an object.
    pub(crate) fn replace(&self, address: &str, bytes: impl Into<Bytes>) {
        self.lock().insert(address.to_owned(), Some(bytes.into()));
    }

    pub(crate) fn remove(&self, address: &str) {
        self.lock().remove(address);
    }

    /// The same medium, where an object appears only when it is finished.
    pub(crate) fn showing_whole_objects_only(self) -> Self {
        self.script().shows_whole_objects_only = true;
        self
    }

    /// The same medium, where every operation lets others go first.
    pub(crate) fn yielding(self) -> Self {
        self.script().yields = true;
        self
    }

    /// Makes the operation with this number fail, counted from 0 and from now on.
    pub(crate) fn fail_at(&self, number: usize) {
        let mut script = self.script();
        script.failing = Some(script.operations.len() + number);
    }

    /// Makes every operation fail from now on, or none any more.
    pub(crate) fn outage(&self, begins: bool) {
        self.script().is_out = begins;
    }

    /// Makes the operation with this number hang, counted from 0 and from now on.
    pub(crate) fn hang_at(&self, number: usize) {
        let mut script = self.script();
        script.hanging = Some(script.operations.len() + number);
    }

    /// Lets somebody else do this right before every operation of this name on an object whose address ends like this.
    pub(crate) fn before(
        &self,
        operation: &'static str,
        end: &str,
        deed: impl FnMut(&Self) + Send + 'static,
    ) {
        self.others.add(operation, end, Box::new(deed));
    }

    /// Makes every operation of this name fail from now on, on an object whose address ends like this.
    pub(crate) fn break_at(&self, operation: &'static str, end: &str) {
        self.script().broken = Some((operation, end.to_owned()));
    }

    /// How many operations there were.
    pub(crate) fn operations(&self) -> usize {
        self.script().operations.len()
    }

    /// How many of them had this name.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.script().operations.iter().filter(|name| **name == operation).count()
    }

    /// How many objects are being written.
    pub(crate) fn open_writers(&self) -> usize {
        let media = Arc::strong_count(&self.script);
        Arc::strong_count(&self.open) - media
    }

    async fn operate(&self, operation: &'static str, address: &str) -> Result<(), StorageError> {
        self.others.act(self, operation, address);
        let (fails, hangs, yields) = {
            let mut script = self.script();
            let number = Some(script.operations.len());
            script.operations.push(operation);
            let is_broken = script
                .broken
                .as_ref()
                .is_some_and(|(broken, end)| *broken == operation && address.ends_with(end));
            let fails = script.is_out || is_broken || script.failing == number;
            (fails, script.hanging == number, script.yields)
        };
        if yields {
            yield_once().await;
        }
        if hangs {
            core::future::pending::<()>().await;
        }
        if fails { Err(StorageError::new(ErrorKind::Unavailable, operation, address)) } else { Ok(()) }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Option<Bytes>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Is woken at once, but not before others that wait.
async fn yield_once() {
    let mut has_yielded = false;
    core::future::poll_fn(|context| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl BlobStores for Medium {
    fn at(&self, address: &str) -> Result<Arc<dyn BlobStore>, StorageError> {
        if address.contains(':') {
            return Err(StorageError::new(ErrorKind::InvalidPointer, "open", address));
        }
        let root = match address.trim_end_matches('/') {
            relative if !address.starts_with('/') => format!("{CURRENT_DIRECTORY}/{relative}"),
            absolute => absolute.to_owned(),
        };
        Ok(Arc::new(MapStore { root, medium: self.clone() }))
    }
}

impl Entropy for Medium {
    fn draw(&self) -> Result<u128, StorageError> {
        Ok(u128::from(self.drawn.fetch_add(1, Ordering::Relaxed)))
    }
}

#[derive(Debug)]
struct MapStore {
    root: String,
    medium: Medium,
}

impl MapStore {
    fn put_new(&self, path: &BlobPath, bytes: Option<Bytes>) -> Result<(), StorageError> {
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
        self.medium.operate("create_directory", &self.locate(path)).await?;
        if let Some((parent, _)) = path.split() {
            self.medium.lock().entry(self.locate(&parent)).or_insert(None);
        }
        self.put_new(path, None)
    }

    async fn create(&self, path: &BlobPath) -> Result<Box<dyn BlobWriter>, StorageError> {
        self.medium.operate("create", &self.locate(path)).await?;
        self.put_new(path, Some(Bytes::new()))?;
        Ok(Box::new(MapWriter {
            address: self.locate(path),
            bytes: Vec::new(),
            is_kept: false,
            medium: self.medium.clone(),
            open: Some(Arc::clone(&self.medium.open)),
        }))
    }

    async fn publish(&self, path: &BlobPath, bytes: Bytes) -> Result<(), StorageError> {
        self.medium.operate("publish", &self.locate(path)).await?;
        self.put_new(path, Some(bytes))
    }

    async fn settle(&self, directory: &BlobPath) -> Result<(), StorageError> {
        let address = self.locate(directory);
        self.medium.operate("settle", &address).await?;
        if self.medium.lock().get(&address) != Some(&None) {
            return Err(StorageError::new(ErrorKind::NotFound, "settle", address));
        }
        self.medium.settled.lock().unwrap_or_else(PoisonError::into_inner).push(address);
        Ok(())
    }

    async fn read(&self, path: &BlobPath, limit: u64) -> Result<Bytes, StorageError> {
        self.medium.operate("read", &self.locate(path)).await?;
        match self.medium.lock().get(&self.locate(path)) {
            Some(Some(bytes)) if bytes.len() as u64 > limit => {
                Err(StorageError::new(ErrorKind::TooLarge, "read", self.locate(path)))
            }
            Some(Some(bytes)) => Ok(bytes.clone()),
            _ => Err(StorageError::new(ErrorKind::NotFound, "read", self.locate(path))),
        }
    }

    fn shows_only_what_is_durable(&self) -> bool {
        true
    }

    async fn open(&self, path: &BlobPath) -> Result<Box<dyn BlobReader>, StorageError> {
        let bytes = self.read(path, u64::MAX).await?;
        Ok(Box::new(MapReader { address: self.locate(path), bytes, medium: self.medium.clone() }))
    }

    async fn list(&self, directory: &BlobPath) -> Result<Vec<BlobEntry>, StorageError> {
        self.medium.operate("list", &self.locate(directory)).await?;
        let prefix = format!("{}/", self.locate(directory));
        let objects = self.medium.lock();
        let below =
            objects.iter().filter_map(|(address, bytes)| Some((address.strip_prefix(&prefix)?, bytes)));
        Ok(below
            .filter(|(name, _)| !name.contains('/'))
            .map(|(name, bytes)| BlobEntry { name: name.to_owned(), is_directory: bytes.is_none() })
            .collect())
    }

    async fn delete(&self, path: &BlobPath) -> Result<(), StorageError> {
        self.medium.operate("delete", &self.locate(path)).await?;
        self.medium.lock().remove(&self.locate(path));
        Ok(())
    }

    async fn delete_directory(&self, path: &BlobPath) -> Result<(), StorageError> {
        self.medium.operate("delete_directory", &self.locate(path)).await?;
        if !self.list(path).await?.is_empty() {
            return Err(
                StorageError::new(ErrorKind::Other, "delete", self.locate(path)).with_detail("not empty")
            );
        }
        self.delete(path).await
    }
}

#[derive(Debug)]
struct MapWriter {
    address: String,
    bytes: Vec<u8>,
    /// Whether a part of it was synced, so that dropping the writer removes nothing.
    is_kept: bool,
    medium: Medium,
    /// Taken by `finish`.
    open: Option<Arc<()>>,
}

impl MapWriter {
    fn show(&self) {
        self.medium.lock().insert(self.address.clone(), Some(Bytes::copy_from_slice(&self.bytes)));
    }
}

impl Drop for MapWriter {
    fn drop(&mut self) {
        if self.open.is_some() && !self.is_kept {
            self.medium.lock().remove(&self.address);
        }
    }
}

#[async_trait]
impl BlobWriter for MapWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.medium.operate("write", &self.address).await?;
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn sync(&mut self) -> Result<bool, StorageError> {
        self.medium.operate("sync", &self.address).await?;
        if self.medium.script().shows_whole_objects_only {
            return Ok(false);
        }
        self.show();
        self.is_kept = true;
        Ok(true)
    }

    async fn finish(mut self: Box<Self>) -> Result<(), StorageError> {
        self.medium.operate("finish", &self.address).await?;
        self.show();
        self.open = None;
        Ok(())
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StorageError> {
        self.medium.operate("abort", &self.address).await?;
        self.medium.lock().remove(&self.address);
        self.open = None;
        Ok(())
    }
}

#[derive(Debug)]
struct MapReader {
    address: String,
    bytes: Bytes,
    medium: Medium,
}

#[async_trait]
impl BlobReader for MapReader {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    async fn read_at(&mut self, offset: u64, len: usize) -> Result<Bytes, StorageError> {
        self.medium.operate("read_at", &self.address).await?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        match from.checked_add(len).filter(|end| *end <= self.bytes.len()) {
            Some(end) => Ok(self.bytes.slice(from..end)),
            None => Err(StorageError::new(ErrorKind::Corrupt, "read", self.address.as_str())),
        }
    }
}
