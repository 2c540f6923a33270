//! State to be written, and the metadata that refers to it.

use crate::e2e::flights::departures::Random;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};
use stillframe::metadata;
use stillframe::model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, IncrementalHandle, IncrementalPart, JobId,
    KeyGroupRange, KeyedHandle, KeyedState, Name, OperatorState, PartOrigin, StateDirectory, StateFile,
    StateHandle, TaskSnapshot, UnixMillis,
};

pub(super) const JOB: JobId = JobId::from_bytes(*b"killed-again-job");

/// A state that was written, and a number for what is in it.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) handle: StateHandle,
    pub(super) digest: u64,
}

/// Bytes of any size that makes a difference to where they go.
pub(super) fn draw(random: &mut Random) -> Bytes {
    let len = match random.below(24) {
        0 => 1 + random.below(8),
        1..12 => 1 + random.below(4_000),
        12..20 => 1 + random.below(40_000),
        // More than a block, which has a table of checksums behind it.
        20..23 => (64 << 10) + random.below(90_000),
        // More than fits into a part of a segment.
        _ => (1 << 20) + 1 + random.below(300_000),
    };
    let len = usize::try_from(len).expect("it is small");
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&random.draw().to_le_bytes());
    }
    bytes.truncate(len);
    Bytes::from(bytes)
}

/// A number for these bytes. Nothing of the storage's own checksums is in it.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// A number for all states of a checkpoint, in their order.
pub(super) fn digest_of_all(states: &[Written]) -> u64 {
    let mut hasher = DefaultHasher::new();
    states.iter().for_each(|state| hasher.write_u64(state.digest));
    hasher.finish()
}

/// What a checkpoint or savepoint with these states consists of: the parts of one task's state.
pub(super) fn encode(checkpoint: CheckpointId, kind: CheckpointKind, states: &[Written]) -> Bytes {
    let part = |(number, state): (usize, &Written)| IncrementalPart {
        name: name(format!("part-{number}")),
        handle: state.handle.clone(),
        origin: PartOrigin::Written,
    };
    let parts = states.iter().enumerate().map(part).collect();
    let keyed = KeyedHandle {
        range: KeyGroupRange { start: 0, end: 127 },
        state: KeyedState::Incremental(IncrementalHandle { parts }),
    };
    let snapshot = TaskSnapshot { keyed: Some(keyed), ..TaskSnapshot::default() };
    let operator = OperatorState { max_parallelism: 128, subtasks: vec![snapshot], coordinator: None };
    let content = CheckpointMetadata {
        job: JOB,
        checkpoint,
        kind,
        triggered_at: UnixMillis(1),
        operators: [(name("state".to_owned()), operator)].into(),
        hooks: [].into(),
    };
    metadata::encode(&content).expect("it is within all limits").into()
}

/// The checkpoint of which this is the metadata, and where its states are, in their order.
pub(super) fn decode(bytes: &[u8]) -> Result<(u64, Vec<StateHandle>), String> {
    let content = metadata::decode(bytes).map_err(|error| error.to_string())?;
    let subtasks = content.operators.values().flat_map(|operator| &operator.subtasks);
    let handles = subtasks.flat_map(TaskSnapshot::handles).cloned().collect();
    Ok((content.checkpoint.get(), handles))
}

/// The paths, in the job's directory, of the files that a checkpoint refers to.
pub(super) fn files(checkpoint: CheckpointId, states: &[Written]) -> BTreeSet<String> {
    let path = |file: &StateFile| match &file.directory {
        StateDirectory::Exclusive => format!("chk-{checkpoint}/{}", file.name),
        StateDirectory::Shared => format!("shared/{}", file.name),
        StateDirectory::TaskOwned | StateDirectory::Foreign(_) => unreachable!("nobody writes there"),
    };
    states.iter().filter_map(|state| state.handle.file()).map(path).collect()
}

/// The shared files among these.
pub(super) fn shared(states: &[Written]) -> impl Iterator<Item = &StateFile> {
    let files = states.iter().filter_map(|state| state.handle.file());
    files.filter(|file| file.directory == StateDirectory::Shared)
}

fn name(text: String) -> Name {
    Name::new(text).expect("it is a valid name")
}
