//! The example of `docs/format.md` is what the code writes and reads, and its table of kinds is that of the code.

use super::version_1::example;
use std::fs;
use std::path::Path;
use stillframe::metadata::{decode, encode};
use stillframe::model::{
    CheckpointKind, CheckpointMetadata, PostCheckpointAction, SavepointFormat, SavepointKind,
};

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

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/format.md");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_example_of_the_document_is_what_the_code_writes_and_reads() {
    let bytes = bytes_of(&document());
    assert_eq!(decode(&bytes), Ok(example()));
    assert_eq!(encode(&example()), Ok(bytes));
}

/// The kind that a row `number | kind | format | what the job does` describes.
fn kind_of(row: &[&str]) -> CheckpointKind {
    let format = |text| match text {
        "canonical" => SavepointFormat::Canonical,
        "native" => SavepointFormat::Native,
        other => panic!("not a format: {other}"),
    };
    let action = |text| match text {
        "goes on" => PostCheckpointAction::None,
        "is suspended" => PostCheckpointAction::Suspend,
        "is terminated" => PostCheckpointAction::Terminate,
        other => panic!("nothing that a job does: {other}"),
    };
    match row {
        ["checkpoint", _, "goes on"] => CheckpointKind::Checkpoint,
        ["full checkpoint", _, "goes on"] => CheckpointKind::FullCheckpoint,
        ["savepoint", in_format, behind] => {
            CheckpointKind::Savepoint(SavepointKind { format: format(in_format), action: action(behind) })
        }
        other => panic!("not a kind: {other:?}"),
    }
}

#[test]
fn the_kinds_of_the_document_have_the_numbers_that_the_code_writes() {
    /// Where the example has its kind.
    const KIND: usize = 45;
    let document = document();
    let section = document.split_once("### Kinds\n").and_then(|(_, rest)| rest.split_once("\n#"));
    let (section, _) = section.expect("there is a section about kinds");
    let rows = section.lines().filter_map(|row| row.strip_prefix("| ")?.strip_suffix(" |"));
    let mut numbers = Vec::new();
    for row in rows.skip(1) {
        let cells: Vec<_> = row.split(" | ").collect();
        let (number, kind) = cells.split_first().expect("a row has cells");
        let number: u8 = number.parse().expect("a row begins with its number");
        let metadata = CheckpointMetadata { kind: kind_of(kind), ..example() };
        let bytes = encode(&metadata).expect("it can be written");
        assert_eq!(bytes.get(KIND), Some(&number), "{row}");
        assert_eq!(decode(&bytes), Ok(metadata), "{row}");
        numbers.push(number);
    }
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7]);
}
