//! The file into which the states of all tasks of a worker go that are too large for the metadata and too small
//! for a file of their own.
//!
//! Appending only reserves a place; the bytes wait in memory until somebody syncs or too many of them wait, and
//! until then there is not even a file. So nobody who appends waits for the medium while another caller's sync is
//! under way, and the next sync covers everything that came meanwhile: all who wait share its work.

use crate::blocks::Sealed;
use crate::layout;
use crate::mark::{MARK_LEN, mark};
use crate::pieces::Pieces;
use crate::place::Place;
use crate::seam::Entropy;
use bytes::Bytes;
use futures_util::lock::Mutex as AsyncMutex;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe_model::{Name, SegmentHandle, StateDirectory, StateFile};
use stillframe_storage::{BlobWriter, ErrorKind, StorageError};

/// How many bytes may wait in memory before whoever appends has to write them out.
const WAITING: usize = 1024 * 1024;

/// The unit in which most media take bytes.
const PAGE: usize = 4096;

#[derive(Debug)]
pub(crate) struct Segment {
    place: Place,
    entropy: Arc<dyn Entropy>,
    /// Never held while the medium works.
    tail: Mutex<Tail>,
    /// Held while the medium works. Whoever holds it may take `tail`, not the other way round.
    writer: AsyncMutex<Slot>,
}

/// Where the next state goes, and what has not gone to the medium yet.
#[derive(Debug, Default)]
struct Tail {
    /// The name of the file that states go to, and its length with what waits.
    open: Option<(Name, u64)>,
    waiting: Pieces,
    /// How many bytes were ever appended, in all files together.
    appended: u64,
    /// How many of them are durable.
    durable: u64,
}

#[derive(Debug)]
enum Slot {
    /// There is no file yet with the name in `Tail::open`, if there is one.
    Closed,
    Open(Box<dyn BlobWriter>),
    /// Something failed, or was given up half-way. It is not known what the file holds.
    Broken,
}

impl Segment {
    pub(crate) fn new(place: Place, entropy: Arc<dyn Entropy>) -> Self {
        Self { place, entropy, tail: Mutex::default(), writer: AsyncMutex::new(Slot::Closed) }
    }

    /// Appends a state and its table.
    pub(crate) async fn append(
        &self,
        state: Vec<Bytes>,
        sealed: Sealed,
    ) -> Result<SegmentHandle, StorageError> {
        let Sealed { len, crc, table } = sealed;
        let (handle, waiting) = {
            let mut tail = self.tail();
            let (name, offset) = tail.reserve(len + table.len() as u64, &*self.entropy)?;
            state.into_iter().for_each(|piece| tail.waiting.push(piece));
            tail.waiting.push(table);
            let file = StateFile { directory: StateDirectory::Exclusive, name };
            (SegmentHandle { file, offset, len, crc }, tail.waiting.len())
        };
        if waiting >= WAITING {
            self.write_out().await?;
        }
        Ok(handle)
    }

    /// Makes durable what was appended before.
    pub(crate) async fn sync(&self) -> Result<(), StorageError> {
        let wanted = self.tail().appended;
        if self.tail().durable >= wanted {
            return Ok(());
        }
        let mut slot = self.writer.lock().await;
        if self.tail().durable >= wanted {
            // Whoever held the lock has done it for us.
            return Ok(());
        }
        let mut writer = self.take(&mut slot).await?;
        let (waiting, covered) = self.tail().take_waiting();
        write(&mut *writer, waiting).await?;
        if writer.sync().await? {
            self.tail().durable = covered;
            *slot = Slot::Open(writer);
            return Ok(());
        }
        self.finish(writer).await?;
        *slot = Slot::Closed;
        Ok(())
    }

    /// Makes durable what was appended before, and lets go of the file. What comes later goes to another one.
    pub(crate) async fn close(&self) -> Result<(), StorageError> {
        let mut slot = self.writer.lock().await;
        if self.tail().close_if_durable() {
            // Finishing the file would cost one more sync. The medium keeps what was synced.
            *slot = Slot::Closed;
            return Ok(());
        }
        let writer = self.take(&mut slot).await?;
        self.finish(writer).await?;
        *slot = Slot::Closed;
        Ok(())
    }

    /// Lets go of the file after a failure. Does nothing if somebody is at work on it.
    pub(crate) fn give_up(&self) {
        if let Some(mut slot) = self.writer.try_lock() {
            *slot = Slot::Broken;
            self.tail().waiting = Pieces::default();
        }
    }

    /// Whether everything that was appended is durable.
    pub(crate) fn is_durable(&self) -> bool {
        let tail = self.tail();
        tail.durable == tail.appended
    }

    async fn write_out(&self) -> Result<(), StorageError> {
        let mut slot = self.writer.lock().await;
        if self.tail().waiting.len() < WAITING {
            return Ok(());
        }
        let mut writer = self.take(&mut slot).await?;
        let (waiting, _) = self.tail().take_waiting();
        write(&mut *writer, waiting).await?;
        *slot = Slot::Open(writer);
        Ok(())
    }

    /// Ends the file, with what came until now.
    async fn finish(&self, mut writer: Box<dyn BlobWriter>) -> Result<(), StorageError> {
        let (waiting, covered) = {
            let mut tail = self.tail();
            // In one step with taking what waits: whatever comes later must find no file.
            tail.open = None;
            tail.take_waiting()
        };
        write(&mut *writer, waiting).await?;
        writer.finish().await?;
        self.tail().durable = covered;
        Ok(())
    }

    /// The writer, for an operation that puts it back when it has succeeded. Until then, and so also when it
    /// fails or its future is dropped, the segment counts as broken.
    async fn take(&self, slot: &mut Slot) -> Result<Box<dyn BlobWriter>, StorageError> {
        let name = match core::mem::replace(slot, Slot::Broken) {
            Slot::Open(writer) => return Ok(writer),
            Slot::Closed => self.tail().open.as_ref().map(|(name, _)| name.clone()),
            Slot::Broken => None,
        };
        // The name is in handles already. Should somebody have taken it, against all odds, no other one will do.
        let name = name.ok_or_else(|| self.broken())?;
        self.place.blobs.create(&self.place.join(name)).await
    }

    fn broken(&self) -> StorageError {
        StorageError::new(ErrorKind::Other, "write segment in", self.place.address())
            .with_detail("an earlier operation on it failed or was given up half-way; decline the checkpoint")
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tail {
    /// A place for `total` bytes, which the caller lets wait: the name of the file, and where in it they begin.
    fn reserve(&mut self, total: u64, entropy: &dyn Entropy) -> Result<(Name, u64), StorageError> {
        let (name, end) = match &mut self.open {
            Some(open) => open,
            none => {
                let name = layout::segment(entropy.draw()?);
                self.waiting.push(mark(&name));
                none.insert((name, MARK_LEN))
            }
        };
        let offset = *end;
        *end += total;
        self.appended += total;
        Ok((name.clone(), offset))
    }

    /// What waits, and how many bytes are appended up to its end.
    fn take_waiting(&mut self) -> (Vec<Bytes>, u64) {
        (core::mem::take(&mut self.waiting).into_vec(), self.appended)
    }

    fn close_if_durable(&mut self) -> bool {
        let is_durable = self.durable == self.appended;
        if is_durable {
            self.open = None;
        }
        is_durable
    }
}

/// Writes pieces as they are if each is a number of whole pages, and together otherwise: writes that begin within
/// a page cost more than copying.
async fn write(writer: &mut dyn BlobWriter, pieces: Vec<Bytes>) -> Result<(), StorageError> {
    if pieces.iter().all(|piece| piece.len().is_multiple_of(PAGE)) {
        for piece in pieces {
            writer.write(piece).await?;
        }
        return Ok(());
    }
    let mut joined = Vec::new();
    for piece in pieces {
        joined.extend_from_slice(&piece);
        if joined.len() >= WAITING {
            writer.write(Bytes::from(core::mem::take(&mut joined))).await?;
        }
    }
    if joined.is_empty() { Ok(()) } else { writer.write(Bytes::from(joined)).await }
}
