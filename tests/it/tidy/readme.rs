//! The program on the README's first page is the one that is compiled and run as a doctest of the facade.

use super::root;
use std::fs;

/// The lines between the first fence that begins with `open` and the next fence.
pub(super) fn block<'a>(text: &'a str, prefix: &str, open: &str) -> Vec<&'a str> {
    let lines = text.lines().map(|line| line.strip_prefix(prefix).unwrap_or(line));
    lines.skip_while(|line| *line != open).skip(1).take_while(|line| *line != "```").collect()
}

#[test]
fn the_program_of_the_readme_is_the_tested_one() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("a file of the project");
    let (readme, facade) = (read("README.md"), read("crates/stillframe/src/lib.rs"));
    let shown = block(&readme, "", "```rust");
    assert_eq!(shown.len(), 12, "twelve lines, as the change log and the crate table say");
    assert_eq!(
        shown,
        block(&facade, "//! ", "```"),
        "copy the program from crates/stillframe/src/lib.rs to README.md"
    );
}

#[test]
fn a_block_ends_at_its_fence() {
    assert_eq!(block("x\n```rust\na\nb\n```\nc\n```\n", "", "```rust"), ["a", "b"]);
    assert!(block("nothing here", "", "```rust").is_empty());
}
