//! A table that a test changes key by key, and what its checkpoints consist of.
//!
//! ```text
//! changes ─by key─▶ table
//! ```

use crate::e2e::watchdog::Watchdog;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use stillframe::metadata;
use stillframe::model::{CheckpointKind, IncrementalPart, KeyedState as KeyedStateHandle, StateDirectory};
use stillframe::prelude::*;
use stillframe::runtime::{JobHandle, RestartStrategy, TaskError};
use stillframe::state::elements;
use tokio::sync::watch;

/// The bytes of a value. A part with a few of them is not small.
const LEN: usize = 500;

pub(super) type Values = BTreeMap<u64, u8>;

/// Checkpoints on request that share files, of which so many are retained, also after the job was canceled.
pub(super) fn config(retained: u32) -> CheckpointConfig {
    let mut config = CheckpointConfig::default();
    config
        .set_incremental_checkpoints(true)
        .set_num_retained_checkpoints(NonZeroU32::new(retained).expect("not zero"))
        .set_externalized_checkpoint_retention(ExternalizedCheckpointRetention::RetainOnCancellation);
    config
}

/// With nothing inline, so that every part is a file.
pub(super) fn storage(directory: &Path) -> Arc<dyn CheckpointStorage> {
    let storage = FileSystemCheckpointStorage::new(directory).expect("a path in UTF-8");
    Arc::new(storage.with_min_file_size_threshold(0).expect("zero is allowed"))
}

/// The names of a job's shared files.
pub(super) fn shared(directory: &Path, job: JobId) -> BTreeSet<String> {
    match fs::read_dir(directory.join(job.to_string()).join("shared")) {
        Ok(entries) => {
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
        }
        Err(_) => BTreeSet::new(),
    }
}

/// All files below a directory, with their contents.
pub(super) fn tree(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(tree(&path));
        } else {
            found.insert(path.display().to_string(), fs::read(&path).expect("a file"));
        }
    }
    found
}

/// What a checkpoint consists of.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) pointer: Pointer,
    checkpoint: CheckpointId,
    pub(super) kind: CheckpointKind,
    pub(super) parts: Vec<IncrementalPart>,
    /// How many subtasks have their state in one piece.
    pub(super) whole: usize,
    /// What the table held.
    pub(super) values: Values,
    log: Vec<(u64, u8)>,
}

impl Taken {
    /// How many of its parts were written for it. That is in their names.
    pub(super) fn written(&self) -> usize {
        let own = format!("increment-{}", self.checkpoint);
        self.parts.iter().filter(|part| part.name.as_str() == own).count()
    }

    /// How many of its parts an earlier checkpoint wrote.
    pub(super) fn reused(&self) -> usize {
        self.parts.len() - self.written()
    }

    /// The names of its files that are shared within the job.
    pub(super) fn files(&self) -> BTreeSet<String> {
        self.names(|directory| *directory == StateDirectory::Shared)
    }

    /// The names of its files that are another job's.
    pub(super) fn foreign(&self) -> BTreeSet<String> {
        self.names(|directory| matches!(directory, StateDirectory::Foreign(_)))
    }

    fn names(&self, is_there: impl Fn(&StateDirectory) -> bool) -> BTreeSet<String> {
        let files = self.parts.iter().filter_map(|part| part.handle.file());
        files.filter(|file| is_there(&file.directory)).map(|file| file.name.to_string()).collect()
    }
}

/// What a test sees and sets of the table.
#[derive(Debug)]
pub(super) struct Table {
    shared: Arc<Shared>,
    _watchdog: Watchdog,
}

#[derive(Debug, Default)]
struct Shared {
    /// All changes so far.
    log: Mutex<Vec<(u64, u8)>>,
    /// How many changes were made, and how many subtasks have been opened, in all attempts.
    done: watch::Sender<(usize, u32)>,
    /// What was restored last.
    restored: Mutex<Values>,
    fails: AtomicBool,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { shared: Arc::default(), _watchdog: Watchdog::new() }
    }

    /// Runs the table on so many subtasks.
    pub(super) fn start(
        &self,
        parallelism: u32,
        config: &CheckpointConfig,
        directory: &Path,
        job: Option<JobId>,
    ) -> JobHandle {
        let mut graph = JobGraph::new();
        let shared = Arc::clone(&self.shared);
        let changes =
            graph.source("changes", 1, move |_| Changes { position: 0, shared: Arc::clone(&shared) });
        let shared = Arc::clone(&self.shared);
        graph.operator("table", parallelism, [(changes, Exchange::by_key())], move |task| Rows {
            task: task.clone(),
            rows: KeyedState::new(task.key_groups(), task.max_parallelism),
            shared: Arc::clone(&shared),
        });
        let restart = RestartStrategy::FixedDelay { attempts: 3, delay: Duration::ZERO };
        let built =
            Job::new(graph, config, storage(directory)).expect("a valid config").with_restart(restart);
        match job {
            Some(job) => built.with_id(job).start(),
            None => built.start(),
        }
    }

    /// Gives these keys this value, and waits until they have it.
    pub(super) async fn set(&self, keys: Range<u64>, value: u8) {
        self.set_log(keys, value);
        let all = self.shared.log.lock().expect("nothing panics while it holds this").len();
        let mut done = self.shared.done.subscribe();
        done.wait_for(|(changes, _)| *changes >= all).await.expect("the sender is here");
    }

    /// As if these keys had been given this value in an earlier run.
    pub(super) fn set_log(&self, keys: Range<u64>, value: u8) {
        let mut log = self.shared.log.lock().expect("nothing panics while it holds this");
        log.extend(keys.map(|key| (key, value)));
    }

    /// As if the changes before a checkpoint had been made in an earlier run.
    pub(super) fn expect_log(&self, taken: &Taken) {
        *self.shared.log.lock().expect("nothing panics while it holds this") = taken.log.clone();
        self.shared.done.send_modify(|(changes, _)| *changes = taken.log.len());
    }

    /// What the table holds when all changes were made.
    pub(super) fn values(&self) -> Values {
        self.shared.log.lock().expect("nothing panics while it holds this").iter().copied().collect()
    }

    /// Waits until so many subtasks were opened, and what they were restored from is known.
    pub(super) async fn opened(&self, subtasks: u32) {
        let mut done = self.shared.done.subscribe();
        done.wait_for(|(_, opened)| *opened >= subtasks).await.expect("the sender is here");
    }

    pub(super) fn restored(&self) -> Values {
        self.shared.restored.lock().expect("nothing panics while it holds this").clone()
    }

    /// Lets the source fail once.
    pub(super) fn fail(&self) {
        self.shared.restored.lock().expect("nothing panics while it holds this").clear();
        self.shared.fails.store(true, Ordering::SeqCst);
    }

    /// Takes a checkpoint, and looks at it.
    pub(super) async fn checkpoint(&self, job: &JobHandle, directory: &Path) -> Taken {
        let outcome = job.trigger_checkpoint().await.expect("nothing is in its way");
        self.taken(&outcome.pointer, directory).await
    }

    /// What is at a pointer, when no change was made since.
    pub(super) async fn taken(&self, pointer: &Pointer, directory: &Path) -> Taken {
        let location = storage(directory).resolve(pointer).await.expect("it is there");
        let bytes = location.metadata().await.expect("it has metadata");
        let metadata = metadata::decode(&bytes).expect("metadata that can be read");
        let (mut parts, mut whole) = (Vec::new(), 0);
        for subtask in metadata.operators.values().flat_map(|operator| &operator.subtasks) {
            match subtask.keyed.as_ref().map(|keyed| &keyed.state) {
                None => {}
                Some(KeyedStateHandle::Full(_)) => whole += 1,
                Some(KeyedStateHandle::Incremental(incremental)) => parts.extend(incremental.parts.clone()),
            }
        }
        let log = self.shared.log.lock().expect("nothing panics while it holds this").clone();
        Taken {
            pointer: pointer.clone(),
            checkpoint: metadata.checkpoint,
            kind: metadata.kind,
            parts,
            whole,
            values: self.values(),
            log,
        }
    }
}

/// Emits the changes in their order.
struct Changes {
    position: usize,
    shared: Arc<Shared>,
}

impl Stateful for Changes {
    fn open(&mut self, restored: Restored) -> TaskResult<()> {
        if let [position] = &restored.elements[..] {
            let position: u64 = elements::decode_value(position)?;
            self.position = usize::try_from(position)?;
        }
        Ok(())
    }

    fn snapshot(&mut self, _: CheckpointId) -> TaskResult<Snapshot> {
        Snapshot::new().with_element(&(self.position as u64))
    }
}

impl Source<(u64, u8)> for Changes {
    fn read(&mut self, output: &mut Output<(u64, u8)>) -> TaskResult<SourceStatus> {
        if self.shared.fails.swap(false, Ordering::SeqCst) {
            return Err(TaskError::message("as the test wished"));
        }
        let log = self.shared.log.lock().expect("nothing panics while it holds this");
        for change in &log[self.position..] {
            output.emit(*change);
        }
        self.position = log.len();
        Ok(SourceStatus::Idle(Duration::from_millis(1)))
    }
}

/// Makes them.
struct Rows {
    task: TaskContext,
    rows: KeyedState<u64, Vec<u8>>,
    shared: Arc<Shared>,
}

impl Stateful for Rows {
    fn open(&mut self, restored: Restored) -> TaskResult<()> {
        let parts = restored.keyed.iter().map(|part| &part[..]);
        self.rows = KeyedState::restore(self.task.key_groups(), self.task.max_parallelism, parts)?;
        let mut seen = self.shared.restored.lock().expect("nothing panics while it holds this");
        for (key, row) in self.rows.iter() {
            assert_eq!(row.len(), LEN);
            assert_eq!(seen.insert(*key, row[0]), None, "key {key} is in two subtasks");
        }
        drop(seen);
        self.shared.done.send_modify(|(_, opened)| *opened += 1);
        Ok(())
    }

    fn snapshot(&mut self, _: CheckpointId) -> TaskResult<Snapshot> {
        Ok(Snapshot::new().with_keyed(self.rows.snapshot()))
    }
}

impl Operator<(u64, u8)> for Rows {
    fn process(&mut self, (key, value): (u64, u8), _: &mut Output<(u64, u8)>) -> TaskResult<()> {
        self.rows.insert(key, vec![value; LEN]);
        self.shared.done.send_modify(|(changes, _)| *changes += 1);
        Ok(())
    }
}
