//! SIGKILL before and after every storage operation and every step of a sink, one after the other, the end of the job
//! included; then the job is run again and its output must be exact.
//!
//! The job runs in a process of its own: this test binary once more, with one test selected. It counts the points that it
//! passes and kills itself at the one that it was told. Which operations lie before which is decided by the storage's and
//! the job's own concurrency, so the same number is not always the same operation; what is tried is counted by name.

mod job;
mod storage;

use super::{Proof, report, seed, size};
use std::collections::BTreeMap;
use std::env;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

const DIRECTORY: &str = "STILLFRAME_KILL_POINTS_DIRECTORY";
const DIE_AT: &str = "STILLFRAME_KILL_POINTS_DIE_AT";
const SIGKILL: i32 = 9;

/// Where a process that is about to die writes down before which point.
const LAST_WORDS: &str = "died-at";

/// The job, uninterrupted when nobody asks for more; otherwise in the directory and with the end that the proof wants.
#[test]
fn the_job_by_itself_is_exact() {
    let Some(directory) = env::var_os(DIRECTORY) else {
        let directory = tempfile::tempdir().expect("a temporary directory");
        job::run(directory.path(), None).expect("the job runs to its end");
        assert_eq!(job::wrong(directory.path()), None);
        return;
    };
    let die_at = env::var(DIE_AT).ok().map(|number| number.parse().expect("the number of a point"));
    job::run(Path::new(&directory), die_at).expect("the job runs to its end");
}

fn run_process(directory: &Path, die_at: Option<u64>) -> ExitStatus {
    let mut command = Command::new(env::current_exe().expect("this test"));
    command.args(["--exact", "prove::kill_points::the_job_by_itself_is_exact"]);
    command.env(DIRECTORY, directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match die_at {
        Some(number) => command.env(DIE_AT, number.to_string()),
        None => command.env_remove(DIE_AT),
    };
    command.status().expect("the test binary can be started")
}

/// Kills the job at point `first`, its restart at point `second`, and lets the third process finish. `None`: the job ended
/// before it came to its point.
fn case(first: u64, second: u64) -> Option<(String, Result<(), String>)> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    if run_process(directory.path(), Some(first)).signal() != Some(SIGKILL) {
        return None;
    }
    let died_at = std::fs::read_to_string(directory.path().join(LAST_WORDS)).unwrap_or_default();
    run_process(directory.path(), Some(second));
    let last = run_process(directory.path(), None);
    let result = match job::wrong(directory.path()) {
        _ if !last.success() => Err(format!("the last process ended with {last}")),
        Some(wrong) => Err(wrong),
        None => Ok(()),
    };
    Some((died_at, result))
}

#[test]
fn output_is_exact_wherever_the_process_is_killed() {
    let mut proof = Proof::begin("kill_points");
    let seed = seed();
    let stride = size().pick(3, 1);
    let mut points = BTreeMap::<String, u64>::new();
    let mut wrong = Vec::new();
    let mut point = seed % stride;
    // Restarts die at points that the seed chooses, so that recovery is interrupted as well.
    while let Some((died_at, result)) = case(point, (seed ^ point.wrapping_mul(0x9e37_79b9)) % 40) {
        *points.entry(died_at).or_default() += 1;
        proof.cases += 1;
        if let Err(what) = result {
            proof.violations += 1;
            wrong.push(format!("point {point}: {what}"));
        }
        point += stride;
    }
    let kinds: Vec<_> = points.iter().map(|(kind, times)| format!("{kind} {times}")).collect();
    proof.detail = format!("seed {seed}; every {stride}th point up to {point}: {}", kinds.join(", "));
    if !wrong.is_empty() {
        proof.detail = format!("{}; {}", proof.detail, wrong.join("; "));
    }
    // A proof that never meets what it is about proves nothing. Which kinds a stride meets is a matter of chance.
    assert!(points.len() >= size().pick(5, 12), "too few kinds of points were met; {}", proof.detail);
    report(&proof);
}
