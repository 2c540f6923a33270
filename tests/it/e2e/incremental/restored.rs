//! What becomes of the files of a checkpoint from which another job goes on.

use super::table::{Table, Taken, config, shared, tree};
use super::{assert_needed, directory};
use std::fs;
use std::path::{Path, PathBuf};
use stillframe::config::{CheckpointConfig, RecoveryClaimMode};
use stillframe::model::CheckpointKind;
use stillframe::prelude::*;
use stillframe::runtime::{JobError, JobHandle};
use stillframe::storage::ErrorKind;
use tempfile::TempDir;

const OTHER: JobId = JobId::from_bytes([1; 16]);
const THIRD: JobId = JobId::from_bytes([3; 16]);
const THIS: JobId = JobId::from_bytes([2; 16]);

/// Two jobs, the first of which has been canceled after two checkpoints.
struct Two {
    /// The id of the second one.
    this: JobId,
    others: TempDir,
    ours: TempDir,
    before: Taken,
    config: CheckpointConfig,
    table: Table,
}

impl Two {
    async fn new(mode: RecoveryClaimMode) -> Self {
        let (others, ours, first) = (directory(), directory(), Table::new());
        let handle = first.start(2, &config(1), others.path(), Some(OTHER));
        first.set(0..64, 1).await;
        first.checkpoint(&handle, others.path()).await;
        first.set(7..8, 2).await;
        let before = first.checkpoint(&handle, others.path()).await;
        handle.cancel();
        handle.wait().await.expect("it is canceled");
        assert_eq!(before.files().len(), 3);
        let mut config = config(1);
        config.set_recovery_path(before.pointer.as_str()).set_recovery_claim_mode(mode);
        let table = Table::new();
        table.expect_log(&before);
        Self { this: THIS, others, ours, before, config, table }
    }

    /// The second job goes by the first one's id: it is the same one, which begins anew in another directory.
    async fn of_one_job(mode: RecoveryClaimMode) -> Self {
        Self { this: OTHER, ..Self::new(mode).await }
    }

    /// The second job, restored.
    async fn start(&self) -> JobHandle {
        let handle = self.table.start(2, &self.config, self.ours.path(), Some(self.this));
        self.table.opened(2).await;
        assert_eq!(self.table.restored(), self.before.values);
        handle
    }

    async fn checkpoint(&self, handle: &JobHandle) -> Taken {
        self.table.checkpoint(handle, self.ours.path()).await
    }

    fn directory_of_the_other(&self) -> PathBuf {
        self.others.path().join(OTHER.to_string())
    }

    /// The second job in another process, restored from its own checkpoint.
    async fn assert_restored_again(&self, newest: &Taken) {
        let again = Table::new();
        again.expect_log(newest);
        let handle = again.start(2, &self.config, self.ours.path(), Some(self.this));
        again.opened(2).await;
        assert_eq!(again.restored(), newest.values);
        handle.suspend();
        let report = handle.wait().await.expect("it is suspended");
        assert_eq!(report.restored.len(), 1);
    }
}

async fn stop(handle: JobHandle) {
    handle.suspend();
    assert_eq!(handle.wait().await.expect("it is suspended").attempts, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_is_not_claimed_nothing_is_used() {
    let two = Two::new(RecoveryClaimMode::NoClaim).await;
    let files = tree(two.others.path());
    let handle = two.start().await;
    let first = two.checkpoint(&handle).await;
    assert_eq!((first.kind, first.reused()), (CheckpointKind::FullCheckpoint, 0));
    assert_eq!((first.foreign().len(), first.files().len()), (0, 2));
    two.table.set(8..9, 3).await;
    let second = two.checkpoint(&handle).await;
    assert_eq!((second.kind, second.written()), (CheckpointKind::Checkpoint, 1));
    assert!(second.files().is_superset(&first.files()) && second.foreign().is_empty(), "{second:?}");
    stop(handle).await;
    assert_eq!(tree(two.others.path()), files);
    two.assert_restored_again(&second).await;
    assert_needed(&two.ours, THIS, &[&second]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_claimed_is_removed_when_nothing_uses_it_any_more() {
    let two = Two::new(RecoveryClaimMode::Claim).await;
    let theirs = two.before.files();
    let handle = two.start().await;
    two.table.set(8..9, 3).await;
    let first = two.checkpoint(&handle).await;
    assert_eq!((first.written(), first.foreign()), (1, theirs.clone()), "{first:?}");
    two.table.set(0..64, 4).await;
    let last = two.checkpoint(&handle).await;
    assert_eq!((last.reused(), last.foreign().len()), (0, 0));
    stop(handle).await;
    assert_eq!(shared(two.others.path(), OTHER), [].into(), "nobody uses them");
    assert!(!PathBuf::from(two.before.pointer.as_str()).exists(), "the checkpoint was this job's");
    assert_needed(&two.ours, THIS, &[&last]);
    two.assert_restored_again(&last).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_claimed_is_used_by_later_runs_as_well() {
    let two = Two::new(RecoveryClaimMode::Claim).await;
    let theirs = two.before.files();
    let handle = two.start().await;
    let first = two.checkpoint(&handle).await;
    assert_eq!((first.written(), first.foreign()), (0, theirs.clone()), "{first:?}");
    stop(handle).await;
    assert_eq!(shared(two.others.path(), OTHER), theirs, "they are in use");
    two.assert_restored_again(&first).await;

    let table = Table::new();
    table.expect_log(&first);
    let handle = table.start(2, &two.config, two.ours.path(), Some(THIS));
    table.opened(2).await;
    let same = table.checkpoint(&handle, two.ours.path()).await;
    assert_eq!((same.written(), same.foreign()), (0, theirs), "{same:?}");
    table.set(0..64, 4).await;
    let last = table.checkpoint(&handle, two.ours.path()).await;
    stop(handle).await;
    assert_eq!(shared(two.others.path(), OTHER), [].into(), "nobody uses them");
    two.assert_restored_again(&last).await;
}

/// A copy of everything below a directory, elsewhere.
fn copy(from: &Path) -> TempDir {
    let to = directory();
    for (path, bytes) in tree(from) {
        let path = to.path().join(Path::new(&path).strip_prefix(from).expect("it is below"));
        fs::create_dir_all(path.parent().expect("a directory")).expect("it can be made");
        fs::write(path, bytes).expect("it can be written");
    }
    to
}

/// Otherwise its owner could lose it to a job that never ran, and that job could never begin with anything else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_restored_is_not_claimed() {
    let mut two = Two::new(RecoveryClaimMode::Claim).await;
    let good = copy(two.others.path());
    let name = two.before.files().into_iter().next().expect("there are some");
    let damaged = two.directory_of_the_other().join("shared").join(name);
    let mut bytes = fs::read(&damaged).expect("a file");
    *bytes.last_mut().expect("it has bytes") ^= 1;
    fs::write(&damaged, bytes).expect("it can be written");
    let files = tree(two.others.path());
    let ended = two.table.start(2, &two.config, two.ours.path(), Some(THIS)).wait().await;
    assert!(
        matches!(&ended, Err(JobError::Storage(error)) if error.kind() == ErrorKind::Corrupt),
        "{ended:?}"
    );
    assert_eq!(tree(two.others.path()), files);

    let pointer =
        Path::new(two.before.pointer.as_str()).strip_prefix(two.others.path()).expect("it is below");
    let pointer = good.path().join(pointer).display().to_string();
    two.config.set_recovery_path(pointer);
    let handle = two.start().await;
    two.table.set(0..64, 4).await;
    let last = two.checkpoint(&handle).await;
    stop(handle).await;
    assert_eq!(shared(good.path(), OTHER), [].into(), "nobody uses them");
    assert_eq!(tree(two.others.path()), files, "it was never this job's");
    two.assert_restored_again(&last).await;
}

/// Whoever wrote a checkpoint could otherwise have any directory read. Only the register beside it says what it may refer to,
/// so that a copy of its directory, which is all that a savepoint needs, is not enough.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_job_had_claimed_is_out_of_reach_without_its_register_but_for_a_savepoint() {
    let (two, savepoints, here) = (Two::new(RecoveryClaimMode::Claim).await, directory(), directory());
    let handle = two.start().await;
    let first = two.checkpoint(&handle).await;
    assert_eq!(first.foreign(), two.before.files());
    let savepoint = handle
        .trigger_savepoint(Some(savepoints.path().display().to_string()), SavepointFormat::Canonical)
        .await;
    let savepoint = savepoint.expect("nothing is in its way").pointer;
    stop(handle).await;

    let moved = copy(Path::new(first.pointer.as_str()));
    let (mut config, third) = (two.config.clone(), Table::new());
    third.expect_log(&first);
    config.set_recovery_path(moved.path().display().to_string());
    let ended = third.start(2, &config, here.path(), Some(THIRD)).wait().await;
    let Err(JobError::Storage(error)) = ended else { panic!("{ended:?}") };
    assert_eq!(error.kind(), ErrorKind::InvalidPointer);
    assert!(error.to_string().contains("take a savepoint of that job"), "{error}");

    let moved = copy(Path::new(savepoint.as_str()));
    config.set_recovery_path(moved.path().display().to_string());
    let handle = third.start(2, &config, here.path(), Some(THIRD));
    third.opened(2).await;
    assert_eq!(third.restored(), first.values);
    stop(handle).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_to_its_owner_is_used_and_never_removed() {
    let two = Two::new(RecoveryClaimMode::Legacy).await;
    let files = tree(&two.directory_of_the_other());
    let handle = two.start().await;
    two.table.set(8..9, 3).await;
    let first = two.checkpoint(&handle).await;
    assert_eq!((first.written(), first.foreign()), (1, two.before.files()), "{first:?}");
    stop(handle).await;
    two.assert_restored_again(&first).await;

    let table = Table::new();
    table.expect_log(&first);
    let handle = table.start(2, &two.config, two.ours.path(), Some(THIS));
    table.set(0..64, 4).await;
    let last = table.checkpoint(&handle, two.ours.path()).await;
    assert_eq!(last.foreign().len(), 0, "{last:?}");
    stop(handle).await;
    assert_eq!(tree(&two.directory_of_the_other()), files);
    assert_needed(&two.ours, THIS, &[&last]);
    two.assert_restored_again(&last).await;
}

/// What is in the metadata does not tell the two directories apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_claimed_out_of_an_older_directory_of_the_same_job_stays_there() {
    let two = Two::of_one_job(RecoveryClaimMode::Claim).await;
    let theirs = two.before.files();
    let handle = two.start().await;
    // Before there is a checkpoint of its own, so that the next attempt goes on from the claimed one.
    two.table.fail();
    two.table.opened(2 + 2).await;
    assert_eq!(two.table.restored(), two.before.values);
    two.table.set(8..9, 3).await;
    let first = two.checkpoint(&handle).await;
    assert_eq!((first.written(), first.foreign()), (1, theirs), "{first:?}");
    handle.suspend();
    assert_eq!(handle.wait().await.expect("it is suspended").attempts, 2);
    two.assert_restored_again(&first).await;
}

/// The second job ends as the first one did, and a third goes on from what it retained.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_claimed_or_left_is_still_there_for_a_third_job() {
    for mode in [RecoveryClaimMode::Claim, RecoveryClaimMode::Legacy] {
        for next in RecoveryClaimMode::ALL {
            let mut two = Two::new(mode).await;
            let theirs = two.before.files();
            let handle = two.start().await;
            two.table.set(8..9, 3).await;
            let first = two.checkpoint(&handle).await;
            assert_eq!(first.foreign(), theirs);
            handle.cancel();
            handle.wait().await.expect("it is canceled");

            let _between = std::mem::replace(&mut two.ours, directory());
            two.this = JobId::from_bytes([3; 16]);
            two.before = first.clone();
            two.config.set_recovery_path(first.pointer.as_str()).set_recovery_claim_mode(next);
            two.table = Table::new();
            two.table.expect_log(&first);
            let handle = two.start().await;
            two.table.set(0..64, 4).await;
            let last = two.checkpoint(&handle).await;
            stop(handle).await;
            two.assert_restored_again(&last).await;
            assert_eq!(shared(two.others.path(), OTHER), theirs, "{mode:?}, {next:?}");
            let is_claimed = next == RecoveryClaimMode::Claim;
            assert_eq!(PathBuf::from(first.pointer.as_str()).exists(), !is_claimed, "{mode:?}, {next:?}");
        }
    }
}
