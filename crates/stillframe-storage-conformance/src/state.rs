//! State to be written, and what it is written for.

use bytes::Bytes;
use stillframe_model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, IncrementalHandle, IncrementalPart, JobId,
    KeyGroupRange, KeyedHandle, KeyedState, Name, OperatorState, PartOrigin, PostCheckpointAction,
    SavepointFormat, SavepointKind, StateFile, StateHandle, TaskSnapshot, UnixMillis,
};

pub(crate) const JOB: JobId = JobId::from_bytes(*b"conformance-job1");
pub(crate) const OTHER_JOB: JobId = JobId::from_bytes(*b"conformance-job2");

/// More than a storage puts into the metadata by default, and less than most give a file of its own.
pub(crate) const MEDIUM: usize = 100_000;

/// More than any storage with files puts elsewhere than into one. Less than `JobManagerCheckpointStorage` refuses.
pub(crate) const LARGE: usize = 1 << 21;

/// A savepoint whose keyed state may be in parts.
pub(crate) const NATIVE_SAVEPOINT: CheckpointKind = CheckpointKind::Savepoint(SavepointKind {
    format: SavepointFormat::Native,
    action: PostCheckpointAction::None,
});

/// What a checkpoint with these states consists of. It lists them as the parts of one task's keyed state, whatever else it could
/// be: a storage looks at them only to see what is referred to.
pub(crate) fn metadata(
    job: JobId,
    checkpoint: CheckpointId,
    kind: CheckpointKind,
    states: &[(StateHandle, Bytes)],
) -> CheckpointMetadata {
    let part = |(number, (handle, _)): (usize, &(StateHandle, Bytes))| IncrementalPart {
        name: name(format!("part-{number}")),
        handle: handle.clone(),
        origin: PartOrigin::Written,
    };
    let parts = states.iter().enumerate().map(part).collect::<Vec<_>>();
    let keyed = (!parts.is_empty()).then(|| KeyedHandle {
        range: KeyGroupRange { start: 0, end: 127 },
        state: KeyedState::Incremental(IncrementalHandle { parts }),
    });
    let snapshot = TaskSnapshot { keyed, ..TaskSnapshot::default() };
    let operator = OperatorState { max_parallelism: 128, subtasks: vec![snapshot], coordinator: None };
    CheckpointMetadata {
        job,
        checkpoint,
        kind,
        triggered_at: UnixMillis(1),
        operators: [(name("conformance".to_owned()), operator)].into(),
        hooks: [].into(),
    }
}

fn name(text: String) -> Name {
    Name::new(text).expect("it is a valid name")
}

/// Bytes that differ from one place to the next and from one `salt` to another, so that a mix-up shows.
pub(crate) fn pattern(len: usize, salt: u64) -> Bytes {
    let mut state = salt.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        // A multiplicative congruential generator; its upper bits are good enough to tell bytes apart.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

/// The same handle, of another file.
pub(crate) fn in_file(handle: &StateHandle, file: StateFile) -> StateHandle {
    let mut handle = handle.clone();
    match &mut handle {
        StateHandle::Inline(_) => {}
        StateHandle::File(handle) => handle.file = file,
        StateHandle::Segment(handle) => handle.file = file,
    }
    handle
}
