//! Each operation of a job fails, in each way in which it can, once and from then on. The job does what a coordinator does
//! then: it gives the checkpoint up and goes on, unless it cannot know what became of it. Some jobs begin with nothing, some with
//! what a process before them or another job left.
//!
//! What must hold each time: nothing that was reported is lost, also if the power goes as well; a failure that was certain is
//! certain; the error names the file; no fsync is tried again on what it failed on; and the next process goes on.

mod scenes;
mod watch;

use super::mutated::{Mutant, Mutated};
use super::scripted::process::{Errors, THEIRS};
use super::scripted::{Journal, recovery, stubborn};
use crate::prove::{Proof, report};
use scenes::Scene;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillframe::fs::disk::Disk;
use stillframe::fs::simulation::{Failed, FaultKind, SimDisk, SimOperation};
use stillframe::storage::{ErrorKind, StorageError};
use watch::Watched;

/// The fewest failures that count as having looked.
const FEWEST: u64 = 10_000;

/// What a job came to on a disk that failed.
#[derive(Debug)]
struct Ran {
    errors: Vec<StorageError>,
    journal: Journal,
    /// Everything that failed, in this order.
    failed: Vec<(SimOperation, PathBuf)>,
    repeated: Vec<PathBuf>,
}

fn run(disk: &SimDisk, scene: &Scene) -> Ran {
    let watched = Watched::new(disk, scene.has_gaps);
    let mut journal = scene.journal.clone();
    let reached: Arc<dyn Disk> = Arc::new(watched.clone());
    let errors = (scene.life)(&reached, Errors::Meant, &mut journal);
    Ran { errors, journal, failed: watched.failed(), repeated: watched.repeated() }
}

/// What is wrong with how a job took one failure.
fn complaints(failed: &Failed, kind: FaultKind, is_sticky: bool, ran: &Ran) -> Vec<String> {
    let mut complaints = ran.journal.wrong.clone();
    complaints
        .extend(ran.repeated.iter().map(|path| format!("the fsync of {} was tried again", path.display())));
    let Some(first) = ran.errors.first() else {
        let is_told = |(operation, path): &&(SimOperation, PathBuf)| !may_pass(*operation, path, kind);
        let missed = ran.failed.iter().find(is_told).filter(|_| !means_nothing(kind, is_sticky));
        complaints.extend(missed.map(|missed| format!("nobody noticed that {missed:?} failed")));
        return complaints;
    };
    // Of several that failed it may be another one than the first, which alone would have been no error.
    if !ran.failed.iter().any(|(_, path)| names(first, path)) {
        complaints.push(format!("the error does not name the file: {first:?}"));
    }
    if means_nothing(kind, is_sticky) {
        complaints.push(format!("a failure that means nothing was an error: {first:?}"));
    }
    if !is_sticky {
        // Only a name that may or may not be there leaves a doubt.
        let unknown = ran.errors.iter().find(|error| error.kind() == ErrorKind::OutcomeUnknown);
        let place =
            failed.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_name = matches!(&*place, "r" | "e") || place.starts_with("savepoint-");
        if let Some(unknown) = unknown
            && !(failed.operation == SimOperation::SyncDirectory && is_name)
        {
            complaints.push(format!("its outcome is known: {unknown:?}"));
        }
    }
    complaints
}

/// Whether it is only tried again. Nobody tries for ever what is always interrupted.
fn means_nothing(kind: FaultKind, is_sticky: bool) -> bool {
    matches!(kind, FaultKind::ShortRead | FaultKind::ShortWrite)
        || (kind == FaultKind::Interrupted && !is_sticky)
}

/// Whether a failure need not be noticed: one of what is tried again or not worth failing for.
fn may_pass(operation: SimOperation, path: &Path, kind: FaultKind) -> bool {
    use SimOperation as O;
    let path = path.to_string_lossy();
    match operation {
        // The second name of a file that was published.
        O::RemoveFile if path.ends_with(".tmp") => true,
        // What an unsettled entry of the register is compared with is read until it can be.
        O::Open | O::Read => path.contains("/_ctl/"),
        // What refers to nothing elsewhere can be read whatever the register beside it permits.
        O::List if path.contains(&THEIRS.to_string()) => true,
        // The directory of what is removed is gone through a second time.
        O::List | O::RemoveFile | O::RemoveDirectory => {
            path.contains("/chk-") || path.contains("/savepoint-")
        }
        // Where it may not even look into a directory above, it has not created anything either.
        O::SyncDirectory => matches!(kind, FaultKind::Denied | FaultKind::ReadOnly),
        _ => false,
    }
}

fn names(error: &(dyn Error + 'static), path: &Path) -> bool {
    let here = error.to_string().contains(&*path.to_string_lossy());
    here || error.source().is_some_and(|cause| names(cause, path))
}

#[test]
#[expect(clippy::print_stdout, reason = "what was found is what a person needs to see")]
fn whatever_fails_and_however_nothing_is_lost() {
    let mut proof = Proof::begin("storage/io_faults");
    let (mut states, mut sites) = (0_u64, 0);
    let (mut wrong, mut details) = (Vec::new(), Vec::new());
    for scene in scenes::all() {
        let run = |disk: &SimDisk| run(disk, &scene);
        let whole = run(&scene.disk.fork());
        assert!(
            whole.errors.is_empty() && whole.journal.wrong.is_empty(),
            "nothing failed, and yet: {whole:?}"
        );
        let mut failed_once = BTreeSet::new();
        for (kind, is_sticky) in FaultKind::ALL.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
            for failing in scene.disk.fail_everywhere(kind, is_sticky, run) {
                let (failed, ran) = (&failing.failed, &failing.outcome);
                failed_once.insert((failed.number, failed.operation));
                proof.cases += 1;
                let context = format!(
                    "{}: {kind:?}{} at {failed:?}",
                    scene.name,
                    if is_sticky { " for good" } else { "" }
                );
                let mut found = complaints(failed, kind, is_sticky, ran);
                for (survived, image) in scene.after_power_loss(&failing.disk) {
                    states += 1;
                    let checked = recovery::check(&image, 10, &ran.journal);
                    found
                        .extend(checked.err().map(|what| format!("then the power goes, {survived}: {what}")));
                }
                failing.disk.mend();
                let is_there = |place: &&String| failing.disk.list(Path::new(place)).is_ok();
                let rest = ran.journal.disposed.iter().find(is_there);
                found.extend(rest.map(|place| format!("{place} was disposed of, and is there")));
                states += 1;
                found.extend(recovery::check(&failing.disk, 10, &ran.journal).err());
                wrong.extend(found.into_iter().map(|what| format!("{context}: {what}")));
            }
        }
        println!("{}: {} sites, {states} recoveries by now", scene.name, failed_once.len());
        sites += failed_once.len();
        details.push(format!("{} {}", failed_once.len(), scene.name));
    }
    wrong.iter().take(30).for_each(|wrong| println!("{wrong}"));
    proof.violations = wrong.len() as u64 + u64::from(proof.cases < FEWEST);
    proof.detail = format!(
        "{sites} sites ({}) x {} ways to fail, each once and for good, as far as they apply; {states} recoveries from what was \
         left, with and without a loss of power; {} lost or misreported{}",
        details.join(", "),
        FaultKind::ALL.len(),
        wrong.len(),
        wrong.first().map(|wrong| format!(": {wrong}")).unwrap_or_default()
    );
    report(&proof);
}

/// What was to be written when an fsync failed may be gone, whatever a second one says. Whoever believes that loses it.
#[test]
fn an_fsync_that_is_tried_again_after_it_failed_is_found_out() {
    let mut proof = Proof::begin("storage/io_faults_mutant");
    let run = |disk: &SimDisk| {
        let mut journal = Journal::default();
        let reached: Arc<dyn Disk> = Arc::new(Mutated::new(disk, Mutant::RetriesFsync));
        let errors = stubborn::begins(&reached, Errors::Meant, &mut journal);
        (errors, journal)
    };
    let mut lost = BTreeMap::<SimOperation, (u64, String)>::new();
    for failing in SimDisk::new().fail_everywhere(FaultKind::Io, false, run) {
        let (Failed { operation, path, .. }, (errors, journal)) = (&failing.failed, &failing.outcome);
        if !matches!(operation, SimOperation::SyncFile | SimOperation::SyncDirectory) {
            continue;
        }
        assert!(errors.is_empty(), "the second answer is no error, and yet: {errors:?}");
        proof.cases += 1;
        if let Err(wrong) = recovery::check(&failing.disk.worst_case(), 10, journal) {
            let (count, _) = lost.entry(*operation).or_insert((0, format!("{}: {wrong}", path.display())));
            *count += 1;
        }
    }
    let missed = [SimOperation::SyncFile, SimOperation::SyncDirectory].map(|sync| !lost.contains_key(&sync));
    proof.violations = missed.into_iter().map(u64::from).sum();
    proof.detail = format!("lost, by what was tried again: {lost:?}");
    report(&proof);
}
