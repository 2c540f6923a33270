//! One run of a job: it takes over, reads everything that is retained, sweeps, and takes checkpoints of random content.

use super::disk::WatchedDisk;
use super::message::{Message, Phase};
use super::state::{self, JOB, Written};
use crate::e2e::flights::departures::Random;
use bytes::Bytes;
use futures_executor::block_on;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use stillframe::fs::{FileSystemCheckpointStorage, StorageOnDisk};
use stillframe::model::{CheckpointId, CheckpointKind, JobStatus, LocationReference, StateFile};
use stillframe::storage::{
    CheckpointStorage, CompletedLocation, CoordinatorStorage, ErrorKind, StateScope, StorageAccess,
    StorageError, SweepMode, WorkerStorage,
};

/// What one run does. All randomness follows from the seed, and so does everything but what tasks do at once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// After how many checkpoints it ends, those that it gives up and savepoints included.
    pub(crate) checkpoints: u64,
    pub(crate) inline_threshold: u32,
    pub(crate) write_buffer_size: u32,
    pub(crate) retained: usize,
    /// How many threads write at once.
    pub(crate) tasks: usize,
    /// Whether it ends the job.
    pub(crate) concludes: bool,
}

impl Plan {
    pub(crate) fn draw(seed: u64, checkpoints: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            seed: random.draw(),
            checkpoints,
            inline_threshold: [0, 100, 20 << 10, 1 << 20][random.below(4) as usize],
            write_buffer_size: [64, 4 << 10, 64 << 10][random.below(3) as usize],
            retained: 1 + random.below(3) as usize,
            tasks: 1 + random.below(3) as usize,
            concludes: false,
        }
    }
}

/// Below which the job's checkpoints are.
pub(super) fn checkpoints(directory: &Path) -> PathBuf {
    directory.join("checkpoints")
}

/// Below which its savepoints are, the person's who asked for them.
pub(super) fn savepoints(directory: &Path) -> PathBuf {
    directory.join("savepoints")
}

pub(super) fn storage(
    directory: &Path,
    plan: &Plan,
    disk: Arc<WatchedDisk>,
) -> Result<StorageOnDisk, StorageError> {
    let storage = FileSystemCheckpointStorage::new(checkpoints(directory))?
        .with_min_file_size_threshold(plan.inline_threshold)?
        .with_write_buffer_size(plan.write_buffer_size)
        .with_savepoint_dir(savepoints(directory))?;
    Ok(storage.with_disk(disk))
}

/// Runs the job below a directory, and says everything.
pub(crate) fn run(directory: &Path, plan: &Plan, disk: Arc<WatchedDisk>, tell: &mut dyn FnMut(Message)) {
    let message = match try_run(directory, plan, disk, tell) {
        Ok(()) => Message::Over,
        Err(error) => Message::Failed(describe(&error)),
    };
    tell(message);
}

fn try_run(
    directory: &Path,
    plan: &Plan,
    disk: Arc<WatchedDisk>,
    tell: &mut dyn FnMut(Message),
) -> Result<(), StorageError> {
    let access = block_on(storage(directory, plan, disk)?.open(JOB))?;
    let coordinator = access.coordinator();
    let random = Random::new(plan.seed);
    let mut job = Job { access, coordinator, plan, random, retained: BTreeMap::new(), next: 0, tell };
    let has_ended = job.recover()?;
    if !has_ended {
        for _ in 0..plan.checkpoints {
            job.step()?;
        }
    }
    if plan.concludes { job.conclude() } else { Ok(()) }
}

/// An error with its causes, in one line.
fn describe(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", describe(cause)),
        None => error.to_string(),
    }
}

/// All states of a finished checkpoint or savepoint, and which one it is.
pub(super) fn read(location: &dyn CompletedLocation) -> Result<(u64, Vec<Written>), StorageError> {
    let pointer = location.pointer().as_str();
    let (id, handles) = state::decode(&block_on(location.metadata())?).map_err(|detail| {
        StorageError::new(ErrorKind::Corrupt, "decode metadata of", pointer).with_detail(detail)
    })?;
    let read = |handle| {
        let digest = state::digest(&block_on(location.read(&handle))?);
        Ok(Written { handle, digest })
    };
    Ok((id, handles.into_iter().map(read).collect::<Result<_, StorageError>>()?))
}

struct Job<'a> {
    access: Arc<dyn StorageAccess>,
    coordinator: Arc<dyn CoordinatorStorage>,
    plan: &'a Plan,
    random: Random,
    retained: BTreeMap<u64, Vec<Written>>,
    next: u64,
    tell: &'a mut dyn FnMut(Message),
}

impl Job<'_> {
    /// Takes over what earlier runs left. Whether the job has ended already.
    fn recover(&mut self) -> Result<bool, StorageError> {
        self.at(Phase::Claim);
        let claim = block_on(self.coordinator.claim())?;
        self.next = claim.next.get();
        let retained = claim.retained.iter().map(|id| id.get()).collect();
        let ended = claim.ended.is_some();
        (self.tell)(Message::Claimed { retained, next: self.next, ended });
        self.at(Phase::Restore);
        for id in claim.retained {
            let location = block_on(self.coordinator.open_checkpoint(id))?;
            let (found, states) = read(&*location)?;
            // If it is another one's, then it is not what was written under this id.
            let digest = if found == id.get() { state::digest_of_all(&states) } else { 0 };
            (self.tell)(Message::Found { checkpoint: id.get(), digest });
            self.retained.insert(id.get(), states);
        }
        self.at(Phase::Sweep);
        block_on(self.coordinator.sweep(SweepMode::Remove))?;
        (self.tell)(Message::Swept);
        Ok(ended)
    }

    fn step(&mut self) -> Result<(), StorageError> {
        if self.random.below(12) == 0 {
            self.at(Phase::Sweep);
            block_on(self.coordinator.sweep(SweepMode::Remove))?;
        }
        let id = CheckpointId::new(self.next);
        self.next += 1;
        self.at(Phase::Begin);
        (self.tell)(Message::Beginning(id.get()));
        match self.random.below(8) {
            0 => self.savepoint(id),
            1 => self.give_up(id),
            _ => self.checkpoint(id),
        }
    }

    fn checkpoint(&mut self, id: CheckpointId) -> Result<(), StorageError> {
        let location = block_on(self.coordinator.begin_checkpoint(id))?;
        let newest = self.retained.last_key_value().map(|(_, states)| states.clone()).unwrap_or_default();
        let mut states = newest;
        states.retain(|state| is_shared(state) && self.random.below(3) > 0);
        states.extend(self.write(id, &location)?);
        let surplus = (self.retained.len() + 1).saturating_sub(self.plan.retained);
        let dropped = self.retained.keys().take(surplus).copied().collect::<BTreeSet<_>>();
        self.at(Phase::Commit);
        (self.tell)(Message::Committing {
            checkpoint: id.get(),
            dropped: dropped.clone(),
            digest: state::digest_of_all(&states),
            files: state::files(id, &states),
        });
        let metadata = state::encode(id, CheckpointKind::Checkpoint, &states);
        block_on(self.coordinator.commit(id, &location, metadata, &ids(&dropped)))?;
        (self.tell)(Message::Committed(id.get()));
        self.retained.insert(id.get(), states);
        self.remove(&dropped)
    }

    /// Removes what was dropped, most of the time: a removal that never comes is the next run's affair.
    fn remove(&mut self, dropped: &BTreeSet<u64>) -> Result<(), StorageError> {
        self.at(Phase::Remove);
        for id in dropped {
            let states = self.retained.remove(id).unwrap_or_default();
            let needed = self.retained.values().flat_map(|states| state::shared(states));
            let needed = needed.collect::<BTreeSet<&StateFile>>();
            let files =
                state::shared(&states).filter(|file| !needed.contains(file)).cloned().collect::<Vec<_>>();
            if self.random.below(8) > 0 {
                block_on(self.coordinator.remove(CheckpointId::new(*id), &files))?;
            }
        }
        Ok(())
    }

    /// Begins a checkpoint, writes for it, and discards it or even forgets that.
    fn give_up(&mut self, id: CheckpointId) -> Result<(), StorageError> {
        let location = block_on(self.coordinator.begin_checkpoint(id))?;
        self.write(id, &location)?;
        self.at(Phase::Discard);
        if self.random.below(4) > 0 { block_on(self.coordinator.discard(id, &location)) } else { Ok(()) }
    }

    fn savepoint(&mut self, id: CheckpointId) -> Result<(), StorageError> {
        let location = block_on(self.coordinator.begin_savepoint(id, None))?;
        let states = self.write(id, &location)?;
        self.at(Phase::Savepoint);
        let savepoint = id.get();
        (self.tell)(Message::Publishing { savepoint, digest: state::digest_of_all(&states) });
        let metadata = state::encode(id, CheckpointKind::SAVEPOINT, &states);
        let pointer = block_on(self.coordinator.publish_savepoint(id, &location, metadata))?;
        (self.tell)(Message::Published { savepoint, pointer: pointer.as_str().to_owned() });
        Ok(())
    }

    fn conclude(&mut self) -> Result<(), StorageError> {
        self.at(Phase::Conclude);
        let surplus = self.retained.len().saturating_sub(1);
        let dropped = self.retained.keys().take(surplus).copied().collect::<BTreeSet<_>>();
        (self.tell)(Message::Concluding { dropped: dropped.clone() });
        block_on(self.coordinator.conclude(JobStatus::Finished, &ids(&dropped)))?;
        (self.tell)(Message::Concluded);
        self.remove(&dropped)
    }

    /// Writes a few states, as several tasks at once do, and makes them durable.
    fn write(
        &mut self,
        id: CheckpointId,
        location: &LocationReference,
    ) -> Result<Vec<Written>, StorageError> {
        self.at(Phase::Write);
        let draw = |random: &mut Random| {
            let scope = if random.below(3) == 0 { StateScope::Shared } else { StateScope::Exclusive };
            (state::draw(random), scope, random.below(10) == 0)
        };
        let states = (0..1 + self.random.below(5)).map(|_| draw(&mut self.random)).collect::<Vec<_>>();
        let worker = &*self.access.worker();
        let tasks = states.chunks(states.len().div_ceil(self.plan.tasks));
        let written = at_once(tasks.clone(), |task| {
            let written = task.iter().map(|(bytes, scope, is_tried_twice)| {
                if *is_tried_twice {
                    abort(worker, id, location, *scope, bytes)?;
                }
                write(worker, id, location, *scope, bytes)
            });
            written.collect::<Result<Vec<_>, _>>()
        })?;
        self.at(Phase::Sync);
        at_once(tasks, |_| block_on(worker.sync(id, location)))?;
        Ok(written.into_iter().flatten().collect())
    }

    fn at(&mut self, phase: Phase) {
        (self.tell)(Message::At(phase));
    }
}

/// Does all of it in threads, and gives what came of it in order, or the first error.
fn at_once<T: Send, R: Send>(
    tasks: impl Iterator<Item = T>,
    work: impl Fn(T) -> Result<R, StorageError> + Sync,
) -> Result<Vec<R>, StorageError> {
    thread::scope(|scope| {
        let work = &work;
        let threads = tasks.map(|task| scope.spawn(move || work(task))).collect::<Vec<_>>();
        threads.into_iter().map(|thread| thread.join().expect("a task does not panic")).collect()
    })
}

fn write(
    worker: &dyn WorkerStorage,
    id: CheckpointId,
    location: &LocationReference,
    scope: StateScope,
    bytes: &Bytes,
) -> Result<Written, StorageError> {
    let mut stream = block_on(worker.create(id, location, scope))?;
    let mut rest = bytes.clone();
    let first = rest.split_to(rest.len() / 2);
    block_on(stream.write(first))?;
    block_on(stream.write(rest))?;
    let handle = block_on(stream.finish())?.expect("something was written");
    Ok(Written { handle, digest: state::digest(bytes) })
}

/// Writes half of it and gives up, with or without saying so.
fn abort(
    worker: &dyn WorkerStorage,
    id: CheckpointId,
    location: &LocationReference,
    scope: StateScope,
    bytes: &Bytes,
) -> Result<(), StorageError> {
    let mut stream = block_on(worker.create(id, location, scope))?;
    block_on(stream.write(bytes.slice(..bytes.len() / 2)))?;
    if bytes.len().is_multiple_of(2) { block_on(stream.abort()) } else { Ok(()) }
}

fn is_shared(state: &Written) -> bool {
    state::shared(std::slice::from_ref(state)).next().is_some()
}

fn ids(of: &BTreeSet<u64>) -> Vec<CheckpointId> {
    of.iter().copied().map(CheckpointId::new).collect()
}
