//! The register on the objects of a blob store: what the machine asks for is performed here, and nothing decided.

use super::{
    Conclusion, ENTRY_LIMIT, Entry, Fence, MARKER_LIMIT, Marker, Outcome, Register, Reply, Request, Step,
};
use crate::layout;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use stillframe_metadata::FormatError;
use stillframe_model::JobId;
use stillframe_storage::{BlobPath, BlobStore, ErrorKind, StorageError};

/// How often an unsettled request is looked after before the coordinator gives up. A store waits between its own attempts.
const ATTEMPTS: u32 = 5;

/// Where a job's register lies.
#[derive(Debug)]
pub(crate) struct RegisterStore {
    pub(crate) job: JobId,
    pub(crate) blobs: Arc<dyn BlobStore>,
}

/// How dealings with a register ended, other than as they were meant to.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Nothing was sent, or what was sent had no effect. It may be tried again.
    Refused(StorageError),
    /// It is for good. This coordinator does nothing any more.
    Stopped(StorageError),
}

impl RegisterStore {
    /// The newest marker that a listing shows, which saves reading all before it; and whether a listing shows entries.
    ///
    /// # Errors
    /// `Corrupt` if a marker or an entry is missing that has to be there. Nothing less would tell a register of which somebody
    /// has removed the beginning from one that has only begun.
    pub(crate) async fn look(&self) -> Result<(Option<Marker>, bool), StorageError> {
        let mut hint = self.newest_marker().await?;
        loop {
            let first = hint.as_ref().map_or(0, |newest| newest.floor).max(1);
            let listed = self.blobs.list(&layout::entries(self.job)).await?;
            let numbers = listed.iter().filter_map(|entry| layout::parse_number(&entry.name));
            let numbers: BTreeSet<_> = numbers.filter(|number| *number >= first).collect();
            // Where there is none at all, a coordinator may have died before its first one.
            let Some(last) = numbers.last() else { return Ok((hint, false)) };
            let gap = (first..)
                .zip(&numbers)
                .find_map(|(expected, found)| (expected != *found).then_some(expected));
            let missing = match (&hint, gap) {
                (None, _) => layout::marker(self.job, 1),
                // A listing is no proof.
                (Some(_), Some(gap)) if self.read_entry(gap).await?.is_none() => layout::entry(self.job, gap),
                (Some(_), _) => return Ok((hint, true)),
            };
            // Somebody may have begun since, or have removed what lies before a newer marker.
            let newest = self.newest_marker().await?;
            if newest == hint {
                return Err(self.missing(&missing, *last));
            }
            hint = newest;
        }
    }

    /// The newest entry that a listing shows, for whoever only wants to know and does not hold the job.
    pub(crate) async fn newest(&self) -> Result<Option<Entry>, StorageError> {
        for _ in 0..ATTEMPTS {
            let listed = self.blobs.list(&layout::entries(self.job)).await?;
            let numbers = listed.iter().filter_map(|entry| layout::parse_number(&entry.name));
            let Some(number) = numbers.max() else { return Ok(None) };
            // Its holder may have gone on so far since that it was removed.
            if let Some(entry) = self.read_entry(number).await? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn missing(&self, path: &BlobPath, last: u64) -> StorageError {
        StorageError::new(ErrorKind::Corrupt, "read register from", self.blobs.locate(path)).with_detail(format!(
            "it is missing, and yet there is entry {last}; nothing was changed: restore it, or begin under another job id"
        ))
    }

    async fn newest_marker(&self) -> Result<Option<Marker>, StorageError> {
        let listed = self.blobs.list(&layout::markers(self.job)).await?;
        let newest = listed.iter().filter_map(|entry| layout::parse_number(&entry.name)).max();
        let Some(epoch) = newest else { return Ok(None) };
        let marker = self.read_marker(epoch).await?;
        match marker.as_ref().filter(|marker| marker.epoch != epoch) {
            Some(other) => Err(StorageError::new(
                ErrorKind::Corrupt,
                "read register from",
                self.blobs.locate(&layout::marker(self.job, epoch)),
            )
            .with_detail(format!(
                "it is the marker of epoch {}; nothing was changed: restore the object, or begin under another job id",
                other.epoch
            ))),
            None => Ok(marker),
        }
    }

    /// Performs what the machine asks for, step by step, until it concludes.
    pub(crate) async fn drive(&self, register: &mut Register, first: Step) -> Result<Conclusion, Failed> {
        let mut step = first;
        // Why the store refused or left open what it was asked for last.
        let mut cause = None;
        let mut unsettled = 0;
        let mut created = None;
        let mut was_sent = false;
        loop {
            let request = match step {
                Step::Request(request) => request,
                Step::Conclude(conclusion) => return self.conclude(conclusion, cause),
            };
            let creates = number_of(&request);
            // Who lost a number to somebody else and goes on to the next one has not tried that one yet.
            if creates.is_some() && creates != created {
                created = creates;
                unsettled = 0;
            }
            step = match self.perform(request.clone()).await {
                Ok((reply, error)) => {
                    unsettled += u32::from(matches!(reply, Reply::Created(Outcome::Unknown)));
                    was_sent |= creates.is_some() && reply != Reply::Created(Outcome::Refused);
                    cause = error.or(cause);
                    if unsettled < ATTEMPTS { register.handle(reply) } else { register.give_up() }
                }
                // Before anything was sent a failed look is just that.
                Err(error) if !was_sent => return Err(Failed::Refused(error)),
                Err(error) => {
                    unsettled += 1;
                    cause = Some(error);
                    if unsettled < ATTEMPTS { Step::Request(request) } else { register.give_up() }
                }
            };
        }
    }

    /// Removes entries that nobody reads any more. One that cannot be removed is left for the next sweep.
    pub(crate) async fn remove_garbage(&self, register: &Register) -> Result<(), StorageError> {
        let garbage = register.garbage();
        for entry in self.blobs.list(&layout::entries(self.job)).await? {
            if let Some(number) = layout::parse_number(&entry.name).filter(|number| garbage.contains(number))
            {
                self.blobs.delete(&layout::entry(self.job, number)).await?;
            }
        }
        Ok(())
    }

    async fn perform(&self, request: Request) -> Result<(Reply, Option<StorageError>), StorageError> {
        Ok(match request {
            Request::ReadMarker(epoch) => (Reply::Marker(self.read_marker(epoch).await?), None),
            Request::ReadEntry(number) => (Reply::Entry(self.read_entry(number).await?), None),
            Request::Settle => {
                self.blobs.settle(&layout::entries(self.job)).await?;
                self.blobs.settle(&layout::markers(self.job)).await?;
                (Reply::Settled, None)
            }
            Request::CreateMarker(marker) => {
                let path = layout::marker(self.job, marker.epoch);
                self.create(&path, marker.encode()).await
            }
            Request::CreateEntry(entry) => {
                let path = layout::entry(self.job, entry.sequence);
                self.create(&path, entry.encode()).await
            }
        })
    }

    async fn create(
        &self,
        path: &BlobPath,
        bytes: Result<Vec<u8>, FormatError>,
    ) -> (Reply, Option<StorageError>) {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => {
                let error =
                    StorageError::new(ErrorKind::Other, "encode", self.blobs.locate(path)).with_source(error);
                return (Reply::Created(Outcome::Refused), Some(error));
            }
        };
        let error = match self.blobs.publish(path, Bytes::from(bytes)).await {
            Ok(()) => return (Reply::Created(Outcome::Done), None),
            Err(error) => error,
        };
        let outcome = match error.kind() {
            ErrorKind::AlreadyExists => Outcome::Unknown,
            ErrorKind::OutcomeUnknown if self.blobs.shows_only_what_is_durable() => Outcome::Unknown,
            ErrorKind::OutcomeUnknown => Outcome::Doubtful,
            _ => Outcome::Refused,
        };
        (Reply::Created(outcome), Some(error))
    }

    async fn read_marker(&self, epoch: u64) -> Result<Option<Marker>, StorageError> {
        self.read(&layout::marker(self.job, epoch), MARKER_LIMIT, Marker::decode).await
    }

    async fn read_entry(&self, number: u64) -> Result<Option<Entry>, StorageError> {
        self.read(&layout::entry(self.job, number), ENTRY_LIMIT, Entry::decode).await
    }

    async fn read<R>(
        &self,
        path: &BlobPath,
        limit: u64,
        decode: impl FnOnce(&[u8]) -> Result<R, FormatError>,
    ) -> Result<Option<R>, StorageError> {
        let bytes = match self.blobs.read(path, limit).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        decode(&bytes).map(Some).map_err(|error| {
            StorageError::new(ErrorKind::Corrupt, "read register from", self.blobs.locate(path))
                .with_detail(format!(
                    "{error}; nothing was changed: restore the object, or begin under another job id"
                ))
                .with_source(error)
        })
    }

    fn conclude(&self, conclusion: Conclusion, cause: Option<StorageError>) -> Result<Conclusion, Failed> {
        let register = || self.blobs.locate(&layout::register(self.job));
        if conclusion == Conclusion::Refused {
            let nothing = || StorageError::new(ErrorKind::Other, "commit to register", register());
            return Err(Failed::Refused(cause.unwrap_or_else(nothing)));
        }
        let error = |kind, detail: String| {
            let error = StorageError::new(kind, "commit to register", register()).with_detail(detail);
            match cause {
                Some(cause) => error.with_source(cause),
                None => error,
            }
        };
        Err(match conclusion {
            Conclusion::Claimed { .. } | Conclusion::Committed(_) | Conclusion::Refused => {
                return Ok(conclusion);
            }
            Conclusion::Invalid(broken) => Failed::Refused(error(ErrorKind::Other, broken.to_string())),
            Conclusion::Fenced { by: Fence::Marker(epoch) } => Failed::Stopped(error(
                ErrorKind::Fenced,
                format!("another coordinator took the job over with epoch {epoch}; only it may go on"),
            )),
            Conclusion::Fenced { by: Fence::Entry(number) } => Failed::Stopped(error(
                ErrorKind::Fenced,
                format!("another coordinator took the job over and wrote entry {number}; only it may go on"),
            )),
            Conclusion::Fenced { by: Fence::Doubt } => Failed::Stopped(error(
                ErrorKind::OutcomeUnknown,
                "it cannot be known whether the entry will survive; start the job again, which looks".into(),
            )),
            Conclusion::Corrupt { number } => Failed::Stopped(error(
                ErrorKind::Corrupt,
                format!(
                    "number {number} is missing or does not follow the one before it; nothing was changed"
                ),
            )),
            Conclusion::Foreign { job } => Failed::Stopped(error(
                ErrorKind::Corrupt,
                format!("the register is that of job {job}; give each job a directory of its own"),
            )),
        })
    }
}

/// The object that a request creates: of its epoch, or with its number.
fn number_of(request: &Request) -> Option<(bool, u64)> {
    match request {
        Request::CreateMarker(marker) => Some((true, marker.epoch)),
        Request::CreateEntry(entry) => Some((false, entry.sequence)),
        Request::ReadMarker(_) | Request::ReadEntry(_) | Request::Settle => None,
    }
}
