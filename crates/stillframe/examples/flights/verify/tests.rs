use super::*;
use crate::alerts::committed;
use crate::departure::HEADER;
use std::fs;
use tempfile::TempDir;

const FIRST: &str = "2001-01-01T00:01,LAS,PHL,75";
const SECOND: &str = "2001-01-01T00:02,ATL,PHL,61";
/// Occurs twice in the input.
const TWICE: &str = "2001-01-01T00:03,ATL,LAS,90";

/// What a run leaves behind; the first one is without fault.
struct Run {
    directory: TempDir,
    expected: Expected,
}

impl Run {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let input = format!(
            "{HEADER}\n2001-01-01T00:01,75,10,LAS,PHL\n2001-01-01T00:02,61,20,ATL,PHL\n2001-01-01T00:02,60,20,ATL,PHL\n\
             2001-01-01T00:03,90,30,ATL,LAS\n2001-01-01T00:03,90,30,ATL,LAS\n"
        );
        fs::write(directory.path().join("input.csv"), input).expect("the input");
        fs::create_dir(directory.path().join("alerts")).expect("the directory of alerts");
        let expected = Expected::of(&directory.path().join("input.csv")).expect("a good input");
        let run = Self { directory, expected };
        run.output(&render_table(&run.expected.totals));
        run.alerts(&committed(1), &[TWICE, SECOND]);
        run.alerts(&committed(2), &[FIRST, TWICE]);
        run
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn output(&self, content: &str) {
        fs::write(self.path("output.csv"), content).expect("the output");
    }

    fn alerts(&self, name: &str, lines: &[&str]) {
        let content: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        fs::write(self.path("alerts").join(name), content).expect("a file of alerts");
    }

    /// The last line of the report, with the directory taken out of it.
    fn verdict(&self) -> String {
        let verdict =
            verify(&self.expected, &self.path("input.csv"), &self.path("output.csv"), &self.path("alerts"));
        verdict.to_string().replace(&format!("{}/", self.directory.path().display()), "")
    }
}

#[test]
fn what_equals_the_single_pass_is_exactly_once() {
    assert_eq!(Run::new().verdict(), "exactly once: yes");
}

#[test]
fn files_that_are_foreign_or_not_committed_do_not_count() {
    let run = Run::new();
    run.alerts(&format!(".{}", committed(3)), &[FIRST]);
    run.alerts("notes.txt", &[FIRST]);
    run.alerts(".hidden", &[FIRST]);
    fs::create_dir(run.path("alerts").join(committed(4))).expect("a directory");
    assert_eq!(run.verdict(), "exactly once: yes");
}

#[test]
fn a_missing_line_is_named() {
    let run = Run::new();
    run.alerts(&committed(2), &[TWICE]);
    assert_eq!(
        run.verdict(),
        format!(
            "exactly once: no, the committed alerts are 3 lines, expected 4: `{FIRST}` 0 times instead of 1"
        )
    );
}

#[test]
fn a_doubled_line_is_named() {
    let run = Run::new();
    run.alerts(&committed(3), &[TWICE]);
    assert_eq!(
        run.verdict(),
        format!(
            "exactly once: no, the committed alerts are 5 lines, expected 4: `{TWICE}` 3 times instead of 2"
        )
    );
}

#[test]
fn one_line_missing_and_another_doubled_do_not_cancel_out() {
    let run = Run::new();
    run.alerts(&committed(2), &[TWICE, SECOND]);
    assert_eq!(
        run.verdict(),
        format!(
            "exactly once: no, the committed alerts are 4 lines, expected 4: \
             `{FIRST}` 0 times instead of 1, `{SECOND}` 2 times instead of 1"
        )
    );
}

#[test]
fn at_most_five_lines_are_named() {
    let run = Run::new();
    let lines: Vec<_> = (0..50_000).map(|line| format!("line {line}")).collect();
    run.alerts(&committed(3), &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let verdict = run.verdict();
    assert!(
        verdict.starts_with("exactly once: no, the committed alerts are 50004 lines, expected 4: "),
        "{verdict}"
    );
    assert_eq!(verdict.matches(" times instead of ").count(), 5, "{verdict}");
}

#[test]
fn a_torn_file_is_not_made_whole_by_reading_it() {
    let run = Run::new();
    let name = committed(2);
    fs::write(run.path("alerts").join(&name), format!("{TWICE}\n{FIRST}")).expect("a file of alerts");
    assert_eq!(
        run.verdict(),
        format!("exactly once: no, the committed file alerts/{name} ends in the middle of a line")
    );
}

#[test]
fn no_alerts_at_all_and_unreadable_ones_differ() {
    let run = Run::new();
    let name = committed(3);
    fs::write(run.path("alerts").join(&name), "x".repeat(5000)).expect("a file");
    assert_eq!(
        run.verdict(),
        format!("exactly once: no, the alerts in alerts: alerts/{name} has a line longer than any alert")
    );
    fs::remove_dir_all(run.path("alerts")).expect("the directory");
    assert!(run.verdict().starts_with("exactly once: no, the committed alerts are 0 lines, expected 4: "));
    fs::write(run.path("alerts"), "").expect("a file in its place");
    assert!(run.verdict().starts_with("exactly once: no, the alerts in alerts: "));
}

#[test]
fn the_output_is_compared_byte_for_byte() {
    let run = Run::new();
    let table = render_table(&run.expected.totals);
    for (content, difference) in [
        (table.replace("ATL,4", "ATL,5"), r"line 2, is `ATL,5,4,301,100\n`, expected `ATL,4,4,301,100\n`"),
        (table.trim_end().into(), r"line 3, is `LAS,1,1,75,10`, expected `LAS,1,1,75,10\n`"),
        (format!("{table}\n"), r"line 4, is `\n`, expected the end of the file"),
        (table.replace("LAS,1,1,75,10\n", ""), r"line 3, is missing, expected `LAS,1,1,75,10\n`"),
        (
            String::new(),
            r"line 1, is missing, expected `origin,departures,delayed,delay_minutes,distance_miles\n`",
        ),
    ] {
        run.output(&content);
        assert_eq!(run.verdict(), format!("exactly once: no, the output output.csv, {difference}"));
    }
    fs::remove_file(run.path("output.csv")).expect("the output");
    assert!(run.verdict().starts_with("exactly once: no, the output output.csv cannot be read: "));
}
