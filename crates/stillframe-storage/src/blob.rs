use crate::StorageError;
use async_trait::async_trait;
use bytes::Bytes;
use core::fmt::{self, Debug};
use stillframe_model::Name;

/// The place of an object within a blob store: names separated by `/`, none of which can climb out of it.
/// The empty path is the store's root.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobPath(Vec<Name>);

impl BlobPath {
    /// The root of the store.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// The object `name` inside this one.
    #[must_use]
    pub fn join(&self, name: Name) -> Self {
        let mut names = self.0.clone();
        names.push(name);
        Self(names)
    }

    /// The names, outermost first.
    #[must_use]
    pub fn names(&self) -> &[Name] {
        &self.0
    }

    /// The directory that holds it, and its own name; `None` for the root.
    #[must_use]
    pub fn split(&self) -> Option<(Self, &Name)> {
        let (name, parents) = self.0.split_last()?;
        Some((Self(parents.to_vec()), name))
    }
}

impl fmt::Display for BlobPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for name in &self.0 {
            write!(f, "{separator}{name}")?;
            separator = "/";
        }
        Ok(())
    }
}

/// Something found in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobEntry {
    /// Its name, as the medium spells it: it need not fit the grammar of a [`Name`], and is then not ours.
    pub name: String,
    /// Whether it is itself a directory.
    pub is_directory: bool,
}

/// A file system or object store, reduced to what checkpoints need. Objects are written once and never changed.
#[async_trait]
pub trait BlobStore: Debug + Send + Sync + 'static {
    /// The text that stands for `path` outside the store, as in a pointer.
    fn locate(&self, path: &BlobPath) -> String;

    /// Creates a directory, and those above it where they are missing; durable when it returns.
    ///
    /// # Errors
    /// `AlreadyExists` if `path` itself was there; it is durable then as well, whoever created it.
    async fn create_directory(&self, path: &BlobPath) -> Result<(), StorageError>;

    /// Begins a new object under a name that nobody else uses.
    ///
    /// # Errors
    /// `AlreadyExists` if somebody does.
    async fn create(&self, path: &BlobPath) -> Result<Box<dyn BlobWriter>, StorageError>;

    /// Creates a small object in one step: it appears whole or not at all, replaces nothing, and is durable when this
    /// returns, together with every object finished before in the same directory. At no time, and after no loss of power, is
    /// it there without them.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken. `OutcomeUnknown` if it may have appeared all the same.
    async fn publish(&self, path: &BlobPath, bytes: Bytes) -> Result<(), StorageError>;

    /// Makes durable what is visible in a directory already, whoever put it there.
    ///
    /// # Errors
    /// As the medium fails.
    async fn settle(&self, directory: &BlobPath) -> Result<(), StorageError>;

    /// Whether an object that can be read back is durable, whatever the call said that made it. It is so where a write
    /// takes effect as a whole, as in an object store, and not where memory stands between, as in a file system.
    fn shows_only_what_is_durable(&self) -> bool;

    /// The whole object.
    ///
    /// # Errors
    /// `NotFound`; `TooLarge` if it has more than `limit` bytes, before anything is allocated for them.
    async fn read(&self, path: &BlobPath, limit: u64) -> Result<Bytes, StorageError>;

    /// An object, to be read in parts.
    ///
    /// # Errors
    /// `NotFound`; otherwise as the medium fails.
    async fn open(&self, path: &BlobPath) -> Result<Box<dyn BlobReader>, StorageError>;

    /// What a directory holds, in no order. Nothing, if it does not exist.
    ///
    /// # Errors
    /// As the medium fails.
    async fn list(&self, directory: &BlobPath) -> Result<Vec<BlobEntry>, StorageError>;

    /// Removes an object. One that does not exist counts as removed.
    ///
    /// # Errors
    /// As the medium fails.
    async fn delete(&self, path: &BlobPath) -> Result<(), StorageError>;

    /// Removes an empty directory. One that does not exist counts as removed. What interrupted calls of
    /// [`publish`](Self::publish) left in it goes with it.
    ///
    /// # Errors
    /// As the medium fails; also if it is not empty.
    async fn delete_directory(&self, path: &BlobPath) -> Result<(), StorageError>;
}

/// An object that is being read.
#[async_trait]
pub trait BlobReader: Debug + Send {
    /// How many bytes it has.
    fn len(&self) -> u64;

    /// Whether it has none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `len` bytes from `offset` on, exactly.
    ///
    /// # Errors
    /// `Corrupt` if the object ends before them, which is found out before anything is allocated for them; otherwise as the
    /// medium fails.
    async fn read_at(&mut self, offset: u64, len: usize) -> Result<Bytes, StorageError>;
}

/// An object on its way into a blob store. Dropped without [`finish`](Self::finish), it is removed, unless
/// [`sync`](Self::sync) made a part of it durable.
#[async_trait]
pub trait BlobWriter: Debug + Send {
    /// Appends.
    ///
    /// # Errors
    /// As the medium fails. The writer can then only be aborted.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError>;

    /// Makes durable what was written so far, and goes on. `false`, with nothing done, on a medium that cannot: an object
    /// appears there only when it is [finished](Self::finish).
    ///
    /// # Errors
    /// As the medium fails. The writer can then only be dropped, and of what was written since the last success nothing may
    /// be relied on.
    async fn sync(&mut self) -> Result<bool, StorageError>;

    /// Makes the content durable. Its name becomes so with the next [`BlobStore::publish`] into the same directory.
    ///
    /// # Errors
    /// As the medium fails. The object is then removed, never written again under the same name.
    async fn finish(self: Box<Self>) -> Result<(), StorageError>;

    /// Removes it.
    ///
    /// # Errors
    /// If that failed.
    async fn abort(self: Box<Self>) -> Result<(), StorageError>;
}
