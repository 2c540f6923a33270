use std::sync::{Arc, Mutex, PoisonError};
use stillframe_coordinator::statistics::Statistics;
use stillframe_coordinator::{Effect, Event, JobPlan};
use stillframe_model::{CheckpointId, CheckpointKind, Now, Pointer};

/// The statistics of a job, written by the drivers of its attempts and read by whoever holds its handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedStatistics(Arc<Mutex<Option<Statistics>>>);

impl SharedStatistics {
    /// An attempt begins. What was counted before stays.
    pub(crate) fn begin_attempt(&self, now: Now, plan: &JobPlan, history: u32) {
        let mut statistics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *statistics {
            Some(statistics) => statistics.begin_attempt(now, plan),
            None => {
                let history = usize::try_from(history).unwrap_or(usize::MAX);
                *statistics = Some(Statistics::new(plan, history));
            }
        }
    }

    pub(crate) fn restored(
        &self,
        now: Now,
        checkpoint: CheckpointId,
        kind: CheckpointKind,
        pointer: Pointer,
    ) {
        self.change(|statistics| statistics.restored(now, checkpoint, kind, pointer));
    }

    pub(crate) fn before(&self, event: &Event) {
        self.change(|statistics| statistics.before(event));
    }

    pub(crate) fn after(&self, now: Now, effects: &[Effect]) {
        self.change(|statistics| statistics.after(now, effects));
    }

    /// As they are now; `None` before the first attempt.
    pub(crate) fn get(&self) -> Option<Statistics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Statistics)) {
        if let Some(statistics) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            change(statistics);
        }
    }
}
