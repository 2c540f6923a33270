mod building;
mod callers;
mod contained;
mod properties;
mod read_back;
mod rules;
mod script;
mod storage;

use crate::{CustomCheckpointStorage, CustomDescriptor, GuardPolicy, Patience, Plugin};
use core::time::Duration;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use stillframe_model::{CheckpointId, JobId};
use stillframe_storage::{CheckpointStorage, CoordinatorStorage, WorkerStorage};
use storage::Shelf;

const JOB: JobId = JobId::from_bytes([7; 16]);

fn id(number: u64) -> CheckpointId {
    CheckpointId::new(number)
}

/// Waits for every call but those that are said to be over their deadline.
#[derive(Debug, Default)]
struct Hurry(Mutex<Vec<&'static str>>);

impl Hurry {
    fn gives_up(operation: &'static str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(vec![operation])))
    }
}

impl Patience for Hurry {
    fn wait(&self, operation: &'static str, _: Duration, done: &Receiver<()>) -> bool {
        if self.0.lock().unwrap().contains(&operation) {
            return false;
        }
        // An error means that it never will be done, which is as good as an answer.
        let _ = done.recv();
        true
    }
}

fn policy() -> GuardPolicy {
    GuardPolicy::default().with_patience(Arc::new(Hurry::default()))
}

fn guarded(shelf: &Shelf, policy: GuardPolicy) -> CustomCheckpointStorage {
    let descriptor = CustomDescriptor::new("shelf").unwrap();
    CustomCheckpointStorage::new(descriptor, Plugin::new(Arc::new(shelf.clone())), policy)
}

/// Both views of the job.
fn views(storage: &dyn CheckpointStorage) -> (Arc<dyn CoordinatorStorage>, Arc<dyn WorkerStorage>) {
    let access = futures_executor::block_on(storage.open(JOB)).unwrap();
    (access.coordinator(), access.worker())
}
