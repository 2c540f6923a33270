//! A checkpoint that shares its files with others, copied whole: it outlives everything from which it was copied.

use super::directory;
use super::table::{Table, Taken, config, storage, tree};
use std::fs;
use std::path::Path;
use stillframe::prelude::*;
use stillframe::runtime::JobHandle;
use stillframe::storage::ErrorKind;

async fn cancel(handle: JobHandle) {
    handle.cancel();
    assert_eq!(handle.wait().await.expect("it is canceled").status, JobStatus::Canceled);
}

/// The newer of two checkpoints of a job that was canceled then, which refers to what was written for the older one.
async fn retained(directory: &Path) -> Taken {
    let table = Table::new();
    let handle = table.start(2, &config(1), directory, None);
    table.set(0..64, 1).await;
    table.checkpoint(&handle, directory).await;
    table.set(7..8, 2).await;
    let newest = table.checkpoint(&handle, directory).await;
    assert_eq!((newest.written(), newest.reused()), (1, 2));
    cancel(handle).await;
    newest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_on_from_an_export_when_everything_else_is_gone_and_then_the_export_can_go() {
    let (original, exports) = (directory(), directory());
    let newest = retained(original.path()).await;
    let files = tree(original.path());
    let target = exports.path().to_str().expect("UTF-8");
    let copy = storage(original.path()).export(&newest.pointer, target).await.expect("it can be copied");
    assert_eq!(tree(original.path()), files, "what was copied stays as it was");
    original.close().expect("everything can be removed");

    // At the same parallelism and at others: the parts of the copy go to whoever has their key groups then.
    for parallelism in [2, 3, 1] {
        let (here, table) = (directory(), Table::new());
        table.expect_log(&newest);
        let mut from_copy = config(1);
        from_copy.set_recovery_path(copy.as_str());
        let handle = table.start(parallelism, &from_copy, here.path(), None);
        table.opened(parallelism).await;
        assert_eq!(table.restored(), newest.values, "at parallelism {parallelism}");
        table.set(8..9, 3).await;
        let first = table.checkpoint(&handle, here.path()).await;
        assert!(first.foreign().is_empty(), "it relies on the copy: {first:?}");
        cancel(handle).await;
    }

    storage(exports.path()).dispose_savepoint(&copy).await.expect("a copy is its owner's");
    let left = fs::read_dir(exports.path()).expect("the directory stays").count();
    assert_eq!(left, 0, "{:?}", tree(exports.path()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retained_checkpoint_is_not_disposed_of_and_the_job_goes_on_from_it() {
    let original = directory();
    let newest = retained(original.path()).await;
    let files = tree(original.path());
    let refused = storage(original.path()).dispose_savepoint(&newest.pointer).await;
    let refused = refused.expect_err("it is the job's");
    assert_eq!(refused.kind(), ErrorKind::InvalidPointer);
    assert!(refused.to_string().contains("which removes it when it drops it"), "{refused}");
    assert_eq!(tree(original.path()), files);

    let (here, table) = (directory(), Table::new());
    table.expect_log(&newest);
    let mut config = config(1);
    config.set_recovery_path(newest.pointer.as_str());
    let handle = table.start(2, &config, here.path(), None);
    table.opened(2).await;
    assert_eq!(table.restored(), newest.values);
    cancel(handle).await;
}
