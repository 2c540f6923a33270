use crate::api;
use crate::command::CommandLine;
use crate::configuration;
use crate::console::Console;
use crate::error::Error;
use crate::workspace::Workspace;

/// The only verb that writes into the tree. `false` if something is left for a person.
pub(crate) fn run(console: &mut Console, workspace: &Workspace) -> Result<bool, Error> {
    let clippy = "clippy --fix --workspace --all-targets --all-features --allow-dirty --allow-staged --allow-no-vcs -- -D warnings";
    let mut fixed = console.run(&CommandLine::cargo(clippy))?;
    // After clippy, whose corrections are not formatted.
    fixed &= console.run(&CommandLine::cargo("fmt --all"))?;
    fixed &= api::rewrite(console, workspace)?;
    configuration::rewrite(workspace)?;
    console.say(if fixed { "fixed what a machine can fix" } else { "something is left to do; see above" });
    Ok(fixed)
}
