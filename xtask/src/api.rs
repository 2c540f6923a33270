//! Snapshots of the public API, one file per published crate, so that a change of it is a diff that somebody reads.

use crate::command::CommandLine;
use crate::console::Console;
use crate::error::Error;
use crate::step::Outcome;
use crate::workspace::{Package, Workspace};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Traits that the compiler gives to nearly every type and that nobody relies on by name. `Send` and `Sync` stay in
/// the snapshot.
const UNINTERESTING: [&str; 6] =
    ["Freeze", "RefUnwindSafe", "StructuralPartialEq", "UnsafeUnpin", "Unpin", "UnwindSafe"];

/// Compares, and prints what differs.
pub(crate) fn check(console: &mut Console, workspace: &Workspace) -> Result<Outcome, Error> {
    let mut differing = Vec::new();
    for package in workspace.published() {
        let actual = match render(console, workspace, package)? {
            Rendered::Text(text) => text,
            Rendered::NotBuilt => {
                differing.push(format!("{} does not build", package.name));
                continue;
            }
            Rendered::OtherFormat(reason) => return Ok(Outcome::Skipped(reason)),
        };
        let path = snapshot_path(workspace, &package.name);
        let expected = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::file("read", &path)(error)),
        };
        if expected != actual {
            differing.push(package.name.clone());
            difference(&expected, &actual).iter().for_each(|line| console.say(line));
        }
    }
    differing
        .extend(orphans(workspace)?.iter().map(|path| format!("{} belongs to no crate", path.display())));
    Ok(if differing.is_empty() { Outcome::Ok } else { Outcome::Failed(differing.join(", ")) })
}

/// Makes the snapshots say what is. `false` if a crate does not build, or with a compiler that cannot
/// be understood.
pub(crate) fn rewrite(console: &mut Console, workspace: &Workspace) -> Result<bool, Error> {
    for package in workspace.published() {
        let text = match render(console, workspace, package)? {
            Rendered::Text(text) => text,
            Rendered::NotBuilt => return Ok(false),
            Rendered::OtherFormat(reason) => {
                console.skip("public API snapshots", &reason);
                return Ok(false);
            }
        };
        let path = snapshot_path(workspace, &package.name);
        let directory = directory(workspace);
        fs::create_dir_all(&directory).map_err(Error::file("create", &directory))?;
        // Left alone when it is right already, so that its time of change means something.
        if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            fs::write(&path, text).map_err(Error::file("write", &path))?;
        }
    }
    for path in orphans(workspace)? {
        fs::remove_file(&path).map_err(Error::file("remove", &path))?;
    }
    Ok(true)
}

enum Rendered {
    Text(String),
    /// What keeps it from being built was shown.
    NotBuilt,
    /// Compiler and reader do not understand each other; says how.
    OtherFormat(String),
}

fn render(console: &mut Console, workspace: &Workspace, package: &Package) -> Result<Rendered, Error> {
    // The format is unstable, hence the variable. It changes the fingerprint of every dependency, hence the directory.
    let target = workspace.target.join("api");
    let command = CommandLine::cargo("rustdoc --quiet --lib --all-features --package")
        .arg(&package.name)
        .arg("--target-dir")
        .arg(&target)
        .words("-- -Z unstable-options --output-format json --cap-lints allow")
        .env("RUSTC_BOOTSTRAP", "1");
    if !console.run(&command)? {
        return Ok(Rendered::NotBuilt);
    }
    let path = target.join("doc").join(format!("{}.json", package.name.replace('-', "_")));
    let api = match public_api::Builder::from_rustdoc_json(&path).omit_blanket_impls(true).build() {
        Ok(api) => api,
        Err(error) => {
            let reason = format!("this release of public-api cannot read what this rustdoc writes: {error}");
            return Ok(Rendered::OtherFormat(reason.lines().collect::<Vec<_>>().join(" ")));
        }
    };
    let lines = api.items().map(ToString::to_string).filter(|line| is_interesting(line));
    Ok(Rendered::Text(lines.map(|line| line + "\n").collect()))
}

fn is_interesting(line: &str) -> bool {
    let Some((_, implementation)) = line.split_once("impl") else { return true };
    let Some((of, _)) = implementation.split_once(" for ") else { return true };
    !UNINTERESTING.iter().any(|name| of.ends_with(&format!("::{name}")))
}

/// The lines that are in one text only, in the order of the texts.
pub(crate) fn difference(expected: &str, actual: &str) -> Vec<String> {
    let before = expected.lines().collect::<BTreeSet<_>>();
    let after = actual.lines().collect::<BTreeSet<_>>();
    let gone = expected.lines().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
    let new = actual.lines().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(new).collect()
}

fn directory(workspace: &Workspace) -> PathBuf {
    workspace.root.join("tests/api")
}

fn snapshot_path(workspace: &Workspace, package: &str) -> PathBuf {
    directory(workspace).join(format!("{package}.txt"))
}

/// Snapshots of crates that are gone, or no longer published.
fn orphans(workspace: &Workspace) -> Result<Vec<PathBuf>, Error> {
    let directory = directory(workspace);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("list", &directory)(error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let known =
        workspace.published().map(|package| snapshot_path(workspace, &package.name)).collect::<BTreeSet<_>>();
    let is_orphan = |path: &PathBuf| is_text(path) && !known.contains(path);
    Ok(paths.map_err(Error::file("list", &directory))?.into_iter().filter(is_orphan).collect())
}

fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "txt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_says_what_is_gone_and_what_is_new() {
        assert_eq!(difference("a\nb\nc\n", "a\nc\nd\n"), ["- b", "+ d"]);
        assert_eq!(difference("a\n", "a\n"), [""; 0]);
    }

    #[test]
    fn only_what_nobody_relies_on_is_left_out() {
        assert!(!is_interesting("impl core::marker::Unpin for m::Name"));
        assert!(!is_interesting("impl<T> core::panic::unwind_safe::UnwindSafe for m::Name<T> where T: X"));
        assert!(is_interesting("impl core::marker::Send for m::Name"));
        assert!(is_interesting("pub fn m::Name::implant(&self) -> bool"));
        assert!(is_interesting("impl m::Name"));
    }
}
