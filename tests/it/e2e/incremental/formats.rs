//! The formats of savepoints, and kinds of checkpoints, of a job whose checkpoints share files.

use super::directory;
use super::table::{Table, Taken, config, shared};
use std::fs;
use std::path::Path;
use stillframe::coordinator::CheckpointType;
use stillframe::model::StateDirectory;
use stillframe::prelude::*;
use stillframe::runtime::JobHandle;

const FIRST: JobId = JobId::from_bytes([3; 16]);
const SECOND: JobId = JobId::from_bytes([4; 16]);

fn config_of(incremental: bool) -> CheckpointConfig {
    let mut config = config(1);
    config.set_incremental_checkpoints(incremental);
    config
}

async fn savepoint(table: &Table, handle: &JobHandle, base: &Path, format: SavepointFormat) -> Taken {
    let target = base.join("mine").to_str().expect("UTF-8").to_owned();
    let outcome = handle.trigger_savepoint(Some(target), format).await.expect("nothing is in its way");
    table.taken(&outcome.pointer, base).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_format_is_restored_whatever_the_form_of_the_jobs_checkpoints() {
    use SavepointFormat::{Canonical, Native};
    for (before, format, in_parts) in
        [(true, Canonical, false), (true, Native, true), (false, Canonical, false), (false, Native, false)]
    {
        for after in [true, false] {
            let case = format!("{format:?}, incremental {before}, then {after}");
            let (theirs, ours, first) = (directory(), directory(), Table::new());
            let handle = first.start(2, &config_of(before), theirs.path(), Some(FIRST));
            first.set(0..64, 1).await;
            first.checkpoint(&handle, theirs.path()).await;
            first.set(5..6, 2).await;
            let taken = savepoint(&first, &handle, theirs.path(), format).await;
            let expected = if in_parts { (2, 0) } else { (0, 2) };
            assert_eq!((taken.parts.len(), taken.whole), expected, "{case}");
            assert_eq!(taken.written(), expected.0, "{case}: it refers to earlier ones");
            handle.cancel();
            handle.wait().await.expect("it is canceled");
            // It stands alone: nothing that the job keeps is part of it.
            fs::remove_dir_all(theirs.path().join(FIRST.to_string())).expect("the directory of the job");

            let table = Table::new();
            table.expect_log(&taken);
            let mut config = config_of(after);
            config.set_recovery_path(taken.pointer.as_str());
            let handle = table.start(3, &config, ours.path(), Some(SECOND));
            table.opened(3).await;
            assert_eq!(table.restored(), taken.values, "{case}");
            table.set(6..7, 3).await;
            let newest = table.checkpoint(&handle, ours.path()).await;
            assert_eq!((newest.parts.len(), newest.whole), if after { (3, 0) } else { (0, 3) }, "{case}");
            handle.cancel();
            handle.wait().await.expect("it is canceled");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_native_savepoint_shares_nothing_and_is_not_built_on() {
    let (directory, table) = (directory(), Table::new());
    let handle = table.start(2, &config_of(true), directory.path(), Some(FIRST));
    table.set(0..64, 1).await;
    let first = table.checkpoint(&handle, directory.path()).await;
    table.set(5..6, 2).await;
    let files = shared(directory.path(), FIRST);
    let taken = savepoint(&table, &handle, directory.path(), SavepointFormat::Native).await;
    assert_eq!(shared(directory.path(), FIRST), files, "nothing of it is among the files of the job");
    let is_alone = |part: &stillframe::model::IncrementalPart| {
        part.handle.file().is_some_and(|file| file.directory == StateDirectory::Exclusive)
    };
    assert!(taken.parts.iter().all(is_alone), "{taken:?}");
    let second = table.checkpoint(&handle, directory.path()).await;
    assert_eq!((second.written(), second.reused()), (1, first.parts.len()), "{second:?}");
    handle.cancel();
    handle.wait().await.expect("it is canceled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_that_is_asked_for_as_full_writes_everything() {
    let (directory, table) = (directory(), Table::new());
    let handle = table.start(2, &config_of(true), directory.path(), Some(FIRST));
    table.set(0..64, 1).await;
    table.checkpoint(&handle, directory.path()).await;
    for (kind, written, reused) in [
        (CheckpointType::Incremental, 0, 2),
        (CheckpointType::Full, 2, 0),
        (CheckpointType::Configured, 0, 2),
    ] {
        let outcome = handle.trigger_checkpoint_of(kind).await.expect("nothing is in its way");
        let taken = table.taken(&outcome.pointer, directory.path()).await;
        assert_eq!((taken.written(), taken.reused()), (written, reused), "{kind:?}: {taken:?}");
    }
    handle.cancel();
    handle.wait().await.expect("it is canceled");
}
