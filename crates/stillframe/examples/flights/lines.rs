//! Lines of a file in bounded memory: the buffer never grows, whatever the file holds.

use std::io::{self, ErrorKind, Read};

/// The longest line that is read, in bytes without its line end.
pub(crate) const LONGEST: usize = 4096;

const CAPACITY: usize = 256 * 1024;

/// One line without its line feed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) text: &'a [u8],
    /// Whether a line feed followed. Only the last line of a file may lack it.
    pub(crate) terminated: bool,
}

/// Why there is no next line.
#[derive(Debug)]
pub(crate) enum LineError {
    Io(io::Error),
    /// It is longer than [`LONGEST`]; this is how it begins.
    TooLong(Vec<u8>),
}

impl From<io::Error> for LineError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads lines and knows at which byte of the text the next one begins.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    source: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    offset: u64,
    ended: bool,
}

impl<R: Read> Lines<R> {
    /// Lines of `source`, which stands at byte `offset` of its text.
    pub(crate) fn new(source: R, offset: u64) -> Self {
        Self { source, buffer: vec![0; CAPACITY].into_boxed_slice(), start: 0, end: 0, offset, ended: false }
    }

    /// What the lines are read from.
    pub(crate) fn source(&self) -> &R {
        &self.source
    }

    /// The byte of the text at which the next line begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next line, `None` at the end. After an error the reader is of no more use.
    pub(crate) fn next_line(&mut self) -> Result<Option<Line<'_>>, LineError> {
        let mut searched = 0;
        let (length, terminated) = loop {
            let held = &self.buffer[self.start..self.end];
            if let Some(found) = held[searched..].iter().position(|&byte| byte == b'\n') {
                break (searched + found, true);
            }
            searched = held.len();
            if self.ended || searched > LONGEST {
                break (searched, false);
            }
            self.fill()?;
        };
        let begin = self.start;
        if length > LONGEST {
            return Err(LineError::TooLong(self.buffer[begin..begin + LONGEST].to_vec()));
        }
        if length == 0 && !terminated {
            return Ok(None);
        }
        self.consume(length + usize::from(terminated));
        Ok(Some(Line { text: &self.buffer[begin..begin + length], terminated }))
    }

    /// Steps over one byte and says whether a line can begin behind it: it is a line feed, or the last of the file.
    pub(crate) fn step_to_line_start(&mut self) -> io::Result<bool> {
        if self.start == self.end {
            self.fill()?;
        }
        let Some(&byte) = self.buffer[self.start..self.end].first() else { return Ok(false) };
        self.consume(1);
        if byte == b'\n' {
            return Ok(true);
        }
        if self.start == self.end {
            self.fill()?;
        }
        Ok(self.start == self.end)
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Reads more behind what is held. There is room: at most [`LONGEST`] bytes are held, far less than the buffer has.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(bytes) => self.end += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out one byte per call, the worst case for a reader that looks ahead.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(&mut buffer[..1])
        }
    }

    fn all(source: impl Read) -> Vec<(Vec<u8>, bool, u64)> {
        let mut lines = Lines::new(source, 0);
        let mut found = Vec::new();
        while let Some(Line { text, terminated }) = lines.next_line().expect("a readable source") {
            let (text, terminated) = (text.to_vec(), terminated);
            found.push((text, terminated, lines.offset()));
        }
        found
    }

    #[test]
    fn lines_and_offsets_do_not_depend_on_how_bytes_arrive() {
        let text = b"one\n\nthree\nlast";
        let expected = vec![
            (b"one".to_vec(), true, 4),
            (b"".to_vec(), true, 5),
            (b"three".to_vec(), true, 11),
            (b"last".to_vec(), false, 15),
        ];
        assert_eq!(all(&text[..]), expected);
        assert_eq!(all(Trickle(text)), expected);
    }

    #[test]
    fn the_buffer_may_end_anywhere_in_a_line() {
        let line = [b'x'; 1000];
        let text: Vec<u8> = (0..1000).flat_map(|_| line.iter().copied().chain([b'\n'])).collect();
        let found = all(&text[..]);
        assert_eq!(found.len(), 1000);
        assert!(found.iter().all(|(text, terminated, _)| text == &line && *terminated));
    }

    #[test]
    fn the_longest_line_is_read_and_one_byte_more_is_refused() {
        for end in [&b"\n"[..], b"", b"\nmore\n"] {
            let fits = [&[b'x'; LONGEST], end].concat();
            assert_eq!(all(&fits[..])[0].0.len(), LONGEST);
            let over = [&[b'x'; LONGEST + 1], end].concat();
            let error = Lines::new(&over[..], 0).next_line().expect_err("the line is too long");
            assert!(matches!(error, LineError::TooLong(begin) if begin.len() == LONGEST));
        }
    }

    #[test]
    fn a_line_without_end_is_refused_without_reading_it_all() {
        let mut endless = Lines::new(io::repeat(b'x'), 0);
        assert!(matches!(endless.next_line(), Err(LineError::TooLong(_))));
        let long = [b'x'; 2 * LONGEST];
        let mut trickle = Lines::new(Trickle(&long), 0);
        assert!(matches!(trickle.next_line(), Err(LineError::TooLong(_))));
        assert_eq!(trickle.source().0.len(), LONGEST - 1, "one byte more than fits was read");
    }
}
