//! The body of a metadata record: `docs/format.md` describes it byte by byte.
//!
//! [`write`] and [`read`] are the two directions, side by side field for field; [`sections`] has both for what follows the
//! operators. [`check`] holds the rules that a value has to
//! fit, whichever direction it goes. A value has exactly one encoding, and [`read`] accepts no other.

use crate::FormatError;
use crate::frame::{self, RecordKind};
use alloc::string::String;
use alloc::vec::Vec;
use stillframe_model::CheckpointMetadata;

mod check;
mod input;
mod packed;
mod read;
mod sections;
mod tag;
mod write;

/// Metadata as bytes.
///
/// # Errors
/// [`FormatError::TooLarge`] if it does not fit into one record, [`FormatError::Invalid`] if [`decode`] would refuse it.
pub fn encode(metadata: &CheckpointMetadata) -> Result<Vec<u8>, FormatError> {
    let survey = check::metadata(metadata)?;
    frame::seal_with(RecordKind::CheckpointMetadata, survey.size, |bytes| {
        write::metadata(bytes, metadata, &survey.roots)
    })
}

/// Metadata from bytes, checked in every part.
///
/// # Errors
/// What is wrong, and in which part.
pub fn decode(bytes: &[u8]) -> Result<CheckpointMetadata, FormatError> {
    let metadata = read::metadata(frame::open_body(RecordKind::CheckpointMetadata, bytes)?)?;
    check::metadata(&metadata)?;
    Ok(metadata)
}

fn invalid(element: impl Into<String>, problem: impl Into<String>) -> FormatError {
    FormatError::Invalid { element: element.into(), problem: problem.into() }
}

#[cfg(test)]
mod tests;
