//! Others who work in the same place, with the same software.

use super::Tried;
use super::ground::{Ground, take};
use crate::prove::storage::scripted::{JOB, ready};
use stillframe::model::{CheckpointId, JobId, JobStatus, LocationReference};
use stillframe::storage::{ErrorKind, StorageError, SweepMode};

const OTHER: JobId = JobId::from_bytes(*b"somebody else's!");
const HERE: LocationReference = LocationReference::Default;

/// The files of another job's register, some or all, come to lie in this one's place.
pub(super) fn the_register_is_another_jobs(ground: &dyn Fn() -> Ground, tried: &mut Tried) {
    let ground = ground().with_two_checkpoints();
    let theirs = ground.open(OTHER).and_then(|access| {
        ready(access.coordinator().claim())?;
        take(&*access, 1, &[], &[])?;
        take(&*access, 2, &[], &[]).map(|_| ground.root.join(OTHER.to_string()))
    });
    let theirs = theirs.expect("nothing is broken yet");
    let theirs = ground.files(&theirs.join("_ctl"));
    for (path, content) in &theirs {
        let copy = ground.copied();
        let place = path.iter().rev().take(2).collect::<Vec<_>>();
        copy.put(&copy.job().join("_ctl").join(place[1]).join(place[0]), content);
        tried.noticed(copy.judge(), &[ErrorKind::Corrupt], || {
            format!("{} is in the place of ours", path.display())
        });
    }
    let copy = ground.copied();
    for (path, content) in &theirs {
        let place = path.iter().rev().take(2).collect::<Vec<_>>();
        copy.put(&copy.job().join("_ctl").join(place[1]).join(place[0]), content);
    }
    let claimed = copy.open(JOB).and_then(|access| ready(access.coordinator().claim()));
    let is_said = claimed.as_ref().is_err_and(|error| {
        error.kind() == ErrorKind::Corrupt && error.to_string().contains(&OTHER.to_string())
    });
    tried.holds(is_said, || format!("all of their register: {claimed:?}"));
}

/// What the first one may do that has not noticed, or has noticed, that there is a second.
pub(super) fn two_coordinators_hold_one_directory(ground: &dyn Fn() -> Ground, tried: &mut Tried) {
    // Each of these is the first thing that the old coordinator does when it wakes up.
    for first in ["begin", "commit", "discard", "remove", "conclude", "sweep"] {
        let ground = ground();
        let (old, new) = match scene(&ground) {
            Ok(scene) => scene,
            Err(error) => {
                tried.holds(false, || format!("{error:?}"));
                continue;
            }
        };
        let before = ground.files(&ground.root);
        let woken = ready(async {
            match first {
                // Ids are its own as long as it has some left, and their directories are in nobody's way.
                "begin" => old.begin_checkpoint(CheckpointId::new(4)).await.map(drop),
                "commit" => old.commit(CheckpointId::new(3), &HERE, "late".into(), &[]).await.map(drop),
                // What it began itself and has not committed it may remove: nobody else needs it.
                "discard" => old.discard(CheckpointId::new(3), &HERE).await,
                "remove" => old.remove(CheckpointId::new(2), &[]).await,
                "conclude" => old.conclude(JobStatus::Failed, &[CheckpointId::new(2)]).await,
                _ => old.sweep(SweepMode::Remove).await.map(drop),
            }
        });
        match first {
            "commit" | "conclude" => tried.refused(woken, &[ErrorKind::Fenced], || format!("it may {first}")),
            // For all that it knows, it is retained.
            "remove" => tried.refused(woken, &[ErrorKind::AlreadyExists], || format!("it may {first}")),
            _ => {}
        }
        // At the latest at its first commit it notices, and then there is nothing left that it may do.
        let noticed = ready(old.commit(CheckpointId::new(3), &HERE, "late".into(), &[]));
        let is_fenced = noticed
            .as_ref()
            .is_err_and(|error| matches!(error.kind(), ErrorKind::Fenced | ErrorKind::AlreadyExists));
        tried.holds(is_fenced, || format!("after {first} it commits: {noticed:?}"));
        let concluded = ready(old.conclude(JobStatus::Failed, &[]));
        let refusals: [(&str, Result<(), StorageError>); 7] = [
            ("conclude", concluded),
            ("begin", ready(old.begin_checkpoint(CheckpointId::new(5))).map(drop)),
            ("commit", ready(old.commit(CheckpointId::new(3), &HERE, "late".into(), &[])).map(drop)),
            ("discard", ready(old.discard(CheckpointId::new(3), &HERE))),
            ("remove", ready(old.remove(CheckpointId::new(1), &[]))),
            ("sweep", ready(old.sweep(SweepMode::Remove)).map(drop)),
            ("claim", ready(old.claim()).map(drop)),
        ];
        for (what, refusal) in refusals {
            let is_fenced = refusal.as_ref().is_err_and(|error| match what {
                // Its own metadata of the attempt before is in the way, and says enough.
                "commit" => {
                    matches!(error.kind(), ErrorKind::Fenced | ErrorKind::AlreadyExists)
                }
                _ => error.kind() == ErrorKind::Fenced,
            });
            tried.holds(is_fenced, || format!("after {first}, {what}: {refusal:?}"));
        }
        for (path, content) in &before {
            let is_its_own = path.to_string_lossy().contains("/chk-3/");
            let is_there = ground.read(path).is_ok_and(|found| found == *content);
            tried.holds(is_there || is_its_own, || format!("after {first}, {} was touched", path.display()));
        }
        let claim = ready(new.claim());
        let retained = claim.as_ref().map(|claim| claim.retained.len());
        tried.holds(retained.as_ref().is_ok_and(|retained| *retained == 3), || {
            format!("after {first}: {claim:?}")
        });
    }
}

type Coordinator = std::sync::Arc<dyn stillframe::storage::CoordinatorStorage>;

/// A coordinator with two checkpoints and a third under way, and another one that has taken over and added one.
fn scene(ground: &Ground) -> Result<(Coordinator, Coordinator), StorageError> {
    let old = ground.open(JOB)?;
    ready(old.coordinator().claim())?;
    let shared = take(&*old, 1, &[], &[])?;
    take(&*old, 2, &shared[3..], &[])?;
    ready(old.coordinator().begin_checkpoint(CheckpointId::new(3)))?;
    let new = ground.open(JOB)?;
    let next = ready(new.coordinator().claim())?.next;
    take(&*new, next.get(), &shared[3..], &[])?;
    Ok((old.coordinator(), new.coordinator()))
}

/// Another job below the same directory is not seen, and what it does is not noticed.
pub(super) fn two_jobs_share_a_place(ground: &dyn Fn() -> Ground, tried: &mut Tried) {
    let ground = ground().with_two_checkpoints();
    let lived = ground.open(OTHER).and_then(|access| {
        let coordinator = access.coordinator();
        let claim = ready(coordinator.claim())?;
        tried.holds(claim.retained.is_empty() && claim.next == CheckpointId::FIRST, || format!("{claim:?}"));
        take(&*access, 1, &[], &[])?;
        take(&*access, 2, &[], &[CheckpointId::new(1)])?;
        ready(coordinator.remove(CheckpointId::new(1), &[]))?;
        ready(coordinator.sweep(SweepMode::Remove))?;
        ready(coordinator.conclude(JobStatus::Canceled, &[CheckpointId::new(2)]))?;
        ready(coordinator.remove(CheckpointId::new(2), &[]))
    });
    tried.holds(lived.is_ok(), || format!("{lived:?}"));
    let theirs = ground.files(&ground.root.join(OTHER.to_string()));
    tried.untouched(ground.judge(), || "the other job is over".to_owned());
    let unchanged = ground.files(&ground.root.join(OTHER.to_string())) == theirs;
    tried.holds(unchanged, || "the other job's files were touched".to_owned());
}
