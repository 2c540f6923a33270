use bytes::Bytes;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use stillframe_model::{CheckpointId, JobId, JobStatus};
use stillframe_storage::{ErrorKind, StorageError, Survey};

/// The checkpoints of all jobs of one storage.
#[derive(Debug, Default)]
pub(crate) struct Vault(Mutex<BTreeMap<JobId, Job>>);

#[derive(Debug, Default)]
struct Job {
    /// The metadata of each checkpoint that was begun, once it is published.
    checkpoints: BTreeMap<CheckpointId, Option<Bytes>>,
    ended: Option<JobStatus>,
}

impl Vault {
    pub(crate) fn survey(&self, job: JobId) -> Survey {
        let jobs = self.lock();
        let Some(job) = jobs.get(&job) else { return Survey::default() };
        let (completed, incomplete) =
            job.checkpoints.iter().partition::<Vec<_>, _>(|(_, metadata)| metadata.is_some());
        let ids = |checkpoints: Vec<(&CheckpointId, &Option<Bytes>)>| {
            checkpoints.into_iter().map(|(id, _)| *id).collect()
        };
        Survey { completed: ids(completed), incomplete: ids(incomplete), ended: job.ended }
    }

    pub(crate) fn begin(&self, job: JobId, checkpoint: CheckpointId) -> Result<(), StorageError> {
        match self.lock().entry(job).or_default().checkpoints.entry(checkpoint) {
            Entry::Occupied(_) => {
                Err(StorageError::new(ErrorKind::AlreadyExists, "begin checkpoint", subject(job, checkpoint)))
            }
            Entry::Vacant(place) => {
                place.insert(None);
                Ok(())
            }
        }
    }

    pub(crate) fn publish(
        &self,
        job: JobId,
        checkpoint: CheckpointId,
        bytes: Bytes,
    ) -> Result<(), StorageError> {
        let refuse = |kind| Err(StorageError::new(kind, "publish checkpoint", subject(job, checkpoint)));
        match self.lock().get_mut(&job).and_then(|job| job.checkpoints.get_mut(&checkpoint)) {
            None => refuse(ErrorKind::NotFound),
            Some(Some(_)) => refuse(ErrorKind::AlreadyExists),
            Some(metadata) => {
                *metadata = Some(bytes);
                Ok(())
            }
        }
    }

    pub(crate) fn metadata(&self, job: JobId, checkpoint: CheckpointId) -> Result<Bytes, StorageError> {
        let found = self.lock().get(&job).and_then(|job| job.checkpoints.get(&checkpoint).cloned().flatten());
        found.ok_or_else(|| {
            StorageError::new(ErrorKind::NotFound, "open checkpoint", subject(job, checkpoint))
                .with_detail("never completed, or discarded")
        })
    }

    pub(crate) fn discard(&self, job: JobId, checkpoint: CheckpointId) {
        let mut jobs = self.lock();
        let Entry::Occupied(mut entry) = jobs.entry(job) else { return };
        entry.get_mut().checkpoints.remove(&checkpoint);
        // A job without checkpoints that has not ended is as good as none. Of one that has ended a few bytes
        // stay, which say so.
        if entry.get().checkpoints.is_empty() && entry.get().ended.is_none() {
            entry.remove();
        }
    }

    pub(crate) fn conclude(&self, job: JobId, status: JobStatus) -> Result<(), StorageError> {
        let mut jobs = self.lock();
        let ended = &mut jobs.entry(job).or_default().ended;
        match *ended {
            Some(found) if found != status => {
                Err(StorageError::new(ErrorKind::AlreadyExists, "conclude job", job.to_string())
                    .with_detail(format!("it is to end as {status}, but has ended as {found}")))
            }
            _ => {
                *ended = Some(status);
                Ok(())
            }
        }
    }

    /// What it holds, for tests that look for leaks.
    #[cfg(test)]
    pub(crate) fn contents(&self) -> Vec<String> {
        let jobs = self.lock();
        let checkpoints = |(id, job): (&JobId, &Job)| {
            let ids = job.checkpoints.keys().map(|checkpoint| subject(*id, *checkpoint)).collect::<Vec<_>>();
            if ids.is_empty() { vec![id.to_string()] } else { ids }
        };
        jobs.iter().flat_map(checkpoints).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, Job>> {
        // Every change is a single assignment or insertion, so a panic elsewhere cannot have left half of one
        // behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn subject(job: JobId, checkpoint: CheckpointId) -> String {
    format!("{checkpoint} of job {job}")
}
