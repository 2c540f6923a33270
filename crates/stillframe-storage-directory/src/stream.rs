use crate::layout;
use crate::place::Place;
use crate::seam::Entropy;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::{Crc32c, FileHandle, Name, StateDirectory, StateFile, StateHandle};
use stillframe_storage::{BlobWriter, ErrorKind, StateStream, StorageError};

/// How many names are tried before a clash is believed to be something else than chance.
const NAME_ATTEMPTS: usize = 10;

/// State that stays in memory until it is too large for the metadata, and only then gets a file.
#[derive(Debug)]
pub(crate) struct DirectoryStream {
    place: Place,
    entropy: Arc<dyn Entropy>,
    inline_threshold: usize,
    target: Target,
    len: u64,
    crc: Crc32c,
}

#[derive(Debug)]
enum Target {
    Memory(Vec<u8>),
    File {
        name: Name,
        writer: Box<dyn BlobWriter>,
    },
    /// An earlier write failed. The file, if there was one, is gone.
    Failed,
}

impl DirectoryStream {
    pub(crate) fn new(place: Place, entropy: Arc<dyn Entropy>, inline_threshold: usize) -> Self {
        Self {
            place,
            entropy,
            inline_threshold,
            target: Target::Memory(Vec::new()),
            len: 0,
            crc: Crc32c::EMPTY,
        }
    }

    async fn append(&mut self, target: Target, bytes: Bytes) -> Result<Target, StorageError> {
        match target {
            Target::Memory(mut buffer) if buffer.len() + bytes.len() <= self.inline_threshold => {
                buffer.extend_from_slice(&bytes);
                Ok(Target::Memory(buffer))
            }
            Target::Memory(buffer) => {
                let (name, mut writer) = self.create().await?;
                if !buffer.is_empty() {
                    writer.write(Bytes::from(buffer)).await?;
                }
                writer.write(bytes).await?;
                Ok(Target::File { name, writer })
            }
            Target::File { name, mut writer } => {
                writer.write(bytes).await?;
                Ok(Target::File { name, writer })
            }
            Target::Failed => Err(self.failed_before()),
        }
    }

    async fn create(&mut self) -> Result<(Name, Box<dyn BlobWriter>), StorageError> {
        let mut attempt = 1;
        loop {
            let name = layout::StateName::Own.with(self.entropy.draw()?);
            match self.place.blobs.create(&self.place.join(name.clone())).await {
                Ok(writer) => return Ok((name, writer)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < NAME_ATTEMPTS => {
                    attempt += 1
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn failed_before(&self) -> StorageError {
        StorageError::new(ErrorKind::Other, "write state to", self.place.address()).with_detail(
            "an earlier write to this stream failed; abort it and write the state again to a new one",
        )
    }
}

#[async_trait]
impl StateStream for DirectoryStream {
    fn position(&self) -> u64 {
        self.len
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let (len, crc) = (self.len + bytes.len() as u64, self.crc.extend(&bytes));
        // On an error the writer is dropped on the way out, which removes its file, and `Failed` stays
        // behind.
        let target = core::mem::replace(&mut self.target, Target::Failed);
        self.target = self.append(target, bytes).await?;
        (self.len, self.crc) = (len, crc);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Option<StateHandle>, StorageError> {
        let failed = self.failed_before();
        match self.target {
            Target::Memory(buffer) if buffer.is_empty() => Ok(None),
            Target::Memory(buffer) => Ok(Some(StateHandle::Inline(Bytes::from(buffer)))),
            Target::File { name, writer } => {
                writer.finish().await?;
                let file = StateFile { directory: StateDirectory::Exclusive, name };
                Ok(Some(StateHandle::File(FileHandle { file, len: self.len, crc: self.crc })))
            }
            Target::Failed => Err(failed),
        }
    }

    async fn abort(self: Box<Self>) -> Result<(), StorageError> {
        match self.target {
            Target::File { name: _, writer } => writer.abort().await,
            Target::Memory(_) | Target::Failed => Ok(()),
        }
    }
}
