//! What lies in a folder, in the words of the recording.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The directories and files below a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    /// The directories, each ending in a slash.
    pub(super) directories: BTreeSet<String>,
    /// The directories in which there is state, and how many files with it.
    states: Vec<String>,
    /// The metadata, each with its size.
    pub(super) metadata: BTreeSet<String>,
}

impl Tree {
    /// The directories in which there is state.
    pub(super) fn with_state(&self) -> BTreeSet<&str> {
        self.states.iter().map(String::as_str).collect()
    }

    /// How many files with state there are.
    pub(super) fn states(&self) -> usize {
        self.states.len()
    }

    fn add_file(&mut self, path: &str, size: &str) {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name == "_metadata" {
            self.metadata.insert(format!("{path} {size}"));
        } else {
            self.states.push(format!("{directory}/"));
        }
    }

    /// The lines of the recording: a directory ends in a slash, a file has its size behind it.
    pub(super) fn recorded(lines: impl Iterator<Item = impl AsRef<str>>) -> Self {
        let mut tree = Self::default();
        for line in lines {
            match line.as_ref().rsplit_once(' ') {
                Some((path, size)) => tree.add_file(path, size),
                None => drop(tree.directories.insert(line.as_ref().to_owned())),
            }
        }
        tree
    }

    /// The same without everything below a directory.
    pub(super) fn without(&self, directory: &str) -> Self {
        let stays = |path: &&String| !path.starts_with(directory);
        Self {
            directories: self.directories.iter().filter(stays).cloned().collect(),
            states: self.states.iter().filter(stays).cloned().collect(),
            metadata: self.metadata.iter().filter(stays).cloned().collect(),
        }
    }
}

/// What lies in a folder, without the register, of which Flink has none. The random part of names is left out.
pub(super) fn of(root: &Path) -> Tree {
    let mut tree = Tree::default();
    walk(root, "", &mut tree);
    tree
}

fn walk(directory: &Path, path: &str, tree: &mut Tree) {
    for entry in fs::read_dir(directory).expect("a folder of the test can be read") {
        let entry = entry.expect("a folder of the test can be read");
        let name = entry.file_name().into_string().expect("names are text");
        let kind = entry.file_type().expect("an entry has a type");
        if kind.is_dir() && name == "_ctl" {
            continue;
        }
        let name = match name.rsplit_once('-') {
            Some((savepoint, _)) if savepoint.starts_with("savepoint-") => format!("{savepoint}-RANDOM"),
            _ => name,
        };
        if kind.is_dir() {
            let below = format!("{path}{name}/");
            walk(&entry.path(), &below, tree);
            tree.directories.insert(below);
        } else {
            let size = entry.metadata().expect("an entry has a size").len();
            tree.add_file(&format!("{path}{name}"), &size.to_string());
        }
    }
}
