//! What lies in the folder of a case: which directories there are, and whether anything is in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use stillframe::model::JobId;

/// Directories by their paths, in the words of the recording, and whether there are files in each.
pub(super) type Folder = BTreeMap<String, bool>;

/// A recorded folder. How many files a checkpoint consists of is Flink's business.
pub(super) fn recorded(tree: &serde_json::Value) -> Result<Folder, String> {
    let not_understood = || format!("the tree is not understood: {tree}");
    let directories = tree.as_object().ok_or_else(not_understood)?;
    directories
        .iter()
        .map(|(path, files)| Ok((path.clone(), files.as_u64().ok_or_else(not_understood)? > 0)))
        .collect()
}

/// What lies there now, without registers, of which Flink has none. It may change meanwhile.
pub(super) fn of(root: &Path, jobs: &[JobId]) -> Folder {
    let mut folder = Folder::new();
    walk(root, "", jobs, &mut folder);
    folder
}

/// Whether there are files.
fn walk(directory: &Path, path: &str, jobs: &[JobId], folder: &mut Folder) -> bool {
    let Ok(entries) = fs::read_dir(directory) else { return false };
    let mut has_files = false;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && name != "_ctl" => {
                let path = format!("{path}{}", recorded_name(&name, jobs));
                let has_files = walk(&entry.path(), &format!("{path}/"), jobs, folder);
                folder.insert(path, has_files);
            }
            Ok(kind) => has_files |= kind.is_file(),
            // It was there a moment ago.
            Err(_) => {}
        }
    }
    has_files
}

/// Without what is drawn at random: the id of a job, and what follows from it in the name of a savepoint.
fn recorded_name(name: &str, jobs: &[JobId]) -> String {
    let ids = jobs.iter().map(JobId::to_string).collect::<Vec<_>>();
    let is_savepoint = |id: &String| {
        let random = name.strip_prefix("savepoint-").and_then(|name| name.strip_prefix(id.get(..6)?));
        random.is_some_and(|random| random.starts_with('-'))
    };
    if ids.iter().any(|id| id == name) {
        "JOB".into()
    } else if ids.iter().any(is_savepoint) {
        "savepoint-000000-RANDOM".into()
    } else {
        name.into()
    }
}

/// Leaves out the directories that we only make when something is put into them. Whether there were any.
pub(super) fn without_those_on_demand(expected: &mut Folder, ours: &Folder) -> bool {
    let before = expected.len();
    expected.retain(|path, has_files| {
        let on_demand = path.ends_with("/JOB/shared") || path.ends_with("/JOB/taskowned");
        *has_files || !on_demand || ours.contains_key(path)
    });
    expected.len() < before
}
