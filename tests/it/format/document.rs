//! The example of `docs/format.md` is what the code writes and reads.

use super::version_1::example;
use std::fs;
use std::path::Path;
use stillframe::metadata::{decode, encode};

/// The bytes of the rows `offset | bytes | meaning` between the lines that begin and end the example. Each row begins where
/// the one before it ended.
fn bytes_of(document: &str) -> Vec<u8> {
    let example = document.split_once("```hexdump\n").and_then(|(_, rest)| rest.split_once("```"));
    let (rows, _) = example.expect("the example begins with ```hexdump and ends with ```");
    let mut bytes = Vec::new();
    for row in rows.lines() {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [offset, hex, meaning] = cells[..] else { panic!("not `offset | bytes | meaning`: {row}") };
        assert_eq!(offset.parse(), Ok(bytes.len()), "the offset of: {row}");
        assert!(!meaning.is_empty(), "no meaning: {row}");
        bytes.extend(hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).expect("a byte has two digits")));
    }
    bytes
}

#[test]
fn the_example_of_the_document_is_what_the_code_writes_and_reads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/format.md");
    let document = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let bytes = bytes_of(&document);
    assert_eq!(decode(&bytes), Ok(example()));
    assert_eq!(encode(&example()), Ok(bytes));
}
