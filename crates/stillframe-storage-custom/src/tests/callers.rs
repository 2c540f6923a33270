//! What the guard asks of whoever calls it: refused before the storage hears of it.

use super::storage::{Fault, Shelf, TOO_MUCH};
use super::{guarded, id, policy, views};
use crate::{Party, Rule, Violation};
use bytes::Bytes;
use core::fmt::Debug;
use futures_executor::block_on;
use stillframe_model::LocationReference::Default;
use stillframe_storage::{ErrorKind, StateScope, StorageError};

fn expect<T: Debug>(result: Result<T, StorageError>, rule: Rule) {
    let error = result.unwrap_err();
    let violation = Violation::of(&error).unwrap();
    assert_eq!((violation.rule(), rule.party(), error.kind()), (rule, Party::Caller, ErrorKind::Other));
    assert!(error.to_string().contains("the caller of custom storage shelf"), "{error}");
}

#[test]
fn only_what_was_begun_and_not_discarded_is_committed() {
    let shelf = Shelf::new(Fault::Panic("commit"));
    let (coordinator, _) = views(&guarded(&shelf, policy()));
    let metadata = Bytes::from_static(b"m");
    expect(block_on(coordinator.commit(id(1), &Default, metadata.clone(), &[])), Rule::BeginBeforeCommit);
    block_on(coordinator.begin_checkpoint(id(2))).unwrap();
    block_on(coordinator.discard(id(2), &Default)).unwrap();
    expect(block_on(coordinator.commit(id(2), &Default, metadata.clone(), &[])), Rule::BeginBeforeCommit);
    expect(block_on(coordinator.publish_savepoint(id(3), &Default, metadata)), Rule::BeginBeforeCommit);
}

#[test]
fn what_is_complete_or_may_be_is_neither_discarded_nor_removed() {
    let shelf = Shelf::new(Fault::None);
    let storage = guarded(&shelf, policy());
    let (coordinator, _) = views(&storage);
    block_on(coordinator.begin_checkpoint(id(1))).unwrap();
    block_on(coordinator.commit(id(1), &Default, Bytes::new(), &[])).unwrap();
    expect(block_on(coordinator.discard(id(1), &Default)), Rule::CompletedIsKept);
    expect(block_on(coordinator.remove(id(1), &[])), Rule::CompletedIsKept);

    // A coordinator that finds it knows it as well as the one that made it.
    let (next, _) = views(&storage);
    block_on(next.claim()).unwrap();
    expect(block_on(next.remove(id(1), &[])), Rule::CompletedIsKept);

    block_on(coordinator.begin_checkpoint(id(2))).unwrap();
    shelf.fence();
    let fenced = block_on(coordinator.commit(id(2), &Default, Bytes::new(), &[id(1)])).unwrap_err();
    assert_eq!(fenced.kind(), ErrorKind::Fenced);
    expect(block_on(coordinator.discard(id(2), &Default)), Rule::CompletedIsKept);
    expect(block_on(coordinator.remove(id(1), &[])), Rule::CompletedIsKept);
}

#[test]
fn a_commit_that_failed_for_certain_can_be_discarded_or_repeated() {
    let shelf = Shelf::new(Fault::None);
    let (coordinator, _) = views(&guarded(&shelf, policy()));
    block_on(coordinator.begin_checkpoint(id(1))).unwrap();
    block_on(coordinator.begin_savepoint(id(2), None)).unwrap();
    block_on(coordinator.commit(id(1), &Default, Bytes::new(), &[])).unwrap();
    assert_eq!(
        block_on(coordinator.commit(id(1), &Default, Bytes::new(), &[])).unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    assert_eq!(block_on(coordinator.claim()).unwrap().retained, [id(1)]);
    block_on(coordinator.publish_savepoint(id(2), &Default, Bytes::new())).unwrap();
    expect(block_on(coordinator.discard(id(2), &Default)), Rule::CompletedIsKept);
}

#[test]
fn after_an_error_a_stream_is_only_aborted() {
    let shelf = Shelf::new(Fault::None);
    let (_, worker) = views(&guarded(&shelf, policy()));
    let create = || block_on(worker.create(id(1), &Default, StateScope::Exclusive)).unwrap();
    let mut stream = create();
    let failed = block_on(stream.write(Bytes::from_static(TOO_MUCH))).unwrap_err();
    assert_eq!((failed.kind(), Violation::of(&failed)), (ErrorKind::NoSpace, None));
    expect(block_on(stream.write(Bytes::from_static(b"more"))), Rule::AbortAfterError);
    block_on(stream.abort()).unwrap();

    let mut stream = create();
    block_on(stream.write(Bytes::from_static(b"longer than inline"))).unwrap();
    block_on(stream.write(Bytes::from_static(TOO_MUCH))).unwrap_err();
    expect(block_on(stream.finish()), Rule::AbortAfterError);
    assert_eq!(shelf.files(), 0);
}
