use crate::{arbitrary, forge};
use proptest::prelude::*;
use stillframe_metadata::{decode, encode};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(metadata in arbitrary::metadata()) {
        let bytes = encode(&metadata).unwrap();
        prop_assert_eq!(decode(&bytes), Ok(metadata));
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed(metadata in arbitrary::metadata(), places in prop::collection::vec(any::<prop::sample::Index>(), 20)) {
        let bytes = encode(&metadata).unwrap();
        for place in places {
            let bit = place.index(bytes.len() * 8);
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode(&bad).is_err(), "bit {}", bit);
        }
    }

    #[test]
    fn no_cut_goes_unnoticed(metadata in arbitrary::metadata()) {
        let bytes = encode(&metadata).unwrap();
        for cut in (0..bytes.len()).rev().take(300) {
            prop_assert!(decode(&bytes[..cut]).is_err(), "cut at {}", cut);
        }
    }

    /// The same value never has two encodings: what is read at all is exactly what would be written for it. The checksums are
    /// made right after the change, so that it is the body that has to give the answer.
    #[test]
    fn what_can_be_read_is_what_would_be_written(
        metadata in arbitrary::metadata(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let mut body = forge::body(&encode(&metadata).unwrap()).to_vec();
        for (place, byte, how) in changes {
            let at = place.index(body.len());
            match how {
                0 => body.insert(at, byte),
                1 => drop(body.remove(at)),
                2 => body[at] = byte,
                _ => body[at] = body[at].wrapping_add(byte % 3),
            }
        }
        let bytes = forge::seal(&body);
        if let Ok(metadata) = decode(&bytes) {
            prop_assert_eq!(encode(&metadata), Ok(bytes));
        }
    }

    #[test]
    fn any_body_gives_a_value_or_a_refusal(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = forge::seal(&body);
        if let Ok(metadata) = decode(&bytes) {
            prop_assert_eq!(encode(&metadata), Ok(bytes));
        }
        let behind_preamble = forge::seal(&forge::Pen::subtask().raw(&body).0);
        if let Ok(metadata) = decode(&behind_preamble) {
            prop_assert_eq!(encode(&metadata), Ok(behind_preamble));
        }
    }
}
