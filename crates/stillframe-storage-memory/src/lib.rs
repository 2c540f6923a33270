//! [`JobManagerCheckpointStorage`]: checkpoints in the memory of the coordinator's process, bounded.
//!
//! For tests, for trying things out, and for jobs whose state is small and which need to survive failures of
//! tasks but not of the process. State travels inside the acknowledgements and the metadata; the metadata is
//! in a vault that all clones of one storage value share, and gone when the last of them is dropped. Where a directory is
//! configured, the metadata goes there instead, through `stillframe-storage-directory`; savepoints always do.
//!
//! Architecture invariant: this crate opens no file. Which files there are, if any, is for the caller to say.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod budget;
mod coordinator;
mod ids;
mod location;
mod savepoint;
mod storage;
mod stream;
#[cfg(test)]
mod tests;
mod vault;
mod worker;

pub use storage::{JobManagerCheckpointStorage, NOT_EXTERNALLY_ADDRESSABLE};
