use crate::coordinator::DirectoryCoordinator;
use crate::locations::WritableLocations;
use crate::place::Place;
use crate::register::Retained;
use crate::seam::{BlobStores, Entropy};
use crate::stages::Stages;
use crate::tenure::Tenure;
use crate::worker::DirectoryWorker;
use crate::{completed, export, layout, pointer, reference, savepoint};
use std::sync::Arc;
use stillframe_model::{CheckpointId, JobId, LocationReference, Pointer};
use stillframe_storage::{
    BlobPath, BlobStore, CompletedLocation, CoordinatorStorage, ErrorKind, StorageAccess, StorageError,
    WorkerStorage,
};

/// What a backend configures; its `open` and `resolve` are those of
/// [`CheckpointStorage`](stillframe_storage::CheckpointStorage).
#[derive(Clone, Debug)]
pub struct DirectoryStorage {
    stores: Arc<dyn BlobStores>,
    entropy: Arc<dyn Entropy>,
    directory: String,
    savepoint_directory: Option<String>,
    inline_threshold: usize,
}

impl DirectoryStorage {
    /// Checkpoints below the directory at this address. All state goes into files, and savepoints need a
    /// target.
    pub fn new(stores: Arc<dyn BlobStores>, entropy: Arc<dyn Entropy>, directory: impl Into<String>) -> Self {
        Self { stores, entropy, directory: directory.into(), savepoint_directory: None, inline_threshold: 0 }
    }

    /// State of at most this many bytes goes into the metadata instead of a file of its own.
    #[must_use]
    pub fn with_inline_threshold(mut self, bytes: u32) -> Self {
        self.inline_threshold = bytes as usize;
        self
    }

    /// Where savepoints go whose request names no target.
    #[must_use]
    pub fn with_savepoint_directory(mut self, address: impl Into<String>) -> Self {
        self.savepoint_directory = Some(address.into());
        self
    }

    /// The storage as one job sees it. Creates nothing.
    ///
    /// # Errors
    /// If the directory's address is invalid, or what is there cannot be listed.
    pub async fn open(&self, job: JobId) -> Result<Arc<dyn StorageAccess>, StorageError> {
        let blobs = self.stores.at(&self.directory)?;
        // Something that is there but is no directory, or may not be read, is better reported now than at the
        // first checkpoint.
        blobs.list(&layout::job(job)).await?;
        let tenure = Tenure::new(job, Arc::clone(&blobs));
        let directory = Arc::new(JobDirectory {
            job,
            blobs,
            tenure,
            storage: self.clone(),
            locations: WritableLocations::default(),
            stages: Stages::default(),
        });
        let worker = Arc::new(DirectoryWorker::new(Arc::clone(&directory)));
        Ok(Arc::new(DirectoryAccess { directory, worker }))
    }

    /// A finished checkpoint or savepoint. The pointer is the address of its directory, or of the `_metadata`
    /// in it.
    ///
    /// # Errors
    /// `InvalidPointer` for text that cannot name one, `NotFound` where there is none; the text says whether
    /// nothing is there at all or a checkpoint that was never completed.
    pub async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        pointer::resolve(&self.stores, pointer).await
    }

    /// Removes a savepoint, wherever it lies.
    ///
    /// # Errors
    /// As [`CheckpointStorage::dispose_savepoint`](stillframe_storage::CheckpointStorage::dispose_savepoint).
    pub async fn dispose_savepoint(&self, savepoint: &Pointer) -> Result<(), StorageError> {
        savepoint::dispose(&self.stores, savepoint).await
    }

    /// Copies a checkpoint or savepoint, wherever it lies, to a directory of its own below the one at this address. State that
    /// is small enough for this storage's metadata goes into that of the copy.
    ///
    /// # Errors
    /// As [`CheckpointStorage::export`](stillframe_storage::CheckpointStorage::export).
    pub async fn export(&self, snapshot: &Pointer, target: &str) -> Result<Pointer, StorageError> {
        let source = self.resolve(snapshot).await?;
        export::export(&*source, self.stores.at(target)?, &self.entropy, self.inline_threshold).await
    }
}

/// One job's part of a storage, shared by its two views.
#[derive(Debug)]
pub(crate) struct JobDirectory {
    pub(crate) job: JobId,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) tenure: Tenure,
    storage: DirectoryStorage,
    /// Where this process writes state.
    pub(crate) locations: WritableLocations,
    pub(crate) stages: Stages,
}

impl JobDirectory {
    /// The place that follows from a checkpoint's id.
    pub(crate) fn checkpoint(&self, checkpoint: CheckpointId) -> Place {
        Place { blobs: Arc::clone(&self.blobs), directory: layout::checkpoint(self.job, checkpoint) }
    }

    /// The place of a checkpoint that stands in the register.
    pub(crate) fn place_of(&self, one: &Retained) -> Result<Place, StorageError> {
        match &one.location {
            None => Ok(self.checkpoint(one.checkpoint)),
            Some(address) => self.storage.place_at(address),
        }
    }

    /// The address of the directory that a checkpoint of the register shares with those beside it, by its location there.
    pub(crate) fn shared_of(&self, location: Option<&str>) -> String {
        match location {
            None => self.blobs.locate(&layout::shared(self.job)),
            Some(address) => layout::shared_beside(address),
        }
    }

    /// The place that a reference stands for.
    pub(crate) fn place(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
    ) -> Result<Place, StorageError> {
        match location {
            LocationReference::Default => Ok(self.checkpoint(checkpoint)),
            LocationReference::Encoded(bytes) => self.storage.place_at(reference::decode(bytes)?),
        }
    }

    /// Makes it durable that the directory at this address is gone. Until then the register has to name it: no sweep would find
    /// again what comes back with a loss of power.
    pub(crate) async fn settle_above(&self, address: &str) -> Result<(), StorageError> {
        let Some(above) = completed::parent(address) else { return Ok(()) };
        match self.store_at(above)?.settle(&BlobPath::root()).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) fn store_at(&self, address: &str) -> Result<Arc<dyn BlobStore>, StorageError> {
        self.storage.stores.at(address)
    }

    pub(crate) fn stores(&self) -> Arc<dyn BlobStores> {
        Arc::clone(&self.storage.stores)
    }

    pub(crate) fn savepoint_directory(&self) -> Option<&str> {
        self.storage.savepoint_directory.as_deref()
    }

    pub(crate) fn inline_threshold(&self) -> usize {
        self.storage.inline_threshold
    }

    pub(crate) fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.storage.entropy
    }
}

impl DirectoryStorage {
    fn place_at(&self, address: &str) -> Result<Place, StorageError> {
        Ok(Place { blobs: self.stores.at(address)?, directory: BlobPath::root() })
    }
}

#[derive(Debug)]
struct DirectoryAccess {
    directory: Arc<JobDirectory>,
    worker: Arc<DirectoryWorker>,
}

impl StorageAccess for DirectoryAccess {
    fn coordinator(&self) -> Arc<dyn CoordinatorStorage> {
        Arc::new(DirectoryCoordinator(Arc::clone(&self.directory)))
    }

    fn worker(&self) -> Arc<dyn WorkerStorage> {
        Arc::clone(&self.worker) as Arc<dyn WorkerStorage>
    }
}
