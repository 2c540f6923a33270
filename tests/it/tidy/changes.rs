//! A version that users can have is a version that the change log speaks of.

use super::packages::packages;
use super::{assert_none, root};
use std::collections::BTreeSet;
use std::fs;

/// Whether a heading of the change log names the version.
fn mentions(changes: &str, version: &str) -> bool {
    let headings = changes.lines().filter(|line| line.starts_with('#'));
    let mut words = headings.flat_map(|line| line.split(|c: char| c.is_whitespace() || "[](),:".contains(c)));
    words.any(|word| word.strip_prefix('v').unwrap_or(word) == version)
}

#[test]
fn the_change_log_speaks_of_the_version_in_the_workspace() {
    let packages = packages();
    let versions = packages.iter().map(|package| package.version()).collect::<BTreeSet<_>>();
    assert_eq!(versions.len(), 1, "all packages have the version of the workspace");
    let changes = fs::read_to_string(root().join("CHANGELOG.md")).unwrap_or_default();
    let missing = versions.iter().filter(|version| !mentions(&changes, version));
    let complaints =
        missing.map(|version| format!("CHANGELOG.md has no heading with {version}")).collect::<Vec<_>>();
    assert_none(&complaints, "say what changed for users in this version");
}

#[test]
fn a_version_is_found_in_a_heading_only() {
    assert!(mentions("# Changes\n\n## [0.1.0] - unreleased\n", "0.1.0"));
    assert!(mentions("## v0.1.0\n", "0.1.0"));
    assert!(!mentions("## 0.1.0-rc.1\n", "0.1.0"));
    assert!(!mentions("## 0.2.0\n\nSince 0.1.0 this changed.\n", "0.1.0"));
}
