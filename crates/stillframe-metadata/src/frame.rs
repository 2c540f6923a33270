//! The frame that goes around everything Stillframe writes and means to read again.
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 8 | `STILLFRM` |
//! | 8 | 2 | kind of record, little-endian as all numbers here |
//! | 10 | 2 | version of that kind |
//! | 12 | 4 | features that a reader has to know, one bit each; none so far |
//! | 16 | 8 | length of the body, n |
//! | 24 | 4 | CRC-32C of bytes 0 to 23 |
//! | 28 | n | body |
//! | 28+n | 4 | CRC-32C of the body and of its length as it stands at 16 |
//!
//! The length in the last checksum is there for what is around the frame: a checksum of the same kind over a message that
//! ends in its own would be the same for all messages of one length, and could not tell one record from another.
//!
//! `docs/format.md` describes the bodies.

use crate::FormatError;
use alloc::vec::Vec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stillframe_model::Crc32c;

pub(crate) mod codec;

/// What a frame holds. The number is on disk and never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum RecordKind {
    /// The metadata of a checkpoint.
    CheckpointMetadata = 1,
    /// Keyed state of one subtask.
    KeyedState = 2,
    /// Operator state of one subtask.
    OperatorState = 3,
    /// A value that an operator keeps in its own state.
    Value = 4,
    /// The state of a job's checkpoints after one change.
    RegisterEntry = 5,
    /// The announcement of a coordinator.
    EpochMarker = 6,
    /// What a part of incremental keyed state begins with.
    KeyedIncrement = 7,
}

/// The largest body that is written or read: 256 MiB.
pub const MAX_BODY: u64 = 256 << 20;

/// The bytes before the body.
pub const HEADER_LEN: usize = 28;

/// The bytes behind the body.
pub const TRAILER_LEN: usize = 4;

const MAGIC: [u8; 8] = *b"STILLFRM";
const VERSION: u16 = 1;
/// A bit is set by a writer whose record means something else to a reader that does not know the bit.
const KNOWN_FEATURES: u32 = 0;

/// Encodes `value` and puts a frame around it.
///
/// # Errors
/// [`FormatError::TooLarge`] beyond [`MAX_BODY`]; [`FormatError::Invalid`] for a value that has no encoding.
pub fn seal<T: Serialize>(kind: RecordKind, value: &T) -> Result<Vec<u8>, FormatError> {
    seal_with(kind, 0, |bytes| codec::encode(bytes, value))
}

/// Puts a frame around a body that is encoded already.
///
/// # Errors
/// [`FormatError::TooLarge`] beyond [`MAX_BODY`].
pub fn seal_body(kind: RecordKind, body: &[u8]) -> Result<Vec<u8>, FormatError> {
    seal_with(kind, body.len(), |bytes| {
        bytes.extend_from_slice(body);
        Ok(())
    })
}

/// Puts a frame around what `write` appends. The capacity is a guess at the size of that.
pub(crate) fn seal_with(
    kind: RecordKind,
    capacity: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), FormatError>,
) -> Result<Vec<u8>, FormatError> {
    let mut bytes = Vec::with_capacity(capacity.saturating_add(HEADER_LEN + TRAILER_LEN));
    bytes.resize(HEADER_LEN, 0);
    write(&mut bytes)?;
    let body = bytes.get(HEADER_LEN..).unwrap_or_default();
    let (len, checksum) = (body.len() as u64, checksum(body));
    if len > MAX_BODY {
        return Err(FormatError::TooLarge { found: len, limit: MAX_BODY });
    }
    if let Some(place) = bytes.get_mut(..HEADER_LEN) {
        place.copy_from_slice(&header(kind, len));
    }
    bytes.extend_from_slice(&checksum.0.to_le_bytes());
    Ok(bytes)
}

fn checksum(body: &[u8]) -> Crc32c {
    Crc32c::of(body).extend(&(body.len() as u64).to_le_bytes())
}

fn header(kind: RecordKind, len: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_LEN);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&(kind as u16).to_le_bytes());
    header.extend_from_slice(&VERSION.to_le_bytes());
    // No record needs a feature yet.
    header.extend_from_slice(&0_u32.to_le_bytes());
    header.extend_from_slice(&len.to_le_bytes());
    header.extend_from_slice(&Crc32c::of(&header).0.to_le_bytes());
    header
}

/// Checks the frame and decodes the value in it.
///
/// # Errors
/// Whatever differs from what [`seal`] writes for a value of this kind.
pub fn open<T: DeserializeOwned>(kind: RecordKind, bytes: &[u8]) -> Result<T, FormatError> {
    codec::decode(open_body(kind, bytes)?)
}

/// Checks the frame and gives the body in it as it is.
///
/// # Errors
/// Whatever differs from the frame of a body of this kind.
pub fn open_body(kind: RecordKind, bytes: &[u8]) -> Result<&[u8], FormatError> {
    let truncated = |expected: u64| FormatError::Truncated { found: bytes.len() as u64, expected };
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return Err(truncated((HEADER_LEN + TRAILER_LEN) as u64));
    };
    let [summed @ .., c0, c1, c2, c3] = header;
    let [magic @ .., k0, k1, v0, v1, f0, f1, f2, f3, l0, l1, l2, l3, l4, l5, l6, l7] = summed;
    if *magic != MAGIC {
        return Err(FormatError::BadMagic);
    }
    let expected = Crc32c(u32::from_le_bytes([*c0, *c1, *c2, *c3]));
    let found = Crc32c::of(summed);
    if found != expected {
        return Err(FormatError::Checksum { part: "header", expected, found });
    }
    let version = u16::from_le_bytes([*v0, *v1]);
    if version == 0 || version > VERSION {
        return Err(FormatError::UnsupportedVersion { found: version, supported: VERSION });
    }
    let found = u16::from_le_bytes([*k0, *k1]);
    if found != kind as u16 {
        return Err(FormatError::WrongKind { found, expected: kind as u16 });
    }
    let features = u32::from_le_bytes([*f0, *f1, *f2, *f3]);
    if features & !KNOWN_FEATURES != 0 {
        return Err(FormatError::UnsupportedFeatures { unknown: features & !KNOWN_FEATURES });
    }
    let len = u64::from_le_bytes([*l0, *l1, *l2, *l3, *l4, *l5, *l6, *l7]);
    if len > MAX_BODY {
        return Err(FormatError::TooLarge { found: len, limit: MAX_BODY });
    }
    let end = len.saturating_add((HEADER_LEN + TRAILER_LEN) as u64);
    let found = bytes.len() as u64;
    if let Some(more) = found.checked_sub(end).filter(|more| *more > 0) {
        return Err(FormatError::TrailingBytes { found: more, expected: end });
    }
    let Some((body, trailer)) = rest.split_last_chunk::<TRAILER_LEN>() else { return Err(truncated(end)) };
    if body.len() as u64 != len {
        return Err(truncated(end));
    }
    let expected = Crc32c(u32::from_le_bytes(*trailer));
    let found = checksum(body);
    if found != expected {
        return Err(FormatError::Checksum { part: "body", expected, found });
    }
    Ok(body)
}

#[cfg(test)]
mod tests;
