//! The supervisor itself is killed, and a person starts the job again from the newest checkpoint.

use super::departures::Departures;
use super::program::Place;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::Stdio;

/// Runs the job until a worker was restored, kills supervisor and worker, and gives back the newest checkpoint.
fn interrupted(place: &Place, parallelism: &str, seed: &str) -> PathBuf {
    // So many kills are planned that the end is far away when the first worker has been restored.
    let flags = ["--interval", "20ms", "--kills", "40", "--parallelism", parallelism, "--seed", seed];
    let mut command = place.command(&place.path("input.csv"), &flags);
    let mut supervisor =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the example can be started");
    let stdout = BufReader::new(supervisor.stdout.take().expect("it is piped"));
    let restored = |line: &String| line.starts_with("start ") && line.contains("restored checkpoint");
    let seen = stdout.lines().map(|line| line.expect("the example speaks UTF-8")).find(restored);
    assert!(seen.is_some(), "the job ended before a worker was restored");
    supervisor.kill().expect("it runs");
    supervisor.wait().expect("it ends");
    // The worker has the same standard error, which ends when both are gone.
    let mut said = String::new();
    supervisor
        .stderr
        .take()
        .expect("it is piped")
        .read_to_string(&mut said)
        .expect("the example speaks UTF-8");
    assert_eq!(said, "");

    let [job] = &place.list("checkpoints")[..] else { panic!("one job, one directory") };
    let complete = |path: &PathBuf| path.join("_metadata").is_file();
    let number =
        |path: &PathBuf| -> Option<u64> { path.file_name()?.to_str()?.strip_prefix("chk-")?.parse().ok() };
    let newest =
        place.list(job.strip_prefix(place.path("")).expect("it is in there").to_str().expect("UTF-8"));
    newest.into_iter().filter(complete).max_by_key(number).expect("a completed checkpoint")
}

#[test]
fn a_job_whose_supervisor_was_killed_goes_on_from_its_newest_checkpoint() {
    let departures = Departures::generate(21, 6_000);
    for (seed, parallelism, later) in [("1", "2", "2"), ("2", "2", "3"), ("3", "4", "1"), ("4", "1", "4")] {
        let place = Place::new();
        let input = place.input("input.csv", &departures.text);
        let newest = interrupted(&place, parallelism, seed);
        let pointer = newest.to_str().expect("UTF-8");
        let flags = ["--interval", "20ms", "--kills", "2", "--seed", seed, "--parallelism", later];
        let run = place.run(&input, &[&flags[..], &["--resume", pointer]].concat());
        run.assert_exactly_once();
        assert_eq!(place.difference(&departures), None, "from {parallelism} to {later}");
        assert!(newest.join("_metadata").is_file(), "the checkpoint of another job was removed");
        assert!(!run.stdout.contains("start 1: from the beginning"), "{}", run.stdout);
    }
}

#[test]
fn a_pointer_to_nothing_is_refused_by_name() {
    let place = Place::new();
    let input = place.input("input.csv", &Departures::generate(22, 10).text);
    let nowhere = place.path("checkpoints/none/chk-1");
    let run = place.run(&input, &["--kills", "0", "--resume", nowhere.to_str().expect("UTF-8")]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let [line] = run.stderr.lines().collect::<Vec<_>>()[..] else { panic!("not one line: {run:?}") };
    assert!(line.contains("none/chk-1") && line.contains("not found"), "{line}");
}
