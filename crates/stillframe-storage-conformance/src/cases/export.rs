//! Snapshots that are copied elsewhere, whole.

use crate::session::{Session, Taken};
use crate::state::{JOB, LARGE, MEDIUM, pattern};
use crate::{Capability, Fresh, Subject, Verdict};
use bytes::Bytes;
use stillframe_model::{CheckpointMetadata, Pointer, StateDirectory, StateHandle, TaskSnapshot};
use stillframe_storage::{CompletedLocation, ErrorKind, StateScope};

/// Where copies can go, or why there can be none.
async fn target(subject: &Subject) -> Result<&str, Verdict> {
    if subject.lacks(Capability::Export) {
        let session = subject.run(JOB).await;
        let taken = session.complete(&[]).await;
        let exported = subject.storage().export(&taken.pointer, "/anywhere").await;
        assert_eq!(exported.expect_err("it does not copy").kind(), ErrorKind::Unsupported);
        return Err(Verdict::Shown);
    }
    if let Some(verdict) = subject.without(Capability::Savepoints) {
        return Err(verdict);
    }
    subject.savepoint_target().ok_or_else(|| Verdict::skipped("nobody said where savepoints can go"))
}

/// A checkpoint that goes on with the shared state of one before it.
async fn checkpoint(session: &Session) -> (Taken, Taken) {
    let (id, location) = session.place().await;
    let mut states = Vec::new();
    for len in [MEDIUM, LARGE] {
        let state = pattern(len, 7);
        let handle = session.write((id, &location), StateScope::Shared, &state, len).await;
        states.push((handle, state));
    }
    session.sync(id, &location).await;
    let pointer = session.commit(id, &location, &states, &[]).await;
    let metadata = session.metadata(id, &states);
    let earlier = Taken { id, location, states, metadata, pointer };
    let later = session.complete_on(&earlier.states, &[]).await;
    (earlier, later)
}

/// What the copy consists of.
async fn content(subject: &Subject, found: &dyn CompletedLocation) -> Result<CheckpointMetadata, Verdict> {
    decode(subject, &found.metadata().await.expect("its metadata can be read"))
}

fn decode(subject: &Subject, metadata: &[u8]) -> Result<CheckpointMetadata, Verdict> {
    subject.decode(metadata).ok_or_else(|| Verdict::skipped("nobody said how metadata is read"))
}

/// Asserts that a copy has these states and no other, all of them in its own directory.
async fn assert_states(found: &dyn CompletedLocation, content: &CheckpointMetadata, states: &[Bytes]) {
    let subtasks = content.operators.values().flat_map(|operator| &operator.subtasks);
    let handles: Vec<&StateHandle> = subtasks.flat_map(TaskSnapshot::handles).collect();
    assert_eq!(handles.len(), states.len(), "a copy has as many states as the snapshot");
    for (handle, state) in handles.into_iter().zip(states) {
        let is_own = handle.file().is_none_or(|file| file.directory == StateDirectory::Exclusive);
        assert!(is_own, "a copy refers to {handle:?}, which is outside");
        let read = found.read(handle).await.expect("its state can be read");
        assert!(read == *state, "{} bytes of state differ in the copy", state.len());
    }
}

fn states_of(taken: &Taken) -> Vec<Bytes> {
    taken.states.iter().map(|(_, state)| state.clone()).collect()
}

/// Whatever becomes of the checkpoint, of those whose state it shares, and of the job, the copy has all of its state.
pub async fn an_exported_checkpoint_needs_nothing_else(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let target = target(&subject).await?;
    let session = subject.run(JOB).await;
    let (earlier, later) = checkpoint(&session).await;
    if subject.storage().resolve(&later.pointer).await.is_err() {
        return Err(Verdict::does_not_apply("its checkpoints have no address"));
    }
    let copy = subject.storage().export(&later.pointer, target).await.expect("it can be copied");
    session.assert_intact(&earlier).await;
    session.assert_intact(&later).await;
    let newest = session.complete_empty(&[earlier.id, later.id]).await;
    let shared: Vec<_> = earlier.files().cloned().collect();
    session.coordinator.remove(earlier.id, &[]).await.expect("what was dropped can be removed");
    session.coordinator.remove(later.id, &shared).await.expect("what was dropped can be removed");
    session.coordinator.sweep(stillframe_storage::SweepMode::Remove).await.expect("a sweep succeeds");
    session.assert_intact(&newest).await;
    let found = subject.storage().resolve(&copy).await.expect("the pointer leads to the copy");
    assert_eq!(found.pointer(), &copy);
    let content = content(&subject, &*found).await?;
    assert!(content.kind.is_savepoint(), "a copy is its owner's, and it says {}", content.kind);
    assert_eq!((content.job, content.checkpoint), (JOB, later.id));
    assert_states(&*found, &content, &states_of(&later)).await;
    Ok(())
}

/// A copied savepoint is what it was, in another place.
pub async fn an_exported_savepoint_is_a_savepoint(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let target = target(&subject).await?;
    let session = subject.run(JOB).await;
    let taken = session.savepoint(Some(target)).await;
    let copy = subject.storage().export(&taken.pointer, target).await.expect("it can be copied");
    assert_ne!(copy, taken.pointer);
    let found = subject.storage().resolve(&taken.pointer).await.expect("what was copied is still there");
    taken.assert_at(&*found).await;
    let found = subject.storage().resolve(&copy).await.expect("the pointer leads to the copy");
    let (content, original) = (content(&subject, &*found).await?, decode(&subject, &taken.metadata)?);
    assert_eq!(content.kind, original.kind);
    assert_states(&*found, &content, &states_of(&taken)).await;
    Ok(())
}

/// A copy is a savepoint like any other, also for whoever has it removed.
pub async fn what_was_exported_can_be_disposed_of(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let target = target(&subject).await?;
    if let Some(verdict) = subject.without(Capability::Disposal) {
        return Err(verdict);
    }
    let session = subject.run(JOB).await;
    let taken = session.savepoint(Some(target)).await;
    let before = subject.residue();
    let copy = subject.storage().export(&taken.pointer, target).await.expect("it can be copied");
    subject.storage().dispose_savepoint(&copy).await.expect("a copy can be disposed of");
    assert_eq!(subject.residue(), before);
    let found = subject.storage().resolve(&taken.pointer).await.expect("what was copied is still there");
    taken.assert_at(&*found).await;
    Ok(())
}

/// Any number of copies have room in one place.
pub async fn exports_do_not_collide(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let target = target(&subject).await?;
    let session = subject.run(JOB).await;
    let taken = session.savepoint(Some(target)).await;
    let one = subject.storage().export(&taken.pointer, target).await.expect("it can be copied");
    let two = subject.storage().export(&one, target).await.expect("a copy can be copied");
    assert_ne!(one, two);
    for copy in [one, two] {
        let found = subject.storage().resolve(&copy).await.expect("the pointer leads to the copy");
        let content = content(&subject, &*found).await?;
        assert_states(&*found, &content, &states_of(&taken)).await;
    }
    Ok(())
}

/// What is not there is not found, and leaves no place for a copy.
pub async fn nothing_can_be_exported_from_nowhere(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let target = target(&subject).await?;
    let session = subject.run(JOB).await;
    let taken = session.savepoint(Some(target)).await;
    let before = subject.residue();
    for (pointer, kind) in [
        (Pointer::new(format!("{}-elsewhere", taken.pointer)), ErrorKind::NotFound),
        (Pointer::new(""), ErrorKind::InvalidPointer),
    ] {
        let exported = subject.storage().export(&pointer, target).await;
        assert_eq!(exported.expect_err("nothing is there").kind(), kind);
        assert_eq!(subject.residue(), before);
    }
    Ok(())
}

/// Of a snapshot of which one bit is wrong there is no copy, nor a part of one.
pub async fn a_damaged_snapshot_is_not_exported(fresh: Fresh<'_>) -> Result<(), Verdict> {
    let subject = fresh();
    let target = target(&subject).await?;
    let Some(damage) = subject.damage() else {
        return Err(Verdict::skipped("nobody said how to damage a file"));
    };
    let session = subject.run(JOB).await;
    let before = subject.residue();
    let taken = session.savepoint(Some(target)).await;
    for name in subject.new_since(&before) {
        damage(&name);
        let occupied = subject.residue();
        let exported = subject.storage().export(&taken.pointer, target).await;
        assert_eq!(exported.expect_err("it is damaged").kind(), ErrorKind::Corrupt, "{name}");
        assert_eq!(subject.residue(), occupied, "{name}");
        // The same bit again.
        damage(&name);
    }
    subject.storage().export(&taken.pointer, target).await.expect("it is whole again");
    Ok(())
}
