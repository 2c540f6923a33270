//! Giving up and removing checkpoints.

use crate::state::{JOB, LARGE, MEDIUM, pattern};
use crate::{Capability, Fresh, Verdict};
use bytes::Bytes;
use stillframe_model::{LocationReference, StateHandle};
use stillframe_storage::{ErrorKind, StateScope};

/// Giving up what was given up succeeds, so that an interrupted removal can be repeated.
pub async fn discarding_twice_is_harmless(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let one = session.complete(&[]).await;
    let before = subject.residue();
    let (id, location) = session.leave_incomplete().await;
    for _ in 0..3 {
        session.coordinator.discard(id, &location).await.expect("a checkpoint can be given up");
        assert_eq!(subject.residue(), before);
    }
    assert_eq!(session.retained().await, [one.id]);
    session.assert_intact(&one).await;
}

/// A checkpoint that was given up can no longer be committed, and what tasks wrote for it is gone.
pub async fn an_incomplete_checkpoint_can_be_discarded(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.leave_incomplete().await;
    session.coordinator.discard(id, &location).await.expect("a checkpoint can be given up");
    assert_eq!(subject.residue(), [""; 0]);
    let committed = session.coordinator.commit(id, &location, Bytes::from_static(b"m"), &[]).await;
    committed.expect_err("what was given up cannot be committed");
    assert_eq!(session.retained().await, []);
    assert_eq!(subject.residue(), [""; 0]);
}

/// Giving up a checkpoint of which nothing exists succeeds and creates nothing.
pub async fn what_never_was_can_be_discarded(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let id = session.draw();
    session.coordinator.discard(id, &LocationReference::Default).await.expect("nothing has to be done");
    assert_eq!(session.retained().await, []);
    assert_eq!(subject.residue(), [""; 0]);
}

/// A reference that another storage made leads to nothing that could be removed.
pub async fn a_foreign_reference_is_not_discarded(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.leave_incomplete().await;
    for foreign in [&b"\xff\xfe made by somebody else"[..], b"", b"\x05\x5f\x3f\x18"] {
        let foreign = LocationReference::Encoded(Bytes::from_static(foreign));
        let discarded = session.coordinator.discard(id, &foreign).await;
        assert_eq!(discarded.expect_err("a removal is refused").kind(), ErrorKind::InvalidPointer);
    }
    session.commit(id, &location, &[], &[]).await;
}

/// Removing what was removed succeeds, so that an interrupted removal can be repeated, also by the next run.
pub async fn removing_twice_is_harmless(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let one = session.complete(&[]).await;
    let two = session.complete(&[one.id]).await;
    for _ in 0..3 {
        session.coordinator.remove(one.id, &[]).await.expect("what was dropped can be removed");
    }
    drop(session);
    let session = subject.run(JOB).await;
    session.coordinator.remove(one.id, &[]).await.expect("and by a later run");
    assert_eq!(session.retained().await, [two.id]);
    session.assert_intact(&two).await;
}

/// Removing one checkpoint leaves its neighbours as they are, with their state.
pub async fn other_checkpoints_stay(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let mut taken = Vec::new();
    for _ in 0..11 {
        taken.push(session.complete(&[]).await);
    }
    // Of 1, 10 and 11, the first goes. Its name is the beginning of theirs.
    let last = session.complete(&[taken[0].id]).await;
    session.coordinator.remove(taken[0].id, &[]).await.expect("what was dropped can be removed");
    for taken in taken[1..].iter().chain([&last]) {
        session.assert_intact(taken).await;
    }
}

/// A later checkpoint may refer to shared state after the one that wrote it is gone.
pub async fn shared_state_outlives_the_checkpoint_that_wrote_it(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (one, location) = session.place().await;
    let mut shared = Vec::new();
    for len in [1, MEDIUM, LARGE] {
        let state = pattern(len, 11);
        shared.push((session.write((one, &location), StateScope::Shared, &state, len).await, state));
    }
    session.sync(one, &location).await;
    session.commit(one, &location, &shared, &[]).await;
    let two = session.complete_on(&shared, &[one]).await;
    session.coordinator.remove(one, &[]).await.expect("what was dropped can be removed");
    drop(session);
    let session = subject.run(JOB).await;
    let found = session.open(two.id).await;
    for (handle, state) in shared {
        assert!(
            found.read(&handle).await.expect("it is still there") == state,
            "{} bytes differ",
            state.len()
        );
    }
}

/// Of shared state that goes which is named, and no other.
pub async fn shared_state_goes_when_it_is_named(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (one, location) = session.place().await;
    let mut shared = Vec::new();
    for salt in [1, 2] {
        let state = pattern(LARGE, salt);
        shared.push((session.write((one, &location), StateScope::Shared, &state, LARGE).await, state));
    }
    session.sync(one, &location).await;
    session.commit(one, &location, &shared, &[]).await;
    let file = |handle: &StateHandle| handle.file().cloned();
    let [(gone, _), (stays, state)] = &shared[..] else { panic!("two states were written") };
    shared.iter().for_each(|(handle, _)| subject.assert_place(handle));
    if let Some(verdict) = subject.without(Capability::StateInFiles) {
        return verdict;
    }
    let (Some(file), Some(_)) = (file(gone), file(stays)) else {
        return Verdict::skipped("it put all state into the metadata");
    };
    let two = session.complete_on(&shared[1..], &[one]).await;
    for _ in 0..2 {
        let named = std::slice::from_ref(&file);
        session.coordinator.remove(one, named).await.expect("what was dropped can be removed");
    }
    let found = session.open(two.id).await;
    let read = found.read(gone).await;
    assert_eq!(read.expect_err("it was named").kind(), ErrorKind::NotFound);
    assert!(found.read(stays).await.expect("it was not named") == *state);
    session.assert_intact(&two).await;
    Verdict::Shown
}

/// What somebody else put into the place of a checkpoint is left to him.
pub async fn what_is_not_ours_stays(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    if let Some(verdict) = subject.without(Capability::ReachableMedium) {
        return verdict;
    }
    let Some(put) = subject.foreign() else {
        return Verdict::skipped("nobody said how to put something foreign there");
    };
    let session = subject.run(JOB).await;
    let one = session.complete(&[]).await;
    let in_one = put(JOB, one.id);
    let two = session.complete(&[one.id]).await;
    // It may say that something is left, or be content.
    let _ = session.coordinator.remove(one.id, &[]).await;
    let (three, location) = session.leave_incomplete().await;
    let in_three = put(JOB, three);
    let _ = session.coordinator.discard(three, &location).await;
    let residue = subject.residue();
    assert!(residue.contains(&in_one) && residue.contains(&in_three), "it was removed: {residue:?}");
    assert_eq!(session.retained().await, [two.id]);
    session.assert_intact(&two).await;
    Verdict::Shown
}

/// After every checkpoint is removed the storage is as empty as it began.
pub async fn nothing_is_left_behind(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let mut taken = Vec::new();
    for _ in 0..3 {
        taken.push(session.complete(&[]).await.id);
        let (given_up, location) = session.leave_incomplete().await;
        session.coordinator.discard(given_up, &location).await.expect("a checkpoint can be given up");
    }
    let status = stillframe_model::JobStatus::Finished;
    session.coordinator.conclude(status, &taken).await.expect("the end can be written down");
    for id in taken {
        session.coordinator.remove(id, &[]).await.expect("what was dropped can be removed");
    }
    assert_eq!(subject.residue(), [""; 0]);
}
