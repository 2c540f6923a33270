//! Settings that a storage reads: other places, other files.

use super::{Setting, effective};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stillframe::builtin_storages;
use stillframe::config::CheckpointConfig;
use stillframe::memory::NOT_EXTERNALLY_ADDRESSABLE;
use stillframe::model::{CheckpointId, JobId, LocationReference, StateHandle};
use stillframe::storage::{ErrorKind, StateScope, StateStream, StorageAccess, StorageError};
use tempfile::TempDir;

/// What is written at once.
const PIECE: &[u8] = &[7; 1_000];

/// So many pieces get a file of their own.
const LARGE: usize = 1_100;

/// What every file with state begins with, in bytes.
const MARK: u64 = 32;

/// A directory for checkpoints or savepoints.
struct Place {
    directory: TempDir,
    address: String,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let address = format!("file://{}", directory.path().display());
        Self { directory, address }
    }

    /// As the setting that says where checkpoints go.
    fn as_dir(&self) -> (&str, &str) {
        ("execution.checkpointing.dir", &self.address)
    }

    /// Whether a finished checkpoint is in it.
    fn holds(&self, pointer: &str) -> bool {
        let pointer = Path::new(pointer);
        pointer.starts_with(self.directory.path()) && pointer.exists()
    }

    /// The lengths of all files in it, also of those that are not finished, but for those of the register.
    fn lengths(&self) -> Vec<u64> {
        fn collect(directory: &Path, lengths: &mut Vec<u64>) {
            for entry in fs::read_dir(directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.ends_with("_ctl") {
                    continue;
                }
                match fs::metadata(&path).expect("it is still there") {
                    found if found.is_dir() => collect(&path, lengths),
                    found => lengths.push(found.len()),
                }
            }
        }
        let mut lengths = Vec::new();
        collect(self.directory.path(), &mut lengths);
        lengths
    }
}

/// Runs something to its end. Nothing here waits for a time.
pub(super) fn now<R>(future: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime for one thread").block_on(future)
}

/// The storage that a config leads to, as a job sees it that no other run has seen.
async fn open(config: &CheckpointConfig) -> Arc<dyn StorageAccess> {
    static JOBS: AtomicU64 = AtomicU64::new(0);
    let mut job = [0; 16];
    job[8..].copy_from_slice(&JOBS.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let storage = builtin_storages().build(&effective(config).storage).expect("it is built in");
    let access = storage.open(JobId::from_bytes(job)).await.expect("it can be opened");
    access.coordinator().claim().await.expect("nobody else holds the job");
    access
}

/// Takes a checkpoint of nothing, and says where it is.
async fn checkpoint(config: &CheckpointConfig) -> String {
    let coordinator = open(config).await.coordinator();
    let location = coordinator.begin_checkpoint(CheckpointId::FIRST).await.expect("there is a place");
    let pointer = coordinator.commit(CheckpointId::FIRST, &location, PIECE.into(), &[]).await;
    pointer.expect("it can be published").as_str().to_owned()
}

/// Takes a savepoint of nothing at the place that the settings name, and says where it is.
async fn savepoint(config: &CheckpointConfig) -> Result<String, StorageError> {
    let coordinator = open(config).await.coordinator();
    let location = coordinator.begin_savepoint(CheckpointId::FIRST, None).await?;
    let pointer = coordinator.publish_savepoint(CheckpointId::FIRST, &location, PIECE.into()).await?;
    Ok(pointer.as_str().to_owned())
}

/// Writes state of so many pieces, without an end.
async fn written(access: &dyn StorageAccess, pieces: usize) -> Box<dyn StateStream> {
    let location =
        access.coordinator().begin_checkpoint(CheckpointId::FIRST).await.expect("there is a place");
    let stream = access.worker().create(CheckpointId::FIRST, &location, StateScope::Exclusive).await;
    let mut stream = stream.expect("a stream");
    for _ in 0..pieces {
        stream.write(PIECE.into()).await.expect("it can be written");
    }
    stream
}

pub(super) fn storage(setting: &Setting) {
    let place = Place::new();
    let inline = setting.changes(["jobmanager", "filesystem"], &[place.as_dir()], |config| {
        let handle = now(async { written(&*open(config).await, 300).await.finish().await });
        matches!(handle.expect("it can be kept"), Some(StateHandle::Inline(_)))
    });
    assert_eq!(inline, [true, false], "only one of them puts state into files");
    assert_eq!(
        now(checkpoint(&super::config([("execution.checkpointing.storage", "jobmanager")]))),
        NOT_EXTERNALLY_ADDRESSABLE
    );
    let in_files =
        now(checkpoint(&super::config([("execution.checkpointing.storage", "jobmanager"), place.as_dir()])));
    assert!(place.holds(&in_files), "{in_files}");
}

pub(super) fn dir(setting: &Setting) {
    let places = [Place::new(), Place::new()];
    let holding = setting.changes(places.each_ref().map(|place| place.address.as_str()), &[], |config| {
        let pointer = now(checkpoint(config));
        places.each_ref().map(|place| place.holds(&pointer))
    });
    assert_eq!(holding, [[true, false], [false, true]]);
}

pub(super) fn savepoint_dir(setting: &Setting) {
    let (place, places) = (Place::new(), [Place::new(), Place::new()]);
    let addresses = places.each_ref().map(|place| place.address.as_str());
    let holding = setting.changes(addresses, &[place.as_dir()], |config| {
        let pointer = now(savepoint(config)).expect("the settings name a place");
        places.each_ref().map(|place| place.holds(&pointer))
    });
    assert_eq!(holding, [[true, false], [false, true]]);
    let refused = now(savepoint(&super::config([place.as_dir()]))).expect_err("nothing names a place");
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
}

pub(super) fn inline_threshold(setting: &Setting) {
    let place = Place::new();
    let inline = setting.changes(["20 kb", "1 mb"], &[place.as_dir()], |config| {
        let handle = now(async {
            let access = open(config).await;
            let handle = written(&*access, 50).await.finish().await?;
            access.worker().sync(CheckpointId::FIRST, &LocationReference::Default).await?;
            Ok::<_, StorageError>(handle)
        });
        let handle = handle.expect("it can be made durable").expect("something was written");
        assert_eq!(handle.size(), 50_000);
        matches!(handle, StateHandle::Inline(_))
    });
    assert_eq!(inline, [false, true]);
    assert_eq!(place.lengths(), [MARK + 50_000], "the other has no file");
}

pub(super) fn write_buffer(setting: &Setting) {
    let place = Place::new();
    let beside = [place.as_dir(), ("execution.checkpointing.data-inline-threshold", "0 bytes")];
    let lengths = setting.changes(["4096", "65536"], &beside, |config| {
        now(async {
            let access = open(config).await;
            let stream = written(&*access, LARGE).await;
            let lengths = place.lengths();
            stream.abort().await.expect("it can be removed");
            lengths
        })
    });
    let written = MARK + (LARGE * PIECE.len()) as u64;
    let missing = lengths.map(|lengths| lengths.iter().map(|length| written - length).collect::<Vec<_>>());
    let [[small], [large]] = [&missing[0][..], &missing[1][..]] else { panic!("{missing:?}") };
    assert!(
        *small < 4_096 && *large > 4_096 && *large < 65_536,
        "only less than a buffer is missing: {missing:?}"
    );
}
