//! The example as a program: built once, run in directories of its own.

use super::departures::{Departures, sorted_lines};
use crate::e2e::watchdog::Watchdog;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The example, built in the profile and the directory of the running test.
///
/// # Panics
/// If it cannot be built.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(build)
}

fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a running test knows its own file");
    // A test lies in <target>/<profile>/deps.
    let place = test.parent().and_then(Path::parent).expect("cargo puts tests two levels down");
    let (target, profile) = (place.parent(), place.file_name().and_then(OsStr::to_str));
    let profile = match profile.expect("cargo names its directories in UTF-8") {
        // What tests are compiled with lies in this directory too, and the crates below were just built with it.
        "debug" => "test",
        other => other,
    };
    // The example must be the one that fits this checkout, and the checkout must stay as it is.
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--package", "stillframe", "--example", "flights"])
        .args(["--profile", profile, "--target-dir"])
        .arg(target.expect("a profile lies in a target directory"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "cargo build: {}", String::from_utf8_lossy(&output.stderr));
    place.join("examples").join("flights")
}

/// A directory for the runs of one test.
pub(crate) struct Place {
    directory: TempDir,
    _watchdog: Watchdog,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { directory, _watchdog: Watchdog::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes an input file; packed, if its name says so.
    pub(crate) fn input(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        let bytes = if name.ends_with(".gz") { gzip(text.as_bytes()) } else { text.into() };
        fs::write(&path, bytes).expect("a writable directory");
        path
    }

    /// The command that runs the example on this input, with output, alerts and checkpoints in this directory.
    pub(crate) fn command(&self, input: &Path, flags: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.stdin(Stdio::null()).arg("--input").arg(input);
        for (flag, name) in
            [("--output", "output.csv"), ("--alerts", "alerts"), ("--checkpoint-dir", "checkpoints")]
        {
            command.arg(flag).arg(self.path(name));
        }
        command.args(flags);
        command
    }

    /// Runs the example to its end.
    pub(crate) fn run(&self, input: &Path, flags: &[&str]) -> Run {
        let output = self.command(input, flags).output().expect("the example can be started");
        Run::from(output)
    }

    /// The table that the last run left.
    pub(crate) fn table(&self) -> Result<String, String> {
        let path = self.path("output.csv");
        fs::read_to_string(&path).map_err(|error| format!("the output cannot be read: {error}"))
    }

    /// The lines of all committed alerts, sorted.
    pub(crate) fn alerts(&self) -> Vec<String> {
        let mut text = String::new();
        for path in self.list("alerts") {
            if !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
                text += &fs::read_to_string(&path).expect("a committed file can be read");
            }
        }
        sorted_lines(&text)
    }

    /// What a directory holds, sorted; nothing, if it does not exist.
    pub(crate) fn list(&self, name: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(name)).into_iter().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry can be read").path()).collect();
        paths.sort();
        paths
    }

    /// What differs between what the last run left and what these departures must give.
    pub(crate) fn difference(&self, departures: &Departures) -> Option<String> {
        match self.table() {
            Err(error) => return Some(error),
            Ok(table) if table != departures.table() => {
                return Some(format!("the table is\n{table}expected\n{}", departures.table()));
            }
            Ok(_) => {}
        }
        let (found, expected) = (self.alerts(), departures.alerts());
        (found != expected).then(|| format!("{} alerts, expected {}", found.len(), expected.len()))
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The last line, which says whether everything took effect exactly once.
    pub(crate) fn verdict(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }

    /// The number in the line `kills: N, …`.
    pub(crate) fn kills(&self) -> Option<u64> {
        let rest = self.stdout.lines().find_map(|line| line.strip_prefix("kills: "))?;
        rest.split(',').next()?.parse().ok()
    }

    /// Why it is no run that took effect exactly once, if it is none.
    pub(crate) fn complaint(&self) -> Option<String> {
        let good = self.code == Some(0) && self.verdict() == "exactly once: yes" && self.stderr.is_empty();
        (!good).then(|| format!("{self:?}"))
    }

    /// # Panics
    /// If it is no run that took effect exactly once.
    pub(crate) fn assert_exactly_once(&self) {
        assert_eq!(self.complaint(), None);
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the example speaks UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Packs bytes as `gzip` does.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to memory succeeds")
}
