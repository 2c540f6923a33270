use super::SimOperation;
use rustix::io::Errno;
use std::io;
use std::path::PathBuf;

/// A way in which an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// EIO: the medium is broken.
    Io,
    /// ENOSPC: it is full.
    NoSpace,
    /// EDQUOT: this user's share of it is full.
    Quota,
    /// EINTR: a signal came first, and nothing was done.
    Interrupted,
    /// EMFILE: the process has too many files open.
    TooManyFiles,
    /// EROFS: the file system went read-only.
    ReadOnly,
    /// EACCES: somebody took the permission away.
    Denied,
    /// Only half of what could be read is read.
    ShortRead,
    /// Only half of what was given is written.
    ShortWrite,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Io,
        Self::NoSpace,
        Self::Quota,
        Self::Interrupted,
        Self::TooManyFiles,
        Self::ReadOnly,
        Self::Denied,
        Self::ShortRead,
        Self::ShortWrite,
    ];

    /// Whether an operation of this sort can fail in this way.
    #[must_use]
    pub fn applies_to(self, operation: SimOperation) -> bool {
        use SimOperation as O;
        let takes_space = matches!(
            operation,
            O::Create | O::Link | O::CreateDirectory | O::Write | O::SyncFile | O::SyncDirectory
        );
        match self {
            Self::Io | Self::Interrupted => true,
            Self::NoSpace | Self::Quota => takes_space,
            Self::TooManyFiles => matches!(operation, O::Create | O::Open | O::List | O::SyncDirectory),
            Self::ReadOnly => takes_space || matches!(operation, O::RemoveFile | O::RemoveDirectory),
            Self::Denied => !matches!(operation, O::Write | O::SyncFile | O::Read),
            Self::ShortRead => operation == O::Read,
            Self::ShortWrite => operation == O::Write,
        }
    }

    /// `None` for what is no error.
    pub(super) fn error(self) -> Option<io::Error> {
        let errno = match self {
            Self::Io => Errno::IO,
            Self::NoSpace => Errno::NOSPC,
            Self::Quota => Errno::DQUOT,
            Self::Interrupted => Errno::INTR,
            Self::TooManyFiles => Errno::MFILE,
            Self::ReadOnly => Errno::ROFS,
            Self::Denied => Errno::ACCESS,
            Self::ShortRead | Self::ShortWrite => return None,
        };
        Some(errno.into())
    }

    /// Whether an fsync that fails in this way has tried, so that what it was to write is in doubt.
    pub(super) fn leaves_doubt(self, operation: SimOperation) -> bool {
        match self {
            Self::Io | Self::NoSpace | Self::Quota => true,
            // A directory has to be opened for it first.
            Self::ReadOnly => operation == SimOperation::SyncFile,
            Self::Interrupted | Self::TooManyFiles | Self::Denied | Self::ShortRead | Self::ShortWrite => {
                false
            }
        }
    }
}

/// A failure to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// How.
    pub kind: FaultKind,
    /// With the first operation to which the kind [applies](FaultKind::applies_to), from the one of this number on.
    /// The next operation is number 1.
    pub operation: usize,
    /// Whether all later ones fail as well, to which it applies.
    pub is_sticky: bool,
}

impl Fault {
    /// One operation fails.
    #[must_use]
    pub const fn once(kind: FaultKind, operation: usize) -> Self {
        Self { kind, operation, is_sticky: false }
    }

    /// From one operation on it never works again.
    #[must_use]
    pub const fn sticky(kind: FaultKind, operation: usize) -> Self {
        Self { kind, operation, is_sticky: true }
    }
}

/// A failure that happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Failed {
    /// The number of the operation, counted from when the fault was injected.
    pub number: usize,
    /// What was to be done.
    pub operation: SimOperation,
    /// To what.
    pub path: PathBuf,
}
