//! A source of numbers behind a valve.

use super::brake::{Brake, Gauge};
use super::sums::Item;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use stillframe::prelude::*;
use stillframe::state::elements;

/// Into how many parts the numbers of a source are divided. Each has its position, so that parallelism can change.
pub(crate) const SPLITS: u64 = 12;

/// How many numbers of each split a read emits.
const PER_READ: u64 = 5;

/// What a test sees and sets of one source, in all its subtasks and attempts.
#[derive(Debug)]
pub(crate) struct Valve {
    /// Which of the two sources it is: 0 or 1.
    side: u64,
    /// How many numbers each split has.
    length: u64,
    /// How many of them may be emitted at the moment.
    limit: AtomicU64,
    /// Holds subtasks within a read, so that a trigger reaches them late.
    pub(crate) reading: Arc<Brake>,
    /// How often a subtask found that everything permitted was emitted, and sent on.
    pub(crate) idle: Gauge,
    /// How often a subtask was asked to read.
    pub(crate) reads: Gauge,
    /// So many subtasks have a backlog.
    lagging: AtomicU64,
    /// How often a subtask's position was captured.
    pub(crate) captured: Gauge,
    /// Where the splits stood when they were restored last.
    restored: Mutex<BTreeMap<u64, u64>>,
}

impl Valve {
    pub(crate) fn new(side: u64, length: u64) -> Arc<Self> {
        Arc::new(Self {
            side,
            length,
            limit: AtomicU64::new(length),
            reading: Arc::default(),
            idle: Gauge::default(),
            reads: Gauge::default(),
            lagging: AtomicU64::new(0),
            captured: Gauge::default(),
            restored: Mutex::default(),
        })
    }

    /// Lets each split emit so many of its numbers in all.
    pub(crate) fn allow(&self, limit: u64) {
        self.limit.store(limit, Ordering::SeqCst);
    }

    /// Lets each split emit all of its numbers.
    pub(crate) fn open(&self) {
        self.allow(self.length);
    }

    /// Gives the first so many subtasks a backlog, and takes it from the others.
    pub(crate) fn lag(&self, subtasks: u64) {
        self.lagging.store(subtasks, Ordering::SeqCst);
    }

    /// Where the splits stood when they were restored last.
    pub(crate) fn restored(&self) -> BTreeMap<u64, u64> {
        self.restored.lock().expect("nothing panics while it holds this").clone()
    }

    /// All numbers of the splits up to these positions.
    pub(crate) fn numbers(side: u64, positions: &BTreeMap<u64, u64>) -> impl Iterator<Item = u64> {
        let split = move |(&split, &position): (&u64, &u64)| {
            (0..position).map(move |index| number(side, split, index)).collect::<Vec<_>>()
        };
        positions.iter().flat_map(split)
    }

    /// Where the splits stand at their end.
    pub(crate) fn ends(&self) -> BTreeMap<u64, u64> {
        (0..SPLITS).map(|split| (split, self.length)).collect()
    }
}

/// No two positions of any source have the same number.
fn number(side: u64, split: u64, index: u64) -> u64 {
    (index * SPLITS + split) * 2 + side
}

pub(crate) struct Numbers {
    subtask: u64,
    valve: Arc<Valve>,
    positions: BTreeMap<u64, u64>,
}

impl Numbers {
    pub(crate) fn new(task: &TaskContext, valve: &Arc<Valve>) -> Self {
        let mine = (0..SPLITS).filter(|split| split % u64::from(task.parallelism) == u64::from(task.subtask));
        Self {
            subtask: u64::from(task.subtask),
            valve: Arc::clone(valve),
            positions: mine.map(|split| (split, 0)).collect(),
        }
    }
}

impl Stateful for Numbers {
    fn open(&mut self, restored: Restored) -> TaskResult<()> {
        if restored.checkpoint.is_some() {
            let positions = restored.elements.iter().map(|element| elements::decode_value(element));
            self.positions = positions.collect::<Result<_, _>>()?;
            let mut seen = self.valve.restored.lock().expect("nothing panics while it holds this");
            seen.extend(&self.positions);
        }
        Ok(())
    }

    fn snapshot(&mut self, _: CheckpointId) -> TaskResult<Snapshot> {
        self.valve.captured.add(1);
        self.positions.iter().try_fold(Snapshot::new(), |snapshot, position| snapshot.with_element(&position))
    }
}

impl Source<Item> for Numbers {
    fn read(&mut self, output: &mut Output<Item>) -> TaskResult<SourceStatus> {
        self.valve.reads.add(1);
        let Valve { side, length, limit, reading, .. } = &*self.valve;
        if let Ok(runtime) = tokio::runtime::Handle::try_current()
            && runtime.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread
        {
            tokio::task::block_in_place(|| reading.pass());
        }
        let limit = limit.load(Ordering::SeqCst).min(*length);
        let mut status = SourceStatus::End;
        let mut emitted = false;
        for (&split, position) in &mut self.positions {
            let until = (*position + PER_READ).min(limit);
            for index in *position..until {
                output.emit(Item::Number(number(*side, split, index)));
                emitted = true;
            }
            *position = until.max(*position);
            if *position < *length {
                status = SourceStatus::More;
            }
        }
        if !emitted && status == SourceStatus::More {
            self.valve.idle.add(1);
            status = SourceStatus::Idle(Duration::from_millis(1));
        }
        Ok(status)
    }

    fn is_processing_backlog(&self) -> bool {
        self.subtask < self.valve.lagging.load(Ordering::SeqCst)
    }
}
