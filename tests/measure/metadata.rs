use crate::clock::timed;
use crate::{Failure, Figures};
use serde_json::json;
use std::collections::BTreeMap;
use std::hint::black_box;
use stillframe::metadata::{decode, encode};
use stillframe::model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, Crc32c, FileHandle, JobId, KeyGroupRange, KeyedHandle,
    KeyedState, Name, OperatorState, StateDirectory, StateFile, StateHandle, TaskSnapshot, UnixMillis,
};

/// Rounds that are not counted, for the allocator and the processor's caches.
const WARM_UP: usize = 3;

/// Metadata to bytes and back, in subtasks per second, and its size in bytes per subtask.
pub(crate) fn code(repetitions: usize, operators: u16, subtasks: u16) -> Result<Figures, Failure> {
    let metadata = metadata(operators, subtasks)?;
    let count = f64::from(operators) * f64::from(subtasks);
    let [mut encoded, mut decoded] = [Vec::new(), Vec::new()];
    let mut size = 0;
    for repetition in 0..WARM_UP + repetitions {
        let (encoding, bytes) = timed(|| Ok(encode(black_box(&metadata))?))?;
        let (decoding, read) = timed(|| Ok(decode(black_box(&bytes))?))?;
        if read != metadata {
            return Err("what was decoded differs from what was encoded".into());
        }
        if repetition >= WARM_UP {
            encoded.push(count / encoding.as_secs_f64());
            decoded.push(count / decoding.as_secs_f64());
        }
        size = bytes.len();
    }
    Ok(Figures::from_iter([
        ("encode".to_owned(), json!(encoded)),
        ("decode".to_owned(), json!(decoded)),
        ("bytes".to_owned(), json!([size as f64 / count])),
    ]))
}

/// Every subtask has one key group and one file of 1 MiB, as in the peer's case.
fn metadata(operators: u16, subtasks: u16) -> Result<CheckpointMetadata, Failure> {
    let operator = |number: u16| {
        let name = name_of(number)?;
        let subtasks =
            (0..subtasks).map(|subtask| snapshot(number, subtask)).collect::<Result<Vec<_>, Failure>>()?;
        let max_parallelism = u16::try_from(subtasks.len())?;
        Ok((name, OperatorState { max_parallelism, subtasks, coordinator: None }))
    };
    Ok(CheckpointMetadata {
        job: JobId::from_bytes([7; 16]),
        checkpoint: CheckpointId::new(7),
        kind: CheckpointKind::Checkpoint,
        triggered_at: UnixMillis(1_700_000_000_000),
        operators: (0..operators).map(operator).collect::<Result<BTreeMap<_, _>, Failure>>()?,
        hooks: BTreeMap::new(),
    })
}

/// The name of an operator.
pub(crate) fn name_of(operator: u16) -> Result<Name, Failure> {
    Ok(Name::new(format!("operator-{operator}"))?)
}

/// One key group in a file of 1 MiB that belongs to the checkpoint alone.
pub(crate) fn snapshot(operator: u16, subtask: u16) -> Result<TaskSnapshot, Failure> {
    // Any distinct names will do, if they are as long and as hard to compress as those that a storage draws.
    let unique = (u128::from(operator) << 16 | u128::from(subtask))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let name = Name::new(format!("state-{unique:032x}"))?;
    let file = StateFile { directory: StateDirectory::Exclusive, name };
    let crc = Crc32c::of(&unique.to_le_bytes());
    let handle = StateHandle::File(FileHandle { file, len: 1 << 20, crc });
    let range = KeyGroupRange { start: subtask, end: subtask };
    Ok(TaskSnapshot {
        keyed: Some(KeyedHandle { range, state: KeyedState::Full(handle) }),
        ..TaskSnapshot::default()
    })
}
