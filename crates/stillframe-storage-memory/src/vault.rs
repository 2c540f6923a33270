use crate::ids::Ids;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe_model::{CheckpointId, JobId, JobStatus, Name, StateDirectory, StateFile};
use stillframe_storage::{
    Claim, CompletedLocation, ErrorKind, StorageError, Sweep, SweepMode, Swept, Verdict,
};

/// Who holds a job. Each claim by somebody new is the next.
pub(crate) type Epoch = u64;

/// The checkpoints of all jobs of one storage.
#[derive(Debug, Default)]
pub(crate) struct Vault(Mutex<BTreeMap<JobId, Job>>);

#[derive(Debug, Default)]
struct Job {
    /// The newest claim; 0 before the first.
    epoch: Epoch,
    /// The ids that were ever used. They outlive their checkpoints, so that none is used again.
    used: Ids,
    /// What was begun and not completed yet, and by whom.
    begun: BTreeMap<CheckpointId, Epoch>,
    /// The metadata of what is complete.
    complete: BTreeMap<CheckpointId, Bytes>,
    /// Snapshots of other jobs to which checkpoints may refer.
    left: Vec<Arc<dyn CompletedLocation>>,
    ended: Option<JobStatus>,
}

impl Job {
    fn claim(&self) -> Claim {
        let retained = self.complete.keys().copied().collect();
        let left = self.left.iter().flat_map(|snapshot| addresses(&**snapshot)).collect();
        Claim { retained, taken: Vec::new(), next: self.used.next(), ended: self.ended, left }
    }

    /// How many bytes its complete checkpoints have, but for these.
    fn size_without(&self, dropped: &[CheckpointId]) -> u64 {
        let stays = |(id, _): &(&CheckpointId, &Bytes)| !dropped.contains(id);
        self.complete.iter().filter(stays).map(|(_, metadata)| metadata.len() as u64).sum()
    }

    fn drop_all(&mut self, dropped: &[CheckpointId]) {
        for checkpoint in dropped {
            self.complete.remove(checkpoint);
        }
    }
}

/// A coordinator and the job it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    pub(crate) job: JobId,
    pub(crate) epoch: Epoch,
}

impl Vault {
    /// Takes a job over for somebody new.
    pub(crate) fn claim(&self, job: JobId) -> (Epoch, Claim) {
        let mut jobs = self.lock();
        let job = jobs.entry(job).or_default();
        job.epoch += 1;
        (job.epoch, job.claim())
    }

    /// What is there now, for somebody who holds the job already.
    pub(crate) fn claim_again(&self, holder: Holder) -> Result<Claim, StorageError> {
        self.held(holder, "claim job", None, |job| Ok(job.claim()))
    }

    /// Uses an id up, for a checkpoint that is kept here or for a savepoint that is not.
    pub(crate) fn begin(
        &self,
        holder: Holder,
        checkpoint: CheckpointId,
        is_kept: bool,
    ) -> Result<(), StorageError> {
        const OPERATION: &str = "begin checkpoint";
        self.held(holder, OPERATION, Some(checkpoint), |job| {
            if !job.used.insert(checkpoint) {
                return Err(refusal(ErrorKind::AlreadyExists, OPERATION, holder, checkpoint)
                    .with_detail("an id is used once"));
            }
            if is_kept {
                job.begun.insert(checkpoint, holder.epoch);
            }
            Ok(())
        })
    }

    pub(crate) fn commit(
        &self,
        holder: Holder,
        checkpoint: CheckpointId,
        metadata: Bytes,
        dropped: &[CheckpointId],
        limit: u64,
    ) -> Result<(), StorageError> {
        const OPERATION: &str = "commit checkpoint";
        let refuse = |kind| refusal(kind, OPERATION, holder, checkpoint);
        let mut jobs = self.lock();
        let others = jobs.iter().filter(|(id, _)| **id != holder.job);
        let of_others = others.map(|(_, job)| job.size_without(&[])).sum::<u64>();
        let job = held(&mut jobs, holder, OPERATION, Some(checkpoint))?;
        if job.complete.contains_key(&checkpoint) {
            return Err(refuse(ErrorKind::AlreadyExists));
        }
        if job.begun.get(&checkpoint) != Some(&holder.epoch) {
            return Err(refuse(ErrorKind::NotFound).with_detail("it was not begun by this run"));
        }
        let (kept, size) = (of_others.saturating_add(job.size_without(dropped)), metadata.len() as u64);
        if kept.saturating_add(size) > limit {
            return Err(refuse(ErrorKind::TooLarge).with_detail(format!(
                "size={size} kept={kept} limit={limit} bytes, of all jobs; raise max-total-size, retain fewer checkpoints, or use FileSystemCheckpointStorage for large state"
            )));
        }
        job.drop_all(dropped);
        job.begun.remove(&checkpoint);
        job.complete.insert(checkpoint, metadata);
        Ok(())
    }

    /// The metadata of a complete checkpoint, and the snapshots to which it may refer. Whoever held the job is told of his
    /// successor if it is not there, who may have dropped it.
    pub(crate) fn open(
        &self,
        job: JobId,
        epoch: Option<Epoch>,
        checkpoint: CheckpointId,
    ) -> Result<(Bytes, Vec<Arc<dyn CompletedLocation>>), StorageError> {
        const OPERATION: &str = "open checkpoint";
        let mut jobs = self.lock();
        let found =
            jobs.get(&job).and_then(|job| Some((job.complete.get(&checkpoint)?.clone(), job.left.clone())));
        if let (None, Some(epoch)) = (&found, epoch) {
            held(&mut jobs, Holder { job, epoch }, OPERATION, Some(checkpoint))?;
        }
        found.ok_or_else(|| {
            refusal(ErrorKind::NotFound, OPERATION, Holder { job, epoch: 0 }, checkpoint)
                .with_detail("never completed, or dropped")
        })
    }

    /// Begins behind a snapshot, to which checkpoints may refer if it is `left`.
    pub(crate) fn adopt(
        &self,
        holder: Holder,
        checkpoint: CheckpointId,
        left: Option<Arc<dyn CompletedLocation>>,
    ) -> Result<Claim, StorageError> {
        const OPERATION: &str = "adopt snapshot";
        self.held(holder, OPERATION, Some(checkpoint), |job| {
            if let Some((newest, _)) = job.complete.last_key_value().filter(|(id, _)| **id >= checkpoint) {
                return Err(refusal(ErrorKind::AlreadyExists, OPERATION, holder, checkpoint)
                    .with_detail(format!("the job has a checkpoint {newest} of its own")));
            }
            job.used.all_up_to(checkpoint);
            job.left.extend(left);
            Ok(job.claim())
        })
    }

    pub(crate) fn discard(&self, holder: Holder, checkpoint: CheckpointId) -> Result<(), StorageError> {
        const OPERATION: &str = "discard checkpoint";
        self.held(holder, OPERATION, Some(checkpoint), |job| {
            if job.complete.contains_key(&checkpoint) {
                return Err(refusal(ErrorKind::AlreadyExists, OPERATION, holder, checkpoint)
                    .with_detail("it is complete; drop it with a commit"));
            }
            job.begun.remove(&checkpoint);
            Ok(())
        })
    }

    /// Nothing to do: what a commit drops is gone with it.
    pub(crate) fn remove(&self, holder: Holder, checkpoint: CheckpointId) -> Result<(), StorageError> {
        const OPERATION: &str = "remove checkpoint";
        self.held(holder, OPERATION, Some(checkpoint), |job| {
            if job.complete.contains_key(&checkpoint) {
                return Err(refusal(ErrorKind::AlreadyExists, OPERATION, holder, checkpoint)
                    .with_detail("it is retained; drop it with a commit"));
            }
            Ok(())
        })
    }

    pub(crate) fn conclude(
        &self,
        holder: Holder,
        status: JobStatus,
        dropped: &[CheckpointId],
    ) -> Result<(), StorageError> {
        const OPERATION: &str = "conclude job";
        self.held(holder, OPERATION, None, |job| match (status, job.ended) {
            (JobStatus::Suspended, _) => Ok(()),
            (_, Some(found)) if found != status => {
                Err(StorageError::new(ErrorKind::AlreadyExists, OPERATION, holder.job.to_string())
                    .with_detail(format!("it is to end as {status}, but has ended as {found}")))
            }
            _ => {
                job.ended = Some(status);
                job.drop_all(dropped);
                Ok(())
            }
        })
    }

    pub(crate) fn sweep(&self, holder: Holder, mode: SweepMode) -> Result<Sweep, StorageError> {
        self.held(holder, "sweep job", None, |job| {
            let complete = job.complete.keys().map(|id| (*id, Verdict::Retained));
            let begun = job.begun.iter().map(|(id, epoch)| match *epoch == holder.epoch {
                true => (*id, Verdict::InProgress),
                false => (*id, Verdict::Unreferenced),
            });
            let mut found = complete.chain(begun).collect::<Vec<_>>();
            found.sort_unstable();
            if mode == SweepMode::Remove {
                job.begun.retain(|_, epoch| *epoch == holder.epoch);
            }
            let swept = |(id, verdict)| Swept { object: subject(holder.job, id), verdict };
            Ok(Sweep { found: found.into_iter().map(swept).collect() })
        })
    }

    /// What it holds, for tests that look for leaks.
    #[cfg(test)]
    pub(crate) fn contents(&self) -> Vec<String> {
        let jobs = self.lock();
        let checkpoints = |(id, job): (&JobId, &Job)| {
            let ids = job.begun.keys().chain(job.complete.keys());
            ids.map(|checkpoint| subject(*id, *checkpoint)).collect::<Vec<_>>()
        };
        jobs.iter().flat_map(checkpoints).collect()
    }

    /// Does what only the holder of the job may do.
    fn held<T>(
        &self,
        holder: Holder,
        operation: &'static str,
        checkpoint: Option<CheckpointId>,
        then: impl FnOnce(&mut Job) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        then(held(&mut self.lock(), holder, operation, checkpoint)?)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, Job>> {
        // Whatever may panic in a change comes before the first assignment, so a panic cannot have left half of one behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The job, for whoever holds it.
fn held<'a>(
    jobs: &'a mut BTreeMap<JobId, Job>,
    holder: Holder,
    operation: &'static str,
    checkpoint: Option<CheckpointId>,
) -> Result<&'a mut Job, StorageError> {
    let job = jobs.entry(holder.job).or_default();
    if job.epoch == holder.epoch {
        return Ok(job);
    }
    let subject = checkpoint.map_or_else(|| holder.job.to_string(), |id| subject(holder.job, id));
    Err(StorageError::new(ErrorKind::Fenced, operation, subject)
        .with_detail(format!("claim {} of the job was followed by claim {}", holder.epoch, job.epoch)))
}

/// The directories of a snapshot to whose files others can refer.
fn addresses(snapshot: &dyn CompletedLocation) -> impl Iterator<Item = Arc<str>> {
    let any = Name::new("any").ok();
    let files = [StateDirectory::Exclusive, StateDirectory::Shared]
        .map(|directory| any.clone().map(|name| StateFile { directory, name }));
    files.into_iter().flatten().filter_map(|file| match snapshot.foreign(&file)?.directory {
        StateDirectory::Foreign(address) => Some(address),
        _ => None,
    })
}

fn refusal(
    kind: ErrorKind,
    operation: &'static str,
    holder: Holder,
    checkpoint: CheckpointId,
) -> StorageError {
    StorageError::new(kind, operation, subject(holder.job, checkpoint))
}

fn subject(job: JobId, checkpoint: CheckpointId) -> String {
    format!("{checkpoint} of job {job}")
}
