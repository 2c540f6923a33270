//! What every file with state begins with: a mark that says which file it is.
//!
//! Checksums alone cannot tell that two files were exchanged if what is in them ends in a checksum of the same kind, which
//! the states of many programs do: the checksum of all such states of one length is the same.

use bytes::{BufMut, Bytes, BytesMut};
use stillframe_model::{Crc32c, Name};

const MAGIC: [u8; 8] = *b"STILLSTA";
const VERSION: u32 = 1;

/// How many bytes the mark has. State begins behind it.
pub(crate) const MARK_LEN: u64 = 32;

/// The mark of the file with this name: `STILLSTA`, version 1 in 4 bytes, the CRC-32C of the name in 4, and in 16 the number
/// whose hexadecimal digits follow the last hyphen of the name, or are all of it; zero if they are none.
pub(crate) fn mark(name: &Name) -> Bytes {
    let text = name.as_str();
    let unique = text.rsplit_once('-').map_or(text, |(_, unique)| unique);
    let mut mark = BytesMut::with_capacity(MARK_LEN as usize);
    mark.put_slice(&MAGIC);
    mark.put_u32_le(VERSION);
    mark.put_u32_le(Crc32c::of(text.as_bytes()).0);
    mark.put_u128(u128::from_str_radix(unique, 16).unwrap_or_default());
    mark.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_one_file_from_another() {
        let of = |text: &str| mark(&Name::new(text).unwrap());
        let one = of("state-000102030405060708090a0b0c0d0e0f");
        assert_eq!(one.len() as u64, MARK_LEN);
        assert_eq!(one[..12], *b"STILLSTA\x01\0\0\0");
        assert_eq!(one[16..], core::array::from_fn::<u8, 16, _>(|at| at as u8));
        for other in
            ["state-000102030405060708090a0b0c0d0e00", "segment-000102030405060708090a0b0c0d0e0f", "x", "y"]
        {
            assert_ne!(of(other), one);
        }
        assert_ne!(of("x"), of("y"));
    }
}
