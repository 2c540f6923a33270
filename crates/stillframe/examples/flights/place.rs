//! Makes room for a job: its directories exist, and nothing of an earlier job can be mistaken for its results.

use crate::alerts::{self, Ownership};
use crate::args::Args;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Prepares the places that a run writes to. A new job finds neither output nor alerts of an earlier one; a job that is
/// resumed finds both, for its alerts continue those that are there. Files that are not ours are left alone.
pub(crate) fn prepare(args: &Args) -> Result<(), String> {
    let Args { input, output, alerts, checkpoint_dir, .. } = args;
    let Some(name) = output.file_name() else {
        return Err(format!("{}: not the name of a file, expected one; check --output", output.display()));
    };
    let parent = output.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    for directory in [parent, alerts, checkpoint_dir] {
        fs::create_dir_all(directory)
            .map_err(|error| failed("cannot create the directory", directory, &error))?;
    }
    if name.to_str().map(Ownership::of) != Some(Ownership::Foreign) && same(parent, alerts) {
        return Err(format!(
            "{}: the output would pass for a file of alerts; check --output",
            output.display()
        ));
    }
    if output.is_dir() {
        return Err(format!(
            "{}: is a directory, expected the name of a file; check --output",
            output.display()
        ));
    }
    if same(output, input) {
        return Err(format!("{}: the output would replace the input; check --output", output.display()));
    }
    if args.resume.is_some() {
        return Ok(());
    }
    let earlier =
        alerts::files_of_ours(alerts).map_err(|error| failed("cannot read the directory", alerts, &error))?;
    let earlier: Vec<PathBuf> = earlier.into_iter().map(|(_, path)| path).collect();
    if let Some(path) = earlier.iter().find(|path| same(path, input)) {
        return Err(format!(
            "{}: the input would be removed as an earlier file of alerts; check --alerts",
            path.display()
        ));
    }
    for path in earlier.iter().chain([output]) {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(|error| failed("cannot remove the earlier", path, &error))?,
        }
    }
    Ok(())
}

fn failed(what: &str, path: &Path, error: &io::Error) -> String {
    format!("{}: {what}: {error}", path.display())
}

/// Whether both exist and are one and the same.
fn same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::collections::BTreeSet;
    use tempfile::TempDir;

    /// A place with the files of an earlier run and of somebody else.
    fn place() -> TempDir {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir_all(directory.path().join("alerts/alerts-directory")).expect("a directory");
        for name in [
            "input.csv",
            "output.csv",
            "alerts/alerts-1",
            "alerts/.alerts-2",
            "alerts/notes.txt",
            "alerts/.keep",
        ] {
            fs::write(directory.path().join(name), name).expect("a file");
        }
        directory
    }

    fn run(
        directory: &TempDir,
        output: &str,
        input: &str,
        more: &[&str],
    ) -> Result<BTreeSet<String>, String> {
        let flag = |name: &str, path: &str| format!("--{name}={}", directory.path().join(path).display());
        let flags = [
            flag("output", output),
            flag("input", input),
            flag("alerts", "alerts"),
            flag("checkpoint-dir", "a/b"),
        ];
        let arguments =
            std::iter::once("flights").chain(flags.iter().map(String::as_str)).chain(more.iter().copied());
        let args = Args::try_parse_from(arguments).expect("good arguments");
        let prefix = format!("{}/", directory.path().display());
        prepare(&args).map_err(|error| error.replace(&prefix, ""))?;
        assert!(directory.path().join("a/b").is_dir());
        let names =
            ["", "alerts"].map(|part| fs::read_dir(directory.path().join(part)).expect("a directory"));
        Ok(names
            .into_iter()
            .flatten()
            .map(|entry| entry.expect("an entry").file_name().display().to_string())
            .collect())
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.into()).collect()
    }

    #[test]
    fn a_new_job_finds_nothing_of_ours_and_everything_else() {
        let left = run(&place(), "output.csv", "input.csv", &[]);
        assert_eq!(left, Ok(set(&["a", "alerts", "input.csv", "alerts-directory", "notes.txt", ".keep"])));
    }

    #[test]
    fn a_resumed_job_finds_everything() {
        let left = run(&place(), "output.csv", "input.csv", &["--resume=pointer"]);
        let everything = [
            "a",
            "alerts",
            "input.csv",
            "output.csv",
            "alerts-directory",
            "alerts-1",
            ".alerts-2",
            "notes.txt",
            ".keep",
        ];
        assert_eq!(left, Ok(set(&everything)));
    }

    #[test]
    fn directories_that_are_missing_are_made() {
        let directory = place();
        run(&directory, "x/y/output.csv", "input.csv", &[]).expect("a place for it");
        assert!(directory.path().join("x/y").is_dir());
    }

    #[test]
    fn the_input_is_never_removed() {
        let directory = place();
        for (output, input, message) in [
            ("input.csv", "input.csv", "input.csv: the output would replace the input; check --output"),
            (
                "alerts/../input.csv",
                "input.csv",
                "alerts/../input.csv: the output would replace the input; check --output",
            ),
            (
                "output.csv",
                "alerts/alerts-1",
                "alerts/alerts-1: the input would be removed as an earlier file of alerts; check --alerts",
            ),
        ] {
            assert_eq!(run(&directory, output, input, &[]), Err(message.into()));
            assert!(directory.path().join(input).exists() && directory.path().join("output.csv").exists());
        }
    }

    #[test]
    fn outputs_that_cannot_be_are_refused() {
        for (output, message) in [
            ("alerts", "alerts: is a directory, expected the name of a file; check --output"),
            ("..", "..: not the name of a file, expected one; check --output"),
            (
                "alerts/alerts-3",
                "alerts/alerts-3: the output would pass for a file of alerts; check --output",
            ),
            ("input.csv/output", "input.csv: cannot create the directory: File exists (os error 17)"),
        ] {
            assert_eq!(run(&place(), output, "input.csv", &[]), Err(message.into()));
        }
    }
}
