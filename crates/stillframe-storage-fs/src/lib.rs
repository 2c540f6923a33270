//! [`FileSystemCheckpointStorage`]: checkpoints as files that survive `kill -9` and the loss of power.
//!
//! A checkpoint is reported complete only when the kernel has said that all of it is on the disk. The order
//! that makes this true, each step of which a test removes power after:
//!
//! ```text
//! begin      mkdir chk-N            fsync(job directory)
//! each task  write state            fsync(file)
//! publish    write .temporary       fsync(file)         fsync(chk-N)
//!            link to _metadata      fsync(chk-N)        ← complete
//! discard    unlink _metadata       fsync(chk-N)  unlink the rest, rmdir
//! ```
//!
//! [`durable`] offers the same care to sinks that write files of their own.
//!
//! Architecture invariant: no file but `disk.rs` calls the operating system's file functions, and no name is
//! published but by `publish.rs` and `durable.rs`. Names and layout are those of `stillframe-storage-directory`.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
#[cfg(test)]
mod crash_tests;
mod directories;
mod disk;
pub mod durable;
mod entropy;
mod error;
mod local;
mod publish;
#[cfg(test)]
mod sim_disk;
mod storage;
#[cfg(test)]
mod tests;

pub use storage::FileSystemCheckpointStorage;
