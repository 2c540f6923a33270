//! What the user asked for, and the always-valid value that follows from it.
//!
//! [`CheckpointConfig`] records wishes under Flink's names; a setter that refuses a value leaves the config as it was.
//! [`Options`] is the same as text under Flink's keys, from a file or for one; [`OPTIONS`] is the one table of them.
//! [`resolve`](CheckpointConfig::resolve) turns wishes and a [`GraphDescription`] into an [`EffectiveConfig`], which has no
//! setters and is grouped by who uses it, together with the list of [`Adjustment`]s that were made on the way, or into all
//! [`Violations`] at once.
//!
//! ```no_run
//! use stillframe_config::{CheckpointConfig, GraphDescription, Options};
//!
//! let text = std::fs::read_to_string("flink-conf.yaml")?;
//! let options = Options::parse(&text)?;
//! let (config, report) = CheckpointConfig::from_options(&options)?;
//! for unknown in &report.deny_unknown()?.unknown {
//!     println!("left to others: {unknown}");
//! }
//! let resolved = config.resolve(&GraphDescription::default())?;
//! for adjustment in &resolved.adjustments {
//!     println!("changed: {adjustment}");
//! }
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! The crate knows no storage: [`CheckpointConfig::set_checkpoint_storage`] takes a descriptor. It is `no_std + alloc`; the
//! feature `serde` adds serialisation of the config and of options.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod config;
mod effective;
mod error;
mod graph;
mod mode;
mod option;
mod options;
mod resolve;
#[cfg(test)]
mod tests;
mod text;

pub use config::{CheckpointConfig, Report, UnknownKey};
pub use effective::{
    BarrierPolicy, Barriers, EffectiveConfig, FailureTolerance, Recovery, Retention, Schedule, Unaligned,
};
pub use error::{ConfigError, ConfigErrors};
pub use graph::GraphDescription;
pub use mode::{CheckpointingMode, ExternalizedCheckpointRetention, RecoveryClaimMode};
pub use option::{ConfigOption, OPTIONS, OptionType, Reader};
pub use options::{Options, ParseError};
pub use resolve::{Adjustment, Resolved, Violation, Violations};
pub use text::parse_duration;

/// The older name of [`ExternalizedCheckpointRetention`].
pub use mode::ExternalizedCheckpointRetention as ExternalizedCheckpointCleanup;
