//! A disk in memory that loses power and fails on demand, to prove that what is built on a [`Disk`] keeps its
//! promises.
//!
//! The model is stricter than any real file system. Content is durable only after an fsync of the file, a
//! name only after an fsync of its directory, and of all that was not synced any part may survive without any
//! other, in particular a later effect without an earlier one, and the length of a file without its bytes. When
//! an fsync fails, what it was to write may be on the disk or not, and no later fsync changes that: this is how
//! Linux behaves.
//!
//! Three questions can be put to a piece of work, and within each answer any of them again:
//!
//! - [`SimDisk::cut_everywhere`]: it stops after its first operation, its second, and so on. What then
//!   [survives a loss of power](SimDisk::after_power_loss) is a number of other disks, on which a recovery can
//!   be run, and stopped everywhere.
//! - [`SimDisk::fail_everywhere`]: each of its operations fails, in a way that such an operation can.
//! - What it promised is compared with the [worst case](SimDisk::worst_case) at that moment.
//!
//! ```
//! use std::path::Path;
//! use stillframe_storage_fs::disk::Disk;
//! use stillframe_storage_fs::simulation::{Coverage, SimDisk};
//!
//! let path = Path::new("/greeting");
//! let work = |disk: &SimDisk| -> std::io::Result<()> {
//!     let mut file = disk.create_new(path)?;
//!     file.write(b"hello")?;
//!     file.sync()?;
//!     disk.sync_dir(Path::new("/"))
//! };
//! for cut in SimDisk::new().cut_everywhere(work) {
//!     for (survived, image) in cut.disk.after_power_loss(&Coverage::default()) {
//!         let is_promised = cut.outcome.is_ok();
//!         assert!(image.content(path).as_deref() == Some(b"hello") || !is_promised, "{survived}");
//!     }
//! }
//! ```
//!
//! [`Disk`]: crate::disk::Disk

mod disk;
mod entropy;
mod explore;
mod fault;
mod file;
mod image;
mod power;
mod state;
#[cfg(test)]
mod tests;

pub use disk::{SimDisk, SimOperation};
pub use entropy::SimEntropy;
pub use explore::{Cut, Failing};
pub use fault::{Failed, Fault, FaultKind};
pub use power::{AfterPowerLoss, Coverage, Survivors};
