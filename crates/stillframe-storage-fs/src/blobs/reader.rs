use crate::error::failed;
use crate::volume::VolumeReader;
use async_trait::async_trait;
use bytes::Bytes;
use std::path::PathBuf;
use stillframe_storage::{BlobReader, ErrorKind, StorageError};

#[derive(Debug)]
pub(super) struct LocalReader {
    pub(super) path: PathBuf,
    pub(super) file: VolumeReader,
}

#[async_trait]
impl BlobReader for LocalReader {
    fn len(&self) -> u64 {
        self.file.size()
    }

    async fn read_at(&mut self, offset: u64, len: usize) -> Result<Bytes, StorageError> {
        let found = self.file.size();
        if offset.checked_add(len as u64).is_none_or(|end| end > found) {
            let error = StorageError::new(ErrorKind::Corrupt, "read", self.path.display().to_string());
            let detail =
                format!("{len} bytes are expected at offset {offset}, and the file has {found} in all");
            return Err(error.with_detail(detail));
        }
        let bytes = self.file.read_at(offset, len).map_err(|error| failed("read", &self.path, error))?;
        Ok(Bytes::from(bytes))
    }
}
