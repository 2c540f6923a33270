//! What stands in the register: its entries and markers, and their bytes.

use super::check;
use core::fmt;
use serde::{Deserialize, Serialize};
use stillframe_metadata::FormatError;
use stillframe_metadata::frame::{self, RecordKind};
use stillframe_model::{CheckpointId, Crc32c, JobId, JobStatus, Redacted};

/// The largest entry, in bytes: room for thousands of checkpoints, and little enough to be read without thinking.
pub const ENTRY_LIMIT: u64 = 1 << 20;

/// The largest marker, in bytes.
pub const MARKER_LIMIT: u64 = 256;

/// Announces a coordinator. Never deleted while the job exists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marker {
    /// Whose register it is.
    pub job: JobId,
    /// Which claim of the register it is, counted from 1.
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
    /// The claim under which it was written.
    pub epoch: u64,
    /// The token of the coordinator that wrote it.
    pub token: u128,
    /// The first id that nobody may use yet. A coordinator may use those from the limit that its claim found.
    pub id_limit: u64,
    /// How the job ended, if it did. Nothing is retained in addition from then on, and it does not end otherwise.
    pub ended: Option<JobStatus>,
    /// The checkpoints that can be restored, in the order of their ids.
    pub retained: Vec<Retained>,
    /// The checkpoints that were given up last, in the order of their ids. Their files may be deleted from now on, by
    /// anybody, at any time.
    pub dropped: Vec<Retained>,
    /// The directories of others that this job's checkpoints may refer to, each once, in the order of their addresses.
    pub roots: Vec<Root>,
}

/// A directory of somebody else, from which this job was told to read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Root {
    /// Its address.
    pub address: String,
    /// Whether the job took over what is in it, and so removes it one day.
    pub is_owned: bool,
}

impl fmt::Debug for Root {
    /// Without what may be a secret in the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, is_owned } = self;
        f.debug_struct("Root").field("address", &Redacted::new(address)).field("is_owned", is_owned).finish()
    }
}

/// A checkpoint that can be restored.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Retained {
    /// Its id.
    pub checkpoint: CheckpointId,
    /// The address of the directory in which it lies, if that was another job's or a savepoint's when this job claimed
    /// it. `None` is the directory that this job made for the id.
    pub location: Option<String>,
    /// How many bytes its metadata has.
    pub len: u64,
    /// The checksum of its metadata.
    pub checksum: Crc32c,
}

impl fmt::Debug for Retained {
    /// Without what may be a secret in the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { checkpoint, location, len, checksum } = self;
        f.debug_struct("Retained")
            .field("checkpoint", checkpoint)
            .field("location", &location.as_deref().map(Redacted::new))
            .field("len", len)
            .field("checksum", checksum)
            .finish()
    }
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
    /// What [`decode`](Self::decode) would refuse: [`FormatError::Invalid`], which names the field, and
    /// [`FormatError::TooLarge`] beyond [`ENTRY_LIMIT`].
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        check::entry(self)?;
        let body = EntryBody {
            job: *self.job.as_bytes(),
            sequence: self.sequence,
            previous: self.previous.0,
            epoch: self.epoch,
            token: self.token,
            id_limit: self.id_limit,
            ended: ended_to_byte(self.ended)?,
            retained: self.retained.iter().map(RetainedBody::of).collect(),
            dropped: self.dropped.iter().map(RetainedBody::of).collect(),
            roots: self.roots.iter().map(|root| (root.address.clone(), root.is_owned)).collect(),
        };
        let bytes = frame::seal(RecordKind::RegisterEntry, &body)?;
        check::size(&bytes, ENTRY_LIMIT)?;
        Ok(bytes)
    }

    /// The entry in these bytes.
    ///
    /// # Errors
    /// If they are not exactly what [`encode`](Self::encode) gives for an entry.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        check::size(bytes, ENTRY_LIMIT)?;
        let body: EntryBody = frame::open(RecordKind::RegisterEntry, bytes)?;
        let entry = Self {
            job: JobId::from_bytes(body.job),
            sequence: body.sequence,
            previous: Crc32c(body.previous),
            epoch: body.epoch,
            token: body.token,
            id_limit: body.id_limit,
            ended: ended_from_byte(body.ended)?,
            retained: body.retained.into_iter().map(Retained::from).collect(),
            dropped: body.dropped.into_iter().map(Retained::from).collect(),
            roots: body.roots.into_iter().map(|(address, is_owned)| Root { address, is_owned }).collect(),
        };
        check::entry(&entry)?;
        Ok(entry)
    }
}

impl Marker {
    /// The bytes of the object.
    ///
    /// # Errors
    /// What [`decode`](Self::decode) would refuse.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        check::marker(self)?;
        let body =
            MarkerBody { job: *self.job.as_bytes(), epoch: self.epoch, token: self.token, floor: self.floor };
        frame::seal(RecordKind::EpochMarker, &body)
    }

    /// The marker in these bytes.
    ///
    /// # Errors
    /// If they are not exactly what [`encode`](Self::encode) gives for a marker.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        check::size(bytes, MARKER_LIMIT)?;
        let MarkerBody { job, epoch, token, floor } = frame::open(RecordKind::EpochMarker, bytes)?;
        let marker = Self { job: JobId::from_bytes(job), epoch, token, floor };
        check::marker(&marker)?;
        Ok(marker)
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
    ended: u8,
    retained: Vec<RetainedBody>,
    dropped: Vec<RetainedBody>,
    roots: Vec<(String, bool)>,
}

#[derive(Serialize, Deserialize)]
struct RetainedBody {
    checkpoint: u64,
    location: Option<String>,
    len: u64,
    checksum: u32,
}

#[derive(Serialize, Deserialize)]
struct MarkerBody {
    job: [u8; 16],
    epoch: u64,
    token: u128,
    floor: u64,
}

impl RetainedBody {
    fn of(one: &Retained) -> Self {
        Self {
            checkpoint: one.checkpoint.get(),
            location: one.location.clone(),
            len: one.len,
            checksum: one.checksum.0,
        }
    }
}

impl From<RetainedBody> for Retained {
    fn from(body: RetainedBody) -> Self {
        Self {
            checkpoint: CheckpointId::new(body.checkpoint),
            location: body.location,
            len: body.len,
            checksum: Crc32c(body.checksum),
        }
    }
}

/// The numbers are on disk and never change their meaning.
fn ended_to_byte(ended: Option<JobStatus>) -> Result<u8, FormatError> {
    match ended {
        None => Ok(0),
        Some(JobStatus::Finished) => Ok(1),
        Some(JobStatus::Canceled) => Ok(2),
        Some(JobStatus::Failed) => Ok(3),
        Some(JobStatus::Suspended) => Err(check::invalid(
            "ended",
            "a suspended job goes on from its checkpoints and has not ended".into(),
        )),
    }
}

fn ended_from_byte(byte: u8) -> Result<Option<JobStatus>, FormatError> {
    match byte {
        0 => Ok(None),
        1 => Ok(Some(JobStatus::Finished)),
        2 => Ok(Some(JobStatus::Canceled)),
        3 => Ok(Some(JobStatus::Failed)),
        other => Err(check::invalid("ended", format!("{other} is no way to end; expected 0 to 3"))),
    }
}
