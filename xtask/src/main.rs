//! The doors of the workspace: `cargo xtask ci`, `fix`, `bench NAME` and `prove NAME`.
//!
//! Start with [`ci`], the list of everything that is checked. A [`step::Step`] is a value that says how a thing is
//! checked and what to do when it fails; a [`console::Console`] runs commands, shows what they print, and counts
//! tests and skips on the way. Only [`fix`] writes into the tree; everybody else writes below `target/`.

mod api;
mod bench;
mod ci;
mod command;
mod configuration;
mod console;
mod error;
mod features;
mod fix;
mod licences;
mod machines;
mod packages;
mod proofs;
mod step;
mod stopwatch;
mod tally;
mod workspace;

use crate::console::Console;
use crate::error::Error;
use crate::workspace::Workspace;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// The doors of the Stillframe workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check everything, without changing the tree; ends with a summary
    Ci,
    /// Rewrite what a machine can put right: formatting, simple lints, the snapshots of the public API, the table of settings
    Fix,
    /// Measure one thing beside a reference from the same run
    Bench {
        /// Which one; a name that does not exist lists those that do
        name: String,
        #[command(flatten)]
        options: bench::Options,
    },
    /// Run one tier of evidence, or `all`
    Prove {
        /// Which one; a name that does not exist lists those that do
        name: String,
        /// Also write what was proved to this file, as a JSON list
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Many more cases than `ci` runs
        #[arg(long)]
        deep: bool,
        /// Repeat the cases of an earlier run, which printed this number
        #[arg(long, value_name = "N")]
        seed: Option<u64>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut console = Console::new();
    match open(arguments.verb, &mut console) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            console.say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Goes through one door. `false` if something did not hold.
fn open(verb: Verb, console: &mut Console) -> Result<bool, Error> {
    let workspace = Workspace::read()?;
    match verb {
        Verb::Ci => ci::run(console, &workspace),
        Verb::Fix => fix::run(console, &workspace),
        Verb::Bench { name, options } => bench::run(console, &workspace, &name, &options),
        Verb::Prove { name, json, deep, seed } => {
            let size = if deep { proofs::Size::Deep } else { proofs::Size::Ci };
            proofs::prove(console, &workspace, &name, json.as_deref(), size, seed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
