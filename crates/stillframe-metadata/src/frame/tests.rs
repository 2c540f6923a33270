use super::*;
use alloc::string::String;
use alloc::vec;

#[test]
fn every_cut_and_every_flipped_bit_is_noticed() {
    let value = vec![7_u64, 8, 9];
    let bytes = seal(RecordKind::Value, &value).unwrap();
    assert_eq!(open(RecordKind::Value, &bytes), Ok(value));
    for cut in 0..bytes.len() {
        assert!(open::<Vec<u64>>(RecordKind::Value, &bytes[..cut]).is_err(), "cut at {cut}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(open::<Vec<u64>>(RecordKind::Value, &bad).is_err(), "bit {bit}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(
        open::<Vec<u64>>(RecordKind::Value, &longer),
        Err(FormatError::TrailingBytes { found: 1, expected: bytes.len() as u64 })
    );
}

#[test]
fn a_record_is_not_mistaken_for_another_kind() {
    let bytes = seal(RecordKind::KeyedState, &1_u8).unwrap();
    assert_eq!(
        open::<u8>(RecordKind::OperatorState, &bytes),
        Err(FormatError::WrongKind { found: 2, expected: 3 })
    );
}

#[test]
fn a_huge_length_inside_a_valid_frame_is_refused() {
    // The body claims 2^60 bytes of text. The checksums are right: this is malice, not rot.
    let bytes = seal(RecordKind::Value, &(1_u64 << 60)).unwrap();
    assert!(matches!(open::<String>(RecordKind::Value, &bytes), Err(FormatError::Invalid { .. })));
}
