use super::*;
use alloc::vec;

fn metadata() -> CheckpointMetadata {
    let file =
        StateHandle::File(FileHandle { name: Name::new("00ff.state").unwrap(), len: 70_000, crc: Crc32c(7) });
    let subtask = |start, end, handle| TaskSnapshot {
        keyed: Some(KeyedHandle { range: KeyGroupRange { start, end }, handle }),
        operator: Some(OperatorHandle {
            elements: 2,
            handle: StateHandle::Inline(Bytes::from_static(b"two")),
        }),
        finished: start == 0,
    };
    let totals = OperatorState {
        max_parallelism: 128,
        subtasks: vec![subtask(0, 63, file), subtask(64, 127, StateHandle::Inline(Bytes::new()))],
    };
    let source = OperatorState { max_parallelism: 128, subtasks: vec![TaskSnapshot::default()] };
    CheckpointMetadata {
        job: JobId::from_bytes([9; 16]),
        checkpoint: CheckpointId::new(17),
        kind: CheckpointKind::Savepoint,
        triggered_at: UnixMillis(1_700_000_000_000),
        operators: BTreeMap::from([
            (Name::new("totals").unwrap(), totals),
            (Name::new("source").unwrap(), source),
        ]),
    }
}

#[test]
fn what_is_written_is_read() {
    let metadata = metadata();
    assert_eq!(decode(&encode(&metadata).unwrap()), Ok(metadata));
}

/// Changes the record before it is sealed: what a hostile but careful writer would do.
fn forged(change: impl FnOnce(&mut Metadata)) -> String {
    let mut record = Metadata::from(&metadata());
    change(&mut record);
    decode(&frame::seal(RecordKind::CheckpointMetadata, &record).unwrap()).unwrap_err().to_string()
}

#[test]
fn values_that_make_no_sense_are_refused_by_name() {
    let file = |name: &str| Handle::File { name: name.into(), len: 1, crc: 1 };
    let keyed = |start, end| Some(Keyed { start, end, handle: file("a") });
    for (found, expected) in [
        (forged(|m| m.checkpoint = 0), "checkpoint id: is 0; ids begin with 1"),
        (forged(|m| m.operators[1].name = "source".into()), "operator source: stands there twice"),
        (forged(|m| m.operators[1].name = "../x".into()), "operator: not a valid name: \"../x\""),
        (forged(|m| m.operators[1].max_parallelism = 40_000), "operator totals: has max parallelism 40000"),
        (forged(|m| m.operators[1].subtasks.clear()), "operator totals: has 0 subtasks"),
        (forged(|m| m.operators[1].max_parallelism = 1), "operator totals: has 2 subtasks"),
        (
            forged(|m| m.operators[1].subtasks[1].keyed = keyed(64, 128)),
            "operator totals, subtask 1: key groups 64..=128 are not within 0..128",
        ),
        (
            forged(|m| m.operators[1].subtasks[0].keyed = keyed(5, 4)),
            "operator totals, subtask 0: key groups 5..=4 are not within 0..128",
        ),
        (
            forged(|m| m.operators[1].subtasks[0].keyed.as_mut().unwrap().handle = file("../../victim")),
            "operator totals, subtask 0: state file: not a valid name",
        ),
    ] {
        assert!(found.starts_with(expected), "{found}");
    }
}
