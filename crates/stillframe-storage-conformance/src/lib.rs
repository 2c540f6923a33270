//! What every [`CheckpointStorage`](stillframe_storage::CheckpointStorage) must do, as callable cases.
//!
//! Give [`conformance_tests!`] a function that makes a fresh [`Subject`], and each case becomes a `#[test]`:
//!
//! ```
//! use stillframe_storage_conformance::{Capability, Subject, conformance_tests};
//!
//! fn fresh() -> Subject {
//!     // A storage in a new place, and how a descriptor is turned back into one.
//! #   use std::sync::Arc;
//! #   fn storage() -> Arc<dyn stillframe_storage::CheckpointStorage> { panic!("only compiled") }
//! #   fn list_files() -> Vec<String> { Vec::new() }
//!     Subject::new(storage(), |_descriptor| Ok(storage()))
//!         // What some cases need to see a leak, and to take savepoints.
//!         .with_residue(list_files)
//!         .with_savepoint_target("/savepoints")
//!         // What it does not do. The cases then show that it refuses, instead of showing how it works, or do not apply.
//!         .lacking(Capability::TaskOwnedState, "tasks keep nothing of their own there")
//! }
//!
//! # mod hidden { use super::*;
//! conformance_tests!(fresh);
//! # }
//! # fn main() {}
//! ```
//!
//! The cases are in [`cases`], by subject, and [`ALL`] has them in one list. They panic with what was expected, and rely on
//! nothing but the traits: what one storage keeps in files another may keep inline. What the traits do not show, such as
//! a leak or a damaged file, is shown by what the subject was given; a case that lacks it is not passed over in silence, but
//! writes a line that begins with `SKIPPED:` to the standard error. A case about what the storage does not have, by what it or
//! its [`Capability`]s say, does not apply; how many those are, and why, is one line when all have been run. A case that fails
//! names itself and the storage.
//!
//! Architecture invariant: this crate names no backend, and nothing but tests depends on it.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod cases;
mod macros;
mod run;
mod session;
mod state;
mod subject;

pub use run::{ALL, Case, Fresh, Verdict};
pub use subject::{Capability, Subject};

#[doc(hidden)]
pub use run::{Applied, block_on_case, show};
