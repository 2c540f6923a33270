use crate::completed::{DirectoryLocation, METADATA_LIMIT};
use crate::storage::JobDirectory;
use crate::{disposal, layout, reference, survey};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::{CheckpointId, JobStatus, LocationReference, Pointer, StateFile};
use stillframe_storage::{
    BlobPath, Claim, CompletedLocation, CoordinatorStorage, ErrorKind, Ownership, StorageError, Sweep,
    SweepMode,
};

/// How many names are tried for a savepoint, as in Flink.
const SAVEPOINT_ATTEMPTS: usize = 10;

#[derive(Debug)]
pub(crate) struct DirectoryCoordinator(pub(crate) Arc<JobDirectory>);

#[async_trait]
impl CoordinatorStorage for DirectoryCoordinator {
    fn is_highly_available(&self) -> bool {
        true
    }

    fn has_default_savepoint_location(&self) -> bool {
        self.0.savepoint_directory().is_some()
    }

    async fn claim(&self) -> Result<Claim, StorageError> {
        let (retained, newest, ended) = survey::survey(&self.0).await?;
        Ok(Claim { retained, next: newest.map_or(CheckpointId::FIRST, CheckpointId::next), ended })
    }

    async fn begin_checkpoint(&self, checkpoint: CheckpointId) -> Result<LocationReference, StorageError> {
        let place = self.0.checkpoint(checkpoint);
        place.blobs.create_directory(&place.directory).await?;
        Ok(LocationReference::Default)
    }

    async fn begin_savepoint(
        &self,
        checkpoint: CheckpointId,
        target: Option<&str>,
    ) -> Result<LocationReference, StorageError> {
        let Some(target) = target.or(self.0.savepoint_directory()) else {
            return Err(StorageError::new(ErrorKind::Unsupported, "begin savepoint", checkpoint.to_string())
                .with_detail(
                    "neither the request nor the storage names a directory for savepoints; give one of them",
                ));
        };
        let blobs = self.0.store_at(target)?;
        let mut attempt = 1;
        loop {
            let directory = BlobPath::root().join(layout::savepoint(self.0.job, self.0.entropy().draw()?));
            match blobs.create_directory(&directory).await {
                Ok(()) => return Ok(reference::encode(&blobs.locate(&directory))),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < SAVEPOINT_ATTEMPTS => {
                    attempt += 1
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn commit(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
        _: &[CheckpointId],
    ) -> Result<Pointer, StorageError> {
        self.publish_savepoint(checkpoint, location, metadata).await
    }

    async fn publish_savepoint(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
    ) -> Result<Pointer, StorageError> {
        let place = self.0.place(checkpoint, location)?;
        if metadata.len() as u64 > METADATA_LIMIT {
            return Err(StorageError::new(
                ErrorKind::TooLarge,
                "publish",
                place.address_of(layout::metadata()),
            )
            .with_detail(format!(
                "{} bytes of metadata, at most {METADATA_LIMIT} can be read back; keep less state inline",
                metadata.len()
            )));
        }
        place.blobs.publish(&place.metadata(), metadata).await?;
        Ok(Pointer::new(place.address()))
    }

    async fn open_checkpoint(
        &self,
        checkpoint: CheckpointId,
    ) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        let place = self.0.checkpoint(checkpoint);
        if place.is_complete().await? {
            return Ok(Arc::new(DirectoryLocation::new(place, self.0.stores(), Arc::from([]))));
        }
        Err(StorageError::new(ErrorKind::NotFound, "open checkpoint", place.address())
            .with_detail("it has no _metadata: never completed, or discarded"))
    }

    async fn discard(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
    ) -> Result<(), StorageError> {
        self.0.locations.discard(checkpoint, location);
        disposal::dispose(&self.0.place(checkpoint, location)?).await
    }

    async fn adopt(
        &self,
        _: Arc<dyn CompletedLocation>,
        _: CheckpointId,
        _: Ownership,
    ) -> Result<Claim, StorageError> {
        Err(StorageError::new(ErrorKind::Unsupported, "adopt", self.0.job.to_string()))
    }

    async fn remove(&self, checkpoint: CheckpointId, _: &[StateFile]) -> Result<(), StorageError> {
        self.0.locations.discard(checkpoint, &LocationReference::Default);
        disposal::dispose(&self.0.checkpoint(checkpoint)).await
    }

    async fn sweep(&self, _: SweepMode) -> Result<Sweep, StorageError> {
        Ok(Sweep::default())
    }

    async fn conclude(&self, status: JobStatus, _: &[CheckpointId]) -> Result<(), StorageError> {
        let Some(word) = layout::status_word(status) else { return Ok(()) };
        let job = layout::job(self.0.job);
        match self.0.blobs.create_directory(&job).await {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        match self.0.blobs.publish(&job.join(layout::ended()), Bytes::from_static(word.as_bytes())).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.concluded_before(status, error).await
            }
            other => other,
        }
    }
}

impl DirectoryCoordinator {
    /// The end was written down already: fine if it is the same one, made durable in case its writer could
    /// not.
    async fn concluded_before(&self, status: JobStatus, taken: StorageError) -> Result<(), StorageError> {
        let found = survey::read_end(&self.0).await?;
        if found != status {
            return Err(StorageError::new(ErrorKind::AlreadyExists, "conclude job", self.0.job.to_string())
                .with_detail(format!("it is to end as {status}, but has ended as {found}"))
                .with_source(taken));
        }
        self.0.blobs.settle(&layout::job(self.0.job)).await
    }
}
