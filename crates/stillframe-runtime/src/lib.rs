//! tokio around the Stillframe machines, and an embedded runner for jobs that fit into one process.
//!
//! A [`JobGraph`] connects sources, operators and sinks; a [`Job`] runs it with checkpoints in a storage. Barriers travel in
//! band through bounded channels, state is captured between two records and written beside the stream, and a job that
//! fails goes on from its newest completed checkpoint. The runner exists so that every setting can be seen at work; it
//! is no stream processing product. People with an engine of their own use `stillframe-coordinator` and
//! `stillframe-task` directly, and can read here how.
//!
//! No decision about checkpoints is made in this crate. Its two drivers, that of the coordinator and that of a task, ask
//! the machines and perform what they say.

mod attempt;
mod backlog;
mod cancel;
mod clock;
mod commands;
mod control;
mod coordinator;
mod error;
mod event;
mod first_delay;
mod gate;
mod graph;
mod handle;
mod hook;
mod job;
mod offload;
mod operator;
mod operators;
mod output;
mod restart;
mod restore;
pub mod sink;
mod snapshot;
mod sources;
mod start;
mod statistics;
mod task;
#[cfg(test)]
mod tests;

pub use error::{JobError, JobFailure, TaskError, TaskResult};
pub use event::{JobEvent, JobReport, LeftBehind};
pub use graph::{JobGraph, Stream};
pub use handle::{JobHandle, PendingCheckpoint, RequestError, SnapshotHandle, StorageCall};
pub use hook::{MasterHook, OperatorCoordinator};
pub use job::Job;
pub use operator::{Operator, Record, Restored, Source, SourceStatus, Stateful, TaskContext};
pub use operators::{ForEach, Reduce};
pub use output::{Exchange, Output};
pub use restart::RestartStrategy;
pub use snapshot::Snapshot;
pub use sources::Replay;

/// What a handle tells about a job's checkpoints.
pub use stillframe_coordinator::statistics::Statistics;

/// What the state of operators is made of, so that a job needs no further dependency.
pub use stillframe_state as state;
