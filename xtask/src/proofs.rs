//! Proofs are tests below `tests/it/prove`, one file each, that run at two sizes and report what they looked at.

use crate::command::CommandLine;
use crate::console::Console;
use crate::error::Error;
use crate::step::Outcome;
use crate::workspace::Workspace;
use serde_json::Value;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How many cases a proof looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Ci,
    Deep,
}

/// The verb: one proof, or `all`. `false` if something was violated.
pub(crate) fn prove(
    console: &mut Console,
    workspace: &Workspace,
    name: &str,
    json: Option<&Path>,
    size: Size,
    seed: Option<u64>,
) -> Result<bool, Error> {
    let known = known(&workspace.root)?;
    if name != "all" && !known.iter().any(|proof| proof == name) {
        let known =
            if known.is_empty() { "none yet".to_owned() } else { format!("all, {}", known.join(", ")) };
        return Err(Error::Unknown { what: "proof", name: name.to_owned(), known });
    }
    let selected = if name == "all" { known } else { vec![name.to_owned()] };
    let evidence = run(console, workspace, &selected, size, seed)?;
    tell(console, &evidence.rows);
    for complaint in &evidence.complaints {
        console.say(complaint);
    }
    if let Some(path) = json {
        let text = format!("{:#}\n", Value::Array(evidence.rows));
        fs::write(path, text).map_err(Error::file("write", path))?;
    }
    Ok(evidence.complaints.is_empty())
}

/// The step of `ci`: all proofs, small.
pub(crate) fn check(console: &mut Console, workspace: &Workspace) -> Result<Outcome, Error> {
    let known = known(&workspace.root)?;
    if known.is_empty() {
        return Ok(Outcome::Skipped("there are none yet".into()));
    }
    let evidence = run(console, workspace, &known, Size::Ci, None)?;
    tell(console, &evidence.rows);
    let complaints = evidence.complaints;
    Ok(if complaints.is_empty() { Outcome::Ok } else { Outcome::Failed(complaints.join("; ")) })
}

struct Evidence {
    /// What the proofs reported, sorted by name.
    rows: Vec<Value>,
    /// Why it is not enough.
    complaints: Vec<String>,
}

fn run(
    console: &mut Console,
    workspace: &Workspace,
    selected: &[String],
    size: Size,
    seed: Option<u64>,
) -> Result<Evidence, Error> {
    let reports = workspace.target.join("prove");
    match fs::remove_dir_all(&reports) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::file("empty", &reports)(error));
        }
        _ => {}
    }
    fs::create_dir_all(&reports).map_err(Error::file("create", &reports))?;
    // One at a time, because they report how long they took and some of them use all processors.
    let mut command = CommandLine::cargo("test --release --package stillframe-tests --test it --");
    for name in selected {
        command = command.arg(format!("prove::{name}::"));
    }
    command = command
        .words("--nocapture --test-threads=1")
        .env("STILLFRAME_PROVE_SIZE", if size == Size::Deep { "deep" } else { "ci" })
        .env("STILLFRAME_PROVE_JSON", &reports);
    if let Some(seed) = seed {
        command = command.env("STILLFRAME_SEED", seed.to_string());
    }
    let passed = console.run(&command)?;
    let rows = read_rows(&reports)?;
    let mut complaints = complaints(selected, &rows);
    if !passed {
        complaints.push("a proof failed; what it found is above".to_owned());
    }
    Ok(Evidence { rows, complaints })
}

/// What is wrong with a set of reports, even if all tests passed.
fn complaints(selected: &[String], rows: &[Value]) -> Vec<String> {
    // A proof may report several rows: its own name, or that with a part behind a slash.
    let is_of = |row: &Value, name: &str| {
        row["name"].as_str().is_some_and(|row| {
            row.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let silent = selected.iter().filter(|name| !rows.iter().any(|row| is_of(row, name)));
    let silent =
        silent.map(|name| format!("proof {name} reported nothing; is it declared in tests/it/prove/mod.rs?"));
    let violated = rows.iter().filter(|row| row["violations"] != 0);
    let violated = violated
        .map(|row| format!("proof {} was violated", row["name"].as_str().unwrap_or("without a name")));
    silent.chain(violated).collect()
}

/// The names of the proofs, sorted: the files and folders of `tests/it/prove`.
fn known(root: &Path) -> Result<Vec<String>, Error> {
    let folder = root.join("tests/it/prove");
    let paths = list(&folder)?;
    let is_proof = |path: &PathBuf| {
        path.join("mod.rs").is_file() || path.extension().is_some_and(|extension| extension == "rs")
    };
    let stems = paths.iter().filter(|path| is_proof(path)).filter_map(|path| path.file_stem()?.to_str());
    Ok(stems.filter(|stem| *stem != "mod").map(str::to_owned).collect())
}

fn read_rows(reports: &Path) -> Result<Vec<Value>, Error> {
    let mut rows = Vec::new();
    for path in list(reports)? {
        let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        match serde_json::from_str(&text) {
            Ok(row @ Value::Object(_)) => rows.push(row),
            Ok(other) => {
                return Err(Error::Content { path, detail: format!("expected one report, found {other}") });
            }
            Err(error) => {
                return Err(Error::Content { path, detail: format!("not the report of a proof: {error}") });
            }
        }
    }
    rows.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    Ok(rows)
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect());
    let mut paths: Vec<PathBuf> = entries.map_err(Error::file("list", directory))?;
    paths.sort();
    Ok(paths)
}

/// One line for each report, which `ci` repeats at its end.
fn tell(console: &mut Console, rows: &[Value]) {
    for row in rows {
        console.report(line(row));
    }
}

/// A report as a line, however many its detail has.
fn line(row: &Value) -> String {
    let number = |field: &str| row[field].as_u64().unwrap_or_default();
    let mut line = format!(
        "{}: {} cases, {} violations, {} skipped, {:.1} s",
        row["name"].as_str().unwrap_or("?"),
        number("cases"),
        number("violations"),
        number("skipped"),
        row["seconds"].as_f64().unwrap_or_default(),
    );
    if let Some(detail) = row["detail"].as_str().filter(|detail| !detail.is_empty()) {
        let detail = detail.split_whitespace().collect::<Vec<_>>().join(" ");
        line = format!("{line}; {detail}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_becomes_a_line() {
        let row = json!({"name": "recovery", "cases": 40, "violations": 0, "skipped": 2, "seconds": 1.25, "detail": "seed 7"});
        assert_eq!(line(&row), "recovery: 40 cases, 0 violations, 2 skipped, 1.2 s; seed 7");
    }

    #[test]
    fn every_report_has_one_line_that_the_summary_can_repeat() {
        let mut console = Console::unseen();
        let row = |name| json!({"name": name, "cases": 3, "violations": 1, "skipped": 0, "seconds": 0.5, "detail": "seed 7\n\tfirst"});
        tell(&mut console, &[row("recovery"), row("storage/crash")]);
        let rest = "3 cases, 1 violations, 0 skipped, 0.5 s; seed 7 first";
        assert_eq!(console.tally.proofs, [format!("recovery: {rest}"), format!("storage/crash: {rest}")]);
    }

    #[test]
    fn silence_and_violations_are_complaints() {
        let selected = ["recovery".to_owned(), "crash".to_owned()];
        let good = json!({"name": "recovery/kill", "violations": 0});
        let other = json!({"name": "crashes", "violations": 0});
        let bad = json!({"name": "crash", "violations": 1});
        assert_eq!(complaints(&selected, &[good.clone(), other]).len(), 1);
        assert_eq!(complaints(&selected, &[good.clone(), bad]), ["proof crash was violated"]);
        assert_eq!(complaints(&selected[..1], &[good]), [""; 0]);
    }

    #[test]
    fn a_report_without_a_count_of_violations_is_a_complaint() {
        assert_eq!(complaints(&[], &[json!({"name": "x"})]), ["proof x was violated"]);
    }

    #[test]
    fn the_proofs_of_this_workspace_can_be_listed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert!(!known(root).unwrap().contains(&"mod".to_owned()));
    }
}
