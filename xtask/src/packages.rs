//! What each crate would bring to the registry builds by itself.

use crate::command::CommandLine;
use crate::console::Console;
use crate::error::Error;
use crate::step::Outcome;
use crate::workspace::Workspace;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Packages and builds all published crates together: they depend on one another and may not be on the registry yet.
pub(crate) fn check(console: &mut Console, workspace: &Workspace) -> Result<Outcome, Error> {
    if let Some(home) = cargo_home() {
        forget(&home.join("registry/src"), workspace)?;
    }
    let package = CommandLine::cargo(
        "package --workspace --exclude stillframe-tests --exclude xtask --allow-dirty --quiet",
    );
    Ok(if console.run(&package)? { Outcome::Ok } else { Outcome::Failed(package.to_string()) })
}

fn cargo_home() -> Option<PathBuf> {
    let set = env::var_os("CARGO_HOME").map(PathBuf::from);
    set.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))
}

/// Removes what cargo has unpacked of our crates for an earlier check. It stands in for a registry without a name, keeps what
/// it has once unpacked of a version, and would build that again instead of today's files.
fn forget(sources: &Path, workspace: &Workspace) -> Result<(), Error> {
    let registries = match fs::read_dir(sources) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.map_err(Error::file("list", sources))?,
    };
    for registry in registries {
        let registry = registry.map_err(Error::file("list", sources))?.path();
        let is_nameless = registry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('-'));
        if !is_nameless {
            continue;
        }
        for unpacked in fs::read_dir(&registry).map_err(Error::file("list", &registry))? {
            let unpacked = unpacked.map_err(Error::file("list", &registry))?.path();
            let name =
                unpacked.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let is_ours = |package: &str| {
                let version = name.strip_prefix(package).and_then(|rest| rest.strip_prefix('-'));
                version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
            };
            if workspace.published().any(|package| is_ours(&package.name)) {
                fs::remove_dir_all(&unpacked).map_err(Error::file("remove", &unpacked))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Package;

    #[test]
    fn only_our_own_crates_of_nameless_registries_are_forgotten() {
        let sources = env::temp_dir().join(format!("stillframe-packages-{}", std::process::id()));
        let kept = ["-1/serde-1.0.0", "-1/stillframe-extra-1.0.0", "index.crates.io-1/stillframe-0.1.0"];
        let forgotten = ["-1/stillframe-0.1.0", "-2/stillframe-0.2.0"];
        for path in kept.iter().chain(&forgotten) {
            fs::create_dir_all(sources.join(path)).unwrap();
        }
        let mut workspace = Workspace::empty();
        workspace.packages.push(Package { name: "stillframe".into(), published: true, ..Package::default() });
        forget(&sources, &workspace).unwrap();
        let is_there = |path: &&str| sources.join(path).is_dir();
        assert!(kept.iter().all(is_there) && !forgotten.iter().any(is_there));
        fs::remove_dir_all(&sources).unwrap();
        assert!(forget(&sources, &workspace).is_ok(), "nothing to forget");
    }
}
