//! Snapshots that the job did not take itself: what it may read with them, and what a sweep does to them.

use super::{JOB, JOB_DIRECTORY, ONE, complete, coordinator, metadata};
use crate::map_store::Medium;
use crate::mark::mark;
use bytes::Bytes;
use futures_executor::block_on;
use futures_util::FutureExt;
use std::sync::Arc;
use stillframe_model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, Crc32c, FileHandle, JobId, Name, OperatorHandle,
    OperatorState, Pointer, Redistribution, StateDirectory, StateFile, StateHandle, TaskSnapshot, UnixMillis,
};
use stillframe_storage::{CompletedLocation, CoordinatorStorage, ErrorKind, Ownership, SweepMode};

const THEIRS: JobId = JobId::from_bytes([0x33; 16]);
const THEIR_DIRECTORY: &str = "/c/33333333333333333333333333333333";

fn coordinator_of(medium: &Medium, job: JobId) -> Arc<dyn CoordinatorStorage> {
    let coordinator = block_on(medium.storage("/c").open(job)).unwrap().coordinator();
    block_on(coordinator.claim()).unwrap();
    coordinator
}

fn find(medium: &Medium, pointer: &str) -> Arc<dyn CompletedLocation> {
    block_on(medium.storage("/c").resolve(&Pointer::new(pointer))).unwrap()
}

/// The name of a shared file that was written for checkpoint 1.
fn shared_name(unique: u128) -> Name {
    crate::layout::shared_state(ONE, unique)
}

/// A shared file of a job, and what a checkpoint says of it.
fn share(medium: &Medium, job_directory: &str, unique: u128) -> StateHandle {
    let name = shared_name(unique);
    let address = format!("{job_directory}/shared/{name}");
    medium.put(&address, b"");
    medium.replace(&address, [&mark(&name)[..], b"state"].concat());
    let file = StateFile { directory: StateDirectory::Shared, name };
    StateHandle::File(FileHandle { file, len: 5, crc: Crc32c::of(b"state") })
}

fn metadata_with(job: JobId, checkpoint: CheckpointId, handles: &[StateHandle]) -> Bytes {
    let element = |(number, handle): (usize, &StateHandle)| OperatorHandle {
        name: Name::new(format!("state-{number}")).unwrap(),
        redistribution: Redistribution::Split,
        elements: 1,
        handle: handle.clone(),
    };
    let operator = handles.iter().enumerate().map(element).collect();
    let subtasks = vec![TaskSnapshot { operator, ..TaskSnapshot::default() }];
    let state = OperatorState { max_parallelism: 128, subtasks, coordinator: None };
    let metadata = CheckpointMetadata {
        job,
        checkpoint,
        kind: CheckpointKind::Checkpoint,
        triggered_at: UnixMillis(0),
        operators: [(Name::new("operator").unwrap(), state)].into(),
        hooks: [].into(),
    };
    stillframe_metadata::encode(&metadata).unwrap().into()
}

fn commit(
    coordinator: &dyn CoordinatorStorage,
    job: JobId,
    handles: &[StateHandle],
    dropped: &[CheckpointId],
) -> (CheckpointId, String) {
    let id = block_on(coordinator.claim()).unwrap().next;
    let location = block_on(coordinator.begin_checkpoint(id)).unwrap();
    let metadata = metadata_with(job, id, handles);
    let pointer = block_on(coordinator.commit(id, &location, metadata, dropped)).unwrap();
    (id, pointer.as_str().to_owned())
}

fn seen_from_outside(snapshot: &dyn CompletedLocation, handle: &StateHandle) -> StateHandle {
    let StateHandle::File(of) = handle else { panic!("{handle:?} is no file") };
    let file = snapshot.foreign(&of.file).unwrap();
    StateHandle::File(FileHandle { file, ..of.clone() })
}

/// As after a loss of power between the metadata and the entry of the first checkpoint: nothing is retained, and whoever has a
/// look around finds something that seems complete.
#[test]
fn a_snapshot_in_the_jobs_own_directory_is_claimed_or_refused_and_never_swept() {
    let medium = Medium::default();
    block_on(coordinator(&medium).begin_checkpoint(ONE)).unwrap();
    let pointer = format!("{JOB_DIRECTORY}/chk-1");
    let there = format!("{pointer}/_metadata");
    medium.put(&there, b"");
    medium.replace(&there, metadata(ONE));
    let ours = coordinator(&medium);
    for ownership in [Ownership::Left, Ownership::Unclaimed] {
        let error = block_on(ours.adopt(find(&medium, &pointer), ONE, ownership)).unwrap_err();
        assert_eq!((error.kind(), error.subject()), (ErrorKind::InvalidPointer, &*pointer), "{ownership:?}");
    }
    block_on(ours.adopt(find(&medium, &pointer), ONE, Ownership::Taken)).unwrap();
    for coordinator in [ours, coordinator(&medium)] {
        block_on(coordinator.sweep(SweepMode::Remove)).unwrap();
        let found = block_on(coordinator.open_checkpoint(ONE)).unwrap();
        assert_eq!(block_on(found.metadata()).unwrap(), metadata(ONE));
    }
}

/// A job goes on with a claimed snapshot and ends; the next one goes on with what it retained.
#[test]
fn what_a_checkpoint_took_over_goes_with_it_to_the_next_job() {
    let medium = Medium::default();
    let [theirs, between] = [THEIRS, JobId::from_bytes([0x44; 16])];
    let handle = share(&medium, THEIR_DIRECTORY, 5);
    let (first, pointer) =
        commit(&*coordinator_of(&medium, theirs), theirs, std::slice::from_ref(&handle), &[]);

    let second = coordinator_of(&medium, between);
    let snapshot = find(&medium, &pointer);
    let handle = seen_from_outside(&*snapshot, &handle);
    block_on(second.adopt(snapshot, first, Ownership::Taken)).unwrap();
    let (id, pointer) = commit(&*second, between, std::slice::from_ref(&handle), &[first]);
    assert_eq!(block_on(find(&medium, &pointer).read(&handle)).unwrap(), "state");

    for ownership in [Ownership::Left, Ownership::Taken] {
        let ours = coordinator(&medium);
        let snapshot = find(&medium, &pointer);
        assert_eq!(seen_from_outside(&*snapshot, &handle), handle);
        let claim = block_on(ours.adopt(snapshot, id, ownership)).unwrap();
        let third = Arc::from(format!("{THEIR_DIRECTORY}/shared"));
        assert!(claim.left.contains(&third), "{third} is nobody's to remove: {:?}", claim.left);
    }
    let found = block_on(coordinator(&medium).open_checkpoint(id)).unwrap();
    assert_eq!(block_on(found.read(&handle)).unwrap(), "state");
    // Not because the metadata says so, but because the register does.
    let register = format!("/c/{between}/_ctl/");
    medium.files().iter().filter(|name| name.starts_with(&register)).for_each(|name| medium.remove(name));
    let found = find(&medium, &pointer);
    assert_eq!(block_on(found.read(&handle)).unwrap_err().kind(), ErrorKind::InvalidPointer);
}

#[test]
fn what_only_a_claimed_snapshot_shared_goes_with_it_also_in_a_later_run() {
    let medium = Medium::default();
    let theirs = coordinator_of(&medium, THEIRS);
    let [used, unused, kept] = [5, 6, 7].map(|unique| share(&medium, THEIR_DIRECTORY, unique));
    commit(&*theirs, THEIRS, &[kept, used.clone()], &[]);
    let (id, pointer) = commit(&*theirs, THEIRS, &[used.clone(), unused], &[]);

    let ours = coordinator(&medium);
    let snapshot = find(&medium, &pointer);
    let used = seen_from_outside(&*snapshot, &used);
    block_on(ours.adopt(snapshot, id, Ownership::Taken)).unwrap();
    let (own, _) = commit(&*ours, JOB, &[used], &[id]);
    // The process ends before it removes anything.
    drop(ours);
    let shared = |unique| format!("{THEIR_DIRECTORY}/shared/{}", shared_name(unique));
    let ours = coordinator(&medium);
    let before = medium.files();
    let dry = block_on(ours.sweep(SweepMode::DryRun)).unwrap();
    assert_eq!(medium.files(), before);
    let orphans: Vec<_> = dry.orphans().map(|swept| swept.object.clone()).collect();
    assert!(orphans.contains(&shared(6)), "{orphans:?}");
    assert_eq!(block_on(ours.sweep(SweepMode::Remove)).unwrap(), dry);
    assert!(medium.content(&shared(6)).is_none(), "nobody would ever find it again");
    assert!(medium.content(&format!("{pointer}/_metadata")).is_none());
    for unique in [5, 7] {
        assert!(medium.content(&shared(unique)).is_some(), "{unique} is in use");
    }
    assert_eq!(block_on(ours.sweep(SweepMode::Remove)).unwrap().orphans().count(), 0);
    assert_eq!(block_on(ours.claim()).unwrap().retained, [own]);
}

/// State of its own that a later checkpoint goes on with outlives a claimed snapshot, in the snapshot's directory. When that is given
/// up as well, there is nothing left of it, whether this process gets to remove it or another one.
#[test]
fn a_claimed_directory_goes_with_the_last_file_that_was_needed_of_it() {
    for is_removed in [true, false] {
        let medium = Medium::default();
        let theirs = coordinator_of(&medium, THEIRS);
        let name = crate::layout::state(9);
        let address = format!("{THEIR_DIRECTORY}/chk-1/{name}");
        let file = StateFile { directory: StateDirectory::Exclusive, name };
        let handle = StateHandle::File(FileHandle { file, len: 5, crc: Crc32c::of(b"state") });
        let (id, pointer) = commit(&*theirs, THEIRS, std::slice::from_ref(&handle), &[]);
        medium.put(&address, b"state");

        let ours = coordinator(&medium);
        let snapshot = find(&medium, &pointer);
        let handle = seen_from_outside(&*snapshot, &handle);
        block_on(ours.adopt(snapshot, id, Ownership::Taken)).unwrap();
        let (own, _) = commit(&*ours, JOB, std::slice::from_ref(&handle), &[id]);
        block_on(ours.remove(id, &[])).unwrap();
        assert_eq!(medium.all_at(&pointer), [&*pointer, &*address], "it is needed, and nothing else is");
        commit(&*ours, JOB, &[], &[own]);
        medium.take_settled();
        if is_removed {
            block_on(ours.remove(own, &[handle.file().unwrap().clone()])).unwrap();
        } else {
            drop(ours);
            block_on(coordinator(&medium).sweep(SweepMode::Remove)).unwrap();
        }
        assert_eq!(medium.all_at(&pointer), [""; 0], "removed by its own process: {is_removed}");
        let settled = medium.take_settled();
        assert!(settled.iter().any(|settled| settled == THEIR_DIRECTORY), "it may come back: {settled:?}");
    }
}

#[test]
fn what_lies_in_a_claimed_directory_and_is_none_of_ours_keeps_no_sweep_from_its_work() {
    let medium = Medium::default();
    let (id, pointer) = commit(&*coordinator_of(&medium, THEIRS), THEIRS, &[], &[]);
    let ours = coordinator(&medium);
    block_on(ours.adopt(find(&medium, &pointer), id, Ownership::Taken)).unwrap();
    complete(&*ours, block_on(ours.claim()).unwrap().next, &[id]);
    let notes = format!("{pointer}/notes.txt");
    medium.put(&notes, b"somebody's");
    block_on(coordinator(&medium).sweep(SweepMode::Remove)).unwrap();
    assert!(medium.content(&notes).is_some());
    assert!(medium.content(&format!("{pointer}/_metadata")).is_none());
}

/// A checkpoint that goes on with a file of a claimed snapshot, by its pointer, with that file and its job's coordinator.
fn goes_on_elsewhere(medium: &Medium) -> (Arc<dyn CoordinatorStorage>, CheckpointId, String, StateHandle) {
    let handle = share(medium, THEIR_DIRECTORY, 5);
    let (first, pointer) =
        commit(&*coordinator_of(medium, THEIRS), THEIRS, std::slice::from_ref(&handle), &[]);
    let ours = coordinator(medium);
    let snapshot = find(medium, &pointer);
    let handle = seen_from_outside(&*snapshot, &handle);
    block_on(ours.adopt(snapshot, first, Ownership::Taken)).unwrap();
    let (id, pointer) = commit(&*ours, JOB, std::slice::from_ref(&handle), &[first]);
    (ours, id, pointer, handle)
}

#[test]
fn of_a_checkpoint_that_its_job_dropped_is_said_that_it_is_not_retained() {
    let medium = Medium::default();
    let (ours, id, pointer, handle) = goes_on_elsewhere(&medium);
    assert_eq!(block_on(find(&medium, &pointer).read(&handle)).unwrap(), "state");
    commit(&*ours, JOB, &[], &[id]);
    // What refers to nothing elsewhere can be read all the same.
    let found = find(&medium, &pointer);
    block_on(found.metadata()).unwrap();
    let error = block_on(found.open(&handle)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("does not retain it"), "{error}");
    let exported = medium.storage("/c").export(&Pointer::new(pointer), "/exported").now_or_never().unwrap();
    let error = exported.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("export a newer one"), "{error}");
}

#[test]
fn a_register_that_cannot_be_read_is_no_register_that_says_no() {
    for (is_rotten, kind) in [(true, ErrorKind::Corrupt), (false, ErrorKind::Unavailable)] {
        let medium = Medium::default();
        let (_, _, pointer, handle) = goes_on_elsewhere(&medium);
        let entries = medium.files().into_iter().filter(|name| name.starts_with(JOB_DIRECTORY));
        let newest = entries.filter(|name| name.contains("/_ctl/r/")).max().unwrap();
        if is_rotten {
            medium.replace(&newest, "rotten");
        } else {
            medium.break_at("read", newest.strip_prefix(JOB_DIRECTORY).unwrap());
        }
        let found = find(&medium, &pointer);
        block_on(found.metadata()).unwrap();
        let error = block_on(found.open(&handle)).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let cause = core::error::Error::source(&error).unwrap();
        assert!(cause.to_string().contains(&newest), "{cause}");
    }
}

/// A commit and a removal go on while the files of something else are looked through.
#[test]
fn what_is_dropped_while_others_are_looked_through_is_no_longer_asked_for() {
    for is_sweep in [true, false] {
        let medium = Medium::default();
        let theirs = coordinator_of(&medium, THEIRS);
        let [kept, gone] = [5, 6].map(|unique| share(&medium, THEIR_DIRECTORY, unique));
        let (first, pointer) = commit(&*theirs, THEIRS, &[kept.clone(), gone], &[]);
        let ours = coordinator(&medium);
        let snapshot = find(&medium, &pointer);
        let kept = seen_from_outside(&*snapshot, &kept);
        block_on(ours.adopt(snapshot, first, Ownership::Taken)).unwrap();
        let (second, second_pointer) = commit(&*ours, JOB, std::slice::from_ref(&kept), &[first]);
        let mut is_first = true;
        let other = Arc::clone(&ours);
        let handle = kept.clone();
        medium.before("read", &format!("chk-{second}/_metadata"), move |_| {
            if core::mem::take(&mut is_first) {
                let next = other.claim().now_or_never().unwrap().unwrap().next;
                let location = other.begin_checkpoint(next).now_or_never().unwrap().unwrap();
                let metadata = metadata_with(JOB, next, std::slice::from_ref(&handle));
                other.commit(next, &location, metadata, &[second]).now_or_never().unwrap().unwrap();
                other.remove(second, &[]).now_or_never().unwrap().unwrap();
            }
        });
        if is_sweep {
            block_on(ours.sweep(SweepMode::Remove)).unwrap();
        } else {
            block_on(ours.remove(first, &[])).unwrap();
        }
        assert!(medium.content(&format!("{second_pointer}/_metadata")).is_none());
        let newest = block_on(ours.claim()).unwrap().retained;
        let found = block_on(ours.open_checkpoint(newest[0])).unwrap();
        assert_eq!(block_on(found.read(&kept)).unwrap(), "state");
    }
}
