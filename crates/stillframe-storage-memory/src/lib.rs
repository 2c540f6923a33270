//! [`JobManagerCheckpointStorage`]: checkpoints in the memory of the coordinator's process, bounded.
//!
//! For tests, for trying things out, and for jobs whose state is small and which need to survive failures of
//! tasks but not of the process. State travels inside the acknowledgements and the metadata; the metadata is
//! in a vault that all clones of one storage value share, and gone when the last of them is dropped.
//!
//! Architecture invariant: this crate touches no file. What has to outlive the process belongs into another
//! storage.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod coordinator;
mod storage;
mod stream;
#[cfg(test)]
mod tests;
mod vault;

pub use storage::{JobManagerCheckpointStorage, NOT_EXTERNALLY_ADDRESSABLE};
