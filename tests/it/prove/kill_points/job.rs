//! The job that is killed: a slow source, sums per key, and every record through a sink that commits files.

use super::storage::{KillingStorage, KillingTransactions, Points};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use stillframe::prelude::*;
use stillframe::runtime::sink::{FileTransactions, TwoPhaseCommitSink};
use stillframe::runtime::{JobError, JobReport};
use stillframe::state::elements;

type Pair = (u64, u64);

const RECORDS: u64 = 400;
const KEYS: u64 = 7;
const PARALLELISM: u32 = 2;

/// Emits a few numbers at a time and pauses in between, so that a run meets several checkpoints.
struct SlowNumbers {
    next: u64,
    step: u64,
}

impl Stateful for SlowNumbers {
    fn open(&mut self, restored: Restored) -> TaskResult<()> {
        for element in &restored.elements {
            self.next = elements::decode_value(element)?;
        }
        Ok(())
    }

    fn snapshot(&mut self, _: CheckpointId) -> TaskResult<Snapshot> {
        Snapshot::new().with_element(&self.next)
    }
}

impl Source<Pair> for SlowNumbers {
    fn read(&mut self, output: &mut Output<Pair>) -> TaskResult<SourceStatus> {
        for _ in 0..10 {
            if self.next >= RECORDS {
                return Ok(SourceStatus::End);
            }
            output.emit((self.next % KEYS, self.next));
            self.next += self.step;
        }
        Ok(SourceStatus::Idle(Duration::from_millis(2)))
    }
}

pub(super) fn run(directory: &Path, die_at: Option<u64>) -> Result<JobReport, JobError> {
    let points = Arc::new(Points::new(directory, die_at));
    let storage =
        FileSystemCheckpointStorage::new(directory.join("checkpoints"))?.with_min_file_size_threshold(64)?;
    let storage = Arc::new(KillingStorage::new(Arc::new(storage), &points));
    let mut config = CheckpointConfig::default();
    config.set_checkpoint_interval(Duration::from_millis(10)).expect("ten milliseconds are allowed");
    let job = Job::new(graph(directory, &points), &config, storage)
        .expect("a valid config")
        .with_id(JobId::from_bytes([7; 16]));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    runtime.expect("a runtime").block_on(job.run())
}

fn graph(directory: &Path, points: &Arc<Points>) -> JobGraph<Pair> {
    let mut graph = JobGraph::new();
    let numbers = graph.source("numbers", PARALLELISM, |task| SlowNumbers {
        next: u64::from(task.subtask),
        step: u64::from(task.parallelism),
    });
    let sums = graph.operator("sums", PARALLELISM, [(numbers, Exchange::by_key())], |task| {
        Reduce::new(task, |sum: &mut u64, number| *sum += number)
    });
    for (name, stream) in [("numbers-out", numbers), ("sums-out", sums)] {
        let (directory, points) = (directory.join(name), Arc::clone(points));
        graph.operator(name, PARALLELISM, [(stream, Exchange::by_key())], move |task| {
            let files =
                FileTransactions::new(task, &directory, "out", |pair: &Pair, file: &mut dyn Write| {
                    writeln!(file, "{},{}", pair.0, pair.1)
                });
            TwoPhaseCommitSink::new(KillingTransactions::new(files, &points))
        });
    }
    graph
}

/// What is wrong with the output of a job that has ended, if anything.
pub(super) fn wrong(directory: &Path) -> Option<String> {
    let numbers = (0..RECORDS).map(|number| format!("{},{number}", number % KEYS));
    let mut sums = BTreeMap::<u64, u64>::new();
    (0..RECORDS).for_each(|number| *sums.entry(number % KEYS).or_default() += number);
    let sums = sums.into_iter().map(|(key, sum)| format!("{key},{sum}"));
    differs(&directory.join("numbers-out"), numbers.collect())
        .or_else(|| differs(&directory.join("sums-out"), sums.collect()))
}

fn differs(directory: &Path, mut expected: Vec<String>) -> Option<String> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(directory) else {
        return Some(format!("{} is missing", directory.display()));
    };
    for entry in entries {
        let path = entry.expect("a readable directory").path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            return Some(format!("{} was left behind", path.display()));
        }
        found.extend(fs::read_to_string(&path).expect("a readable file").lines().map(str::to_owned));
    }
    found.sort();
    expected.sort();
    let first = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    (found != expected).then(|| {
        format!(
            "{}: {} lines instead of {}, first difference {first:?}",
            directory.display(),
            found.len(),
            expected.len()
        )
    })
}
