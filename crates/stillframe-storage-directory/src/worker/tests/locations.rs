use super::*;
use futures_util::future::join_all;
use std::sync::Barrier;

/// However many tasks there are and however their calls fall together: one file, and one sync for all states
/// that wait for one.
#[test]
fn tasks_share_a_segment_and_its_syncs() {
    const TASKS: usize = 16;
    let process = Process::new();
    let checkpoint = process.begin(1);
    let meeting = Barrier::new(TASKS);
    // Nothing is asserted before all tasks have ended: the others would wait for one that fails.
    let run = |task: usize| {
        let (mut written, mut rounds) = (Vec::new(), Vec::new());
        for round in 0..3 {
            for number in 0..40 {
                let state = state(MIDDLE + 100 * number, task * 1000 + round * 100 + number);
                written.push((block_on(process.write(checkpoint, &state)), state));
            }
            meeting.wait();
            let synced = block_on(process.sync(checkpoint));
            meeting.wait();
            rounds.push((synced, process.medium.count("sync")));
            meeting.wait();
        }
        (written, rounds)
    };
    let tasks = std::thread::scope(|scope| {
        let run = &run;
        let tasks = (0..TASKS).map(|task| scope.spawn(move || run(task))).collect::<Vec<_>>();
        tasks.into_iter().map(|task| task.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(process.medium.files().len(), 1);
    for (written, rounds) in tasks {
        for (round, (synced, syncs)) in rounds.into_iter().enumerate() {
            synced.unwrap();
            assert_eq!(syncs, round + 1);
        }
        for (handle, state) in written {
            assert_eq!(process.read(checkpoint, &handle.unwrap()).unwrap(), state);
        }
    }
}

/// The same one by one: tasks that come while the medium is at work on the file of the first, or on its sync.
#[test]
fn whoever_comes_while_the_medium_works_shares_the_next_sync() {
    for medium in [Medium::default(), Medium::default().showing_whole_objects_only()] {
        let process = Process::on(medium.yielding());
        let checkpoint = process.begin(1);
        let process = &process;
        let tasks = (0..16).map(async |task| {
            let handle = process.write(checkpoint, &state(MIDDLE, task)).await.unwrap();
            process.sync(checkpoint).await.unwrap();
            assert_eq!(
                completed(&process.medium, checkpoint).read(&handle).await.unwrap(),
                state(MIDDLE, task)
            );
        });
        block_on(join_all(tasks));
        assert!(process.medium.count("create") <= 2, "{}", process.medium.count("create"));
        assert!(process.medium.count("sync") <= 2, "{}", process.medium.count("sync"));
    }
}

/// Without meetings between the tasks: whoever's sync has returned finds its state on the medium.
#[test]
fn what_a_sync_covers_is_durable_when_it_returns() {
    for medium in [Medium::default(), Medium::default().showing_whole_objects_only()] {
        let process = Process::on(medium);
        let checkpoint = process.begin(1);
        std::thread::scope(|scope| {
            for task in 0..8 {
                let process = &process;
                scope.spawn(move || {
                    for number in 0..20 {
                        let state = state(MIDDLE + 7000 * number, task * 100 + number);
                        let handle = block_on(process.write(checkpoint, &state)).unwrap();
                        block_on(process.sync(checkpoint)).unwrap();
                        assert_eq!(process.read(checkpoint, &handle).unwrap(), state);
                    }
                });
            }
        });
    }
}

#[test]
fn where_a_file_appears_only_when_it_is_finished_another_one_follows() {
    let process = Process::on(Medium::default().showing_whole_objects_only());
    let checkpoint = process.begin(1);
    let mut handles = Vec::new();
    for round in 0..3 {
        for number in 0..5 {
            let state = state(MIDDLE, 10 * round + number);
            handles.push((block_on(process.write(checkpoint, &state)).unwrap(), state));
        }
        block_on(process.sync(checkpoint)).unwrap();
        assert_eq!(process.medium.open_writers(), 0);
        assert_eq!(process.medium.files().len(), round + 1);
    }
    for (handle, state) in &handles {
        assert_eq!(process.read(checkpoint, handle).unwrap(), state);
    }
}

#[test]
fn a_sync_without_anything_new_asks_nothing_of_the_medium() {
    let process = Process::new();
    let checkpoint = process.begin(1);
    block_on(process.write(checkpoint, &state(MIDDLE, 0))).unwrap();
    block_on(process.sync(checkpoint)).unwrap();
    let before = process.medium.operations();
    block_on(process.sync(checkpoint)).unwrap();
    block_on(process.sync(CheckpointId::new(99))).unwrap();
    assert_eq!(process.medium.operations(), before);
}

/// Small states go to the medium together, and not so many that memory would fill up with them.
#[test]
fn what_waits_in_memory_is_bounded() {
    let process = Process::new();
    let checkpoint = process.begin(1);
    let small = state(1024, 0);
    for _ in 0..1023 {
        block_on(process.write(checkpoint, &small)).unwrap();
    }
    assert_eq!(process.medium.count("write"), 0);
    for _ in 1023..3 * 1024 + 1 {
        block_on(process.write(checkpoint, &small)).unwrap();
    }
    assert_eq!(process.medium.count("write"), 3, "one for each MiB that is full");
    block_on(process.sync(checkpoint)).unwrap();
    assert_eq!(process.medium.count("write"), 4);
    for salt in 0..10 {
        block_on(process.write(checkpoint, &state(100_000, salt))).unwrap();
    }
    block_on(process.sync(checkpoint)).unwrap();
    assert_eq!(process.medium.count("write"), 5, "states and their tables in one");
}

#[test]
fn a_newer_checkpoint_closes_what_is_done() {
    let process = Process::new();
    for number in 1..100 {
        let checkpoint = process.begin(number);
        block_on(process.write(checkpoint, &state(MIDDLE, 0))).unwrap();
        block_on(process.sync(checkpoint)).unwrap();
        assert_eq!(process.medium.open_writers(), 1);
    }
    let older = begin(&process.medium, 0);
    let handle = block_on(process.write(older, &state(MIDDLE, 7))).unwrap();
    block_on(process.sync(older)).unwrap();
    assert_eq!(process.read(older, &handle).unwrap(), state(MIDDLE, 7));
    assert_eq!(process.medium.open_writers(), 2, "an older one closes nothing");
}

/// A checkpoint that nobody syncs any more may only be slow: it is closed so that nothing of it is lost.
#[test]
fn checkpoints_under_way_hold_a_bounded_number_of_files_and_lose_nothing() {
    for medium in [Medium::default(), Medium::default().showing_whole_objects_only()] {
        let process = Process::on(medium);
        let worker = process.access.worker();
        let mut handles = Vec::new();
        for number in 1..50 {
            let checkpoint = process.begin(number);
            let slow = block_on(worker.create(checkpoint, &DEFAULT, StateScope::Exclusive)).unwrap();
            let early = block_on(process.write(checkpoint, &state(700_000, 0))).unwrap();
            match number % 3 {
                0 => block_on(process.sync(checkpoint)).unwrap(),
                // Together more than waits in memory.
                1 => drop(block_on(process.write(checkpoint, &state(700_000, 2))).unwrap()),
                _ => {}
            }
            handles.push((checkpoint, early, slow));
            assert!(process.medium.open_writers() <= 8, "{}", process.medium.open_writers());
        }
        for (checkpoint, early, mut slow) in handles {
            block_on(slow.write(state(MIDDLE, 1))).unwrap();
            let late = block_on(slow.finish()).unwrap().unwrap();
            block_on(process.sync(checkpoint)).unwrap();
            assert!(process.read(checkpoint, &early).unwrap() == state(700_000, 0), "{checkpoint}");
            assert_eq!(process.read(checkpoint, &late).unwrap(), state(MIDDLE, 1));
        }
    }
}

/// A stream that is still open when a newer checkpoint begins must not be forgotten with what was done.
#[test]
fn an_open_stream_keeps_its_checkpoint() {
    let process = Process::new();
    let (one, two) = (process.begin(1), process.begin(2));
    let mut stream = block_on(process.access.worker().create(one, &DEFAULT, StateScope::Exclusive)).unwrap();
    block_on(process.write(two, &state(MIDDLE, 2))).unwrap();
    block_on(stream.write(state(MIDDLE, 1))).unwrap();
    let handle = block_on(stream.finish()).unwrap().unwrap();
    block_on(process.sync(one)).unwrap();
    assert_eq!(process.read(one, &handle).unwrap(), state(MIDDLE, 1));
}

/// The same for state that was finished and is not synced yet.
#[test]
fn state_that_is_not_durable_keeps_its_checkpoint() {
    let process = Process::new();
    let (one, two) = (process.begin(1), process.begin(2));
    let handle = block_on(process.write(one, &state(MIDDLE, 1))).unwrap();
    block_on(process.write(two, &state(MIDDLE, 2))).unwrap();
    block_on(process.sync(one)).unwrap();
    assert_eq!(process.read(one, &handle).unwrap(), state(MIDDLE, 1));
}

#[test]
fn a_process_that_ends_keeps_what_was_synced_and_nothing_else() {
    let process = Process::new();
    let (synced, given_up) = (process.begin(1), process.begin(2));
    let handle = block_on(process.write(synced, &state(MIDDLE, 1))).unwrap();
    block_on(process.sync(synced)).unwrap();
    for salt in 0..2 {
        block_on(process.write(given_up, &state(600_000, salt))).unwrap();
    }
    assert_eq!(process.medium.files().len(), 2, "so much that it did not wait in memory");
    let medium = process.medium.clone();
    drop(process);
    assert_eq!(medium.files().len(), 1);
    assert_eq!(medium.open_writers(), 0);
    assert_eq!(block_on(completed(&medium, synced).read(&handle)).unwrap(), state(MIDDLE, 1));
}

/// A checkpoint that is discarded gives its space back at once, whoever has not heard of it.
#[test]
fn a_discarded_checkpoint_holds_no_file() {
    let process = Process::new();
    let (checkpoint, coordinator) = (process.begin(1), process.access.coordinator());
    block_on(coordinator.claim()).unwrap();
    let mut late =
        block_on(process.access.worker().create(checkpoint, &DEFAULT, StateScope::Exclusive)).unwrap();
    block_on(process.write(checkpoint, &state(MIDDLE, 0))).unwrap();
    block_on(process.sync(checkpoint)).unwrap();
    block_on(process.write(checkpoint, &state(MIDDLE, 1))).unwrap();
    assert_eq!(process.medium.open_writers(), 1);
    block_on(coordinator.discard(checkpoint, &DEFAULT)).unwrap();
    assert_eq!(process.medium.open_writers(), 0);
    assert_eq!(process.medium.files().iter().filter(|file| file.contains("chk-1")).count(), 0);
    block_on(late.write(state(MIDDLE, 2))).unwrap();
    let error = block_on(late.finish()).unwrap_err();
    assert!(error.to_string().contains("checkpoint 1 was discarded"), "{error}");
    block_on(process.sync(checkpoint)).unwrap_err();
}

/// A task hears late of the checkpoint, and later still that it was given up.
#[test]
fn a_task_that_begins_after_the_discard_is_refused_and_leaves_nothing() {
    let process = Process::new();
    let (checkpoint, coordinator) = (process.begin(7), process.access.coordinator());
    block_on(coordinator.claim()).unwrap();
    for _ in 0..2 {
        block_on(coordinator.discard(checkpoint, &DEFAULT)).unwrap();
    }
    for scope in [StateScope::Shared, StateScope::Exclusive] {
        let (worker, state) = (process.access.worker(), state(MIDDLE, 0));
        let error = block_on(write(&*worker, checkpoint, &DEFAULT, scope, &state)).unwrap_err();
        assert!(error.to_string().contains("checkpoint 7 was discarded"), "{error}");
    }
    assert_eq!(process.medium.files().iter().filter(|file| file.contains("shared")).count(), 0);
    let next = process.begin(8);
    block_on(write(&*process.access.worker(), next, &DEFAULT, StateScope::Shared, &state(MIDDLE, 0)))
        .unwrap();
}
