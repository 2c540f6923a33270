//! The corpus of the fuzz targets, replayed, and changed in many small ways.
//!
//! All of it happens in a process of its own with little memory: what allocates for a length that the input only claims ends
//! that process, as a panic does.

use crate::prove::{Proof, report};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "../../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "it is the library of the fuzz targets, too, and public there")]
mod targets;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 5] = [
    ("metadata", targets::metadata),
    ("register", targets::register),
    ("state", targets::state),
    ("state_file", targets::state_file),
    ("path", targets::path),
];

/// What the process may have for its data: some for the test harness, and little for inputs of some kilobytes.
const MEMORY: u64 = 16 << 20;
/// How often each entry of the corpus is changed, and the largest that is.
const CHANGES: u64 = 10_000;
const LARGEST: usize = 8 << 10;
/// Says to a process that it is the one with little memory.
const WITH_LITTLE_MEMORY: &str = "STILLFRAME_FUZZ_WITH_LITTLE_MEMORY";
/// With what that process begins the line that says how many inputs there were.
const REPLAYED: &str = "inputs: ";

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry of the corpus").path()).collect();
    files.sort_unstable();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, bytes)
    };
    files.into_iter().map(read).collect()
}

/// The same numbers in every run: a failure is found again.
struct Random(u64);

impl Random {
    /// By the finaliser of `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("it is below a usize")
    }
}

/// Numbers at which things change: widths of numbers, limits, signs.
const INTERESTING: [&[u8]; 10] = [
    &[0],
    &[1],
    &[250],
    &[251, 255, 255],
    &[252, 255, 255, 255, 255],
    &[253, 255, 255, 255, 255, 255, 255, 255, 255],
    &[255, 255, 255, 127],
    &[0, 0, 0, 0, 0, 0, 0, 16],
    &[254],
    &[255; 8],
];

/// Changes something, in one to four places.
fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(9)).min(bytes.len());
        match random.below(7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.extend_from_within(at..end),
            3 => drop(bytes.splice(at..end, INTERESTING[random.below(INTERESTING.len())].iter().copied())),
            4 => {
                let from = random.below(other.len());
                let to = (from + random.below(40)).min(other.len());
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
            5 => bytes.insert(at, random.next().to_le_bytes()[0]),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
}

/// Replays everything and gives the number of inputs.
fn replay() -> u64 {
    let mut inputs = 0;
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!(corpus.len() >= 8, "the corpus of {name} is missing");
        for (seed, (path, bytes)) in (0..).zip(&corpus) {
            assert!(
                bytes.len() <= LARGEST,
                "{} has {} bytes; expected {LARGEST} at most",
                path.display(),
                bytes.len()
            );
            target(bytes);
            let mut random = Random(seed);
            for _ in 0..CHANGES {
                let mut changed = bytes.clone();
                let (_, other) = &corpus[random.below(corpus.len())];
                change(&mut changed, other, &mut random);
                target(&changed);
            }
            inputs += CHANGES + 1;
        }
    }
    inputs
}

/// Runs one test of this file again, in a process that has told itself to do with little memory.
fn run_with_little_memory(test: &str) -> Output {
    let this = env::current_exe().expect("this process has a file");
    let arguments = ["--exact", test, "--nocapture", "--test-threads=1"];
    let mut command = Command::new(this);
    // Looking up the names for a backtrace takes more memory than there is, and a panic without memory hangs.
    command.args(arguments).env(WITH_LITTLE_MEMORY, "1").env("RUST_BACKTRACE", "0");
    command.output().expect("it can be started again")
}

fn take_little_memory() {
    let limit = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
    setrlimit(Resource::Data, limit).expect("a limit can be lowered");
}

fn of_this_file(test: &str) -> String {
    let path = module_path!();
    format!("{}::{test}", path.split_once("::").map_or(path, |(_, path)| path))
}

#[test]
#[expect(clippy::print_stdout, reason = "it is how a process tells the one that began it")]
fn hardening_4_1_7_the_corpus_and_ten_thousand_changes_of_each_entry_break_no_reader() {
    if env::var_os(WITH_LITTLE_MEMORY).is_some() {
        take_little_memory();
        println!("{REPLAYED}{}", replay());
        return;
    }
    let mut proof = Proof::begin("storage/fuzz");
    let test = "hardening_4_1_7_the_corpus_and_ten_thousand_changes_of_each_entry_break_no_reader";
    let output = run_with_little_memory(&of_this_file(test));
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}\n{complained}", output.status);
    let replayed = said.lines().find_map(|line| line.rsplit_once(REPLAYED)?.1.parse().ok());
    proof.cases = replayed.unwrap_or_else(|| panic!("it does not say how many: {said}"));
    assert!(proof.cases >= 5 * 8 * CHANGES, "{said}");
    proof.detail = format!(
        "inputs to the readers of metadata, register, state, state files and paths, in {} MiB of memory: the corpus, and {CHANGES} \
         changes of each entry",
        MEMORY >> 20
    );
    report(&proof);
}

#[test]
fn a_process_with_little_memory_does_not_survive_a_large_allocation() {
    if env::var_os(WITH_LITTLE_MEMORY).is_some() {
        take_little_memory();
        let size = usize::try_from(MEMORY).expect("a size");
        assert_eq!(vec![7_u8; size].iter().rev().position(|byte| *byte != 7), None);
        return;
    }
    let output = run_with_little_memory(&of_this_file(
        "a_process_with_little_memory_does_not_survive_a_large_allocation",
    ));
    assert!(!output.status.success(), "the limit does not hold");
    assert!(String::from_utf8_lossy(&output.stderr).contains("memory allocation"));
}
