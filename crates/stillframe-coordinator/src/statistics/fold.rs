use super::answer::{
    CheckpointStatistics, CheckpointSummary, CheckpointingStatistics, Counts, Gauges, LastCompleted,
    LatestCheckpoints, RestoredCheckpointStatistics, TaskCheckpointStatisticsWithSubtasks,
};
use super::history::History;
use super::record::{Graph, Record, Slot, millis};
use super::samples::Samples;
use crate::{Aborted, Effect, Event, JobPlan, Report};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use stillframe_model::{
    CheckpointId, CheckpointKind, FailureReason, Now, Pointer, RequestId, SnapshotMetrics, TaskId,
    TaskSnapshot,
};

/// What became of a job's checkpoints, over all of its attempts in this process.
///
/// Show it every event [before](Self::before) the coordinator handles it, and the effects [after](Self::after). An
/// acknowledgement costs the same however many subtasks there are, and allocates nothing: a checkpoint has room for all of
/// its subtasks from its trigger on, 56 bytes for each. That room is needed once for every checkpoint that is remembered.
///
/// Two things are measured otherwise than in Flink. Durations are measured by the monotonic clock, and moments within
/// a checkpoint follow from them, so that they stay right when the wall clock is set. And what a coordinator that had to
/// stop without knowing an outcome leaves behind stays in progress until the next attempt begins: nobody knows whether it
/// exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Statistics {
    graph: Arc<Graph>,
    counts: Counts,
    history: History,
    completed: Costs,
    last_completed: Option<LastCompleted>,
    restored: Option<RestoredCheckpointStatistics>,
    refused: BTreeMap<FailureReason, u64>,
    /// What people asked for and has begun, and so cannot be refused any more.
    begun: BTreeSet<RequestId>,
    /// The report of a subtask in the event that is being handled, until it is known what the coordinator makes of it.
    arrived: Option<Arrived>,
}

/// A report of a subtask, and where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Arrived {
    checkpoint: CheckpointId,
    task: TaskId,
    index: usize,
    place: usize,
    slot: Slot,
    is_late: bool,
}

/// What all completed checkpoints cost, in bytes and milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Costs {
    written: Samples,
    size: Samples,
    duration: Samples,
    processed: Samples,
    persisted: Samples,
}

impl Statistics {
    /// Nothing has happened yet. `history` is how many checkpoints are remembered
    /// ([`EffectiveConfig::history`](stillframe_config::EffectiveConfig)); with 0, only the newest of each kind are.
    #[must_use]
    pub fn new(plan: &JobPlan, history: usize) -> Self {
        Self {
            graph: Arc::new(Graph::new(plan)),
            counts: Counts::default(),
            history: History::new(history),
            completed: Costs::default(),
            last_completed: None,
            restored: None,
            refused: BTreeMap::new(),
            begun: BTreeSet::new(),
            arrived: None,
        }
    }

    /// Another attempt of the job begins, with a coordinator of its own. What the one before left in progress has failed.
    pub fn begin_attempt(&mut self, now: Now, plan: &JobPlan) {
        for checkpoint in self.history.open() {
            self.fail(now, checkpoint, FailureReason::JobFailoverRegion.to_string());
        }
        self.arrived = None;
        self.begun.clear();
        self.graph = Arc::new(Graph::new(plan));
    }

    /// The job is restored from this checkpoint. `now` is when that began.
    pub fn restored(&mut self, now: Now, checkpoint: CheckpointId, kind: CheckpointKind, pointer: Pointer) {
        self.counts.restored += 1;
        self.restored = Some(RestoredCheckpointStatistics {
            id: checkpoint,
            restore_timestamp: now.wall,
            is_savepoint: kind.is_savepoint(),
            external_path: pointer,
        });
    }

    /// The coordinator is about to handle this event.
    pub fn before(&mut self, event: &Event) {
        self.arrived = match event {
            Event::Acknowledged { checkpoint, attempt, task, snapshot, metrics } => {
                let index = self.history.find(*checkpoint);
                index.and_then(|index| {
                    let record = self.history.get(index)?;
                    let is_ours = record.graph.attempt == *attempt;
                    self.report_of(record, *task, snapshot, metrics, index).filter(|_| is_ours)
                })
            }
            _ => None,
        };
    }

    /// The coordinator has handled the event, and this is what it said.
    pub fn after(&mut self, now: Now, effects: &[Effect]) {
        if let Some(arrived) = self.arrived.take()
            && !effects.iter().any(|effect| arrived.is_refused_by(effect))
            && let Some(record) = self.history.get_mut(arrived.index)
        {
            record.report(now, arrived.place, arrived.slot);
        }
        for effect in effects {
            match effect {
                Effect::Report(report) => self.told(now, report),
                Effect::Resolve { request, outcome } => {
                    let has_begun = self.begun.remove(request);
                    if let (Err(refused), false) = (outcome, has_begun) {
                        self.refuse(refused.reason);
                    }
                }
                // Of a checkpoint that the end of the job makes superfluous there is no other word.
                Effect::Remove { checkpoint, .. } => self.history.discard(*checkpoint),
                _ => {}
            }
        }
    }

    fn report_of(
        &self,
        record: &Record,
        task: TaskId,
        snapshot: &TaskSnapshot,
        metrics: &SnapshotMetrics,
        index: usize,
    ) -> Option<Arrived> {
        let checkpoint = record.id;
        let is_late = !record.is_open();
        // What comes for a checkpoint that was given up says what it would have cost. Only the history has room for it.
        if is_late && !(record.is_failed() && self.history.is_among_last(checkpoint)) {
            return None;
        }
        let place = record.missing(task)?;
        Some(Arrived { checkpoint, task, index, place, slot: Slot::reported(snapshot, metrics), is_late })
    }

    fn told(&mut self, now: Now, report: &Report) {
        match report {
            Report::Triggered { checkpoint, kind, request, finished } => {
                self.begun.extend(request);
                let graph = Arc::clone(&self.graph);
                if self.history.begin(now, *checkpoint, *kind, graph, finished) {
                    self.counts.total += 1;
                    self.counts.in_progress += 1;
                }
            }
            Report::Completed(completed) => self.complete(completed.checkpoint, &completed.pointer),
            Report::Aborted(Aborted { checkpoint, reason, cause, .. }) => {
                let message = match cause {
                    Some(cause) => format!("{reason}: {cause}"),
                    None => reason.to_string(),
                };
                self.fail(now, *checkpoint, message);
            }
            Report::Subsumed { checkpoint } => self.history.discard(*checkpoint),
            Report::Refused { request, reason } => {
                self.counts.total += 1;
                self.counts.failed += 1;
                // A person is told besides, and that is counted.
                if request.is_none() {
                    self.refuse(*reason);
                }
            }
            // A periodic trigger that was not taken is no checkpoint that failed, as in Flink.
            Report::Skipped { reason } => self.refuse(*reason),
            Report::Captured { .. } | Report::Durable { .. } | Report::Committed { .. } => {}
        }
    }

    fn refuse(&mut self, reason: FailureReason) {
        *self.refused.entry(reason).or_default() += 1;
    }

    fn complete(&mut self, checkpoint: CheckpointId, pointer: &Pointer) {
        let Some(record) = self.history.complete(checkpoint, pointer.clone()) else { return };
        let figures = record.figures();
        self.counts.in_progress -= 1;
        self.counts.completed += 1;
        self.completed.written.add(figures.checkpointed_size);
        self.completed.size.add(figures.state_size);
        if let Some(duration) = figures.end_to_end_duration {
            self.completed.duration.add(millis(duration));
        }
        self.completed.processed.add(figures.processed_data);
        self.completed.persisted.add(figures.persisted_data);
        self.last_completed = Some(LastCompleted {
            id: checkpoint,
            checkpointed_size: figures.checkpointed_size,
            state_size: figures.state_size,
            end_to_end_duration: figures.end_to_end_duration,
            processed_data: figures.processed_data,
            persisted_data: figures.persisted_data,
            external_path: pointer.clone(),
        });
        self.history.forget();
    }

    fn fail(&mut self, now: Now, checkpoint: CheckpointId, message: String) {
        if self.history.fail(now, checkpoint, message) {
            self.counts.in_progress -= 1;
            self.counts.failed += 1;
        }
    }

    /// How many checkpoints there were.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How often something was asked for, by a person or by the schedule, and did not begin, by the reason. Flink counts only
    /// those whose turn had come, among the [failed](Counts::failed); there they are here too.
    #[must_use]
    pub fn refused(&self) -> &BTreeMap<FailureReason, u64> {
        &self.refused
    }

    /// Everything but what each vertex and each subtask did. Sorts the last 10,000 values of each figure.
    #[must_use]
    pub fn snapshot(&self) -> CheckpointingStatistics {
        let Costs { written, size, duration, processed, persisted } = &self.completed;
        CheckpointingStatistics {
            counts: self.counts,
            summary: CheckpointSummary {
                checkpointed_size: written.summary(),
                state_size: size.summary(),
                end_to_end_duration: duration.summary(),
                processed_data: processed.summary(),
                persisted_data: persisted.summary(),
            },
            latest: LatestCheckpoints {
                completed: self.history.latest_completed().map(Record::statistics),
                savepoint: self.history.latest_savepoint().map(Record::statistics),
                failed: self.history.latest_failed().map(Record::statistics),
                restored: self.restored.clone(),
            },
            history: self.history.last().map(Record::statistics).collect(),
        }
    }

    /// One checkpoint with what each vertex did; `None` if it is neither in the history nor the newest of its kind. Takes
    /// time in proportion to the number of subtasks.
    #[must_use]
    pub fn details(&self, checkpoint: CheckpointId) -> Option<CheckpointStatistics> {
        self.history.shown(checkpoint).map(Record::details)
    }

    /// One vertex of one checkpoint with what each subtask did; `None` if there are no [details](Self::details) of that
    /// checkpoint, or if the job has no vertex of that name.
    #[must_use]
    pub fn subtasks(
        &self,
        checkpoint: CheckpointId,
        vertex: &str,
    ) -> Option<TaskCheckpointStatisticsWithSubtasks> {
        self.history.shown(checkpoint)?.subtasks(vertex)
    }

    /// What Flink has as metrics of a job.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        Gauges {
            total: self.counts.total,
            in_progress: self.counts.in_progress,
            completed: self.counts.completed,
            failed: self.counts.failed,
            last_restore_timestamp: self.restored.as_ref().map(|restored| restored.restore_timestamp),
            last_completed: self.last_completed.clone(),
        }
    }
}

impl Arrived {
    /// Whether the coordinator did not take it: because it does not take anything, or because of what is in it.
    fn is_refused_by(&self, effect: &Effect) -> bool {
        match effect {
            Effect::Ignored(_) => !self.is_late,
            Effect::Report(Report::Aborted(aborted)) => {
                aborted.checkpoint == self.checkpoint && aborted.by == Some(self.task)
            }
            _ => false,
        }
    }
}
