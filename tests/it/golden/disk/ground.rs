//! Where cases of storages happen: a folder of their own, a storage in it, and state as the recording wrote it.

use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stillframe::fs::{FileSystemCheckpointStorage, LocalStores};
use stillframe::memory::JobManagerCheckpointStorage;
use stillframe::model::{CheckpointId, JobId, LocationReference, StateHandle, StoragePath};
use stillframe::storage::{
    CheckpointStorage, Claim, CoordinatorStorage, ErrorKind, StateScope, StorageError, WorkerStorage,
};
use stillframe::storage_directory::Entropy;
use tempfile::TempDir;

/// The job of the recording.
pub(super) const JOB: &str = "00112233445566778899aabbccddeeff";

pub(super) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without a reactor can always be built").block_on(work)
}

/// A folder, and a storage in it that one job uses.
pub(super) struct Ground {
    pub(super) root: TempDir,
    pub(super) storage: Arc<dyn CheckpointStorage>,
    pub(super) coordinator: Arc<dyn CoordinatorStorage>,
    pub(super) worker: Arc<dyn WorkerStorage>,
    pub(super) claim: Claim,
}

/// How the storage of a case is configured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Files {
    pub(super) threshold: Option<u32>,
    pub(super) buffer: Option<u32>,
    pub(super) savepoints: bool,
}

/// The same for a storage in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub(super) max_state_size: u64,
    pub(super) checkpoints: bool,
    pub(super) savepoints: bool,
}

impl Ground {
    pub(super) async fn files(files: Files) -> Result<Self, StorageError> {
        let root = folder();
        let mut storage = FileSystemCheckpointStorage::new(root.path().join("cp"))?;
        if files.savepoints {
            storage = storage.with_savepoint_dir(root.path().join("default-sp"))?;
        }
        if let Some(threshold) = files.threshold {
            storage = storage.with_min_file_size_threshold(threshold)?;
        }
        if let Some(buffer) = files.buffer {
            storage = storage.with_write_buffer_size(buffer);
        }
        Self::with(root, Arc::new(storage)).await
    }

    pub(super) async fn memory(memory: Memory) -> Result<Self, StorageError> {
        let root = folder();
        let mut storage = JobManagerCheckpointStorage::new()
            .with_files(Arc::new(LocalStores::new()), Arc::new(Numbers::default()))
            .with_max_state_size(memory.max_state_size)?;
        if memory.checkpoints {
            storage = storage.with_checkpoint_path(address(root.path(), "cp")?);
        }
        if memory.savepoints {
            storage = storage.with_savepoint_path(address(root.path(), "default-sp")?);
        }
        Self::with(root, Arc::new(storage)).await
    }

    async fn with(root: TempDir, storage: Arc<dyn CheckpointStorage>) -> Result<Self, StorageError> {
        let job = JOB.parse::<JobId>().expect("it is the job id of the recording");
        let access = storage.open(job).await?;
        let (coordinator, worker) = (access.coordinator(), access.worker());
        let claim = coordinator.claim().await?;
        Ok(Self { root, storage, coordinator, worker, claim })
    }

    /// A text with the folder in it as the recording writes it.
    pub(super) fn recorded(&self, text: &str) -> String {
        text.replace(&self.root.path().display().to_string(), "ROOT")
    }

    /// A text of the recording with the folder in it.
    pub(super) fn real(&self, text: &str) -> String {
        text.replace("ROOT", &self.root.path().display().to_string())
    }

    /// Writes state of this length, and makes it durable.
    pub(super) async fn write(
        &self,
        checkpoint: CheckpointId,
        location: &LocationReference,
        scope: StateScope,
        len: usize,
    ) -> Result<Option<StateHandle>, StorageError> {
        let mut stream = self.worker.create(checkpoint, location, scope).await?;
        stream.write(state(0, len).into()).await?;
        let handle = stream.finish().await?;
        self.worker.sync(checkpoint, location).await?;
        Ok(handle)
    }
}

fn address(root: &Path, name: &str) -> Result<StoragePath, StorageError> {
    Ok(StoragePath::parse(&format!("file:{}", root.join(name).display()))?)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// Names that are unique in a folder of their own.
#[derive(Debug, Default)]
struct Numbers(AtomicU64);

impl Entropy for Numbers {
    fn draw(&self) -> Result<u128, StorageError> {
        Ok(u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

/// What the recording wrote, from `from` on: each byte is its own place, modulo a number that divides no buffer.
pub(super) fn state(from: usize, len: usize) -> Vec<u8> {
    (from..from + len).map(|place| (place % 251).to_le_bytes()[0]).collect()
}

/// What `hash = 31 * hash + byte` gives over all bytes, in the 32 bits of a Java `int`.
pub(super) fn polynomial_hash(bytes: &[u8]) -> i32 {
    bytes.iter().fold(0_i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(i32::from(*byte)))
}

/// Compares state with what is recorded of it: where it is, how much, and that it is what was written.
pub(super) fn compare_state(recorded: &Value, handle: &StateHandle, read: &[u8]) -> Vec<String> {
    let mut findings = compare_place(recorded, handle);
    let mut compare = |field: &str, ours: Value| {
        if recorded[field] != ours {
            findings.push(format!("{field}: expected {}, ours {ours}", recorded[field]));
        }
    };
    compare("state_size", json!(handle.size()));
    compare("bytes_read_back", json!(read.len()));
    compare("polynomial_hash_31", json!(polynomial_hash(read)));
    findings
}

/// Whether state is in the metadata, or in a file, and in whose directory.
fn compare_place(recorded: &Value, handle: &StateHandle) -> Vec<String> {
    use stillframe::model::StateDirectory;
    let ours = match handle.file().map(|file| &file.directory) {
        None => "ByteStreamStateHandle",
        // Flink names a file relatively exactly if it is the checkpoint's own.
        Some(StateDirectory::Exclusive) => "RelativeFileStateHandle",
        Some(_) => "FileStateHandle",
    };
    let differs = recorded["handle"] != ours;
    differs.then(|| format!("handle: expected {}, ours {ours}", recorded["handle"])).into_iter().collect()
}

/// Compares a refusal by what a person should do about it.
pub(super) fn compare_refusal(raises: &Value, ours: &StorageError) -> Vec<String> {
    let about = raises["message"].as_str().unwrap_or_default();
    let kinds: &[ErrorKind] = match raises["java_class"].as_str().unwrap_or_default() {
        "java.io.FileNotFoundException" => &[ErrorKind::NotFound],
        "java.lang.IllegalArgumentException" => &[ErrorKind::InvalidPointer, ErrorKind::Unsupported],
        "java.io.IOException" if about.starts_with("Size of the state") => &[ErrorKind::TooLarge],
        "java.io.IOException" if about.ends_with("already exists.") => &[ErrorKind::AlreadyExists],
        "java.io.IOException" if about.starts_with("Cannot access file system") => {
            &[ErrorKind::InvalidPointer]
        }
        _ => &[],
    };
    let differs = !kinds.contains(&ours.kind());
    differs.then(|| format!("expected a refusal like {raises}, ours {ours}")).into_iter().collect()
}
