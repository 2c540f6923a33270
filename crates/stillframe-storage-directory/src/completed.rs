use crate::place::Place;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::{Crc32c, FileHandle, Pointer, StateFile, StateHandle};
use stillframe_storage::{CompletedLocation, ErrorKind, StateReader, StorageError};

/// The largest metadata that is published or read, in bytes: 256 MiB.
pub const METADATA_LIMIT: u64 = 256 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct DirectoryLocation {
    place: Place,
    pointer: Pointer,
    /// The directories elsewhere that it may refer to.
    roots: Arc<[Arc<str>]>,
}

impl DirectoryLocation {
    pub(crate) fn new(place: Place, roots: Arc<[Arc<str>]>) -> Self {
        let pointer = Pointer::new(place.address());
        Self { place, pointer, roots }
    }

    async fn read_file(&self, file: &FileHandle) -> Result<Bytes, StorageError> {
        let corrupt = |detail: String| {
            StorageError::new(ErrorKind::Corrupt, "read state", self.place.address_of(file.file.name.clone()))
                .with_detail(detail)
        };
        // The store compares the length with the limit before it allocates, so a file that grew costs nothing
        // and a handle that claims too much cannot make us reserve more than the file really has.
        let bytes = match self.place.blobs.read(&self.place.join(file.file.name.clone()), file.len).await {
            Err(error) if error.kind() == ErrorKind::TooLarge => {
                return Err(corrupt(format!("expected {} bytes, found more", file.len)).with_source(error));
            }
            other => other?,
        };
        if bytes.len() as u64 != file.len {
            return Err(corrupt(format!("expected {} bytes, found {}", file.len, bytes.len())));
        }
        let found = Crc32c::of(&bytes);
        if found != file.crc {
            return Err(corrupt(format!("expected crc32c {}, found {found}", file.crc)));
        }
        Ok(bytes)
    }
}

#[async_trait]
impl CompletedLocation for DirectoryLocation {
    fn pointer(&self) -> &Pointer {
        &self.pointer
    }

    async fn metadata(&self) -> Result<Bytes, StorageError> {
        self.place.blobs.read(&self.place.metadata(), METADATA_LIMIT).await
    }

    async fn open(&self, handle: &StateHandle) -> Result<Box<dyn StateReader>, StorageError> {
        let bytes = match handle {
            StateHandle::Inline(bytes) => bytes.clone(),
            StateHandle::File(file) => self.read_file(file).await?,
            StateHandle::Segment(segment) => {
                let name = segment.file.name.to_string();
                return Err(StorageError::new(ErrorKind::Unsupported, "read state", name));
            }
        };
        Ok(Box::new(Whole { len: bytes.len() as u64, rest: Some(bytes).filter(|bytes| !bytes.is_empty()) }))
    }

    fn foreign(&self, _: &StateFile) -> Option<StateFile> {
        None
    }
}

#[derive(Debug)]
struct Whole {
    len: u64,
    rest: Option<Bytes>,
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
