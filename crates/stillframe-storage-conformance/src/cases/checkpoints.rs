//! Beginning, publishing and opening checkpoints.

use crate::Subject;
use crate::subject::{JOB, id, metadata_of};
use bytes::Bytes;
use futures_executor::block_on;
use stillframe_model::{LocationReference, Pointer};
use stillframe_storage::ErrorKind;

/// An id that is in use cannot be begun again, complete or not.
pub async fn an_id_is_begun_once(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let location = session.begin(id(1)).await;
    let again = session.coordinator.begin_checkpoint(id(1)).await;
    assert_eq!(again.expect_err("an id is used once").kind(), ErrorKind::AlreadyExists);
    session.publish(id(1), &location).await;
    let again = session.coordinator.begin_checkpoint(id(1)).await;
    assert_eq!(again.expect_err("a complete one is not replaced").kind(), ErrorKind::AlreadyExists);
    session.assert_readable(id(1)).await;
}

/// A second publication fails and changes nothing.
pub async fn publishing_twice_keeps_the_first(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let location = session.complete(id(1)).await;
    let second = session.coordinator.publish(id(1), &location, Bytes::from_static(b"another")).await;
    assert_eq!(second.expect_err("nothing is replaced").kind(), ErrorKind::AlreadyExists);
    session.assert_readable(id(1)).await;
}

/// Of several coordinators that publish the same checkpoint, one succeeds, and its metadata is what is read.
pub async fn of_many_publishers_one_wins(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let location = session.begin(id(1)).await;
    let publish = |publisher: usize| {
        let coordinator = session.access.coordinator();
        let location = location.clone();
        move || block_on(coordinator.publish(id(1), &location, Bytes::from(format!("by {publisher}"))))
    };
    let outcomes = std::thread::scope(|scope| {
        let threads = (0..8).map(|publisher| scope.spawn(publish(publisher))).collect::<Vec<_>>();
        threads.into_iter().map(|thread| thread.join().expect("no publisher panics")).collect::<Vec<_>>()
    });
    let winners =
        outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_ok()).map(|(publisher, _)| publisher);
    let [winner] = winners.collect::<Vec<_>>()[..] else {
        panic!("not exactly one publisher won: {outcomes:?}")
    };
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }
    let found = session.coordinator.open_checkpoint(id(1)).await.expect("the checkpoint opens");
    assert_eq!(found.metadata().await.expect("its metadata can be read"), format!("by {winner}"));
}

/// There is no place for a checkpoint that was not begun.
pub async fn what_was_not_begun_cannot_be_published(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let published = session.coordinator.publish(id(1), &LocationReference::Default, metadata_of(id(1))).await;
    assert_eq!(published.expect_err("nothing was begun").kind(), ErrorKind::NotFound);
    assert_eq!(session.coordinator.survey().await.expect("a survey succeeds").completed, []);
}

/// A checkpoint that never was cannot be opened.
pub async fn a_missing_checkpoint_is_not_found(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    session.complete(id(1)).await;
    let opened = session.coordinator.open_checkpoint(id(2)).await;
    assert_eq!(opened.expect_err("it never was").kind(), ErrorKind::NotFound);
}

/// A checkpoint whose metadata was not published cannot be opened, even if it has state.
pub async fn an_incomplete_checkpoint_cannot_be_opened(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let location = session.begin(id(1)).await;
    session.write(id(1), &location, &Bytes::from(vec![1; 100_000]), 100_000).await;
    let opened = session.coordinator.open_checkpoint(id(1)).await;
    assert_eq!(opened.expect_err("it is not complete").kind(), ErrorKind::NotFound);
}

/// A pointer leads to the checkpoint it was given for; a storage whose checkpoints have no address says so.
pub async fn a_pointer_leads_back_or_is_refused(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let location = session.begin(id(1)).await;
    let pointer = session.coordinator.publish(id(1), &location, metadata_of(id(1))).await;
    let pointer = pointer.expect("a checkpoint that was begun can be published");
    let opened = session.coordinator.open_checkpoint(id(1)).await.expect("the checkpoint opens");
    assert_eq!(opened.pointer(), &pointer);
    match subject.storage().resolve(&pointer).await {
        Ok(found) => {
            assert_eq!(found.pointer(), &pointer);
            assert_eq!(found.metadata().await.expect("its metadata can be read"), metadata_of(id(1)));
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidPointer, "{error}"),
    }
}

/// An empty pointer is no address.
pub async fn an_empty_pointer_is_refused(fresh: &dyn Fn() -> Subject) {
    let resolved = fresh().storage().resolve(&Pointer::new("")).await;
    assert_eq!(resolved.expect_err("it is empty").kind(), ErrorKind::InvalidPointer);
}
