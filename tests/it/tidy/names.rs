//! Every name of PyFlink's page on checkpoints has a counterpart here, `docs/from-flink.md` says which, it is public, and
//! who searches the documentation for PyFlink's name finds it.

use super::{assert_none, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The first row of the table.
const HEADER: &str = "| PyFlink | Rust |";

/// The names of the page in Flink 1.20, with those of the classes that it links to. What stands in parentheses is an
/// argument of a constructor.
const NAMES: &[(&str, &[&str])] = &[
    (
        "CheckpointConfig",
        &[
            ".DEFAULT_MODE",
            ".DEFAULT_TIMEOUT",
            ".DEFAULT_MIN_PAUSE_BETWEEN_CHECKPOINTS",
            ".DEFAULT_MAX_CONCURRENT_CHECKPOINTS",
            ".is_checkpointing_enabled",
            ".get_checkpointing_mode",
            ".set_checkpointing_mode",
            ".get_checkpoint_interval",
            ".set_checkpoint_interval",
            ".get_checkpoint_timeout",
            ".set_checkpoint_timeout",
            ".get_min_pause_between_checkpoints",
            ".set_min_pause_between_checkpoints",
            ".get_max_concurrent_checkpoints",
            ".set_max_concurrent_checkpoints",
            ".is_fail_on_checkpointing_errors",
            ".set_fail_on_checkpointing_errors",
            ".get_tolerable_checkpoint_failure_number",
            ".set_tolerable_checkpoint_failure_number",
            ".enable_externalized_checkpoints",
            ".set_externalized_checkpoint_cleanup",
            ".get_externalized_checkpoint_cleanup",
            ".is_externalized_checkpoints_enabled",
            ".set_externalized_checkpoint_retention",
            ".get_externalized_checkpoint_retention",
            ".is_unaligned_checkpoints_enabled",
            ".enable_unaligned_checkpoints",
            ".disable_unaligned_checkpoints",
            ".set_alignment_timeout",
            ".get_alignment_timeout",
            ".set_force_unaligned_checkpoints",
            ".is_force_unaligned_checkpoints",
            ".set_checkpoint_storage",
            ".set_checkpoint_storage_dir",
            ".get_checkpoint_storage",
        ],
    ),
    ("CheckpointingMode", &[".EXACTLY_ONCE", ".AT_LEAST_ONCE"]),
    (
        "ExternalizedCheckpointCleanup",
        &[".DELETE_ON_CANCELLATION", ".RETAIN_ON_CANCELLATION", ".NO_EXTERNALIZED_CHECKPOINTS"],
    ),
    (
        "ExternalizedCheckpointRetention",
        &[".DELETE_ON_CANCELLATION", ".RETAIN_ON_CANCELLATION", ".NO_EXTERNALIZED_CHECKPOINTS"],
    ),
    ("CheckpointStorage", &[]),
    (
        "JobManagerCheckpointStorage",
        &[
            "(checkpoint_path)",
            "(max_state_size)",
            ".DEFAULT_MAX_STATE_SIZE",
            ".get_checkpoint_path",
            ".get_savepoint_path",
            ".get_max_state_size",
        ],
    ),
    (
        "FileSystemCheckpointStorage",
        &[
            "(checkpoint_path)",
            "(file_state_size_threshold)",
            "(write_buffer_size)",
            ".MAX_FILE_STATE_THRESHOLD",
            ".get_checkpoint_path",
            ".get_savepoint_path",
            ".get_min_file_size_threshold",
            ".get_write_buffer_size",
        ],
    ),
    ("CustomCheckpointStorage", &[]),
];

fn names() -> impl Iterator<Item = String> {
    NAMES.iter().flat_map(|(class, members)| {
        let members = members.iter().map(move |member| format!("{class}{member}"));
        std::iter::once((*class).to_owned()).chain(members)
    })
}

/// The rows of the table: a name of PyFlink's, and the paths that stand for it.
fn rows(document: &str) -> Vec<(&str, Vec<&str>)> {
    let rows = document.lines().skip_while(|line| line.trim() != HEADER).skip(2);
    let cells = rows
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| line.trim_matches('|').split_once('|'));
    cells.map(|(name, paths)| (name.trim().trim_matches('`'), in_backquotes(paths))).collect()
}

fn in_backquotes(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn complaints(document: &str, names: &[String], is_public: impl Fn(&str) -> bool) -> Vec<String> {
    let rows = rows(document);
    let documented = rows.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>();
    let expected = names.iter().map(String::as_str).collect::<BTreeSet<_>>();
    let missing = expected.difference(&documented).map(|name| format!("{name} has no row"));
    let unknown = documented.difference(&expected).map(|name| format!("{name} is no name of the page"));
    let without =
        rows.iter().filter(|(_, paths)| paths.is_empty()).map(|(name, _)| format!("{name}: no path"));
    let private = rows.iter().flat_map(|(name, paths)| paths.iter().map(move |path| (name, path)));
    let private = private
        .filter(|(_, path)| !is_public(path))
        .map(|(name, path)| format!("{name}: {path} is not in tests/api"));
    missing.chain(unknown).chain(without).chain(private).collect()
}

/// What stands between `pub` and the path of an item in a snapshot.
const KEYWORDS: [&str; 8] = ["const", "enum", "fn", "mod", "static", "struct", "trait", "type"];

/// Whether a snapshot of a public API declares an item at this path.
fn has_item(api: &str, path: &str) -> bool {
    let declared = |line: &'_ str| {
        let words = line.split(' ').skip_while(|word| *word != "pub").skip(1);
        let item = words.into_iter().find(|word| !KEYWORDS.contains(word)).unwrap_or_default();
        item.strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest == ":" || rest.starts_with(['(', '<']))
    };
    api.lines().any(declared)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

#[test]
fn every_name_of_the_page_has_a_public_counterpart() {
    let entries = fs::read_dir(root().join("tests/api")).expect("the snapshots of the public API");
    let api = entries.map(|entry| read(&entry.expect("an entry").path())).collect::<Vec<_>>().concat();
    let names = names().collect::<Vec<_>>();
    let complaints =
        complaints(&read(&root().join("docs/from-flink.md")), &names, |path| has_item(&api, path));
    assert_none(
        &complaints,
        "correct the first table of docs/from-flink.md, or `cargo xtask fix` the snapshots",
    );
}

/// The aliases of each item in a file, by the name of the item.
fn aliases(code: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut waiting = BTreeSet::new();
    for line in code.lines().map(str::trim) {
        if let Some(alias) = line.strip_prefix("#[doc(alias") {
            waiting.extend(alias.split('"').skip(1).step_by(2).map(str::to_owned));
        } else if !line.starts_with("#[") && !line.starts_with("///") {
            if let Some(item) = item(line) {
                found.entry(item.to_owned()).or_default().append(&mut waiting);
            }
            waiting.clear();
        }
    }
    found
}

/// The name of the function, constant, type or variant that a line declares.
fn item(line: &str) -> Option<&str> {
    let mut words =
        line.split(' ').filter(|word| !["pub", "const", "fn", "struct", "enum", "trait"].contains(word));
    let name = words.next()?.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    (!name.is_empty()).then_some(name)
}

/// Whether somebody who searches for the last part of PyFlink's name, in PyFlink's spelling, is led to this path.
fn leads_to(aliases: &BTreeMap<String, BTreeSet<String>>, name: &str, path: &str) -> bool {
    let searched = name.rsplit('.').next().unwrap_or(name);
    let item = path.rsplit("::").next().unwrap_or(path);
    item == searched || aliases.get(item).is_some_and(|aliases| aliases.contains(searched))
}

/// All aliases in the sources of the crate to which a path belongs.
fn aliases_of_crate(path: &str) -> BTreeMap<String, BTreeSet<String>> {
    let name = path.split("::").next().unwrap_or(path).replace('_', "-");
    let mut files: Vec<PathBuf> = vec![root().join("crates").join(name).join("src")];
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a directory of the project");
            files.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else {
            for (item, mut names) in aliases(&read(&path)) {
                found.entry(item).or_default().append(&mut names);
            }
        }
    }
    found
}

#[test]
fn who_searches_for_a_name_of_pyflink_finds_it() {
    let document = read(&root().join("docs/from-flink.md"));
    let searchable = rows(&document).into_iter().filter(|(name, _)| !name.ends_with(')'));
    let lost = searchable
        .filter(|(name, paths)| !paths.iter().any(|path| leads_to(&aliases_of_crate(path), name, path)));
    let complaints = lost.map(|(name, paths)| format!("{name}: {paths:?}")).collect::<Vec<_>>();
    assert_none(&complaints, "add `#[doc(alias = \"..\")]` with PyFlink's name to the item");
}

/// The constants of options that the recorded tables do not have: of `StateRecoveryOptions` and `WebOptions`.
const OTHER_CONSTANTS: [&str; 4] =
    ["SAVEPOINT_PATH", "SAVEPOINT_IGNORE_UNCLAIMED_STATE", "RESTORE_MODE", "CHECKPOINTS_HISTORY_SIZE"];

/// The constants by which Java programs know the options.
fn constants() -> BTreeSet<String> {
    let text = read(&root().join("tests/oracle/golden_tables.json"));
    let tables: serde_json::Value = serde_json::from_str(&text).expect("the recorded tables");
    let recorded = ["options_CheckpointingOptions", "options_ExecutionCheckpointingOptions"];
    let recorded = recorded.iter().filter_map(|table| tables[*table].as_object());
    let names = recorded.flat_map(|table| table.keys().cloned()).collect::<BTreeSet<_>>();
    assert!(names.len() >= 30, "the options were not found in the recorded tables");
    names.into_iter().chain(OTHER_CONSTANTS.map(str::to_owned)).collect()
}

/// Names as Java has them for methods.
fn is_java_method(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.contains(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// The public functions of a file that somebody who knows Java's names does not find.
fn without_java(code: &str, constants: &BTreeSet<String>) -> Vec<String> {
    let aliases = aliases(code);
    let functions = code
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("pub fn ") || line.starts_with("pub const fn "));
    let names = functions.filter_map(item).filter(|name| {
        let names = aliases.get(*name).into_iter().flatten();
        // One word is the same in both languages.
        name.contains('_')
            && !names
                .into_iter()
                .any(|alias| is_java_method(alias) || constants.contains(alias) || alias == "configure")
    });
    names.map(str::to_owned).collect()
}

#[test]
fn who_searches_for_a_name_of_java_finds_it() {
    let constants = constants();
    let directory = root().join("crates/stillframe-config/src/config");
    let mut functions = 0;
    let mut complaints = Vec::new();
    for entry in fs::read_dir(directory).expect("the settings") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let code = read(&path);
            functions += code.matches("    pub fn ").count();
            complaints.extend(without_java(&code, &constants));
        }
    }
    assert!(functions >= 70, "the functions were not found: {functions}");
    assert_none(
        &complaints,
        "add `#[doc(alias = \"..\")]` with the name of the Java method, or of the constant of its option",
    );
}

/// The names of the deliberate differences that the replay of recordings knows.
fn differences(code: &str) -> BTreeSet<&str> {
    let arms = code.lines().map(str::trim).filter(|line| line.starts_with("Self::"));
    arms.filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\",")).collect()
}

#[test]
fn every_difference_that_the_replay_knows_is_explained() {
    let code = read(&root().join("tests/it/golden/difference.rs"));
    let known = differences(&code);
    assert!(known.len() >= 10, "the names were not found");
    let document = read(&root().join("docs/from-flink.md"));
    let explained = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("`: "));
    let explained = explained.map(|(name, _)| name).collect::<BTreeSet<_>>();
    let complaints =
        known.symmetric_difference(&explained).map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_none(
        &complaints,
        "a name in tests/it/golden/difference.rs begins a row of docs/from-flink.md, and no other name does",
    );
}

/// The rules shown a small page.
mod rules {
    use super::*;

    const DOCUMENT: &str = "\
| PyFlink | Rust |
|---|---|
| `A` | `x::A` |
| `A.get_b` | `x::A::b` |

| other | table |
";

    const API: &str = "\
pub struct x::A
pub fn x::A::b(&self) -> y::Z
pub const x::A::LONG_NAME: u32
impl z::T for x::A
";

    fn complaints_about(document: &str) -> Vec<String> {
        complaints(document, &["A".to_owned(), "A.get_b".to_owned()], |path| has_item(API, path))
    }

    #[test]
    fn a_complete_table_is_accepted() {
        assert_eq!(complaints_about(DOCUMENT), [""; 0]);
    }

    #[test]
    fn what_is_missing_or_made_up_is_found() {
        for (from, to) in [
            ("| `A.get_b` | `x::A::b` |\n", ""),
            ("\n\n", "\n| `A.get_c` | `x::A::b` |\n\n"),
            ("`x::A::b`", "nothing"),
            ("`x::A::b`", "`x::A::c`"),
        ] {
            assert_eq!(complaints_about(&DOCUMENT.replace(from, to)).len(), 1, "{from} -> {to}");
        }
    }

    #[test]
    fn an_item_is_public_under_its_whole_path_only() {
        for path in ["x::A", "x::A::b", "x::A::LONG_NAME"] {
            assert!(has_item(API, path), "{path}");
        }
        for path in ["x", "x::A::LONG", "x::A::bb", "A::b", "z::T", "x::A::"] {
            assert!(!has_item(API, path), "{path}");
        }
    }

    #[test]
    fn names_of_differences_are_read() {
        assert_eq!(differences("    Self::A,\n    Self::A => \"a-b\",\n  x => \"c\",\n"), ["a-b"].into());
    }

    #[test]
    fn an_alias_belongs_to_the_item_below_it() {
        let aliases = aliases(
            "#[doc(alias = \"get_b\", alias = \"getB\")]\n#[must_use]\n/// It.\npub const fn b(&self) {\n\
             #[doc(alias = \"GONE\")]\n\npub fn c() {\n#[doc(alias = \"ONE_WORD\")]\nOneWord,\n",
        );
        for (name, path, found) in [
            ("A.get_b", "x::A::b", true),
            ("A.b", "x::A::b", true),
            ("A.get_c", "x::A::c", false),
            ("A.GONE", "x::A::c", false),
            ("A.ONE_WORD", "x::A::OneWord", true),
        ] {
            assert_eq!(leads_to(&aliases, name, path), found, "{name}");
        }
    }

    #[test]
    fn a_function_has_the_name_of_a_method_or_of_an_option() {
        let constants = BTreeSet::from(["SOME_OPTION".to_owned()]);
        for (alias, lost) in [
            ("getB", false),
            ("SOME_OPTION", false),
            ("OTHER_OPTION", true),
            ("get_b", true),
            ("a.b-c", true),
        ] {
            let code = format!(
                "    #[doc(alias = \"{alias}\")]\n    pub const fn a_b(&self) {{}}\n    fn c_d() {{}}\n"
            );
            assert_eq!(!without_java(&code, &constants).is_empty(), lost, "{alias}");
        }
        assert_eq!(without_java("pub fn a_b() {}\npub fn configure() {}", &constants), ["a_b"]);
    }
}
