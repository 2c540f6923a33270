//! Values as people write them in a configuration: what Flink reads is read, what it refuses is refused.

pub(crate) mod duration;
pub(crate) mod number;
pub(crate) mod size;

pub use duration::parse_duration;
