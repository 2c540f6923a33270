//! Running sums per key, and the trouble that the operator can be told to have.

use super::brake::Gauge;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::Mutex;
use stillframe::prelude::*;
use stillframe::runtime::TaskError;

/// What flows through the jobs of these tests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    Number(u64),
    /// At the end, one for each key.
    Sum(u64, Sum),
}

/// What is kept for a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Sum {
    pub(crate) count: u64,
    pub(crate) total: u64,
}

impl Sum {
    pub(crate) fn add(&mut self, number: u64) {
        self.count += 1;
        self.total += number;
    }
}

/// The key of a number.
pub(crate) const fn key(number: u64) -> u64 {
    number % 23
}

/// How user code fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Error,
    Panic,
}

/// What a test sees and sets of the sums, in all their subtasks and attempts.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// How many numbers were processed, those that came again included.
    pub(crate) processed: Gauge,
    /// The next numbers that are as large as this meet the fault, so many times.
    trouble: Mutex<Option<(u64, Fault, u32)>>,
    /// The checkpoints of which the operator was told that they are complete.
    pub(crate) notified: Mutex<Vec<CheckpointId>>,
}

impl Watched {
    /// Lets numbers that are at least so large meet a fault, so many times.
    pub(crate) fn fail_from(&self, number: u64, fault: Fault, times: u32) {
        *self.trouble.lock().expect("nothing panics while it holds this") = Some((number, fault, times));
    }

    fn fault_at(&self, number: u64) -> Option<Fault> {
        let mut trouble = self.trouble.lock().expect("nothing panics while it holds this");
        let (from, fault, times) = trouble.as_mut()?;
        if number < *from || *times == 0 {
            return None;
        }
        *times -= 1;
        Some(*fault)
    }
}

/// Sums numbers by key and passes them on; emits the sums at the end.
pub(crate) struct Sums {
    task: TaskContext,
    sums: KeyedState<u64, Sum>,
    watched: Arc<Watched>,
}

impl Sums {
    pub(crate) fn new(task: &TaskContext, watched: &Arc<Watched>) -> Self {
        let sums = KeyedState::new(task.key_groups(), task.max_parallelism);
        Self { task: task.clone(), sums, watched: Arc::clone(watched) }
    }
}

impl Stateful for Sums {
    fn open(&mut self, restored: Restored) -> TaskResult<()> {
        let parts = restored.keyed.iter().map(|part| &part[..]);
        self.sums = KeyedState::restore(self.task.key_groups(), self.task.max_parallelism, parts)?;
        Ok(())
    }

    fn snapshot(&mut self, _: CheckpointId) -> TaskResult<Snapshot> {
        Ok(Snapshot::new().with_keyed(self.sums.snapshot()))
    }

    fn notify_complete(&mut self, checkpoint: CheckpointId) -> TaskResult<()> {
        self.watched.notified.lock().expect("nothing panics while it holds this").push(checkpoint);
        Ok(())
    }
}

impl Operator<Item> for Sums {
    fn process(&mut self, item: Item, output: &mut Output<Item>) -> TaskResult<()> {
        let Item::Number(number) = item else { return Ok(()) };
        match self.watched.fault_at(number) {
            Some(Fault::Error) => {
                let cause =
                    std::io::Error::other(TaskError::message(format!("{number} is too large")).to_string());
                return Err(Refusal(cause).into());
            }
            Some(Fault::Panic) => panic!("no place for {number}"),
            None => {}
        }
        self.sums.get_or_default(key(number)).add(number);
        output.emit(Item::Number(number));
        self.watched.processed.add(1);
        Ok(())
    }

    fn finish(&mut self, output: &mut Output<Item>) -> TaskResult<()> {
        self.sums.iter().for_each(|(key, sum)| output.emit(Item::Sum(*key, *sum)));
        Ok(())
    }
}

/// An error of user code, with a cause.
#[derive(Debug)]
struct Refusal(std::io::Error);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the number was refused")
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
