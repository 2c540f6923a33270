//! What the job does. Each of these is a fresh job on an empty place, and ends with the first error.

use super::process::Errors;
use super::{Journal, Part, Process, ready};
use std::sync::Arc;
use stillframe::fs::disk::Disk;
use stillframe::model::{CheckpointId, JobStatus, LocationReference};
use stillframe::storage::{ErrorKind, StateScope, StorageError};

const HERE: LocationReference = LocationReference::Default;

/// The largest state that goes into a segment is one byte shorter.
pub(crate) const LARGE: usize = (1 << 20) + 1;

/// Two processes one after the other, with state of every kind but the large.
pub(crate) fn everything(
    disk: &Arc<dyn Disk>,
    errors: Errors,
    journal: &mut Journal,
) -> Result<(), StorageError> {
    let (mut first, _) = Process::begin(Arc::clone(disk), 1, errors, journal)?;

    let one = first.place()?;
    let mut parts = first.write(one, &HERE, StateScope::Exclusive, &[4, 20, 30])?;
    let a = first.write(one, &HERE, StateScope::Shared, &[25])?;
    let owned = first.own(15)?;
    parts.extend_from_slice(&a);
    parts.push(owned.clone());
    first.sync(one, &HERE)?;
    first.commit(one, &parts, &[])?;

    // The second refers to what the first wrote, and replaces it.
    let two = first.place()?;
    let mut parts = first.write(two, &HERE, StateScope::Exclusive, &[10])?;
    first.sync(two, &HERE)?;
    parts.extend(first.write(two, &HERE, StateScope::Exclusive, &[12])?);
    let b = first.write(two, &HERE, StateScope::Shared, &[9])?;
    parts.extend([&a[..], &b].concat());
    first.sync(two, &HERE)?;
    first.commit(two, &parts, &[one])?;
    first.remove(one, &[])?;
    first.disown(&owned)?;

    // One is given up before it is complete, and another one when the register refuses it.
    let three = first.place()?;
    first.write(three, &HERE, StateScope::Exclusive, &[11])?;
    first.sync(three, &HERE)?;
    first.discard(three)?;
    let four = first.place()?;
    let parts = first.write(four, &HERE, StateScope::Shared, &[13])?;
    first.sync(four, &HERE)?;
    match first.commit(four, &parts, &[one]) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(()) => first.journal.wrong.push("what is not retained was dropped".to_owned()),
    }
    // That is certain, whoever dies afterwards.
    first.journal.outcomes.retain(|outcome| !outcome.retained.contains(&four.get()));
    first.discard(four)?;

    first.savepoint(&[3, 14])?;

    let six = first.place()?;
    let mut parts = b.clone();
    parts.extend(first.write(six, &HERE, StateScope::Exclusive, &[16])?);
    let c = first.write(six, &HERE, StateScope::Shared, &[17])?;
    parts.extend_from_slice(&c);
    first.sync(six, &HERE)?;
    first.commit(six, &parts, &[])?;

    // The other one begins while the first still lives, and knows nothing of what it has to remove.
    let (mut second, _) = Process::begin(Arc::clone(disk), 2, errors, journal)?;
    second.sweep()?;
    let seven = second.place()?;
    let mut parts = second.write(seven, &HERE, StateScope::Exclusive, &[18])?;
    parts.extend_from_slice(&c);
    second.sync(seven, &HERE)?;
    second.commit(seven, &parts, &[two, six])?;
    second.remove(two, &a)?;
    second.remove(six, &b)?;
    second.conclude(JobStatus::Finished, &[seven])?;
    second.remove(seven, &c)
}

/// State that is too large for a segment, alone and shared, with a table of checksums.
pub(crate) fn large(disk: &Arc<dyn Disk>, errors: Errors, journal: &mut Journal) -> Result<(), StorageError> {
    let (mut process, _) = Process::begin(Arc::clone(disk), 1, errors, journal)?;
    let one = process.place()?;
    let mut parts = process.write(one, &HERE, StateScope::Exclusive, &[LARGE, 70_000])?;
    parts.extend(process.write(one, &HERE, StateScope::Shared, &[70_000])?);
    process.sync(one, &HERE)?;
    process.commit(one, &parts, &[])?;
    let two = process.place()?;
    process.commit(two, &parts[2..], &[one])?;
    process.remove(one, &[])
}

/// One process that gives up what fails and goes on with the next, until it cannot know what became of something. Gives all
/// errors.
pub(crate) fn whatever_fails(
    disk: &Arc<dyn Disk>,
    errors: Errors,
    journal: &mut Journal,
) -> Vec<StorageError> {
    let mut process = match Process::begin(Arc::clone(disk), 1, errors, journal) {
        Ok((process, _)) => process,
        Err(error) => return vec![error],
    };
    let mut failed = Vec::new();
    let mut newest: Option<(CheckpointId, Vec<Part>)> = None;
    for round in 0..3 {
        let id = process.draw();
        let shared = newest.as_ref().and_then(|(_, parts)| parts.last().cloned());
        let dropped = newest.iter().map(|(id, _)| *id).collect::<Vec<_>>();
        match complete(&mut process, id, shared, &dropped) {
            Ok(parts) => {
                let before = newest.replace((id, parts));
                let unneeded = before
                    .map(|(before, parts)| (before, parts.into_iter().filter(|part| !needs(&newest, part))));
                if let Some((before, unneeded)) = unneeded {
                    let unneeded = unneeded.collect::<Vec<_>>();
                    failed.extend(process.remove(before, &unneeded).err());
                }
            }
            Err(error) => {
                let is_over = matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Fenced);
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
    if let Some((id, _)) = &newest {
        failed.extend(process.verify(*id).err());
    }
    failed.extend(process.conclude(JobStatus::Canceled, &[]).err());
    failed
}

fn complete(
    process: &mut Process<'_>,
    id: CheckpointId,
    shared: Option<Part>,
    dropped: &[CheckpointId],
) -> Result<Vec<Part>, StorageError> {
    ready(process.coordinator.begin_checkpoint(id))?;
    let mut parts = process.write(id, &HERE, StateScope::Exclusive, &[4, 20])?;
    process.sync(id, &HERE)?;
    parts.extend(process.write(id, &HERE, StateScope::Exclusive, &[30])?);
    parts.extend(shared);
    parts.extend(process.write(id, &HERE, StateScope::Shared, &[25])?);
    process.sync(id, &HERE)?;
    process.commit(id, &parts, dropped)?;
    Ok(parts)
}

fn needs(newest: &Option<(CheckpointId, Vec<Part>)>, part: &Part) -> bool {
    newest.as_ref().is_some_and(|(_, parts)| parts.contains(part))
}
