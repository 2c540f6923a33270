//! What stands in the register.

use serde::{Deserialize, Serialize};
use stillframe_metadata::FormatError;
use stillframe_metadata::frame::{self, RecordKind};
use stillframe_model::{CheckpointId, Crc32c, JobId};

/// Announces a coordinator. Never deleted while the job exists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marker {
    /// Whose register it is.
    pub job: JobId,
    /// Which coordinator of the job it is, counted from 1.
    pub epoch: u64,
    /// Drawn at random, so that two coordinators never write the same bytes.
    pub token: u128,
    /// The entry at which readers begin: the newest one when this was written, 0 if there was none.
    pub floor: u64,
}

/// The state of a job's checkpoints after one change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Whose register it is.
    pub job: JobId,
    /// Its number, counted from 1 without gaps.
    pub sequence: u64,
    /// The checksum of the entry before it, as it was written; 0 for the first.
    pub previous: Crc32c,
    /// The coordinator that wrote it.
    pub epoch: u64,
    /// That coordinator's token.
    pub token: u128,
    /// The first id that this coordinator may not use. It may use those from the limit that it found.
    pub id_limit: u64,
    /// The checkpoints that can be restored, in the order of their ids.
    pub retained: Vec<Retained>,
    /// The checkpoints that this entry gives up. Their files may be deleted from now on, by anybody, at any time.
    pub dropped: Vec<CheckpointId>,
}

/// A checkpoint that can be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Retained {
    /// Its id.
    pub checkpoint: CheckpointId,
    /// How many bytes its metadata has.
    pub len: u64,
    /// The checksum of its metadata.
    pub checksum: Crc32c,
}

impl Entry {
    /// The checksum by which the next entry names this one.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn checksum(&self) -> Result<Crc32c, FormatError> {
        self.encode().map(|bytes| Crc32c::of(&bytes))
    }

    /// The bytes of the object.
    ///
    /// # Errors
    /// If they are too many.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let retained = self.retained.iter().map(|one| (one.checkpoint.get(), one.len, one.checksum.0)).collect();
        let body = EntryBody {
            job: *self.job.as_bytes(),
            sequence: self.sequence,
            previous: self.previous.0,
            epoch: self.epoch,
            token: self.token,
            id_limit: self.id_limit,
            retained,
            dropped: self.dropped.iter().map(|id| id.get()).collect(),
        };
        frame::seal(RecordKind::RegisterEntry, &body)
    }

    /// The entry in these bytes.
    ///
    /// # Errors
    /// If they are not exactly what [`encode`](Self::encode) gives for an entry.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let body: EntryBody = frame::open(RecordKind::RegisterEntry, bytes)?;
        let retained = body.retained.into_iter().map(|(checkpoint, len, checksum)| Retained {
            checkpoint: CheckpointId::new(checkpoint),
            len,
            checksum: Crc32c(checksum),
        });
        Ok(Self {
            job: JobId::from_bytes(body.job),
            sequence: body.sequence,
            previous: Crc32c(body.previous),
            epoch: body.epoch,
            token: body.token,
            id_limit: body.id_limit,
            retained: retained.collect(),
            dropped: body.dropped.into_iter().map(CheckpointId::new).collect(),
        })
    }
}

impl Marker {
    /// The bytes of the object.
    ///
    /// # Errors
    /// Never, as it is small; the type is that of [`Entry::encode`].
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let body =
            MarkerBody { job: *self.job.as_bytes(), epoch: self.epoch, token: self.token, floor: self.floor };
        frame::seal(RecordKind::EpochMarker, &body)
    }

    /// The marker in these bytes.
    ///
    /// # Errors
    /// If they are not exactly what [`encode`](Self::encode) gives for a marker.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let MarkerBody { job, epoch, token, floor } = frame::open(RecordKind::EpochMarker, bytes)?;
        Ok(Self { job: JobId::from_bytes(job), epoch, token, floor })
    }
}

/// What is on the medium. The public types are free to change; this is not.
#[derive(Serialize, Deserialize)]
struct EntryBody {
    job: [u8; 16],
    sequence: u64,
    previous: u32,
    epoch: u64,
    token: u128,
    id_limit: u64,
    retained: Vec<(u64, u64, u32)>,
    dropped: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
struct MarkerBody {
    job: [u8; 16],
    epoch: u64,
    token: u128,
    floor: u64,
}
