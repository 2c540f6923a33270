//! The body of a metadata record: the model's types in the shape in which they are on disk.

use crate::FormatError;
use crate::frame::{self, RecordKind};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stillframe_model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, Crc32c, FileHandle, JobId, KeyGroupRange, KeyedHandle,
    Name, OperatorHandle, OperatorState, StateHandle, TaskSnapshot, UnixMillis,
};

/// Metadata as bytes.
///
/// # Errors
/// [`FormatError::TooLarge`] if it does not fit into one record.
pub fn encode(metadata: &CheckpointMetadata) -> Result<Vec<u8>, FormatError> {
    frame::seal(RecordKind::CheckpointMetadata, &Metadata::from(metadata))
}

/// Metadata from bytes, checked in every part.
///
/// # Errors
/// What is wrong, and in which part.
pub fn decode(bytes: &[u8]) -> Result<CheckpointMetadata, FormatError> {
    frame::open::<Metadata>(RecordKind::CheckpointMetadata, bytes)?.into_model()
}

/// Flink's limit for key groups and subtasks.
const MAX_PARALLELISM: u16 = 1 << 15;

#[derive(Serialize, Deserialize)]
struct Metadata {
    job: [u8; 16],
    checkpoint: u64,
    savepoint: bool,
    triggered_at: u64,
    operators: Vec<Operator>,
}

#[derive(Serialize, Deserialize)]
struct Operator {
    name: String,
    max_parallelism: u16,
    subtasks: Vec<Subtask>,
}

#[derive(Serialize, Deserialize)]
struct Subtask {
    keyed: Option<Keyed>,
    operator: Option<Elements>,
    finished: bool,
}

#[derive(Serialize, Deserialize)]
struct Keyed {
    start: u16,
    end: u16,
    handle: Handle,
}

#[derive(Serialize, Deserialize)]
struct Elements {
    count: u32,
    handle: Handle,
}

#[derive(Serialize, Deserialize)]
enum Handle {
    Inline(Bytes),
    File { name: String, len: u64, crc: u32 },
}

impl From<&CheckpointMetadata> for Metadata {
    fn from(metadata: &CheckpointMetadata) -> Self {
        let CheckpointMetadata { job, checkpoint, kind, triggered_at, operators } = metadata;
        Self {
            job: *job.as_bytes(),
            checkpoint: checkpoint.get(),
            savepoint: kind.is_savepoint(),
            triggered_at: triggered_at.0,
            operators: operators
                .iter()
                .map(|(name, OperatorState { max_parallelism, subtasks })| Operator {
                    name: name.to_string(),
                    max_parallelism: *max_parallelism,
                    subtasks: subtasks.iter().map(Subtask::from).collect(),
                })
                .collect(),
        }
    }
}

impl From<&TaskSnapshot> for Subtask {
    fn from(snapshot: &TaskSnapshot) -> Self {
        let TaskSnapshot { keyed, operator, finished } = snapshot;
        Self {
            keyed: keyed.as_ref().map(|KeyedHandle { range, handle }| Keyed {
                start: range.start,
                end: range.end,
                handle: handle.into(),
            }),
            operator: operator.as_ref().map(|OperatorHandle { elements, handle }| Elements {
                count: *elements,
                handle: handle.into(),
            }),
            finished: *finished,
        }
    }
}

impl From<&StateHandle> for Handle {
    fn from(handle: &StateHandle) -> Self {
        match handle {
            StateHandle::Inline(bytes) => Self::Inline(bytes.clone()),
            StateHandle::File(FileHandle { name, len, crc }) => {
                Self::File { name: name.to_string(), len: *len, crc: crc.0 }
            }
        }
    }
}

fn invalid(element: String, problem: impl Into<String>) -> FormatError {
    FormatError::Invalid { element, problem: problem.into() }
}

impl Metadata {
    fn into_model(self) -> Result<CheckpointMetadata, FormatError> {
        if self.checkpoint == 0 {
            return Err(invalid("checkpoint id".into(), "is 0; ids begin with 1"));
        }
        let mut operators = BTreeMap::new();
        for operator in self.operators {
            let name =
                Name::new(operator.name).map_err(|error| invalid("operator".into(), error.to_string()))?;
            let state = into_operator(&name, operator.max_parallelism, operator.subtasks)?;
            if operators.insert(name.clone(), state).is_some() {
                return Err(invalid(format!("operator {name}"), "stands there twice"));
            }
        }
        Ok(CheckpointMetadata {
            job: JobId::from_bytes(self.job),
            checkpoint: CheckpointId::new(self.checkpoint),
            kind: if self.savepoint { CheckpointKind::Savepoint } else { CheckpointKind::Checkpoint },
            triggered_at: UnixMillis(self.triggered_at),
            operators,
        })
    }
}

fn into_operator(
    name: &Name,
    max_parallelism: u16,
    subtasks: Vec<Subtask>,
) -> Result<OperatorState, FormatError> {
    let element = || format!("operator {name}");
    if max_parallelism == 0 || max_parallelism > MAX_PARALLELISM {
        return Err(invalid(
            element(),
            format!("has max parallelism {max_parallelism}; allowed are 1 to {MAX_PARALLELISM}"),
        ));
    }
    if subtasks.is_empty() || subtasks.len() > usize::from(max_parallelism) {
        return Err(invalid(
            element(),
            format!(
                "has {} subtasks; allowed are 1 to its max parallelism {max_parallelism}",
                subtasks.len()
            ),
        ));
    }
    let subtasks = subtasks
        .into_iter()
        .enumerate()
        .map(|(index, subtask)| {
            into_snapshot(&|| format!("operator {name}, subtask {index}"), max_parallelism, subtask)
        })
        .collect::<Result<_, _>>()?;
    Ok(OperatorState { max_parallelism, subtasks })
}

fn into_snapshot(
    element: &dyn Fn() -> String,
    max_parallelism: u16,
    subtask: Subtask,
) -> Result<TaskSnapshot, FormatError> {
    let Subtask { keyed, operator, finished } = subtask;
    let keyed = match keyed {
        Some(Keyed { start, end, .. }) if start > end || end >= max_parallelism => {
            return Err(invalid(
                element(),
                format!("key groups {start}..={end} are not within 0..{max_parallelism}"),
            ));
        }
        Some(Keyed { start, end, handle }) => {
            Some(KeyedHandle { range: KeyGroupRange { start, end }, handle: handle.into_model(element)? })
        }
        None => None,
    };
    let operator = match operator {
        Some(Elements { count, handle }) => {
            Some(OperatorHandle { elements: count, handle: handle.into_model(element)? })
        }
        None => None,
    };
    Ok(TaskSnapshot { keyed, operator, finished })
}

impl Handle {
    fn into_model(self, element: &dyn Fn() -> String) -> Result<StateHandle, FormatError> {
        Ok(match self {
            Self::Inline(bytes) => StateHandle::Inline(bytes),
            Self::File { name, len, crc } => StateHandle::File(FileHandle {
                name: Name::new(name).map_err(|error| invalid(element(), format!("state file: {error}")))?,
                len,
                crc: Crc32c(crc),
            }),
        })
    }
}

#[cfg(test)]
mod tests;
