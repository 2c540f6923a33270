//! Reads the text of a configuration file, line by line.

mod line;
mod nesting;
#[cfg(test)]
mod tests;

use super::Options;
use alloc::borrow::Cow;
use nesting::Nesting;

/// A line could not be read. The text of the line is not repeated, because it may hold a secret; a key is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {found} (expected `key: value` or `key = \"value\"`; {advice})")]
pub struct ParseError {
    line: usize,
    found: Cow<'static, str>,
    advice: &'static str,
}

impl ParseError {
    /// The number of the line, counted from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }
}

impl Options {
    /// Reads a configuration file as Flink's users have them: lines such as `key: value`, flat as in `flink-conf.yaml` or
    /// indented below `section:` as in `config.yaml`, and lines such as `key = "value"`, also below a `[section]`, as in
    /// TOML. The keys of sections are joined by dots.
    ///
    /// Keys and values may be in quotes; `#` begins a comment at the beginning of a line and after a blank. A key without
    /// a value has the empty text, the lines `- item` below a key are joined by semicolons, a text in lines below `|` or
    /// `>` is read, and a list or table in `[` or `{` stays the text that it is, as does what goes on after a closing quote.
    ///
    /// If a key is there twice, the last one holds, as Flink has it, unless it is a setting of checkpointing.
    ///
    /// # Errors
    /// For a line that is none of these, for one whose indentation fits nothing above it or has a tab in it, for a key of
    /// more than 1024 bytes in sections, and for a setting of checkpointing that is there a second time.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut nesting = Nesting::default();
        for (index, line) in text.lines().enumerate() {
            nesting.line(index + 1, line)?;
        }
        nesting.finish()
    }
}

/// What is wrong with a line, and what to do about it.
struct Fault {
    found: Cow<'static, str>,
    advice: &'static str,
}

impl Fault {
    fn new(found: impl Into<Cow<'static, str>>, advice: &'static str) -> Self {
        Self { found: found.into(), advice }
    }

    fn at(self, line: usize) -> ParseError {
        ParseError { line, found: self.found, advice: self.advice }
    }
}
