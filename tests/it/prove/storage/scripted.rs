//! A job that follows a script on a disk, whoever and whatever comes between; what it was told meanwhile; and what has to be
//! so on a disk whose last user may have died at any moment.
//!
//! [`Process`] is one run of a coordinator and a worker on the real storage. It writes down in a [`Journal`], which stays
//! when the process goes, what it was promised. [`recovery`] is the next process: it does what every restart does, and
//! [`recovery::check`] compares what it finds with the journal.

pub(super) mod adoption;
mod content;
mod journal;
pub(super) mod process;
pub(super) mod recovery;
pub(super) mod script;
pub(super) mod stubborn;

pub(super) use content::{Part, encode, parts, pattern};
pub(super) use journal::{Journal, Outcome, Snapshot};
pub(super) use process::{JOB, Process, ROOT, ready, storage};
