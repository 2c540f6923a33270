//! The file of what Flink's jobs did: each case is a job, or one that goes on from another, and what was asked of it step by
//! step. After each step the folder, the answer and the status of the job are compared. How a job is set up follows from the
//! recorded settings and operations.

mod causes;
mod folder;
#[cfg(test)]
mod guards;
mod program;
mod stage;
mod steps;

use super::option_keys::unknown_fields;
use super::tally::Outcome;
use super::text;
use serde_json::Value;
use stage::{Patience, Stage};
use stillframe::config::Options;

const KIND: &str = "job";

/// What a case may hold.
const FIELDS: [&str; 9] = [
    "name",
    "steps",
    "num_retained",
    "retention",
    "restore_from",
    "restore_mode",
    "tolerable",
    "timeout_ms",
    "snapshot_ms",
];

/// What a job is restored from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Checkpoint,
    Savepoint,
}

/// What a case says before its first step.
#[derive(Debug)]
struct Case<'a> {
    /// The settings of its jobs.
    options: Options,
    /// If one job goes on from another: from what, and whose that is from then on.
    restore: Option<(Origin, &'a str)>,
    /// Whether to capture state takes longer than a checkpoint may.
    is_too_slow: bool,
    /// Whether checkpoints go into files.
    in_files: bool,
    /// Where savepoints go, if that is in the recorded folder.
    savepoints: Option<&'static str>,
    steps: &'a [Value],
}

pub(crate) fn replay(case: &Value) -> Outcome {
    played(case, Patience::default())
}

/// The same, with so much time for everything that takes time.
fn played(case: &Value, patience: Patience) -> Outcome {
    let name = text(case, "name");
    let case = match Case::read(case) {
        Ok(case) => case,
        Err(findings) => return Outcome::found(KIND, name, findings),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.expect("threads can be started");
    let (findings, differences) = runtime.block_on(Stage::play(&case, patience));
    // A job that hangs is among the findings, and should not be waited for.
    runtime.shutdown_background();
    differences.into_iter().fold(Outcome::found(KIND, name, findings), Outcome::with)
}

impl<'a> Case<'a> {
    fn read(case: &'a Value) -> Result<Self, Vec<String>> {
        let fields = case.as_object().ok_or_else(|| vec![format!("expected a job, found {case}")])?;
        let mut findings = unknown_fields(fields, &FIELDS);
        let steps = case["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
        if steps.is_empty() {
            findings.push("there is no list of steps".into());
        }
        let mut number = |field: &str| {
            let value = fields.get(field)?;
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            if number.is_none() {
                findings.push(format!("`{field}` is not understood: {value}"));
            }
            number
        };
        let [retained, tolerable, timeout, snapshot] =
            ["num_retained", "tolerable", "timeout_ms", "snapshot_ms"].map(&mut number);
        let mut options = Vec::new();
        let mut set = |key: &str, value: String| options.push((format!("execution.{key}"), value));
        if let Some(number) = retained {
            set("checkpointing.num-retained", number.to_string());
        }
        if let Some(number) = tolerable {
            set("checkpointing.tolerable-failed-checkpoints", number.to_string());
        }
        if let Some(millis) = timeout {
            set("checkpointing.timeout", format!("{millis} ms"));
        }
        let is_pending = |step: &Value| text(step, "op").ends_with(" pending");
        // The recording does not say so, but jobs of which something is wanted after their end kept their checkpoints.
        let is_kept = fields.contains_key("restore_from") || steps.iter().any(is_pending);
        match fields.get("retention") {
            Some(Value::String(retention)) => {
                set("checkpointing.externalized-checkpoint-retention", retention.clone());
            }
            Some(other) => findings.push(format!("`retention` is not understood: {other}")),
            None if is_kept => {
                set("checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION".into());
            }
            None => {}
        }
        let restore = match (fields.get("restore_from"), fields.get("restore_mode")) {
            (None, None) => None,
            (Some(from), Some(Value::String(mode))) => match from.as_str() {
                Some("checkpoint") => Some((Origin::Checkpoint, mode.as_str())),
                Some("savepoint_canonical" | "savepoint_native") => Some((Origin::Savepoint, mode.as_str())),
                _ => {
                    findings.push(format!("`restore_from` is not understood: {from}"));
                    None
                }
            },
            (from, mode) => {
                findings.push(format!("a restore from {from:?} with the mode {mode:?} is not understood"));
                None
            }
        };
        let has = |named: &str| {
            let trees = steps.iter().filter_map(|step| step.get("tree")?.as_object());
            trees.flat_map(|tree| tree.keys()).any(|path| path.split('/').any(|part| part == named))
        };
        let (in_files, savepoints) = (has("cp"), has("sp").then_some("sp"));
        if !findings.is_empty() {
            return Err(findings);
        }
        Ok(Self {
            options: options.into_iter().collect(),
            restore,
            is_too_slow: timeout.zip(snapshot).is_some_and(|(timeout, snapshot)| snapshot > timeout),
            in_files,
            savepoints,
            steps,
        })
    }
}
