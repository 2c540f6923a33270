use super::*;
use futures_util::FutureExt;

const ONE: CheckpointId = CheckpointId::new(1);
const TWO: CheckpointId = CheckpointId::new(2);

/// The states of one task in one round: inline, in the segment, in a file of its own, and shared.
const STATES: [(usize, StateScope); 5] = [
    (THRESHOLD, StateScope::Exclusive),
    (MIDDLE, StateScope::Exclusive),
    (1_200_000, StateScope::Exclusive),
    (MIDDLE, StateScope::Shared),
    (700_000, StateScope::Exclusive),
];

fn prepared(medium: Medium) -> Process {
    begin(&medium, 1);
    begin(&medium, 2);
    Process::on(medium)
}

/// Writes and syncs as two tasks do that go on after an error with what they do next. Gives what may be
/// acknowledged, and the errors.
fn run(process: &Process) -> (Vec<(CheckpointId, StateHandle, Bytes)>, Vec<StorageError>) {
    let (mut acknowledged, mut errors) = (Vec::new(), Vec::new());
    let worker = process.access.worker();
    for (checkpoint, round) in [(ONE, 0), (ONE, 1), (TWO, 2)] {
        let mut finished = [Vec::new(), Vec::new()];
        let mut is_complete = [true, true];
        for (salt, (len, scope)) in STATES.into_iter().enumerate() {
            for task in [0, 1] {
                let state = state(len, 100 * round + 10 * task + salt);
                match block_on(write(&*worker, checkpoint, &DEFAULT, scope, &state)) {
                    Ok(handle) => finished[task].push((checkpoint, handle, state)),
                    Err(error) => {
                        is_complete[task] = false;
                        errors.push(error);
                    }
                }
            }
        }
        for (finished, is_complete) in finished.into_iter().zip(is_complete) {
            match block_on(worker.sync(checkpoint, &DEFAULT)) {
                Ok(()) if is_complete => acknowledged.extend(finished),
                Ok(()) => {}
                Err(error) => errors.push(error),
            }
        }
    }
    (acknowledged, errors)
}

/// Invariant: what a task may have acknowledged is there, whichever operation failed, and even if the process
/// ends at once afterwards.
#[test]
fn no_operation_can_fail_without_an_error_or_lose_what_was_acknowledged() {
    for make in [Medium::default, || Medium::default().showing_whole_objects_only()] {
        let process = prepared(make());
        let before = process.medium.operations();
        let (acknowledged, errors) = run(&process);
        let operations = process.medium.operations() - before;
        assert_eq!((acknowledged.len(), errors.len()), (3 * 2 * STATES.len(), 0));
        for number in 0..operations {
            let process = prepared(make());
            process.medium.fail_at(number);
            let (acknowledged, errors) = run(&process);
            assert!(!errors.is_empty(), "operation {number} failed, and nobody was told");
            assert!(errors.iter().all(|error| error.kind() == ErrorKind::Unavailable), "{errors:?}");
            let medium = process.medium.clone();
            drop(process);
            for (checkpoint, handle, state) in &acknowledged {
                let found = block_on(completed(&medium, *checkpoint).read(handle));
                assert!(found.unwrap() == state, "after operation {number} failed");
            }
            assert_eq!(medium.open_writers(), 0);
        }
    }
}

/// Writes and syncs twice, and drops every future that does not end at once. Gives how the last sync went.
fn run_in_segment(process: &Process) -> Result<(), StorageError> {
    for (salt, len) in [MIDDLE, 600_000, 600_000, 0, MIDDLE].into_iter().enumerate() {
        if len == 0 {
            let _ = process.sync(ONE).now_or_never();
            continue;
        }
        let _ = process.write(ONE, &state(len, salt)).now_or_never();
    }
    let _ = process.sync(ONE).now_or_never();
    // The operation that hangs does so once.
    block_on(process.sync(ONE))
}

/// A future that is dropped half-way leaves a file of which nobody knows what it holds.
#[test]
fn an_operation_that_is_given_up_half_way_counts_as_failed() {
    for make in [Medium::default, || Medium::default().showing_whole_objects_only()] {
        let process = prepared(make());
        let before = process.medium.operations();
        run_in_segment(&process).unwrap();
        for number in 0..process.medium.operations() - before {
            let process = prepared(make());
            process.medium.hang_at(number);
            let synced = run_in_segment(&process);
            // The states of the first round were finished, and it cannot be known what became of them.
            assert!(synced.is_err(), "operation {number}");
        }
    }
}

#[test]
fn after_a_failure_everybody_hears_of_the_first_cause_and_nothing_succeeds() {
    let process = prepared(Medium::default());
    let worker = process.access.worker();
    let mut early = block_on(worker.create(ONE, &DEFAULT, StateScope::Exclusive)).unwrap();
    block_on(early.write(state(10, 0))).unwrap();
    block_on(process.write(ONE, &state(MIDDLE, 0))).unwrap();
    // The file of another task's large state cannot be created.
    process.medium.fail_at(0);
    let first = block_on(process.write(ONE, &state(2_000_000, 0))).unwrap_err();
    let created = block_on(worker.create(ONE, &DEFAULT, StateScope::Shared)).map(|_| ());
    let finished = block_on(early.finish()).map(|_| ());
    for later in [created, finished, block_on(process.sync(ONE)), block_on(process.sync(ONE))] {
        let later = later.unwrap_err();
        assert_eq!(later.kind(), ErrorKind::Unavailable);
        assert!(later.to_string().contains(&first.to_string()), "{later}");
        assert!(later.to_string().contains("state of checkpoint 1 in /c/1111"), "{later}");
    }
    // Another checkpoint, or the same one elsewhere, is not concerned.
    block_on(process.write(TWO, &state(MIDDLE, 0))).unwrap();
    block_on(process.sync(TWO)).unwrap();
    let location = savepoint(&process.medium);
    block_on(write(&*worker, ONE, &location, StateScope::Exclusive, &state(MIDDLE, 0))).unwrap();
    block_on(worker.sync(ONE, &location)).unwrap();
}

#[test]
fn a_stream_whose_write_failed_can_only_be_aborted() {
    let process = prepared(Medium::default());
    let mut stream = block_on(process.access.worker().create(ONE, &DEFAULT, StateScope::Exclusive)).unwrap();
    process.medium.fail_at(1);
    block_on(stream.write(state(2_000_000, 0))).unwrap_err();
    assert_eq!(process.medium.files(), [""; 0], "its file is gone at once");
    assert_eq!(stream.position(), 0);
    block_on(stream.write(state(1, 0))).unwrap_err();
    block_on(stream.abort()).unwrap();
}

/// What failed is remembered as long as its checkpoint may still be under way, in bounded memory, and holds no
/// file meanwhile.
#[test]
fn failures_are_not_forgotten_silently() {
    let process = Process::new();
    let fail = |number| {
        let checkpoint = process.begin(number);
        let worker = process.access.worker();
        for salt in 0..2 {
            block_on(process.write(checkpoint, &state(600_000, salt))).unwrap();
        }
        // Of a large state of another task, so that nobody is at work on the segment.
        let mut stream = block_on(worker.create(checkpoint, &DEFAULT, StateScope::Exclusive)).unwrap();
        process.medium.fail_at(0);
        block_on(stream.write(state(2_000_000, 0))).unwrap_err();
        assert!(process.medium.open_writers() <= 1, "{}", process.medium.open_writers());
    };
    (1..=300).for_each(fail);
    for number in [1, 43, 44, 45, 46, 300] {
        let checkpoint = CheckpointId::new(number);
        block_on(process.sync(checkpoint)).unwrap_err();
        block_on(process.write(checkpoint, &state(1, 0))).unwrap_err();
    }
    let checkpoint = process.begin(301);
    block_on(process.write(checkpoint, &state(MIDDLE, 0))).unwrap();
    block_on(process.sync(checkpoint)).unwrap();
}

#[test]
fn a_name_that_is_taken_is_drawn_again() {
    let process = prepared(Medium::default());
    for unique in 0..4 {
        let path = layout::checkpoint(JOB, ONE).join(layout::state(unique));
        process.medium.put(&format!("/c/{path}"), b"");
    }
    let handle = block_on(process.write(ONE, &state(2_000_000, 0))).unwrap();
    assert_eq!(handle.file().unwrap().name, layout::state(4));
}

/// The name of a segment is in handles before there is a file, so it cannot be drawn again.
#[test]
fn a_segment_whose_name_is_taken_fails() {
    let process = prepared(Medium::default());
    let path = format!("/c/{}", layout::checkpoint(JOB, ONE).join(layout::segment(0)));
    process.medium.put(&path, b"somebody's");
    block_on(process.write(ONE, &state(MIDDLE, 0))).unwrap();
    assert_eq!(block_on(process.sync(ONE)).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(block_on(process.sync(ONE)).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(process.medium.content(&path).unwrap(), "somebody's");
}
