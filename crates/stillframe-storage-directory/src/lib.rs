//! "Checkpoint 17 of job J" as names and references, over any [`BlobStore`](stillframe_storage::BlobStore).
//!
//! A backend gives a [`BlobStores`], which opens directories by their address, and an [`Entropy`], from which
//! unique names are drawn. [`DirectoryStorage`] makes of these the coordinator's, the workers' and the
//! readers' views that `stillframe-storage` asks for. The layout is Flink's:
//!
//! ```text
//! <directory>/<job id>/_ctl/…                         the commit register: which checkpoints are complete
//! <directory>/<job id>/chk-<N>/_metadata              what checkpoint N consists of
//! <directory>/<job id>/chk-<N>/segment-<unique>       what the tasks of a worker wrote for it
//! <directory>/<job id>/chk-<N>/state-<unique>         the same, for one large state
//! <directory>/<job id>/shared/shared-<N>-<unique>     what later checkpoints may share
//! <directory>/<job id>/taskowned/owned-<unique>       what tasks look after themselves
//! <target>/savepoint-<job id>-<unique>/…              the same for a savepoint, wherever the user wants it
//! <target>/savepoint-<job id>-<unique>/_disposed      says that the rest of it can go
//! ```
//!
//! An export is a savepoint that was copied together from a checkpoint and what it shares.
//!
//! Architecture invariant: nothing here knows what kind of medium it is on. It opens no file, reads no clock
//! and draws no random number of its own. Only `layout.rs` formats and parses names.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod blocks;
mod completed;
mod coordinator;
mod disposal;
mod export;
mod failure;
mod layout;
mod live;
mod locations;
#[cfg(test)]
mod map_store;
mod mark;
mod pieces;
mod place;
mod pointer;
mod reader;
mod reference;
pub mod register;
mod retained;
mod roots;
mod savepoint;
mod seam;
mod segment;
mod side_directory;
mod stages;
mod state_file;
mod storage;
mod stream;
mod sweep;
mod task_owned;
mod tenure;
#[cfg(test)]
mod tests;
mod worker;
mod writable;

pub use completed::METADATA_LIMIT;
pub use seam::{BlobStores, Entropy};
pub use storage::DirectoryStorage;
