//! `CustomCheckpointStorage`: a storage that somebody else wrote, let in safely.
//!
//! Start with [`CustomKind`], which says how storages of a kind are built and puts that into a
//! [`StorageRegistry`](stillframe_storage::StorageRegistry), on every process in the same way; and with [`CustomDescriptor`],
//! the kind, version and options that travel between processes. What comes out is a [`CustomCheckpointStorage`]: the other's
//! storage behind a guard. The guard passes every call through, without copying data, and compares what comes back with the
//! contract of the traits. What breaks it becomes an error with a [`Violation`] inside, which names the [`Rule`] and who broke
//! it. Panics are contained, and calls that never return time out.
//!
//! ```
//! use std::sync::Arc;
//! use stillframe_model::OptionValue;
//! use stillframe_storage::{CheckpointStorage, ErrorKind, StorageError, StorageRegistry};
//! use stillframe_storage_custom::{CustomDescriptor, CustomKind, Plugin};
//!
//! # fn tape(_: &str) -> Result<Arc<dyn CheckpointStorage>, StorageError> {
//! #     Err(StorageError::new(ErrorKind::Unavailable, "open", "the tape"))
//! # }
//! let mut registry = StorageRegistry::new();
//! CustomKind::new("tape", 1..=2, |options| Ok(Plugin::new(tape(options.text("drive")?)?))).register(&mut registry)?;
//!
//! let wrong = CustomDescriptor::new("tape")?.with("dirve", OptionValue::Text("st0".into()))?;
//! let error = registry.build(&wrong.into()).unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::InvalidOption);
//! assert!(error.to_string().contains("option drive is missing"), "{error}");
//! # Ok::<(), StorageError>(())
//! ```
//!
//! What this crate is not: a loader of shared objects, which would need `unsafe`, and no home for storages in other processes
//! yet, for which the descriptor keeps the option [`TRANSPORT`](CustomDescriptor::TRANSPORT) free. The guard cannot see
//! whether a medium keeps what it confirmed; that is what `stillframe-storage-conformance` and crashes are for.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod crew;
mod descriptor;
mod drive;
mod guard;
mod history;
mod kind;
mod ledger;
mod options;
mod patience;
mod plugin;
mod policy;
mod report;
mod secrets;
mod storage;
#[cfg(test)]
mod tests;
mod violation;

pub use descriptor::CustomDescriptor;
pub use kind::CustomKind;
pub use options::{CustomOptions, Secret};
pub use patience::Patience;
pub use plugin::{Plugin, ReadBackStorage};
pub use policy::{CallKind, GuardPolicy, ReadBack};
pub use report::{GuardReport, LostCall};
pub use storage::CustomCheckpointStorage;
pub use violation::{Party, Rule, Violation};
