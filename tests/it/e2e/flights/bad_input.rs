//! Inputs that cannot be processed: one line says which file and which line, and nothing was touched.

use super::departures::Departures;
use super::program::{Place, gzip};
use std::fs;

/// Runs the example on an input that it must refuse, and gives back what it says.
fn refusal(place: &Place, name: &str) -> String {
    let run = place.run(&place.path(name), &["--interval", "20ms", "--kills", "1", "--seed", "1"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{name}: {run:?}");
    let [line] = run.stderr.lines().collect::<Vec<_>>()[..] else { panic!("{name}: not one line: {run:?}") };
    assert!(!line.contains("panicked"), "{line}");
    assert!(line.starts_with("flights: ") && line.contains(&format!("/{name}")), "{line}");
    assert_eq!(place.list("checkpoints").len(), 0, "{name}: a job was begun");
    line.into()
}

#[test]
fn a_missing_input_is_named() {
    let line = refusal(&Place::new(), "nowhere.csv");
    assert!(line.contains("no such file"), "{line}");
}

#[test]
fn an_empty_input_is_refused_at_its_first_line() {
    let place = Place::new();
    fs::write(place.path("empty.csv"), "").expect("a writable directory");
    fs::write(place.path("empty.csv.gz"), gzip(b"")).expect("a writable directory");
    for name in ["empty.csv", "empty.csv.gz"] {
        let line = refusal(&place, name);
        assert!(line.contains("line 1: the file is empty"), "{line}");
    }
}

#[test]
fn a_gzip_file_that_is_cut_off_is_refused_with_the_line() {
    let place = Place::new();
    let departures = Departures::generate(1, 3_000);
    let whole = gzip(departures.text.as_bytes());
    // Within the data, and within the sum that ends the member.
    for length in [whole.len() / 2, whole.len() - 3] {
        fs::write(place.path("cut.csv.gz"), &whole[..length]).expect("a writable directory");
        let line = refusal(&place, "cut.csv.gz");
        let number = line.split("line ").nth(1).and_then(|rest| rest.split(':').next());
        let number: usize = number.and_then(|number| number.parse().ok()).expect("a line number");
        assert!((2..=3_002).contains(&number) && line.contains("cut off"), "{line}");
    }
    // The second of two members, after a first that is good.
    let header_only = gzip(b"date,delay,distance,origin,destination\n");
    let cut = [&header_only[..], &whole[..whole.len() / 2]].concat();
    fs::write(place.path("cut.csv.gz"), cut).expect("a writable directory");
    refusal(&place, "cut.csv.gz");
}

#[test]
fn a_malformed_line_is_named_by_its_number() {
    let place = Place::new();
    let departures = Departures::generate(2, 1_000);
    let lines: Vec<_> = departures.text.lines().collect();
    for (number, bad) in [
        (1, "date,delay"),
        (2, "2001-01-01T00:01,x,100,ATL,BOS"),
        (700, "2001-01-01T00:01,1,100,ATL"),
        (1_001, ""),
    ] {
        let mut lines = lines.clone();
        lines[number - 1] = bad;
        for name in ["bad.csv", "bad.csv.gz"] {
            place.input(name, &format!("{}\n", lines.join("\n")));
            let line = refusal(&place, name);
            assert!(line.contains(&format!("{name}, line {number}: ")), "{line}");
        }
    }
}
