use crate::{CoordinatorStorage, ErrorKind, StorageError, WorkerStorage};
use async_trait::async_trait;
use bytes::Bytes;
use core::fmt::Debug;
use std::sync::Arc;
use stillframe_model::{JobId, Pointer, Redacted, StateFile, StateHandle, StorageDescriptor};

/// A place for checkpoints, as configuration. Cheap to clone and to send: [`descriptor`](Self::descriptor) holds all of it,
/// and a [`StorageRegistry`](crate::StorageRegistry) turns the descriptor back into a storage in another process.
#[async_trait]
pub trait CheckpointStorage: Debug + Send + Sync + 'static {
    /// What this storage is, without secrets.
    fn descriptor(&self) -> StorageDescriptor;

    /// The storage as one job sees it. Creates nothing yet.
    ///
    /// # Errors
    /// If the place cannot be reached.
    async fn open(&self, job: JobId) -> Result<Arc<dyn StorageAccess>, StorageError>;

    /// A finished checkpoint or savepoint, also of another job.
    ///
    /// # Errors
    /// `InvalidPointer` for text that cannot name one, `NotFound` where there is none.
    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError>;

    /// Removes a savepoint with all of its state, as whoever owns it wishes. Called again after an interruption, it removes what
    /// is left. Whether a job still needs the savepoint, because it [took](crate::Ownership::Taken) it or has yet to begin with it,
    /// cannot be seen from here.
    ///
    /// # Errors
    /// `InvalidPointer` for anything but a savepoint: a checkpoint belongs to its job, which removes it. `NotFound` where there is
    /// none, and `Corrupt` if it cannot be seen what it is. After all of these everything is where it was. `Unsupported`, as
    /// here, if this storage has no savepoints to remove; otherwise as the medium fails, and the rest can be removed later.
    async fn dispose_savepoint(&self, savepoint: &Pointer) -> Result<(), StorageError> {
        Err(unsupported(
            "dispose of savepoint",
            savepoint,
            "removes no savepoints; use the tools of its medium",
        ))
    }

    /// Copies a completed checkpoint or savepoint to a directory of its own below `target`, as a savepoint that refers to nothing
    /// outside. The copy belongs to whoever asked for it; what was copied stays as it was. All that is read is checked, and
    /// everything is durable when this returns `Ok`. State goes through memory in pieces.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), [`CompletedLocation::open`] and [`StateReader::next`]; `NotFound` also if the job dropped the
    /// checkpoint while it was copied. Nothing is left of the copy then that could be taken for a savepoint. `Unsupported`, as
    /// here, if this storage cannot copy; `OutcomeUnknown` if the copy may nevertheless be complete.
    async fn export(&self, snapshot: &Pointer, target: &str) -> Result<Pointer, StorageError> {
        let _ = target;
        Err(unsupported("export", snapshot, "copies no snapshots; take a savepoint with that target"))
    }
}

/// One job's view of a storage, split by who may do what.
pub trait StorageAccess: Debug + Send + Sync + 'static {
    /// For the coordinator's driver: creates, publishes and discards checkpoints.
    fn coordinator(&self) -> Arc<dyn CoordinatorStorage>;

    /// For tasks: creates streams of state, nothing else.
    fn worker(&self) -> Arc<dyn WorkerStorage>;
}

/// A finished checkpoint or savepoint, to be read.
#[async_trait]
pub trait CompletedLocation: Debug + Send + Sync + 'static {
    /// Its address.
    fn pointer(&self) -> &Pointer;

    /// The bytes that were published as its metadata. Checking them is the reader's part.
    ///
    /// # Errors
    /// `NotFound`, `TooLarge` beyond the storage's limit for metadata, `Unavailable`.
    async fn metadata(&self) -> Result<Bytes, StorageError>;

    /// The state behind a handle that stood in the metadata, in pieces that are checked one by one.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`; `Corrupt` if what is there cannot be what was written; `InvalidPointer` for a handle that
    /// leads to a place which this job was never told to read from.
    async fn open(&self, handle: &StateHandle) -> Result<Box<dyn StateReader>, StorageError>;

    /// The state behind a handle, whole, after all of it was checked.
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`StateReader::next`].
    async fn read(&self, handle: &StateHandle) -> Result<Bytes, StorageError> {
        let mut reader = self.open(handle).await?;
        let first = reader.next().await?.unwrap_or_default();
        if first.len() as u64 == reader.len() {
            return Ok(first);
        }
        let all = usize::try_from(reader.len()).map_err(|_| too_large(reader.len()))?;
        if first.len() > all {
            return Err(StorageError::new(ErrorKind::Corrupt, "read state", self.pointer().as_str())
                .with_detail(format!("expected {all} bytes, found {}", first.len())));
        }
        let mut bytes = Vec::new();
        // By now the storage has compared the length with what is really there.
        bytes.try_reserve_exact(all).map_err(|error| too_large(reader.len()).with_source(error))?;
        bytes.extend_from_slice(&first);
        while let Some(next) = reader.next().await? {
            if next.len() > all - bytes.len() {
                return Err(StorageError::new(ErrorKind::Corrupt, "read state", self.pointer().as_str())
                    .with_detail(format!("expected {all} bytes, and there are more")));
            }
            bytes.extend_from_slice(&next);
        }
        if bytes.len() < all {
            return Err(StorageError::new(ErrorKind::Corrupt, "read state", self.pointer().as_str())
                .with_detail(format!("expected {all} bytes, found {}", bytes.len())));
        }
        Ok(Bytes::from(bytes))
    }

    /// How a checkpoint elsewhere has to call a file of this one. `None` if it cannot refer to it.
    fn foreign(&self, file: &StateFile) -> Option<StateFile>;
}

/// State that is being read.
#[async_trait]
pub trait StateReader: Debug + Send {
    /// How many bytes it has in all. The storage has made sure that so many are there.
    fn len(&self) -> u64;

    /// Whether it has none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next bytes, at least one, after their checksum was compared. `None` at the end.
    ///
    /// # Errors
    /// `Corrupt` if so much as a bit differs from what was written; otherwise as the medium fails.
    async fn next(&mut self) -> Result<Option<Bytes>, StorageError>;
}

fn unsupported(operation: &'static str, pointer: &Pointer, detail: &str) -> StorageError {
    StorageError::new(ErrorKind::Unsupported, operation, format!("{:?}", Redacted::new(pointer.as_str())))
        .with_detail(format!("this storage {detail}"))
}

fn too_large(len: u64) -> StorageError {
    StorageError::new(ErrorKind::TooLarge, "read state", format!("{len} bytes"))
        .with_detail("it does not fit into memory as a whole; read it in pieces")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_executor::block_on;

    /// State that claims to have `len` bytes, and has these pieces.
    #[derive(Clone, Debug)]
    struct Claimed {
        pointer: Pointer,
        len: u64,
        pieces: Vec<&'static str>,
    }

    #[async_trait]
    impl CompletedLocation for Claimed {
        fn pointer(&self) -> &Pointer {
            &self.pointer
        }

        async fn metadata(&self) -> Result<Bytes, StorageError> {
            Ok(Bytes::new())
        }

        async fn open(&self, _: &StateHandle) -> Result<Box<dyn StateReader>, StorageError> {
            Ok(Box::new(self.clone()))
        }

        fn foreign(&self, _: &StateFile) -> Option<StateFile> {
            None
        }
    }

    #[async_trait]
    impl StateReader for Claimed {
        fn len(&self) -> u64 {
            self.len
        }

        async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
            Ok((!self.pieces.is_empty()).then(|| self.pieces.remove(0).into()))
        }
    }

    #[test]
    fn state_is_given_out_whole_or_not_at_all() {
        let read = |len, pieces: &[&'static str]| {
            let state = Claimed { pointer: Pointer::new("/c"), len, pieces: pieces.to_vec() };
            block_on(state.read(&StateHandle::Inline(Bytes::new())))
        };
        assert_eq!(read(0, &[]).unwrap(), "");
        assert_eq!(read(5, &["12345"]).unwrap(), "12345");
        assert_eq!(read(5, &["12", "34", "5"]).unwrap(), "12345");
        for pieces in [&[][..], &["1234"], &["12", "34"], &["123456"], &["123", "456"]] {
            let error = read(5, pieces).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{pieces:?}: {error}");
        }
    }
}
