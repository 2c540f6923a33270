//! A snapshot is copied elsewhere, with everything that it refers to, whoever wrote that.

use crate::coordinator::publish;
use crate::disposal;
use crate::place::Place;
use crate::savepoint;
use crate::seam::Entropy;
use crate::stream::DirectoryStream;
use crate::writable::WritableLocation;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use stillframe_metadata as metadata;
use stillframe_model::{
    CheckpointKind, CheckpointMetadata, KeyedState, PartOrigin, Pointer, PostCheckpointAction,
    SavepointFormat, SavepointKind, StateHandle, TaskSnapshot,
};
use stillframe_storage::{
    BlobStore, CompletedLocation, ErrorKind, StateScope, StateStream as _, StorageError,
};

/// What a copied checkpoint is: a savepoint whose state has the form of the job's checkpoints.
const COPY: CheckpointKind = CheckpointKind::Savepoint(SavepointKind {
    format: SavepointFormat::Native,
    action: PostCheckpointAction::None,
});

/// Copies a snapshot to a directory of its own in `target`.
pub(crate) async fn export(
    source: &dyn CompletedLocation,
    target: Arc<dyn BlobStore>,
    entropy: &Arc<dyn Entropy>,
    inline_threshold: usize,
) -> Result<Pointer, StorageError> {
    let mut content = savepoint::content(source).await?;
    if !content.kind.is_savepoint() {
        content.kind = COPY;
    }
    let place = savepoint::begin(target, content.job, &**entropy).await?;
    let location =
        WritableLocation::new(content.checkpoint, place.clone(), None, Arc::clone(entropy), inline_threshold);
    let mut copy = Copy { source, target: Arc::new(location), copied: HashMap::new() };
    match copy.all(content, &place).await {
        Ok(()) => Ok(Pointer::new(place.address())),
        Err(error) if error.kind() == ErrorKind::OutcomeUnknown => Err(error),
        Err(error) => {
            copy.target.discard();
            // It has no metadata, so nothing takes it for a savepoint, and why the copy failed is worth more than why this did.
            let _ = disposal::dispose(&place, &BTreeSet::new()).await;
            Err(error)
        }
    }
}

struct Copy<'a> {
    source: &'a dyn CompletedLocation,
    target: Arc<WritableLocation>,
    /// Several tasks may refer to one state, since key groups move between them.
    copied: HashMap<StateHandle, StateHandle>,
}

impl Copy<'_> {
    async fn all(&mut self, mut content: CheckpointMetadata, place: &Place) -> Result<(), StorageError> {
        for (name, operator) in &mut content.operators {
            for (subtask, snapshot) in (0..).zip(&mut operator.subtasks) {
                for handle in handles_of(snapshot) {
                    *handle =
                        self.one(handle).await.map_err(|error| in_context(error, name.as_str(), subtask))?;
                }
            }
        }
        self.target.close().await?;
        let bytes = metadata::encode(&content).map_err(|error| {
            StorageError::new(ErrorKind::TooLarge, "export to", place.address()).with_source(error)
        })?;
        publish(place, bytes.into()).await
    }

    async fn one(&mut self, handle: &StateHandle) -> Result<StateHandle, StorageError> {
        if handle.file().is_none() {
            return Ok(handle.clone());
        }
        if let Some(copied) = self.copied.get(handle) {
            return Ok(copied.clone());
        }
        let mut reader = self.source.open(handle).await?;
        let mut stream = Box::new(DirectoryStream::new(Arc::clone(&self.target), StateScope::Exclusive));
        while let Some(piece) = reader.next().await? {
            stream.write(piece).await?;
        }
        // State without bytes has no file, and needs none.
        let copied = stream.finish().await?.unwrap_or_else(|| StateHandle::Inline(Vec::new().into()));
        self.copied.insert(handle.clone(), copied.clone());
        Ok(copied)
    }
}

/// All state of a task, which the copy has for its own.
fn handles_of(snapshot: &mut TaskSnapshot) -> impl Iterator<Item = &mut StateHandle> {
    let (full, parts) = match snapshot.keyed.as_mut().map(|keyed| &mut keyed.state) {
        None => (None, &mut [][..]),
        Some(KeyedState::Full(handle)) => (Some(handle), &mut [][..]),
        Some(KeyedState::Incremental(incremental)) => (None, &mut incremental.parts[..]),
    };
    let parts = parts.iter_mut().map(|part| {
        part.origin = PartOrigin::Written;
        &mut part.handle
    });
    let operator = snapshot.operator.iter_mut().map(|operator| &mut operator.handle);
    let channels = snapshot.input_channels.iter_mut().chain(&mut snapshot.output_channels);
    full.into_iter().chain(parts).chain(operator).chain(channels.map(|channel| &mut channel.handle))
}

fn in_context(error: StorageError, operator: &str, subtask: u32) -> StorageError {
    let found = match error.kind() {
        ErrorKind::NotFound => {
            "; the job may have dropped the checkpoint meanwhile: export a newer one, or take a savepoint"
        }
        _ => "",
    };
    let detail = format!("state of operator {operator}, subtask {subtask}{found}");
    StorageError::new(error.kind(), "export", error.subject()).with_detail(detail).with_source(error)
}
