//! What the job does. Each of these is a fresh job on an empty place, and ends with the first error.

use super::process::Errors;
use super::{Journal, Part, Process};
use core::slice::from_ref;
use std::sync::Arc;
use stillframe::fs::disk::Disk;
use stillframe::model::{JobStatus, LocationReference, StateDirectory};
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

/// A process that dies in the middle of things: with a register of some length, and with all that a sweep is for.
pub(crate) fn abandoned(
    disk: &Arc<dyn Disk>,
    errors: Errors,
    journal: &mut Journal,
) -> Result<(), StorageError> {
    let (mut process, _) = Process::begin(Arc::clone(disk), 1, errors, journal)?;
    process.own(15)?;
    let mut before: Vec<Part> = Vec::new();
    let mut ids = Vec::new();
    for dropped in [0, 0, 1] {
        let id = process.place()?;
        let mut parts = process.write(id, &HERE, StateScope::Exclusive, &[4, 20])?;
        parts.extend(before.last().cloned());
        parts.extend(process.write(id, &HERE, StateScope::Shared, &[25])?);
        process.sync(id, &HERE)?;
        process.commit(id, &parts, &ids[..dropped])?;
        ids.push(id);
        before = parts;
    }
    let late = process.place()?;
    process.write(late, &HERE, StateScope::Exclusive, &[20])?;
    process.write(late, &HERE, StateScope::Shared, &[25])?;
    process.sync(late, &HERE)
}

/// A process that leaves one savepoint to stay and another one that nobody wants.
pub(crate) fn two_savepoints(
    disk: &Arc<dyn Disk>,
    errors: Errors,
    journal: &mut Journal,
) -> Result<(), StorageError> {
    let (mut process, _) = Process::begin(Arc::clone(disk), 1, errors, journal)?;
    process.savepoint(&[3, 14])?;
    process.savepoint(&[3, 14, LARGE])?;
    Ok(())
}

/// Two processes one after the other that begin with what another job left, go on with some of it, and in the end need none of
/// it.
pub(crate) fn adopted(
    disk: &Arc<dyn Disk>,
    errors: Errors,
    journal: &mut Journal,
) -> Result<(), StorageError> {
    let (mut first, _) = Process::begin(Arc::clone(disk), 1, errors, journal)?;
    let theirs = first.adopt()?;
    first.sweep()?;
    let snapshot = first.claim.retained.clone();
    let shared = theirs.iter().filter(|part| is_in(part, "/shared")).cloned().collect::<Vec<_>>();
    let exclusive = theirs.iter().filter(|part| !is_in(part, "/shared")).cloned().collect::<Vec<_>>();
    // The last one is shared by the snapshot with nobody.
    let (alone, used) = shared.split_last().map_or((&[][..], &[][..]), |(last, rest)| (from_ref(last), rest));

    let one = first.place()?;
    let mut parts = first.write(one, &HERE, StateScope::Exclusive, &[4, 20])?;
    let a = first.write(one, &HERE, StateScope::Shared, &[25])?;
    parts.extend([&a[..], used, &exclusive].concat());
    first.sync(one, &HERE)?;
    first.commit(one, &parts, &[])?;

    let two = first.place()?;
    let mut parts = first.write(two, &HERE, StateScope::Exclusive, &[12])?;
    parts.extend([&a[..], used, &exclusive].concat());
    first.sync(two, &HERE)?;
    first.commit(two, &parts, &[&snapshot[..], &[one]].concat())?;
    for id in &snapshot {
        first.remove(*id, alone)?;
    }
    first.remove(one, &[])?;

    // What was exclusive outlives the snapshot, and is given up by a process that dies before it can remove it.
    let three = first.place()?;
    let mut parts = first.write(three, &HERE, StateScope::Shared, &[13])?;
    let b = parts.clone();
    parts.extend_from_slice(used);
    first.sync(three, &HERE)?;
    first.commit(three, &parts, &[two])?;

    let (mut second, _) = Process::begin(Arc::clone(disk), 2, errors, journal)?;
    second.sweep()?;
    let four = second.place()?;
    second.commit(four, &b, &[three])?;
    second.remove(three, used)?;
    second.conclude(JobStatus::Finished, &[])
}

/// Whether it lies in the directory of somebody else with a name that ends like this.
fn is_in(part: &Part, end: &str) -> bool {
    let directory = part.handle.file().map(|file| &file.directory);
    matches!(directory, Some(StateDirectory::Foreign(address)) if address.ends_with(end))
}
