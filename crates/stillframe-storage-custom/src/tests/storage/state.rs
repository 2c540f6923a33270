//! The streams and readers of the storage in a map.

use super::{Fault, INLINE, PIECE, Shelf, TOO_MUCH, UNSYNCABLE, error};
use async_trait::async_trait;
use bytes::Bytes;
use stillframe_model::{
    CheckpointId, Crc32c, FileHandle, Name, Pointer, StateDirectory, StateFile, StateHandle,
};
use stillframe_storage::{
    CompletedLocation, ErrorKind, StateReader, StateStream, StorageError, TaskOwnedStorage,
};

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) shelf: Shelf,
    pub(super) checkpoint: Option<CheckpointId>,
    pub(super) directory: StateDirectory,
    pub(super) bytes: Vec<u8>,
    pub(super) is_begun: bool,
    pub(super) is_over: bool,
}

#[async_trait]
impl StateStream for Stream {
    fn position(&self) -> u64 {
        let len = self.bytes.len() as u64;
        if self.shelf.has(Fault::PositionLags) { len / 2 } else { len }
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.shelf.enter("write");
        if bytes == TOO_MUCH {
            return Err(error(ErrorKind::NoSpace));
        }
        if let (true, Some(checkpoint)) = (bytes == UNSYNCABLE, self.checkpoint) {
            self.shelf.lock().unsyncable.insert(checkpoint);
        }
        self.is_begun = true;
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Option<StateHandle>, StorageError> {
        self.shelf.enter("finish");
        self.is_over = true;
        let shelf = &self.shelf;
        if !self.is_begun && shelf.has(Fault::HandleForNothing) {
            return Ok(Some(StateHandle::Inline(Bytes::new())));
        }
        if !self.is_begun || shelf.has(Fault::NoHandle) {
            return Ok(None);
        }
        let bytes = Bytes::from(core::mem::take(&mut self.bytes));
        let is_task_owned = self.directory == StateDirectory::TaskOwned;
        let is_inline = if is_task_owned { shelf.has(Fault::TaskOwnedInline) } else { bytes.len() <= INLINE };
        if is_inline {
            let other = Bytes::from(vec![b'?'; bytes.len()]);
            return Ok(Some(StateHandle::Inline(if shelf.has(Fault::InlineOther) { other } else { bytes })));
        }
        let mut content = shelf.lock();
        content.names += 1;
        let number = if shelf.has(Fault::SameName) { 0 } else { content.names };
        let name = Name::new(format!("state-{number}")).unwrap();
        let len = bytes.len() as u64 + u64::from(shelf.has(Fault::HandleTooLong));
        let crc = Crc32c::of(&bytes);
        content.files.insert(name.clone(), bytes);
        let directory = match shelf.fault {
            Fault::WrongDirectory => StateDirectory::TaskOwned,
            _ => self.directory.clone(),
        };
        Ok(Some(StateHandle::File(FileHandle { file: StateFile { directory, name }, len, crc })))
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StorageError> {
        self.shelf.enter("abort");
        self.is_over = true;
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // While a call panics, another panic would end the process.
        if !self.is_over && !std::thread::panicking() {
            self.shelf.enter("drop");
        }
    }
}

#[derive(Debug)]
pub(super) struct Reader {
    pub(super) shelf: Shelf,
    pub(super) len: u64,
    pub(super) bytes: Bytes,
}

#[async_trait]
impl StateReader for Reader {
    fn len(&self) -> u64 {
        self.len
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        self.shelf.enter("read state of");
        if self.shelf.has(Fault::EmptyPiece) {
            return Ok(Some(Bytes::new()));
        }
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let len = self.bytes.len().min(PIECE);
        Ok(Some(self.bytes.split_to(len)))
    }
}

#[async_trait]
impl TaskOwnedStorage for Shelf {
    async fn create(&self) -> Result<Box<dyn StateStream>, StorageError> {
        self.enter("create");
        Ok(self.stream(None, StateDirectory::TaskOwned))
    }

    async fn open(&self, handle: &StateHandle) -> Result<Box<dyn StateReader>, StorageError> {
        self.reader(handle)
    }

    async fn delete(&self, handle: &StateHandle) -> Result<(), StorageError> {
        self.enter("delete");
        let name = &handle.file().ok_or_else(|| error(ErrorKind::InvalidPointer))?.name;
        match self.lock().files.remove(name) {
            None if self.has(Fault::DeletesOnce) => Err(error(ErrorKind::NotFound)),
            _ => Ok(()),
        }
    }
}

#[derive(Debug)]
pub(super) struct Finished {
    pub(super) shelf: Shelf,
    pub(super) pointer: Pointer,
    pub(super) metadata: Bytes,
}

#[async_trait]
impl CompletedLocation for Finished {
    fn pointer(&self) -> &Pointer {
        &self.pointer
    }

    async fn metadata(&self) -> Result<Bytes, StorageError> {
        self.shelf.enter("read metadata of");
        let other = self.shelf.has(Fault::OtherMetadata);
        Ok(if other { Bytes::from_static(b"other") } else { self.metadata.clone() })
    }

    async fn open(&self, handle: &StateHandle) -> Result<Box<dyn StateReader>, StorageError> {
        self.shelf.enter("open state of");
        self.shelf.reader(handle)
    }

    fn foreign(&self, file: &StateFile) -> Option<StateFile> {
        self.shelf.enter("name state of");
        let directory = StateDirectory::Foreign(self.pointer.as_str().into());
        Some(StateFile { directory, name: file.name.clone() })
    }
}
