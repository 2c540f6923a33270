/// What a line came from; the two are separate texts that arrive mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// Counts tests and skips by reading what commands print.
///
/// A passing test's output is hidden by Rust's test harness, and with it the `SKIPPED: reason` lines by which a test says
/// that it could not do its work here. The steps therefore ask the harness to show everything, in a section of its own, and
/// [`see`](Self::see) says for each line whether a person wants it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    /// Every line that began with `SKIPPED:`, in order.
    pub(crate) skips: Vec<String>,
    /// A line for every report of a proof, in order.
    pub(crate) proofs: Vec<String>,
    in_successes: bool,
}

impl Tally {
    /// Takes note of a line. Returns whether it should be shown.
    pub(crate) fn see(&mut self, stream: Stream, line: &str) -> bool {
        // With one test at a time and its output uncaptured, the first thing it prints follows its name on the same line.
        let said = line
            .strip_prefix("test ")
            .and_then(|rest| rest.split_once(" ... "))
            .map_or(line, |(_, said)| said);
        if said.starts_with("SKIPPED:") {
            self.skips.push(said.trim_end().to_owned());
            return true;
        }
        if stream == Stream::Stderr {
            return true;
        }
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.add(counts);
            self.in_successes = false;
            return true;
        }
        match line {
            "successes:" => self.in_successes = true,
            "failures:" => self.in_successes = false,
            _ => {}
        }
        !self.in_successes
    }

    /// Adds counts such as `ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out`.
    fn add(&mut self, counts: &str) {
        let words = counts.split_whitespace().collect::<Vec<_>>();
        for pair in words.windows(2) {
            let [number, what] = pair else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match *what {
                "passed;" => self.passed += number,
                "failed;" => self.failed += number,
                "ignored;" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// Tests that did not run, and things that said they could not be done here.
    pub(crate) fn skipped(&self) -> u64 {
        self.ignored + self.skips.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tally: &mut Tally, text: &str) -> String {
        text.lines().filter(|line| tally.see(Stream::Stdout, line)).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn results_are_added_up() {
        let mut tally = Tally::default();
        shown(
            &mut tally,
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s\n\
             test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n",
        );
        assert_eq!((tally.passed, tally.failed, tally.ignored, tally.skipped()), (12, 2, 1, 1));
    }

    #[test]
    fn output_of_passing_tests_is_hidden_and_their_skips_are_not() {
        let mut tally = Tally::default();
        let text = "running 2 tests\n\
                    test a ... ok\n\
                    successes:\n\
                    ---- a stdout ----\n\
                    noise\n\
                    SKIPPED: no network here\n\
                    successes:\n\
                    \x20   a\n\
                    failures:\n\
                    ---- b stdout ----\n\
                    what went wrong\n\
                    test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\
                    after\n";
        let expected = "running 2 tests\n\
                        test a ... ok\n\
                        SKIPPED: no network here\n\
                        failures:\n\
                        ---- b stdout ----\n\
                        what went wrong\n\
                        test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\
                        after\n";
        assert_eq!(shown(&mut tally, text), expected);
        assert_eq!(tally.skips, ["SKIPPED: no network here"]);
    }

    #[test]
    fn a_skip_is_found_behind_the_name_of_its_test() {
        let mut tally = Tally::default();
        assert!(tally.see(Stream::Stdout, "test prove::s3::puts ... SKIPPED: no endpoint"));
        assert_eq!(tally.skips, ["SKIPPED: no endpoint"]);
    }

    #[test]
    fn a_mention_of_skipping_is_no_skip() {
        let mut tally = Tally::default();
        tally.see(Stream::Stdout, "two lines were SKIPPED: see above");
        assert_eq!(tally.skipped(), 0);
    }

    #[test]
    fn errors_of_cargo_are_shown_while_output_of_tests_is_hidden() {
        let mut tally = Tally::default();
        tally.see(Stream::Stdout, "successes:");
        assert!(tally.see(Stream::Stderr, "error: test failed, to rerun pass `-p x`"));
        assert!(!tally.see(Stream::Stdout, "noise"));
    }
}
