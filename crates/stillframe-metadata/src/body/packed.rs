//! Names. Those of state files end with 32 hexadecimal digits drawn at random, which take 16 bytes here.
//!
//! A name that ends so is always packed, and with the code of its prefix if that has one: each name has one encoding.

use super::input::{Input, Problem};
use crate::frame::codec::write_number;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use stillframe_model::Name;

const TEXT: u8 = 0;
const SPELLED_PREFIX: u8 = 1;
/// `shared-<number>-`, and the number follows the code.
const NUMBERED_PREFIX: u8 = 2;
const FIRST_PREFIX: u8 = 3;
/// From [`FIRST_PREFIX`] on. New ones go to the end.
const PREFIXES: [&str; 3] = ["state-", "segment-", "owned-"];

const RANDOM: usize = 16;
const DIGITS: usize = 2 * RANDOM;

pub(super) fn write(bytes: &mut Vec<u8>, name: &Name) {
    let name = name.as_str();
    let Some((prefix, random)) = unpack(name) else {
        bytes.push(TEXT);
        write_text(bytes, name);
        return;
    };
    match Prefix::of(prefix) {
        Prefix::Known(code) => bytes.push(code),
        Prefix::Numbered(number) => {
            bytes.push(NUMBERED_PREFIX);
            write_number(bytes, number);
        }
        Prefix::Spelled => {
            bytes.push(SPELLED_PREFIX);
            write_text(bytes, prefix);
        }
    }
    bytes.extend_from_slice(&random);
}

/// How a prefix is written.
#[derive(PartialEq, Eq)]
enum Prefix {
    Known(u8),
    Numbered(u64),
    Spelled,
}

impl Prefix {
    #[inline]
    fn of(prefix: &str) -> Self {
        if let Some((code, _)) = (FIRST_PREFIX..).zip(PREFIXES).find(|&(_, known)| known == prefix) {
            return Self::Known(code);
        }
        let digits = prefix.strip_prefix("shared-").and_then(|rest| rest.strip_suffix('-'));
        match digits.and_then(|digits| digits.parse().ok()) {
            // The number says it all only if it is spelled as usual, without a sign or zeros in front.
            Some(number) if numbered(number) == prefix => Self::Numbered(number),
            _ => Self::Spelled,
        }
    }
}

fn numbered(number: u64) -> String {
    format!("shared-{number}-")
}

/// The length and the bytes.
pub(super) fn write_text(bytes: &mut Vec<u8>, text: &str) {
    write_number(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

pub(super) fn read(input: &mut Input<'_>, what: &'static str) -> Result<Name, Problem> {
    let code = input.byte(what)?;
    let text = match code {
        TEXT => {
            let text = input.text(what, Name::MAX_LEN)?;
            if unpack(text).is_some() {
                return Err(format!("{what}: \"{text}\" is not packed, which is not how it is written"));
            }
            String::from(text)
        }
        SPELLED_PREFIX => {
            let prefix = input.text(what, Name::MAX_LEN - DIGITS)?;
            if Prefix::of(prefix) != Prefix::Spelled {
                return Err(format!("{what}: \"{prefix}\" is spelled out, which is not how it is written"));
            }
            pack(prefix, input.array(what)?)
        }
        NUMBERED_PREFIX => pack(&numbered(input.number(what, u64::MAX)?), input.array(what)?),
        _ => match PREFIXES.get(usize::from(code.saturating_sub(FIRST_PREFIX))) {
            Some(prefix) => pack(prefix, input.array(what)?),
            None => return Err(format!("{what}: has the unknown code {code}")),
        },
    };
    Name::new(text).map_err(|error| format!("{what}: {error}"))
}

const NO_DIGIT: u8 = 0xff;

/// What a character stands for. Without a table and without branches, so that all of a name are looked at at once.
const fn value_of(digit: u8) -> u8 {
    let (decimal, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
    if decimal < 10 {
        decimal
    } else if letter < 6 {
        letter.saturating_add(10)
    } else {
        NO_DIGIT
    }
}

/// The character for half a byte.
const fn digit_of(half: u8) -> u8 {
    let first = if half < 10 { b'0' } else { b'a' - 10 };
    first.saturating_add(half)
}

/// The prefix and the random bytes of a name that has some.
fn unpack(name: &str) -> Option<(&str, [u8; RANDOM])> {
    let (prefix, digits) = name.as_bytes().split_last_chunk::<DIGITS>()?;
    let mut values = [0; DIGITS];
    for (value, digit) in values.iter_mut().zip(digits) {
        *value = value_of(*digit);
    }
    if values.into_iter().fold(0, |seen, value| seen | value) == NO_DIGIT {
        return None;
    }
    let mut random = [0; RANDOM];
    for (byte, [high, low]) in random.iter_mut().zip(values.as_chunks::<2>().0) {
        *byte = high << 4 | low;
    }
    name.get(..prefix.len()).map(|prefix| (prefix, random))
}

fn pack(prefix: &str, random: [u8; RANDOM]) -> String {
    let mut digits = [0; DIGITS];
    for ([high, low], byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(random) {
        (*high, *low) = (digit_of(byte >> 4), digit_of(byte & 15));
    }
    let mut name = String::with_capacity(prefix.len().saturating_add(DIGITS));
    name.push_str(prefix);
    name.push_str(str::from_utf8(&digits).unwrap_or_default());
    name
}
