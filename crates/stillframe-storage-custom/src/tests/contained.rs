//! Panics, and calls that do not return.

use super::storage::{Fault, Shelf};
use super::{Hurry, guarded, id, policy, script, views};
use crate::{CallKind, GuardPolicy, Rule, Violation};
use bytes::Bytes;
use core::num::NonZeroUsize;
use core::time::Duration;
use futures_executor::block_on;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stillframe_model::LocationReference::Default;
use stillframe_storage::{CommitStage, ErrorKind, StateScope};

/// Every call that the guard makes, and whether something may have happened when it does not answer.
const CALLS: &[(&str, bool)] = &[
    ("open storage for", false),
    ("claim", true),
    ("begin", false),
    ("create state of", false),
    ("write", false),
    ("finish", false),
    ("abort", false),
    ("sync state of", false),
    ("commit", true),
    ("open", false),
    ("read metadata of", false),
    ("open state of", false),
    ("read state of", false),
    ("resolve", false),
    ("remove", false),
    ("discard", false),
    ("create", false),
    ("delete", false),
    ("begin savepoint", false),
    ("publish savepoint", true),
    ("adopt", true),
    ("sweep", false),
    ("conclude", true),
];

#[test]
fn a_panic_in_any_call_is_an_error_that_says_where() {
    for &(operation, has_effect) in CALLS {
        let shelf = Shelf::new(Fault::Panic(operation));
        let storage = guarded(&shelf, policy());
        let error = block_on(script::everything(&storage, &shelf)).expect_err(operation);
        let violation = Violation::of(&error).unwrap_or_else(|| panic!("{operation}: {error:?}"));
        assert_eq!((violation.rule(), violation.operation()), (Rule::DoesNotPanic, operation));
        assert!(violation.found().contains(&format!("out of shelves in {operation}")), "{violation}");
        let kind = if has_effect { ErrorKind::OutcomeUnknown } else { ErrorKind::Other };
        assert_eq!(error.kind(), kind, "{operation}");
        assert_eq!(storage.report().lost, []);
    }
}

#[test]
fn a_call_that_does_not_return_is_over_at_its_deadline_and_reported_until_it_does() {
    for &(operation, has_effect) in CALLS {
        let shelf = Shelf::new(Fault::Hang(operation));
        let storage = guarded(&shelf, policy().with_patience(Hurry::gives_up(operation)));
        let error = block_on(script::everything(&storage, &shelf)).expect_err(operation);
        let violation = Violation::of(&error).unwrap_or_else(|| panic!("{operation}: {error:?}"));
        assert_eq!((violation.rule(), violation.operation()), (Rule::ReturnsInTime, operation));
        let kind = if has_effect { ErrorKind::OutcomeUnknown } else { ErrorKind::Unavailable };
        assert_eq!(error.kind(), kind, "{operation}");
        let lost = storage.report().lost.iter().map(|lost| lost.operation).collect::<Vec<_>>();
        assert_eq!(lost, [operation]);
        shelf.release();
        while !storage.report().lost.is_empty() {
            std::thread::yield_now();
        }
    }
}

#[test]
fn what_has_no_error_to_give_is_only_reported() {
    for operation in ["name state of", "drop"] {
        let shelf = Shelf::new(Fault::Panic(operation));
        let storage = guarded(&shelf, policy());
        let result = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
            block_on(script::everything(&storage, &shelf))
        }));
        // The script wants a name, which there is none, and goes on where a drop fails.
        assert_eq!(result.is_err(), operation == "name state of");
        let latest = storage.report().latest.unwrap();
        assert_eq!((latest.rule(), latest.operation()), (Rule::DoesNotPanic, operation));
    }
}

#[test]
fn when_every_thread_is_lost_calls_are_refused_with_what_holds_them() {
    let shelf = Shelf::new(Fault::Hang("claim"));
    let policy = policy().with_patience(Hurry::gives_up("claim")).with_threads(NonZeroUsize::MIN);
    let storage = guarded(&shelf, policy);
    let (coordinator, worker) = views(&storage);
    block_on(coordinator.claim()).unwrap_err();
    let error = block_on(coordinator.begin_checkpoint(id(1))).unwrap_err();
    assert_eq!((error.kind(), Violation::of(&error)), (ErrorKind::Unavailable, None));
    assert!(
        error.to_string().contains("all 1 threads are held by calls that never returned: claim job"),
        "{error}"
    );
    // The storage has done nothing wrong here, and may succeed later.
    block_on(worker.sync(id(1), &Default)).unwrap_err();
    shelf.release();
    while !storage.report().lost.is_empty() {
        std::thread::yield_now();
    }
    block_on(coordinator.begin_checkpoint(id(1))).unwrap();
    block_on(worker.sync(id(1), &Default)).unwrap();
    assert_eq!(storage.report().threads, 1);
}

#[test]
fn a_stream_that_comes_too_late_is_dropped_by_the_thread_that_made_it() {
    let shelf = Shelf::new(Fault::Hang("create state of"));
    let storage = guarded(&shelf, policy().with_patience(Hurry::gives_up("create state of")));
    let (_, worker) = views(&storage);
    block_on(worker.create(id(1), &Default, StateScope::Exclusive)).unwrap_err();
    shelf.release();
    while !storage.report().lost.is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(shelf.files(), 0);
}

#[test]
fn after_a_lost_write_the_stream_is_only_left_and_after_a_lost_sync_its_checkpoint() {
    let shelf = Shelf::new(Fault::Hang("write"));
    let (_, worker) = views(&guarded(&shelf, policy().with_patience(Hurry::gives_up("write"))));
    let mut stream = block_on(worker.create(id(1), &Default, StateScope::Exclusive)).unwrap();
    block_on(stream.write(Bytes::from_static(b"a"))).unwrap_err();
    let again = block_on(stream.write(Bytes::from_static(b"a"))).unwrap_err();
    assert_eq!(Violation::of(&again).unwrap().rule(), Rule::AbortAfterError);
    let aborted = block_on(stream.abort()).unwrap_err();
    assert!(aborted.to_string().contains("a call that has not returned holds the stream"), "{aborted}");
    shelf.release();

    for operation in ["finish", "sync state of"] {
        let shelf = Shelf::new(Fault::Panic(operation));
        let (_, worker) = views(&guarded(&shelf, policy()));
        let stream = block_on(worker.create(id(1), &Default, StateScope::Exclusive)).unwrap();
        let finished = block_on(stream.finish());
        let synced = block_on(worker.sync(id(1), &Default)).unwrap_err();
        assert_eq!(finished.is_err(), operation == "finish");
        let last = block_on(worker.sync(id(1), &Default)).unwrap_err();
        assert_eq!((last.kind(), Violation::of(&last)), (ErrorKind::Unavailable, None), "{synced}");
        assert_eq!(
            block_on(worker.create(id(1), &Default, StateScope::Exclusive)).unwrap_err().kind(),
            ErrorKind::Unavailable
        );
        block_on(worker.create(id(2), &Default, StateScope::Exclusive)).unwrap();
    }
}

#[test]
fn every_call_runs_within_its_surroundings_on_another_thread() {
    let entered = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&entered);
    let policy = policy().with_context(move |call| {
        counted.fetch_add(1, Ordering::Relaxed);
        call();
    });
    let shelf = Shelf::new(Fault::None);
    let (coordinator, _) = views(&guarded(&shelf, policy));
    block_on(coordinator.claim()).unwrap();
    assert_eq!(entered.load(Ordering::Relaxed), 2);

    let forgetful = super::policy().with_context(|_| {});
    let error =
        block_on(stillframe_storage::CheckpointStorage::open(&guarded(&shelf, forgetful), super::JOB));
    assert_eq!(Violation::of(&error.unwrap_err()).unwrap().rule(), Rule::DoesNotPanic);
}

#[test]
fn a_call_that_is_woken_from_elsewhere_is_polled_again() {
    let polled = crate::drive::drive(async {
        let mut woken = false;
        core::future::poll_fn(move |context| {
            if core::mem::replace(&mut woken, true) {
                return core::task::Poll::Ready(7);
            }
            let waker = context.waker().clone();
            std::thread::spawn(move || waker.wake());
            core::task::Poll::Pending
        })
        .await
    });
    assert_eq!(polled, Ok(7));
}

#[test]
fn each_kind_of_call_has_a_deadline_of_its_own() {
    let policy = GuardPolicy::default().with_deadline(CallKind::Write, Duration::from_secs(1));
    assert_eq!(policy.deadline(CallKind::Write), Duration::from_secs(1));
    assert_eq!(policy.deadline(CallKind::Bulk), Duration::from_secs(3600));
}

/// It is asked out of curiosity, so that no answer is one.
#[test]
fn how_far_a_commit_is_comes_through_and_a_panic_over_it_does_not() {
    let shelf = Shelf::new(Fault::None);
    let (coordinator, _) = views(&guarded(&shelf, policy()));
    assert_eq!(coordinator.commit_stage(id(1)), Some(CommitStage::Register));
    assert_eq!(coordinator.commit_stage(id(13)), None);
}
