//! Which directories of others a checkpoint may refer to.

use core::fmt;
use std::sync::Arc;
use stillframe_model::{Name, Redacted};
use stillframe_storage::{ErrorKind, StorageError};

/// What is known of them.
#[derive(Clone)]
pub(crate) enum Roots {
    /// These, by their address, as [`foreign`](stillframe_storage::CompletedLocation::foreign) spells it. None of a savepoint
    /// and of a checkpoint without a register beside it.
    Known(Arc<[Arc<str>]>),
    /// The register beside the checkpoint does not retain it.
    NotRetained,
    /// The register beside it could not be read. What lies in the checkpoint's own directory needs no register, so this is said
    /// to nobody who asks for no more than that.
    Unread(Arc<StorageError>),
}

impl Roots {
    pub(crate) fn contain(&self, address: &str) -> bool {
        match self {
            Self::Known(roots) => roots.iter().any(|root| **root == *address),
            Self::NotRetained | Self::Unread(_) => false,
        }
    }

    /// Why a file in the directory at this address is not read.
    pub(crate) fn refuse(&self, address: &str, name: &Name) -> StorageError {
        let subject = format!("{}/{name}", Redacted::new(address));
        let error = |kind| StorageError::new(kind, "read state from", subject);
        match self {
            Self::Known(_) => error(ErrorKind::InvalidPointer).with_detail(
                "this job was never told to read from there; if the checkpoint is another job's, take a savepoint of that job and \
                 resume from it",
            ),
            Self::NotRetained => error(ErrorKind::NotFound).with_detail(
                "the job whose checkpoint this is does not retain it, so what it refers to elsewhere may be gone; take a newer \
                 checkpoint of that job, or a savepoint",
            ),
            Self::Unread(cause) => error(cause.kind())
                .with_detail(
                    "the register beside the checkpoint says whether it may refer to that, and could not be read",
                )
                .with_source(Arc::clone(cause)),
        }
    }
}

impl fmt::Debug for Roots {
    /// Without what may be a secret in the addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(roots) => {
                let roots = roots.iter().map(|root| Redacted::new(root)).collect::<Vec<_>>();
                f.debug_tuple("Known").field(&roots).finish()
            }
            Self::NotRetained => f.write_str("NotRetained"),
            Self::Unread(cause) => f.debug_tuple("Unread").field(cause).finish(),
        }
    }
}
