//! One run through everything that a storage can do. A good storage passes; the first broken rule ends it.

use super::storage::{Shelf, TOO_MUCH, UNSYNCABLE};
use super::{JOB, id};
use crate::Violation;
use bytes::Bytes;
use core::fmt::Debug;
use std::sync::Arc;
use stillframe_model::{CheckpointId, JobStatus, LocationReference, StateHandle};
use stillframe_storage::{
    CheckpointStorage, CompletedLocation, CoordinatorStorage, ErrorKind, Ownership, StateScope, StateStream,
    StorageError, SweepMode, WorkerStorage,
};

const DEFAULT: LocationReference = LocationReference::Default;

/// What a good storage refuses for this reason. What breaks a rule ends the script.
fn refused<T: Debug>(result: Result<T, StorageError>, kind: ErrorKind) -> Result<(), StorageError> {
    match result {
        Ok(value) => panic!("expected to be refused: {value:?}"),
        Err(error) if Violation::of(&error).is_none() && error.kind() == kind => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) async fn write(
    mut stream: Box<dyn StateStream>,
    pieces: &[&'static [u8]],
) -> Result<Option<StateHandle>, StorageError> {
    let mut written = 0;
    for piece in pieces {
        stream.write(Bytes::from_static(piece)).await?;
        written += piece.len() as u64;
        assert_eq!(stream.position(), written);
    }
    stream.finish().await
}

const LARGE: &[u8] = b"a state that is too large to be inline, in pieces";

pub(super) async fn everything(storage: &dyn CheckpointStorage, shelf: &Shelf) -> Result<(), StorageError> {
    let access = storage.open(JOB).await?;
    let (coordinator, worker) = (access.coordinator(), access.worker());
    assert!(coordinator.is_highly_available() && coordinator.has_default_savepoint_location());
    coordinator.claim().await?;
    coordinator.begin_checkpoint(id(1)).await?;
    refused(coordinator.begin_checkpoint(id(1)).await, ErrorKind::AlreadyExists)?;
    let handles = state(&*worker, id(1)).await?;
    let pointer = coordinator.commit(id(1), &DEFAULT, Bytes::from_static(b"one"), &[]).await?;
    refused(
        coordinator.commit(id(1), &DEFAULT, Bytes::from_static(b"one"), &[]).await,
        ErrorKind::AlreadyExists,
    )?;
    read(&*coordinator.open_checkpoint(id(1)).await?, b"one", &handles).await?;
    read(&*storage.resolve(&pointer).await?, b"one", &handles).await?;
    let claim = coordinator.claim().await?;
    assert_eq!(claim.retained, [id(1)]);

    coordinator.begin_checkpoint(id(2)).await?;
    coordinator.commit(id(2), &DEFAULT, Bytes::from_static(b"two"), &[id(1)]).await?;
    assert_eq!(coordinator.claim().await?.retained, [id(2)]);
    coordinator.remove(id(1), &[]).await?;
    coordinator.remove(id(1), &[]).await?;
    coordinator.begin_checkpoint(id(3)).await?;
    coordinator.discard(id(3), &DEFAULT).await?;
    coordinator.discard(id(3), &DEFAULT).await?;
    coordinator.begin_checkpoint(id(4)).await?;
    coordinator.commit(id(4), &DEFAULT, Bytes::from_static(b"four"), &[]).await?;
    assert_eq!(coordinator.claim().await?.retained, [id(2), id(4)]);

    unsyncable(&*worker, id(5)).await?;
    task_owned(&*worker).await?;
    savepoint(storage, &*coordinator, id(6)).await?;
    let snapshot = storage.resolve(&pointer_of(&*coordinator, id(4)).await?).await?;
    let claim = coordinator.adopt(snapshot, id(20), Ownership::Taken).await?;
    assert_eq!(claim.retained, [id(2), id(4), id(20)]);
    coordinator.sweep(SweepMode::DryRun).await?;
    coordinator.conclude(JobStatus::Finished, &[id(4)]).await?;
    coordinator.conclude(JobStatus::Finished, &[]).await?;
    refused(coordinator.conclude(JobStatus::Failed, &[]).await, ErrorKind::AlreadyExists)?;
    assert_eq!(coordinator.claim().await?.ended, Some(JobStatus::Finished));
    fenced(coordinator, shelf).await
}

/// Streams that end in every way, and the handles of those that were finished, with what is behind them.
async fn state(
    worker: &dyn WorkerStorage,
    checkpoint: CheckpointId,
) -> Result<Vec<(StateHandle, &'static [u8])>, StorageError> {
    let create = |scope| worker.create(checkpoint, &DEFAULT, scope);
    assert_eq!(write(create(StateScope::Exclusive).await?, &[]).await?, None);
    let inline = write(create(StateScope::Exclusive).await?, &[b"abc"]).await?.unwrap();
    let (begin, end) = LARGE.split_at(30);
    let exclusive = write(create(StateScope::Exclusive).await?, &[begin, end]).await?.unwrap();
    let again = write(create(StateScope::Exclusive).await?, &[LARGE]).await?.unwrap();
    let shared = write(create(StateScope::Shared).await?, &[LARGE]).await?.unwrap();
    create(StateScope::Shared).await?.abort().await?;
    drop(create(StateScope::Shared).await?);
    let mut full = create(StateScope::Exclusive).await?;
    refused(full.write(Bytes::from_static(TOO_MUCH)).await, ErrorKind::NoSpace)?;
    full.abort().await?;
    worker.sync(checkpoint, &DEFAULT).await?;
    Ok(vec![(inline, b"abc"), (exclusive, LARGE), (again, LARGE), (shared, LARGE)])
}

async fn read(
    location: &dyn CompletedLocation,
    metadata: &[u8],
    handles: &[(StateHandle, &'static [u8])],
) -> Result<(), StorageError> {
    assert_eq!(location.metadata().await?, metadata);
    for (handle, expected) in handles {
        let mut reader = location.open(handle).await?;
        assert_eq!((reader.len(), reader.is_empty()), (expected.len() as u64, false));
        let mut bytes = Vec::new();
        while let Some(piece) = reader.next().await? {
            assert!(!piece.is_empty(), "this could go on for ever");
            bytes.extend_from_slice(&piece);
        }
        assert_eq!((&bytes[..], reader.next().await?), (*expected, None));
        assert_eq!(location.read(handle).await?, *expected);
        let named = handle.file().map(|file| location.foreign(file));
        assert!(named != Some(None));
    }
    Ok(())
}

async fn unsyncable(worker: &dyn WorkerStorage, checkpoint: CheckpointId) -> Result<(), StorageError> {
    let stream = worker.create(checkpoint, &DEFAULT, StateScope::Exclusive).await?;
    write(stream, &[UNSYNCABLE]).await?;
    refused(worker.sync(checkpoint, &DEFAULT).await, ErrorKind::NoSpace)?;
    refused(worker.sync(checkpoint, &DEFAULT).await, ErrorKind::NoSpace)
}

async fn task_owned(worker: &dyn WorkerStorage) -> Result<(), StorageError> {
    let storage = worker.task_owned().unwrap();
    let handle = write(storage.create().await?, &[b"own"]).await?.unwrap();
    let mut reader = storage.open(&handle).await?;
    assert_eq!(reader.next().await?.unwrap(), &b"own"[..]);
    assert_eq!(reader.next().await?, None);
    storage.delete(&handle).await?;
    storage.delete(&handle).await
}

async fn savepoint(
    storage: &dyn CheckpointStorage,
    coordinator: &dyn CoordinatorStorage,
    checkpoint: CheckpointId,
) -> Result<(), StorageError> {
    let location = coordinator.begin_savepoint(checkpoint, Some("anywhere")).await?;
    let metadata = Bytes::from_static(b"saved");
    let pointer = coordinator.publish_savepoint(checkpoint, &location, metadata.clone()).await?;
    refused(coordinator.publish_savepoint(checkpoint, &location, metadata).await, ErrorKind::AlreadyExists)?;
    read(&*storage.resolve(&pointer).await?, b"saved", &[]).await
}

async fn pointer_of(
    coordinator: &dyn CoordinatorStorage,
    checkpoint: CheckpointId,
) -> Result<stillframe_model::Pointer, StorageError> {
    Ok(coordinator.open_checkpoint(checkpoint).await?.pointer().clone())
}

async fn fenced(coordinator: Arc<dyn CoordinatorStorage>, shelf: &Shelf) -> Result<(), StorageError> {
    coordinator.begin_checkpoint(id(30)).await?;
    shelf.fence();
    for _ in 0..2 {
        let commit = coordinator.commit(id(30), &DEFAULT, Bytes::from_static(b"late"), &[]).await;
        refused(commit, ErrorKind::Fenced)?;
    }
    refused(coordinator.claim().await, ErrorKind::Fenced)
}
