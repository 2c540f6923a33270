//! Beside somebody else who writes or removes in the same place.

use super::{JOB, JOB_DIRECTORY, ONE, complete, coordinator, metadata};
use crate::BlobStores;
use crate::map_store::Medium;
use crate::register::store::RegisterStore;
use core::error::Error;
use futures_executor::block_on;
use std::sync::Arc;
use stillframe_model::{
    CheckpointId, Crc32c, FileHandle, LocationReference, StateDirectory, StateFile, StateHandle,
};
use stillframe_storage::{CoordinatorStorage, ErrorKind, StorageError, SweepMode, Verdict};

const HERE: LocationReference = LocationReference::Default;

/// The address of a state file of checkpoint 1.
fn state(unique: u128) -> String {
    format!("{JOB_DIRECTORY}/chk-1/state-{unique:032x}")
}

/// Lets a task that has not heard of the end put one file each into the directory of checkpoint 1, right before that is
/// removed, so often.
fn a_task_writes_late(medium: &Medium, times: u128) {
    let mut written = 0;
    medium.before("delete_directory", "/chk-1", move |medium| {
        if written < times {
            written += 1;
            medium.put(&state(written), b"late");
        }
    });
}

fn is_there(medium: &Medium, directory: &str) -> bool {
    medium.has_directory(&format!("{JOB_DIRECTORY}/{directory}"))
}

#[test]
fn a_directory_that_cannot_be_removed_is_no_success() {
    let medium = Medium::default();
    let coordinator = coordinator(&medium);
    block_on(coordinator.begin_checkpoint(ONE)).unwrap();
    for is_empty in [true, false] {
        if !is_empty {
            medium.put(&state(1), b"ours");
        }
        medium.break_at("delete_directory", "/chk-1");
        let error = block_on(coordinator.discard(ONE, &HERE)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(is_there(&medium, "chk-1") && medium.content(&state(1)).is_none());
    }
    medium.break_at("", "");
    block_on(coordinator.discard(ONE, &HERE)).unwrap();
    assert!(!is_there(&medium, "chk-1"));
}

#[test]
fn a_removal_outlasts_a_task_that_writes_once_more() {
    for (is_empty, times, is_gone) in
        [(true, 1, true), (true, 2, true), (false, 2, true), (true, 3, false), (false, 3, false)]
    {
        let medium = Medium::default();
        let coordinator = coordinator(&medium);
        block_on(coordinator.begin_checkpoint(ONE)).unwrap();
        if !is_empty {
            medium.put(&state(99), b"early");
        }
        a_task_writes_late(&medium, times);
        let discarded = block_on(coordinator.discard(ONE, &HERE));
        assert_eq!(discarded.is_ok(), is_gone, "{times}, {is_empty}: {discarded:?}");
        assert_eq!(is_there(&medium, "chk-1"), !is_gone, "{times}, {is_empty}");
    }
}

/// A commit that nobody waits for any more may get as far as its metadata.
#[test]
fn metadata_that_appears_while_its_checkpoint_is_removed_goes_before_the_state() {
    let medium = Medium::default();
    let coordinator = coordinator(&medium);
    block_on(coordinator.begin_checkpoint(ONE)).unwrap();
    let metadata = format!("{JOB_DIRECTORY}/chk-1/_metadata");
    let mut is_first = true;
    medium.before("delete_directory", "/chk-1", {
        let metadata = metadata.clone();
        move |medium| {
            if core::mem::take(&mut is_first) {
                medium.put(&metadata, b"late");
                medium.put(&state(1), b"late");
            }
        }
    });
    medium.before("delete", "-00000000000000000000000000000001", move |medium| {
        assert!(medium.content(&metadata).is_none());
    });
    block_on(coordinator.discard(ONE, &HERE)).unwrap();
    assert!(!is_there(&medium, "chk-1"));
}

/// Leaves a checkpoint that nobody completes, and a shared file of it.
fn leave(medium: &Medium) -> String {
    block_on(coordinator(medium).begin_checkpoint(ONE)).unwrap();
    medium.put(&state(99), b"orphan");
    let shared = format!("{JOB_DIRECTORY}/shared/shared-1-{:032x}", 7);
    medium.put(&shared, b"orphan");
    shared
}

#[test]
fn a_sweep_goes_on_beside_somebody_who_removes_the_same() {
    for operation in ["list", "settle", "delete", "delete_directory"] {
        let medium = Medium::default();
        let shared = leave(&medium);
        let sweeper = coordinator(&medium);
        for end in ["/chk-1", &state(99)] {
            medium.before(operation, end, |medium| {
                medium.remove(&state(99));
                medium.remove(&format!("{JOB_DIRECTORY}/chk-1"));
            });
        }
        let sweep = block_on(sweeper.sweep(SweepMode::Remove)).expect(operation);
        assert!(medium.content(&shared).is_none(), "{operation}: {sweep:?}");
        assert!(!is_there(&medium, "chk-1"), "{operation}");
    }
}

#[test]
fn a_sweep_goes_on_beside_a_task_that_writes_and_says_what_stays() {
    for (times, is_gone) in [(1, true), (2, true), (3, false)] {
        let medium = Medium::default();
        let shared = leave(&medium);
        let sweeper = coordinator(&medium);
        a_task_writes_late(&medium, times);
        let sweep = block_on(sweeper.sweep(SweepMode::Remove)).unwrap();
        assert!(medium.content(&shared).is_none() && medium.content(&state(99)).is_none());
        assert_eq!(is_there(&medium, "chk-1"), !is_gone, "{times}");
        let directory = sweep.found.iter().filter(|swept| swept.object.ends_with("/chk-1"));
        let verdicts: Vec<_> = directory.map(|swept| swept.verdict).collect();
        assert_eq!(verdicts, [if is_gone { Verdict::Unreferenced } else { Verdict::InProgress }], "{times}");
        // When the task has heard of it, the rest goes.
        assert!(block_on(sweeper.sweep(SweepMode::Remove)).unwrap().orphans().count() > 0 || is_gone);
        assert!(!is_there(&medium, "chk-1"));
    }
}

#[test]
fn a_sweep_names_what_somebody_puts_beside_it() {
    let medium = Medium::default();
    leave(&medium);
    let sweeper = coordinator(&medium);
    let notes = format!("{JOB_DIRECTORY}/chk-1/notes.txt");
    medium.before("delete_directory", "/chk-1", {
        let notes = notes.clone();
        move |medium| medium.put(&notes, b"somebody's")
    });
    let sweep = block_on(sweeper.sweep(SweepMode::Remove)).unwrap();
    let found = sweep.found.iter().find(|swept| swept.object == notes);
    assert_eq!(found.map(|swept| swept.verdict), Some(Verdict::Foreign), "{sweep:?}");
    assert!(sweep.found.iter().all(|swept| !swept.object.ends_with("/chk-1")), "it stays: {sweep:?}");
}

/// What has no other reason is not passed over.
#[test]
fn a_sweep_that_cannot_remove_an_empty_directory_fails() {
    let medium = Medium::default();
    leave(&medium);
    let sweeper = coordinator(&medium);
    medium.break_at("delete_directory", "/chk-1");
    let error = block_on(sweeper.sweep(SweepMode::Remove)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

/// Where a claimed snapshot lies only the register says, as long as anything of it is there.
#[test]
fn a_claimed_directory_in_which_somebody_writes_is_found_again() {
    let medium = Medium::default();
    let theirs = "/c/33333333333333333333333333333333";
    let job = stillframe_model::JobId::from_bytes([0x33; 16]);
    let other = block_on(medium.storage("/c").open(job)).unwrap().coordinator();
    block_on(other.claim()).unwrap();
    let pointer = complete(&*other, ONE, &[]);
    let snapshot = block_on(medium.storage("/c").resolve(&pointer)).unwrap();
    let ours = coordinator(&medium);
    let next = block_on(ours.adopt(snapshot, ONE, stillframe_storage::Ownership::Taken)).unwrap().next;
    complete(&*ours, next, &[ONE]);
    let sweeper = coordinator(&medium);
    let next = block_on(sweeper.claim()).unwrap().next;
    let mut times = 0;
    medium.before("delete_directory", &format!("{theirs}/chk-1"), move |medium| {
        times += 1;
        if times <= 3 {
            medium.put(&format!("{theirs}/chk-1/state-{times:032x}"), b"late");
        }
    });
    block_on(sweeper.sweep(SweepMode::Remove)).unwrap();
    assert!(medium.has_directory(&format!("{theirs}/chk-1")));
    complete(&*sweeper, next, &[]);
    block_on(sweeper.sweep(SweepMode::Remove)).unwrap();
    assert!(!medium.has_directory(&format!("{theirs}/chk-1")));
    assert_eq!(
        block_on(sweeper.claim()).unwrap().retained,
        [next.get() - 16, next.get()].map(CheckpointId::new)
    );
}

/// A coordinator with a checkpoint that its successor has replaced and removed, of which it has not heard.
fn replaced(medium: &Medium) -> Arc<dyn CoordinatorStorage> {
    let first = coordinator(medium);
    complete(&*first, ONE, &[]);
    let successor = coordinator(medium);
    complete(&*successor, block_on(successor.claim()).unwrap().next, &[ONE]);
    block_on(successor.remove(ONE, &[])).unwrap();
    first
}

#[test]
fn whoever_misses_what_a_successor_removed_is_told_of_the_successor() {
    let medium = Medium::default();
    let fenced = |error: StorageError| {
        assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
        assert!(error.source().is_some(), "what was missing is said too");
    };
    fenced(block_on(replaced(&medium).open_checkpoint(ONE)).unwrap_err());
    let medium = Medium::default();
    fenced(block_on(replaced(&medium).sweep(SweepMode::Remove)).unwrap_err());
}

#[test]
fn what_was_opened_is_refused_by_the_successors_name_too() {
    let medium = Medium::default();
    let first = coordinator(&medium);
    complete(&*first, ONE, &[]);
    let file = StateFile { directory: StateDirectory::Exclusive, name: crate::layout::state(7) };
    let handle = StateHandle::File(FileHandle { file, len: 1, crc: Crc32c(0) });
    let found = block_on(first.open_checkpoint(ONE)).unwrap();
    assert_eq!(block_on(found.read(&handle)).unwrap_err().kind(), ErrorKind::NotFound, "it holds the job");
    let successor = coordinator(&medium);
    complete(&*successor, block_on(successor.claim()).unwrap().next, &[ONE]);
    block_on(successor.remove(ONE, &[])).unwrap();
    assert_eq!(block_on(found.metadata()).unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(block_on(found.open(&handle)).unwrap_err().kind(), ErrorKind::Fenced);
}

#[test]
fn a_commit_whose_directory_a_successor_took_is_fenced_and_any_other_is_told_what_is_gone() {
    for is_fenced in [true, false] {
        let medium = Medium::default();
        let first = coordinator(&medium);
        let location = block_on(first.begin_checkpoint(ONE)).unwrap();
        if is_fenced {
            block_on(coordinator(&medium).sweep(SweepMode::Remove)).unwrap();
        }
        medium.remove(&format!("{JOB_DIRECTORY}/chk-1"));
        let error = block_on(first.commit(ONE, &location, metadata(ONE), &[])).unwrap_err();
        let expected = if is_fenced { ErrorKind::Fenced } else { ErrorKind::NotFound };
        assert_eq!(error.kind(), expected, "{error}");
    }
}

/// Nobody else is to blame for what is missing here.
#[test]
fn what_nobody_removed_is_missing() {
    let medium = Medium::default();
    let first = coordinator(&medium);
    complete(&*first, ONE, &[]);
    medium.remove(&format!("{JOB_DIRECTORY}/chk-1/_metadata"));
    assert_eq!(block_on(first.open_checkpoint(ONE)).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(block_on(first.sweep(SweepMode::Remove)).unwrap_err().kind(), ErrorKind::NotFound);
}

/// Whoever only looks reads the newest entry that was listed, and the holder may be that much faster.
#[test]
fn an_entry_that_was_removed_since_it_was_listed_is_looked_for_again() {
    let medium = Medium::default();
    complete(&*coordinator(&medium), ONE, &[]);
    let blobs = medium.at("/c").unwrap();
    let newest = || block_on(RegisterStore { job: JOB, blobs: Arc::clone(&blobs) }.newest()).unwrap();
    let expected = newest().expect("an entry");
    let entry = |number: u64| format!("{JOB_DIRECTORY}/_ctl/r/{number:020}");
    let (listed, next) = (entry(expected.sequence), entry(expected.sequence + 1));
    let end = format!("/{:020}", expected.sequence);
    medium.before("read", &end, move |medium| {
        if let Some(bytes) = medium.content(&listed) {
            medium.put(&next, b"");
            medium.replace(&next, bytes);
            medium.remove(&listed);
        }
    });
    assert_eq!(newest(), Some(expected));
}
