use core::fmt;
use std::error::Error;
use stillframe_model::{DescriptorError, Redacted};

/// What to do about a storage error. Few kinds, each with a different answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The object does not exist. Check the pointer, or what else deletes in that place.
    NotFound,
    /// The name is taken by somebody else. Never overwritten.
    AlreadyExists,
    /// It is larger than the storage allows. Raise the limit or use another storage.
    TooLarge,
    /// The text does not name a place that this storage can reach. Correct it.
    InvalidPointer,
    /// A setting of the storage is missing, unknown or out of range. Correct it.
    InvalidOption,
    /// What was read is not what was written. Restore from another checkpoint, and look at the medium.
    Corrupt,
    /// Not allowed. Correct the permissions.
    PermissionDenied,
    /// The medium is full.
    NoSpace,
    /// The medium failed or is out of reach. The same call may succeed later.
    Unavailable,
    /// This storage cannot do that at all.
    Unsupported,
    /// Another coordinator has taken the job over. Stop; what was written may be somebody else's by now.
    Fenced,
    /// It cannot be known whether the call took effect. Nothing that it concerns may be reported or deleted.
    OutcomeUnknown,
    /// Anything else; the source says what.
    Other,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::TooLarge => "too large",
            Self::InvalidPointer => "invalid pointer",
            Self::InvalidOption => "invalid option",
            Self::Corrupt => "corrupt",
            Self::PermissionDenied => "permission denied",
            Self::NoSpace => "no space left",
            Self::Unavailable => "unavailable",
            Self::Unsupported => "unsupported",
            Self::Fenced => "fenced",
            Self::OutcomeUnknown => "outcome unknown",
            Self::Other => "failed",
        })
    }
}

/// A storage operation that did not succeed: what was attempted, on which object, what to do about it, and the cause.
///
/// Where the object is an address, what may be a secret in it is not [shown](Redacted).
pub struct StorageError(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    subject: String,
    detail: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StorageError {
    /// An error of this kind. `operation` is a verb phrase such as "read state"; `subject` names the object.
    pub fn new(kind: ErrorKind, operation: &'static str, subject: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, operation, subject: subject.into(), detail: None, source: None }))
    }

    /// Adds what was found and what was expected.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error as [`ErrorKind::OutcomeUnknown`]: for a caller who knows that the effect may have happened.
    #[must_use]
    pub fn into_outcome_unknown(mut self) -> Self {
        self.0.kind = ErrorKind::OutcomeUnknown;
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The object it is about, whole.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }
}

impl From<DescriptorError> for StorageError {
    /// An `InvalidOption`: the storage cannot be built from its descriptor.
    fn from(error: DescriptorError) -> Self {
        let detail = format!("{} is not allowed, allowed: {}", error.found(), error.allowed());
        Self::new(ErrorKind::InvalidOption, "configure", error.option()).with_detail(detail)
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, operation, subject, detail, source: _ } = &*self.0;
        write!(f, "{operation} {}: {kind}", Redacted::new(subject))?;
        detail.as_ref().map_or(Ok(()), |detail| write!(f, " ({detail})"))
    }
}

impl fmt::Debug for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, operation, subject, detail, source } = &*self.0;
        f.debug_struct("StorageError")
            .field("kind", kind)
            .field("operation", operation)
            .field("subject", &Redacted::new(subject))
            .field("detail", detail)
            .field("source", source)
            .finish()
    }
}

impl Error for StorageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
