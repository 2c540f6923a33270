//! The bytes of a body that are still to be read.

use crate::frame::codec::{NotANumber, read_number};
use alloc::format;
use alloc::string::String;

/// What is wrong, in words that go behind the name of the part.
pub(super) type Problem = String;

pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) const fn remaining(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(super) fn byte(&mut self, what: &str) -> Result<u8, Problem> {
        let [byte] = self.array(what)?;
        Ok(byte)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Problem> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(|| ends_in(what))?;
        self.rest = rest;
        Ok(*array)
    }

    /// A number up to `max`.
    #[inline]
    pub(super) fn number(&mut self, what: &str, max: u64) -> Result<u64, Problem> {
        let (number, rest) = read_number(self.rest).map_err(|error| match error {
            NotANumber::Unreadable => ends_in(what),
            NotANumber::Padded => {
                format!("{what}: has more bytes than it needs, which is not how it is written")
            }
        })?;
        if number > max {
            return Err(format!("{what}: is {number}; the limit is {max}"));
        }
        self.rest = rest;
        Ok(number)
    }

    /// How many of something follow: at most `limit`, and no more than there is room for if each takes `min_size` bytes.
    #[inline]
    pub(super) fn count(&mut self, what: &str, min_size: usize, limit: usize) -> Result<usize, Problem> {
        let number = self.number(what, limit as u64)?;
        let room = self.rest.len().checked_div(min_size).unwrap_or_default();
        match usize::try_from(number) {
            Ok(count) if count <= room => Ok(count),
            _ => Err(format!("{what}: is {number}, and the bytes that follow hold no more than {room}")),
        }
    }

    /// A count that is only there if it is not 0.
    pub(super) fn some(&mut self, what: &str, min_size: usize, limit: usize) -> Result<usize, Problem> {
        match self.count(what, min_size, limit)? {
            0 => Err(format!("{what}: is 0, which is not how it is written")),
            count => Ok(count),
        }
    }

    /// So many bytes.
    pub(super) fn bytes(&mut self, what: &str, limit: usize) -> Result<&'a [u8], Problem> {
        let len = self.count(what, 1, limit)?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or_else(|| ends_in(what))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn text(&mut self, what: &str, limit: usize) -> Result<&'a str, Problem> {
        str::from_utf8(self.bytes(what, limit)?).map_err(|error| format!("{what}: is not text ({error})"))
    }

    /// What the next byte stands for: its place in the list.
    #[inline]
    pub(super) fn choice<T: Copy>(&mut self, what: &str, choices: &[T]) -> Result<T, Problem> {
        let tag = self.byte(what)?;
        choices.get(usize::from(tag)).copied().ok_or_else(|| unknown(what, tag))
    }
}

#[cold]
fn ends_in(what: &str) -> Problem {
    format!("{what}: cannot be read, the bytes end before it does")
}

#[cold]
pub(super) fn unknown(what: &str, tag: u8) -> Problem {
    format!("{what}: has the unknown code {tag}")
}
