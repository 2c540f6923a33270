//! Beginning, committing and opening checkpoints.

use crate::state::{JOB, LARGE, MEDIUM, pattern};
use crate::{Fresh, Verdict};
use bytes::Bytes;
use stillframe_model::{CheckpointId, LocationReference, Pointer};
use stillframe_storage::ErrorKind;

/// An id that is in use cannot be begun again, complete or not.
pub async fn an_id_is_begun_once(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.place().await;
    let again = session.coordinator.begin_checkpoint(id).await;
    assert_eq!(again.expect_err("an id is used once").kind(), ErrorKind::AlreadyExists);
    session.commit(id, &location, &[], &[]).await;
    let again = session.coordinator.begin_checkpoint(id).await;
    assert_eq!(again.expect_err("a complete one is not replaced").kind(), ErrorKind::AlreadyExists);
    assert_eq!(session.open(id).await.metadata().await.expect("it can be read"), session.metadata(id, &[]));
}

/// A checkpoint is among the retained ones as soon as it is committed, and not before.
pub async fn a_commit_makes_a_checkpoint_exist(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.leave_incomplete().await;
    assert_eq!(session.retained().await, []);
    session.commit(id, &location, &[], &[]).await;
    assert_eq!(session.retained().await, [id]);
    let taken = session.complete(&[]).await;
    assert_eq!(session.retained().await, [id, taken.id]);
    session.assert_intact(&taken).await;
}

/// A second commit of the same checkpoint fails and changes nothing.
pub async fn committing_twice_keeps_the_first(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let taken = session.complete(&[]).await;
    let other = Bytes::from_static(b"another");
    let second = session.coordinator.commit(taken.id, &taken.location, other, &[]).await;
    assert_eq!(second.expect_err("nothing is replaced").kind(), ErrorKind::AlreadyExists);
    assert_eq!(session.retained().await, [taken.id]);
    session.assert_intact(&taken).await;
}

/// There is no place for a checkpoint that was not begun.
pub async fn what_was_not_begun_cannot_be_committed(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let id = session.draw();
    let committed =
        session.coordinator.commit(id, &LocationReference::Default, session.metadata(id, &[]), &[]).await;
    let kind = committed.expect_err("nothing was begun").kind();
    assert!(!matches!(kind, ErrorKind::OutcomeUnknown | ErrorKind::Fenced), "{kind:?}");
    assert_eq!(session.retained().await, []);
}

/// A reference that another storage made leads to no checkpoint here.
pub async fn a_foreign_reference_is_not_committed(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.place().await;
    let foreign = LocationReference::Encoded(Bytes::from_static(b"\xff\xfe made by somebody else"));
    let committed = session.coordinator.commit(id, &foreign, session.metadata(id, &[]), &[]).await;
    assert_eq!(committed.expect_err("a commit is refused").kind(), ErrorKind::InvalidPointer);
    assert_eq!(session.retained().await, []);
    session.commit(id, &location, &[], &[]).await;
}

/// A checkpoint that never was cannot be opened.
pub async fn a_missing_checkpoint_is_not_found(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    session.complete_empty(&[]).await;
    let opened = session.coordinator.open_checkpoint(session.draw()).await;
    assert_eq!(opened.expect_err("it never was").kind(), ErrorKind::NotFound);
}

/// A checkpoint that was not committed cannot be opened, even if it has state.
pub async fn an_incomplete_checkpoint_cannot_be_opened(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, _) = session.leave_incomplete().await;
    let opened = session.coordinator.open_checkpoint(id).await;
    assert_eq!(opened.expect_err("it is not complete").kind(), ErrorKind::NotFound);
}

/// Metadata of any size comes back byte for byte.
pub async fn metadata_round_trips(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    for len in [1, MEDIUM, LARGE] {
        let (id, location) = session.place().await;
        let metadata = pattern(len, len as u64);
        let committed = session.coordinator.commit(id, &location, metadata.clone(), &[]).await;
        committed.expect("a checkpoint that was begun can be committed");
        let read = session.open(id).await.metadata().await.expect("its metadata can be read");
        assert!(read == metadata, "{len} bytes differ");
    }
}

/// Ids are numbers, not text.
pub async fn retained_ids_are_in_numeric_order(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.push(session.complete_empty(&[]).await.id);
    }
    assert_eq!(session.retained().await, ids);
}

/// What a commit drops is retained no longer; everything else is.
pub async fn a_commit_drops_others_with_it(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let [one, two, three] =
        [session.complete(&[]).await, session.complete(&[]).await, session.complete(&[]).await];
    let four = session.complete(&[one.id, three.id]).await;
    assert_eq!(session.retained().await, [two.id, four.id]);
    session.assert_intact(&two).await;
    session.assert_intact(&four).await;
    let five = session.complete(&[two.id, four.id]).await;
    assert_eq!(session.retained().await, [five.id]);
}

/// A commit that does not happen drops nothing: both are one step.
pub async fn a_commit_that_fails_drops_nothing(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let one = session.complete(&[]).await;
    let two = session.complete(&[]).await;
    let never_begun = session.draw();
    let foreign = LocationReference::Encoded(Bytes::from_static(b"\xff\xfe made by somebody else"));
    for (id, location) in
        [(never_begun, &LocationReference::Default), (two.id, &two.location), (never_begun, &foreign)]
    {
        let committed = session.coordinator.commit(id, location, Bytes::from_static(b"x"), &[one.id]).await;
        committed.expect_err("this cannot be committed");
        assert_eq!(session.retained().await, [one.id, two.id]);
        session.assert_intact(&one).await;
    }
}

/// What was dropped and removed is not found.
pub async fn a_dropped_checkpoint_cannot_be_opened_after_its_removal(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let one = session.complete(&[]).await;
    let two = session.complete(&[one.id]).await;
    session.coordinator.remove(one.id, &[]).await.expect("what was dropped can be removed");
    let opened = session.coordinator.open_checkpoint(one.id).await;
    assert_eq!(opened.expect_err("it is gone").kind(), ErrorKind::NotFound);
    if one.pointer != two.pointer {
        subject.storage().resolve(&one.pointer).await.expect_err("its address leads nowhere");
    }
    session.assert_intact(&two).await;
}

/// A pointer leads to the checkpoint it was given for; a storage whose checkpoints have no address says so.
pub async fn a_pointer_leads_back_or_is_refused(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let taken = session.complete(&[]).await;
    assert_eq!(session.open(taken.id).await.pointer(), &taken.pointer);
    match subject.storage().resolve(&taken.pointer).await {
        Ok(found) => {
            assert_eq!(found.pointer(), &taken.pointer);
            taken.assert_at(&*found).await;
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidPointer, "{error}"),
    }
    Verdict::Shown
}

/// An empty pointer is no address, and one of nowhere leads nowhere.
pub async fn an_empty_pointer_is_refused(fresh: Fresh<'_>) {
    let subject = fresh();
    let resolved = subject.storage().resolve(&Pointer::new("")).await;
    assert_eq!(resolved.expect_err("it is empty").kind(), ErrorKind::InvalidPointer);
    let nowhere = Pointer::new(format!("/nowhere/at/all/chk-{}", CheckpointId::FIRST));
    let kind = subject.storage().resolve(&nowhere).await.expect_err("nothing is there").kind();
    assert!(matches!(kind, ErrorKind::NotFound | ErrorKind::InvalidPointer), "{kind:?}");
}
