//! Removing checkpoints.

use crate::Subject;
use crate::subject::{JOB, id, pattern};
use stillframe_model::LocationReference;
use stillframe_storage::{ErrorKind, Survey};

/// Discarding what was discarded succeeds, so that an interrupted removal can be repeated.
pub async fn discarding_twice_is_harmless(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let location = session.complete(id(1)).await;
    for _ in 0..2 {
        session.coordinator.discard(id(1), &location).await.expect("a checkpoint can be discarded");
        assert_eq!(session.coordinator.survey().await.expect("a survey succeeds"), Survey::default());
        let opened = session.coordinator.open_checkpoint(id(1)).await;
        assert_eq!(opened.expect_err("it is gone").kind(), ErrorKind::NotFound);
    }
}

/// A checkpoint that was aborted can be removed with what tasks wrote for it.
pub async fn an_incomplete_checkpoint_can_be_discarded(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let location = session.begin(id(1)).await;
    session.write(id(1), &location, &pattern(100_000, 1), 100_000).await;
    session.coordinator.discard(id(1), &location).await.expect("an incomplete checkpoint can be discarded");
    assert_eq!(session.coordinator.survey().await.expect("a survey succeeds"), Survey::default());
    assert_eq!(subject.residue(), [""; 0]);
}

/// Discarding a checkpoint of which nothing exists succeeds and creates nothing.
pub async fn what_never_was_can_be_discarded(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    session.coordinator.discard(id(1), &LocationReference::Default).await.expect("nothing has to be done");
    assert_eq!(session.coordinator.survey().await.expect("a survey succeeds"), Survey::default());
}

/// Discarding one checkpoint leaves its neighbours readable, with their state.
pub async fn other_checkpoints_stay(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let mut handles = Vec::new();
    for number in [1, 10, 11] {
        let location = session.begin(id(number)).await;
        let handle = session.write(id(number), &location, &pattern(100_000, number), 100_000).await;
        session.publish(id(number), &location).await;
        handles.push((number, handle));
    }
    session
        .coordinator
        .discard(id(1), &LocationReference::Default)
        .await
        .expect("a checkpoint can be discarded");
    for (number, handle) in &handles[1..] {
        session.assert_readable(id(*number)).await;
        let found = session.coordinator.open_checkpoint(id(*number)).await.expect("the checkpoint opens");
        assert_eq!(found.read(handle).await.expect("state can be read"), pattern(100_000, *number));
    }
}

/// After every checkpoint is discarded the storage is as empty as it began.
pub async fn nothing_is_left_behind(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    for number in 1..=3 {
        let location = session.begin(id(number)).await;
        for len in [1, 100_000] {
            session.write(id(number), &location, &pattern(len, number), len).await;
        }
        session.publish(id(number), &location).await;
    }
    for number in 1..=3 {
        let discarded = session.coordinator.discard(id(number), &LocationReference::Default).await;
        discarded.expect("a checkpoint can be discarded");
    }
    assert_eq!(subject.residue(), [""; 0]);
}
