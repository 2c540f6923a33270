//! The guard: every call to a custom storage goes through [`Guard::call`], and every object that comes back is wrapped.

mod access;
mod completed;
mod coordinator;
mod reader;
mod stream;
mod task_owned;
mod worker;

pub(crate) use access::GuardedAccess;
pub(crate) use completed::GuardedLocation;

use crate::crew::{Crew, Failed};
use crate::history::{Breach, breach};
use crate::ledger::{Content, Ledger};
use crate::policy::{CallKind, GuardPolicy, ReadBack};
use crate::report::GuardReport;
use crate::secrets::Secrets;
use crate::{Rule, Violation};
use core::fmt::{self, Display};
use core::num::NonZeroU32;
use core::sync::atomic::{AtomicU32, Ordering};
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe_storage::{ErrorKind, StateReader, StorageError};

/// A call, as errors name it.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) kind: CallKind,
    /// A verb phrase.
    pub(crate) operation: &'static str,
    pub(crate) object: &'a dyn Display,
}

/// What all objects of one custom storage share.
pub(crate) struct Guard {
    kind: String,
    version: u32,
    policy: GuardPolicy,
    crew: Crew,
    pub(crate) secrets: Arc<Secrets>,
    ledger: Mutex<Ledger>,
    seen: Mutex<Seen>,
    read_back: AtomicU32,
}

#[derive(Default)]
struct Seen {
    violations: u64,
    latest: Option<Violation>,
}

impl Guard {
    pub(crate) fn new(kind: &str, version: u32, policy: GuardPolicy) -> Self {
        Self {
            kind: kind.to_owned(),
            version,
            crew: Crew::new(policy.clone()),
            ledger: Mutex::new(Ledger::new(policy.remembered)),
            policy,
            secrets: Arc::default(),
            seen: Mutex::default(),
            read_back: AtomicU32::new(0),
        }
    }

    /// Runs a call to its end, within its deadline, and contains its panics.
    pub(crate) fn call<T, F>(&self, call: Call<'_>, future: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StorageError>> + Send + 'static,
    {
        let limit = self.policy.deadline(call.kind);
        let describe = || self.secrets.shield_text(call.object.to_string());
        let has_effect = call.kind == CallKind::Commit;
        match self.crew.run(call.operation, &describe, limit, future) {
            Ok(result) => result.map_err(|error| self.secrets.shield(error)),
            Err(Failed::Panicked(panicked)) => {
                let kind = if has_effect { ErrorKind::OutcomeUnknown } else { ErrorKind::Other };
                Err(self.broken(
                    kind,
                    call,
                    breach(Rule::DoesNotPanic, format!("it panicked: {}", panicked.0)),
                ))
            }
            Err(Failed::TimedOut) => {
                let kind = if has_effect { ErrorKind::OutcomeUnknown } else { ErrorKind::Unavailable };
                let found =
                    format!("nothing came back within {limit:?}, and it keeps its thread until it does");
                Err(self.broken(kind, call, breach(Rule::ReturnsInTime, found)))
            }
            Err(Failed::Refused(why)) => {
                let object = describe();
                let detail =
                    format!("custom storage {}, version {}, was not called: {why}", self.kind, self.version);
                Err(StorageError::new(ErrorKind::Unavailable, call.operation, object)
                    .with_detail(self.secrets.shield_text(detail))
                    .with_source(NotCalled))
            }
        }
    }

    /// The error for a breach, which is counted.
    pub(crate) fn broken(&self, kind: ErrorKind, call: Call<'_>, breach: Breach) -> StorageError {
        let Breach { rule, found } = breach;
        let violation = Violation {
            rule,
            kind: self.kind.clone(),
            version: self.version,
            operation: call.operation,
            object: self.secrets.shield_text(call.object.to_string()),
            found: self.secrets.shield_text(found),
        };
        let mut seen = lock(&self.seen);
        seen.violations += 1;
        seen.latest = Some(violation.clone());
        drop(seen);
        StorageError::new(kind, call.operation, violation.object.clone())
            .with_detail(violation.summary())
            .with_source(violation)
    }

    /// What is there to be compared.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Whether the next object is to be read back.
    pub(crate) fn reads_back(&self) -> bool {
        match self.policy.read_back {
            ReadBack::Never => false,
            ReadBack::Always => true,
            ReadBack::Sampled(one_in) => self.is_next_sample(one_in),
        }
    }

    fn is_next_sample(&self, one_in: NonZeroU32) -> bool {
        self.read_back.fetch_add(1, Ordering::Relaxed).is_multiple_of(one_in.get())
    }

    /// Compares what was read with what was written, if that is known.
    pub(crate) fn compare(
        &self,
        call: Call<'_>,
        read: Content,
        written: Option<Content>,
    ) -> Result<(), StorageError> {
        match written.filter(|written| *written != read) {
            None => Ok(()),
            Some(written) => {
                let found = format!(
                    "read {} bytes with the checksum {}, written were {} with {}",
                    read.len, read.crc, written.len, written.crc
                );
                Err(self.broken(ErrorKind::Corrupt, call, breach(Rule::ReadsWhatWasWritten, found)))
            }
        }
    }

    pub(crate) fn report(&self) -> GuardReport {
        let (lost, threads) = self.crew.lost();
        let seen = lock(&self.seen);
        GuardReport { violations: seen.violations, latest: seen.latest.clone(), lost, threads }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("kind", &self.kind)
            .field("version", &self.version)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// The cause of an error for which the storage cannot be blamed: it heard nothing of the call.
#[derive(Debug)]
pub(crate) struct NotCalled;

impl NotCalled {
    pub(crate) fn is_cause_of(error: &StorageError) -> bool {
        error.source().is_some_and(|source| source.is::<Self>())
    }
}

impl Display for NotCalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the guard has no thread for it")
    }
}

impl Error for NotCalled {}

/// Reads to the end, and keeps none of it.
pub(crate) async fn drain(mut reader: Box<dyn StateReader>) -> Result<Content, StorageError> {
    let mut read = Content::EMPTY;
    let len = reader.len();
    while let Some(bytes) = reader.next().await? {
        read = read.extend(&bytes);
        if bytes.is_empty() || read.len > len {
            // It would go on for ever, or longer than anything was written.
            break;
        }
    }
    Ok(read)
}

/// Nothing that is left half changed by a panic is relied on: every lock is held for a few assignments of our own.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
