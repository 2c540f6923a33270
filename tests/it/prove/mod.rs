//! Proofs: tests that look at many cases and say how many.
//!
//! A proof `name` is a file of its own here, declared below as a module, with tests that end in a [`report`]. It takes the
//! number of its cases from [`size`] and all its randomness from [`seed`]. `cargo xtask prove name` runs it;
//! `cargo xtask ci` runs all of them at the size of CI.

mod coordinator;
mod kill_points;
mod recovery;
mod storage;

use serde_json::{Value, json};
use std::env;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How many cases a proof looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// What fits into a minute or two on a small machine.
    Ci,
    /// What is run by hand or at night.
    Deep,
}

impl Size {
    /// The size of this name.
    ///
    /// # Panics
    /// For another name, which would otherwise silently prove less than was asked for.
    pub(crate) fn parse(name: &str) -> Self {
        match name {
            "ci" => Self::Ci,
            "deep" => Self::Deep,
            other => panic!("STILLFRAME_PROVE_SIZE is `{other}`; expected `ci` or `deep`"),
        }
    }

    /// One of two numbers of cases.
    pub(crate) fn pick<T>(self, ci: T, deep: T) -> T {
        match self {
            Self::Ci => ci,
            Self::Deep => deep,
        }
    }
}

/// The size that was asked for: `STILLFRAME_PROVE_SIZE`, or that of CI.
pub(crate) fn size() -> Size {
    env::var("STILLFRAME_PROVE_SIZE").map_or(Size::Ci, |name| Size::parse(&name))
}

/// The number from which a proof derives all its randomness: `STILLFRAME_SEED`, or a new one. Printed, so that it can be
/// given back.
///
/// # Panics
/// If what was given is no number.
#[expect(clippy::print_stdout, reason = "a seed that is not printed cannot be given back")]
pub(crate) fn seed() -> u64 {
    let seed = match env::var("STILLFRAME_SEED") {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("STILLFRAME_SEED is `{text}`; expected a number below 2^64")),
        // The standard library draws the keys of its hash maps from the system; hashing nothing shows them.
        Err(_) => RandomState::new().hash_one(()),
    };
    println!("seed {seed} (repeat with --seed {seed})");
    seed
}

/// What one proof looked at and found. Begin it before the first case, so that its time is counted.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    /// The proof's name; one with several parts reports each as `name/part`.
    pub(crate) name: &'static str,
    pub(crate) cases: u64,
    /// Cases in which something did not hold.
    pub(crate) violations: u64,
    /// Cases that could not be looked at here; the detail says why.
    pub(crate) skipped: u64,
    /// A sentence: the seed, what the cases were, why some were skipped.
    pub(crate) detail: String,
    /// When it began.
    pub(crate) began: Instant,
}

impl Proof {
    /// A proof that has looked at nothing yet.
    #[expect(clippy::disallowed_methods, reason = "how long a proof took is printed and decides nothing")]
    pub(crate) fn begin(name: &'static str) -> Self {
        Self { name, cases: 0, violations: 0, skipped: 0, detail: String::new(), began: Instant::now() }
    }

    /// As `cargo xtask prove --json` writes it.
    pub(crate) fn row(&self) -> Value {
        json!({
            "name": self.name,
            "cases": self.cases,
            "violations": self.violations,
            "skipped": self.skipped,
            "seconds": self.began.elapsed().as_secs_f64(),
            "detail": self.detail,
        })
    }

    /// Writes the row into a directory, in a file of its own.
    pub(crate) fn write_into(&self, directory: &Path) {
        let path = directory.join(format!("{}.json", self.name.replace('/', ".")));
        if let Err(error) = fs::write(&path, self.row().to_string()) {
            panic!("cannot write the report {}: {error}", path.display());
        }
    }
}

/// Ends a proof: prints what it found and, when `cargo xtask` runs it, hands it over.
///
/// # Panics
/// If something was violated, after everything was written down.
#[expect(clippy::print_stdout, reason = "what a proof found is its output")]
pub(crate) fn report(proof: &Proof) {
    if proof.skipped > 0 {
        println!("SKIPPED: proof {}: {} cases; {}", proof.name, proof.skipped, proof.detail);
    }
    if let Some(directory) = env::var_os("STILLFRAME_PROVE_JSON") {
        proof.write_into(&PathBuf::from(directory));
    }
    let Proof { name, cases, violations, detail, .. } = proof;
    assert_eq!(*violations, 0, "{name}: violated in {violations} of {cases} cases; {detail}");
}
