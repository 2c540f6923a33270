//! What is written down of one checkpoint.

use super::answer::{
    CheckpointOutcome, CheckpointStatistics, Figures, SubtaskCheckpointStatistics, SubtaskFigures,
    SubtaskSummary, TaskCheckpointStatistics, TaskCheckpointStatisticsWithSubtasks,
};
use super::samples::Extremes;
use crate::plan::{JobPlan, Layout};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use stillframe_model::{
    Attempt, CheckpointId, CheckpointKind, Name, Now, Pointer, SnapshotMetrics, TaskId, TaskSnapshot,
    Timestamp, UnixMillis, VertexId,
};

/// The vertices of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Graph {
    pub(super) attempt: Attempt,
    pub(super) layout: Layout,
    names: Vec<Name>,
}

impl Graph {
    pub(super) fn new(plan: &JobPlan) -> Self {
        Self {
            attempt: plan.attempt,
            layout: Layout::new(plan),
            names: plan.vertices.iter().map(|vertex| vertex.name.clone()).collect(),
        }
    }

    fn vertices(&self) -> impl Iterator<Item = (VertexId, &Name)> {
        (0..).map(VertexId::new).zip(&self.names)
    }
}

/// One checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Record {
    pub(super) id: CheckpointId,
    pub(super) kind: CheckpointKind,
    triggered: Now,
    pub(super) graph: Arc<Graph>,
    /// By the places of the tasks.
    slots: Vec<Slot>,
    acknowledged: u64,
    written: u64,
    size: u64,
    processed: u64,
    persisted: u64,
    /// When the last subtask acknowledged, in milliseconds after the trigger.
    latest: Option<u64>,
    is_unaligned: bool,
    end: End,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum End {
    Open,
    Completed {
        pointer: Pointer,
        discarded: bool,
    },
    Failed {
        /// Milliseconds after the trigger.
        after: u64,
        message: String,
    },
}

/// What one subtask reported. There is one for every subtask of every checkpoint that is remembered, so it is small:
/// durations are milliseconds in 32 bits, and what takes longer than 49 days is shown as 49 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Slot {
    written: u64,
    size: u64,
    processed: u64,
    persisted: u64,
    /// After the trigger.
    arrived: u32,
    sync: u32,
    asynchronous: u32,
    alignment: u32,
    start_delay: u32,
    state: SlotState,
    is_unaligned: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum SlotState {
    #[default]
    Missing,
    Acknowledged,
    /// It came when the checkpoint had been given up.
    Late,
}

impl Slot {
    /// What a subtask sends along with its state. Moments are not known yet.
    pub(super) fn reported(snapshot: &TaskSnapshot, metrics: &SnapshotMetrics) -> Self {
        Self {
            written: snapshot.written_size(),
            size: snapshot.size(),
            processed: metrics.processed_during_alignment,
            persisted: metrics.persisted_during_alignment,
            arrived: 0,
            sync: short(millis(metrics.sync)),
            asynchronous: short(millis(metrics.asynchronous)),
            alignment: short(millis(metrics.alignment)),
            start_delay: short(millis(metrics.start_delay)),
            state: SlotState::Missing,
            is_unaligned: metrics.is_unaligned,
        }
    }
}

/// Whole milliseconds. The widest duration in milliseconds does not fit into 64 bits, and means for ever.
pub(super) const fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000).saturating_add(duration.subsec_millis() as u64)
}

fn short(millis: u64) -> u32 {
    u32::try_from(millis).unwrap_or(u32::MAX)
}

impl Record {
    /// A checkpoint that has begun. `slots` is only reused for its memory.
    pub(super) fn new(
        id: CheckpointId,
        kind: CheckpointKind,
        triggered: Now,
        graph: Arc<Graph>,
        finished: &[TaskId],
        mut slots: Vec<Slot>,
    ) -> Self {
        slots.clear();
        slots.resize(graph.layout.len(), Slot::default());
        let mut record = Self {
            id,
            kind,
            triggered,
            graph,
            slots,
            acknowledged: 0,
            written: 0,
            size: 0,
            processed: 0,
            persisted: 0,
            latest: None,
            is_unaligned: false,
            end: End::Open,
        };
        // Nobody waits for those, so they count as if they had acknowledged at once.
        for &task in finished {
            if let Some(place) = record.missing(task) {
                record.report(triggered, place, Slot::default());
            }
        }
        record
    }

    pub(super) fn into_slots(self) -> Vec<Slot> {
        self.slots
    }

    pub(super) fn is_open(&self) -> bool {
        self.end == End::Open
    }

    pub(super) fn is_failed(&self) -> bool {
        matches!(self.end, End::Failed { .. })
    }

    /// The place of the subtask, if it has not reported yet.
    pub(super) fn missing(&self, task: TaskId) -> Option<usize> {
        let place = self.graph.layout.place(task)?;
        self.slots.get(place).filter(|slot| slot.state == SlotState::Missing).map(|_| place)
    }

    /// Adds what a subtask reported. It is the first report of the subtask, whose place [`missing`](Self::missing) gave.
    pub(super) fn report(&mut self, now: Now, place: usize, reported: Slot) {
        let after = self.after_trigger(now.monotonic);
        let is_late = !self.is_open();
        let Some(slot) = self.slots.get_mut(place) else { return };
        let state = if is_late { SlotState::Late } else { SlotState::Acknowledged };
        *slot = Slot { arrived: short(after), state, ..reported };
        if !is_late {
            self.acknowledged += 1;
            self.latest = Some(after);
        }
        self.written = self.written.saturating_add(reported.written);
        self.size = self.size.saturating_add(reported.size);
        self.processed = self.processed.saturating_add(reported.processed);
        self.persisted = self.persisted.saturating_add(reported.persisted);
        self.is_unaligned |= reported.is_unaligned;
    }

    pub(super) fn complete(&mut self, pointer: Pointer) {
        self.end = End::Completed { pointer, discarded: false };
    }

    pub(super) fn fail(&mut self, now: Now, message: String) {
        self.end = End::Failed { after: self.after_trigger(now.monotonic), message };
    }

    pub(super) fn discard(&mut self) {
        if let End::Completed { discarded, .. } = &mut self.end {
            *discarded = true;
        }
    }

    fn after_trigger(&self, now: Timestamp) -> u64 {
        millis(now.since(self.triggered.monotonic))
    }

    /// Moments are the trigger's on the wall clock and what the monotonic clock measured since: a wall clock that is set
    /// meanwhile changes no duration, and moments and durations agree.
    fn moment(&self, after: u64) -> UnixMillis {
        UnixMillis(self.triggered.wall.0.saturating_add(after))
    }

    pub(super) fn figures(&self) -> Figures {
        let duration = match self.end {
            End::Failed { after, .. } => Some(after),
            End::Open | End::Completed { .. } => self.latest,
        };
        Figures {
            latest_ack_timestamp: self.latest.map(|after| self.moment(after)),
            checkpointed_size: self.written,
            state_size: self.size,
            end_to_end_duration: duration.map(Duration::from_millis),
            processed_data: self.processed,
            persisted_data: self.persisted,
            num_subtasks: self.slots.len() as u64,
            num_acknowledged_subtasks: self.acknowledged,
        }
    }

    fn outcome(&self) -> CheckpointOutcome {
        match &self.end {
            End::Open => CheckpointOutcome::InProgress,
            End::Completed { pointer, discarded } => {
                CheckpointOutcome::Completed { external_path: pointer.clone(), discarded: *discarded }
            }
            End::Failed { after, message } => CheckpointOutcome::Failed {
                failure_timestamp: self.moment(*after),
                failure_message: message.clone(),
            },
        }
    }

    /// Without its tasks.
    pub(super) fn statistics(&self) -> CheckpointStatistics {
        CheckpointStatistics {
            id: self.id,
            kind: self.kind,
            is_unaligned: self.is_unaligned,
            trigger_timestamp: self.triggered.wall,
            figures: self.figures(),
            outcome: self.outcome(),
            tasks: Vec::new(),
        }
    }

    pub(super) fn details(&self) -> CheckpointStatistics {
        let tasks = self.graph.vertices().map(|(vertex, name)| self.task(name, self.slots_of(vertex)));
        CheckpointStatistics { tasks: tasks.collect(), ..self.statistics() }
    }

    fn slots_of(&self, vertex: VertexId) -> &[Slot] {
        self.slots.get(self.graph.layout.of(vertex)).unwrap_or_default()
    }

    fn task(&self, name: &Name, slots: &[Slot]) -> TaskCheckpointStatistics {
        let sum = |figure: fn(&Slot) -> u64| slots.iter().map(figure).fold(0, u64::saturating_add);
        let acknowledged = || slots.iter().filter(|slot| slot.state == SlotState::Acknowledged);
        let latest = acknowledged().map(|slot| u64::from(slot.arrived)).max();
        TaskCheckpointStatistics {
            vertex: name.clone(),
            checkpoint: self.id,
            status: self.outcome().status(),
            figures: Figures {
                latest_ack_timestamp: latest.map(|after| self.moment(after)),
                checkpointed_size: sum(|slot| slot.written),
                state_size: sum(|slot| slot.size),
                end_to_end_duration: latest.map(Duration::from_millis),
                processed_data: sum(|slot| slot.processed),
                persisted_data: sum(|slot| slot.persisted),
                num_subtasks: slots.len() as u64,
                num_acknowledged_subtasks: acknowledged().count() as u64,
            },
        }
    }

    pub(super) fn subtasks(&self, vertex: &str) -> Option<TaskCheckpointStatisticsWithSubtasks> {
        let (vertex, name) = self.graph.vertices().find(|(_, name)| name.as_str() == vertex)?;
        let slots = self.slots_of(vertex);
        Some(TaskCheckpointStatisticsWithSubtasks {
            task: self.task(name, slots),
            summary: summary(slots),
            subtasks: (0..).zip(slots).map(|(index, slot)| self.subtask(index, slot)).collect(),
        })
    }

    fn subtask(&self, index: u32, slot: &Slot) -> SubtaskCheckpointStatistics {
        if slot.state == SlotState::Missing {
            return SubtaskCheckpointStatistics::Pending { index };
        }
        let duration = |millis: u32| Duration::from_millis(millis.into());
        SubtaskCheckpointStatistics::Completed(SubtaskFigures {
            index,
            ack_timestamp: self.moment(slot.arrived.into()),
            end_to_end_duration: duration(slot.arrived),
            checkpointed_size: slot.written,
            state_size: slot.size,
            sync: duration(slot.sync),
            asynchronous: duration(slot.asynchronous),
            processed: slot.processed,
            persisted: slot.persisted,
            alignment: duration(slot.alignment),
            start_delay: duration(slot.start_delay),
            is_unaligned: slot.is_unaligned,
            is_aborted: slot.state == SlotState::Late,
        })
    }
}

fn summary(slots: &[Slot]) -> SubtaskSummary {
    let of = |is_counted: fn(&Slot) -> bool, figure: fn(&Slot) -> u64| {
        let mut extremes = Extremes::default();
        slots.iter().filter(|slot| is_counted(slot)).for_each(|slot| extremes.add(figure(slot)));
        extremes.summary()
    };
    let all = |figure| of(|slot| slot.state != SlotState::Missing, figure);
    SubtaskSummary {
        checkpointed_size: all(|slot| slot.written),
        state_size: all(|slot| slot.size),
        end_to_end_duration: of(|slot| slot.state == SlotState::Acknowledged, |slot| slot.arrived.into()),
        sync: all(|slot| slot.sync.into()),
        asynchronous: all(|slot| slot.asynchronous.into()),
        processed: all(|slot| slot.processed),
        persisted: all(|slot| slot.persisted),
        alignment: all(|slot| slot.alignment.into()),
        start_delay: all(|slot| slot.start_delay.into()),
    }
}
