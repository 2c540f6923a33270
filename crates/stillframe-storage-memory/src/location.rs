use crate::storage::NOT_EXTERNALLY_ADDRESSABLE;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::{Pointer, StateDirectory, StateFile, StateHandle};
use stillframe_storage::{CompletedLocation, ErrorKind, StateReader, StorageError};

/// A checkpoint in the vault. Its own state is in the metadata; what it kept from a snapshot with which the job began is read
/// from there.
#[derive(Debug)]
pub(crate) struct VaultLocation {
    metadata: Bytes,
    left: Vec<Arc<dyn CompletedLocation>>,
    pointer: Pointer,
}

impl VaultLocation {
    pub(crate) fn new(metadata: Bytes, left: Vec<Arc<dyn CompletedLocation>>) -> Self {
        Self { metadata, left, pointer: Pointer::new(NOT_EXTERNALLY_ADDRESSABLE) }
    }

    /// The snapshot in which this file is, and how the snapshot itself calls it.
    fn owner(&self, file: &StateFile) -> Option<(&dyn CompletedLocation, StateFile)> {
        self.left.iter().find_map(|snapshot| {
            let own = [StateDirectory::Exclusive, StateDirectory::Shared].into_iter();
            let mut own = own.map(|directory| StateFile { directory, name: file.name.clone() });
            own.find(|own| snapshot.foreign(own).as_ref() == Some(file)).map(|own| (&**snapshot, own))
        })
    }
}

#[async_trait]
impl CompletedLocation for VaultLocation {
    fn pointer(&self) -> &Pointer {
        &self.pointer
    }

    async fn metadata(&self) -> Result<Bytes, StorageError> {
        Ok(self.metadata.clone())
    }

    async fn open(&self, handle: &StateHandle) -> Result<Box<dyn StateReader>, StorageError> {
        let mut handle = handle.clone();
        let file = match &mut handle {
            StateHandle::Inline(bytes) => return Ok(Box::new(Whole::new(bytes.clone()))),
            StateHandle::File(handle) => &mut handle.file,
            StateHandle::Segment(handle) => &mut handle.file,
        };
        let Some((snapshot, own)) = self.owner(file) else {
            return Err(StorageError::new(ErrorKind::InvalidPointer, "read state", file.name.to_string())
                .with_detail(
                    "a storage in memory has no files of its own; another storage made the handle",
                ));
        };
        *file = own;
        snapshot.open(&handle).await
    }

    fn foreign(&self, file: &StateFile) -> Option<StateFile> {
        matches!(file.directory, StateDirectory::Foreign(_)).then(|| file.clone())
    }
}

/// State in one piece, which was never out of memory.
#[derive(Debug)]
struct Whole {
    len: u64,
    rest: Option<Bytes>,
}

impl Whole {
    fn new(bytes: Bytes) -> Self {
        Self { len: bytes.len() as u64, rest: Some(bytes).filter(|bytes| !bytes.is_empty()) }
    }
}

#[async_trait]
impl StateReader for Whole {
    fn len(&self) -> u64 {
        self.len
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        Ok(self.rest.take())
    }
}
