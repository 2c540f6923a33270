//! bincode, and everything there is to know about it.
//!
//! Records of serde types have numbers of fixed width ([`encode`], [`decode`]). The body of the metadata is written field by
//! field, with numbers of one to nine bytes ([`write_number`], [`read_number`]).

use crate::FormatError;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bincode::config;
use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use bincode::serde::{decode_from_slice, encode_into_writer};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The end of a buffer, to which bincode appends.
struct End<'a>(&'a mut Vec<u8>);

impl Writer for End<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

pub(crate) fn encode<T: Serialize>(bytes: &mut Vec<u8>, value: &T) -> Result<(), FormatError> {
    encode_into_writer(value, End(bytes), config::legacy()).map_err(|error| invalid(error.to_string()))
}

/// The limit of bincode is a constant of the type, so the smallest that fits is chosen from a few: what a length in
/// the input can make it allocate stays within a small factor of the input itself.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FormatError> {
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
    match bytes.len().saturating_sub(consumed) {
        0 => Ok(value),
        more => Err(FormatError::TrailingBytes { found: more as u64, expected: consumed as u64 }),
    }
}

/// Appends a number as bincode does, but in a fraction of the time: one byte up to 250, else 251, 252 or 253 and two, four
/// or eight bytes.
#[inline]
pub(crate) fn write_number(bytes: &mut Vec<u8>, number: u64) {
    let [b0, b1, b2, b3, b4, b5, b6, b7] = number.to_le_bytes();
    match number {
        0..=250 => bytes.push(b0),
        251..=0xffff => bytes.extend_from_slice(&[251, b0, b1]),
        0x1_0000..=0xffff_ffff => bytes.extend_from_slice(&[252, b0, b1, b2, b3]),
        _ => bytes.extend_from_slice(&[253, b0, b1, b2, b3, b4, b5, b6, b7]),
    }
}

/// What stands where a number should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotANumber {
    /// The input ends in it, or it has a width that no number here has.
    Unreadable,
    /// It has more bytes than it needs.
    Padded,
}

/// The number at the start, and the rest.
#[inline]
pub(crate) fn read_number(bytes: &[u8]) -> Result<(u64, &[u8]), NotANumber> {
    let config = config::standard().with_limit::<8>();
    let (number, width) =
        bincode::decode_from_slice::<u64, _>(bytes, config).map_err(|_| NotANumber::Unreadable)?;
    let shortest = match number {
        0..=250 => 1,
        251..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    };
    if width != shortest {
        return Err(NotANumber::Padded);
    }
    Ok((number, bytes.get(width..).unwrap_or_default()))
}

fn invalid(problem: String) -> FormatError {
    FormatError::Invalid { element: String::from("body"), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_bincode_writes_and_reads_them() {
        let ends = [250, 0xff, 0xffff, 0xffff_ffff, u64::MAX >> 1, u64::MAX - 1];
        for number in ends.into_iter().flat_map(|end| [end - 1, end, end + 1]).chain(0..3) {
            let mut bytes = Vec::new();
            write_number(&mut bytes, number);
            assert_eq!(bincode::encode_to_vec(number, config::standard()).unwrap(), bytes);
            assert_eq!(read_number(&bytes), Ok((number, &[][..])));
        }
    }
}
