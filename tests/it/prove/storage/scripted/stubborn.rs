//! Processes that give up what fails and go on with the next, until they cannot know what became of something. Each gives all
//! errors.

use super::process::{Errors, storage};
use super::script::LARGE;
use super::{Journal, Part, Process, ready};
use std::sync::Arc;
use stillframe::fs::disk::Disk;
use stillframe::model::{CheckpointId, JobStatus, LocationReference};
use stillframe::storage::{CheckpointStorage, ErrorKind, StateScope, StorageError};

const HERE: LocationReference = LocationReference::Default;

/// What the checkpoints of a job consist of, by the lengths of the states.
#[derive(Clone, Copy, Debug)]
struct Lens {
    /// What is synchronised at first, and what comes after that.
    exclusive: [&'static [usize]; 2],
    shared: &'static [usize],
}

const SMALL: Lens = Lens { exclusive: [&[4, 20], &[30]], shared: &[25] };

/// A segment that is written out before anybody synchronises it, and files of their own with a table of checksums.
const GREAT: Lens = Lens { exclusive: [&[LARGE - 1, 70_000], &[LARGE]], shared: &[70_000] };

/// What is retained, and of what it consists, as later checkpoints call it.
type Retained = Vec<(CheckpointId, Vec<Part>)>;

/// The first process of a job.
pub(crate) fn begins(disk: &Arc<dyn Disk>, errors: Errors, journal: &mut Journal) -> Vec<StorageError> {
    match Process::begin(Arc::clone(disk), 1, errors, journal) {
        Ok((mut process, _)) => go_on(&mut process, Vec::new(), Vec::new(), &SMALL, 3),
        Err(error) => vec![error],
    }
}

/// As [`begins`], with states that are too large to wait in memory, and such that have a file of their own.
pub(crate) fn begins_with_large_states(
    disk: &Arc<dyn Disk>,
    errors: Errors,
    journal: &mut Journal,
) -> Vec<StorageError> {
    match Process::begin(Arc::clone(disk), 1, errors, journal) {
        Ok((mut process, _)) => go_on(&mut process, Vec::new(), Vec::new(), &GREAT, 1),
        Err(error) => vec![error],
    }
}

/// A process that goes on where another one has died: claims, reads, sweeps.
pub(crate) fn inherits(disk: &Arc<dyn Disk>, errors: Errors, journal: &mut Journal) -> Vec<StorageError> {
    let (mut process, claim) = match Process::begin(Arc::clone(disk), 2, errors, journal) {
        Ok(begun) => begun,
        Err(error) => return vec![error],
    };
    let mut retained = Retained::new();
    for id in claim.retained {
        match process.verify(id) {
            Ok(parts) => retained.push((id, parts)),
            // A job that cannot read what it is to go on with does not go on.
            Err(error) => return vec![error],
        }
    }
    let swept = process.sweep().err();
    if swept.is_some() {
        // What it was to see to is there until the next one.
        let is_retained = |id: &u64| retained.iter().any(|(retained, _)| retained.get() == *id);
        process.journal.left_behind.extend((1..claim.next.get()).filter(|id| !is_retained(id)));
    }
    let carried = retained.last().and_then(|(_, parts)| parts.last().cloned());
    let failed = go_on(&mut process, retained, carried.into_iter().collect(), &SMALL, 1);
    swept.into_iter().chain(failed).collect()
}

/// A process that begins with what another job left, and tries again if it cannot.
pub(crate) fn adopts(disk: &Arc<dyn Disk>, errors: Errors, journal: &mut Journal) -> Vec<StorageError> {
    let mut process = match Process::begin(Arc::clone(disk), 1, errors, journal) {
        Ok((process, _)) => process,
        Err(error) => return vec![error],
    };
    let mut failed = Vec::new();
    let theirs = match process.adopt() {
        Ok(theirs) => theirs,
        Err(error) => {
            let is_over = is_over(&error);
            failed.push(error);
            let again = if is_over { None } else { Some(adopt_again(&mut process)) };
            match again {
                Some(Ok(theirs)) => theirs,
                other => {
                    failed.extend(other.and_then(Result::err));
                    return failed;
                }
            }
        }
    };
    let retained = process.claim.retained.iter().map(|id| (*id, theirs.clone())).collect();
    failed.extend(go_on(&mut process, retained, theirs, &SMALL, 2));
    failed
}

/// The attempt may have succeeded, for all that it said.
fn adopt_again(process: &mut Process<'_>) -> Result<Vec<Part>, StorageError> {
    let claim = ready(process.coordinator.claim())?;
    let taken = claim.taken.last().copied();
    process.told(claim);
    match taken {
        Some(taken) => process.verify(taken),
        None => process.adopt(),
    }
}

/// Somebody who disposes of the last savepoint that was reported, and tries again if that fails.
pub(crate) fn disposes(disk: &Arc<dyn Disk>, _: Errors, journal: &mut Journal) -> Vec<StorageError> {
    let Some(savepoint) = journal.savepoints.pop() else { return Vec::new() };
    let storage = storage(Arc::clone(disk), 4);
    let mut failed = Vec::new();
    for _ in 0..2 {
        match ready(storage.dispose_savepoint(&savepoint)) {
            Ok(()) => {
                journal.disposed.insert(savepoint.as_str().to_owned());
                break;
            }
            // Nothing is left by which it could be known.
            Err(error) if error.kind() == ErrorKind::NotFound && !failed.is_empty() => break,
            Err(error) => failed.push(error),
        }
    }
    failed
}

fn is_over(error: &StorageError) -> bool {
    matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Fenced)
}

/// Takes so many checkpoints, each of which replaces all before it, and whatever else a job does. The first one refers to what
/// is carried on.
fn go_on(
    process: &mut Process<'_>,
    mut retained: Retained,
    mut carried: Vec<Part>,
    lens: &Lens,
    rounds: u32,
) -> Vec<StorageError> {
    let mut failed = Vec::new();
    for round in 0..rounds {
        let id = process.draw();
        let dropped = retained.iter().map(|(id, _)| *id).collect::<Vec<_>>();
        match complete(process, id, &carried, &dropped, lens) {
            Ok(parts) => {
                carried = parts.last().cloned().into_iter().collect();
                for (before, unneeded) in core::mem::take(&mut retained) {
                    let unneeded = unneeded.into_iter().filter(|part| !needs(&parts, part));
                    failed.extend(process.remove(before, &unneeded.collect::<Vec<_>>()).err());
                }
                retained.push((id, parts));
            }
            Err(error) => {
                let is_over = is_over(&error);
                failed.push(error);
                if is_over {
                    return failed;
                }
                failed.extend(process.discard(id).err());
            }
        }
        if round == 1 {
            failed.extend(process.savepoint(&[3, 14]).err());
            failed.extend(process.sweep().err());
        }
    }
    match process.own(15) {
        Ok(owned) => failed.extend(process.verify_owned().and_then(|()| process.disown(&owned)).err()),
        Err(error) => failed.push(error),
    }
    if let Some((id, _)) = retained.last() {
        failed.extend(process.verify(*id).err());
    }
    failed.extend(process.conclude(JobStatus::Canceled, &[]).err());
    failed
}

fn complete(
    process: &mut Process<'_>,
    id: CheckpointId,
    carried: &[Part],
    dropped: &[CheckpointId],
    lens: &Lens,
) -> Result<Vec<Part>, StorageError> {
    ready(process.coordinator.begin_checkpoint(id))?;
    let mut parts = process.write(id, &HERE, StateScope::Exclusive, lens.exclusive[0])?;
    process.sync(id, &HERE)?;
    parts.extend(process.write(id, &HERE, StateScope::Exclusive, lens.exclusive[1])?);
    parts.extend_from_slice(carried);
    parts.extend(process.write(id, &HERE, StateScope::Shared, lens.shared)?);
    process.sync(id, &HERE)?;
    process.commit(id, &parts, dropped)?;
    Ok(parts)
}

fn needs(newest: &[Part], part: &Part) -> bool {
    newest.iter().any(|needed| needed.handle.file() == part.handle.file())
}
