//! Savepoints that their owner has removed.

use crate::session::{Session, Taken};
use crate::state::JOB;
use crate::{Capability, Fresh, Subject, Verdict};
use stillframe_model::Pointer;
use stillframe_storage::{ErrorKind, StorageError};

/// A savepoint, or that there can be none to dispose of.
async fn savepoint(subject: &Subject) -> Result<(Session, Taken), Verdict> {
    if let Some(verdict) = subject.without(Capability::Savepoints) {
        return Err(verdict);
    }
    let Some(target) = subject.savepoint_target() else {
        return Err(Verdict::skipped("nobody said where savepoints can go"));
    };
    let session = subject.run(JOB).await;
    let taken = session.savepoint(Some(target)).await;
    if subject.lacks(Capability::Disposal) {
        refuses(subject, &taken.pointer, ErrorKind::Unsupported).await;
        let found = subject.storage().resolve(&taken.pointer).await.expect("it is still there");
        taken.assert_at(&*found).await;
        return Err(Verdict::Shown);
    }
    Ok((session, taken))
}

async fn dispose(subject: &Subject, pointer: &Pointer) -> Result<(), StorageError> {
    subject.storage().dispose_savepoint(pointer).await
}

async fn refuses(subject: &Subject, pointer: &Pointer, kind: ErrorKind) {
    let before = subject.residue();
    assert_eq!(dispose(subject, pointer).await.expect_err("it is not disposed of").kind(), kind);
    assert_eq!(subject.residue(), before, "what is not disposed of stays");
}

/// Neither metadata nor state is left, and the pointer leads nowhere.
pub async fn a_disposed_savepoint_leaves_nothing(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let before = subject.residue();
    let (_, taken) = savepoint(&subject).await?;
    dispose(&subject, &taken.pointer).await.expect("a savepoint can be disposed of");
    assert_eq!(subject.residue(), before);
    let gone = subject.storage().resolve(&taken.pointer).await;
    assert_eq!(gone.expect_err("it is gone").kind(), ErrorKind::NotFound);
    Ok(())
}

/// It takes nothing else with it: no other savepoint in the same place, and no checkpoint.
pub async fn other_savepoints_stay(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let (session, taken) = savepoint(&subject).await?;
    let checkpoint = session.complete(&[]).await;
    let other = session.savepoint(subject.savepoint_target()).await;
    dispose(&subject, &taken.pointer).await.expect("a savepoint can be disposed of");
    session.assert_intact(&checkpoint).await;
    let found = subject.storage().resolve(&other.pointer).await.expect("the other one is still there");
    other.assert_at(&*found).await;
    Ok(())
}

/// What is gone is not found, and so is what never was.
pub async fn a_savepoint_is_disposed_of_once(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let (_, taken) = savepoint(&subject).await?;
    dispose(&subject, &taken.pointer).await.expect("a savepoint can be disposed of");
    refuses(&subject, &taken.pointer, ErrorKind::NotFound).await;
    refuses(&subject, &Pointer::new(format!("{}-elsewhere", taken.pointer)), ErrorKind::NotFound).await;
    refuses(&subject, &Pointer::new(""), ErrorKind::InvalidPointer).await;
    Ok(())
}

/// A checkpoint belongs to its job, whoever knows its pointer.
pub async fn a_checkpoint_is_not_disposed_of(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let taken = session.complete(&[]).await;
    let kind =
        if subject.lacks(Capability::Disposal) { ErrorKind::Unsupported } else { ErrorKind::InvalidPointer };
    refuses(&subject, &taken.pointer, kind).await;
    session.assert_intact(&taken).await;
    Verdict::Shown
}

/// If its metadata is damaged it may be anything, and stays.
pub async fn what_cannot_be_read_is_not_disposed_of(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let before = subject.residue();
    let (_, taken) = savepoint(&subject).await?;
    let Some(damage) = subject.damage() else {
        return Err(Verdict::skipped("nobody said how to damage a file"));
    };
    let metadata = subject.new_since(&before).into_iter().filter(|name| name.contains("metadata"));
    let [metadata] = &metadata.collect::<Vec<_>>()[..] else {
        return Err(Verdict::skipped("it does not show which object holds the metadata"));
    };
    damage(metadata);
    refuses(&subject, &taken.pointer, ErrorKind::Corrupt).await;
    Ok(())
}
