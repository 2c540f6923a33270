//! The recorded cases as they lie in a folder.

use serde_json::Value;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The files that a recording consists of.
pub(crate) const FILES: [&str; 5] = [
    "golden_config.json",
    "golden_tables.json",
    "golden_storage.json",
    "golden_decider.json",
    "golden_behaviour.json",
];

/// One recording.
#[derive(Clone, Debug)]
pub(crate) struct Oracle {
    folder: PathBuf,
    /// Whether it is the copy that lies in this package, of which more is known than of any other.
    pub(crate) is_ours: bool,
}

impl Oracle {
    /// The copy in this package.
    pub(crate) fn ours() -> Self {
        Self { folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle"), is_ours: true }
    }

    /// A recording that lies elsewhere.
    pub(crate) fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), is_ours: false }
    }

    /// The folder that `STILLFRAME_ORACLE` names, seen from the directory of the workspace; without it, our copy.
    pub(crate) fn chosen() -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies below it");
        env::var_os("STILLFRAME_ORACLE").map_or_else(Self::ours, |folder| Self::at(workspace.join(folder)))
    }

    /// Where it lies.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files that look like a part of a recording and that nobody here reads, in order. A folder that cannot be listed has
    /// none; that it has no cases is noticed elsewhere.
    pub(crate) fn unknown_files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let is_unknown = |name: &String| {
            name.starts_with("golden_") && name.ends_with(".json") && !FILES.contains(&name.as_str())
        };
        let mut unknown: Vec<_> = names.filter(is_unknown).collect();
        unknown.sort_unstable();
        unknown
    }

    /// The cases of one file; `None` if a foreign recording does not have the file.
    ///
    /// # Errors
    /// For a file that cannot be read or is no JSON, and if our copy misses one.
    pub(crate) fn cases(&self, file: &str) -> Result<Option<Vec<Value>>, String> {
        let path = self.folder.join(file);
        match fs::read_to_string(&path) {
            Ok(text) => {
                parse(&text).map(Some).map_err(|error| format!("cannot parse {}: {error}", path.display()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.is_ours => Ok(None),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        }
    }
}

/// Cases from a list, from a single value, or from one value a line.
fn parse(text: &str) -> Result<Vec<Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Array(cases)) => return Ok(cases),
        Ok(case) => return Ok(vec![case]),
        Err(error) if text.lines().count() <= 1 && !text.trim().is_empty() => return Err(error.to_string()),
        Err(_) => {}
    }
    let lines = text.lines().map(|line| line.trim().trim_end_matches(',')).enumerate();
    lines
        .filter(|(_, line)| !matches!(*line, "" | "[" | "]"))
        .map(|(at, line)| serde_json::from_str(line).map_err(|error| format!("line {}: {error}", at + 1)))
        .collect()
}

#[test]
fn cases_are_read_from_a_list_and_from_lines() {
    let one = |number: u32| serde_json::json!({ "case": number });
    for text in [
        r#"[{"case":1},{"case":2}]"#,
        "[\n{\"case\":1},\n{\"case\":2}\n]\n",
        "{\"case\":1}\n{\"case\":2}\n",
        "{\"case\":1},\n\n{\"case\":2},\n",
    ] {
        assert_eq!(parse(text), Ok(vec![one(1), one(2)]), "{text}");
    }
    assert_eq!(parse("{\"case\":1}"), Ok(vec![one(1)]));
    assert_eq!(parse(""), Ok(vec![]));
    assert!(parse("{\"case\":1").is_err());
    assert!(parse("{\"case\":1}\n{\"case\":\n").is_err_and(|error| error.starts_with("line 2")));
}
