use super::*;
use crate::clock::now;
use clap::Parser;
use std::fs;

fn tally(lines: &[&str]) -> Tally {
    let mut tally = Tally::default();
    for line in lines {
        tally.observe(&line.parse().expect("an event"));
    }
    tally
}

/// What is shown of a start, a kill and progress at these milliseconds.
fn shown(terminal: bool, millis: &[u64]) -> String {
    let mut out = Vec::new();
    let mut live = Live::new(&mut out, terminal, 100);
    live.note(format_args!("start 1"));
    let begin = now();
    for &millis in millis {
        let mut tally = tally(&["started restored=none position=0", "completed id=1 millis=1 bytes=1"]);
        tally.observe(
            &format!("progress position={millis} records=1 checkpoints=1").parse().expect("an event"),
        );
        live.progress(begin + Duration::from_millis(millis), &tally);
    }
    live.end();
    String::from_utf8(out).expect("text")
}

#[test]
fn a_log_has_one_line_of_progress_a_second() {
    assert_eq!(
        shown(false, &[0, 500, 999, 1000, 1500, 2100]),
        "start 1\nprogress: 0 of 100 records, checkpoints 1, kills 0\nprogress: 1000 of 100 records, checkpoints 1, kills 0\n\
         progress: 2100 of 100 records, checkpoints 1, kills 0\n"
    );
}

#[test]
fn a_terminal_has_one_line_that_is_taken_away_at_the_end() {
    let shown = shown(true, &[0, 10, 60]);
    assert_eq!(
        shown,
        "\r\x1b[2Kprogress: 0 of 100 records, checkpoints 1, kills 0\r\x1b[2Kprogress: 60 of 100 records, checkpoints 1, kills 0\r\x1b[2K"
    );
    assert!(!shown.contains('\n'));
}

fn report(tally: &Tally, verdict: &Verdict) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let input = directory.path().join("input.csv");
    let departures: String = (0..12)
        .flat_map(|airport: u8| {
            (0..=airport % 11)
                .map(move |_| format!("2001-01-01T00:01,16,10,A{}Z,PHL\n", char::from(b'A' + airport)))
        })
        .collect();
    fs::write(&input, format!("{}\n{departures}", crate::departure::HEADER)).expect("the input");
    let expected = Expected::of(&input).expect("a good input");
    let args = Args::try_parse_from(["flights"]).expect("no arguments are needed");
    let job = JobId::from_bytes([0xab; 16]);
    let mut out = Vec::new();
    let report = Report {
        args: &args,
        job,
        expected: &expected,
        tally,
        duration: Duration::from_millis(2500),
        verdict,
    };
    report.write(&mut out).expect("memory");
    String::from_utf8(out).expect("text")
}

#[test]
fn the_report_says_all_that_was_counted_and_ends_with_the_verdict() {
    let mut tally = tally(&[
        "started restored=none position=0",
        "completed id=1 millis=4 bytes=2048",
        "aborted id=2 reason=the job ended",
        "aborted id=3 reason=not complete within the timeout",
        "aborted id=4 reason=the job ended",
        "progress position=60 records=60 checkpoints=1",
    ]);
    tally.killed();
    for line in ["started restored=1 position=40", "restarting cause=x", "started restored=1 position=40"] {
        tally.observe(&line.parse().expect("an event"));
    }
    assert_eq!(
        report(&tally, &Verdict::Yes),
        "checkpoints: 1 completed, 3 aborted (1: not complete within the timeout; 2: the job ended)\n\
         typical checkpoint: 4 ms, 2.0 KiB\n\
         kills: 1, restarts within a worker: 1\n\
         restored checkpoints: 1, 1\n\
         records replayed: 20\n\
         busiest airports:\n\
         \x20 origin  departures   delayed  delay minutes  distance miles\n\
         \x20 AKZ             11        11            176             110\n\
         \x20 AJZ             10        10            160             100\n\
         \x20 AIZ              9         9            144              90\n\
         \x20 AHZ              8         8            128              80\n\
         \x20 AGZ              7         7            112              70\n\
         \x20 AFZ              6         6             96              60\n\
         \x20 AEZ              5         5             80              50\n\
         \x20 ADZ              4         4             64              40\n\
         \x20 ACZ              3         3             48              30\n\
         \x20 ABZ              2         2             32              20\n\
         processed 67 records in 2.500 s (27 records/s)\n\
         output: target/flights/output.csv\n\
         alerts: target/flights/alerts\n\
         checkpoints of job abababababababababababababababab: target/flights/checkpoints\n\
         exactly once: yes\n"
    );
}

#[test]
fn a_run_without_checkpoints_is_reported_too() {
    let report = report(&tally(&[]), &Verdict::No(vec!["one thing".into(), "another".into()]));
    assert!(
        report.starts_with("checkpoints: 0 completed, 0 aborted\ntypical checkpoint: none\n"),
        "{report}"
    );
    assert!(report.contains("restored checkpoints: none\n") && !report.contains("busiest"), "{report}");
    assert!(report.ends_with("\nexactly once: no, one thing; another\n"), "{report}");
}

#[test]
fn sizes_have_units() {
    for (bytes, text) in [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (1_048_576, "1.0 MiB"),
        (5_767_168, "5.5 MiB"),
    ] {
        assert_eq!(Bytes(bytes).to_string(), text);
    }
}
