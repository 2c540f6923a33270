use super::fault::FaultKind;
use super::image::Inode;
use super::{SimDisk, SimOperation};
use crate::disk::{DiskFile, DiskReader};
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::path::PathBuf;

#[derive(Debug)]
pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) path: PathBuf,
    pub(super) inode: Inode,
}

impl DiskFile for SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let (mut state, fault) = self.disk.begin(SimOperation::Write, &self.path)?;
        let mut bytes = parts.iter().flat_map(|part| part.iter().copied()).collect::<Vec<_>>();
        if fault == Some(FaultKind::ShortWrite) {
            bytes.truncate(bytes.len().div_ceil(2));
        }
        if let Some(error) = fault.and_then(FaultKind::error) {
            return Err(error);
        }
        state.writes.entry(self.path.clone()).or_default().push(bytes.len());
        state.append(self.inode, &bytes);
        Ok(bytes.len())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.sync(SimOperation::SyncFile, &self.path, |_| Ok(self.inode))
    }
}

#[derive(Debug)]
pub(super) struct SimReader {
    pub(super) disk: SimDisk,
    pub(super) path: PathBuf,
    pub(super) content: Bytes,
}

impl DiskReader for SimReader {
    fn size(&self) -> u64 {
        self.content.len() as u64
    }

    fn read_at(&mut self, offset: u64, into: &mut Vec<u8>) -> io::Result<usize> {
        let (_state, fault) = self.disk.begin(SimOperation::Read, &self.path)?;
        if let Some(error) = fault.and_then(FaultKind::error) {
            return Err(error);
        }
        let rest = usize::try_from(offset).ok().and_then(|offset| self.content.get(offset..)).unwrap_or(&[]);
        let mut len = rest.len().min(into.capacity() - into.len());
        if fault == Some(FaultKind::ShortRead) {
            len = len.div_ceil(2);
        }
        into.extend_from_slice(&rest[..len]);
        Ok(len)
    }
}
