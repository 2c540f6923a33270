use crate::departure::Malformed;
use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Why the input cannot be processed. Printed as one line that names the file and, where there is one, the line.
#[derive(Debug)]
pub(crate) enum InputError {
    /// There is no such file.
    Missing { path: PathBuf },
    /// It is a directory, a pipe or the like; the input is read more than once.
    NotAFile { path: PathBuf },
    /// The operating system refused.
    Unreadable { path: PathBuf, line: u64, source: io::Error },
    /// Not even a header.
    Empty { path: PathBuf },
    /// A gzip file that ends in the middle of a member.
    CutOff { path: PathBuf, line: u64 },
    /// A gzip file that does not unpack.
    Corrupt { path: PathBuf, line: u64, source: io::Error },
    /// A line that is not what it should be.
    Malformed { path: PathBuf, line: u64, malformed: Malformed },
    /// A reader was to continue where no line begins.
    Changed { path: PathBuf, line: u64, offset: u64 },
}

impl InputError {
    pub(super) fn from_open(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::Missing { path: path.into() },
            _ => Self::Unreadable { path: path.into(), line: 1, source },
        }
    }

    pub(super) fn from_read(path: &Path, line: u64, compressed: bool, source: io::Error) -> Self {
        let path = path.into();
        // The unpacker makes its own errors, the operating system's carry their number.
        if !compressed || source.raw_os_error().is_some() {
            Self::Unreadable { path, line, source }
        } else if source.kind() == ErrorKind::UnexpectedEof {
            Self::CutOff { path, line }
        } else {
            Self::Corrupt { path, line, source }
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { path } => {
                write!(
                    f,
                    "{}: no such file, expected a .csv or .csv.gz of departures; check --input",
                    path.display()
                )
            }
            Self::NotAFile { path } => {
                write!(
                    f,
                    "{}: not a regular file, expected one that can be read several times",
                    path.display()
                )
            }
            Self::Unreadable { path, line, source } => {
                write!(f, "{}, line {line}: cannot be read: {source}", path.display())
            }
            Self::Empty { path } => {
                write!(
                    f,
                    "{}, line 1: the file is empty, expected the header {}",
                    path.display(),
                    crate::departure::HEADER
                )
            }
            Self::CutOff { path, line } => write!(
                f,
                "{}, line {line}: the gzip data is cut off in the middle of a member, expected its end; fetch the file again",
                path.display()
            ),
            Self::Corrupt { path, line, source } => {
                write!(
                    f,
                    "{}, line {line}: the gzip data is corrupt: {source}; fetch the file again",
                    path.display()
                )
            }
            Self::Malformed { path, line, malformed } => {
                write!(f, "{}, line {line}: {malformed}", path.display())
            }
            Self::Changed { path, line, offset } => write!(
                f,
                "{}, line {line}: no line begins at byte {offset}, expected the file to be as it was at the checkpoint",
                path.display()
            ),
        }
    }
}

impl Error for InputError {}
