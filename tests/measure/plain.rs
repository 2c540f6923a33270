//! What the same bytes cost without Stillframe: `write`, `fsync`, `read`, and nothing else.

use crate::{CHUNK, Failure};
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::Path;

/// Writes a new file of so many bytes, durably.
pub(crate) fn write(path: &Path, chunk: &[u8], mut bytes: u64) -> Result<(), Failure> {
    let mut file = File::create_new(path)?;
    while bytes > 0 {
        let part = usize::try_from(bytes).unwrap_or(usize::MAX).min(chunk.len());
        file.write_all(&chunk[..part])?;
        bytes -= part as u64;
    }
    Ok(file.sync_all()?)
}

/// Reads a file into the same few bytes over and over, and returns how many there were.
pub(crate) fn read(path: &Path) -> Result<u64, Failure> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(bytes),
            read => {
                black_box(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}

pub(crate) fn remove(path: &Path) -> Result<(), Failure> {
    Ok(fs::remove_file(path)?)
}
