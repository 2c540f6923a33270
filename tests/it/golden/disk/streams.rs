//! Streams of state: which threshold and buffer lead to a file, and what is read back.

use super::ground::{Files, Ground, Memory, compare_refusal, compare_state, state};
use super::tree;
use crate::golden::difference::Difference;
use crate::golden::tally::Outcome;
use serde_json::{Value, json};
use stillframe::model::{CheckpointId, StateHandle};
use stillframe::storage::{StateScope, StorageError};

const KIND: &str = "stream";

/// A size of the recording, where -1 leaves it to the configuration.
fn size(value: &Value) -> Result<Option<u32>, String> {
    match value.as_i64() {
        Some(-1) => Ok(None),
        Some(size) => u32::try_from(size).map(Some).map_err(|error| format!("{size}: {error}")),
        None => Err(format!("expected a size, found {value}")),
    }
}

/// What a stream gave: its positions, its handle, and what was read back.
struct Written {
    positions: Vec<u64>,
    result: Result<Option<(StateHandle, Vec<u8>)>, StorageError>,
    files: usize,
}

async fn write(ground: &Ground, scope: StateScope, writes: &[usize]) -> Result<Written, StorageError> {
    let checkpoint = CheckpointId::FIRST;
    let location = ground.coordinator.begin_checkpoint(checkpoint).await?;
    let mut stream = ground.worker.create(checkpoint, &location, scope).await?;
    let (mut positions, mut from) = (Vec::new(), 0);
    for len in writes {
        stream.write(state(from, *len).into()).await?;
        from += len;
        positions.push(stream.position());
    }
    let finished = stream.finish().await;
    ground.worker.sync(checkpoint, &location).await?;
    let files = tree::of(ground.root.path()).states();
    ground.coordinator.commit(checkpoint, &location, "m".into(), &[]).await?;
    let found = ground.coordinator.open_checkpoint(checkpoint).await?;
    let result = match finished {
        Ok(Some(handle)) => found.read(&handle).await.map(|read| Some((handle, read.to_vec()))),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    Ok(Written { positions, result, files })
}

pub(super) async fn on_files(name: &str, case: &Value) -> Outcome {
    let scope = match case["scope"].as_str() {
        Some("EXCLUSIVE") => StateScope::Exclusive,
        Some("SHARED") => StateScope::Shared,
        _ => {
            return Outcome::found(
                KIND,
                name,
                vec![format!("the scope {} is not understood", case["scope"])],
            );
        }
    };
    let (threshold, buffer) = match (size(&case["threshold"]), size(&case["buffer"])) {
        (Ok(threshold), Ok(buffer)) => (threshold, buffer),
        (Err(error), _) | (_, Err(error)) => return Outcome::found(KIND, name, vec![error]),
    };
    let writes = case["writes"].as_array().into_iter().flatten();
    let writes =
        writes.filter_map(Value::as_u64).filter_map(|len| usize::try_from(len).ok()).collect::<Vec<_>>();
    let written = match Ground::files(Files { threshold, buffer, savepoints: false }).await {
        Ok(ground) => write(&ground, scope, &writes).await,
        Err(error) => Err(error),
    };
    let written = match written {
        Ok(written) => written,
        Err(error) => return Outcome::found(KIND, name, vec![format!("ours refused: {error}")]),
    };
    let total = writes.iter().sum::<usize>();
    let limit = threshold.unwrap_or(20 * 1024);
    // What Flink makes of a buffer that has no room for anything.
    let is_without_buffer = threshold == Some(0) && buffer == Some(0);
    let recorded = &case["result"];
    if is_without_buffer && (recorded.get("raises").is_some() || total == 0) {
        let is_right = matches!(&written.result, Ok(result) if result.as_ref().map(|(_, read)| read.len()) == Some(total).filter(|len| *len > 0));
        let is_known = recorded["raises"]["java_class"] == "java.lang.ArrayIndexOutOfBoundsException"
            || recorded["state_size"] == 0
            || recorded.is_null();
        let findings =
            (!is_right || !is_known).then(|| format!("expected {total} bytes of state, and {recorded}"));
        let outcome = Outcome::found(KIND, name, findings.into_iter().collect());
        return if recorded.is_null() { outcome } else { outcome.with(Difference::AnyWriteBuffer) };
    }
    let mut differences = Vec::new();
    let mut findings = Vec::new();
    if json!(written.positions) != case["positions"] {
        findings.push(format!("positions: expected {}, ours {:?}", case["positions"], written.positions));
    }
    match (&written.result, recorded.is_null()) {
        (Ok(None), true) => {}
        (Ok(Some((handle, read))), false) => {
            let mut recorded = recorded.clone();
            let mut files = case["state_files_on_disk"].clone();
            // One write that fills the buffer goes past it, into a file, however small it is.
            let in_file = match scope {
                StateScope::Exclusive => "RelativeFileStateHandle",
                StateScope::Shared => "FileStateHandle",
            };
            if recorded["handle"] == in_file && total <= limit as usize && files == 1 {
                let fills = writes.iter().any(|len| *len >= limit.max(buffer.unwrap_or(4_096)) as usize);
                if fills {
                    (recorded["handle"], files) = (json!("ByteStreamStateHandle"), json!(0));
                    differences.push(Difference::InlineBySize);
                }
            }
            findings.extend(compare_state(&recorded, handle, read));
            if files != written.files {
                findings.push(format!("state_files_on_disk: expected {files}, ours {}", written.files));
            }
        }
        (ours, _) => findings.push(format!("expected {recorded}, ours {ours:?}")),
    }
    if recorded.is_null() && case["state_files_on_disk"] != written.files {
        findings.push(format!(
            "state_files_on_disk: expected {}, ours {}",
            case["state_files_on_disk"], written.files
        ));
    }
    differences.into_iter().fold(Outcome::found(KIND, name, findings), Outcome::with)
}

pub(super) async fn in_memory(name: &str, case: &Value) -> Outcome {
    const KIND: &str = "memory_stream";
    let (Some(max_state_size), Some(len)) = (case["max_state_size"].as_u64(), case["write"].as_u64()) else {
        return Outcome::found(KIND, name, vec!["a size is missing".into()]);
    };
    let memory = Memory { max_state_size, checkpoints: false, savepoints: false };
    let written = match Ground::memory(memory).await {
        Ok(ground) => {
            write(&ground, StateScope::Exclusive, &[usize::try_from(len).unwrap_or(usize::MAX)]).await
        }
        Err(error) => Err(error),
    };
    let recorded = &case["result"];
    let findings = match (written.map(|written| written.result), recorded.get("raises")) {
        (Ok(Err(ours)), Some(raises)) => {
            let text = ours.to_string();
            let mut findings = compare_refusal(raises, &ours);
            let says = [len.to_string(), max_state_size.to_string(), "FileSystemCheckpointStorage".into()];
            findings.extend(
                says.iter().filter(|word| !text.contains(*word)).map(|word| format!("{text} lacks {word}")),
            );
            findings
        }
        (Ok(Ok(None)), None)
            if len == 0 && recorded["state_size"] == 0 && recorded["bytes_read_back"] == 0 =>
        {
            let is_inline =
                recorded["handle"] == "ByteStreamStateHandle" && recorded["polynomial_hash_31"] == 0;
            let findings = (!is_inline).then(|| format!("not understood: {recorded}")).into_iter().collect();
            return Outcome::found(KIND, name, findings).with(Difference::NothingIsNoState);
        }
        (Ok(Ok(Some((handle, read)))), None) => compare_state(recorded, &handle, &read),
        (ours, _) => vec![format!("expected {recorded}, ours {ours:?}")],
    };
    Outcome::found(KIND, name, findings)
}

/// A write buffer has no say in what is state and what is not.
#[test]
fn any_write_buffer_serves_and_nothing_is_no_state() {
    use super::ground::block_on;
    for buffer in [0, 1, 4] {
        for (writes, len) in [(&[0][..], 0), (&[1], 1), (&[0, 1, 0, 9], 10)] {
            let ground = block_on(Ground::files(Files {
                threshold: Some(0),
                buffer: Some(buffer),
                savepoints: false,
            }));
            let written = block_on(write(&ground.unwrap(), StateScope::Exclusive, writes)).unwrap();
            let read = written.result.unwrap().map(|(_, read)| read.len());
            assert_eq!(read, Some(len).filter(|len| *len > 0), "{writes:?} with a buffer of {buffer}");
        }
    }
}

/// Only the size of state says whether it is in the metadata, not how it was written.
#[test]
fn inline_by_size_however_it_was_written() {
    use super::ground::block_on;
    for writes in [&[10][..], &[5, 5], &[1, 9], &[0, 10]] {
        let ground =
            block_on(Ground::files(Files { threshold: Some(10), buffer: Some(4), savepoints: false }));
        let written = block_on(write(&ground.unwrap(), StateScope::Exclusive, writes)).unwrap();
        assert!(matches!(written.result, Ok(Some((StateHandle::Inline(_), _)))), "{writes:?}");
        assert_eq!(written.files, 0);
    }
}
