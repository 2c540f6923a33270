//! State that says itself what it is: a part of a checkpoint's metadata is named after the bytes that it has to have.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use stillframe::metadata;
use stillframe::model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, IncrementalHandle, IncrementalPart, JobId,
    KeyGroupRange, KeyedHandle, KeyedState, Name, OperatorState, PartOrigin, StateHandle, TaskSnapshot,
    UnixMillis,
};

/// A piece of state: what is in it, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    pub(crate) len: usize,
    pub(crate) salt: u64,
    pub(crate) handle: StateHandle,
}

impl Part {
    pub(crate) fn content(&self) -> Bytes {
        pattern(self.len, self.salt)
    }
}

/// Bytes that differ from one place to the next, and from one `salt` to another.
pub(crate) fn pattern(len: usize, salt: u64) -> Bytes {
    static KNOWN: Mutex<BTreeMap<(usize, u64), Bytes>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = known.entry((len, salt)).or_insert_with(|| {
        let mut state = salt.wrapping_mul(2).wrapping_add(1);
        let mut next = || {
            // A multiplicative congruential generator; its upper bits are good enough to tell bytes apart. None is 0, which
            // is what a file holds that was never written.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0] | 1
        };
        (0..len).map(|_| next()).collect()
    });
    bytes.clone()
}

/// The metadata of a checkpoint that consists of these parts.
pub(crate) fn encode(job: JobId, checkpoint: CheckpointId, parts: &[Part]) -> Bytes {
    encode_as(CheckpointKind::Checkpoint, job, checkpoint, parts)
}

/// As [`encode`], for a snapshot of this kind.
pub(super) fn encode_as(kind: CheckpointKind, job: JobId, checkpoint: CheckpointId, parts: &[Part]) -> Bytes {
    let named = |part: &Part| IncrementalPart {
        name: name(format!("{}-{}", part.len, part.salt)),
        handle: part.handle.clone(),
        origin: PartOrigin::Written,
    };
    let parts = parts.iter().map(named).collect::<Vec<_>>();
    let keyed = (!parts.is_empty()).then(|| KeyedHandle {
        range: KeyGroupRange { start: 0, end: 127 },
        state: KeyedState::Incremental(IncrementalHandle { parts }),
    });
    let snapshot = TaskSnapshot { keyed, ..TaskSnapshot::default() };
    let operator = OperatorState { max_parallelism: 128, subtasks: vec![snapshot], coordinator: None };
    let metadata = CheckpointMetadata {
        job,
        checkpoint,
        kind,
        triggered_at: UnixMillis(1),
        operators: [(name("operator".to_owned()), operator)].into(),
        hooks: [].into(),
    };
    metadata::encode(&metadata).expect("the script keeps to the limits of the format").into()
}

/// The id and the parts that stand in metadata; or what is wrong with it.
pub(crate) fn parts(bytes: &[u8]) -> Result<(u64, Vec<Part>), String> {
    let metadata = metadata::decode(bytes).map_err(|error| format!("its metadata: {error}"))?;
    let subtasks = metadata.operators.values().flat_map(|operator| &operator.subtasks);
    let states = subtasks.filter_map(|subtask| Some(&subtask.keyed.as_ref()?.state));
    let mut found = Vec::new();
    for state in states {
        let KeyedState::Incremental(incremental) = state else { return Err(format!("it has {state:?}")) };
        for part in &incremental.parts {
            let numbers = part.name.as_str().split_once('-');
            let numbers = numbers.and_then(|(len, salt)| Some((len.parse().ok()?, salt.parse().ok()?)));
            let Some((len, salt)) = numbers else { return Err(format!("it has a part {}", part.name)) };
            found.push(Part { len, salt, handle: part.handle.clone() });
        }
    }
    Ok((metadata.checkpoint.get(), found))
}

fn name(text: String) -> Name {
    Name::new(text).expect("digits and a hyphen are a name")
}
