use crate::{Error, builtin_storages};
use stillframe_config::CheckpointConfig;
use stillframe_runtime::{Job, JobGraph, JobReport, Record};

/// A job with this graph, whose checkpoints go to the storage that the config describes.
///
/// # Errors
/// If the config breaks a rule, if this build has no such storage, or if its settings are not valid.
pub fn job<T: Record>(graph: JobGraph<T>, config: &CheckpointConfig) -> Result<Job<T>, Error> {
    let storage = builtin_storages().build(&config.resolve(&graph.description())?.effective.storage)?;
    Ok(Job::new(graph, config, storage)?)
}

/// Runs a new job with this graph to its end.
///
/// # Errors
/// As [`job`], and as [`Job::run`].
pub async fn run<T: Record>(graph: JobGraph<T>, config: &CheckpointConfig) -> Result<JobReport, Error> {
    Ok(job(graph, config)?.run().await?)
}
