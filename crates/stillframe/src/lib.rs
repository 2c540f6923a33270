//! Still frames of a moving program: consistent, durable, restorable snapshots of state that keeps changing, with the
//! semantics of Apache Flink's checkpointing.
//!
//! ```
//! use stillframe::prelude::*;
//! #[tokio::main]
//! async fn main() -> Result<(), stillframe::Error> {
//!     let mut config = CheckpointConfig::default();
//!     config.set_checkpoint_interval(Duration::from_millis(50))?;
//!     config.set_checkpoint_storage(FileSystemCheckpointStorage::new("target/words")?);
//!     let mut graph = JobGraph::new();
//!     let words = graph.source("words", 2, |task| Replay::new(task, vec![("tick".to_owned(), 1); 1_000]));
//!     let counts = graph.operator("counts", 2, [(words, Exchange::by_key())], |task| Reduce::new(task, |sum, n: u64| *sum += n));
//!     graph.operator("print", 1, [(counts, Exchange::single())], |_| ForEach::new(|(word, n)| println!("{word}: {n}")));
//!     stillframe::run(graph, &config).await.map(|report| println!("checkpoints: {}", report.completed))
//! }
//! ```
//!
//! This crate re-exports the others by feature and adds the few lines that connect a config to a storage. Depend on a
//! single crate instead if you need only that: the machines have no runtime in their tree.
//!
//! | module | what for | feature |
//! |---|---|---|
//! | [`config`] | what you wish and what follows from it | |
//! | [`coordinator`], [`task`] | the two state machines, for people with an engine of their own | |
//! | [`storage`], [`storage_directory`] | for people who write a storage | |
//! | [`model`], [`metadata`] | the nouns, and what is on disk | |
//! | `memory` | `JobManagerCheckpointStorage` | `memory` |
//! | `fs` | `FileSystemCheckpointStorage` | `fs` |
//! | `custom` | `CustomCheckpointStorage`: a storage of somebody else, behind a guard | `custom` |
//! | `runtime`, `state` | the embedded job runner and the state of its operators | `runtime` |
//! | `runtime::sink` | files that are committed with the checkpoints | `file-sink` |
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use stillframe_config as config;
pub use stillframe_coordinator as coordinator;
pub use stillframe_metadata as metadata;
pub use stillframe_model as model;
#[cfg(feature = "runtime")]
pub use stillframe_runtime as runtime;
#[cfg(feature = "runtime")]
pub use stillframe_state as state;
pub use stillframe_storage as storage;
#[cfg(feature = "custom")]
pub use stillframe_storage_custom as custom;
pub use stillframe_storage_directory as storage_directory;
#[cfg(feature = "fs")]
pub use stillframe_storage_fs as fs;
#[cfg(feature = "memory")]
pub use stillframe_storage_memory as memory;
pub use stillframe_task as task;

mod builtin;
mod error;
pub mod prelude;
#[cfg(feature = "runtime")]
mod wiring;

pub use builtin::builtin_storages;
pub use error::Error;
#[cfg(feature = "runtime")]
pub use wiring::{job, run};
