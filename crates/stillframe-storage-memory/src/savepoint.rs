//! Savepoints of a storage whose checkpoints stay in memory: a directory with nothing but `_metadata` in it, since all state
//! is inline.

use crate::coordinator::made_by_another;
use crate::storage::Files;
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::{CheckpointId, JobId, LocationReference, Name, Pointer, StoragePath};
use stillframe_storage::{BlobPath, BlobStore, ErrorKind, StorageError};
use stillframe_storage_directory::{Entropy, METADATA_LIMIT};

/// How many names are tried for a savepoint, as in Flink.
const ATTEMPTS: usize = 10;

/// What a location reference begins with that carries an address, as in Flink.
const MAGIC: [u8; 4] = [0x05, 0x5f, 0x3f, 0x18];

/// Where savepoints can go.
#[derive(Clone, Debug)]
pub(crate) struct Savepoints {
    files: Option<Files>,
    default: Option<StoragePath>,
}

impl Savepoints {
    pub(crate) fn new(files: Option<Files>, default: Option<StoragePath>) -> Self {
        Self { files, default }
    }

    pub(crate) fn has_default(&self) -> bool {
        self.files.is_some() && self.default.is_some()
    }

    /// Where a savepoint goes that was asked for with this target.
    pub(crate) fn target(
        &self,
        checkpoint: CheckpointId,
        target: Option<&str>,
    ) -> Result<Target, StorageError> {
        let refuse = |detail| {
            Err(StorageError::new(ErrorKind::Unsupported, "begin savepoint", checkpoint.to_string())
                .with_detail(detail))
        };
        let Some(files) = &self.files else {
            return refuse(
                "this storage in memory was given no files to keep savepoints in; build it with files, or use FileSystemCheckpointStorage",
            );
        };
        match target.or(self.default.as_ref().map(StoragePath::as_str)) {
            Some(target) => {
                Ok(Target { blobs: files.stores.at(target)?, entropy: Arc::clone(&files.entropy) })
            }
            None => refuse(
                "neither the request nor the storage names a directory for savepoints; give one of them",
            ),
        }
    }

    /// The savepoint that a reference stands for; `None` for the one that stands for a checkpoint in memory.
    pub(crate) fn place(
        &self,
        operation: &'static str,
        checkpoint: CheckpointId,
        location: &LocationReference,
    ) -> Result<Option<Place>, StorageError> {
        let LocationReference::Encoded(bytes) = location else { return Ok(None) };
        let address = bytes.strip_prefix(&MAGIC).and_then(|address| str::from_utf8(address).ok());
        match (address.filter(|address| !address.is_empty()), &self.files) {
            (Some(address), Some(files)) => Ok(Some(Place(files.stores.at(address)?))),
            _ => Err(made_by_another(operation, checkpoint)),
        }
    }
}

/// A directory for savepoints.
pub(crate) struct Target {
    blobs: Arc<dyn BlobStore>,
    entropy: Arc<dyn Entropy>,
}

impl Target {
    /// Makes a directory for one savepoint.
    pub(crate) async fn begin(&self, job: JobId) -> Result<LocationReference, StorageError> {
        let mut attempt = 1;
        loop {
            let directory = BlobPath::root().join(name(job, self.entropy.draw()?)?);
            match self.blobs.create_directory(&directory).await {
                Ok(()) => {
                    let address = self.blobs.locate(&directory);
                    return Ok(LocationReference::Encoded([&MAGIC, address.as_bytes()].concat().into()));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// `savepoint-<6 digits of the job id>-<12 random digits>`, as Flink and the directory storage name it.
fn name(job: JobId, unique: u128) -> Result<Name, StorageError> {
    let job = job.to_string();
    valid(format!("savepoint-{}-{:012x}", job.get(..6).unwrap_or(&job), unique & 0xffff_ffff_ffff))
}

fn valid(name: String) -> Result<Name, StorageError> {
    let subject = name.clone();
    Name::new(name)
        .map_err(|error| StorageError::new(ErrorKind::Other, "name savepoint", subject).with_source(error))
}

/// The directory of one savepoint.
pub(crate) struct Place(Arc<dyn BlobStore>);

impl Place {
    pub(crate) async fn publish(&self, metadata: Bytes) -> Result<Pointer, StorageError> {
        let path = BlobPath::root().join(valid("_metadata".to_owned())?);
        let size = metadata.len();
        if size as u64 > METADATA_LIMIT {
            let subject = self.0.locate(&path);
            return Err(StorageError::new(ErrorKind::TooLarge, "publish savepoint", subject).with_detail(format!(
                "size={size} limit={METADATA_LIMIT} bytes, since all state is in the metadata; use FileSystemCheckpointStorage"
            )));
        }
        self.0.publish(&path, metadata).await?;
        Ok(Pointer::new(self.0.locate(&BlobPath::root())))
    }

    /// Removes the directory of a savepoint that was not published. One that was, is refused, since it is not empty.
    pub(crate) async fn discard(&self) -> Result<(), StorageError> {
        self.0.delete_directory(&BlobPath::root()).await
    }
}
