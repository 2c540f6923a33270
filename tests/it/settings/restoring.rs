//! Settings that are read when a job is restored: other state to begin with.

use super::Setting;
use super::files::now;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use stillframe::config::CheckpointConfig;
use stillframe::metadata;
use stillframe::model::{
    CheckpointKind, CheckpointMetadata, Name, OperatorHandle, OperatorState, Redistribution, StateHandle,
    TaskSnapshot, UnixMillis,
};
use stillframe::prelude::*;
use stillframe::runtime::{JobError, JobEvent, JobReport};
use tempfile::TempDir;

const SOURCE: &str = "numbers";

/// A directory with savepoints, by the checkpoint id that they had, and with the job's own checkpoints.
struct Snapshots {
    directory: TempDir,
}

impl Snapshots {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    fn address(&self) -> String {
        format!("file://{}", self.directory.path().join("job").display())
    }

    /// Writes a savepoint with these operators, of which each has a little state if it is so said, and says where it is.
    fn savepoint(&self, checkpoint: u64, operators: &[(&str, bool)]) -> String {
        let state = |has_state: bool| OperatorState {
            max_parallelism: 128,
            subtasks: vec![TaskSnapshot {
                operator: has_state
                    .then(|| OperatorHandle {
                        name: Name::new("elements").expect("a good name"),
                        redistribution: Redistribution::Split,
                        elements: 1,
                        handle: StateHandle::Inline(vec![0].into()),
                    })
                    .into_iter()
                    .collect(),
                ..TaskSnapshot::default()
            }],
            coordinator: None,
        };
        let named =
            |(name, has_state): &(&str, bool)| (Name::new(*name).expect("a good name"), state(*has_state));
        let metadata = CheckpointMetadata {
            // Each has a job of its own, so that it can have any id.
            job: JobId::from_bytes([u8::try_from(checkpoint).expect("a small id"); 16]),
            checkpoint: CheckpointId::new(checkpoint),
            kind: CheckpointKind::SAVEPOINT,
            triggered_at: UnixMillis(0),
            operators: operators.iter().map(named).collect::<BTreeMap<_, _>>(),
            hooks: BTreeMap::new(),
        };
        let bytes = metadata::encode(&metadata).expect("it can be written");
        let storage = self.storage();
        let pointer = now(async {
            let coordinator = storage.open(metadata.job).await?.coordinator();
            let target = self.directory.path().join("savepoints");
            let next = coordinator.claim().await?.next;
            assert!(next <= metadata.checkpoint, "the test asks for an id behind {next}");
            let location = coordinator.begin_savepoint(metadata.checkpoint, target.to_str()).await?;
            coordinator.publish_savepoint(metadata.checkpoint, &location, bytes.into()).await
        });
        pointer.expect("it can be published").as_str().to_owned()
    }

    fn storage(&self) -> FileSystemCheckpointStorage {
        FileSystemCheckpointStorage::new(self.directory.path().join("elsewhere")).expect("a good path")
    }
}

/// Runs a job of one source to its end.
fn run(config: &CheckpointConfig) -> Result<JobReport, stillframe::Error> {
    let mut graph = JobGraph::new();
    graph.source(SOURCE, 1, |task| Replay::new(task, vec![1_u64, 2, 3]));
    now(stillframe::run(graph, config))
}

pub(super) fn recovery_path(setting: &Setting) {
    let snapshots = Snapshots::new();
    let savepoints = [7, 8].map(|checkpoint| snapshots.savepoint(checkpoint, &[(SOURCE, false)]));
    assert!(savepoints.iter().all(|pointer| Path::new(pointer).exists()), "{savepoints:?}");
    let dir = snapshots.address();
    let restored = setting.changes(
        savepoints.each_ref().map(String::as_str),
        &[("execution.checkpointing.dir", dir.as_str())],
        |config| run(config).expect("it can be restored").restored,
    );
    assert_eq!(restored, [[CheckpointId::new(7)], [CheckpointId::new(8)]]);
}

pub(super) fn ignore_unclaimed_state(setting: &Setting) {
    let snapshots = Snapshots::new();
    let savepoint = snapshots.savepoint(7, &[(SOURCE, false), ("forgotten", true)]);
    let dir = snapshots.address();
    let beside = [
        ("execution.checkpointing.dir", dir.as_str()),
        ("execution.state-recovery.path", savepoint.as_str()),
    ];
    let restored = setting.changes(["false", "true"], &beside, |config| match run(config) {
        Ok(report) => Ok(report.restored),
        Err(stillframe::Error::Job(JobError::Assignment { source, .. })) => {
            Err(source.to_string().contains("forgotten"))
        }
        Err(error) => panic!("{error}"),
    });
    assert_eq!(restored, [Err(true), Ok(vec![CheckpointId::new(7)])]);
}

pub(super) fn claim_mode(setting: &Setting) {
    let snapshots = Snapshots::new();
    let savepoint = snapshots.savepoint(7, &[(SOURCE, false)]);
    let dir = snapshots.address();
    let beside = [
        ("execution.checkpointing.dir", dir.as_str()),
        ("execution.state-recovery.path", savepoint.as_str()),
    ];
    let first_and_rest = |config: &CheckpointConfig| {
        let kinds = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&kinds);
        let mut graph = JobGraph::new();
        graph.source(SOURCE, 1, |task| Replay::new(task, vec![1_u64, 2, 3]));
        let job = stillframe::job(graph, config).expect("no rule is broken").on_event(move |event| {
            if let JobEvent::Triggered { kind, .. } = event {
                sink.lock().unwrap_or_else(PoisonError::into_inner).push(*kind);
            }
        });
        now(job.run()).expect("it can be restored");
        let kinds = kinds.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (kinds, Path::new(&savepoint).exists())
    };
    let unclaimed = setting.changes(["NO_CLAIM", "LEGACY"], &beside, first_and_rest);
    assert_eq!(
        unclaimed,
        [(vec![CheckpointKind::FullCheckpoint], true), (vec![CheckpointKind::Checkpoint], true)]
    );
    let claimed = setting.changes(["LEGACY", "CLAIM"], &beside, first_and_rest);
    assert_eq!(
        claimed,
        [(vec![CheckpointKind::Checkpoint], true), (vec![CheckpointKind::Checkpoint], false)]
    );
}
