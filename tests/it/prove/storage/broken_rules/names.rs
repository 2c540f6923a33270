//! Names that stand for something else, or for nothing, and names that are none of ours.

use super::Tried;
use super::bytes::moved;
use super::ground::{Ground, Judged, take};
use crate::prove::storage::scripted::{JOB, ready};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use stillframe::model::{CheckpointId, JobStatus, Pointer};
use stillframe::storage::{CheckpointStorage, ErrorKind, SweepMode, Verdict};

/// It is not there, or what refers to it does not fit what is.
const GONE: &[ErrorKind] = &[ErrorKind::NotFound, ErrorKind::Corrupt];

/// What is there is none of ours, whatever it leads to.
const LINKED: &[ErrorKind] = &[ErrorKind::InvalidPointer];

/// All directories of a job, itself first.
fn directories(ground: &Ground) -> Vec<PathBuf> {
    let job = ground.job();
    let below = ["", "_ctl", "_ctl/e", "_ctl/r", "chk-1", "chk-2", "shared", "taskowned"];
    below.into_iter().map(|below| if below.is_empty() { job.clone() } else { job.join(below) }).collect()
}

/// Files that are gone, alone and with their directories. Without its register, a job is not taken for a new one.
pub(super) fn something_is_gone(ground: &dyn Fn() -> Ground, tried: &mut Tried) {
    let ground = ground().with_two_checkpoints();
    let newest = ground.files(&ground.job().join("_ctl/r")).into_keys().next_back();
    for path in ground.files(&ground.root).into_keys() {
        // Without its last entry a register is as it was one change ago, which nobody can tell.
        if Some(&path) == newest.as_ref() {
            continue;
        }
        let copy = ground.copied();
        copy.disk.remove_file(&moved(&path, &ground, &copy)).expect("it was there");
        tried.noticed(copy.judge(), GONE, || format!("{} is gone", path.display()));
    }
    for directory in directories(&ground).into_iter().skip(1) {
        for with_itself in [false, true] {
            let copy = ground.copied();
            remove_below(&copy, &moved(&directory, &ground, &copy), with_itself);
            tried.noticed(copy.judge(), GONE, || format!("{} is gone or empty", directory.display()));
        }
    }
}

fn remove_below(ground: &Ground, directory: &Path, with_itself: bool) {
    for entry in ground.disk.list(directory).unwrap_or_default() {
        let path = directory.join(&entry.name);
        if entry.is_directory {
            remove_below(ground, &path, true);
        } else {
            ground.disk.remove_file(&path).expect("it was there");
        }
    }
    if with_itself {
        ground.disk.remove_dir(directory).expect("it was there");
    }
}

/// Each file and each directory is replaced by a symbolic link to itself, moved outside.
pub(super) fn symbolic_links_are_swapped_in(ground: &dyn Fn() -> Ground, tried: &mut Tried) {
    let ground = ground().with_two_checkpoints();
    if ground.directory().is_none() {
        // There are none in memory.
        return;
    }
    let files = ground.files(&ground.root).into_keys();
    for path in files.chain(directories(&ground)) {
        for end in [false, true] {
            let copy = ground.copied();
            let (inside, elsewhere) = (moved(&path, &ground, &copy), copy.outside.join("moved"));
            rustix::fs::renameat(rustix::fs::CWD, &inside, rustix::fs::CWD, &elsewhere)
                .expect("it was there");
            symlink(&elsewhere, &inside).expect("a link can be made");
            let outside = copy.files(&copy.outside);
            let context = || format!("a link is in the place of {}", path.display());
            if !end {
                tried.noticed(judge_outside(&copy), LINKED, context);
                continue;
            }
            // Nor is anything removed through it.
            let removed = copy.open(JOB).and_then(|access| {
                let coordinator = access.coordinator();
                let retained = ready(coordinator.claim())?.retained;
                ready(coordinator.conclude(JobStatus::Failed, &retained))?;
                retained.into_iter().try_for_each(|id| ready(coordinator.remove(id, &[])))
            });
            tried.holds(copy.files(&copy.outside) == outside, || format!("{}: {removed:?}", context()));
        }
    }
}

/// As [`Ground::judge`], which does not see what lies behind a link as a file of the storage.
fn judge_outside(ground: &Ground) -> Judged {
    let before = ground.files(&ground.outside);
    let judged = ground.judge();
    if ground.files(&ground.outside) == before {
        return judged;
    }
    Judged::Wrong("something outside was touched".to_owned())
}

pub(super) fn pointers_lead_elsewhere(ground: &dyn Fn() -> Ground, tried: &mut Tried) {
    let ground = ground().with_two_checkpoints();
    ground.put(&ground.outside.join("secret"), b"secret");
    let (job, outside) = (ground.job().display().to_string(), ground.outside.display().to_string());
    for pointer in [
        String::new(),
        outside.clone(),
        format!("{outside}/secret"),
        format!("{job}/chk-1/../../../outside"),
        format!("{job}/chk-1/../chk-7"),
        format!("{job}/chk-3"),
        format!("{job}/chk-1/_metadata/_metadata"),
        format!("{job}/_ctl"),
        format!("{job}/chk-1\0"),
        format!("file://elsewhere{job}/chk-1"),
        format!("s3://bucket{job}/chk-1"),
        "/".to_owned(),
        "/proc/self/root".to_owned(),
        "..".to_owned(),
    ] {
        let resolved = ready(ground.storage().resolve(&Pointer::new(pointer.as_str())));
        let kind = resolved.as_ref().err().map(|error| error.kind());
        let is_said = matches!(kind, Some(ErrorKind::InvalidPointer | ErrorKind::NotFound));
        tried.holds(is_said, || format!("{pointer:?}: {resolved:?}"));
    }
    let resolved = ready(ground.storage().resolve(&Pointer::new(format!("{job}/chk-1"))));
    tried.holds(resolved.is_ok(), || format!("nothing is wrong with this one: {resolved:?}"));
}

/// Names as others give them, among them some that look like ours at first sight.
const FOREIGN: [&str; 8] = [
    "notes.txt",
    "NOTES",
    ".nfs00000000000000120000000a",
    "state-7",
    "chk-01",
    "segment-00000000000000000000000000000001x",
    "00000000000000000001.bak",
    "_metadata.old",
];

pub(super) fn foreign_things_are_everywhere(ground: &dyn Fn() -> Ground, tried: &mut Tried) {
    let ground = ground().with_two_checkpoints();
    let mut foreign = Vec::new();
    for directory in directories(&ground) {
        for (number, name) in FOREIGN.iter().enumerate() {
            let path = directory.join(name);
            if number % 2 == 0 {
                ground.put(&path, b"somebody's");
                foreign.push(path);
            } else {
                ground.disk.create_dir(&path).expect("the name is free");
                ground.put(&path.join("inside"), b"somebody's");
                foreign.push(path.join("inside"));
            }
        }
        // A directory with the very name of a file of ours is none.
        let ours = directory.join("state-0000000000000000000000000000000a");
        ground.disk.create_dir(&ours).expect("the name is free");
        ground.put(&ours.join("inside"), b"somebody's");
        foreign.push(ours.join("inside"));
    }
    tried.untouched(ground.judge(), || "foreign things lie about".to_owned());
    let access = ground.open(JOB).expect("the job is there");
    let coordinator = access.coordinator();
    let claim = ready(coordinator.claim()).expect("foreign things do not count");
    tried.holds(claim.retained.len() == 2, || format!("{claim:?}"));
    let taken = take(&*access, claim.next.get(), &[], &claim.retained);
    tried.holds(taken.is_ok(), || format!("a checkpoint beside foreign things: {taken:?}"));
    for id in &claim.retained {
        let removed = ready(coordinator.remove(*id, &[]));
        let is_said =
            removed.as_ref().is_err_and(|error| error.to_string().contains("holds what is not ours"));
        tried.holds(is_said, || format!("removing {id}: {removed:?}"));
    }
    drop((coordinator, access));
    let coordinator = ground.open(JOB).expect("the job is there").coordinator();
    let retained = ready(coordinator.claim()).expect("foreign things do not count").retained;
    tried.holds(retained == [claim.next], || format!("{retained:?}"));
    match ready(coordinator.sweep(SweepMode::Remove)) {
        Ok(sweep) => {
            let said = sweep.found.iter().filter(|swept| swept.verdict == Verdict::Foreign).count();
            tried.holds(said >= foreign.len(), || format!("only {said} things are called foreign"));
        }
        Err(error) => tried.holds(false, || format!("{error:?}")),
    }
    let checkpoint = CheckpointId::new(claim.next.get());
    let opened = ready(coordinator.open_checkpoint(checkpoint)).map(drop);
    tried.holds(opened.is_ok(), || format!("{opened:?}"));
    for path in foreign {
        let is_there = ground.read(&path).is_ok_and(|content| content == b"somebody's");
        tried.holds(is_there, || format!("{} of somebody else was touched", path.display()));
    }
}
