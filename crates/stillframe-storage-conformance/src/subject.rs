use bytes::Bytes;
use core::fmt;
use std::any::Any;
use std::sync::Arc;
use stillframe_model::{CheckpointId, JobId, LocationReference, StateHandle, StorageDescriptor};
use stillframe_storage::{CheckpointStorage, CoordinatorStorage, StorageAccess, StorageError, WorkerStorage};

type Rebuild = Box<dyn Fn(&StorageDescriptor) -> Result<Arc<dyn CheckpointStorage>, StorageError>>;

/// The storage under test, empty and not used by anybody else.
pub struct Subject {
    storage: Arc<dyn CheckpointStorage>,
    rebuild: Rebuild,
    residue: Option<Box<dyn Fn() -> Vec<String>>>,
    kept: Vec<Box<dyn Any>>,
}

impl Subject {
    /// A storage, and how its descriptor is turned back into one: what will be registered for its kind.
    pub fn new(
        storage: Arc<dyn CheckpointStorage>,
        rebuild: impl Fn(&StorageDescriptor) -> Result<Arc<dyn CheckpointStorage>, StorageError> + 'static,
    ) -> Self {
        Self { storage, rebuild: Box::new(rebuild), residue: None, kept: Vec::new() }
    }

    /// How to see what the storage occupies right now, as the names of its files or of whatever it counts.
    /// With it the cases can tell a leak, which the traits do not show.
    #[must_use]
    pub fn with_residue(mut self, residue: impl Fn() -> Vec<String> + 'static) -> Self {
        self.residue = Some(Box::new(residue));
        self
    }

    /// Keeps something alive as long as the storage is tested, such as its temporary directory.
    #[must_use]
    pub fn keeping(mut self, kept: impl Any) -> Self {
        self.kept.push(Box::new(kept));
        self
    }

    pub(crate) fn storage(&self) -> &dyn CheckpointStorage {
        &*self.storage
    }

    pub(crate) fn rebuild(&self, descriptor: &StorageDescriptor) -> Arc<dyn CheckpointStorage> {
        (self.rebuild)(descriptor).expect("a storage's own descriptor builds it again")
    }

    /// What is occupied now; always nothing for a storage that cannot tell.
    pub(crate) fn residue(&self) -> Vec<String> {
        self.residue.as_ref().map(|list| list()).unwrap_or_default()
    }

    pub(crate) async fn open(&self, job: JobId) -> Session {
        let access = self.storage.open(job).await.expect("a fresh storage opens");
        Session { coordinator: access.coordinator(), worker: access.worker(), access }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("storage", &self.storage).finish_non_exhaustive()
    }
}

/// One job's views of the storage under test, with the few steps that most cases take.
pub(crate) struct Session {
    pub(crate) access: Arc<dyn StorageAccess>,
    pub(crate) coordinator: Arc<dyn CoordinatorStorage>,
    pub(crate) worker: Arc<dyn WorkerStorage>,
}

impl Session {
    pub(crate) async fn begin(&self, checkpoint: CheckpointId) -> LocationReference {
        self.coordinator.begin_checkpoint(checkpoint).await.expect("an id that was not used can be begun")
    }

    /// Writes state in pieces of `piece` bytes.
    pub(crate) async fn write(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        state: &Bytes,
        piece: usize,
    ) -> StateHandle {
        let mut stream = self.worker.create(checkpoint, location).await.expect("a stream can be created");
        let mut rest = state.clone();
        while !rest.is_empty() {
            let bytes = rest.split_to(piece.min(rest.len()));
            stream.write(bytes).await.expect("state can be written");
            assert_eq!(stream.position(), (state.len() - rest.len()) as u64, "position after a write");
        }
        let handle = stream.finish().await.expect("a stream can be finished");
        handle.expect("a stream that was written to has a handle")
    }

    /// Begins and publishes a checkpoint whose metadata tells its id.
    pub(crate) async fn complete(&self, checkpoint: CheckpointId) -> LocationReference {
        let location = self.begin(checkpoint).await;
        self.publish(checkpoint, &location).await;
        location
    }

    pub(crate) async fn publish(&self, checkpoint: CheckpointId, location: &LocationReference) {
        let published = self.coordinator.publish(checkpoint, location, metadata_of(checkpoint)).await;
        published.expect("a checkpoint that was begun can be published");
    }

    /// Asserts that a checkpoint is there with the metadata that [`complete`](Self::complete) gave it.
    pub(crate) async fn assert_readable(&self, checkpoint: CheckpointId) {
        let found = self.coordinator.open_checkpoint(checkpoint).await.expect("a published checkpoint opens");
        let metadata = found.metadata().await.expect("its metadata can be read");
        assert_eq!(metadata, metadata_of(checkpoint), "metadata of checkpoint {checkpoint}");
    }
}

pub(crate) fn metadata_of(checkpoint: CheckpointId) -> Bytes {
    Bytes::from(format!("metadata of {checkpoint}"))
}

pub(crate) const fn id(number: u64) -> CheckpointId {
    CheckpointId::new(number)
}

pub(crate) const JOB: JobId = JobId::from_bytes(*b"conformance-job1");
pub(crate) const OTHER_JOB: JobId = JobId::from_bytes(*b"conformance-job2");

/// Bytes that differ from one place to the next and from one `salt` to another, so that a mix-up shows.
pub(crate) fn pattern(len: usize, salt: u64) -> Bytes {
    let mut state = salt.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        // A multiplicative congruential generator; its upper bits are good enough to tell bytes apart.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}
