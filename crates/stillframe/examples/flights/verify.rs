//! Decides whether what the job left behind is what a single pass without checkpoints arrives at.

#[cfg(test)]
mod tests;

use crate::alerts::{self, AlertMultiset, Ownership};
use crate::expected::Expected;
use crate::input::FlightsReader;
use crate::lines::{Line, LineError, Lines};
use crate::totals::render_table;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// How many alert lines are named when some are missing or doubled.
const NAMED: usize = 5;

/// Whether every departure took effect exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Yes,
    /// What differs.
    No(Vec<String>),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.write_str("exactly once: yes"),
            Self::No(differences) => write!(f, "exactly once: no, {}", differences.join("; ")),
        }
    }
}

/// Compares the output file and the committed alerts with what is expected. The input is read again only if the alerts
/// differ. What cannot be read differs.
pub(crate) fn verify(expected: &Expected, input: &Path, output: &Path, alerts: &Path) -> Verdict {
    let mut differences = Vec::new();
    differences.extend(output_difference(&render_table(&expected.totals), output));
    let found = alerts_differences(expected, input, alerts);
    differences
        .extend(found.unwrap_or_else(|error| vec![format!("the alerts in {}: {error}", alerts.display())]));
    if differences.is_empty() { Verdict::Yes } else { Verdict::No(differences) }
}

fn output_difference(expected: &str, output: &Path) -> Option<String> {
    let name = output.display();
    let mut found = Vec::new();
    // One byte more than expected is enough to see that there is more.
    let read =
        File::open(output).and_then(|file| file.take(expected.len() as u64 + 1).read_to_end(&mut found));
    match read {
        Err(error) => return Some(format!("the output {name} cannot be read: {error}")),
        Ok(_) if found == expected.as_bytes() => return None,
        Ok(_) => {}
    }
    let mut rows = expected.as_bytes().split_inclusive(|&byte| byte == b'\n');
    let mut found = found.split_inclusive(|&byte| byte == b'\n');
    let mut line = 1;
    loop {
        match (rows.next(), found.next()) {
            (None, None) => return None,
            (row, other) if row == other => line += 1,
            (row, other) => {
                let (found, expected) = (quote(other, "missing"), quote(row, "the end of the file"));
                return Some(format!("the output {name}, line {line}, is {found}, expected {expected}"));
            }
        }
    }
}

fn quote(line: Option<&[u8]>, absent: &str) -> String {
    line.map_or_else(|| absent.into(), |line| format!("`{}`", line.escape_ascii()))
}

fn alerts_differences(expected: &Expected, input: &Path, alerts: &Path) -> Result<Vec<String>, String> {
    let files = committed_files(alerts)?;
    let mut found = AlertMultiset::default();
    let mut differences = Vec::new();
    for file in &files {
        let terminated = for_each_line(file, |line| found.add(line))?;
        if !terminated {
            differences.push(format!("the committed file {} ends in the middle of a line", file.display()));
        }
    }
    if found != expected.alerts {
        let named = name_differences(&found, expected, input, &files)?;
        differences.push(format!(
            "the committed alerts are {} lines, expected {}: {}",
            found.len(),
            expected.alerts.len(),
            named.join(", ")
        ));
    }
    Ok(differences)
}

fn committed_files(alerts: &Path) -> Result<Vec<PathBuf>, String> {
    let files = alerts::files_of_ours(alerts).map_err(|error| error.to_string())?;
    Ok(files
        .into_iter()
        .filter(|(ownership, _)| *ownership == Ownership::Committed)
        .map(|(_, path)| path)
        .collect())
}

/// Looks again at the lines of those few buckets that differ, and says of some how often they are there and should be.
fn name_differences(
    found: &AlertMultiset,
    expected: &Expected,
    input: &Path,
    files: &[PathBuf],
) -> Result<Vec<String>, String> {
    #[derive(Default)]
    struct Count {
        found: u64,
        expected: u64,
    }

    let buckets = found.differing_buckets(&expected.alerts, NAMED);
    let mut counts = BTreeMap::<Vec<u8>, Count>::new();
    let mut count = |line: &[u8], add: fn(&mut Count)| {
        if buckets.contains(&AlertMultiset::bucket(line)) {
            add(counts.entry(line.to_vec()).or_default());
        }
    };
    let mut reader = FlightsReader::open(input).map_err(|error| error.to_string())?;
    while let Some(departure) = reader.next_departure().map_err(|error| error.to_string())? {
        if let Some(alert) = departure.alert {
            count(alert.as_bytes(), |count| count.expected += 1);
        }
    }
    for file in files {
        for_each_line(file, |line| count(line, |count| count.found += 1))?;
    }
    let differing = counts.iter().filter(|(_, count)| count.found != count.expected);
    Ok(differing
        .take(NAMED)
        .map(|(line, Count { found, expected })| {
            format!("`{}` {found} times instead of {expected}", line.escape_ascii())
        })
        .collect())
}

/// Hands over every line of a committed file, and returns whether the last one is complete.
fn for_each_line(path: &Path, mut take: impl FnMut(&[u8])) -> Result<bool, String> {
    let failed = |error: io::Error| format!("{} cannot be read: {error}", path.display());
    let mut lines = Lines::new(File::open(path).map_err(failed)?, 0);
    let mut complete = true;
    loop {
        match lines.next_line() {
            Ok(Some(Line { text, terminated })) => {
                take(text);
                complete = terminated;
            }
            Ok(None) => return Ok(complete),
            Err(LineError::Io(error)) => return Err(failed(error)),
            Err(LineError::TooLong(_)) => {
                return Err(format!("{} has a line longer than any alert", path.display()));
            }
        }
    }
}
