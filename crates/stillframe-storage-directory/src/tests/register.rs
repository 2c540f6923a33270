//! The job's register as its coordinator storage keeps it: who may commit, what a claim finds, what a sweep takes.

use super::{JOB, JOB_DIRECTORY, ONE, complete, coordinator, metadata};
use crate::map_store::Medium;
use futures_executor::block_on;
use futures_util::FutureExt;
use stillframe_model::{CheckpointId, JobId, JobStatus, LocationReference, Name, StateDirectory, StateFile};
use stillframe_storage::{CommitStage, ErrorKind, Ownership, SweepMode, Verdict};

fn id(number: u64) -> CheckpointId {
    CheckpointId::new(number)
}

fn kind<T: std::fmt::Debug>(result: Result<T, stillframe_storage::StorageError>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn metadata_without_an_entry_is_no_checkpoint() {
    let medium = Medium::default();
    let first = coordinator(&medium);
    complete(&*first, ONE, &[]);
    block_on(first.begin_checkpoint(id(2))).unwrap();
    medium.put(&format!("{JOB_DIRECTORY}/chk-2/_metadata"), b"never committed");
    let second = coordinator(&medium);
    assert_eq!(block_on(second.claim()).unwrap().retained, [ONE]);
    assert_eq!(kind(block_on(second.open_checkpoint(id(2)))), ErrorKind::NotFound);
    let sweep = block_on(second.sweep(SweepMode::Remove)).unwrap();
    let checkpoints = sweep.orphans().filter(|swept| swept.verdict == Verdict::Unreferenced);
    let orphans: Vec<_> = checkpoints.map(|swept| swept.object.as_str()).collect();
    assert_eq!(orphans, [format!("{JOB_DIRECTORY}/chk-2"), format!("{JOB_DIRECTORY}/chk-2/_metadata")]);
    assert!(medium.content(&format!("{JOB_DIRECTORY}/chk-2/_metadata")).is_none());
    assert!(medium.content(&format!("{JOB_DIRECTORY}/chk-1/_metadata")).is_some());
}

#[test]
fn a_fenced_coordinator_reports_and_deletes_nothing() {
    let medium = Medium::default();
    let first = coordinator(&medium);
    complete(&*first, ONE, &[]);
    let location = block_on(first.begin_checkpoint(id(2))).unwrap();
    let second = coordinator(&medium);
    assert_eq!(kind(block_on(first.commit(id(2), &location, metadata(id(2)), &[ONE]))), ErrorKind::Fenced);
    let before = medium.files();
    assert_eq!(kind(block_on(first.discard(id(2), &location))), ErrorKind::Fenced);
    assert_eq!(kind(block_on(first.remove(ONE, &[]))), ErrorKind::Fenced);
    assert_eq!(kind(block_on(first.conclude(JobStatus::Finished, &[]))), ErrorKind::Fenced);
    assert_eq!(kind(block_on(first.sweep(SweepMode::Remove))), ErrorKind::Fenced);
    assert_eq!(kind(block_on(first.claim())), ErrorKind::Fenced);
    assert_eq!(medium.files(), before);
    assert_eq!(block_on(second.claim()).unwrap().retained, [ONE]);
}

#[test]
fn a_new_coordinator_never_uses_an_id_again() {
    let medium = Medium::default();
    let mut seen = 0;
    for _ in 0..5 {
        let coordinator = coordinator(&medium);
        let next = block_on(coordinator.claim()).unwrap().next;
        assert!(next.get() > seen, "{next} after {seen}");
        for number in next.get()..next.get() + 40 {
            block_on(coordinator.begin_checkpoint(id(number))).unwrap();
            assert_eq!(kind(block_on(coordinator.begin_checkpoint(id(number)))), ErrorKind::AlreadyExists);
            seen = number;
        }
        assert_eq!(kind(block_on(coordinator.begin_checkpoint(id(seen + 100)))), ErrorKind::Other);
    }
}

#[test]
fn without_its_register_a_job_with_checkpoints_is_refused() {
    let medium = Medium::default();
    complete(&*coordinator(&medium), ONE, &[]);
    for name in medium.files().iter().filter(|name| name.contains("/_ctl/")) {
        medium.remove(name);
    }
    let before = medium.files();
    let access = block_on(medium.storage("/c").open(JOB)).unwrap();
    let error = block_on(access.coordinator().claim()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("complete checkpoint 1"), "{error}");
    assert_eq!(medium.files(), before);
}

#[test]
fn a_register_of_which_a_part_is_missing_is_refused() {
    let medium = Medium::default();
    for number in 1..=3 {
        // Each claim writes an entry of its own, and lets the next one begin at it.
        complete(&*coordinator(&medium), id(1 + 16 * (number - 1)), &[]);
    }
    let whole: Vec<_> =
        medium.files().into_iter().map(|name| (medium.content(&name).unwrap(), name)).collect();
    let register: Vec<_> =
        whole.iter().map(|(_, name)| name).filter(|name| name.contains("/_ctl/")).collect();
    let entries: Vec<_> = register.iter().filter(|name| name.contains("/r/")).collect();
    let [.., floor, _, last] = entries[..] else { panic!("too few entries: {entries:?}") };
    let all_markers = register.iter().filter(|name| name.contains("/e/")).map(|name| name.as_str());
    let all_entries = entries.iter().map(|name| name.as_str());
    for (missing, words) in [
        (vec![floor.as_str()], "it is missing, and yet there is entry"),
        (
            all_markers.collect(),
            "_ctl/e/00000000000000000001: corrupt (it is missing, and yet there is entry",
        ),
        (all_entries.collect::<Vec<_>>(), "it has no entry, and yet there is a complete checkpoint"),
    ] {
        missing.iter().for_each(|name| medium.remove(name));
        let before = medium.files();
        let access = block_on(medium.storage("/c").open(JOB)).unwrap();
        let error = block_on(access.coordinator().claim()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{missing:?}: {error}");
        assert!(error.to_string().contains(words), "{missing:?}: {error}");
        assert_eq!(medium.files(), before, "{missing:?}");
        whole.iter().for_each(|(content, name)| medium.replace(name, content.clone()));
    }
    assert!(last.ends_with("06"), "{entries:?}");
    assert_eq!(block_on(coordinator(&medium).claim()).unwrap().retained, [id(1), id(17), id(33)]);
}

#[test]
fn the_register_of_another_job_is_refused() {
    let medium = Medium::default();
    complete(&*coordinator(&medium), ONE, &[]);
    let other = JobId::from_bytes([0x22; 16]);
    for name in medium.files() {
        let copy = name.replace(&JOB.to_string(), &other.to_string());
        medium.replace(&copy, medium.content(&name).unwrap());
    }
    let access = block_on(medium.storage("/c").open(other)).unwrap();
    let error = block_on(access.coordinator().claim()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(&format!("job {JOB}")), "{error}");
}

#[test]
fn metadata_that_is_not_what_the_register_names_is_refused() {
    let medium = Medium::default();
    let coordinator = coordinator(&medium);
    complete(&*coordinator, ONE, &[]);
    complete(&*coordinator, id(2), &[]);
    let [one, two] = [1, 2].map(|number| format!("{JOB_DIRECTORY}/chk-{number}/_metadata"));
    medium.replace(&two, medium.content(&one).unwrap());
    let location = block_on(coordinator.open_checkpoint(id(2))).unwrap();
    assert_eq!(kind(block_on(location.metadata())), ErrorKind::Corrupt);
    assert_eq!(
        kind(block_on(coordinator.sweep(SweepMode::Remove))),
        ErrorKind::Corrupt,
        "nothing is judged by it"
    );
}

#[test]
fn the_end_of_a_job_drops_in_the_same_step() {
    let medium = Medium::default();
    let first = coordinator(&medium);
    complete(&*first, ONE, &[]);
    complete(&*first, id(2), &[]);
    block_on(first.conclude(JobStatus::Canceled, &[ONE])).unwrap();
    block_on(first.conclude(JobStatus::Canceled, &[])).unwrap();
    assert_eq!(kind(block_on(first.conclude(JobStatus::Finished, &[]))), ErrorKind::AlreadyExists);
    let second = coordinator(&medium);
    let claim = block_on(second.claim()).unwrap();
    assert_eq!((claim.retained, claim.ended), (vec![id(2)], Some(JobStatus::Canceled)));
    block_on(second.sweep(SweepMode::Remove)).unwrap();
    assert!(medium.content(&format!("{JOB_DIRECTORY}/chk-1/_metadata")).is_none());
}

#[test]
fn what_is_retained_or_was_never_dropped_cannot_be_removed() {
    let medium = Medium::default();
    let coordinator = coordinator(&medium);
    complete(&*coordinator, ONE, &[]);
    assert_eq!(kind(block_on(coordinator.remove(ONE, &[]))), ErrorKind::AlreadyExists);
    assert_eq!(
        kind(block_on(coordinator.discard(ONE, &LocationReference::Default))),
        ErrorKind::AlreadyExists
    );
    let location = block_on(coordinator.begin_checkpoint(id(2))).unwrap();
    assert_eq!(
        kind(block_on(coordinator.commit(id(2), &location, metadata(id(2)), &[id(7)]))),
        ErrorKind::NotFound
    );
}

#[test]
fn a_shared_file_is_removed_by_its_own_kind_of_name_only() {
    let medium = Medium::default();
    let coordinator = coordinator(&medium);
    complete(&*coordinator, ONE, &[]);
    complete(&*coordinator, id(2), &[ONE]);
    let file = |directory, name: &str| StateFile { directory, name: Name::new(name).unwrap() };
    for bad in [
        file(StateDirectory::Shared, "_metadata"),
        file(StateDirectory::Exclusive, "_metadata"),
        file(StateDirectory::TaskOwned, &format!("owned-{:032x}", 7)),
        file(StateDirectory::Foreign("/theirs".into()), &format!("state-{:032x}", 7)),
    ] {
        assert_eq!(kind(block_on(coordinator.remove(ONE, &[bad]))), ErrorKind::InvalidPointer);
    }
}

#[test]
fn a_sweep_says_why_and_a_dry_one_touches_nothing() {
    let medium = Medium::default();
    let first = coordinator(&medium);
    complete(&*first, ONE, &[]);
    block_on(first.begin_checkpoint(id(2))).unwrap();
    let second = coordinator(&medium);
    let own = block_on(second.claim()).unwrap().next;
    block_on(second.begin_checkpoint(own)).unwrap();
    let unique = format!("{:032x}", 5);
    let object = |name: &str| format!("{JOB_DIRECTORY}/{name}");
    let expected = [
        (format!("chk-2/state-{unique}"), Verdict::Unreferenced),
        ("chk-1/notes.txt".into(), Verdict::Foreign),
        (format!("chk-1/segment-{unique}"), Verdict::Unreferenced),
        (format!("shared/shared-2-{unique}"), Verdict::Unreferenced),
        (format!("shared/shared-{own}-{unique}"), Verdict::InProgress),
        ("shared/README".into(), Verdict::Foreign),
        (format!("taskowned/owned-{unique}"), Verdict::TaskOwned),
        ("strange".into(), Verdict::Foreign),
    ];
    for (name, _) in &expected {
        medium.put(&object(name), b"x");
    }
    let before = medium.files();
    let dry = block_on(second.sweep(SweepMode::DryRun)).unwrap();
    assert_eq!(medium.files(), before);
    for (name, verdict) in &expected {
        let found = dry.found.iter().find(|swept| swept.object == object(name));
        assert_eq!(found.map(|swept| swept.verdict), Some(*verdict), "{name}");
    }
    let in_progress = dry.found.iter().find(|swept| swept.object == object(&format!("chk-{own}")));
    assert_eq!(in_progress.map(|swept| swept.verdict), Some(Verdict::InProgress));
    let wet = block_on(second.sweep(SweepMode::Remove)).unwrap();
    assert_eq!(wet, dry);
    for (name, verdict) in &expected {
        assert_eq!(medium.content(&object(name)).is_none(), verdict.is_orphan(), "{name}");
    }
    assert_eq!(block_on(second.sweep(SweepMode::Remove)).unwrap().orphans().count(), 0);
}

#[test]
fn an_adopted_snapshot_is_retained_until_it_is_replaced_and_then_its_files_go() {
    for is_removed_by_itself in [true, false] {
        adopted_and_replaced(is_removed_by_itself);
    }
}

fn adopted_and_replaced(is_removed_by_itself: bool) {
    let medium = Medium::default();
    let theirs = block_on(medium.storage("/c").open(JobId::from_bytes([0x33; 16]))).unwrap().coordinator();
    block_on(theirs.claim()).unwrap();
    for number in 1..=7 {
        complete(&*theirs, id(number), &[]);
    }
    let pointer = "/c/33333333333333333333333333333333/chk-7";
    let snapshot = block_on(medium.storage("/c").resolve(&stillframe_model::Pointer::new(pointer))).unwrap();
    let ours = coordinator(&medium);
    let claim = block_on(ours.adopt(snapshot, id(7), Ownership::Taken)).unwrap();
    assert_eq!((claim.retained, claim.next), (vec![id(7)], id(8)));
    let found = block_on(coordinator(&medium).open_checkpoint(id(7))).unwrap();
    assert_eq!((found.pointer().as_str(), block_on(found.metadata()).unwrap()), (pointer, metadata(id(7))));

    let ours = coordinator(&medium);
    let next = block_on(ours.claim()).unwrap().next;
    complete(&*ours, next, &[id(7)]);
    block_on(ours.sweep(SweepMode::Remove)).unwrap();
    assert!(medium.content(&format!("{pointer}/_metadata")).is_some(), "what is under way may refer to it");
    if is_removed_by_itself {
        block_on(ours.remove(id(7), &[])).unwrap();
    } else {
        // The process ended before it came to that.
        block_on(coordinator(&medium).sweep(SweepMode::Remove)).unwrap();
    }
    assert!(medium.content(&format!("{pointer}/_metadata")).is_none());
    assert!(medium.content("/c/33333333333333333333333333333333/chk-6/_metadata").is_some());
}

/// Whoever was fenced and does not know it would otherwise begin again with what is long replaced.
#[test]
fn whoever_claims_again_hears_of_a_successor_without_having_committed() {
    let medium = Medium::default();
    let first = coordinator(&medium);
    complete(&*first, ONE, &[]);
    assert_eq!(block_on(first.claim()).unwrap().retained, [ONE]);
    medium.fail_at(0);
    assert_eq!(kind(block_on(first.claim())), ErrorKind::Unavailable);
    assert_eq!(block_on(first.claim()).unwrap().retained, [ONE], "a look that failed changes nothing");
    coordinator(&medium);
    assert_eq!(kind(block_on(first.claim())), ErrorKind::Fenced);
    assert_eq!(kind(block_on(first.begin_checkpoint(id(2)))), ErrorKind::Fenced);
}

#[test]
fn a_marker_under_another_number_is_refused() {
    let medium = Medium::default();
    complete(&*coordinator(&medium), ONE, &[]);
    let marker = |epoch: u64| format!("{JOB_DIRECTORY}/_ctl/e/{epoch:020}");
    medium.replace(&marker(u64::MAX), medium.content(&marker(1)).unwrap());
    let access = block_on(medium.storage("/c").open(JOB)).unwrap();
    let error = block_on(access.coordinator().claim()).unwrap_err();
    assert_eq!((error.kind(), error.subject()), (ErrorKind::Corrupt, &*marker(u64::MAX)), "{error}");
}

#[test]
fn directories_with_names_like_ours_keep_no_sweep_from_its_work() {
    let medium = Medium::default();
    complete(&*coordinator(&medium), ONE, &[]);
    let unique = format!("{:032x}", 5);
    let objects = [
        format!("{JOB_DIRECTORY}/shared/shared-1-{unique}/inside"),
        format!("{JOB_DIRECTORY}/_ctl/r/{:020}/inside", 0),
        format!("{JOB_DIRECTORY}/chk-1/state-{unique}/inside"),
    ];
    objects.iter().for_each(|object| medium.put(object, b"somebody's"));
    let sweep = block_on(coordinator(&medium).sweep(SweepMode::Remove)).unwrap();
    for object in &objects {
        assert!(medium.content(object).is_some(), "{object}");
        let directory = object.trim_end_matches("/inside");
        let found = sweep.found.iter().find(|swept| swept.object == directory);
        assert_eq!(found.map(|swept| swept.verdict), Some(Verdict::Foreign), "{directory}");
    }
}

/// Of a commit that hangs a person is told where.
#[test]
fn a_commit_that_hangs_says_whether_in_its_metadata_or_in_the_register() {
    let mut stages = Vec::new();
    for number in 0.. {
        let medium = Medium::default();
        let coordinator = coordinator(&medium);
        let location = block_on(coordinator.begin_checkpoint(ONE)).unwrap();
        assert_eq!(coordinator.commit_stage(ONE), None);
        medium.hang_at(number);
        let mut commit = std::pin::pin!(coordinator.commit(ONE, &location, metadata(ONE), &[]));
        if commit.as_mut().now_or_never().is_some() {
            assert_eq!(coordinator.commit_stage(ONE), None, "it is over");
            break;
        }
        let is_published = medium.content(&format!("{JOB_DIRECTORY}/chk-1/_metadata")).is_some();
        let expected = if is_published { CommitStage::Register } else { CommitStage::Metadata };
        assert_eq!(coordinator.commit_stage(ONE), Some(expected), "operation {number}");
        stages.push(expected);
    }
    assert!(stages.contains(&CommitStage::Metadata) && stages.contains(&CommitStage::Register), "{stages:?}");
    assert!(stages.is_sorted(), "{stages:?}");
}
