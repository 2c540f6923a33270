//! The file of tables: constants, enumerations, options, failure reasons and the arithmetic of key groups. Each entry of a
//! table is a case, and the table is its kind.

mod failures;
mod key_groups;
mod options;

use super::conversion;
use super::difference::Difference;
use super::tally::Outcome;
use serde_json::{Map, Value, json};
use std::num::NonZeroU32;
use std::time::Duration;
use stillframe::config::{CheckpointConfig, CheckpointingMode, ExternalizedCheckpointRetention, Retention};
use stillframe::coordinator::statistics::CheckpointStatus;
use stillframe::model::{
    CheckpointKind, FileSystemDescriptor, JobId, JobManagerDescriptor, JobStatus, PostCheckpointAction,
    SavepointFormat, SavepointKind,
};

pub(crate) fn replay(case: &Value) -> Vec<Outcome> {
    let Some(tables) = case.as_object() else {
        return vec![Outcome::found("no table", "?", vec![format!("expected tables, found {case}")])];
    };
    tables.iter().flat_map(|(name, table)| self::table(name, table)).collect()
}

fn table(name: &str, table: &Value) -> Vec<Outcome> {
    let each = |of: fn(&str, &str, &Value) -> Outcome| -> Vec<Outcome> { entries(name, table, of) };
    let skipped = |reason: &str| vec![Outcome::skipped(name, name, reason)];
    match name {
        "constants" => each(constant),
        "enums" => each(enumeration),
        "coordinator_constants" => each(coordinator_constant),
        "retention_policies" => each(retention_policy),
        "checkpoint_properties" => each(properties),
        "job_id_text" => vec![job_id(name, table)],
        "checkpoint_failure_reasons" => each(failures::reason),
        "failure_counting_by_reason" => each(failures::counting),
        "failure_manager_scripts" => each(failures::script),
        "key_group_of_hash" => each(key_groups::of_hash),
        "key_group_of_string" => each(key_groups::of_text),
        "key_group_ranges" => each(key_groups::ranges),
        "default_max_parallelism" => each(key_groups::default_max_parallelism),
        _ if name.starts_with("options_") => each(options::option),
        "pyflink_version" | "baseline_env_configuration_keys" => skipped("says where it was recorded"),
        "coordinator_builder_defaults" => {
            skipped("our coordinator is built from a config, which has the defaults")
        }
        "checkpoint_stats_status" => each(statistics_status),
        other => vec![Outcome::found(other, other, vec!["the table is not understood".into()])],
    }
}

/// What `of` makes of each entry of a table, which is an object or a list.
fn entries(kind: &str, table: &Value, of: fn(&str, &str, &Value) -> Outcome) -> Vec<Outcome> {
    match table {
        Value::Object(entries) => entries.iter().map(|(name, value)| of(kind, name, value)).collect(),
        Value::Array(entries) => {
            let name =
                |at: usize, entry: &Value| entry.as_str().map_or_else(|| format!("[{at}]"), str::to_owned);
            entries.iter().enumerate().map(|(at, entry)| of(kind, &name(at, entry), entry)).collect()
        }
        other => vec![Outcome::found(kind, kind, vec![format!("expected a table, found {other}")])],
    }
}

/// One case that compares one value.
fn compared(kind: &str, name: &str, recorded: &Value, ours: &Value) -> Outcome {
    let differs = !conversion::agree(recorded, ours);
    Outcome::found(
        kind,
        name,
        differs.then(|| format!("expected {recorded}, ours {ours}")).into_iter().collect(),
    )
}

fn not_understood(kind: &str, name: &str, value: &Value) -> Outcome {
    Outcome::found(kind, name, vec![format!("not understood: {value}")])
}

fn constant(kind: &str, name: &str, recorded: &Value) -> Outcome {
    let ours = match name {
        "CheckpointConfig.DEFAULT_MODE" => conversion::mode(CheckpointConfig::DEFAULT_MODE),
        "CheckpointConfig.DEFAULT_TIMEOUT" => json!(conversion::millis(CheckpointConfig::DEFAULT_TIMEOUT)),
        "CheckpointConfig.DEFAULT_MIN_PAUSE_BETWEEN_CHECKPOINTS" => {
            json!(conversion::millis(CheckpointConfig::DEFAULT_MIN_PAUSE_BETWEEN_CHECKPOINTS))
        }
        "CheckpointConfig.DEFAULT_MAX_CONCURRENT_CHECKPOINTS" => {
            json!(CheckpointConfig::DEFAULT_MAX_CONCURRENT_CHECKPOINTS.get())
        }
        "JobManagerCheckpointStorage.DEFAULT_MAX_STATE_SIZE" => {
            json!(JobManagerDescriptor::DEFAULT_MAX_STATE_SIZE)
        }
        "FileSystemCheckpointStorage.MAX_FILE_STATE_THRESHOLD" => {
            json!(FileSystemDescriptor::MAX_FILE_STATE_THRESHOLD)
        }
        _ => return not_understood(kind, name, recorded),
    };
    compared(kind, name, recorded, &ours)
}

/// The constants of an enumeration, each with its place.
fn enumeration(kind: &str, name: &str, recorded: &Value) -> Outcome {
    fn places<T: ToString>(all: &[T]) -> Value {
        Value::Object(all.iter().zip(0_u32..).map(|(one, place)| (one.to_string(), json!(place))).collect())
    }
    let ours = match name {
        "CheckpointingMode" => places(&CheckpointingMode::ALL),
        "ExternalizedCheckpointCleanup" | "ExternalizedCheckpointRetention" => {
            places(&ExternalizedCheckpointRetention::ALL)
        }
        _ => return not_understood(kind, name, recorded),
    };
    let differs = *recorded != ours;
    Outcome::found(
        kind,
        name,
        differs.then(|| format!("expected {recorded}, ours {ours}")).into_iter().collect(),
    )
}

fn coordinator_constant(kind: &str, name: &str, recorded: &Value) -> Outcome {
    let ours = match name {
        // The shortest interval that our config takes.
        "MINIMAL_CHECKPOINT_TIME" => {
            let is_taken = |millis: &u64| {
                CheckpointConfig::default().set_checkpoint_interval(Duration::from_millis(*millis)).is_ok()
            };
            json!((0..1_000).find(is_taken))
        }
        "DISABLED_CHECKPOINT_INTERVAL" => json!(conversion::interval_or_disabled(None)),
        _ => return not_understood(kind, name, recorded),
    };
    compared(kind, name, recorded, &ours)
}

fn retention_policy(kind: &str, name: &str, recorded: &Value) -> Outcome {
    match recorded.as_str().and_then(retention_of) {
        Some(_) => Outcome::found(kind, name, vec![]),
        None => not_understood(kind, name, recorded),
    }
}

/// The user's choice that leads to this policy.
fn retention_of(policy: &str) -> Option<ExternalizedCheckpointRetention> {
    ExternalizedCheckpointRetention::ALL
        .into_iter()
        .find(|choice| conversion::retention_policy(*choice) == policy)
}

/// What follows from the kind of a snapshot and from the retention, both by our own decisions.
fn properties(kind: &str, name: &str, recorded: &Value) -> Outcome {
    let (Some(fields), Some(is_savepoint)) = (recorded.as_object(), recorded["is_savepoint"].as_bool())
    else {
        return not_understood(kind, name, recorded);
    };
    if is_savepoint {
        return savepoint_properties(kind, name, fields);
    }
    let policy = name.strip_prefix("forCheckpoint(").and_then(|rest| rest.strip_suffix(')'));
    let Some(on_end) = policy.and_then(retention_of) else { return not_understood(kind, name, recorded) };
    let mut expected = fields.clone();
    let differs = fields.get("discard_on_suspended") != Some(&json!(false));
    expected.insert("discard_on_suspended".to_owned(), json!(false));
    let outcome = compared_properties(kind, name, &expected, CheckpointKind::Checkpoint, on_end, json!({}));
    if differs { outcome.with(Difference::SuspendedKeeps) } else { outcome }
}

/// What our kinds have no word for, and why. Each has to be there, as a truth value, and says nothing about us.
const NOT_OF_A_KIND: [(&str, &str); 2] = [
    ("force", "whether a request is forced is decided with the request, see golden_decider.json"),
    ("unclaimed", "a job that does not claim what it is restored from begins with a full checkpoint"),
];

/// Compares what is recorded with a snapshot of this kind, and with `more` that is said of it.
fn compared_properties(
    kind: &str,
    name: &str,
    recorded: &Map<String, Value>,
    ours: CheckpointKind,
    on_end: ExternalizedCheckpointRetention,
    more: Value,
) -> Outcome {
    let mut recorded = recorded.clone();
    let mut left_out = Vec::new();
    for (field, why) in NOT_OF_A_KIND {
        match recorded.remove(field) {
            Some(Value::Bool(_)) => left_out.push(format!("{field}: {why}")),
            other => return not_understood(kind, name, &json!({ field: other })),
        }
    }
    // The list of what a coordinator may delete is one of checkpoints; whatever is on it goes by the retention.
    let is_listed = !ours.is_savepoint();
    let retention = Retention { max_retained: NonZeroU32::MIN, on_end };
    let discards = |status| is_listed && !retention.keeps_after(status);
    let words = ours.to_string();
    let capitals = words.split(' ').map(|word| word[..1].to_uppercase() + &word[1..]);
    let mut expected = json!({
        "type": capitals.collect::<Vec<_>>().join(" "),
        "sharing_files_strategy": if ours.may_build_on_earlier() { "FORWARD_BACKWARD" } else { "NO_SHARING" },
        "is_savepoint": ours.is_savepoint(),
        "is_synchronous": ours.is_synchronous(),
        "discard_on_subsumed": is_listed,
        "discard_on_finished": discards(JobStatus::Finished),
        "discard_on_cancelled": discards(JobStatus::Canceled),
        "discard_on_failed": discards(JobStatus::Failed),
        "discard_on_suspended": discards(JobStatus::Suspended),
    });
    if let (Value::Object(expected), Value::Object(more)) = (&mut expected, more) {
        expected.extend(more);
    }
    let outcome = compared(kind, name, &Value::Object(recorded), &expected);
    Outcome { left_out, ..outcome }
}

/// What is said of a savepoint by its kind.
fn savepoint_properties(kind: &str, name: &str, recorded: &Map<String, Value>) -> Outcome {
    let (format, format_name) = if name.contains("NATIVE") {
        (SavepointFormat::Native, "NATIVE")
    } else {
        (SavepointFormat::Canonical, "CANONICAL")
    };
    let (action, action_name) = match (name.starts_with("forSyncSavepoint("), name.contains("terminate=true"))
    {
        (false, _) => (PostCheckpointAction::None, "NONE"),
        (true, false) => (PostCheckpointAction::Suspend, "SUSPEND"),
        (true, true) => (PostCheckpointAction::Terminate, "TERMINATE"),
    };
    let ours = CheckpointKind::Savepoint(SavepointKind { format, action });
    let more = json!({
        "format": format_name,
        "post_action": action_name,
        "should_drain": action == PostCheckpointAction::Terminate,
        "should_ignore_end_of_input": action == PostCheckpointAction::Suspend,
        "should_advance_to_end_of_time": action == PostCheckpointAction::Terminate,
    });
    // Under the retention that keeps least: savepoints are kept all the same.
    let on_end = ExternalizedCheckpointRetention::NoExternalizedCheckpoints;
    compared_properties(kind, name, recorded, ours, on_end, more)
}

/// The states that a checkpoint has in the statistics.
fn statistics_status(kind: &str, name: &str, recorded: &Value) -> Outcome {
    let ours = [CheckpointStatus::InProgress, CheckpointStatus::Completed, CheckpointStatus::Failed];
    let found = recorded.as_str().and_then(|text| {
        ours.into_iter().find(|status| {
            let words = format!("{status:?}").to_uppercase();
            words == text.replace('_', "")
        })
    });
    let finding = found.is_none().then(|| format!("expected {recorded}, and there is no such status"));
    Outcome::found(kind, name, finding.into_iter().collect())
}

fn job_id(name: &str, recorded: &Value) -> Outcome {
    let ours = recorded.as_str().and_then(|text| text.parse::<JobId>().ok()).map(|id| id.to_string());
    compared(name, name, recorded, &json!(ours))
}

/// The fields that an entry must have, as numbers.
fn numbers<const N: usize>(entry: &Map<String, Value>, fields: [&str; N]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    for (number, field) in numbers.iter_mut().zip(fields) {
        *number = entry.get(field)?.as_i64()?;
    }
    Some(numbers)
}
