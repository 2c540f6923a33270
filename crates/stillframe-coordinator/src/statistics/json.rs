//! The answers as Flink's REST interface writes them: its names, in its order.
//!
//! What nobody measures any more, `alignment_buffered` and `buffered`, is 0, as it is in Flink. What is absent is -1 where
//! Flink has a number, null where it has an object, and the text `NaN` where it has a quantile.

use super::answer::{
    CheckpointOutcome, CheckpointStatistics, CheckpointStatus, CheckpointSummary, CheckpointingStatistics,
    Figures, LatestCheckpoints, Quantiles, RestoredCheckpointStatistics, StatsSummary,
    SubtaskCheckpointStatistics, SubtaskFigures, SubtaskSummary, TaskCheckpointStatistics,
    TaskCheckpointStatisticsWithSubtasks,
};
use super::config::CheckpointConfigInfo;
use super::record::millis;
use core::time::Duration;
use serde::ser::{Serialize, SerializeMap, Serializer};
use stillframe_config::CheckpointingMode;
use stillframe_model::{CheckpointKind, PostCheckpointAction, SavepointFormat, UnixMillis};

/// The greatest number of milliseconds in Flink, where it means for ever.
const FOR_EVER: u64 = i64::MAX as u64;

fn duration(duration: Duration) -> u64 {
    millis(duration).min(FOR_EVER)
}

/// -1 for what is absent.
fn maybe(number: Option<u64>) -> i64 {
    number.map_or(-1, |number| i64::try_from(number).unwrap_or(i64::MAX))
}

/// Writes one object. Field by field, because many answers share fields and none may come out of order.
macro_rules! object {
    ($serializer:expr, { $($rest:tt)* }) => {{
        let mut object = $serializer.serialize_map(None)?;
        $crate::statistics::json::object!(@ object, $($rest)*);
        object.end()
    }};
    (@ $object:ident, ) => {};
    (@ $object:ident, ..$fields:expr, $($rest:tt)*) => {
        $fields.serialize_into(&mut $object)?;
        $crate::statistics::json::object!(@ $object, $($rest)*);
    };
    (@ $object:ident, $name:literal: $value:expr, $($rest:tt)*) => {
        $object.serialize_entry($name, &$value)?;
        $crate::statistics::json::object!(@ $object, $($rest)*);
    };
}
use object;

impl Serialize for CheckpointingStatistics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object!(serializer, {
            "counts": self.counts,
            "summary": self.summary,
            "latest": self.latest,
            "history": self.history,
        })
    }
}

impl Serialize for CheckpointSummary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object!(serializer, {
            "checkpointed_size": self.checkpointed_size,
            "state_size": self.state_size,
            "end_to_end_duration": self.end_to_end_duration,
            "alignment_buffered": NOTHING_BUFFERED,
            "processed_data": self.processed_data,
            "persisted_data": self.persisted_data,
        })
    }
}

const NOTHING_BUFFERED: StatsSummary = StatsSummary {
    min: 0,
    max: 0,
    avg: 0,
    quantiles: Some(Quantiles { p50: 0.0, p90: 0.0, p95: 0.0, p99: 0.0, p999: 0.0 }),
};

impl Serialize for StatsSummary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let quantile = |which: fn(&Quantiles) -> f64| Quantile(self.quantiles.as_ref().map(which));
        object!(serializer, {
            "min": self.min,
            "max": self.max,
            "avg": self.avg,
            "p50": quantile(|quantiles| quantiles.p50),
            "p90": quantile(|quantiles| quantiles.p90),
            "p95": quantile(|quantiles| quantiles.p95),
            "p99": quantile(|quantiles| quantiles.p99),
            "p999": quantile(|quantiles| quantiles.p999),
        })
    }
}

struct Quantile(Option<f64>);

impl Serialize for Quantile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(value) => serializer.serialize_f64(value),
            None => serializer.serialize_str("NaN"),
        }
    }
}

impl Serialize for LatestCheckpoints {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object!(serializer, {
            "completed": self.completed,
            "savepoint": self.savepoint,
            "failed": self.failed,
            "restored": self.restored,
        })
    }
}

impl Serialize for RestoredCheckpointStatistics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object!(serializer, {
            "id": self.id.get(),
            "restore_timestamp": self.restore_timestamp.0,
            "is_savepoint": self.is_savepoint,
            "external_path": self.external_path.as_str(),
        })
    }
}

impl Serialize for CheckpointStatistics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object!(serializer, {
            "className": match self.outcome.status() {
                CheckpointStatus::InProgress => "in_progress",
                CheckpointStatus::Completed => "completed",
                CheckpointStatus::Failed => "failed",
            },
            "id": self.id.get(),
            "status": self.outcome.status(),
            "is_savepoint": self.kind.is_savepoint(),
            "savepointFormat": format_of(self.kind),
            "trigger_timestamp": self.trigger_timestamp.0,
            ..self.figures,
            "checkpoint_type": checkpoint_type(self.kind, self.is_unaligned),
            "tasks": Tasks(&self.tasks),
            ..self.outcome,
        })
    }
}

const fn format_of(kind: CheckpointKind) -> Option<&'static str> {
    match kind {
        CheckpointKind::Checkpoint | CheckpointKind::FullCheckpoint => None,
        CheckpointKind::Savepoint(savepoint) => Some(match savepoint.format {
            SavepointFormat::Canonical => "CANONICAL",
            SavepointFormat::Native => "NATIVE",
        }),
    }
}

/// Barriers of savepoints never overtake records.
const fn checkpoint_type(kind: CheckpointKind, is_unaligned: bool) -> &'static str {
    match kind {
        CheckpointKind::Savepoint(savepoint) => match savepoint.action {
            PostCheckpointAction::None => "SAVEPOINT",
            PostCheckpointAction::Suspend | PostCheckpointAction::Terminate => "SYNC_SAVEPOINT",
        },
        CheckpointKind::Checkpoint | CheckpointKind::FullCheckpoint if is_unaligned => "UNALIGNED_CHECKPOINT",
        CheckpointKind::Checkpoint | CheckpointKind::FullCheckpoint => "CHECKPOINT",
    }
}

impl Serialize for CheckpointStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        })
    }
}

impl Figures {
    fn serialize_into<M: SerializeMap>(&self, object: &mut M) -> Result<(), M::Error> {
        let latest = self.latest_ack_timestamp.map(|UnixMillis(moment)| moment);
        object.serialize_entry("latest_ack_timestamp", &maybe(latest))?;
        object.serialize_entry("checkpointed_size", &self.checkpointed_size)?;
        object.serialize_entry("state_size", &self.state_size)?;
        object.serialize_entry("end_to_end_duration", &maybe(self.end_to_end_duration.map(duration)))?;
        object.serialize_entry("alignment_buffered", &0)?;
        object.serialize_entry("processed_data", &self.processed_data)?;
        object.serialize_entry("persisted_data", &self.persisted_data)?;
        object.serialize_entry("num_subtasks", &self.num_subtasks)?;
        object.serialize_entry("num_acknowledged_subtasks", &self.num_acknowledged_subtasks)
    }
}

impl CheckpointOutcome {
    fn serialize_into<M: SerializeMap>(&self, object: &mut M) -> Result<(), M::Error> {
        match self {
            Self::InProgress => Ok(()),
            Self::Completed { external_path, discarded } => {
                object.serialize_entry("external_path", external_path.as_str())?;
                object.serialize_entry("discarded", discarded)
            }
            Self::Failed { failure_timestamp, failure_message } => {
                object.serialize_entry("failure_timestamp", &failure_timestamp.0)?;
                object.serialize_entry("failure_message", failure_message)
            }
        }
    }
}

/// By the names of their vertices.
struct Tasks<'a>(&'a [TaskCheckpointStatistics]);

impl Serialize for Tasks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|task| (task.vertex.as_str(), task)))
    }
}

impl TaskCheckpointStatistics {
    fn serialize_into<M: SerializeMap>(&self, object: &mut M) -> Result<(), M::Error> {
        object.serialize_entry("id", &self.checkpoint.get())?;
        object.serialize_entry("status", &self.status)?;
        self.figures.serialize_into(object)
    }
}

impl Serialize for TaskCheckpointStatistics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object!(serializer, { ..self, })
    }
}

impl Serialize for TaskCheckpointStatisticsWithSubtasks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object!(serializer, { ..self.task, "summary": self.summary, "subtasks": self.subtasks, })
    }
}

/// How long capturing and writing took.
struct Parts<T> {
    sync: T,
    asynchronous: T,
}

impl<T: Serialize> Serialize for Parts<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object!(serializer, { "sync": self.sync, "async": self.asynchronous, })
    }
}

/// What happened between the first barrier and the last.
struct Alignment<T> {
    buffered: T,
    processed: T,
    persisted: T,
    duration: T,
}

impl<T: Serialize> Serialize for Alignment<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object!(serializer, {
            "buffered": self.buffered,
            "processed": self.processed,
            "persisted": self.persisted,
            "duration": self.duration,
        })
    }
}

impl Serialize for SubtaskSummary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object!(serializer, {
            "checkpointed_size": self.checkpointed_size,
            "state_size": self.state_size,
            "end_to_end_duration": self.end_to_end_duration,
            "checkpoint_duration": Parts { sync: self.sync, asynchronous: self.asynchronous },
            "alignment": Alignment {
                buffered: NOTHING_BUFFERED,
                processed: self.processed,
                persisted: self.persisted,
                duration: self.alignment,
            },
            "start_delay": self.start_delay,
        })
    }
}

impl Serialize for SubtaskCheckpointStatistics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Pending { index } => {
                object!(serializer, { "className": "pending", "index": index, "status": "pending_or_failed", })
            }
            Self::Completed(figures) => {
                object!(serializer, { "className": "completed", ..figures, "status": "completed", })
            }
        }
    }
}

impl SubtaskFigures {
    fn serialize_into<M: SerializeMap>(&self, object: &mut M) -> Result<(), M::Error> {
        object.serialize_entry("index", &self.index)?;
        object.serialize_entry("ack_timestamp", &self.ack_timestamp.0)?;
        object.serialize_entry("end_to_end_duration", &duration(self.end_to_end_duration))?;
        object.serialize_entry("checkpointed_size", &self.checkpointed_size)?;
        object.serialize_entry("state_size", &self.state_size)?;
        let parts = Parts { sync: duration(self.sync), asynchronous: duration(self.asynchronous) };
        object.serialize_entry("checkpoint", &parts)?;
        let alignment = Alignment {
            buffered: 0,
            processed: self.processed,
            persisted: self.persisted,
            duration: duration(self.alignment),
        };
        object.serialize_entry("alignment", &alignment)?;
        object.serialize_entry("start_delay", &duration(self.start_delay))?;
        object.serialize_entry("unaligned_checkpoint", &self.is_unaligned)?;
        object.serialize_entry("aborted", &self.is_aborted)
    }
}

impl Serialize for CheckpointConfigInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object!(serializer, {
            "mode": match self.mode {
                CheckpointingMode::ExactlyOnce => "exactly_once",
                CheckpointingMode::AtLeastOnce => "at_least_once",
            },
            "interval": self.interval.map_or(FOR_EVER, duration),
            "timeout": duration(self.timeout),
            "min_pause": duration(self.min_pause),
            "max_concurrent": self.max_concurrent,
            "externalization": self.externalization,
            "state_backend": (),
            "checkpoint_storage": self.checkpoint_storage,
            "unaligned_checkpoints": self.unaligned_checkpoints,
            "tolerable_failed_checkpoints": self.tolerable_failed_checkpoints,
            "aligned_checkpoint_timeout": duration(self.aligned_checkpoint_timeout),
            "checkpoints_after_tasks_finish": self.checkpoints_after_tasks_finish,
            "state_changelog_enabled": false,
            "changelog_periodic_materialization_interval": -1,
            "changelog_storage": (),
        })
    }
}
