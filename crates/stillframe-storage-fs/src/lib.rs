//! [`FileSystemCheckpointStorage`]: checkpoints as files that survive `kill -9` and the loss of power.
//!
//! A checkpoint is reported complete only when the kernel has said that all of it is on the disk. The order
//! that makes this true, each step of which a test removes power after:
//!
//! ```text
//! begin      mkdir chk-N            fsync(job directory)
//! worker     write state            fsync(file)
//! commit     fsync(shared)          so that all names in it are durable
//!            write .temporary       fsync(file)         fsync(chk-N)
//!            link to _metadata      fsync(chk-N)
//!            write .temporary       fsync(file)         fsync(_ctl/r)
//!            link to _ctl/r/…       fsync(_ctl/r)       ← complete, if no newer epoch is marked
//! remove     unlink _metadata       fsync(chk-N)  unlink the rest, rmdir
//! ```
//!
//! [`durable`] offers the same care to sinks that write files of their own.
//!
//! Everything happens on a [`disk::Disk`], a seam: this machine's file system, opened beneath the handle of the
//! configured directory, or with the feature `simulation` a disk in memory that loses power and fails on demand.
//!
//! Architecture invariant: no file outside of `disk/` calls the operating system's file functions, and no name
//! is published but by `publish.rs` and `durable.rs`. Names and layout are those of `stillframe-storage-directory`.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod blobs;
#[cfg(test)]
mod crash_tests;
mod directories;
pub mod disk;
mod doubts;
pub mod durable;
mod entropy;
mod error;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod hardening_tests;
mod on_disk;
mod publish;
#[cfg(test)]
mod savepoint_tests;
#[cfg(any(test, feature = "simulation"))]
#[cfg_attr(docsrs, doc(cfg(feature = "simulation")))]
pub mod simulation;
mod storage;
#[cfg(test)]
mod tests;
mod volume;

pub use blobs::LocalStores;
pub use entropy::SystemEntropy;
pub use on_disk::StorageOnDisk;
pub use stillframe_model::Durability;
pub use storage::FileSystemCheckpointStorage;
