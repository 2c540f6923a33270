//! The main job: running totals of real flight departures, killed with SIGKILL while it works, and proved exact.
//!
//! ```text
//! cargo run --release --example flights -- --help
//! ```
//!
//! Two processes share this program. The **supervisor** (`supervisor`) is what a person starts: it passes over the input
//! once to know what must come out (`expected`), starts a worker, kills it at random moments (`kills`), starts the
//! next, and in the end compares (`verify`). A **worker** (`worker`) runs the dataflow (`job`), which is the part to
//! read for how Stillframe is used, and tells its supervisor what happens (`protocol`).
//!
//! Linux only, as far as killing goes: a worker asks the kernel to die with its supervisor.

mod alerts;
mod args;
mod clock;
mod departure;
mod expected;
mod input;
mod job;
mod kills;
mod lines;
mod output;
mod pace;
mod place;
mod progress;
mod protocol;
mod report;
mod source;
mod split;
mod supervisor;
mod table;
mod tally;
mod totals;
mod verify;
mod worker;

use args::Args;
use clap::Parser;
use std::process::ExitCode;
use verify::Verdict;

/// Exit status 0 says that every departure took effect exactly once, whatever mode was asked for.
#[expect(clippy::print_stderr, reason = "a program reports its failure there")]
fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(options) = args.worker_options() {
        return worker::run(&options);
    }
    match supervisor::run(&args) {
        Ok(Verdict::Yes) => ExitCode::SUCCESS,
        Ok(Verdict::No(_)) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("flights: {error}");
            ExitCode::FAILURE
        }
    }
}
