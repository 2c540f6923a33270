//! Files that do not hold what was written into them.

use super::Tried;
use super::ground::{Ground, Refusal};
use crate::prove::size;
use crate::prove::storage::scripted::{JOB, ready};
use std::path::Path;
use stillframe::metadata::frame::{self, RecordKind};
use stillframe::model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, Crc32c, FileHandle, KeyGroupRange, KeyedHandle,
    KeyedState, LocationReference, Name, OperatorState, StateDirectory, StateFile, StateHandle, TaskSnapshot,
    UnixMillis,
};
use stillframe::storage::{ErrorKind, SweepMode};
use stillframe::storage_directory::register::{Entry, Retained, Root};

/// What was read is not what was written.
const CORRUPT: &[ErrorKind] = &[ErrorKind::Corrupt];

/// On a real disk each copy costs time, so that only some of the bytes have their turn there.
fn stride(ground: &Ground) -> usize {
    if ground.directory().is_some() { size().pick(23, 1) } else { 1 }
}

pub(super) fn one_bit_is_flipped(ground: &dyn Fn() -> Ground, tried: &mut Tried) {
    let ground = ground().with_two_checkpoints();
    for (path, content) in ground.files(&ground.root) {
        for at in (0..content.len()).step_by(stride(&ground)) {
            let copy = ground.copied();
            let mut flipped = content.clone();
            flipped[at] ^= 1 << (at % 8);
            copy.put(&moved(&path, &ground, &copy), &flipped);
            tried.noticed(copy.judge(), CORRUPT, || format!("a bit of byte {at} of {}", path.display()));
        }
    }
}

pub(super) fn a_tail_is_missing_or_too_much(ground: &dyn Fn() -> Ground, tried: &mut Tried) {
    let ground = ground().with_two_checkpoints();
    for (path, content) in ground.files(&ground.root) {
        for len in (0..content.len()).step_by(stride(&ground)) {
            let copy = ground.copied();
            copy.put(&moved(&path, &ground, &copy), &content[..len]);
            tried.noticed(copy.judge(), CORRUPT, || {
                format!("{} of {} bytes of {}", len, content.len(), path.display())
            });
        }
        for more in [&[0][..], &content] {
            let copy = ground.copied();
            copy.put(&moved(&path, &ground, &copy), &[&content, more].concat());
            // What follows the states of a segment belongs to nobody and is not read.
            let context = || format!("{} bytes more of {}", more.len(), path.display());
            let is_segment =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("segment-"));
            if is_segment {
                tried.judged(copy.judge(), CORRUPT, context)
            } else {
                tried.noticed(copy.judge(), CORRUPT, context)
            }
        }
    }
}

pub(super) fn two_files_are_exchanged(ground: &dyn Fn() -> Ground, tried: &mut Tried) {
    let ground = ground().with_two_checkpoints();
    let files = ground.files(&ground.root).into_iter().collect::<Vec<_>>();
    for (number, (one, of_one)) in files.iter().enumerate() {
        for (other, of_other) in &files[number + 1..] {
            let copy = ground.copied();
            copy.put(&moved(one, &ground, &copy), of_other);
            copy.put(&moved(other, &ground, &copy), of_one);
            tried.noticed(copy.judge(), CORRUPT, || format!("{} and {}", one.display(), other.display()));
        }
    }
}

/// Names that lead elsewhere, each as long as [`HARMLESS`].
const LEADING: [&str; 6] = [
    "../../etc/passwd",
    "/etc/passwd.....",
    "..%2e/etc/passwd",
    "....//....//etc.",
    "a/../../../etc/b",
    "..\\..\\etc\\pass",
];
const HARMLESS: &str = "aaaaaaaaaaaaaaaa";

pub(super) fn names_lead_elsewhere_under_valid_checksums(ground: &dyn Fn() -> Ground, tried: &mut Tried) {
    for directory in [StateDirectory::Exclusive, StateDirectory::Shared, StateDirectory::TaskOwned] {
        let bytes = metadata(StateFile { directory, name: Name::new(HARMLESS).expect("it is a name") });
        let body =
            frame::open_body(RecordKind::CheckpointMetadata, &bytes).expect("it was sealed a moment ago");
        let at = body.windows(HARMLESS.len()).position(|found| found == HARMLESS.as_bytes());
        let at = at.expect("the name stands in the metadata as it is");
        for leading in LEADING {
            let mut crafted = body.to_vec();
            crafted[at..at + leading.len()].copy_from_slice(leading.as_bytes());
            let crafted = frame::seal_body(RecordKind::CheckpointMetadata, &crafted).expect("it is short");
            let decoded = stillframe::metadata::decode(&crafted);
            tried.refused(decoded, CORRUPT, || format!("{leading} is a name"));
            // Nor does a sweep look for it, when the register vouches for these bytes.
            let ground = ground().with_two_checkpoints();
            tried.refused(commit(&ground, &crafted, &[]), CORRUPT, || leading.to_owned());
        }
    }
    // A directory of somebody else, which only a job may read that was told to.
    let ground_of_foreign = ground().with_two_checkpoints();
    let victim = ground_of_foreign.outside.join("state-00000000000000000000000000000001");
    ground_of_foreign.put(&victim, b"secret");
    let address = ground_of_foreign.outside.display().to_string();
    let name = Name::new("state-00000000000000000000000000000001").expect("it is a name");
    let file = StateFile { directory: StateDirectory::Foreign(address.into()), name };
    let result = commit(&ground_of_foreign, &metadata(file.clone()), &[file]);
    tried.refused(result, &[ErrorKind::InvalidPointer], || "a file of somebody else".to_owned());
    let is_there = ground_of_foreign.read(&victim).is_ok_and(|found| found == b"secret");
    tried.holds(is_there, || "a file of somebody else is gone".to_owned());

    for (address, expected) in [
        ("../../outside", ErrorKind::NotFound),
        ("/usr/../outside", ErrorKind::NotFound),
        ("outside/..", ErrorKind::NotFound),
        ("file:///usr/../outside", ErrorKind::NotFound),
        ("s3://bucket/x", ErrorKind::InvalidPointer),
    ] {
        let ground = ground().with_two_checkpoints();
        let (job, outside) = (ground.job(), ground.files(&ground.outside));
        let newest = ground.files(&job.join("_ctl/r")).into_iter().next_back().expect("there are entries");
        let entry = Entry::decode(&newest.1).expect("nothing is broken yet");
        let crafted = Entry {
            sequence: entry.sequence + 1,
            previous: entry.checksum().expect("it was decoded"),
            retained: vec![Retained {
                checkpoint: CheckpointId::new(1),
                location: Some(address.to_owned()),
                len: 1,
                checksum: Crc32c::of(b"x"),
            }],
            roots: vec![Root { address: address.to_owned(), is_owned: true }],
            ..entry
        };
        let path = job.join(format!("_ctl/r/{:020}", crafted.sequence));
        ground.put(&path, &crafted.encode().expect("it fits the rules of an entry"));
        tried.refused(open_newest(&ground), &[expected], || address.to_owned());
        tried.holds(ground.files(&ground.outside) == outside, || format!("{address}: outside was touched"));
    }
}

/// The metadata of a checkpoint 3 that refers to one file.
fn metadata(file: StateFile) -> Vec<u8> {
    let handle = StateHandle::File(FileHandle { file, len: 6, crc: Crc32c::of(b"secret") });
    let keyed = KeyedHandle { range: KeyGroupRange { start: 0, end: 7 }, state: KeyedState::Full(handle) };
    let snapshot = TaskSnapshot { keyed: Some(keyed), ..TaskSnapshot::default() };
    let operator = OperatorState { max_parallelism: 8, subtasks: vec![snapshot], coordinator: None };
    let metadata = CheckpointMetadata {
        job: JOB,
        checkpoint: CheckpointId::new(3),
        kind: CheckpointKind::Checkpoint,
        triggered_at: UnixMillis(1),
        operators: [(Name::new("operator").expect("it is a name"), operator)].into(),
        hooks: [].into(),
    };
    stillframe::metadata::encode(&metadata).expect("it keeps to the limits")
}

/// Commits these bytes as a checkpoint's metadata, sweeps, reads what it refers to and removes that.
fn commit(ground: &Ground, metadata: &[u8], shared: &[StateFile]) -> Result<(), Refusal> {
    let access = ground.open(JOB)?;
    let coordinator = access.coordinator();
    let id = ready(coordinator.claim())?.next;
    ready(coordinator.begin_checkpoint(id))?;
    let bytes = metadata.to_vec().into();
    ready(coordinator.commit(id, &LocationReference::Default, bytes, &[]))?;
    let swept = ready(coordinator.sweep(SweepMode::Remove)).map(drop);
    let found = ready(coordinator.open_checkpoint(id))?;
    let content = stillframe::metadata::decode(&ready(found.metadata())?)?;
    let subtasks = content.operators.values().flat_map(|operator| &operator.subtasks);
    let read =
        subtasks.flat_map(TaskSnapshot::handles).try_for_each(|handle| ready(found.read(handle)).map(drop));
    let dropped = ready(coordinator.conclude(stillframe::model::JobStatus::Failed, &[id]));
    let removed = ready(coordinator.remove(id, shared));
    Ok(swept.and(dropped).and(read).and(removed)?)
}

/// Claims the job, and reads the metadata of the newest checkpoint; then gives it up and has it removed.
fn open_newest(ground: &Ground) -> Result<(), stillframe::storage::StorageError> {
    let coordinator = ground.open(JOB)?.coordinator();
    let claim = ready(coordinator.claim())?;
    let newest = claim.retained.last().copied().unwrap_or(CheckpointId::FIRST);
    let read = ready(coordinator.open_checkpoint(newest)).and_then(|found| ready(found.metadata()).map(drop));
    let _ = ready(coordinator.sweep(SweepMode::Remove));
    let _ = ready(coordinator.conclude(stillframe::model::JobStatus::Failed, &claim.retained));
    let _ = ready(coordinator.remove(newest, &[]));
    match read {
        Err(error) if error.kind() == ErrorKind::Other => Ok(()),
        other => other,
    }
}

/// The path of the same file on a copy.
pub(super) fn moved(path: &Path, from: &Ground, to: &Ground) -> std::path::PathBuf {
    to.root.join(path.strip_prefix(&from.root).expect("it lies in the storage's directory"))
}
