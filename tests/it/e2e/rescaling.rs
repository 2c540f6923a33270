//! Jobs at another parallelism: what each subtask gets of keyed state, and of lists that are dealt in every way.
//!
//! ```text
//! numbers ─by key─▶ holder
//! ```

use super::watchdog::Watchdog;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use stillframe::model::{Name, Redistribution};
use stillframe::prelude::*;
use stillframe::runtime::{JobError, JobHandle};
use stillframe::state::assignment::AssignmentError;
use stillframe::state::{elements, key_group};
use tempfile::TempDir;
use tokio::sync::watch;

const JOB: JobId = JobId::from_bytes([7; 16]);
const KEYS: u64 = 64;

/// What a subtask began with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    max_parallelism: u16,
    values: BTreeMap<u64, u64>,
    /// The list without a name of its own.
    elements: Vec<String>,
    /// Another one of which each element goes to one subtask.
    parts: Vec<String>,
    /// To which each subtask adds one element.
    union: Vec<String>,
    /// Of which each subtask has a copy. They differ here, so that one can see whose it is.
    copies: Vec<String>,
    /// The same, which only one subtask has at first.
    late: Vec<String>,
}

impl Held {
    /// What the two subtasks of the first run begin with.
    fn first(subtask: u32) -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        match subtask {
            0 => Self {
                elements: texts(&["a", "b", "c"]),
                parts: texts(&["p", "q"]),
                copies: texts(&["copy 0"]),
                ..Self::default()
            },
            _ => Self {
                elements: texts(&["d", "e"]),
                parts: texts(&["r", "s"]),
                copies: texts(&["copy 1"]),
                late: texts(&["late 1"]),
                ..Self::default()
            },
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    /// By subtask, in the newest run.
    held: Mutex<BTreeMap<u32, Held>>,
    opened: watch::Sender<u32>,
    processed: watch::Sender<u64>,
}

/// The job, one run after the other.
struct Runs {
    directory: TempDir,
    shared: Arc<Shared>,
    _watchdog: Watchdog,
}

impl Runs {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { directory, shared: Arc::default(), _watchdog: Watchdog::new() }
    }

    fn job(&self, parallelism: u32) -> Job<(u64, u64)> {
        let mut graph = JobGraph::new();
        let numbers = graph.source("numbers", 1, |_| Numbers { next: 0 });
        let shared = Arc::clone(&self.shared);
        graph.operator("holder", parallelism, [(numbers, Exchange::by_key())], move |task| Holder {
            task: task.clone(),
            values: KeyedState::new(task.key_groups(), task.max_parallelism),
            held: Held::default(),
            shared: Arc::clone(&shared),
        });
        Job::new(graph, &CheckpointConfig::default(), storage(self.directory.path()))
            .expect("a valid config")
            .with_id(JOB)
    }

    async fn start(&self, parallelism: u32) -> JobHandle {
        self.shared.held.lock().expect("nothing panics while it holds this").clear();
        self.shared.opened.send_replace(0);
        let handle = self.job(parallelism).start();
        let mut opened = self.shared.opened.subscribe();
        opened.wait_for(|opened| *opened == parallelism).await.expect("the sender is here");
        handle
    }

    /// Runs it at this parallelism until everything is processed and in a checkpoint. Gives what its subtasks began with.
    async fn run(&self, parallelism: u32) -> Vec<Held> {
        let handle = self.start(parallelism).await;
        let mut processed = self.shared.processed.subscribe();
        processed.wait_for(|processed| *processed == KEYS).await.expect("the sender is here");
        handle.trigger_checkpoint().await.expect("nothing is in its way");
        handle.suspend();
        assert_eq!(handle.wait().await.expect("it is suspended").attempts, 1);
        let held = self.shared.held.lock().expect("nothing panics while it holds this");
        assert_eq!(held.len(), parallelism as usize);
        held.values().cloned().collect()
    }
}

fn storage(directory: &Path) -> Arc<dyn CheckpointStorage> {
    Arc::new(FileSystemCheckpointStorage::new(directory).expect("a path in UTF-8"))
}

/// Emits every key once, and waits.
struct Numbers {
    next: u64,
}

impl Stateful for Numbers {
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

impl Source<(u64, u64)> for Numbers {
    fn read(&mut self, output: &mut Output<(u64, u64)>) -> TaskResult<SourceStatus> {
        for key in std::mem::replace(&mut self.next, KEYS)..KEYS {
            output.emit((key, key * 3));
        }
        Ok(SourceStatus::Idle(Duration::from_secs(1)))
    }
}

struct Holder {
    task: TaskContext,
    values: KeyedState<u64, u64>,
    held: Held,
    shared: Arc<Shared>,
}

impl Stateful for Holder {
    fn open(&mut self, restored: Restored) -> TaskResult<()> {
        let parts = restored.keyed.iter().map(|part| &part[..]);
        self.values = KeyedState::restore(self.task.key_groups(), self.task.max_parallelism, parts)?;
        self.held = match restored.checkpoint {
            None => Held::first(self.task.subtask),
            Some(_) => Held {
                max_parallelism: self.task.max_parallelism,
                values: self.values.iter().map(|(key, value)| (*key, *value)).collect(),
                elements: restored.list("elements")?,
                parts: restored.list("parts")?,
                union: restored.list("union")?,
                copies: restored.list("copies")?,
                late: restored.list("late")?,
            },
        };
        let mut held = self.shared.held.lock().expect("nothing panics while it holds this");
        held.insert(self.task.subtask, self.held.clone());
        drop(held);
        self.shared.opened.send_modify(|opened| *opened += 1);
        Ok(())
    }

    fn snapshot(&mut self, _: CheckpointId) -> TaskResult<Snapshot> {
        let own = format!("{} of {}", self.task.subtask, self.task.parallelism);
        let Held { elements, parts, copies, late, .. } = &self.held;
        let mut snapshot = Snapshot::new().with_keyed(self.values.snapshot());
        for element in elements {
            snapshot = snapshot.with_element(element)?;
        }
        snapshot
            .with_list("parts", Redistribution::Split, parts)?
            .with_list("union", Redistribution::Union, [&own])?
            .with_list("copies", Redistribution::Broadcast, copies)?
            .with_list("late", Redistribution::Broadcast, late)
    }
}

impl Operator<(u64, u64)> for Holder {
    fn process(&mut self, (key, value): (u64, u64), _: &mut Output<(u64, u64)>) -> TaskResult<()> {
        self.values.insert(key, value);
        self.shared.processed.send_modify(|processed| *processed += 1);
        Ok(())
    }
}

/// Everything is there, each key at its owner.
fn assert_values(held: &[Held]) {
    let parallelism = u32::try_from(held.len()).expect("a few");
    let mut all = BTreeMap::new();
    for (subtask, Held { values, max_parallelism, .. }) in (0..).zip(held) {
        for (key, value) in values {
            let group = key_group::key_group(key.key_hash(), *max_parallelism);
            assert_eq!(key_group::subtask_of(group, parallelism, *max_parallelism), subtask, "key {key}");
            assert_eq!(all.insert(*key, *value), None, "key {key} is in two subtasks");
        }
    }
    assert_eq!(all, (0..KEYS).map(|key| (key, key * 3)).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_of_every_kind_is_divided_anew() {
    let runs = Runs::new();
    runs.run(2).await;
    let of = |held: &[Held], list: fn(&Held) -> &Vec<String>| -> Vec<String> {
        held.iter().map(|held| list(held).join(" ")).collect()
    };
    // At the same parallelism everybody keeps its own, unless it is everybody's.
    let two = runs.run(2).await;
    assert_values(&two);
    assert_eq!(of(&two, |held| &held.elements), ["a b c", "d e"]);
    assert_eq!(of(&two, |held| &held.parts), ["p q", "r s"]);
    assert_eq!(of(&two, |held| &held.union), ["0 of 2 1 of 2"; 2]);
    assert_eq!(of(&two, |held| &held.copies), ["copy 0", "copy 1"]);
    assert_eq!(of(&two, |held| &held.late), ["late 1"; 2], "one of the two had none");

    let three = runs.run(3).await;
    assert_values(&three);
    assert_eq!(of(&three, |held| &held.elements), ["a b", "c d", "e"]);
    // The last one got less, so it comes first now.
    assert_eq!(of(&three, |held| &held.parts), ["r", "s", "p q"]);
    assert_eq!(of(&three, |held| &held.union), ["0 of 2 1 of 2"; 3]);
    assert_eq!(of(&three, |held| &held.copies), ["copy 0", "copy 1", "copy 0"]);

    let one = runs.run(1).await;
    assert_values(&one);
    assert_eq!(of(&one, |held| &held.elements), ["a b c d e"]);
    assert_eq!(of(&one, |held| &held.parts), ["r s p q"]);
    assert_eq!(of(&one, |held| &held.union), ["0 of 3 1 of 3 2 of 3"]);
    assert_eq!(of(&one, |held| &held.copies), ["copy 0"]);
}

/// Two subtasks have 128 key groups by themselves, and ninety would have 256.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_groups_stay_what_they_were_and_bound_the_parallelism() {
    let runs = Runs::new();
    runs.run(2).await;
    let ninety = runs.run(90).await;
    assert_values(&ninety);
    assert!(ninety.iter().all(|held| held.max_parallelism == 128));

    let error = runs.job(129).run().await.expect_err("there are too few key groups");
    let JobError::Assignment { source, .. } = error else { panic!("{error:?}") };
    let operator = Name::new("holder").expect("a good name");
    assert_eq!(source, AssignmentError::ParallelismAboveMax { operator, stored: 128, parallelism: 129 });
}

#[test]
fn a_list_is_dealt_in_one_way() {
    let snapshot = || Snapshot::new().with_list("list", Redistribution::Union, [&1]).expect("a new list");
    snapshot().with_list("list", Redistribution::Union, [&2]).expect("in the same way");
    let error = snapshot().with_list("list", Redistribution::Split, [&2]).expect_err("in another way");
    assert_eq!(error.to_string(), "list list of operator state is Union and cannot be Split, too");
    assert!(Snapshot::new().with_list("no/name", Redistribution::Split, [&1]).is_err());
}
