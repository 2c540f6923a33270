use crate::layout;
use crate::place::Place;
use crate::reader::{InlineReader, StateFileReader};
use crate::roots::Roots;
use crate::seam::BlobStores;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::{Name, Pointer, StateDirectory, StateFile, StateHandle};
use stillframe_storage::{BlobPath, CompletedLocation, ErrorKind, StateReader, StorageError};

/// The largest metadata that is published or read, in bytes: 256 MiB.
pub const METADATA_LIMIT: u64 = 256 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct DirectoryLocation {
    place: Place,
    pointer: Pointer,
    stores: Arc<dyn BlobStores>,
    roots: Roots,
}

impl DirectoryLocation {
    /// The checkpoint in `place`. Of directories elsewhere it reads those among `roots`, and no other.
    pub(crate) fn new(place: Place, stores: Arc<dyn BlobStores>, roots: Roots) -> Self {
        let pointer = Pointer::new(place.address());
        Self { place, pointer, stores, roots }
    }

    /// Where a file is.
    fn directory(&self, file: &StateFile) -> Result<Place, StorageError> {
        match &file.directory {
            StateDirectory::Exclusive => Ok(self.place.clone()),
            StateDirectory::Shared => self.beside(layout::shared_name()),
            StateDirectory::TaskOwned => self.beside(layout::task_owned_name()),
            StateDirectory::Foreign(address) if self.roots.contain(address) => {
                Ok(Place { blobs: self.stores.at(address)?, directory: BlobPath::root() })
            }
            StateDirectory::Foreign(address) => Err(self.roots.refuse(address, &file.name)),
        }
    }

    /// A directory of the job whose checkpoint this is.
    fn beside(&self, name: Name) -> Result<Place, StorageError> {
        if let Some((job, _)) = self.place.directory.split() {
            return Ok(Place { blobs: Arc::clone(&self.place.blobs), directory: job.join(name) });
        }
        // A checkpoint that was given by its pointer is the root of its store, and its directory may have been
        // moved to anywhere; only the address leads up from there.
        let Some(job) = parent(self.pointer.as_str()) else {
            return Err(StorageError::new(ErrorKind::InvalidPointer, "read state from", format!("{name}"))
                .with_detail(format!("{} has no directory above it", self.pointer)));
        };
        Ok(Place { blobs: self.stores.at(job)?, directory: BlobPath::root().join(name) })
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
        match handle {
            StateHandle::Inline(bytes) => Ok(Box::new(InlineReader::new(bytes.clone()))),
            StateHandle::File(file) => {
                let place = self.directory(&file.file)?;
                let path = place.join(file.file.name.clone());
                Ok(Box::new(StateFileReader::of_file(&*place.blobs, &path, file).await?))
            }
            StateHandle::Segment(segment) => {
                let place = self.directory(&segment.file)?;
                let path = place.join(segment.file.name.clone());
                Ok(Box::new(StateFileReader::of_segment(&*place.blobs, &path, segment).await?))
            }
        }
    }

    fn foreign(&self, file: &StateFile) -> Option<StateFile> {
        let directory = match &file.directory {
            StateDirectory::Exclusive => StateDirectory::Foreign(self.place.address().into()),
            StateDirectory::Shared => {
                StateDirectory::Foreign(self.beside(layout::shared_name()).ok()?.address().into())
            }
            StateDirectory::Foreign(address) if self.roots.contain(address) => file.directory.clone(),
            // It cannot be read from here either.
            StateDirectory::Foreign(_) => return None,
            // The tasks that look after it are those of the other job.
            StateDirectory::TaskOwned => return None,
        };
        Some(StateFile { directory, name: file.name.clone() })
    }
}

/// The directory above the one at this address, `None` for the outermost.
pub(crate) fn parent(address: &str) -> Option<&str> {
    match address.trim_end_matches('/').rsplit_once('/')? {
        ("", _) => Some("/"),
        // What ends like this has only its scheme left: `s3:/` of `s3://bucket`.
        (above, _) if above.ends_with('/') => None,
        (above, _) => Some(above),
    }
}

#[cfg(test)]
mod tests;
