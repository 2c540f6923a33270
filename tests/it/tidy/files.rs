//! What files may be called, how long they may be, and what the pure crates begin with.

use super::packages::{Package, packages};
use super::{assert_none, root};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Names that say nothing, and under which everything gathers that nobody knew a name for.
const EMPTY_NAMES: [&str; 9] =
    ["common", "helper", "helpers", "manager", "managers", "misc", "util", "utilities", "utils"];

/// The length in lines at which a file holds more than one thing.
const LONGEST: usize = 600;

/// The crates that must work without the standard library, without the `stillframe-` in front.
const PURE: [&str; 5] = ["config", "coordinator", "metadata", "model", "task"];

/// The Rust files and their folders below a directory, the latter without build output.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in
        fs::read_dir(directory).unwrap_or_else(|error| panic!("cannot list {}: {error}", directory.display()))
    {
        let path = entry.expect("the entries of a directory can be read").path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(sources(&path));
            found.push(path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn all_sources() -> Vec<PathBuf> {
    let found = ["crates", "tests", "xtask"].map(|directory| sources(&root().join(directory))).concat();
    assert!(found.len() > 20, "the sources were not found");
    found
}

fn has_empty_name(path: &Path) -> bool {
    path.file_stem()
        .and_then(|stem| stem.to_str())
        .is_some_and(|stem| stem.split(['_', '-']).any(|word| EMPTY_NAMES.contains(&word)))
}

#[test]
fn files_are_named_for_what_is_in_them() {
    let complaints = all_sources()
        .iter()
        .filter(|path| has_empty_name(path))
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>();
    assert_none(&complaints, "name the concept; if it has none, it belongs beside its one user");
}

#[test]
fn empty_names_are_recognised() {
    for name in ["src/util.rs", "src/path_utils.rs", "common", "src/checkpoint-manager.rs"] {
        assert!(has_empty_name(Path::new(name)), "{name}");
    }
    for name in ["src/utility_function.rs", "src/commons_of_none.rs", "src/job.rs", "util/job.rs"] {
        assert!(!has_empty_name(Path::new(name)), "{name}");
    }
}

#[test]
fn files_hold_one_thing() {
    let mut complaints = Vec::new();
    for path in all_sources().iter().filter(|path| path.is_file()) {
        let text = fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        let lines = text.lines().count();
        if lines > LONGEST {
            complaints.push(format!("{} has {lines} lines, more than {LONGEST}", path.display()));
        }
    }
    assert_none(&complaints, "move one of the things in it, or its tests, to a file beside it");
}

/// What is wrong with the first file of a crate that promises to work without the standard library.
fn std_complaints(text: &str) -> Vec<&'static str> {
    let mut complaints = Vec::new();
    let mut attributes =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    if !attributes.by_ref().take_while(|line| line.starts_with("#!")).any(|line| line == "#![no_std]") {
        complaints.push("does not say #![no_std], unconditionally, among its first attributes");
    }
    let lines = text.lines().map(str::trim).collect::<Vec<_>>();
    let links = lines.iter().enumerate().filter(|(_, line)| line.contains("extern crate std"));
    let mut before = links.map(|(at, _)| at.checked_sub(1).and_then(|at| lines.get(at)));
    if before.any(|line| line != Some(&"#[cfg(test)]")) {
        complaints.push("links std outside #[cfg(test)]");
    }
    complaints
}

#[test]
fn the_pure_crates_do_without_the_standard_library() {
    let pure = packages().into_iter().filter(Package::is_no_std).collect::<Vec<_>>();
    let names = pure.iter().map(|package| package.name.as_str()).collect::<BTreeSet<_>>();
    let expected = PURE.map(|name| format!("stillframe-{name}"));
    assert_eq!(
        names,
        expected.iter().map(String::as_str).collect(),
        "the category `no-std` is that of the pure crates"
    );
    let mut complaints = Vec::new();
    for package in pure {
        let path = package.manifest.with_file_name("src").join("lib.rs");
        let text = fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        complaints
            .extend(std_complaints(&text).iter().map(|complaint| format!("{} {complaint}", path.display())));
    }
    assert_none(&complaints, "these crates must not be able to reach a clock, a file or a thread");
}

#[test]
fn a_way_to_the_standard_library_is_recognised() {
    let good = "//! What it is.\n#![no_std]\n#![cfg_attr(docsrs, feature(doc_cfg))]\n\nextern crate alloc;\n#[cfg(test)]\nextern crate std;\n";
    assert_eq!(std_complaints(good), [""; 0]);
    for bad in [
        good.replace("#![no_std]\n", ""),
        good.replace("#![no_std]", "#![cfg_attr(not(feature = \"std\"), no_std)]"),
        good.replace("#![no_std]", "// #![no_std]"),
        good.replace("#[cfg(test)]\n", ""),
        good.replace("#[cfg(test)]", "#[cfg(feature = \"std\")]"),
    ] {
        assert_eq!(std_complaints(&bad).len(), 1, "{bad}");
    }
}
