//! Files of state on their way to a medium.

use crate::blocks::BlockChecksums;
use crate::mark::mark;
use crate::seam::Entropy;
use bytes::Bytes;
use stillframe_model::{FileHandle, Name, StateDirectory, StateFile};
use stillframe_storage::{BlobPath, BlobStore, BlobWriter, ErrorKind, StorageError};

/// How many names are tried before a clash is believed to be something else than chance.
const NAME_ATTEMPTS: usize = 10;

/// Begins an object in `directory` under a name that nobody has used, with its mark.
pub(crate) async fn begin(
    blobs: &dyn BlobStore,
    directory: &BlobPath,
    entropy: &dyn Entropy,
    name_of: impl Fn(u128) -> Name + Send,
) -> Result<(Name, Box<dyn BlobWriter>), StorageError> {
    let mut attempt = 1;
    loop {
        let name = name_of(entropy.draw()?);
        match blobs.create(&directory.join(name.clone())).await {
            Ok(mut writer) => {
                writer.write(mark(&name)).await?;
                return Ok((name, writer));
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < NAME_ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

/// A file that holds one state. Dropped unfinished, it goes.
#[derive(Debug)]
pub(crate) struct StateFileWriter {
    file: StateFile,
    writer: Box<dyn BlobWriter>,
    checksums: BlockChecksums,
}

impl StateFileWriter {
    pub(crate) fn new(directory: StateDirectory, (name, writer): (Name, Box<dyn BlobWriter>)) -> Self {
        Self { file: StateFile { directory, name }, writer, checksums: BlockChecksums::new() }
    }

    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.checksums.extend(&bytes);
        self.writer.write(bytes).await
    }

    /// Makes the content durable, the checksums included.
    pub(crate) async fn finish(mut self) -> Result<FileHandle, StorageError> {
        let sealed = self.checksums.seal();
        if !sealed.table.is_empty() {
            self.writer.write(sealed.table).await?;
        }
        self.writer.finish().await?;
        Ok(FileHandle { file: self.file, len: sealed.len, crc: sealed.crc })
    }

    pub(crate) async fn abort(self) -> Result<(), StorageError> {
        self.writer.abort().await
    }
}
