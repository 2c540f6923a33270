//! How a reference tells a worker where a savepoint goes, byte by byte.

use super::ground::{Files, Ground, JOB, compare_refusal};
use crate::golden::tally::Outcome;
use bytes::Bytes;
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use stillframe::fs::LocalStores;
use stillframe::model::{CheckpointId, JobId, LocationReference};
use stillframe::storage::{
    BlobEntry, BlobPath, BlobReader, BlobStore, BlobWriter, ErrorKind, StateScope, StorageError, async_trait,
};
use stillframe::storage_directory::{BlobStores, DirectoryStorage, Entropy};

fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    let text = value.as_str()?;
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// A reference that nobody's storage made is refused.
pub(super) async fn decode(name: &str, case: &Value) -> Outcome {
    const KIND: &str = "decode_reference";
    let (Some(bytes), Some(raises)) = (bytes_of(&case["bytes"]), case["result"].get("raises")) else {
        return Outcome::found(KIND, name, vec![format!("not understood: {case}")]);
    };
    let created = match Ground::files(Files::default()).await {
        Err(error) => Err(error),
        Ok(ground) => {
            let reference = LocationReference::Encoded(bytes.into());
            ground.worker.create(CheckpointId::FIRST, &reference, StateScope::Exclusive).await.map(|_| ())
        }
    };
    let findings = match created {
        Err(error) if error.kind() == ErrorKind::InvalidPointer => compare_refusal(raises, &error),
        ours => vec![format!("expected {raises}, ours {ours:?}")],
    };
    Outcome::found(KIND, name, findings)
}

/// The reference of a savepoint at a path is those bytes, and those bytes lead to that path.
pub(super) async fn encode(name: &str, case: &Value) -> Outcome {
    const KIND: &str = "path_reference";
    let (Some(path), Some(bytes)) = (case["path"].as_str(), bytes_of(&case["bytes"])) else {
        return Outcome::found(KIND, name, vec![format!("not understood: {case}")]);
    };
    let findings = match there_and_back(path, &bytes).await {
        Err(error) => vec![error.to_string()],
        Ok((encoded, asked)) => {
            let mut findings = Vec::new();
            if encoded != LocationReference::Encoded(bytes.into()) {
                findings.push(format!("expected {}, ours {encoded:?}", case["bytes"]));
            }
            if asked.as_deref() != case["decoded"].as_str() {
                findings.push(format!("expected {}, ours {asked:?}", case["decoded"]));
            }
            findings
        }
    };
    Outcome::found(KIND, name, findings)
}

async fn there_and_back(
    path: &str,
    bytes: &[u8],
) -> Result<(LocationReference, Option<String>), StorageError> {
    let root = tempfile::tempdir().expect("a temporary folder can be made");
    let directory = root.path().display().to_string();
    let asked = Arc::new(Mutex::new(None));
    let elsewhere = Elsewhere { root: directory.clone(), path: path.to_owned(), asked: Arc::clone(&asked) };
    let storage = DirectoryStorage::new(Arc::new(elsewhere), Arc::new(Numbers::default()), directory);
    let access = storage.open(JOB.parse::<JobId>().expect("it is the job id of the recording")).await?;
    let coordinator = access.coordinator();
    let next = coordinator.claim().await?.next;
    let encoded = coordinator.begin_savepoint(next, Some("elsewhere")).await?;
    *asked.lock().unwrap_or_else(PoisonError::into_inner) = None;
    let given = LocationReference::Encoded(Bytes::copy_from_slice(bytes));
    let created = access.worker().create(next, &given, StateScope::Exclusive).await;
    drop(created?);
    let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((encoded, asked))
}

#[derive(Debug, Default)]
struct Numbers(AtomicU64);

impl Entropy for Numbers {
    fn draw(&self) -> Result<u128, StorageError> {
        Ok(u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

/// The local disk below a folder, and elsewhere one place where everything has the same address.
#[derive(Debug)]
struct Elsewhere {
    root: String,
    path: String,
    asked: Arc<Mutex<Option<String>>>,
}

impl BlobStores for Elsewhere {
    fn at(&self, address: &str) -> Result<Arc<dyn BlobStore>, StorageError> {
        if address.starts_with(&self.root) {
            return LocalStores::new().at(address);
        }
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(address.to_owned());
        Ok(Arc::new(OnePlace(self.path.clone())))
    }
}

#[derive(Debug)]
struct OnePlace(String);

impl OnePlace {
    fn refuse<T>(&self) -> Result<T, StorageError> {
        Err(StorageError::new(ErrorKind::Unsupported, "reach", self.0.as_str()))
    }
}

#[async_trait]
impl BlobStore for OnePlace {
    fn locate(&self, _: &BlobPath) -> String {
        self.0.clone()
    }

    async fn create_directory(&self, _: &BlobPath) -> Result<(), StorageError> {
        Ok(())
    }

    async fn create(&self, _: &BlobPath) -> Result<Box<dyn BlobWriter>, StorageError> {
        self.refuse()
    }

    async fn publish(&self, _: &BlobPath, _: Bytes) -> Result<(), StorageError> {
        self.refuse()
    }

    async fn settle(&self, _: &BlobPath) -> Result<(), StorageError> {
        self.refuse()
    }

    fn shows_only_what_is_durable(&self) -> bool {
        true
    }

    async fn read(&self, _: &BlobPath, _: u64) -> Result<Bytes, StorageError> {
        self.refuse()
    }

    async fn open(&self, _: &BlobPath) -> Result<Box<dyn BlobReader>, StorageError> {
        self.refuse()
    }

    async fn list(&self, _: &BlobPath) -> Result<Vec<BlobEntry>, StorageError> {
        Ok(Vec::new())
    }

    async fn delete(&self, _: &BlobPath) -> Result<(), StorageError> {
        self.refuse()
    }

    async fn delete_directory(&self, _: &BlobPath) -> Result<(), StorageError> {
        self.refuse()
    }
}
