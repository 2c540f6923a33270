//! The main job as a person runs it: a program that is killed. What it leaves is compared with what was counted while its
//! input was written, not with what it says of itself alone.

mod bad_input;
pub(crate) mod departures;
pub(crate) mod program;
mod resumed;

use departures::Departures;
use program::{Place, Run};
use std::collections::BTreeMap;
use std::fs;

/// Runs the example, and checks that it says what is true: everything took effect exactly once.
fn run_exactly_once(place: &Place, input: &str, departures: &Departures, flags: &[&str]) -> Run {
    let run = place.run(&place.path(input), flags);
    run.assert_exactly_once();
    assert_eq!(place.difference(departures), None, "{flags:?}");
    run
}

/// All numbers of kills and two seeds, for one parallelism. Each output equals the same table, so all are equal.
fn survives_kills_at(parallelism: &str) {
    let departures = Departures::generate(11, 6_000);
    let place = Place::new();
    place.input("input.csv", &departures.text);
    for kills in ["0", "3", "5"] {
        for seed in ["1", "20"] {
            let flags =
                ["--interval", "20ms", "--parallelism", parallelism, "--kills", kills, "--seed", seed];
            let run = run_exactly_once(&place, "input.csv", &departures, &flags);
            assert_eq!(run.kills().map(|kills| kills.to_string()).as_deref(), Some(kills), "{flags:?}");
        }
    }
}

#[test]
fn one_instance_survives_kills() {
    survives_kills_at("1");
}

#[test]
fn two_instances_survive_kills() {
    survives_kills_at("2");
}

#[test]
fn four_instances_survive_kills() {
    survives_kills_at("4");
}

#[test]
fn twenty_kills_change_nothing() {
    let departures = Departures::generate(12, 8_000);
    let place = Place::new();
    place.input("input.csv.gz", &departures.text);
    let run = run_exactly_once(
        &place,
        "input.csv.gz",
        &departures,
        &["--interval", "20ms", "--kills", "20", "--seed", "3"],
    );
    assert_eq!(run.kills(), Some(20));
    let restored = run.stdout.lines().find_map(|line| line.strip_prefix("restored checkpoints: "));
    assert!(restored.is_some_and(|ids| ids.split(", ").count() > 3), "{}", run.stdout);
}

#[test]
fn tiny_inputs_are_processed_too() {
    for count in [0, 1, 3] {
        let departures = Departures::generate(13 + count, count);
        for name in ["input.csv", "input.csv.gz"] {
            let place = Place::new();
            place.input(name, &departures.text);
            for kills in ["0", "2"] {
                let flags = ["--interval", "20ms", "--parallelism", "4", "--kills", kills, "--seed", "5"];
                run_exactly_once(&place, name, &departures, &flags);
            }
        }
    }
}

#[test]
fn at_least_once_loses_nothing() {
    let departures = Departures::generate(14, 6_000);
    let place = Place::new();
    let input = place.input("input.csv", &departures.text);
    let flags = ["--interval", "20ms", "--kills", "5", "--seed", "2", "--mode", "at-least-once"];
    let run = place.run(&input, &flags);
    // Whether something was counted twice is a matter of luck, and the exit status tells of it.
    assert!(run.stderr.is_empty() && run.verdict().starts_with("exactly once: "), "{run:?}");
    assert_eq!(run.code, Some(i32::from(run.verdict() != "exactly once: yes")), "{run:?}");

    let count = |lines: Vec<String>| {
        lines.into_iter().fold(BTreeMap::<String, u64>::new(), |mut counts, line| {
            *counts.entry(line).or_default() += 1;
            counts
        })
    };
    let found = count(place.alerts());
    for (line, times) in count(departures.alerts()) {
        assert!(
            found.get(&line) >= Some(&times),
            "{line} is there {:?} times, expected {times}",
            found.get(&line)
        );
    }
    // Minutes of delay can be negative, so that counting twice may make them less.
    let columns = |row: &str| -> Vec<i64> {
        let fields: Vec<_> = row.split(',').skip(1).map(|field| field.parse().expect("a number")).collect();
        [0, 1, 3].map(|column: usize| fields[column]).into()
    };
    let table = place.table().expect("a table");
    assert_eq!(table.lines().count(), departures.table().lines().count());
    for (found, expected) in table.lines().zip(departures.table().lines()).skip(1) {
        let enough = columns(found).iter().zip(columns(expected)).all(|(found, expected)| *found >= expected);
        assert!(enough && found[..3] == expected[..3], "{found}, expected at least {expected}");
    }
}

#[test]
fn a_second_run_begins_anew_and_leaves_the_checkpoints_of_the_first_alone() {
    let (first, second) = (Departures::generate(15, 3_000), Departures::generate(16, 2_000));
    let place = Place::new();
    place.input("first.csv", &first.text);
    place.input("second.csv", &second.text);
    let flags = ["--interval", "20ms", "--kills", "1", "--seed", "1"];
    run_exactly_once(&place, "first.csv", &first, &flags);
    // As if the first had been interrupted for good: a checkpoint that nobody will ask for.
    let [job] = &place.list("checkpoints")[..] else { panic!("one job, one directory") };
    let relic = job.join("chk-7");
    fs::create_dir(&relic).expect("a writable directory");
    fs::write(relic.join("_metadata"), "not ours to read").expect("a writable directory");
    let files = || fs::read_dir(job).expect("the directory of the first job").count();
    let before = files();

    run_exactly_once(&place, "second.csv", &second, &flags);
    assert_eq!((place.list("checkpoints").len(), files()), (2, before));
    assert_eq!(fs::read_to_string(relic.join("_metadata")).expect("the relic"), "not ours to read");
}
