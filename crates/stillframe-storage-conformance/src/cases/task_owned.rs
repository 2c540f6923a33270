//! State that tasks look after themselves.

use crate::session::Session;
use crate::state::{JOB, LARGE, MEDIUM, pattern};
use crate::{Capability, Fresh, Subject};
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::StateHandle;
use stillframe_storage::{ErrorKind, StateReader, StateScope, SweepMode, TaskOwnedStorage};

/// A run and its storage for such state; `None` if the storage says that it has none, and indeed has none.
async fn begin(subject: &Subject) -> Option<(Session, Arc<dyn TaskOwnedStorage>)> {
    let session = subject.run(JOB).await;
    let owned = session.worker.task_owned();
    if subject.lacks(Capability::TaskOwnedState) {
        assert!(owned.is_none(), "it has what it is said to lack");
        return None;
    }
    Some((session, owned.expect("it has a storage for the state that tasks own")))
}

async fn write(owned: &dyn TaskOwnedStorage, state: &Bytes) -> StateHandle {
    let mut stream = owned.create().await.expect("a stream can be created");
    stream.write(state.clone()).await.expect("state can be written");
    assert_eq!(stream.position(), state.len() as u64);
    stream.finish().await.expect("a stream can be finished").expect("it was written to")
}

async fn read_all(mut reader: Box<dyn StateReader>) -> Vec<u8> {
    let mut read = Vec::new();
    while let Some(piece) = reader.next().await.expect("state can be read") {
        read.extend_from_slice(&piece);
    }
    read
}

/// Any task of the job reads it back, in this run or a later one.
pub async fn task_owned_state_round_trips(fresh: Fresh<'_>) {
    let subject = fresh();
    let Some((session, owned)) = begin(&subject).await else { return };
    let mut written = Vec::new();
    for len in [1, MEDIUM, LARGE] {
        let state = pattern(len, 7);
        let handle = write(&*owned, &state).await;
        assert_eq!(handle.size(), len as u64);
        written.push((handle, state));
    }
    let empty = owned.create().await.expect("a stream can be created");
    assert_eq!(empty.finish().await.expect("an empty stream can be finished"), None);
    drop((session, owned));
    let later = subject.run(JOB).await.worker.task_owned().expect("a later run has it too");
    for (handle, state) in written {
        let reader = later.open(&handle).await.expect("it can be opened");
        assert_eq!(reader.len(), state.len() as u64);
        assert!(read_all(reader).await == state, "{} bytes differ", state.len());
    }
}

/// Whoever deletes it needs something to delete, however small it is.
pub async fn task_owned_state_is_never_inline(fresh: Fresh<'_>) {
    let subject = fresh();
    let Some((_session, owned)) = begin(&subject).await else { return };
    let handle = write(&*owned, &Bytes::from_static(b"x")).await;
    assert!(handle.file().is_some(), "{handle:?}");
}

/// Neither the removal of checkpoints, nor a sweep, nor the end of the job takes it away.
pub async fn task_owned_state_outlives_every_checkpoint(fresh: Fresh<'_>) {
    let subject = fresh();
    let Some((session, owned)) = begin(&subject).await else { return };
    let state = pattern(MEDIUM, 7);
    let handle = write(&*owned, &state).await;
    let file = handle.file().cloned().into_iter().collect::<Vec<_>>();
    let one = session.complete(&[]).await;
    let two = session.complete(&[one.id]).await;
    // Not even if somebody takes it for shared state.
    let _ = session.coordinator.remove(one.id, &file).await;
    let status = stillframe_model::JobStatus::Finished;
    session.coordinator.conclude(status, &[two.id]).await.expect("the end can be written down");
    session.coordinator.remove(two.id, &[]).await.expect("what was dropped can be removed");
    let later = subject.run(JOB).await;
    later.coordinator.sweep(SweepMode::Remove).await.expect("a sweep succeeds");
    let reader = owned.open(&handle).await.expect("it is still there");
    assert!(read_all(reader).await == state, "{} bytes differ", state.len());
}

/// The task that owns it deletes it, once or several times.
pub async fn task_owned_state_is_deleted_on_request(fresh: Fresh<'_>) {
    let subject = fresh();
    let Some((_session, owned)) = begin(&subject).await else { return };
    let before = subject.residue();
    let (one, other) = (write(&*owned, &pattern(MEDIUM, 1)).await, write(&*owned, &pattern(MEDIUM, 2)).await);
    for _ in 0..2 {
        owned.delete(&one).await.expect("it can be deleted");
        let opened = owned.open(&one).await;
        assert_eq!(opened.expect_err("it is gone").kind(), ErrorKind::NotFound);
    }
    assert!(read_all(owned.open(&other).await.expect("the other one stays")).await == pattern(MEDIUM, 2));
    owned.delete(&other).await.expect("it can be deleted");
    assert_eq!(subject.residue(), before);
}

/// A task can neither read nor delete by this way what belongs to checkpoints.
pub async fn other_state_is_not_task_owned(fresh: Fresh<'_>) {
    let subject = fresh();
    let Some((session, owned)) = begin(&subject).await else { return };
    let (id, location) = session.place().await;
    let mut handles = Vec::new();
    for scope in [StateScope::Exclusive, StateScope::Shared] {
        let state = pattern(LARGE, 3);
        handles.push((session.write((id, &location), scope, &state, LARGE).await, state));
    }
    session.sync(id, &location).await;
    session.commit(id, &location, &handles, &[]).await;
    for (handle, _) in &handles {
        let opened = owned.open(handle).await;
        assert_eq!(opened.expect_err("it is not task-owned").kind(), ErrorKind::InvalidPointer);
        let deleted = owned.delete(handle).await;
        assert_eq!(deleted.expect_err("it is not task-owned").kind(), ErrorKind::InvalidPointer);
    }
    let found = session.open(id).await;
    for (handle, state) in &handles {
        assert!(found.read(handle).await.expect("it is still there") == *state);
    }
}
