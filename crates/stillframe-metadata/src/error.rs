use alloc::string::String;
use stillframe_model::Crc32c;

/// Why bytes could not be read, or a value not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// It ends too early: cut off, or not one of ours.
    #[error("ends after {found} bytes where {expected} are needed")]
    Truncated {
        /// How many bytes there are.
        found: u64,
        /// How many there should be.
        expected: u64,
    },
    /// It goes on after its end.
    #[error("has {found} bytes after its end at byte {expected}")]
    TrailingBytes {
        /// How many too many.
        found: u64,
        /// Where it should end.
        expected: u64,
    },
    /// It does not begin like one of ours.
    #[error("does not begin with the mark of this format; it was written by something else")]
    BadMagic,
    /// It is one of ours, but of another kind.
    #[error("holds a record of kind {found}, not of kind {expected}")]
    WrongKind {
        /// The kind it says it is.
        found: u16,
        /// The kind that was asked for.
        expected: u16,
    },
    /// It was written by a newer version.
    #[error("has format version {found}; this version reads up to {supported}")]
    UnsupportedVersion {
        /// Its version.
        found: u16,
        /// The newest that can be read.
        supported: u16,
    },
    /// It was written by a version that does more.
    #[error(
        "needs features that this version does not know (bits {unknown:#x}); read it with the version that wrote it"
    )]
    UnsupportedFeatures {
        /// Their bits.
        unknown: u32,
    },
    /// Its bytes changed after they were written.
    #[error("fails the checksum of its {part}: written {expected}, read {found}")]
    Checksum {
        /// Header or body.
        part: &'static str,
        /// What is written there.
        expected: Crc32c,
        /// What the bytes give.
        found: Crc32c,
    },
    /// It is larger than allowed.
    #[error("has {found} bytes; the limit is {limit}")]
    TooLarge {
        /// Its size.
        found: u64,
        /// What is allowed.
        limit: u64,
    },
    /// The checksums fit, but what is in it does not make sense.
    #[error("{element}: {problem}")]
    Invalid {
        /// Which part.
        element: String,
        /// What is wrong with it.
        problem: String,
    },
}
