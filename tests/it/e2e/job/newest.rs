//! Which checkpoint is restored: the newest that is complete, or none if that one is damaged.

use super::readback::{Cut, Kept};
use super::rig::{Rig, checkpoint, files, on_request};
use super::sums::Fault;
use super::watch::Seen;
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillframe::prelude::*;
use stillframe::runtime::{JobError, JobEvent};
use stillframe::storage::ErrorKind;

const ID: JobId = JobId::from_bytes([0xab; 16]);

fn config() -> CheckpointConfig {
    let mut config = on_request();
    config
        .set_num_retained_checkpoints(NonZeroU32::new(3).expect("not zero"))
        .set_externalized_checkpoint_retention(ExternalizedCheckpointRetention::RetainOnCancellation);
    config
}

fn directory_of(base: &Path, checkpoint: u64) -> PathBuf {
    base.join(ID.to_string()).join(format!("chk-{checkpoint}"))
}

/// A job with four checkpoints, at the positions 10, 20, 30 and 40, that is suspended after the last.
async fn suspended(rig: &Rig, base: &Path) {
    let (job, _events) = rig.job(&config(), files(base));
    let handle = job.with_id(ID).start();
    for limit in [10, 20, 30, 40] {
        rig.allow(limit);
        rig.processed(limit).await;
        checkpoint(&handle).await;
    }
    handle.suspend();
    assert_eq!(handle.wait().await.expect("it is suspended").status, JobStatus::Suspended);
    let kept: Vec<_> = (1..=5).filter(|id| directory_of(base, *id).join("_metadata").is_file()).collect();
    assert_eq!(kept, [2, 3, 4], "the three newest are retained");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_the_newest_is_restored() {
    let (rig, directory) = (Rig::new(60), tempfile::tempdir().expect("a temporary directory"));
    rig.allow(0);
    suspended(&rig, directory.path()).await;
    rig.open();
    let (job, events) = rig.job(&config(), files(directory.path()));
    let report = job.with_id(ID).run().await.expect("nothing fails");
    assert_eq!((report.attempts, &report.restored[..]), (1, &[CheckpointId::new(4)][..]));
    let started = events.all().into_iter().find(|seen| matches!(seen, Seen::Started(_)));
    assert_eq!(started, Some(Seen::Started(Some(CheckpointId::new(4)))));
    assert!(rig.left.restored().values().all(|position| *position == 40), "{:?}", rig.left.restored());
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_run_left_behind_goes_and_what_is_somebody_elses_is_named() {
    let (rig, directory) = (Rig::new(60), tempfile::tempdir().expect("a temporary directory"));
    rig.allow(0);
    suspended(&rig, directory.path()).await;
    let begun = directory_of(directory.path(), 5);
    let [orphan, notes] =
        ["state-000102030405060708090a0b0c0d0e0f", "notes.txt"].map(|name| begun.join(name));
    fs::create_dir(&begun).expect("a directory");
    for file in [&orphan, &notes] {
        fs::write(file, "x").expect("a file");
    }
    rig.open();
    let (job, _events) = rig.job(&config(), files(directory.path()));
    let (said, hears) = std::sync::mpsc::channel();
    let job = job.with_id(ID).on_event(move |event| {
        if let JobEvent::Swept { sweep } = event {
            // A test that has failed no longer listens.
            let _ = said.send(sweep.found.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
    });
    job.run().await.expect("nothing fails");
    let found = hears.try_recv().expect("it says what it swept");
    let of = |file: &Path| found.iter().find(|line| line.starts_with(&format!("{}: ", file.display())));
    assert!(of(&orphan).is_some_and(|line| line.contains("an orphan")), "{found:?}");
    assert!(of(&notes).is_some_and(|line| line.contains("none of ours")), "{found:?}");
    assert!(!orphan.exists() && notes.exists());
    assert!(
        found.iter().any(|line| line.contains("kept because a retained checkpoint needs it")),
        "{found:?}"
    );
    assert!(hears.try_recv().is_err(), "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failure_the_newest_is_restored_at_its_own_positions() {
    let (rig, directory) = (Rig::new(60), tempfile::tempdir().expect("a temporary directory"));
    rig.allow(0);
    let storage = Kept::around(files(directory.path()));
    let (job, mut events) = rig.job(&config(), Arc::clone(&storage));
    let handle = job.with_id(ID).start();
    let mut newest = CheckpointId::FIRST;
    for limit in [10, 20, 30, 40] {
        rig.allow(limit);
        rig.processed(limit).await;
        newest = checkpoint(&handle).await;
    }
    let cut = Cut::of(&*storage, ID, newest).await;
    cut.assert_consistent();
    rig.sums.fail_from(41 * 2 * super::numbers::SPLITS, Fault::Error, 1);
    rig.allow(50);
    events.next(|seen| (*seen == Seen::Started(Some(newest))).then_some(())).await;
    rig.open();
    handle.wait().await.expect("one failure is survived");
    assert_eq!([rig.left.restored(), rig.right.restored()], cut.positions);
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canceled_job_leaves_checkpoints_that_a_new_job_resumes_from() {
    let (rig, directory) = (Rig::new(60), tempfile::tempdir().expect("a temporary directory"));
    rig.allow(30);
    let (job, _events) = rig.job(&config(), files(directory.path()));
    let handle = job.with_id(ID).start();
    rig.processed(30).await;
    for _ in 0..4 {
        checkpoint(&handle).await;
    }
    handle.cancel();
    let report = handle.wait().await.expect("it is canceled");
    let newest = report.latest.expect("four checkpoints").pointer;
    assert_eq!(Path::new(newest.as_str()), directory_of(directory.path(), 4));

    rig.open();
    let (job, events) = rig.job(&config(), files(directory.path()));
    job.resume_from(newest.clone()).run().await.expect("nothing fails");
    let started = events.all().into_iter().find(|seen| matches!(seen, Seen::Started(_)));
    assert_eq!(started, Some(Seen::Started(Some(CheckpointId::new(4)))));
    assert!(Path::new(newest.as_str()).join("_metadata").is_file(), "it belongs to the other job");
    rig.assert_exact();
}

/// Changes one byte of a file.
fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("the file can be read");
    bytes[at] ^= 0x10;
    fs::write(path, bytes).expect("the file can be written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_metadata_is_an_error_and_no_reason_to_go_further_back() {
    let (rig, directory) = (Rig::new(60), tempfile::tempdir().expect("a temporary directory"));
    rig.allow(0);
    suspended(&rig, directory.path()).await;
    rig.open();
    let newest = directory_of(directory.path(), 4);
    let path = newest.join("_metadata");
    let length = fs::metadata(&path).expect("it exists").len() as usize;
    for at in [0, 5, length / 3, length / 2, length - 1] {
        flip(&path, at);
        let (job, events) = rig.job(&config(), files(directory.path()));
        let error = job.with_id(ID).run().await.expect_err("it is damaged");
        let JobError::Storage(storage) = &error else { panic!("byte {at}: {error:?}") };
        assert_eq!(storage.kind(), ErrorKind::Corrupt, "byte {at}");
        assert_eq!(Path::new(storage.subject()), newest, "byte {at}");
        assert_eq!(events.all(), [], "byte {at}: something was started");
        flip(&path, at);
    }
    let (job, _events) = rig.job(&config(), files(directory.path()));
    job.with_id(ID).run().await.expect("as it was");
    rig.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_state_is_an_error_that_names_the_file() {
    let (rig, directory) = (Rig::new(60), tempfile::tempdir().expect("a temporary directory"));
    rig.allow(0);
    suspended(&rig, directory.path()).await;
    rig.open();
    let entries = fs::read_dir(directory_of(directory.path(), 4)).expect("the newest checkpoint");
    let paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    let states: Vec<_> = paths.iter().filter(|path| !path.ends_with("_metadata")).collect();
    assert_eq!(states.len(), 1, "the states of all tasks are in one segment");
    for path in states {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let length = fs::metadata(path).expect("it exists").len() as usize;
        flip(path, length / 2);
        let (job, events) = rig.job(&config(), files(directory.path()));
        let error = job.with_id(ID).run().await.expect_err("it is damaged");
        let JobError::Storage(error) = &error else { panic!("{error:?}") };
        assert!(error.to_string().contains(name) && error.to_string().contains("corrupt"), "{error}");
        assert_eq!(events.all(), [], "something was started");
        flip(path, length / 2);
    }
}
