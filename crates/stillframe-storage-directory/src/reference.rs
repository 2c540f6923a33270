//! Location references of places that do not follow from a checkpoint's id. The bytes are Flink's.

use bytes::Bytes;
use stillframe_model::LocationReference;
use stillframe_storage::{ErrorKind, StorageError};

/// What a reference of this kind begins with; the address follows in UTF-8.
const MAGIC: [u8; 4] = [0x05, 0x5f, 0x3f, 0x18];

/// The reference that carries this address.
pub(crate) fn encode(address: &str) -> LocationReference {
    LocationReference::Encoded(Bytes::from([&MAGIC[..], address.as_bytes()].concat()))
}

/// The address that a reference carries.
///
/// # Errors
/// `InvalidPointer`, saying what is wrong, if [`encode`] did not make the bytes.
pub(crate) fn decode(reference: &[u8]) -> Result<&str, StorageError> {
    let refuse = |detail: &str| {
        let shown = reference.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>();
        Err(StorageError::new(ErrorKind::InvalidPointer, "decode location reference", format!("0x{shown}"))
            .with_detail(detail))
    };
    if reference.len() <= MAGIC.len() {
        return refuse("too short to hold an address");
    }
    let Some(address) = reference.strip_prefix(&MAGIC) else {
        return refuse("does not begin with 055f3f18, so another storage made it");
    };
    match str::from_utf8(address) {
        Ok(address) => Ok(address),
        Err(_) => refuse("the address is not valid UTF-8"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_flink() {
        let LocationReference::Encoded(bytes) = encode("/sp/ä") else { panic!("not encoded") };
        assert_eq!(&bytes[..], b"\x05\x5f\x3f\x18/sp/\xc3\xa4");
        assert_eq!(decode(&bytes).unwrap(), "/sp/ä");
    }

    #[test]
    fn each_defect_has_its_own_words() {
        for (bytes, words) in [
            (&b""[..], "too short"),
            (b"\x05\x5f\x3f\x18", "too short"),
            (b"\x05\x5f\x3f\x19/sp", "another storage"),
            (b"\x05\x5f\x3f\x18/\xff", "UTF-8"),
        ] {
            let error = decode(bytes).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidPointer);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
