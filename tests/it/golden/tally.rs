//! What became of the cases, counted and put into words.

use super::difference::Difference;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    /// It says nothing about us, and why.
    Skipped(String),
    /// Each sentence says what was recorded and what we did.
    Failed(Vec<String>),
}

/// One case that was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    /// The deliberate differences without which it would not have passed.
    pub(crate) differences: BTreeSet<Difference>,
    /// Steps of the case that were left out, each with the reason.
    pub(crate) left_out: Vec<String>,
}

impl Outcome {
    pub(crate) fn new(kind: impl Into<String>, name: impl Into<String>, verdict: Verdict) -> Self {
        let (differences, left_out) = (BTreeSet::new(), Vec::new());
        Self { kind: kind.into(), name: name.into(), verdict, differences, left_out }
    }

    /// Passed if nothing was found.
    pub(crate) fn found(kind: impl Into<String>, name: impl Into<String>, findings: Vec<String>) -> Self {
        let verdict = if findings.is_empty() { Verdict::Passed } else { Verdict::Failed(findings) };
        Self::new(kind, name, verdict)
    }

    pub(crate) fn skipped(
        kind: impl Into<String>,
        name: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self::new(kind, name, Verdict::Skipped(reason.into()))
    }

    pub(crate) fn with(mut self, difference: Difference) -> Self {
        self.differences.insert(difference);
        self
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

/// The counts of one file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    file: String,
    all: Counts,
    kinds: BTreeMap<String, Counts>,
    skips: BTreeMap<String, usize>,
    left_out: BTreeMap<String, usize>,
    differences: BTreeMap<Difference, usize>,
    failures: Vec<String>,
}

impl Tally {
    pub(crate) fn of(file: &str, outcomes: Vec<Outcome>) -> Self {
        let mut tally = Self { file: file.to_owned(), ..Self::default() };
        for outcome in outcomes {
            tally.add(outcome);
        }
        tally
    }

    fn add(&mut self, outcome: Outcome) {
        let Outcome { kind, name, verdict, differences, left_out } = outcome;
        let of_kind = self.kinds.entry(kind).or_default();
        match verdict {
            Verdict::Passed => (of_kind.passed, self.all.passed) = (of_kind.passed + 1, self.all.passed + 1),
            Verdict::Skipped(reason) => {
                (of_kind.skipped, self.all.skipped) = (of_kind.skipped + 1, self.all.skipped + 1);
                *self.skips.entry(reason).or_default() += 1;
            }
            Verdict::Failed(findings) => {
                (of_kind.failed, self.all.failed) = (of_kind.failed + 1, self.all.failed + 1);
                self.failures.push(format!("{}: {name}:\n    {}", self.file, findings.join("\n    ")));
            }
        }
        for difference in differences {
            *self.differences.entry(difference).or_default() += 1;
        }
        for reason in left_out {
            *self.left_out.entry(reason).or_default() += 1;
        }
    }

    /// How many cases there were.
    pub(crate) fn cases(&self) -> usize {
        self.ran() + self.all.skipped
    }

    /// How many were not skipped.
    pub(crate) fn ran(&self) -> usize {
        self.all.passed + self.all.failed
    }

    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Why cases were skipped.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = &str> {
        self.skips.keys().map(String::as_str)
    }

    pub(crate) fn differences(&self) -> impl Iterator<Item = Difference> + '_ {
        self.differences.keys().copied()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { passed, failed, skipped } = self.all;
        writeln!(
            f,
            "{}: {} cases: {} ran, {passed} passed, {failed} failed, {skipped} skipped",
            self.file,
            self.cases(),
            self.ran()
        )?;
        for (kind, Counts { passed, failed, skipped }) in &self.kinds {
            writeln!(f, "  {kind}: {passed} passed, {failed} failed, {skipped} skipped")?;
        }
        for (reason, number) in &self.skips {
            writeln!(f, "  skipped, {reason}: {number}")?;
        }
        for (reason, number) in &self.left_out {
            writeln!(f, "  left out of a case, {reason}: {number}")?;
        }
        for (difference, number) in &self.differences {
            writeln!(f, "  deliberate difference {}: {number}", difference.name())?;
        }
        Ok(())
    }
}

#[test]
fn what_was_skipped_and_what_differs_is_counted_by_name() {
    let tally = Tally::of(
        "golden_x.json",
        vec![
            Outcome::found("a", "one", vec![]).with(Difference::TodaysKeys),
            Outcome::found("a", "two", vec!["expected 1, ours 2".into()]),
            Outcome::skipped("b", "three", "py4j layer"),
            Outcome::skipped("b", "four", "py4j layer"),
        ],
    );
    let expected = "golden_x.json: 4 cases: 2 ran, 1 passed, 1 failed, 2 skipped\n  \
                    a: 1 passed, 1 failed, 0 skipped\n  \
                    b: 0 passed, 0 failed, 2 skipped\n  \
                    skipped, py4j layer: 2\n  \
                    deliberate difference todays-keys: 1\n";
    assert_eq!(tally.to_string(), expected);
    assert_eq!(tally.failures(), ["golden_x.json: two:\n    expected 1, ours 2"]);
}
