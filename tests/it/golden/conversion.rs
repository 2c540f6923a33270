//! The same thing in Flink's words and in ours: names, and what Flink says with special numbers.

use serde_json::{Value, json};
use std::time::Duration;
use stillframe::config::{
    BarrierPolicy, CheckpointingMode, ExternalizedCheckpointRetention, FailureTolerance,
};
use stillframe::model::{FailureReason, FileSystemDescriptor, JobManagerDescriptor, StorageDescriptor};

/// What Flink's coordinator has as the interval when there is none: `Long.MAX_VALUE`.
pub(crate) const DISABLED_INTERVAL: i64 = i64::MAX;

/// The least interval and timeout, in milliseconds.
pub(crate) const MINIMAL_TIME: i64 = 10;

/// What Flink has as the number of tolerable failures when any number is: `Integer.MAX_VALUE`.
pub(crate) const ANY_NUMBER: u32 = i32::MAX.unsigned_abs();

/// A method as PyFlink would spell it, without what says whether it belongs to Java or Python and without `get_`:
/// `java.getCheckpointTimeout` and `get_checkpoint_timeout` are both `checkpoint_timeout`.
pub(crate) fn method(name: &str) -> String {
    let name = name.strip_prefix("java.").unwrap_or(name);
    let mut spelled = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            spelled.push('_');
        }
        spelled.push(letter.to_ascii_lowercase());
    }
    spelled.strip_prefix("get_").unwrap_or(&spelled).to_owned()
}

/// A duration in Flink's milliseconds.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// An interval as Flink's config has it: -1 is none.
pub(crate) fn interval_or_minus_one(interval: Option<Duration>) -> i64 {
    interval.map_or(-1, millis)
}

/// An interval as Flink's coordinator has it.
pub(crate) fn interval_or_disabled(interval: Option<Duration>) -> i64 {
    interval.map_or(DISABLED_INTERVAL, millis)
}

/// A duration as it is recorded, without the text that follows from it.
pub(crate) fn duration(duration: Duration) -> Value {
    json!({ "seconds": duration.as_secs(), "nanos": duration.subsec_nanos() })
}

pub(crate) fn mode(mode: CheckpointingMode) -> Value {
    json!(format!("CheckpointingMode.{mode}"))
}

/// The mode that leads to this policy.
pub(crate) const fn mode_of(policy: BarrierPolicy) -> CheckpointingMode {
    match policy {
        BarrierPolicy::Align => CheckpointingMode::ExactlyOnce,
        BarrierPolicy::Track => CheckpointingMode::AtLeastOnce,
    }
}

pub(crate) fn retention(class: &str, retention: ExternalizedCheckpointRetention) -> Value {
    json!(format!("{class}.{retention}"))
}

/// The policy of Flink's coordinator that follows from the user's choice.
pub(crate) const fn retention_policy(retention: ExternalizedCheckpointRetention) -> &'static str {
    match retention {
        ExternalizedCheckpointRetention::RetainOnCancellation => "RETAIN_ON_CANCELLATION",
        ExternalizedCheckpointRetention::DeleteOnCancellation => "RETAIN_ON_FAILURE",
        ExternalizedCheckpointRetention::NoExternalizedCheckpoints => "NEVER_RETAIN_AFTER_TERMINATION",
    }
}

pub(crate) const fn tolerable(tolerance: FailureTolerance) -> u32 {
    match tolerance {
        FailureTolerance::UpTo(number) => number,
        FailureTolerance::Unlimited => ANY_NUMBER,
    }
}

/// The reason's name in Flink, which is ours in capitals.
pub(crate) fn reason(reason: FailureReason) -> String {
    method(&format!("{reason:?}")).trim_start_matches('_').to_ascii_uppercase()
}

/// A storage as it is recorded. Of one that is somebody else's, the kind and the tag are ours to remember.
pub(crate) fn storage(storage: &StorageDescriptor) -> Value {
    let described = match storage.kind.as_ref() {
        StorageDescriptor::JOB_MANAGER => JobManagerDescriptor::try_from(storage).map(|storage| {
            json!({
                "type": "JobManagerCheckpointStorage",
                "checkpoint_path": storage.checkpoint_path().map(AsRef::<str>::as_ref),
                "savepoint_path": storage.savepoint_path().map(AsRef::<str>::as_ref),
                "max_state_size": storage.max_state_size(),
            })
        }),
        StorageDescriptor::FILE_SYSTEM => FileSystemDescriptor::try_from(storage).map(|storage| {
            json!({
                "type": "FileSystemCheckpointStorage",
                "checkpoint_path": storage.checkpoint_path().as_str(),
                "savepoint_path": storage.savepoint_path().map(AsRef::<str>::as_ref),
                "min_file_size_threshold": storage.min_file_size_threshold(),
                "write_buffer_size": storage.write_buffer_size(),
            })
        }),
        kind => {
            let tag = storage.options.get("tag").map(|tag| match tag {
                stillframe::model::OptionValue::Text(text) => json!(text),
                stillframe::model::OptionValue::Size(size) => json!(size),
            });
            Ok(json!({ "type": "CustomCheckpointStorage", "kind": kind, "tag": tag }))
        }
    };
    described.unwrap_or_else(|error| json!({ "type": "no storage", "error": error.to_string() }))
}

/// What a recording says in passing and what no program of ours could say: Java's classes, and texts that follow from
/// other fields.
const IN_PASSING: [&str; 2] = ["iso", "java_class"];

/// Whether what we say is what was recorded. We may say more.
pub(crate) fn agree(recorded: &Value, ours: &Value) -> bool {
    match (recorded, ours) {
        (Value::Object(recorded), Value::Object(ours)) => recorded
            .iter()
            .filter(|(field, _)| !IN_PASSING.contains(&field.as_str()))
            .all(|(field, value)| ours.get(field).is_some_and(|ours| agree(value, ours))),
        (Value::String(recorded), Value::String(ours)) => {
            // Java's own getters give constants without their class.
            recorded == ours || ours.rsplit_once('.').is_some_and(|(_, constant)| recorded == constant)
        }
        _ => recorded == ours,
    }
}

#[test]
fn methods_of_java_and_python_have_one_name() {
    for (name, ours) in [
        ("set_checkpoint_timeout", "set_checkpoint_timeout"),
        ("java.setCheckpointTimeout", "set_checkpoint_timeout"),
        ("java.getCheckpointIdOfIgnoredInFlightData", "checkpoint_id_of_ignored_in_flight_data"),
        ("get_checkpoint_interval", "checkpoint_interval"),
        ("java.isForceCheckpointing", "is_force_checkpointing"),
    ] {
        assert_eq!(method(name), ours);
    }
    assert_eq!(
        reason(FailureReason::CheckpointDeclinedOnCancellationBarrier),
        "CHECKPOINT_DECLINED_ON_CANCELLATION_BARRIER"
    );
    assert_eq!(reason(FailureReason::IoException), "IO_EXCEPTION");
}

#[test]
fn we_may_say_more_and_never_something_else() {
    let recorded = json!({ "a": 1, "iso": "PT1S", "b": { "c": "X" } });
    assert!(agree(&recorded, &json!({ "a": 1, "b": { "c": "Class.X", "d": 2 } })));
    for ours in
        [json!({ "a": 1 }), json!({ "a": 2, "b": { "c": "X" } }), json!({ "a": 1, "b": { "c": "Y" } })]
    {
        assert!(!agree(&recorded, &ours), "{ours}");
    }
    assert!(!agree(&json!("X"), &json!("Class.Y")));
    assert!(!agree(&Value::Null, &json!(0)));
}
