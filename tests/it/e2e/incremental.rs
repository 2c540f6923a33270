//! Checkpoints that share files: which are written, which are referred to, and when they go.

mod exported;
mod formats;
mod restored;
mod table;

use std::collections::BTreeSet;
use stillframe::prelude::*;
use table::{Table, Taken, config};
use tempfile::TempDir;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// The files that these checkpoints refer to are those that there are.
fn assert_needed(directory: &TempDir, job: JobId, retained: &[&Taken]) {
    let needed: BTreeSet<_> = retained.iter().flat_map(|taken| taken.files()).collect();
    assert_eq!(table::shared(directory.path(), job), needed);
}

/// Takes so many of a row of checkpoints, and suspends the job. Gives back the checkpoints.
async fn after(count: usize, directory: &TempDir, job: JobId) -> Vec<Taken> {
    let table = Table::new();
    let handle = table.start(2, &config(2), directory.path(), Some(job));
    let mut taken = Vec::new();
    // Everything, one key, nothing, everything again, nothing, one key.
    for (value, keys) in
        [(1, 0..64), (2, 7..8), (0, 0..0), (3, 0..64), (0, 0..0), (4, 9..10)].into_iter().take(count)
    {
        table.set(keys, value).await;
        taken.push(table.checkpoint(&handle, directory.path()).await);
    }
    handle.suspend();
    handle.wait().await.expect("it is suspended");
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_written_once_and_goes_with_the_last_checkpoint_that_uses_it() {
    for (count, written, reused) in [(1, 2, 0), (2, 1, 2), (3, 0, 3), (4, 2, 0), (5, 0, 2), (6, 1, 2)] {
        let (directory, job) = (directory(), JobId::from_bytes([7; 16]));
        let taken = after(count, &directory, job).await;
        let newest = taken.last().expect("at least one");
        let found = (newest.written(), newest.reused());
        assert_eq!(found, (written, reused), "checkpoint {count}: {newest:?}");
        let retained: Vec<_> = taken.iter().rev().take(2).collect();
        assert_needed(&directory, job, &retained);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_on_from_parts_and_builds_on_them() {
    let (directory, job) = (directory(), JobId::from_bytes([7; 16]));
    let before = after(6, &directory, job).await;
    let newest = &before[5];
    let files = table::shared(directory.path(), job);
    for parallelism in [2, 2, 3, 1] {
        let table = Table::new();
        table.expect_log(newest);
        let handle = table.start(parallelism, &config(2), directory.path(), Some(job));
        table.opened(parallelism).await;
        assert_eq!(table.restored(), newest.values, "at parallelism {parallelism}");
        if parallelism == 2 {
            handle.suspend();
            handle.wait().await.expect("it is suspended");
            assert_eq!(table::shared(directory.path(), job), files, "nothing was needed, nothing was lost");
            continue;
        }
        let taken = table.checkpoint(&handle, directory.path()).await;
        // Others have the groups now, so there is nothing that one subtask could refer to.
        assert_eq!(taken.reused(), 0, "{taken:?}");
        handle.suspend();
        handle.wait().await.expect("it is suspended");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failure_the_restored_checkpoint_is_built_on() {
    let (directory, job) = (directory(), JobId::from_bytes([7; 16]));
    let table = Table::new();
    let handle = table.start(2, &config(1), directory.path(), Some(job));
    table.set(0..64, 1).await;
    table.checkpoint(&handle, directory.path()).await;
    table.set(5..6, 2).await;
    let newest = table.checkpoint(&handle, directory.path()).await;
    table.fail();
    table.opened(2 + 2).await;
    assert_eq!(table.restored(), newest.values);
    let same = table.checkpoint(&handle, directory.path()).await;
    assert_eq!((same.written(), same.files()), (0, newest.files()));
    table.set(6..7, 3).await;
    let later = table.checkpoint(&handle, directory.path()).await;
    assert_eq!(later.written(), 1, "{later:?}");
    handle.cancel();
    assert_eq!(handle.wait().await.expect("it is canceled").attempts, 2);
    assert_needed(&directory, job, &[&later]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_savepoint_shares_nothing_and_is_not_built_on() {
    let (directory, job) = (directory(), JobId::from_bytes([7; 16]));
    let table = Table::new();
    let handle = table.start(2, &config(1), directory.path(), Some(job));
    table.set(0..64, 1).await;
    let first = table.checkpoint(&handle, directory.path()).await;
    table.set(5..6, 2).await;
    let target = directory.path().join("mine").to_str().expect("UTF-8").to_owned();
    let savepoint = handle
        .trigger_savepoint(Some(target), SavepointFormat::Canonical)
        .await
        .expect("nothing is in its way");
    let savepoint = table.taken(&savepoint.pointer, directory.path()).await;
    assert_eq!((savepoint.parts.len(), savepoint.whole), (0, 2), "{savepoint:?}");
    // The change is in the savepoint, which may be gone tomorrow.
    let second = table.checkpoint(&handle, directory.path()).await;
    assert_eq!(second.written(), 1, "{second:?}");
    assert_eq!(second.reused(), first.parts.len());
    handle.cancel();
    handle.wait().await.expect("it is canceled");
    assert_needed(&directory, job, &[&second]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn checkpoints_that_overlap_do_not_rely_on_each_other() {
    let (directory, job) = (directory(), JobId::from_bytes([7; 16]));
    let table = Table::new();
    let mut overlapping = config(1);
    overlapping.set_max_concurrent_checkpoints(std::num::NonZeroU32::new(3).expect("not zero"));
    let handle = table.start(2, &overlapping, directory.path(), Some(job));
    for round in 1..=12 {
        table.set(0..u64::from(round) % 5 * 3, round).await;
        let (one, other, third) = tokio::join!(
            handle.trigger_checkpoint(),
            handle.trigger_checkpoint(),
            handle.trigger_checkpoint()
        );
        // An older one that was overtaken by a newer one is given up, which is no failure.
        assert!(
            [&one, &other, &third].iter().any(|outcome| outcome.is_ok()),
            "{one:?}, {other:?}, {third:?}"
        );
    }
    table.set(0..64, 99).await;
    let newest = table.checkpoint(&handle, directory.path()).await;
    handle.suspend();
    assert_eq!(handle.wait().await.expect("nothing was refused").attempts, 1);
    assert_needed(&directory, job, &[&newest]);
    let again = Table::new();
    again.expect_log(&newest);
    let handle = again.start(2, &overlapping, directory.path(), Some(job));
    again.opened(2).await;
    assert_eq!(again.restored(), newest.values);
    handle.cancel();
    handle.wait().await.expect("it is canceled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_option_every_checkpoint_is_whole() {
    let (directory, job) = (directory(), JobId::from_bytes([7; 16]));
    let table = Table::new();
    let mut whole = config(1);
    whole.set_incremental_checkpoints(false);
    let handle = table.start(2, &whole, directory.path(), Some(job));
    table.set(0..64, 1).await;
    for _ in 0..2 {
        let taken = table.checkpoint(&handle, directory.path()).await;
        assert_eq!((taken.parts.len(), taken.whole), (0, 2), "{taken:?}");
    }
    handle.suspend();
    handle.wait().await.expect("it is suspended");
    assert_eq!(table::shared(directory.path(), job), BTreeSet::new());

    // It can be turned on and off between two runs.
    let newest = table.values();
    for (incremental, parts) in [(true, 2), (false, 0)] {
        whole.set_incremental_checkpoints(incremental);
        let table = Table::new();
        table.set_log(0..64, 1);
        let handle = table.start(2, &whole, directory.path(), Some(job));
        table.opened(2).await;
        assert_eq!(table.restored(), newest);
        let taken = table.checkpoint(&handle, directory.path()).await;
        assert_eq!((taken.parts.len(), taken.whole), (parts, 2 - parts), "{taken:?}");
        handle.suspend();
        handle.wait().await.expect("it is suspended");
    }
}
