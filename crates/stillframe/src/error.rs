use stillframe_config::{ConfigError, ConfigErrors, ParseError, Violations};
#[cfg(feature = "runtime")]
use stillframe_runtime::JobError;
use stillframe_storage::StorageError;

/// Anything that the functions of this crate, and the calls around them, can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Settings of a configuration were refused.
    #[error(transparent)]
    Options(#[from] ConfigErrors),
    /// A configuration could not be read.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The settings of a job break a rule.
    #[error(transparent)]
    Violations(#[from] Violations),
    /// A storage could not be built or used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A job did not run to its end.
    #[cfg(feature = "runtime")]
    #[error(transparent)]
    Job(#[from] JobError),
}
