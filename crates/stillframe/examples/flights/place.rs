//! Makes room for a job: its directories exist, and nothing of an earlier job can be mistaken for its results.

use crate::alerts::{self, Ownership};
use crate::args::Args;
use crate::output;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use stillframe::model::JobId;
use stillframe::prelude::FileSystemCheckpointStorage;

/// Prepares the places that a run writes to. A new job finds neither output nor alerts of an earlier one; a job that is
/// resumed finds both, for its alerts continue those that are there. Files that are not ours are left alone.
pub(crate) fn prepare(args: &Args, job: JobId) -> Result<(), String> {
    let Args { input, output, alerts, checkpoint_dir, .. } = args;
    let Some(name) = output.file_name() else {
        return Err(format!("{}: not the name of a file, expected one; check --output", output.display()));
    };
    // It may be a URI, and only the storage knows what that means.
    let storage = FileSystemCheckpointStorage::new(checkpoint_dir)
        .map_err(|error| format!("{error}; check --checkpoint-dir"))?;
    let parent = output::directory(output);
    for directory in [parent, alerts, storage.checkpoint_directory()] {
        fs::create_dir_all(directory)
            .map_err(|error| failed("cannot create the directory", directory, &error))?;
    }
    if name.to_str().map(Ownership::of) != Some(Ownership::Foreign) && same(parent, alerts) {
        return Err(format!(
            "{}: the output would pass for a file of alerts; check --output",
            output.display()
        ));
    }
    if same(output, input) {
        return Err(format!("{}: the output would replace the input; check --output", output.display()));
    }
    match fs::symlink_metadata(output) {
        // The output is replaced by a new file. In the place of a device, or of a link, that would be a surprise.
        Ok(found) if !found.is_file() => {
            return Err(format!(
                "{}: is {}, expected a file or nothing; check --output",
                output.display(),
                kind(found.file_type())
            ));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("cannot look at the output", output, &error));
        }
        _ => {}
    }
    output::try_output(output, job).map_err(|error| format!("{error}; check --output"))?;
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

fn kind(found: fs::FileType) -> &'static str {
    if found.is_dir() {
        "a directory"
    } else if found.is_symlink() {
        "a symbolic link"
    } else {
        "a device, a pipe or a socket"
    }
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
    use crate::alerts::committed;
    use clap::Parser;
    use std::collections::BTreeSet;
    use tempfile::TempDir;

    /// A place with the files of an earlier run and of somebody else.
    fn place() -> TempDir {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir_all(directory.path().join("alerts").join(committed(3))).expect("a directory");
        let (first, second) = (format!("alerts/{}", committed(1)), format!("alerts/.{}", committed(2)));
        for name in [
            "input.csv",
            "output.csv",
            &first,
            &second,
            "alerts/alerts-january.csv",
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
        prepare(&args, JobId::from_bytes([7; 16])).map_err(|error| error.replace(&prefix, ""))?;
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
        let foreign = ["a", "alerts", "input.csv", &committed(3), "alerts-january.csv", "notes.txt", ".keep"];
        assert_eq!(left, Ok(set(&foreign)));
    }

    #[test]
    fn a_resumed_job_finds_everything() {
        let left = run(&place(), "output.csv", "input.csv", &["--resume=pointer"]);
        let everything = [
            "a",
            "alerts",
            "input.csv",
            "output.csv",
            &committed(3),
            &committed(1),
            &format!(".{}", committed(2)),
            "alerts-january.csv",
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
        let alerts = format!("alerts/{}", committed(1));
        for (output, input, message) in [
            (
                "input.csv",
                "input.csv",
                "input.csv: the output would replace the input; check --output".into(),
            ),
            (
                "alerts/../input.csv",
                "input.csv",
                "alerts/../input.csv: the output would replace the input; check --output".into(),
            ),
            (
                "output.csv",
                &alerts,
                format!("{alerts}: the input would be removed as an earlier file of alerts; check --alerts"),
            ),
        ] {
            assert_eq!(run(&directory, output, input, &[]), Err(message));
            assert!(directory.path().join(input).exists() && directory.path().join("output.csv").exists());
        }
    }

    #[test]
    fn outputs_that_cannot_be_are_refused() {
        let (alerts, long) = (format!("alerts/{}", committed(5)), "x".repeat(300));
        for (output, message) in [
            ("alerts", "alerts: is a directory, expected a file or nothing; check --output".into()),
            ("..", "..: not the name of a file, expected one; check --output".into()),
            (&alerts, format!("{alerts}: the output would pass for a file of alerts; check --output")),
            ("input.csv/output", "input.csv: cannot create the directory: File exists (os error 17)".into()),
            (&long, format!("{long}: cannot look at the output: File name too long (os error 36)")),
        ] {
            assert_eq!(run(&place(), output, "input.csv", &[]), Err(message));
        }
    }

    #[test]
    fn an_output_that_cannot_be_written_is_found_out_before_the_job_runs() {
        let directory = place();
        // It cannot be made way for, not even by root.
        let name = format!(".output-{}.unfinished", JobId::from_bytes([7; 16]));
        fs::create_dir(directory.path().join(&name)).expect("a directory");
        for more in [&[][..], &["--resume=pointer"]] {
            let error =
                run(&directory, "output.csv", "input.csv", more).expect_err("something is in the way");
            assert!(error.starts_with(&format!("{name}: cannot be written: ")), "{error}");
            assert!(error.ends_with("; check --output"), "{error}");
        }
        assert!(directory.path().join("output.csv").exists(), "the earlier output is not touched");
    }

    #[test]
    fn what_is_no_file_is_not_replaced_by_one() {
        let directory = place();
        std::os::unix::fs::symlink("input.csv", directory.path().join("link")).expect("a link");
        std::os::unix::fs::symlink("none", directory.path().join("dangling")).expect("a link");
        std::os::unix::net::UnixListener::bind(directory.path().join("socket")).expect("a socket");
        for (output, kind) in [
            ("socket", "a device, a pipe or a socket"),
            ("dangling", "a symbolic link"),
            ("link", "a symbolic link"),
        ] {
            let message = format!("{output}: is {kind}, expected a file or nothing; check --output");
            for more in [&[][..], &["--resume=pointer"]] {
                assert_eq!(run(&directory, output, "output.csv", more), Err(message.clone()));
            }
            assert!(fs::symlink_metadata(directory.path().join(output)).is_ok_and(|found| !found.is_file()));
        }
    }

    #[test]
    fn the_checkpoint_directory_is_what_the_storage_takes_it_for() {
        let directory = place();
        let uri = format!("--checkpoint-dir=file://{}/c", directory.path().display());
        let arguments = |flag| {
            let path = |name| directory.path().join(name).display().to_string();
            let flags = [
                "flights".into(),
                flag,
                "--output".into(),
                path("output.csv"),
                "--alerts".into(),
                path("alerts"),
            ];
            Args::try_parse_from(flags).expect("good arguments")
        };
        let job = JobId::from_bytes([7; 16]);
        prepare(&arguments(uri), job).expect("a URI of a local directory");
        assert!(directory.path().join("c").is_dir());
        let error = prepare(&arguments("--checkpoint-dir=s3://bucket/c".into()), job).expect_err("not local");
        assert!(
            error.contains("unknown scheme s3") && error.ends_with("; check --checkpoint-dir"),
            "{error}"
        );
    }
}
