//! The rules of the house that no compiler checks. Each rule is a function from what was found to complaints, so that it
//! can be shown something bad; and a test that shows it this workspace.

mod arrows;
mod changes;
mod configuration;
mod files;
mod names;
mod packages;
mod pinned;
mod proofs;
mod readme;
mod settings;

use std::path::{Path, PathBuf};

/// The directory of the workspace.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("this package lies directly below the root").to_owned()
}

/// Fails with all complaints, one a line, and what to do about them.
fn assert_none(complaints: &[String], remedy: &str) {
    assert!(complaints.is_empty(), "{}\n{remedy}", complaints.join("\n"));
}
