//! What the user asked for, setting by setting: each file has those that belong together.

mod barriers;
mod failures;
mod files;
mod options;
mod recovery;
mod retention;
mod schedule;
#[cfg(feature = "serde")]
mod serialise;
mod storage;

pub use options::{Report, UnknownKey};

use crate::option::Settings;
use stillframe_model::StorageDescriptor;

/// How a job is checkpointed, as its author wishes. Names, defaults and limits are those of Flink 1.20.
///
/// Every setting remembers whether it was set: only what was set is [written](Self::to_options). A setter that refuses a
/// value leaves the config as it was. Times are kept to the millisecond, and counts up to 2147483647, as in Flink.
///
/// ```
/// use core::time::Duration;
/// use stillframe_config::CheckpointConfig;
///
/// let mut config = CheckpointConfig::default();
/// config.set_checkpoint_interval(Duration::from_secs(30))?.set_tolerable_checkpoint_failure_number(3);
/// assert!(config.is_checkpointing_enabled());
/// assert!(config.set_checkpoint_interval(Duration::from_millis(9)).is_err());
/// assert_eq!(config.checkpoint_interval(), Some(Duration::from_secs(30)));
/// # Ok::<(), stillframe_config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CheckpointConfig {
    pub(crate) settings: Settings,
    /// Set by the program, or by the directory option.
    pub(crate) storage: Option<StorageDescriptor>,
}
