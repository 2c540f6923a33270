//! Every deliberate difference from Flink names the test that pins it, and the test exists.

use super::{assert_none, root};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// The differences, as (what Stillframe does, the tests in backquotes in the last column).
fn rows(document: &str) -> Vec<(&str, Vec<&str>)> {
    let lines = document.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Flink |"));
    let cells = lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    cells
        .filter(|cells| cells.len() == 4)
        .map(|cells| (cells[1], cells[3].split('`').skip(1).step_by(2).collect()))
        .collect()
}

/// Whether any Rust file below `directory` has this text.
fn occurs(directory: &Path, text: &str) -> bool {
    fs::read_dir(directory).expect("a directory of the project").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            path.file_name() != Some(OsStr::new("target")) && occurs(&path, text)
        } else {
            path.extension() == Some(OsStr::new("rs"))
                && fs::read_to_string(&path).is_ok_and(|code| code.contains(text))
        }
    })
}

#[test]
fn every_difference_from_flink_is_pinned_by_a_test_that_exists() {
    let document = fs::read_to_string(root().join("docs/from-flink.md")).expect("a file of the project");
    let rows = rows(&document);
    assert!(rows.len() >= 10, "the table was not found");
    let mut complaints = Vec::new();
    for (difference, pins) in rows {
        if pins.is_empty() {
            complaints.push(format!("no test is named for: {difference}"));
        }
        for pin in pins.iter().filter(|pin| !pin.starts_with("stillframe-")) {
            let found = [format!("fn {pin}("), format!("pub struct {pin} ")]
                .iter()
                .any(|text| occurs(&root().join("crates"), text) || occurs(&root().join("tests"), text));
            if !found {
                complaints.push(format!("{pin} does not exist; it should pin: {difference}"));
            }
        }
    }
    assert_none(&complaints, "correct docs/from-flink.md, or write the test");
}

#[test]
fn rows_are_read_with_their_tests() {
    let document =
        "| Flink | Stillframe | why | pinned by |\n|---|---|---|---|\n| a | b | c | `x` and `y` |\n";
    assert_eq!(rows(document), [("b", vec!["x", "y"])]);
}
