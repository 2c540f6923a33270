use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Replaces the output file, whole: whoever looks sees the old table or the new one, also after a crash.
pub(crate) fn write_output(path: &Path, table: &str) -> io::Result<()> {
    let mut temporary = path.file_name().unwrap_or_default().to_owned();
    temporary.push(".unfinished");
    let temporary = path.with_file_name(temporary);
    let mut file = File::create(&temporary)?;
    file.write_all(table.as_bytes())?;
    file.sync_all()?;
    replace(&temporary, path)?;
    match path.parent() {
        Some(parent) if parent != Path::new("") => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the output of an earlier attempt or run is meant to be replaced"
)]
fn replace(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_replaced_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("output.csv");
        for table in ["long table\n", "table\n"] {
            write_output(&path, table).expect("a writable directory");
            assert_eq!(fs::read_to_string(&path).expect("the output"), table);
        }
        assert_eq!(fs::read_dir(directory.path()).expect("the directory").count(), 1);
    }
}
