//! Why something did not happen: Flink's exceptions, each with its message, and our errors.

use super::super::conversion;
use super::super::oracle::Oracle;
use serde_json::Value;
use std::error::Error;
use std::iter;
use stillframe::model::{CheckpointId, FailureReason};
use stillframe::runtime::{JobError, JobFailure, RequestError};

/// What one exception of a chain says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause<'a> {
    /// A checkpoint failed for this reason.
    Reason(FailureReason),
    /// So many failed that the job does, the last of them for this reason.
    TooMany(FailureReason),
    /// It was this checkpoint.
    Checkpoint(u64),
    /// The user's code said this.
    User(&'a str),
    /// The job is not restarted.
    NotRestarted,
    /// Nobody said where savepoints go.
    NoSavepointDirectory,
}

/// The exceptions that were recorded, the outermost first.
pub(super) fn read(raises: &Value) -> Result<Vec<Cause<'_>>, String> {
    let not_understood = || format!("the refusal is not understood: {raises}");
    let raised = raises.as_array().filter(|raised| !raised.is_empty()).ok_or_else(not_understood)?;
    let reasons = Reasons::recorded()?;
    raised
        .iter()
        .map(|raised| {
            let (class, message) =
                raised["java_class"].as_str().zip(raised["message"].as_str()).ok_or_else(not_understood)?;
            // One that was sent to another process has its class in the message.
            let (class, message) = match class.ends_with(".SerializedThrowable") {
                true => message.split_once(": ").ok_or_else(not_understood)?,
                false => (class, message),
            };
            reasons.cause(class, message).ok_or_else(not_understood)
        })
        .collect()
}

/// What the user's code says, if it is to blame.
pub(super) fn of_user<'a>(causes: &[Cause<'a>]) -> Option<&'a str> {
    causes.iter().find_map(|cause| if let Cause::User(message) = cause { Some(*message) } else { None })
}

/// Flink's messages for the reasons.
struct Reasons(Vec<(String, FailureReason)>);

impl Reasons {
    fn recorded() -> Result<Self, String> {
        let tables = Oracle::ours().cases("golden_tables.json")?.unwrap_or_default();
        let table = tables.iter().find_map(|tables| tables["checkpoint_failure_reasons"].as_array());
        let known = |entry: &Value| {
            let named = |reason: &FailureReason| entry["name"].as_str() == Some(&conversion::reason(*reason));
            Some((entry["message"].as_str()?.to_owned(), FailureReason::ALL.into_iter().find(named)?))
        };
        Ok(Self(table.ok_or("there is no table of reasons")?.iter().filter_map(known).collect()))
    }

    fn reason(&self, message: &str) -> Option<FailureReason> {
        self.0.iter().find(|(known, _)| known == message).map(|(_, reason)| *reason)
    }

    fn cause<'a>(&self, class: &str, message: &'a str) -> Option<Cause<'a>> {
        let class = class.rsplit_once('.').map_or(class, |(_, class)| class);
        let reason = |message: &str| self.reason(message);
        match class {
            "CheckpointException" => {
                if let Some(rest) = message.strip_prefix("Could not complete snapshot ") {
                    let (checkpoint, why) = rest.split_once(" for operator ")?;
                    reason(why.split_once(" Failure reason: ")?.1)?;
                    return Some(Cause::Checkpoint(checkpoint.parse().ok()?));
                }
                let of_task = message
                    .strip_prefix("Task name with subtask : ")
                    .and_then(|rest| rest.split_once(" Failure reason: "));
                reason(of_task.map_or(message, |(_, reason)| reason)).map(Cause::Reason)
            }
            "Exception" => {
                let (checkpoint, _) =
                    message.strip_prefix("Could not perform checkpoint ")?.split_once(" for operator ")?;
                Some(Cause::Checkpoint(checkpoint.parse().ok()?))
            }
            "FlinkRuntimeException" => {
                let why = message
                    .strip_prefix("Exceeded checkpoint tolerable failure threshold. The latest checkpoint failed due to ")?
                    .split_once(", view the Checkpoint History tab")?
                    .0;
                reason(why).map(Cause::TooMany)
            }
            "JobException" => (message == "Recovery is suppressed by NoRestartBackoffTimeStrategy")
                .then_some(Cause::NotRestarted),
            "IllegalStateException" => message
                .starts_with("No savepoint directory configured.")
                .then_some(Cause::NoSavepointDirectory),
            "IOException" => Some(Cause::User(message)),
            _ => None,
        }
    }
}

/// Compares why a checkpoint or savepoint that was asked for does not exist. `aborted` is the last that was aborted.
pub(super) fn compare_refusal(
    causes: &[Cause<'_>],
    ours: &RequestError,
    aborted: Option<CheckpointId>,
) -> Vec<String> {
    let agrees = |cause: &Cause<'_>| match (cause, ours) {
        (Cause::Reason(reason), RequestError::Refused(refused)) => refused.reason == *reason,
        (Cause::Checkpoint(number), _) => aborted.map(CheckpointId::get) == Some(*number),
        // Whoever asked is told whose fault it was, and the job what the user's code said.
        (Cause::User(_), _) => true,
        (Cause::NoSavepointDirectory, RequestError::Refused(refused)) => {
            let cause = refused.cause.as_deref().unwrap_or_default();
            cause.contains("names a directory for savepoints")
        }
        _ => false,
    };
    differing(causes, agrees, &format!("{ours:?}, last aborted {aborted:?}"))
}

/// Compares why a job failed.
pub(super) fn compare_failure(
    causes: &[Cause<'_>],
    ours: &JobError,
    aborted: Option<CheckpointId>,
) -> Vec<String> {
    let agrees = |cause: &Cause<'_>| match (cause, ours) {
        (Cause::NotRestarted, JobError::Failed { attempts, .. }) => *attempts == 1,
        (
            Cause::TooMany(expected),
            JobError::Failed { source: JobFailure::Checkpoints { reason, .. }, .. },
        ) => reason == expected,
        (Cause::Checkpoint(number), _) => aborted.map(CheckpointId::get) == Some(*number),
        (Cause::User(message), JobError::Failed { source: JobFailure::Task { source, .. }, .. }) => {
            let mut chain =
                iter::successors(Some(&**source as &dyn Error), |error: &&dyn Error| (*error).source());
            chain.any(|error| error.to_string() == *message)
        }
        _ => false,
    };
    differing(causes, agrees, &format!("{ours:?}, last aborted {aborted:?}"))
}

fn differing(causes: &[Cause<'_>], agrees: impl Fn(&Cause<'_>) -> bool, ours: &str) -> Vec<String> {
    let differing = causes.iter().filter(|cause| !agrees(cause));
    differing.map(|cause| format!("expected {cause:?}, ours {ours}")).collect()
}
