//! What the next process does on a disk, and what it has to find there.

use super::process::{Errors, Process, ROOT, ready, storage};
use super::{JOB, Journal, Part, Snapshot, content};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillframe::fs::disk::Disk;
use stillframe::fs::simulation::SimDisk;
use stillframe::model::{LocationReference, Pointer, StateDirectory, StateFile};
use stillframe::storage::{CheckpointStorage, ErrorKind, StateScope, StorageError};
use stillframe::storage_directory::register::Marker;

const HERE: LocationReference = LocationReference::Default;

/// What every restart does: claims the job, reads all that is retained, or else begins with the snapshot if there is one, sweeps,
/// and completes one more checkpoint, which replaces the others.
pub(crate) fn recover(
    disk: Arc<dyn Disk>,
    process: u64,
    errors: Errors,
    journal: &mut Journal,
) -> Result<(), StorageError> {
    let (mut process, claim) = Process::begin(disk, process, errors, journal)?;
    let mut newest = Vec::new();
    let mut all = Vec::new();
    for id in &claim.retained {
        newest = process.verify(*id)?;
        all.extend_from_slice(&newest);
    }
    process.verify_owned()?;
    let mut retained = claim.retained;
    if retained.is_empty() && claim.ended.is_none() {
        newest = process.adopt()?;
        all.clone_from(&newest);
        retained = process.claim.retained.clone();
    }
    process.sweep()?;
    if claim.ended.is_some() {
        return Ok(());
    }
    let next = process.place()?;
    let mut parts = process.write(next, &HERE, StateScope::Exclusive, &[5, 21])?;
    parts.extend(process.write(next, &HERE, StateScope::Shared, &[22])?);
    parts.extend(newest.into_iter().filter(is_shared));
    process.sync(next, &HERE)?;
    process.commit(next, &parts, &retained)?;
    for id in &retained {
        process.remove(*id, &[])?;
    }
    let is_needed = |part: &Part| parts.iter().any(|needed| needed.handle.file() == part.handle.file());
    let unneeded = all.into_iter().filter(|part| !is_needed(part)).collect::<Vec<_>>();
    match retained.last() {
        Some(last) => process.remove(*last, &unneeded),
        None => Ok(()),
    }
}

/// Whether the next checkpoint goes on with it: with all that is shared, and with some of what was another job's.
fn is_shared(part: &Part) -> bool {
    part.handle.file().is_some_and(|file| match &file.directory {
        StateDirectory::Shared => true,
        StateDirectory::Foreign(_) => goes_on(file),
        StateDirectory::Exclusive | StateDirectory::TaskOwned => false,
    })
}

fn is_foreign(part: &Part) -> bool {
    part.handle.file().is_some_and(|file| matches!(file.directory, StateDirectory::Foreign(_)))
}

/// Whether it is one of those files of another job that are still referred to; some of them are given up at every recovery.
fn goes_on(file: &StateFile) -> bool {
    file.name.as_str().as_bytes().last().is_some_and(|last| last % 2 == 1)
}

/// Runs a recovery to its end, on a disk that does not fail, and says what is wrong with what it found or left; nothing, if
/// all that was promised is so.
pub(crate) fn check(disk: &SimDisk, process: u64, journal: &Journal) -> Result<(), String> {
    let mut journal = journal.clone();
    check_pointers(disk, &journal)?;
    let metadata = journal.snapshot.as_ref().map(|snapshot| format!("{}/_metadata", snapshot.pointer));
    let is_whole = metadata.is_some_and(|metadata| disk.content(Path::new(&metadata)).is_some());
    let recovered = recover(Arc::new(disk.clone()), process, Errors::Meant, &mut journal);
    recovered.map_err(|error| format!("the recovery failed: {error:?}"))?;
    if let Some(wrong) = journal.wrong.first() {
        return Err(wrong.clone());
    }
    check_pointers(disk, &journal)?;
    let needed = check_files(disk, &journal)?;
    check_snapshot(disk, &journal, &needed, is_whole)
}

/// Whatever looks complete to a person is so: everything can be read that metadata refers to. And the savepoints that were
/// reported are there.
fn check_pointers(disk: &SimDisk, journal: &Journal) -> Result<(), String> {
    let files = disk.files(Path::new("/data"));
    let places = files.iter().filter(|file| file.ends_with("_metadata")).filter_map(|file| file.parent());
    let mut places = places.map(|place| place.display().to_string()).collect::<BTreeSet<_>>();
    if let Some(lost) = journal.savepoints.iter().find(|savepoint| !places.contains(savepoint.as_str())) {
        return Err(format!("the savepoint {lost} is lost"));
    }
    let left_behind = journal.left_behind.iter().map(|id| format!("/chk-{id}")).collect::<Vec<_>>();
    let snapshot = journal.snapshot.as_ref().filter(|one| journal.left_behind.contains(&one.id.get()));
    let is_snapshot = |place: &str| snapshot.is_some_and(|one| one.pointer.as_str() == place);
    places.retain(|place| !left_behind.iter().any(|left| place.ends_with(left)) && !is_snapshot(place));
    let storage = storage(Arc::new(disk.clone()), 0);
    let own = format!("{ROOT}/{JOB}/chk-");
    for place in places {
        let of = |what: String| format!("{place} looks complete: {what}");
        let failed = |error: StorageError| of(format!("{error:?}"));
        let found = ready(storage.resolve(&Pointer::new(place.as_str()))).map_err(failed)?;
        let (_, parts) = content::parts(&ready(found.metadata()).map_err(failed)?).map_err(of)?;
        // What others left may be read by those whom the register vouches for, and of the rest it is said that it is not retained.
        let id = place.strip_prefix(&own).and_then(|id| id.parse().ok());
        let is_vouched_for = id.is_none_or(|id| journal.retains_for_certain(id));
        for part in parts {
            let read = match ready(found.read(&part.handle)) {
                Err(error) if error.kind() == ErrorKind::NotFound && is_foreign(&part) && !is_vouched_for => {
                    continue;
                }
                read => read.map_err(failed)?,
            };
            if read != part.content() {
                return Err(of(format!("{part:?} is not what was written")));
            }
        }
    }
    Ok(())
}

/// What another job's files are that the job was told of is untouched as long as it did not take them over and drop them. After
/// that, what is in the directory of the snapshot is there because somebody needs it; and so is the rest, unless the metadata
/// that named it was gone before this recovery (`is_whole`), so that nobody could know of it.
fn check_snapshot(
    disk: &SimDisk,
    journal: &Journal,
    needed: &BTreeSet<PathBuf>,
    is_whole: bool,
) -> Result<(), String> {
    let Some(Snapshot { pointer, files, is_given_up, .. }) = &journal.snapshot else { return Ok(()) };
    if !is_given_up {
        return untouched(disk, files);
    }
    let place = Path::new(pointer.as_str());
    let is_seen_to = |file: &&PathBuf| is_whole || file.starts_with(place);
    let rest = files.keys().map(PathBuf::from).chain(disk.files(place));
    let rest = rest.filter(|file| disk.content(file).is_some()).collect::<Vec<_>>();
    if let Some(orphan) = rest.iter().filter(is_seen_to).find(|file| !needed.contains(*file)) {
        return Err(format!("{} is an orphan", orphan.display()));
    }
    let is_there = disk.list(place).is_ok();
    match needed.iter().any(|file| file.starts_with(place)) {
        false if is_there => Err(format!("the directory {pointer} is an orphan")),
        _ => Ok(()),
    }
}

/// What is somebody else's is as it was.
fn untouched(disk: &SimDisk, files: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
    match files.iter().find(|(path, content)| disk.content(Path::new(path)).as_ref() != Some(*content)) {
        Some((path, _)) => Err(format!("{path} of somebody else was touched")),
        None => Ok(()),
    }
}

/// After a recovery nothing is there that nobody needs, and what is somebody else's is as it was. Gives what is needed.
fn check_files(disk: &SimDisk, journal: &Journal) -> Result<BTreeSet<PathBuf>, String> {
    untouched(disk, &journal.foreign)?;
    let job = Path::new(ROOT).join(JOB.to_string());
    let mut needed = BTreeSet::new();
    let mut places = BTreeSet::from(["_ctl", "shared", "taskowned"].map(String::from));
    let foreign = journal.foreign.keys().filter_map(|path| Path::new(path).strip_prefix(&job).ok());
    places.extend(foreign.map(place_of));
    let is_snapshot = |id: &u64| journal.snapshot.as_ref().is_some_and(|snapshot| snapshot.id.get() == *id);
    for id in journal.outcome().retained.into_iter().filter(|id| !is_snapshot(id)) {
        let place = format!("chk-{id}");
        let metadata = job.join(&place).join("_metadata");
        let bytes = disk.content(&metadata).ok_or_else(|| format!("{} is gone", metadata.display()))?;
        for part in content::parts(&bytes)?.1 {
            if let Some(file) = part.handle.file() {
                let directory = match &file.directory {
                    StateDirectory::Foreign(address) => PathBuf::from(&**address),
                    StateDirectory::Shared => job.join("shared"),
                    StateDirectory::Exclusive | StateDirectory::TaskOwned => job.join(&place),
                };
                needed.insert(directory.join(file.name.as_str()));
            }
        }
        needed.insert(metadata);
        places.insert(place);
    }
    let floor = floor(disk, &job)?;
    for file in disk.files(&job) {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let below = file.strip_prefix(&job).unwrap_or(&file);
        let is_register = match below.parent().and_then(Path::to_str) {
            Some("_ctl/e") => is_number(&name),
            Some("_ctl/r") => name.parse::<u64>().is_ok_and(|number| number >= floor),
            _ => false,
        };
        // Tasks clear up themselves. A name of a publication goes with its checkpoint.
        let is_owned = below.starts_with("taskowned");
        let is_leftover = name.starts_with("._metadata.") && places.contains(&place_of(below));
        let is_foreign = journal.foreign.contains_key(&*file.to_string_lossy());
        if !(needed.contains(&file) || is_register || is_owned || is_leftover || is_foreign) {
            return Err(format!("{} is an orphan", file.display()));
        }
    }
    let entries = disk.list(&job).map_err(|error| format!("the job's directory: {error}"))?;
    match entries.iter().find(|entry| entry.is_directory && !places.contains(&entry.name)) {
        Some(orphan) => Err(format!("the directory {} is an orphan", orphan.name)),
        None => Ok(needed),
    }
}

fn place_of(below: &Path) -> String {
    below.iter().next().map(|place| place.to_string_lossy().into_owned()).unwrap_or_default()
}

fn is_number(name: &str) -> bool {
    name.parse::<u64>().is_ok()
}

/// The number of the entry at which readers of the register begin.
fn floor(disk: &SimDisk, job: &Path) -> Result<u64, String> {
    let is_marker = |file: &&PathBuf| file.file_name().is_some_and(|name| is_number(&name.to_string_lossy()));
    let markers = disk.files(&job.join("_ctl/e"));
    let newest = markers.iter().rfind(is_marker).ok_or("there is no marker")?;
    let bytes = disk.content(newest).ok_or("the newest marker is no file")?;
    Marker::decode(&bytes).map(|marker| marker.floor).map_err(|error| format!("the newest marker: {error}"))
}
