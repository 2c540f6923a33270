//! The body of a metadata record: `docs/format.md` describes it byte by byte.
//!
//! [`write`](mod@write) and [`read`] are the two directions, side by side field for field; [`sections`] has both for what
//! follows the operators. [`check`] holds the rules that a value has to fit, whichever direction it goes. A value has exactly
//! one encoding, and [`read`] accepts no other.

use crate::FormatError;
use crate::frame::{self, RecordKind};
use alloc::collections::BTreeMap;
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
    frame::seal_with(RecordKind::CheckpointMetadata, check::room(metadata), |bytes| {
        let start = bytes.len();
        let roots = write(bytes, metadata, &Roots::new())?;
        // The directories of others stand before the handles that refer to them, and are known behind them. Most
        // metadata has none, so that everything is looked at once.
        if !roots.is_empty() {
            bytes.truncate(start);
            write(bytes, metadata, &roots)?;
        }
        Ok(())
    })
}

/// The directories of other jobs, in order, each with its place.
type Roots<'a> = BTreeMap<&'a str, u64>;

/// Appends the body, and gives the directories that should have been listed in it.
fn write<'a>(
    bytes: &mut Vec<u8>,
    metadata: &'a CheckpointMetadata,
    roots: &Roots<'_>,
) -> Result<Roots<'a>, FormatError> {
    let found = check::metadata(metadata, &mut write::Writer::begin(bytes, metadata, roots))?;
    sections::write(bytes, metadata);
    Ok(found)
}

/// Metadata from bytes, checked in every part.
///
/// # Errors
/// What is wrong, and in which part.
pub fn decode(bytes: &[u8]) -> Result<CheckpointMetadata, FormatError> {
    let metadata = read::metadata(frame::open_body(RecordKind::CheckpointMetadata, bytes)?)?;
    check::metadata(&metadata, &mut ())?;
    Ok(metadata)
}

fn invalid(element: impl Into<String>, problem: impl Into<String>) -> FormatError {
    FormatError::Invalid { element: element.into(), problem: problem.into() }
}

#[cfg(test)]
mod tests;
