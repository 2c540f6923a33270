use crate::completed::{DirectoryLocation, METADATA_LIMIT};
use crate::live::Live;
use crate::place::Place;
use crate::register::{Retained, Root};
use crate::retained::RetainedLocation;
use crate::roots::Roots;
use crate::storage::JobDirectory;
use crate::writable::WritableLocation;
use crate::{disposal, layout, reference, savepoint, sweep};
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use stillframe_metadata as metadata;
use stillframe_model::{
    CheckpointId, Crc32c, JobStatus, LocationReference, Pointer, StateDirectory, StateFile,
};
use stillframe_storage::{
    BlobPath, Claim, CommitStage, CompletedLocation, CoordinatorStorage, ErrorKind, Ownership, StorageError,
    Sweep, SweepMode,
};

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
        self.0.tenure.claim(self.0.entropy().draw()?).await
    }

    async fn begin_checkpoint(&self, checkpoint: CheckpointId) -> Result<LocationReference, StorageError> {
        self.0.tenure.reserve(checkpoint).await?;
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
        self.0.tenure.reserve(checkpoint).await?;
        let place = savepoint::begin(blobs, self.0.job, &**self.0.entropy()).await?;
        Ok(reference::encode(&place.address()))
    }

    async fn commit(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
        dropped: &[CheckpointId],
    ) -> Result<Pointer, StorageError> {
        let place = match location {
            LocationReference::Default => self.0.checkpoint(checkpoint),
            LocationReference::Encoded(_) => {
                return Err(StorageError::new(
                    ErrorKind::InvalidPointer,
                    "commit checkpoint",
                    checkpoint.to_string(),
                )
                .with_detail("a checkpoint lies at the place that follows from its id"));
            }
        };
        let stage = self.0.stages.begin(checkpoint);
        // Whoever does not hold the job leaves nothing behind.
        self.0.tenure.view().await?;
        let one = Retained {
            checkpoint,
            location: None,
            len: metadata.len() as u64,
            checksum: Crc32c::of(&metadata),
        };
        // What the metadata refers to in the shared directory has to have its name there before.
        match self.0.blobs.settle(&layout::shared(self.0.job)).await {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if let Err(error) = publish(&place, metadata).await {
            let error = self.0.tenure.or_fenced(error).await;
            return Err(match error.kind() {
                // The metadata alone makes nothing complete: without an entry it is an orphan, whenever it appears.
                ErrorKind::OutcomeUnknown => {
                    StorageError::new(ErrorKind::Unavailable, "publish", place.address())
                        .with_detail("the metadata may not survive a loss of power, so it was not committed")
                        .with_source(error)
                }
                _ => error,
            });
        }
        stage.reached(CommitStage::Register);
        self.0.tenure.commit(one, dropped).await?;
        Ok(Pointer::new(place.address()))
    }

    fn commit_stage(&self, checkpoint: CheckpointId) -> Option<CommitStage> {
        self.0.stages.of(checkpoint)
    }

    async fn publish_savepoint(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        metadata: Bytes,
    ) -> Result<Pointer, StorageError> {
        let place = self.0.place(checkpoint, location)?;
        publish(&place, metadata).await?;
        Ok(Pointer::new(place.address()))
    }

    async fn open_checkpoint(
        &self,
        checkpoint: CheckpointId,
    ) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        let view = self.0.tenure.view().await?;
        let Some(one) = view.retained(checkpoint).cloned() else {
            let address = self.0.checkpoint(checkpoint).address();
            return Err(StorageError::new(ErrorKind::NotFound, "open checkpoint", address)
                .with_detail("it is not in the register: never completed, or dropped"));
        };
        let place = self.0.place_of(&one)?;
        if !place.is_complete().await? {
            let error = StorageError::new(ErrorKind::NotFound, "open checkpoint", place.address())
                .with_detail("the register has it, but its _metadata is gone");
            return Err(self.0.tenure.or_fenced(error).await);
        }
        let roots = view.head.roots.iter().map(|root| root.address.as_str().into()).collect();
        let location = Arc::new(DirectoryLocation::new(place, self.0.stores(), Roots::Known(roots)));
        Ok(Arc::new(RetainedLocation { directory: Arc::clone(&self.0), one, location }))
    }

    async fn adopt(
        &self,
        snapshot: Arc<dyn CompletedLocation>,
        checkpoint: CheckpointId,
        ownership: Ownership,
    ) -> Result<Claim, StorageError> {
        let is_owned = ownership == Ownership::Taken;
        let pointer = snapshot.pointer().as_str();
        if !is_owned && self.is_swept(pointer) {
            return Err(StorageError::new(ErrorKind::InvalidPointer, "adopt snapshot", pointer).with_detail(
                "it lies in the job's own directory, whose register does not know it, so a sweep takes it; claim it, or begin \
                 with it under another job id",
            ));
        }
        let roots = [StateDirectory::Exclusive, StateDirectory::Shared].into_iter().filter_map(|directory| {
            match snapshot.foreign(&StateFile { directory, name: layout::metadata() })?.directory {
                StateDirectory::Foreign(address) => Some(Root { address: address.to_string(), is_owned }),
                _ => None,
            }
        });
        let metadata = snapshot.metadata().await?;
        // What it refers to elsewhere belongs to a third job, or to one before that, and stays there.
        let further = further_roots(&*snapshot, &metadata);
        let roots = roots.chain(further).filter(|_| ownership != Ownership::Unclaimed).collect();
        let taken = is_owned.then(|| Retained {
            checkpoint,
            location: Some(snapshot.pointer().as_str().to_owned()),
            len: metadata.len() as u64,
            checksum: Crc32c::of(&metadata),
        });
        self.0.tenure.adopt(checkpoint, taken, roots).await?;
        self.claim().await
    }

    async fn discard(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
    ) -> Result<(), StorageError> {
        let place = self.0.place(checkpoint, location)?;
        let view = self.0.tenure.view().await?;
        if *location == LocationReference::Default {
            refuse_retained(view.retained(checkpoint).is_some(), checkpoint)?;
            if checkpoint.get() < view.own {
                return Err(StorageError::new(
                    ErrorKind::Fenced,
                    "discard checkpoint",
                    checkpoint.to_string(),
                )
                .with_detail("an earlier coordinator began it; a sweep removes what nobody needs of it"));
            }
        }
        // What tasks still hold of it is let go first, and what they bring later is refused.
        self.0.locations.refuse(checkpoint, location, || {
            WritableLocation::new(checkpoint, place.clone(), None, Arc::clone(self.0.entropy()), 0)
        });
        // What is shared goes last: its metadata may have been published before the register refused it, and must not
        // survive what it refers to.
        disposal::dispose(&place, &BTreeSet::new()).await?;
        if *location == LocationReference::Default {
            self.remove_shared_of(checkpoint).await?;
        }
        Ok(())
    }

    async fn remove(&self, checkpoint: CheckpointId, shared: &[StateFile]) -> Result<(), StorageError> {
        let view = self.0.tenure.view().await?;
        refuse_retained(view.retained(checkpoint).is_some(), checkpoint)?;
        self.0.locations.discard(checkpoint, &LocationReference::Default);
        let claimed = view.dropped(checkpoint).filter(|one| one.location.is_some());
        let is_gone = match claimed {
            None => {
                disposal::dispose(&self.0.checkpoint(checkpoint), &BTreeSet::new()).await?;
                true
            }
            Some(one) => self.remove_claimed(one).await?,
        };
        for file in shared {
            self.remove_shared(file, |address| view.owns(address)).await?;
        }
        // With the last file that others needed of a claimed one, the rest of it goes.
        for one in view.outlived(checkpoint) {
            let is_touched = shared.iter().any(|file| lies_in(file, one));
            if is_touched && self.remove_claimed(one).await? {
                self.0.tenure.removed(one.checkpoint).await?;
            }
        }
        match is_gone {
            true => self.0.tenure.removed(checkpoint).await,
            false => self.0.tenure.outlived(checkpoint).await,
        }
    }

    async fn conclude(&self, status: JobStatus, dropped: &[CheckpointId]) -> Result<(), StorageError> {
        match status {
            JobStatus::Suspended => Ok(()),
            JobStatus::Finished | JobStatus::Canceled | JobStatus::Failed => {
                self.0.tenure.conclude(status, dropped).await
            }
        }
    }

    async fn sweep(&self, mode: SweepMode) -> Result<Sweep, StorageError> {
        sweep::sweep(&self.0, mode).await
    }
}

impl DirectoryCoordinator {
    /// Whether a sweep of this job goes through the directory at this address, and takes what is not retained.
    fn is_swept(&self, address: &str) -> bool {
        let job = self.0.blobs.locate(&layout::job(self.0.job));
        let name = address.strip_prefix(&job).and_then(|below| below.strip_prefix('/'));
        name.is_some_and(|name| layout::parse_checkpoint(name).is_some())
    }

    /// Removes what nobody needs of a snapshot that was taken over and given up, and says whether that is all of it.
    async fn remove_claimed(&self, one: &Retained) -> Result<bool, StorageError> {
        // Later checkpoints may go on with files that were exclusive where they come from.
        let place = self.0.place_of(one)?;
        let needed = Live::of_retained(&self.0).await?.1.at(&place.address());
        disposal::dispose(&place, &needed).await?;
        if needed.is_empty() {
            self.0.settle_above(&place.address()).await?;
        }
        Ok(needed.is_empty())
    }

    /// Removes the shared files that were written for a checkpoint which nobody ever completed.
    async fn remove_shared_of(&self, checkpoint: CheckpointId) -> Result<(), StorageError> {
        let shared = layout::shared(self.0.job);
        for entry in self.0.blobs.list(&shared).await? {
            if layout::parse_shared_state(&entry.name) == Some(checkpoint)
                && let Ok(name) = stillframe_model::Name::new(entry.name)
            {
                self.0.blobs.delete(&shared.join(name)).await?;
            }
        }
        Ok(())
    }

    async fn remove_shared(&self, file: &StateFile, owns: impl Fn(&str) -> bool) -> Result<(), StorageError> {
        let text = file.name.as_str();
        let is_ours = layout::parse_state(text).is_some() || layout::parse_shared_state(text).is_some();
        match &file.directory {
            // It went with the checkpoint's own directory.
            StateDirectory::Exclusive if is_ours => Ok(()),
            StateDirectory::Shared if is_ours => {
                self.0.blobs.delete(&layout::shared(self.0.job).join(file.name.clone())).await
            }
            StateDirectory::Foreign(address) if is_ours && owns(address) => {
                self.0.store_at(address)?.delete(&BlobPath::root().join(file.name.clone())).await
            }
            _ => Err(StorageError::new(
                ErrorKind::InvalidPointer,
                "remove shared file",
                file.name.to_string(),
            )
            .with_detail(
                "only state in the job's shared directory, or in one that the job took over, can be removed",
            )),
        }
    }
}

/// The directories elsewhere to which a snapshot refers and may do so. What cannot be decoded refers to nothing, and whoever
/// wants to restore it is told so.
fn further_roots(snapshot: &dyn CompletedLocation, bytes: &[u8]) -> BTreeSet<Root> {
    let Ok(content) = metadata::decode(bytes) else { return BTreeSet::new() };
    let subtasks = content.operators.values().flat_map(|operator| &operator.subtasks);
    let files = subtasks.flat_map(|subtask| subtask.handles()).filter_map(|handle| handle.file());
    let elsewhere = files.filter(|file| matches!(file.directory, StateDirectory::Foreign(_)));
    let roots = elsewhere.filter_map(|file| match snapshot.foreign(file)?.directory {
        StateDirectory::Foreign(address) => Some(Root { address: address.to_string(), is_owned: false }),
        _ => None,
    });
    roots.collect()
}

/// Makes the metadata of a checkpoint or savepoint appear in its place.
pub(crate) async fn publish(place: &Place, metadata: Bytes) -> Result<(), StorageError> {
    if metadata.len() as u64 > METADATA_LIMIT {
        return Err(StorageError::new(ErrorKind::TooLarge, "publish", place.address_of(layout::metadata()))
            .with_detail(format!(
                "{} bytes of metadata, at most {METADATA_LIMIT} can be read back; keep less state inline",
                metadata.len()
            )));
    }
    place.blobs.publish(&place.metadata(), metadata).await
}

/// Whether a file is one of those that a claimed snapshot had for itself.
fn lies_in(file: &StateFile, claimed: &Retained) -> bool {
    matches!(&file.directory, StateDirectory::Foreign(address) if claimed.location.as_deref() == Some(&**address))
}

fn refuse_retained(is_retained: bool, checkpoint: CheckpointId) -> Result<(), StorageError> {
    if !is_retained {
        return Ok(());
    }
    Err(StorageError::new(ErrorKind::AlreadyExists, "remove checkpoint", checkpoint.to_string())
        .with_detail("it is retained; drop it with a commit first"))
}
