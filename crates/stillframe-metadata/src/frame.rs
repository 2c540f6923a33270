//! The frame that goes around everything Stillframe writes and means to read again.
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 8 | `STILLFRM` |
//! | 8 | 2 | kind of record, little-endian as all numbers here |
//! | 10 | 2 | version of that kind |
//! | 12 | 8 | length of the body, n |
//! | 20 | 4 | CRC-32C of bytes 0 to 19 |
//! | 24 | n | body |
//! | 24+n | 4 | CRC-32C of the body |

use crate::FormatError;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stillframe_model::Crc32c;

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
}

/// The largest body that is written or read: 256 MiB.
pub const MAX_BODY: u64 = 256 << 20;

const MAGIC: [u8; 8] = *b"STILLFRM";
const VERSION: u16 = 1;
const HEADER: usize = 24;
const TRAILER: usize = 4;

/// Encodes `value` and puts a frame around it.
///
/// # Errors
/// [`FormatError::TooLarge`] beyond [`MAX_BODY`]; [`FormatError::Invalid`] for a value that has no encoding.
pub fn seal<T: Serialize>(kind: RecordKind, value: &T) -> Result<Vec<u8>, FormatError> {
    let mut bytes = Vec::with_capacity(HEADER + TRAILER);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&(kind as u16).to_le_bytes());
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    let body = codec::encode(value)?;
    let len = body.len() as u64;
    if len > MAX_BODY {
        return Err(FormatError::TooLarge { found: len, limit: MAX_BODY });
    }
    bytes.reserve_exact(HEADER + TRAILER + body.len() - bytes.len());
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(&Crc32c::of(&bytes).0.to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes.extend_from_slice(&Crc32c::of(&body).0.to_le_bytes());
    Ok(bytes)
}

/// Checks the frame and decodes the value in it.
///
/// # Errors
/// Whatever differs from what [`seal`] writes for a value of this kind.
pub fn open<T: DeserializeOwned>(kind: RecordKind, bytes: &[u8]) -> Result<T, FormatError> {
    codec::decode(body(kind, bytes)?)
}

fn body(kind: RecordKind, bytes: &[u8]) -> Result<&[u8], FormatError> {
    let truncated = |expected: u64| FormatError::Truncated { found: bytes.len() as u64, expected };
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Err(truncated((HEADER + TRAILER) as u64));
    };
    let [magic @ .., k0, k1, v0, v1, l0, l1, l2, l3, l4, l5, l6, l7, c0, c1, c2, c3] = header;
    if *magic != MAGIC {
        return Err(FormatError::BadMagic);
    }
    let expected = Crc32c(u32::from_le_bytes([*c0, *c1, *c2, *c3]));
    let found = Crc32c::of(&header[..HEADER - 4]);
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
    let len = u64::from_le_bytes([*l0, *l1, *l2, *l3, *l4, *l5, *l6, *l7]);
    if len > MAX_BODY {
        return Err(FormatError::TooLarge { found: len, limit: MAX_BODY });
    }
    let end = HEADER as u64 + len + TRAILER as u64;
    let found = bytes.len() as u64;
    if found > end {
        return Err(FormatError::TrailingBytes { found: found - end, expected: end });
    }
    let Some((body, trailer)) = rest.split_last_chunk::<TRAILER>() else { return Err(truncated(end)) };
    if body.len() as u64 != len {
        return Err(truncated(end));
    }
    let expected = Crc32c(u32::from_le_bytes(*trailer));
    let found = Crc32c::of(body);
    if found != expected {
        return Err(FormatError::Checksum { part: "body", expected, found });
    }
    Ok(body)
}

/// bincode, and everything there is to know about it.
mod codec {
    use super::{DeserializeOwned, FormatError, Serialize, String, ToString, Vec};
    use alloc::format;
    use bincode::config;
    use bincode::serde::{decode_from_slice, encode_to_vec};

    pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, FormatError> {
        encode_to_vec(value, config::legacy()).map_err(|error| invalid(error.to_string()))
    }

    /// The limit of bincode is a constant of the type, so the smallest that fits is chosen from a few: what a length in
    /// the input can make it allocate stays within a small factor of the input itself.
    pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FormatError> {
        match bytes.len() {
            0..=0x1_000 => limited::<T, 0x1_000>(bytes),
            0x1_001..=0x1_0000 => limited::<T, 0x1_0000>(bytes),
            0x1_0001..=0x10_0000 => limited::<T, 0x10_0000>(bytes),
            0x10_0001..=0x100_0000 => limited::<T, 0x100_0000>(bytes),
            _ => limited::<T, 0x1000_0000>(bytes),
        }
    }

    fn limited<T: DeserializeOwned, const LIMIT: usize>(bytes: &[u8]) -> Result<T, FormatError> {
        let config = config::legacy().with_limit::<LIMIT>();
        let (value, consumed) = decode_from_slice(bytes, config)
            .map_err(|error| invalid(format!("does not hold a value of the expected type ({error})")))?;
        if consumed != bytes.len() {
            return Err(FormatError::TrailingBytes {
                found: (bytes.len() - consumed) as u64,
                expected: consumed as u64,
            });
        }
        Ok(value)
    }

    fn invalid(problem: String) -> FormatError {
        FormatError::Invalid { element: String::from("body"), problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn every_cut_and_every_flipped_bit_is_noticed() {
        let value = vec![7_u64, 8, 9];
        let bytes = seal(RecordKind::Value, &value).unwrap();
        assert_eq!(open(RecordKind::Value, &bytes), Ok(value));
        for cut in 0..bytes.len() {
            assert!(open::<Vec<u64>>(RecordKind::Value, &bytes[..cut]).is_err(), "cut at {cut}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open::<Vec<u64>>(RecordKind::Value, &bad).is_err(), "bit {bit}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(
            open::<Vec<u64>>(RecordKind::Value, &longer),
            Err(FormatError::TrailingBytes { found: 1, expected: bytes.len() as u64 })
        );
    }

    #[test]
    fn a_record_is_not_mistaken_for_another_kind() {
        let bytes = seal(RecordKind::KeyedState, &1_u8).unwrap();
        assert_eq!(
            open::<u8>(RecordKind::OperatorState, &bytes),
            Err(FormatError::WrongKind { found: 2, expected: 3 })
        );
    }

    #[test]
    fn a_huge_length_inside_a_valid_frame_is_refused() {
        // The body claims 2^60 bytes of text. The checksums are right: this is malice, not rot.
        let bytes = seal(RecordKind::Value, &(1_u64 << 60)).unwrap();
        assert!(matches!(open::<String>(RecordKind::Value, &bytes), Err(FormatError::Invalid { .. })));
    }
}
