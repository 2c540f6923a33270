//! What Flink's getters would answer, asked of our config.

use super::conversion;
use super::option_keys as keys;
use serde_json::{Value, json};
use std::time::Duration;
use stillframe::config::CheckpointConfig;

/// What a getter answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    /// As it is recorded; an object with `raises` where Flink's getter refuses to answer.
    pub(crate) value: Value,
    /// On which options it depends.
    pub(crate) about: &'static [&'static str],
}

/// Asks by the method's name as [`conversion::method`] spells it. `None` if there is no such getter.
pub(crate) fn ask(config: &CheckpointConfig, method: &str) -> Option<Asked> {
    let (value, about): (Value, &'static [&'static str]) = match method {
        "is_checkpointing_enabled" => (json!(config.is_checkpointing_enabled()), &[keys::INTERVAL]),
        "checkpoint_interval" => {
            (json!(conversion::interval_or_minus_one(config.checkpoint_interval())), &[keys::INTERVAL])
        }
        "checkpoint_interval_during_backlog" => (backlog(config), &[keys::INTERVAL, keys::BACKLOG]),
        "checkpointing_mode" | "checkpointing_consistency_mode" => {
            (conversion::mode(config.checkpointing_mode()), &[keys::MODE])
        }
        "checkpoint_timeout" => (json!(conversion::millis(config.checkpoint_timeout())), &[keys::TIMEOUT]),
        "min_pause_between_checkpoints" => {
            (json!(conversion::millis(config.min_pause_between_checkpoints())), &[keys::MIN_PAUSE])
        }
        "max_concurrent_checkpoints" => {
            (json!(config.max_concurrent_checkpoints().get()), &[keys::MAX_CONCURRENT])
        }
        "tolerable_checkpoint_failure_number" => {
            (json!(config.tolerable_checkpoint_failure_number()), &[keys::TOLERABLE])
        }
        "is_fail_on_checkpointing_errors" => {
            (json!(config.is_fail_on_checkpointing_errors()), &[keys::TOLERABLE])
        }
        "is_externalized_checkpoints_enabled" => {
            (json!(config.is_externalized_checkpoints_enabled()), &[keys::RETENTION])
        }
        "externalized_checkpoint_cleanup" => {
            let cleanup = config.externalized_checkpoint_cleanup();
            (conversion::retention("ExternalizedCheckpointCleanup", cleanup), &[keys::RETENTION])
        }
        "externalized_checkpoint_retention" => {
            let retention = config.externalized_checkpoint_retention();
            (conversion::retention("ExternalizedCheckpointRetention", retention), &[keys::RETENTION])
        }
        "is_unaligned_checkpoints_enabled" => {
            (json!(config.is_unaligned_checkpoints_enabled()), &[keys::UNALIGNED])
        }
        "alignment_timeout" | "aligned_checkpoint_timeout" => {
            (conversion::duration(config.alignment_timeout()), &[keys::ALIGNMENT])
        }
        "is_force_unaligned_checkpoints" => {
            (json!(config.is_force_unaligned_checkpoints()), &[keys::FORCE_UNALIGNED])
        }
        "is_unaligned_checkpoints_interruptible_timers_enabled" => {
            (json!(config.is_unaligned_checkpoints_interruptible_timers_enabled()), &[keys::TIMERS])
        }
        "max_subtasks_per_channel_state_file" => {
            (json!(config.max_subtasks_per_channel_state_file().get()), &[keys::MAX_SUBTASKS])
        }
        "is_force_checkpointing" => (json!(config.is_force_checkpointing()), &[keys::FORCE]),
        "is_approximate_local_recovery_enabled" => {
            (json!(config.is_approximate_local_recovery_enabled()), &[keys::APPROXIMATE])
        }
        "is_checkpoints_after_tasks_finish_enabled" | "is_enable_checkpoints_after_tasks_finish" => {
            (json!(config.is_checkpoints_after_tasks_finish_enabled()), &[keys::AFTER_FINISH])
        }
        "checkpoint_id_of_ignored_in_flight_data" => {
            let id = config.checkpoint_id_of_ignored_in_flight_data();
            (id.map_or(json!(-1), |id| json!(id.get())), &[keys::IGNORED_DATA])
        }
        "checkpoint_storage" => {
            (json!(config.checkpoint_storage().map(conversion::storage)), &[keys::SET_BY_PROGRAM])
        }
        _ => return None,
    };
    Some(Asked { value, about })
}

/// Flink's getter takes the normal interval where none is set for a backlog, and then refuses what is shorter than that.
/// Ours gives what was set; that it does not fit is said by `resolve`.
fn backlog(config: &CheckpointConfig) -> Value {
    let disabled = |interval: Option<Duration>| {
        let millis = conversion::interval_or_disabled(interval);
        if millis < conversion::MINIMAL_TIME { conversion::DISABLED_INTERVAL } else { millis }
    };
    let interval = config.checkpoint_interval();
    let (normal, backlog) =
        (disabled(interval), disabled(config.checkpoint_interval_during_backlog().or(interval)));
    if backlog < normal { json!({ "raises": { "layer": "java" } }) } else { json!(backlog) }
}
