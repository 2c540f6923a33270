//! What the user asked for, and the always-valid value that follows from it.
//!
//! [`CheckpointConfig`] records wishes under Flink's names; a setter that refuses a value leaves the config as it was.
//! [`resolve`](CheckpointConfig::resolve) turns it into an [`EffectiveConfig`], which has no setters and is grouped by who
//! uses it, together with the list of [`Adjustment`]s that were made on the way.
//!
//! The crate knows no storage: [`CheckpointConfig::set_checkpoint_storage`] takes a descriptor. It is `no_std + alloc`.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod config;
mod effective;
mod error;
mod mode;
mod resolve;
mod text;

pub use config::CheckpointConfig;
pub use effective::{BarrierPolicy, EffectiveConfig, FailureTolerance, Retention, Schedule};
pub use error::ConfigError;
pub use mode::{CheckpointingMode, ExternalizedCheckpointRetention};
pub use resolve::{Adjustment, Resolved};
pub use text::parse_duration;

/// The older name of [`ExternalizedCheckpointRetention`].
pub use mode::ExternalizedCheckpointRetention as ExternalizedCheckpointCleanup;
