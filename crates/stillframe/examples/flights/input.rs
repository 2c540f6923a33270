//! The input file, plain or gzip, read line by line and from any line on.

mod error;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use error::InputError;

use crate::departure::{Departure, HEADER, Malformed};
use crate::lines::{LONGEST, LineError, Lines};
use source::Source;
use std::path::{Path, PathBuf};

/// Reads the data lines of an input. They are counted from 0, so that data line 0 is line 2 of the file.
///
/// A reader stands before one line, [`line`](Self::line), at a byte of the text, [`offset`](Self::offset). The two together,
/// kept in a checkpoint, bring a later reader back to the same place with [`resume_at`](Self::resume_at).
#[derive(Debug)]
pub(crate) struct FlightsReader {
    path: PathBuf,
    lines: Lines<Source>,
    line: u64,
}

impl FlightsReader {
    /// Opens an input and reads its header.
    pub(crate) fn open(path: &Path) -> Result<Self, InputError> {
        let source = Source::open(path)?;
        let compressed = source.is_gzip();
        let mut lines = Lines::new(source, 0);
        match lines.next_line() {
            Ok(Some(header)) if without_return(header.text) == HEADER.as_bytes() => {}
            Ok(Some(header)) => {
                let malformed = Malformed::new("header", without_return(header.text), HEADER);
                return Err(InputError::Malformed { path: path.into(), line: 1, malformed });
            }
            Ok(None) => return Err(InputError::Empty { path: path.into() }),
            Err(error) => return Err(InputError::from_line(path, 1, compressed, error)),
        }
        Ok(Self { path: path.into(), lines, line: 0 })
    }

    /// The number of the next data line.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Where the next data line begins, in bytes of the text (of a gzip file: of what it unpacks to).
    pub(crate) fn offset(&self) -> u64 {
        self.lines.offset()
    }

    /// The next data line and its number; `None` at the end of the input. It has no line end, and is otherwise not
    /// looked at: [`Departure::parse`] does that, and [`malformed`](Self::malformed) says where the line was.
    pub(crate) fn next_line(&mut self) -> Result<Option<(u64, &[u8])>, InputError> {
        let number = self.line;
        let compressed = self.lines.source().is_gzip();
        match self.lines.next_line() {
            Ok(Some(line)) => {
                self.line += 1;
                Ok(Some((number, without_return(line.text))))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(InputError::from_line(&self.path, file_line(number), compressed, error)),
        }
    }

    /// The next departure, for those who want all of them.
    pub(crate) fn next_departure(&mut self) -> Result<Option<Departure>, InputError> {
        let Some((number, line)) = self.next_line()? else { return Ok(None) };
        match Departure::parse(line) {
            Ok(departure) => Ok(Some(departure)),
            Err(malformed) => Err(self.malformed(number, malformed)),
        }
    }

    /// The error for a data line of this input that could not be parsed.
    pub(crate) fn malformed(&self, number: u64, malformed: Malformed) -> InputError {
        InputError::Malformed { path: self.path.clone(), line: file_line(number), malformed }
    }

    /// Goes to where an earlier reader of the same input stood. A plain file is entered right there; a gzip file has to
    /// be unpacked from its beginning.
    pub(crate) fn resume_at(&mut self, line: u64, offset: u64) -> Result<(), InputError> {
        let changed = || InputError::Changed { path: self.path.clone(), line: file_line(line), offset };
        // Ahead of every data line is the end of another, which is looked at so as not to enter a line in its middle.
        let before = offset.checked_sub(1).ok_or_else(changed)?;
        let mut source = Source::open(&self.path)?;
        let compressed = source.is_gzip();
        let failed =
            |error| InputError::from_line(&self.path, file_line(line), compressed, LineError::Io(error));
        source.advance(before).map_err(failed)?;
        let mut lines = Lines::new(source, before);
        if !lines.step_to_line_start().map_err(failed)? {
            return Err(changed());
        }
        self.lines = lines;
        self.line = line;
        Ok(())
    }
}

impl InputError {
    fn from_line(path: &Path, line: u64, compressed: bool, error: LineError) -> Self {
        match error {
            LineError::Io(error) => Self::from_read(path, line, compressed, error),
            LineError::TooLong(begin) => {
                const _: () = assert!(LONGEST == 4096, "the message below names the limit");
                let malformed = Malformed::new("line", &begin, "at most 4096 bytes");
                Self::Malformed { path: path.into(), line, malformed }
            }
        }
    }
}

/// The number that a text editor shows for a data line: it counts from 1 and has the header first.
const fn file_line(number: u64) -> u64 {
    number.saturating_add(2)
}

fn without_return(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\r").unwrap_or(text)
}
