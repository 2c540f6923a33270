//! A storage for every rule that breaks it, and nothing else.

use super::storage::{Fault, Shelf};
use super::{guarded, policy, script};
use crate::{Party, Rule, Violation};
use core::panic::AssertUnwindSafe;
use std::collections::BTreeSet;
use stillframe_storage::ErrorKind;

/// What each fault is found to be: the rule, the kind of error, and the call in which it shows.
const FOUND: &[(Fault, Rule, ErrorKind, &str)] = &[
    (Fault::Hang("sync state of"), Rule::ReturnsInTime, ErrorKind::Unavailable, "sync state of"),
    (Fault::Panic("sync state of"), Rule::DoesNotPanic, ErrorKind::Other, "sync state of"),
    (Fault::PositionLags, Rule::PositionIsBytesWritten, ErrorKind::Other, "write"),
    (Fault::NoHandle, Rule::NoneOnlyForEmptyStreams, ErrorKind::Other, "finish"),
    (Fault::HandleForNothing, Rule::NoneOnlyForEmptyStreams, ErrorKind::Other, "finish"),
    (Fault::HandleTooLong, Rule::HandleSizeIsBytesWritten, ErrorKind::Other, "finish"),
    (Fault::WrongDirectory, Rule::HandleFitsScope, ErrorKind::Other, "finish"),
    (Fault::TaskOwnedInline, Rule::HandleFitsScope, ErrorKind::Other, "finish"),
    (Fault::InlineOther, Rule::ReadsWhatWasWritten, ErrorKind::Corrupt, "finish"),
    (Fault::SameName, Rule::PlacesAreNeverReused, ErrorKind::Other, "finish"),
    (Fault::SyncForgives, Rule::SyncFailureIsFinal, ErrorKind::Other, "sync state of"),
    (Fault::NextGoesBack, Rule::ClaimGoesForward, ErrorKind::OutcomeUnknown, "claim"),
    (Fault::NextIsUsed, Rule::ClaimGoesForward, ErrorKind::OutcomeUnknown, "claim"),
    (Fault::RetainedDescends, Rule::RetainedAscends, ErrorKind::OutcomeUnknown, "claim"),
    (Fault::ForgetsRetained, Rule::RetainedIsCommitted, ErrorKind::OutcomeUnknown, "claim"),
    (Fault::KeepsDropped, Rule::RetainedIsCommitted, ErrorKind::OutcomeUnknown, "claim"),
    (Fault::ForgetsAdopted, Rule::ClaimGoesForward, ErrorKind::OutcomeUnknown, "adopt"),
    (Fault::ForgetsTaken, Rule::RetainedIsCommitted, ErrorKind::OutcomeUnknown, "adopt"),
    (Fault::BeginsTwice, Rule::BegunOnce, ErrorKind::Other, "begin"),
    (Fault::CommitsTwice, Rule::CommittedOnce, ErrorKind::OutcomeUnknown, "commit"),
    (Fault::PublishesTwice, Rule::CommittedOnce, ErrorKind::OutcomeUnknown, "publish savepoint"),
    (Fault::CommitsFenced, Rule::FencedIsFinal, ErrorKind::OutcomeUnknown, "commit"),
    (Fault::EndsTwice, Rule::EndsOnce, ErrorKind::OutcomeUnknown, "conclude"),
    (Fault::ForgetsEnd, Rule::EndsOnce, ErrorKind::OutcomeUnknown, "claim"),
    (Fault::RefusesSameEnd, Rule::EndsOnce, ErrorKind::OutcomeUnknown, "conclude"),
    (Fault::DiscardsOnce, Rule::RemovalIsRepeatable, ErrorKind::Other, "discard"),
    (Fault::RemovesOnce, Rule::RemovalIsRepeatable, ErrorKind::Other, "remove"),
    (Fault::DeletesOnce, Rule::RemovalIsRepeatable, ErrorKind::Other, "delete"),
    (Fault::ReaderTooShort, Rule::ReadsExactlyLen, ErrorKind::Corrupt, "read state of"),
    (Fault::ReaderTooLong, Rule::ReadsExactlyLen, ErrorKind::Corrupt, "read state of"),
    (Fault::ReaderLen, Rule::ReadsExactlyLen, ErrorKind::Corrupt, "open state of"),
    (Fault::EmptyPiece, Rule::ReadsExactlyLen, ErrorKind::Corrupt, "read state of"),
    (Fault::OtherBytes, Rule::ReadsWhatWasWritten, ErrorKind::Corrupt, "read state of"),
    (Fault::OtherMetadata, Rule::ReadsWhatWasWritten, ErrorKind::Corrupt, "read metadata of"),
];

#[test]
fn a_good_storage_passes_as_if_nobody_watched() {
    let shelf = Shelf::new(Fault::None);
    futures_executor::block_on(script::everything(&shelf, &shelf)).unwrap();
    let shelf = Shelf::new(Fault::None);
    let storage = guarded(&shelf, policy());
    futures_executor::block_on(script::everything(&storage, &shelf)).unwrap();
    let report = storage.report();
    assert_eq!((report.violations, report.latest, report.lost), (0, None, vec![]));
}

/// What is wrong with how the guard takes a fault, if anything is.
fn complaint(&(fault, rule, kind, operation): &(Fault, Rule, ErrorKind, &str)) -> Option<String> {
    let shelf = Shelf::new(fault);
    let policy = match fault {
        Fault::Hang(operation) => policy().with_patience(super::Hurry::gives_up(operation)),
        _ => policy(),
    };
    let storage = guarded(&shelf, policy);
    let run = AssertUnwindSafe(|| futures_executor::block_on(script::everything(&storage, &shelf)));
    let result = std::panic::catch_unwind(run);
    shelf.release();
    let Ok(result) = result else { return Some(format!("{fault:?} came through to the user")) };
    let Err(error) = result else { return Some(format!("{fault:?} was not noticed")) };
    let Some(violation) = Violation::of(&error) else { return Some(format!("{fault:?}: {error:?}")) };
    let says = format!("custom storage shelf, version 1, broke the rule \"{rule}\"");
    let is_right = (violation.rule(), error.kind(), violation.operation()) == (rule, kind, operation)
        && error.to_string().contains(&says)
        && storage.report().latest.as_ref() == Some(violation);
    (!is_right).then(|| format!("{fault:?}: {error:?}"))
}

#[test]
fn each_fault_is_found_where_it_shows_and_named_with_its_rule() {
    let complaints = FOUND.iter().filter_map(complaint).collect::<Vec<_>>();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_rule_that_binds_a_storage_has_one_that_breaks_it() {
    let broken = FOUND.iter().map(|(_, rule, ..)| *rule).collect::<BTreeSet<_>>();
    let binding = Rule::ALL.iter().copied().filter(|rule| rule.party() == Party::Storage);
    assert_eq!(broken, binding.collect());
}
