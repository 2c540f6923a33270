//! What real Flink did, done again with Stillframe.
//!
//! `tests/oracle` holds recordings of Flink 1.20.5. [`oracle`] reads them, [`config_case`], [`storage_case`], [`tables`],
//! [`disk`], [`decider`] and [`behaviour`] interpret them, [`conversion`] translates between Flink's words and ours,
//! [`difference`] names where we differ on purpose, and [`tally`] says what became of all of them. `STILLFRAME_ORACLE`
//! names a folder with other cases of the same form. Nothing here goes by the name of a case, and what is not understood
//! fails.

mod argument;
mod behaviour;
mod call;
mod config_case;
mod conversion;
mod decider;
mod difference;
mod disk;
mod effective;
mod excuses;
mod getter;
mod guards;
mod option_keys;
mod option_map;
mod oracle;
mod storage_case;
mod tables;
mod tally;

use difference::Difference;
use oracle::{FILES, Oracle};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::panic::{self, AssertUnwindSafe};
use tally::{Outcome, Tally};

/// What becomes of one entry of a file.
fn outcomes(file: &str, case: &Value) -> Vec<Outcome> {
    match file {
        "golden_tables.json" => tables::replay(case),
        "golden_config.json" => vec![config_file(case)],
        "golden_storage.json" => vec![disk::replay(case)],
        "golden_decider.json" => vec![decider::replay(case)],
        "golden_behaviour.json" => vec![behaviour::replay(case)],
        other => vec![Outcome::found(other, "?", vec!["the file is not understood".into()])],
    }
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or("?")
}

fn config_file(case: &Value) -> Outcome {
    let (name, kind) = (text(case, "name"), text(case, "kind"));
    match (kind, case.as_object()) {
        ("config", Some(case)) => config_case::replay(name, case),
        ("storage", Some(case)) => storage_case::constructor(name, case),
        ("load_storage", Some(case)) => storage_case::load(name, case),
        _ => Outcome::found(kind, name, vec![format!("the kind `{kind}` is not understood")]),
    }
}

/// The same, if nothing of ours panics.
fn guarded(file: &str, case: &Value) -> Vec<Outcome> {
    panic::catch_unwind(AssertUnwindSafe(|| outcomes(file, case))).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message =
            message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message");
        let finding = format!("ours panicked: {message}");
        vec![Outcome::found(text(case, "kind"), text(case, "name"), vec![finding])]
    })
}

/// Replays a recording. Says what a person wants to know of it, and what is wrong with it.
fn replay(oracle: &Oracle) -> (String, Vec<String>) {
    let mut said = format!("recorded cases in {}\n", oracle.folder().display());
    let (mut cases, mut ran) = (0, 0);
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for file in FILES {
        match oracle.cases(file) {
            Ok(Some(recorded)) => {
                let tally = Tally::of(file, recorded.iter().flat_map(|case| guarded(file, case)).collect());
                let _ = write!(said, "{tally}");
                if tally.ran() == 0 {
                    let reasons = tally.reasons().collect::<Vec<_>>().join(", ");
                    let reasons = if reasons.is_empty() { "it has none" } else { &reasons };
                    wrong.push(format!("{file}: no case of {} ran: {reasons}", tally.cases()));
                }
                (cases, ran) = (cases + tally.cases(), ran + tally.ran());
                wrong.extend(tally.failures().iter().cloned());
                used.extend(tally.differences());
            }
            Ok(None) => {
                // Another recording may be of a part only. Whoever collects skips hears of the rest.
                let _ = writeln!(said, "SKIPPED: golden: {file} is not in {}", oracle.folder().display());
            }
            Err(error) => wrong.push(error),
        }
    }
    wrong.extend(oracle.unknown_files().into_iter().map(|file| {
        format!(
            "{file}: nothing here reads it; known are {}: give it an interpreter, or another name",
            FILES.join(", ")
        )
    }));
    let _ = writeln!(said, "{cases} cases in all, {ran} ran");
    if ran == 0 {
        wrong.push(format!("no case ran: {cases} were found in {}", oracle.folder().display()));
    }
    if oracle.is_ours {
        let unused = Difference::ALL.into_iter().filter(|difference| !used.contains(difference));
        wrong.extend(unused.map(|difference| {
            format!("no case shows the difference {}; remove it, or record a case", difference.name())
        }));
    }
    (said, wrong)
}

#[test]
fn the_recorded_cases_agree_with_ours() {
    let (said, wrong) = replay(&Oracle::chosen());
    // Written past the test harness, which would only show it when something is wrong. Nothing depends on its being read.
    let _ = io::stderr().write_all(said.as_bytes());
    assert!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), wrong.join("\n"));
}
