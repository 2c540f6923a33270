//! Beside somebody else who writes or removes in the same place.

use super::{JOB_DIRECTORY, ONE, coordinator};
use crate::map_store::Medium;
use futures_executor::block_on;
use stillframe_model::LocationReference;
use stillframe_storage::ErrorKind;

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
