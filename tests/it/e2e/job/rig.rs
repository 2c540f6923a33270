//! The dataflow of these tests, with everything that a test wants to see or set.
//!
//! ```text
//! left  ─by key─▶ sums ─in turn─▶ ledger
//! right ─by key─▶
//! ```

use super::ledger::{Ledger, Writing};
use super::numbers::{Numbers, Valve};
use super::sums::{Item, Sum, Sums, Watched, key};
use super::watch::Events;
use crate::e2e::watchdog::Watchdog;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use stillframe::prelude::*;
use stillframe::runtime::sink::TwoPhaseCommitSink;
use stillframe::runtime::{JobHandle, RestartStrategy};

/// Sources, operator and sink of a job, from the outside. What it holds survives the job.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) left: Arc<Valve>,
    pub(crate) right: Arc<Valve>,
    pub(crate) sums: Arc<Watched>,
    pub(crate) ledger: Arc<Ledger>,
    _watchdog: Watchdog,
}

impl Rig {
    /// With so many numbers in every split of both sources.
    pub(crate) fn new(length: u64) -> Self {
        Self::uneven(length, length)
    }

    /// With so many numbers in every split of the left source, and of the right one.
    pub(crate) fn uneven(left: u64, right: u64) -> Self {
        Self {
            left: Valve::new(0, left),
            right: Valve::new(1, right),
            sums: Arc::default(),
            ledger: Arc::default(),
            _watchdog: Watchdog::new(),
        }
    }

    /// Lets each split of both sources emit so many numbers in all.
    pub(crate) fn allow(&self, limit: u64) {
        self.left.allow(limit);
        self.right.allow(limit);
    }

    /// Lets both sources emit everything.
    pub(crate) fn open(&self) {
        self.left.open();
        self.right.open();
    }

    pub(crate) fn graph(&self, parallelism: u32) -> JobGraph<Item> {
        self.graph_named(parallelism, "sums")
    }

    /// With another name for the operator in the middle.
    pub(crate) fn graph_named(&self, parallelism: u32, sums: &str) -> JobGraph<Item> {
        let mut graph = JobGraph::new();
        let sources = [("left", &self.left), ("right", &self.right)].map(|(name, valve)| {
            let valve = Arc::clone(valve);
            graph.source(name, parallelism, move |task| Numbers::new(task, &valve))
        });
        let by_key = || {
            Exchange::hash(|item: &Item| match item {
                Item::Number(number) => key(*number).key_hash(),
                Item::Sum(key, _) => key.key_hash(),
            })
        };
        let watched = Arc::clone(&self.sums);
        let sums = graph.operator(sums, parallelism, sources.map(|source| (source, by_key())), move |task| {
            Sums::new(task, &watched)
        });
        let ledger = Arc::clone(&self.ledger);
        graph.operator("ledger", parallelism, [(sums, Exchange::rebalance())], move |task| {
            TwoPhaseCommitSink::new(Writing::new(task, &ledger))
        });
        graph
    }

    /// The job on two subtasks of everything, restarted at once when it fails.
    pub(crate) fn job(
        &self,
        config: &CheckpointConfig,
        storage: Arc<dyn CheckpointStorage>,
    ) -> (Job<Item>, Events) {
        self.job_at(2, config, storage)
    }

    pub(crate) fn job_at(
        &self,
        parallelism: u32,
        config: &CheckpointConfig,
        storage: Arc<dyn CheckpointStorage>,
    ) -> (Job<Item>, Events) {
        let restart = RestartStrategy::FixedDelay { attempts: 3, delay: Duration::ZERO };
        Events::of(
            Job::new(self.graph(parallelism), config, storage).expect("a valid config").with_restart(restart),
        )
    }

    /// Waits until so many numbers of each split of both sources were processed, when nothing was processed twice.
    pub(crate) async fn processed(&self, per_split: u64) {
        self.sums.processed.reach(per_split * 2 * super::numbers::SPLITS).await;
    }

    /// What the whole job must have committed, sorted.
    fn expected(&self) -> Vec<Item> {
        let numbers: Vec<_> = [(0, &self.left), (1, &self.right)]
            .into_iter()
            .flat_map(|(side, valve)| Valve::numbers(side, &valve.ends()).collect::<Vec<_>>())
            .collect();
        let sums = sums_of(numbers.iter().copied()).into_iter().map(|(key, sum)| Item::Sum(key, sum));
        let mut items: Vec<_> = numbers.iter().copied().map(Item::Number).chain(sums).collect();
        items.sort();
        items
    }

    /// # Panics
    /// If not every number is committed exactly once, or the sums are not those of all numbers.
    pub(crate) fn assert_exact(&self) {
        let (found, expected) = (self.ledger.committed(), self.expected());
        let first = found.iter().zip(&expected).find(|(found, expected)| found != expected);
        assert!(
            found == expected,
            "{} items were committed, expected {}; the first that differs: {first:?}",
            found.len(),
            expected.len()
        );
        assert_eq!(self.ledger.pending(), 0, "something is prepared for ever");
    }
}

/// The sums of these numbers by key.
pub(crate) fn sums_of(numbers: impl Iterator<Item = u64>) -> BTreeMap<u64, Sum> {
    let mut sums = BTreeMap::<u64, Sum>::new();
    numbers.for_each(|number| sums.entry(key(number)).or_default().add(number));
    sums
}

/// No periodic checkpoints: only those that a test asks for, and the last.
pub(crate) fn on_request() -> CheckpointConfig {
    CheckpointConfig::default()
}

/// A storage in memory.
pub(crate) fn memory() -> Arc<dyn CheckpointStorage> {
    Arc::new(JobManagerCheckpointStorage::new())
}

/// A storage in a directory, with every state in a file of its own.
pub(crate) fn files(directory: &Path) -> Arc<dyn CheckpointStorage> {
    let storage = FileSystemCheckpointStorage::new(directory).expect("a path in UTF-8");
    Arc::new(storage.with_min_file_size_threshold(0).expect("zero is allowed"))
}

/// A checkpoint that a test asks for, and gets.
pub(crate) async fn checkpoint(job: &JobHandle) -> CheckpointId {
    job.trigger_checkpoint().await.expect("nothing is in its way").checkpoint
}
