use super::coordinator::{GuardedCoordinator, Properties};
use super::worker::GuardedWorker;
use super::{Call, Guard};
use crate::{CallKind, Plugin};
use std::sync::Arc;
use stillframe_model::JobId;
use stillframe_storage::{CoordinatorStorage, StorageAccess, StorageError, WorkerStorage};

/// Both views of a job. They are fetched when it is opened, because that can fail and fetching them later cannot.
#[derive(Debug)]
pub(crate) struct GuardedAccess {
    coordinator: Arc<GuardedCoordinator>,
    worker: Arc<GuardedWorker>,
}

impl GuardedAccess {
    pub(crate) fn open(guard: &Arc<Guard>, plugin: &Plugin, job: JobId) -> Result<Self, StorageError> {
        let object = format!("job {job}");
        let storage = Arc::clone(&plugin.storage);
        let call = Call { kind: CallKind::Open, operation: "open storage for", object: &object };
        let (coordinator, worker) = guard.call(call, async move {
            let access = storage.open(job).await?;
            let coordinator = access.coordinator();
            let properties = Properties {
                is_highly_available: coordinator.is_highly_available(),
                has_default_savepoint_location: coordinator.has_default_savepoint_location(),
            };
            let worker = access.worker();
            let task_owned = worker.task_owned();
            Ok(((coordinator, properties), (worker, task_owned)))
        })?;
        let read_back = plugin.read_back.clone();
        Ok(Self {
            coordinator: Arc::new(GuardedCoordinator::new(
                Arc::clone(guard),
                job,
                coordinator,
                Arc::clone(&plugin.storage),
            )),
            worker: Arc::new(GuardedWorker::new(Arc::clone(guard), job, worker, read_back)),
        })
    }
}

impl StorageAccess for GuardedAccess {
    fn coordinator(&self) -> Arc<dyn CoordinatorStorage> {
        Arc::<GuardedCoordinator>::clone(&self.coordinator)
    }

    fn worker(&self) -> Arc<dyn WorkerStorage> {
        Arc::<GuardedWorker>::clone(&self.worker)
    }
}
