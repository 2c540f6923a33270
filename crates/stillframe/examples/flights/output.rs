use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use stillframe::model::JobId;

/// Replaces the output file, whole: whoever looks sees the old table or the new one, also after a crash.
pub(crate) fn write_output(path: &Path, job: JobId, table: &str) -> io::Result<()> {
    let temporary = temporary(path, job);
    let written = write_new(&temporary, table.as_bytes())
        .and_then(|()| replace(&temporary, path).map_err(|error| at(path, &error)));
    if written.is_err() {
        // The error is told already, and the next attempt begins with removing it.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    let directory = directory(path);
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| at(directory, &error))
}

/// Finds out whether the output can be written at all, before a whole job is run for it.
pub(crate) fn try_output(path: &Path, job: JobId) -> io::Result<()> {
    let temporary = temporary(path, job);
    write_new(&temporary, b"")?;
    fs::remove_file(&temporary).map_err(|error| at(&temporary, &error))
}

/// The directory that the output is in.
pub(crate) fn directory(output: &Path) -> &Path {
    output.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

/// A name that only this job uses, so that what is found under it is what a killed worker of the job left.
fn temporary(output: &Path, job: JobId) -> PathBuf {
    output.with_file_name(format!(".output-{job}.unfinished"))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let write = || {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| at(path, &error))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the output of an earlier attempt or run is meant to be replaced"
)]
fn replace(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// An error of the operating system never goes without the path.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: JobId = JobId::from_bytes([7; 16]);

    #[test]
    fn the_output_is_replaced_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("output.csv");
        // What a worker left that was killed while it wrote.
        fs::write(temporary(&path, JOB), "longer than the table").expect("a file");
        for table in ["long table\n", "table\n"] {
            try_output(&path, JOB).expect("a writable directory");
            write_output(&path, JOB, table).expect("a writable directory");
            assert_eq!(fs::read_to_string(&path).expect("the output"), table);
        }
        assert_eq!(fs::read_dir(directory.path()).expect("the directory").count(), 1);
    }

    #[test]
    fn files_with_names_like_the_output_are_not_touched() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let neighbours = ["output.csv.unfinished", "output.csv.tmp", ".output.csv"];
        for name in neighbours {
            fs::write(directory.path().join(name), name).expect("a file");
        }
        write_output(&directory.path().join("output.csv"), JOB, "table\n").expect("a writable directory");
        for name in neighbours {
            assert_eq!(fs::read_to_string(directory.path().join(name)).expect("a neighbour"), name);
        }
    }

    #[test]
    fn an_output_that_cannot_be_written_is_named_and_leaves_nothing() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("output.csv");
        // Not even root can put a file in the place of a directory.
        fs::create_dir(&path).expect("a directory");
        let error = write_output(&path, JOB, "table\n").expect_err("a directory is in the way");
        let message = format!("{}: cannot be written: ", path.display());
        assert!(error.to_string().starts_with(&message), "{error}");
        assert_eq!(fs::read_dir(directory.path()).expect("the directory").count(), 1);

        let path = directory.path().join("none").join("output.csv");
        for error in [try_output(&path, JOB), write_output(&path, JOB, "table\n")] {
            let error = error.expect_err("there is no such directory");
            let message = format!("{}: cannot be written: ", temporary(&path, JOB).display());
            assert!(error.to_string().starts_with(&message), "{error}");
        }
    }
}
