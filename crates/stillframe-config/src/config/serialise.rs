//! The config as a flat map of options, in any format that serde knows.

use super::CheckpointConfig;
use crate::Options;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

impl Serialize for CheckpointConfig {
    /// As [`to_options`](Self::to_options).
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_options().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CheckpointConfig {
    /// As [`from_options`](Self::from_options). A key that is none of ours is an error: to read a configuration that also
    /// belongs to somebody else, deserialise [`Options`].
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let options = Options::deserialize(deserializer)?;
        let (config, report) = Self::from_options(&options).map_err(D::Error::custom)?;
        match report.unknown.into_iter().next() {
            Some(unknown) => Err(D::Error::custom(unknown)),
            None => Ok(config),
        }
    }
}
