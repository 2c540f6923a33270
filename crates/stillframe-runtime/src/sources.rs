use crate::{Output, Record, Restored, Snapshot, Source, SourceStatus, Stateful, TaskContext, TaskResult};
use stillframe_model::CheckpointId;
use stillframe_state::elements;

/// A source that replays a list: for tests, examples and small inputs that are in memory anyway.
#[derive(Clone, Debug)]
pub struct Replay<T> {
    records: Vec<T>,
    step: usize,
    next: usize,
}

/// How many records one read emits.
const BATCH: usize = 128;

impl<T> Replay<T> {
    /// The part of `records` that falls to this subtask: every n-th, for n subtasks.
    #[must_use]
    pub fn new(task: &TaskContext, records: Vec<T>) -> Self {
        let widen = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Self { records, step: widen(task.parallelism).max(1), next: widen(task.subtask) }
    }
}

impl<T: Send + 'static> Stateful for Replay<T> {
    fn open(&mut self, restored: Restored) -> TaskResult<()> {
        for element in restored.elements {
            let (step, next): (u64, u64) = elements::decode_value(&element)?;
            if usize::try_from(step)? != self.step {
                return Err(crate::TaskError::message(format!(
                    "a replayed list was divided among {step} subtasks and cannot go on with {}",
                    self.step
                )));
            }
            self.next = usize::try_from(next)?;
        }
        Ok(())
    }

    fn snapshot(&mut self, _: CheckpointId) -> TaskResult<Snapshot> {
        Snapshot::new().with_element(&(self.step as u64, self.next as u64))
    }
}

impl<T: Record> Source<T> for Replay<T> {
    fn read(&mut self, output: &mut Output<T>) -> TaskResult<SourceStatus> {
        for _ in 0..BATCH {
            let Some(record) = self.records.get(self.next) else { return Ok(SourceStatus::End) };
            output.emit(record.clone());
            self.next += self.step;
        }
        Ok(SourceStatus::More)
    }
}
