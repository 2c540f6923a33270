//! Lines of the hardening checklist that concern more than one crate. The others are tested beside the code, under names
//! that begin with `hardening_` and the number of the line.

mod crafted;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use stillframe::coordinator::statistics::CheckpointOutcome;
use stillframe::coordinator::{Completed, Event, Report};
use stillframe::model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, Crc32c, FileHandle, JobId, KeyGroupRange, KeyedHandle,
    KeyedState, Name, OpId, OperatorState, OptionValue, Pointer, StateDirectory, StateFile, StateHandle,
    StorageDescriptor, TaskSnapshot, UnixMillis,
};
use stillframe::runtime::{JobError, JobFailure};
use stillframe::state::StateError;
use stillframe::state::assignment::AssignmentError;
use stillframe::storage::{ErrorKind, StorageError, Swept, Verdict};
use stillframe::{builtin_storages, metadata};

const CANARY: &str = "canary7f3a";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).expect("the workspace")
}

fn manifest(of: &str) -> String {
    let path = root().join(of);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of all crates, each with its manifest.
fn crates() -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join("crates")).expect("the crates");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    names.map(|name| (name.clone(), manifest(&format!("crates/{name}/Cargo.toml")))).collect()
}

/// The names of what a crate of ours is built from, its own parts among them; more with more features.
fn tree(of: &str, features: &[&str]) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none", "-p", of];
    let arguments = arguments.iter().chain(features);
    let output =
        Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo can be started");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8_lossy(&output.stdout);
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// Nothing that is read is compressed, so that no few bytes can turn into many: there is nothing that could unpack them.
#[test]
fn hardening_4_1_5_nothing_that_reads_checkpoints_can_decompress() {
    let readers = ["metadata", "state", "storage", "storage-directory", "storage-fs", "storage-memory"];
    for reader in readers.map(|reader| format!("stillframe-{reader}")) {
        let tree = tree(&reader, &["--all-features"]);
        assert!(tree.contains("bytes"), "the tree of {reader} was not read: {tree:?}");
        let is_compressor = |name: &&String| {
            let stems = ["flate", "zlib", "zstd", "lz4", "lzma", "xz", "snap", "brotli", "bzip", "deflate"];
            stems.iter().any(|stem| name.contains(stem) && !name.starts_with("stillframe"))
        };
        assert_eq!(tree.iter().find(is_compressor), None, "{reader}");
    }
}

/// The local storage is a driver of our own: those of others follow symbolic links and sync nothing.
#[test]
fn hardening_4_2_4_local_files_have_no_driver_of_somebody_else() {
    let fs = manifest("crates/stillframe-storage-fs/Cargo.toml");
    for driver in ["object_store", "opendal", "cap-std"] {
        assert!(!fs.contains(driver), "{driver}");
    }
}

/// Neither the password nor the query of an address is shown, wherever the address appears.
#[test]
fn hardening_4_3_2_no_address_shows_password_or_query() {
    let address = format!("s3://somebody:{CANARY}@bucket/checkpoints?X-Amz-Signature={CANARY}");
    let pointer = Pointer::new(address.as_str());
    let error = StorageError::new(ErrorKind::NotFound, "resolve", pointer.as_str());
    let swept = Swept { object: address.clone(), verdict: Verdict::Foreign };
    let mut shown = vec![format!("{pointer:?}"), format!("{error} {error:?}"), format!("{swept} {swept:?}")];
    for kind in [StorageDescriptor::JOB_MANAGER, StorageDescriptor::FILE_SYSTEM, "unknown"] {
        let descriptor = StorageDescriptor::new(kind)
            .with(StorageDescriptor::CHECKPOINTS_DIRECTORY, OptionValue::Text(address.clone()));
        shown.push(format!("{descriptor:?}"));
        if let Err(error) = builtin_storages().build(&descriptor) {
            shown.push(format!("{error} {error:?}"));
        }
    }
    for text in shown {
        assert!(!text.contains(CANARY), "{text}");
    }
}

/// Nor does anything that is made of an address: what observers and statistics are told, what stands in metadata, and why
/// it is refused.
#[test]
fn hardening_4_3_2_no_event_figure_or_metadata_shows_password_or_query() {
    let address = format!("s3://somebody:{CANARY}@bucket/checkpoints?X-Amz-Signature={CANARY}");
    let pointer = Pointer::new(address.as_str());
    let checkpoint = CheckpointId::FIRST;
    let completed = Report::Completed(Completed {
        checkpoint,
        kind: CheckpointKind::Checkpoint,
        pointer: pointer.clone(),
        triggered_at: UnixMillis(0),
        duration: Duration::ZERO,
        state_size: 0,
        checkpointed_size: 0,
    });
    let answered = Event::Published { op: OpId::new(0), result: Ok(pointer.clone()) };
    let figures = CheckpointOutcome::Completed { external_path: pointer, discarded: false };

    let elsewhere = |address: &str| {
        let directory = StateDirectory::Foreign(address.into());
        let file = StateFile { directory, name: Name::new("x").expect("a name") };
        let handle = StateHandle::File(FileHandle { file, len: 1, crc: Crc32c(0) });
        let range = KeyGroupRange { start: 0, end: 0 };
        let keyed = Some(KeyedHandle { range, state: KeyedState::Full(handle) });
        let subtasks = vec![TaskSnapshot { keyed, ..TaskSnapshot::default() }];
        let operator = OperatorState { max_parallelism: 1, subtasks, coordinator: None };
        CheckpointMetadata {
            job: JobId::from_bytes([1; 16]),
            checkpoint,
            kind: CheckpointKind::Checkpoint,
            triggered_at: UnixMillis(0),
            operators: BTreeMap::from([(Name::new("o").expect("a name"), operator)]),
            hooks: BTreeMap::new(),
        }
    };
    let metadata = elsewhere(&address);
    let refused = metadata::encode(&elsewhere(&format!("{address}\0"))).expect_err("it has a NUL character");
    let shown = [
        format!("{completed:?}"),
        format!("{answered:?}"),
        format!("{figures:?}"),
        format!("{metadata:?}"),
        format!("{refused} {refused:?}"),
    ];
    for text in shown {
        assert!(text.contains("bucket") && !text.contains(CANARY), "{text}");
    }
}

/// Nor does the end of a job, with what a person then needs to know about the checkpoint.
#[test]
fn hardening_4_3_2_no_error_of_a_job_shows_password_or_query() {
    let address = format!("s3://somebody:{CANARY}@bucket/checkpoints?X-Amz-Signature={CANARY}");
    let pointer = || Pointer::new(address.as_str());
    let damaged = || metadata::FormatError::TooLarge { found: 2, limit: 1 };
    let errors = [
        JobError::Metadata { pointer: pointer(), source: damaged() },
        JobError::State {
            pointer: pointer(),
            operator: Name::new("o").expect("a name"),
            source: StateError::Format { state: "state", source: damaged() },
        },
        JobError::Assignment {
            pointer: pointer(),
            source: AssignmentError::Unclaimed { operators: Vec::new() },
        },
        JobError::Mismatch { pointer: pointer(), problem: "it is of another job".into() },
        JobError::Failed {
            attempts: 3,
            latest: Some(pointer()),
            source: JobFailure::Coordinator { message: "it stopped".into() },
        },
    ];
    for error in errors {
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(text.contains("bucket") && !text.contains(CANARY), "{text}");
        }
    }
}

/// A storage is held against the same cases as all others, whoever wrote it.
#[test]
fn hardening_4_4_1_every_storage_passes_the_conformance_kit() {
    for (storage, file) in [("memory", "tests"), ("fs", "tests/subjects"), ("directory", "tests")] {
        let tests = manifest(&format!("crates/stillframe-storage-{storage}/src/{file}.rs"));
        assert!(tests.contains("conformance_tests!("), "{storage}");
    }
}

/// What is built is what was looked at: from the registry alone, and in the versions that are written down.
#[test]
fn hardening_4_5_1_dependencies_come_from_the_registry_in_versions_that_are_written_down() {
    let rules = manifest("deny.toml");
    for rule in ["unknown-registry = \"deny\"", "unknown-git = \"deny\"", "wildcards = \"deny\""] {
        assert!(rules.contains(rule), "{rule}");
    }
    let lock = manifest("Cargo.lock");
    let sources: BTreeSet<_> = lock.lines().filter(|line| line.starts_with("source = ")).collect();
    let [source] = sources.into_iter().collect::<Vec<_>>()[..] else {
        panic!("not from one registry: {lock}")
    };
    assert!(source.starts_with("source = \"registry+"), "{source}");
}

/// What nobody maintains any more is kept in one place, in a version that nobody can exchange.
#[test]
fn hardening_4_5_2_bincode_is_pinned_and_in_one_crate() {
    assert!(manifest("Cargo.toml").contains("bincode = { version = \"=2.0.1\""));
    let users = crates().into_iter().filter(|(_, manifest)| manifest.contains("bincode"));
    assert_eq!(users.map(|(name, _)| name).collect::<Vec<_>>(), ["stillframe-metadata"]);
    let lock = manifest("Cargo.lock");
    for other in ["serde_yaml", "sled"] {
        assert!(!lock.contains(&format!("name = \"{other}\"")), "{other}");
    }
}

/// Those that decide, and those that read what somebody else may have written, rest on few others.
#[test]
fn hardening_4_5_3_the_core_has_few_dependencies() {
    for core in ["stillframe-coordinator", "stillframe-metadata", "stillframe-task"] {
        let names = tree(core, &[]);
        let others: BTreeSet<_> = names.iter().filter(|name| !name.starts_with("stillframe")).collect();
        assert!((1..=15).contains(&others.len()), "{core}: {others:?}");
    }
}

/// Every crate inherits the lint, and the lint cannot be allowed away.
#[test]
fn hardening_4_5_4_no_crate_has_unsafe_code() {
    assert!(manifest("Cargo.toml").contains("unsafe_code = \"forbid\""));
    let crates = crates();
    assert!(crates.len() > 10, "the crates were not found");
    for (name, manifest) in crates {
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name}");
    }
}

/// A sum that does not fit ends the program in a release, too. Whoever builds on these crates decides for themselves, so
/// that what is read from outside is added up with checks all the same.
#[test]
fn hardening_4_5_5_sums_that_do_not_fit_are_noticed_in_a_release() {
    let manifest = manifest("Cargo.toml");
    let release = manifest.split_once("[profile.release]").map(|(_, rest)| rest).expect("the profile");
    let release = release.split("\n[").next().unwrap_or_default();
    assert!(release.contains("overflow-checks = true"), "{release}");
}

/// What is promised is what is built with, everywhere.
#[test]
fn hardening_4_5_6_the_compiler_that_is_promised_is_the_one_that_is_pinned() {
    let quoted_after = |text: &str, key: &str| {
        let line =
            text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("no {key}: {text}"));
        line.split('"').nth(1).map(str::to_owned).unwrap_or_else(|| panic!("no value: {line}"))
    };
    let pinned = quoted_after(&manifest("rust-toolchain.toml"), "channel");
    for promised in ["Cargo.toml", "tests/fuzz/Cargo.toml"] {
        let version = quoted_after(&manifest(promised), "rust-version");
        assert!(
            pinned == version || pinned.starts_with(&format!("{version}.")),
            "{promised}: {version}, {pinned}"
        );
        assert!(manifest("README.md").contains(&format!("Rust {version}")), "the README promises another");
    }
    for (name, manifest) in crates() {
        assert!(manifest.contains("rust-version.workspace = true"), "{name}");
    }
}
