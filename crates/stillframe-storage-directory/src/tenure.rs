//! A coordinator's hold on a job: what it may use, what it may add to the register, and that it stops when it must.

use crate::layout;
use crate::register::store::{Failed, RegisterStore};
use crate::register::{Conclusion, Entry, IDS, Register, Retained, Root, Update};
use futures_util::lock::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use stillframe_model::{CheckpointId, JobId, JobStatus};
use stillframe_storage::{BlobStore, Claim, ErrorKind, StorageError};

/// How many of the newest ids are remembered one by one. All below count as used.
const REMEMBERED: usize = 1_024;

/// After so many entries of one epoch its holder claims again, so that older ones need not be kept.
const ENTRIES_PER_EPOCH: u64 = 1_000;

#[derive(Debug)]
pub(crate) struct Tenure {
    store: RegisterStore,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// The job was not claimed yet.
    Unclaimed,
    Holding(Box<Held>),
    /// For good, and why.
    Stopped {
        kind: ErrorKind,
        reason: String,
    },
}

/// What somebody has who holds the job.
#[derive(Debug)]
struct Held {
    register: Register,
    used: Used,
    /// Claimed checkpoints that were given up and whose files are gone.
    gone: BTreeSet<CheckpointId>,
    /// What this holder gave up and has not removed yet: checkpoints that are under way may still refer to its files.
    giving_up: BTreeMap<CheckpointId, Retained>,
    /// The entry behind which this epoch began.
    floor: u64,
}

impl Tenure {
    pub(crate) fn new(job: JobId, blobs: Arc<dyn BlobStore>) -> Self {
        Self { store: RegisterStore { job, blobs }, state: Mutex::new(State::Unclaimed) }
    }

    /// Takes the job over, or says what there is for one who has it.
    pub(crate) async fn claim(&self, token: u128) -> Result<Claim, StorageError> {
        let mut state = self.state.lock().await;
        match &*state {
            State::Unclaimed => {
                let held = self.begin(&mut state, token).await?;
                *state = State::Holding(Box::new(held));
            }
            // Somebody may have taken the job over since, of which nobody here needs to have heard. What this coordinator
            // knows would be old then, and whoever goes on from it undoes what the other has prepared.
            State::Holding(_) => self.confirm(&mut state).await?,
            State::Stopped { .. } => {}
        }
        let held = self.held(&mut state)?;
        let head = head(&held.register)?;
        Ok(Claim {
            retained: head.retained.iter().map(|one| one.checkpoint).collect(),
            taken: head
                .retained
                .iter()
                .filter(|one| one.location.is_some())
                .map(|one| one.checkpoint)
                .collect(),
            next: held.used.next(),
            ended: head.ended,
            left: head
                .roots
                .iter()
                .filter(|root| !root.is_owned)
                .map(|root| root.address.as_str().into())
                .collect(),
        })
    }

    async fn begin(&self, state: &mut State, token: u128) -> Result<Held, StorageError> {
        let RegisterStore { job, blobs } = &self.store;
        for directory in [layout::markers(*job), layout::entries(*job)] {
            match blobs.create_directory(&directory).await {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        let (mut hint, has_entries) = self.store.look().await?;
        if !has_entries && let Err(refusal) = self.refuse_without_entries().await {
            // Somebody may have begun between the two looks.
            let (newer, has_entries) = self.store.look().await?;
            if !has_entries {
                return Err(refusal);
            }
            hint = newer;
        }
        let mut register = Register::new(*job, token);
        let step = register.claim(hint);
        match self.store.drive(&mut register, step).await {
            Ok(Conclusion::Claimed { entry, ids }) => Ok(Held {
                register,
                used: Used::from(ids.start),
                gone: BTreeSet::new(),
                giving_up: BTreeMap::new(),
                floor: entry.sequence,
            }),
            Ok(_) => Err(unexpected("claim", *job)),
            Err(failed) => Err(stop(state, failed)),
        }
    }

    async fn confirm(&self, state: &mut State) -> Result<(), StorageError> {
        let held = self.held(state)?;
        // A look that fails changes nothing.
        let mut register = held.register.clone();
        let step = register.confirm();
        match self.store.drive(&mut register, step).await {
            Ok(_) => {
                held.register = register;
                Ok(())
            }
            Err(failed) => Err(stop(state, failed)),
        }
    }

    /// What to say of this error, about something on which this coordinator counts: that another one holds the job by now, if
    /// so. Its successor removes what it replaces, and nothing is lost then.
    pub(crate) async fn or_fenced(&self, error: StorageError) -> StorageError {
        if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt | ErrorKind::OutcomeUnknown) {
            return error;
        }
        let mut state = self.state.lock().await;
        match self.confirm(&mut state).await {
            Err(fenced) if fenced.kind() == ErrorKind::Fenced => fenced.with_source(error),
            _ => error,
        }
    }

    /// Without an entry every checkpoint would look like an orphan. None is begun before there is one.
    async fn refuse_without_entries(&self) -> Result<(), StorageError> {
        let RegisterStore { job, blobs } = &self.store;
        for entry in blobs.list(&layout::job(*job)).await? {
            let Some(checkpoint) = layout::parse_checkpoint(&entry.name) else { continue };
            let inside = blobs.list(&layout::checkpoint(*job, checkpoint)).await?;
            if inside.iter().any(|entry| entry.name == layout::METADATA) {
                let register = blobs.locate(&layout::register(*job));
                return Err(StorageError::new(ErrorKind::Corrupt, "claim job with register", register).with_detail(
                    format!(
                        "it has no entry, and yet there is a complete checkpoint {checkpoint}; bring the register back, or \
                         resume from that checkpoint's directory under another job id"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Makes sure that an id is this coordinator's and was not used before.
    pub(crate) async fn reserve(&self, checkpoint: CheckpointId) -> Result<(), StorageError> {
        let mut state = self.state.lock().await;
        let held = self.held(&mut state)?;
        let subject = checkpoint.to_string();
        if !held.used.is_free(checkpoint.get()) {
            return Err(StorageError::new(ErrorKind::AlreadyExists, "begin checkpoint", subject)
                .with_detail(format!("the id was used before; the next free one is {}", held.used.next())));
        }
        let end = held.register.ids().end;
        if checkpoint.get() >= end {
            if checkpoint.get() > held.used.next().get().max(end) {
                return Err(StorageError::new(ErrorKind::Other, "begin checkpoint", subject)
                    .with_detail(format!("ids go up one by one; the next one is {}", held.used.next())));
            }
            let more = Update { more_ids: true, ..unchanged(held)? };
            self.append(&mut state, more).await?;
        }
        self.held(&mut state)?.used.take(checkpoint.get());
        Ok(())
    }

    /// Adds a checkpoint to the register and drops others, in one entry. It is complete when this returns `Ok`.
    pub(crate) async fn commit(&self, new: Retained, dropped: &[CheckpointId]) -> Result<(), StorageError> {
        let mut state = self.state.lock().await;
        let held = self.held(&mut state)?;
        let mut update = dropping(held, dropped)?;
        // Half of a reservation in advance, so that no checkpoint has to wait for ids.
        update.more_ids = held.used.next().get().saturating_add(IDS / 2) >= held.register.ids().end;
        update.retained.push(new);
        self.append(&mut state, update).await
    }

    /// Adds a snapshot that this job did not take, or only the directories that its checkpoints may read from.
    pub(crate) async fn adopt(
        &self,
        checkpoint: CheckpointId,
        taken: Option<Retained>,
        roots: Vec<Root>,
    ) -> Result<(), StorageError> {
        let mut state = self.state.lock().await;
        let held = self.held(&mut state)?;
        let newest = head(&held.register)?.retained.last().map(|one| one.checkpoint);
        if let Some(newest) = newest.filter(|newest| *newest >= checkpoint) {
            return Err(StorageError::new(
                ErrorKind::AlreadyExists,
                "adopt snapshot",
                checkpoint.to_string(),
            )
            .with_detail(format!("the job has a checkpoint {newest} of its own")));
        }
        let mut update = unchanged(held)?;
        update.retained.extend(taken);
        update.retained.sort_unstable_by_key(|one| one.checkpoint);
        update.roots = roots;
        update.behind = Some(checkpoint);
        self.append(&mut state, update).await?;
        let held = self.held(&mut state)?;
        held.used.skip_to(held.register.ids().start);
        Ok(())
    }

    /// Writes down how the job ended.
    pub(crate) async fn conclude(
        &self,
        status: JobStatus,
        dropped: &[CheckpointId],
    ) -> Result<(), StorageError> {
        let mut state = self.state.lock().await;
        let held = self.held(&mut state)?;
        match head(&held.register)?.ended {
            Some(before) if before != status => {
                return Err(StorageError::new(
                    ErrorKind::AlreadyExists,
                    "conclude job",
                    self.store.job.to_string(),
                )
                .with_detail(format!("it is to end as {status}, but has ended as {before}")));
            }
            Some(_) => {
                // It may be repeated, also by somebody who does not know how far it came.
                let head = head(&held.register)?;
                let is_retained = |id: &&CheckpointId| head.retained.iter().any(|one| one.checkpoint == **id);
                let rest: Vec<_> = dropped.iter().filter(is_retained).copied().collect();
                if rest.is_empty() {
                    return Ok(());
                }
                let update = dropping(held, &rest)?;
                return self.append(&mut state, update).await;
            }
            None => {}
        }
        let update = Update { ended: Some(status), ..dropping(held, dropped)? };
        self.append(&mut state, update).await
    }

    /// Forgets a dropped checkpoint whose files are gone, and shortens the register when it has become long.
    pub(crate) async fn removed(&self, checkpoint: CheckpointId) -> Result<(), StorageError> {
        let mut state = self.state.lock().await;
        let held = self.held(&mut state)?;
        held.giving_up.remove(&checkpoint);
        let head_now = head(&held.register)?;
        let entries = head_now.sequence.saturating_sub(held.floor);
        // Only of those that the register still names as dropped, so that it is a few, however long the job runs.
        let is_named = |id: &CheckpointId| head_now.dropped.iter().any(|one| one.checkpoint == *id);
        held.gone.insert(checkpoint);
        held.gone.retain(is_named);
        if entries < ENTRIES_PER_EPOCH {
            return Ok(());
        }
        let step = held.register.reclaim();
        match self.store.drive(&mut held.register, step).await {
            Ok(_) => {
                held.floor = head(&held.register)?.sequence;
                self.store.remove_garbage(&held.register).await
            }
            Err(failed) => Err(stop(&mut state, failed)),
        }
    }

    /// Takes note that a dropped checkpoint was removed but for files that others need. The register goes on naming it, since
    /// nothing else says where they are.
    pub(crate) async fn outlived(&self, checkpoint: CheckpointId) -> Result<(), StorageError> {
        let mut state = self.state.lock().await;
        self.held(&mut state)?.giving_up.remove(&checkpoint);
        Ok(())
    }

    /// The newest entry, the ids that may be in use by this coordinator, and the numbers of entries that may go.
    pub(crate) async fn view(&self) -> Result<View, StorageError> {
        let mut state = self.state.lock().await;
        let held = self.held(&mut state)?;
        Ok(View {
            head: head(&held.register)?.clone(),
            own: held.register.ids().start,
            giving_up: held.giving_up.values().cloned().collect(),
            garbage: held.register.garbage(),
        })
    }

    async fn append(&self, state: &mut State, update: Update) -> Result<(), StorageError> {
        let held = self.held(state)?;
        let before = head(&held.register)?.retained.clone();
        let step = held.register.append(update);
        match self.store.drive(&mut held.register, step).await {
            Ok(Conclusion::Committed(entry)) => {
                let dropped = before.into_iter().filter(|one| entry.dropped.contains(one));
                held.giving_up.extend(dropped.map(|one| (one.checkpoint, one)));
                Ok(())
            }
            Ok(_) => Err(unexpected("append", self.store.job)),
            Err(failed) => Err(stop(state, failed)),
        }
    }

    fn held<'a>(&self, state: &'a mut State) -> Result<&'a mut Held, StorageError> {
        match state {
            State::Holding(held) => Ok(&mut **held),
            State::Unclaimed => {
                Err(StorageError::new(ErrorKind::Other, "use job", self.store.job.to_string())
                    .with_detail("claim the job first"))
            }
            State::Stopped { kind, reason } => {
                Err(StorageError::new(*kind, "use job", self.store.job.to_string())
                    .with_detail(format!("this coordinator has stopped: {reason}")))
            }
        }
    }
}

/// What a holder sees.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) head: Entry,
    /// The first id of this coordinator. What has a lower one and is not in the head is nobody's.
    pub(crate) own: u64,
    /// What was dropped lately and may still be referred to by checkpoints under way.
    pub(crate) giving_up: Vec<Retained>,
    /// The numbers of entries that nobody reads.
    pub(crate) garbage: Range<u64>,
}

impl View {
    pub(crate) fn retained(&self, checkpoint: CheckpointId) -> Option<&Retained> {
        self.head.retained.iter().find(|one| one.checkpoint == checkpoint)
    }

    /// A checkpoint that was given up, as far as the register still knows it.
    pub(crate) fn dropped(&self, checkpoint: CheckpointId) -> Option<&Retained> {
        let dropped = self.giving_up.iter().chain(&self.head.dropped);
        dropped.into_iter().find(|one| one.checkpoint == checkpoint)
    }

    /// Claimed checkpoints of which there is still something because others needed it when they were removed, but for one of this
    /// id.
    pub(crate) fn outlived(&self, except: CheckpointId) -> impl Iterator<Item = &Retained> {
        let is_going = |id| self.giving_up.iter().any(|going| going.checkpoint == id);
        self.head.dropped.iter().filter(move |one| {
            one.location.is_some() && one.checkpoint != except && !is_going(one.checkpoint)
        })
    }

    /// Whether this job took over what is in the directory at this address.
    pub(crate) fn owns(&self, address: &str) -> bool {
        self.head.roots.iter().any(|root| root.is_owned && root.address == address)
    }
}

/// The ids that a coordinator has used.
#[derive(Debug)]
struct Used {
    /// All below were used, or are not this coordinator's.
    floor: u64,
    above: BTreeSet<u64>,
}

impl From<u64> for Used {
    fn from(floor: u64) -> Self {
        Self { floor, above: BTreeSet::new() }
    }
}

impl Used {
    fn is_free(&self, id: u64) -> bool {
        id >= self.floor && !self.above.contains(&id)
    }

    fn take(&mut self, id: u64) {
        self.above.insert(id);
        while self.above.len() > REMEMBERED
            && let Some(lowest) = self.above.pop_first()
        {
            self.floor = lowest.saturating_add(1);
        }
    }

    fn skip_to(&mut self, id: u64) {
        self.floor = self.floor.max(id);
        self.above = self.above.split_off(&self.floor);
    }

    fn next(&self) -> CheckpointId {
        CheckpointId::new(self.above.last().map_or(self.floor, |last| last.saturating_add(1)))
    }
}

fn head(register: &Register) -> Result<&Entry, StorageError> {
    register.head().ok_or_else(|| StorageError::new(ErrorKind::Other, "look at", "register"))
}

/// What stays as it is.
fn unchanged(held: &Held) -> Result<Update, StorageError> {
    dropping(held, &[])
}

fn dropping(held: &Held, dropped: &[CheckpointId]) -> Result<Update, StorageError> {
    let head = head(&held.register)?;
    if let Some(unknown) = dropped.iter().find(|id| head.retained.iter().all(|one| one.checkpoint != **id)) {
        return Err(StorageError::new(ErrorKind::NotFound, "drop checkpoint", unknown.to_string())
            .with_detail("it is not among the retained ones"));
    }
    let (mut gone, retained): (Vec<_>, Vec<_>) =
        head.retained.iter().cloned().partition(|one| dropped.contains(&one.checkpoint));
    // Where a claimed checkpoint lies is known from here only, so it stands here until its files are gone.
    let earlier =
        head.dropped.iter().filter(|one| one.location.is_some() && !held.gone.contains(&one.checkpoint));
    gone.extend(earlier.cloned());
    gone.sort_unstable_by_key(|one| one.checkpoint);
    Ok(Update { retained, dropped: gone, ..Update::default() })
}

/// Remembers a failure that is for good.
fn stop(state: &mut State, failed: Failed) -> StorageError {
    match failed {
        Failed::Refused(error) => error,
        Failed::Stopped(error) => {
            *state = State::Stopped { kind: error.kind(), reason: error.to_string() };
            error
        }
    }
}

fn unexpected(operation: &'static str, job: JobId) -> StorageError {
    StorageError::new(ErrorKind::Other, operation, job.to_string())
        .with_detail("the register answered another question")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BlobStores;
    use crate::map_store::Medium;
    use futures_executor::block_on;
    use stillframe_model::Crc32c;

    #[test]
    fn what_is_remembered_of_removed_checkpoints_does_not_grow() {
        let tenure = Tenure::new(JobId::from_bytes([1; 16]), Medium::default().at("/c").unwrap());
        block_on(tenure.claim(1)).unwrap();
        let mut before = None;
        for number in 1..=100 {
            let checkpoint = CheckpointId::new(number);
            block_on(tenure.reserve(checkpoint)).unwrap();
            let one = Retained { checkpoint, location: None, len: 1, checksum: Crc32c(0) };
            let dropped: Vec<_> = before.replace(checkpoint).into_iter().collect();
            block_on(tenure.commit(one, &dropped)).unwrap();
            for dropped in dropped {
                block_on(tenure.removed(dropped)).unwrap();
            }
            let state = block_on(tenure.state.lock());
            let State::Holding(held) = &*state else { panic!("{state:?}") };
            assert!(held.gone.len() <= 1 && held.giving_up.is_empty(), "{held:?}");
        }
    }
}
