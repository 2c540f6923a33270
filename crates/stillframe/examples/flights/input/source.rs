use super::InputError;
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

const CAPACITY: usize = 256 * 1024;

/// The text of an input file, unpacked if need be.
pub(super) enum Source {
    Plain(File),
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
}

impl Source {
    /// Opens a file at its beginning. What it is, its first bytes decide, not its name.
    pub(super) fn open(path: &Path) -> Result<Self, InputError> {
        // A pipe without a writer would block in `open`.
        let kind = path.metadata().map_err(|error| InputError::from_open(path, error))?;
        if !kind.is_file() {
            return Err(InputError::NotAFile { path: path.into() });
        }
        let mut file = File::open(path).map_err(|error| InputError::from_open(path, error))?;
        let gzip = begins_as_gzip(&mut file).map_err(|error| InputError::from_open(path, error))?;
        if !gzip {
            return Ok(Self::Plain(file));
        }
        Ok(Self::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(CAPACITY, file)))))
    }

    pub(super) fn is_gzip(&self) -> bool {
        matches!(self, Self::Gzip(_))
    }

    /// Goes forward by so many bytes of the text, or to its end.
    pub(super) fn advance(&mut self, bytes: u64) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.seek(SeekFrom::Start(bytes)).map(drop),
            Self::Gzip(decoder) => io::copy(&mut decoder.take(bytes), &mut io::sink()).map(drop),
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_gzip() { "Gzip" } else { "Plain" })
    }
}

fn begins_as_gzip(file: &mut File) -> io::Result<bool> {
    let mut begin = Vec::with_capacity(2);
    file.take(2).read_to_end(&mut begin)?;
    file.rewind()?;
    // A file of only the first magic byte is a gzip file that was cut off there: no text begins like that.
    Ok(matches!(begin[..], [0x1f] | [0x1f, 0x8b]))
}
