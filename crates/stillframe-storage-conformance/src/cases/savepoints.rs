//! Savepoints: snapshots that belong to whoever asked for them.

use crate::state::{JOB, MEDIUM};
use crate::{Capability, Fresh, Subject, Verdict};
use bytes::Bytes;
use stillframe_storage::ErrorKind;

/// The place that the subject names for savepoints, or why there is none.
async fn target(subject: &Subject) -> Result<&str, Verdict> {
    if subject.lacks(Capability::Savepoints) {
        refuses(subject).await;
        return Err(Verdict::Shown);
    }
    subject.savepoint_target().ok_or_else(|| Verdict::skipped("nobody said where savepoints can go"))
}

/// Asserts that a storage that says it keeps no savepoints refuses each.
async fn refuses(subject: &Subject) {
    let session = subject.run(JOB).await;
    assert!(!session.coordinator.has_default_savepoint_location(), "there is none without savepoints");
    for target in [None, Some("/anywhere"), subject.savepoint_target()] {
        let begun = session.coordinator.begin_savepoint(session.draw(), target).await;
        assert_eq!(begun.expect_err("it keeps no savepoints").kind(), ErrorKind::Unsupported);
    }
}

/// A savepoint lies below its target, and its pointer leads to it.
pub async fn a_savepoint_goes_where_it_was_asked_for(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let target = target(&subject).await?;
    let session = subject.run(JOB).await;
    let taken = session.savepoint(Some(target)).await;
    let found = subject.storage().resolve(&taken.pointer).await.expect("the pointer leads to it");
    assert_eq!(found.pointer(), &taken.pointer);
    taken.assert_at(&*found).await;
    Ok(())
}

/// Without a target it goes to the storage's own place for savepoints, if there is one.
pub async fn a_savepoint_goes_to_the_default_place(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    let session = subject.run(JOB).await;
    if !session.coordinator.has_default_savepoint_location() {
        return Verdict::does_not_apply("it has no place of its own for savepoints");
    }
    let taken = session.savepoint(None).await;
    let found = subject.storage().resolve(&taken.pointer).await.expect("the pointer leads to it");
    taken.assert_at(&*found).await;
    Verdict::Shown
}

/// Without either it is refused, in words that say so.
pub async fn a_savepoint_without_a_place_is_refused(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    let session = subject.run(JOB).await;
    if session.coordinator.has_default_savepoint_location() {
        return Verdict::does_not_apply("it has a place of its own for savepoints");
    }
    let before = subject.residue();
    let begun = session.coordinator.begin_savepoint(session.draw(), None).await;
    assert_eq!(begun.expect_err("it has no place").kind(), ErrorKind::Unsupported);
    assert_eq!(subject.residue(), before);
    Verdict::Shown
}

/// A savepoint refers to nothing outside: what would be shared with checkpoints is in it too.
pub async fn a_savepoint_holds_all_its_state(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let target = target(&subject).await?;
    let session = subject.run(JOB).await;
    let taken = session.savepoint(Some(target)).await;
    let files = taken.files().cloned().collect::<Vec<_>>();
    // Nothing that a job does to its own shared state touches it.
    let one = session.complete(&[]).await;
    session.complete(&[one.id]).await;
    session.coordinator.remove(one.id, &files).await.expect("what was dropped can be removed");
    let found = subject.storage().resolve(&taken.pointer).await.expect("the pointer leads to it");
    taken.assert_at(&*found).await;
    Ok(())
}

/// Any number of savepoints have room in one place, also of one job and at once.
pub async fn savepoints_do_not_collide(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let target = target(&subject).await?;
    let session = subject.run(JOB).await;
    let one = session.savepoint(Some(target)).await;
    let two = session.savepoint(Some(target)).await;
    assert_ne!(one.pointer, two.pointer);
    for taken in [one, two] {
        let found = subject.storage().resolve(&taken.pointer).await.expect("the pointer leads to it");
        taken.assert_at(&*found).await;
    }
    Ok(())
}

/// A savepoint is not retained, and stays whatever becomes of the job.
pub async fn a_savepoint_is_nobodys_checkpoint(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let target = target(&subject).await?;
    let session = subject.run(JOB).await;
    let one = session.complete(&[]).await;
    let taken = session.savepoint(Some(target)).await;
    assert_eq!(session.retained().await, [one.id]);
    let opened = session.coordinator.open_checkpoint(taken.id).await;
    assert_eq!(opened.expect_err("it is no checkpoint").kind(), ErrorKind::NotFound);
    let status = stillframe_model::JobStatus::Canceled;
    session.coordinator.conclude(status, &[one.id]).await.expect("the end can be written down");
    session.coordinator.remove(one.id, &[]).await.expect("what was dropped can be removed");
    session.coordinator.sweep(stillframe_storage::SweepMode::Remove).await.expect("a sweep succeeds");
    let found = subject.storage().resolve(&taken.pointer).await.expect("the pointer leads to it");
    taken.assert_at(&*found).await;
    Ok(())
}

/// A second publication fails and changes nothing.
pub async fn a_savepoint_is_published_once(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let target = target(&subject).await?;
    let session = subject.run(JOB).await;
    let taken = session.savepoint(Some(target)).await;
    let other = Bytes::from_static(b"another");
    let again = session.coordinator.publish_savepoint(taken.id, &taken.location, other).await;
    assert_eq!(again.expect_err("nothing is replaced").kind(), ErrorKind::AlreadyExists);
    let found = subject.storage().resolve(&taken.pointer).await.expect("the pointer leads to it");
    taken.assert_at(&*found).await;
    Ok(())
}

/// A savepoint that was given up leaves neither state nor a place.
pub async fn a_discarded_savepoint_leaves_nothing(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let target = target(&subject).await?;
    let session = subject.run(JOB).await;
    let before = subject.residue();
    let id = session.draw();
    let location = session.coordinator.begin_savepoint(id, Some(target)).await.expect("it can be begun");
    session.write_one((id, &location), MEDIUM).await;
    session.sync(id, &location).await;
    for _ in 0..2 {
        session.coordinator.discard(id, &location).await.expect("a savepoint can be given up");
        assert_eq!(subject.residue(), before);
    }
    let published = session.coordinator.publish_savepoint(id, &location, session.metadata(id, &[])).await;
    published.expect_err("what was given up cannot be published");
    Ok(())
}

/// A savepoint that a person moved is the same savepoint.
pub async fn a_savepoint_can_be_moved(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let target = target(&subject).await?;
    let Some(relocate) = subject.relocation() else {
        return Err(Verdict::skipped("nobody said how to move a savepoint"));
    };
    let session = subject.run(JOB).await;
    let taken = session.savepoint(Some(target)).await;
    let moved = relocate(&taken.pointer);
    assert_ne!(moved, taken.pointer);
    let found = subject.storage().resolve(&moved).await.expect("it is found where it was moved to");
    taken.assert_at(&*found).await;
    let gone = subject.storage().resolve(&taken.pointer).await;
    assert_eq!(gone.expect_err("it is no longer where it was").kind(), ErrorKind::NotFound);
    Ok(())
}
