//! What earlier runs left behind: each object is judged by its name and by what the retained checkpoints need.

use crate::completed::METADATA_LIMIT;
use crate::disposal::{self, Rest};
use crate::layout;
use crate::live::{Live, files_of, verify};
use crate::place::Place;
use crate::register::Retained;
use crate::storage::JobDirectory;
use crate::tenure::View;
use std::collections::BTreeSet;
use std::sync::Arc;
use stillframe_metadata as metadata;
use stillframe_model::{CheckpointId, Name};
use stillframe_storage::{BlobEntry, BlobPath, StorageError, Sweep, SweepMode, Swept, Verdict};

/// Judges everything below the job's directory, and removes the orphans if that is the mode.
pub(crate) async fn sweep(directory: &JobDirectory, mode: SweepMode) -> Result<Sweep, StorageError> {
    let (view, live) = Live::of(directory).await?;
    let mut sweeper = Sweeper { directory, view, live, mode, sweep: Sweep::default() };
    let job = layout::job(directory.job);
    let mut entries = directory.blobs.list(&job).await?;
    // Metadata goes before what it refers to, so what is shared goes last.
    entries.sort_unstable_by_key(|entry| entry.name == layout::shared_name().as_str());
    for entry in entries {
        sweeper.top(&job, &entry).await?;
    }
    sweeper.claimed().await?;
    let mut sweep = sweeper.sweep;
    sweep.found.sort_unstable_by(|one, other| one.object.cmp(&other.object));
    Ok(sweep)
}

struct Sweeper<'a> {
    directory: &'a JobDirectory,
    view: View,
    live: Live,
    mode: SweepMode,
    sweep: Sweep,
}

impl Sweeper<'_> {
    /// Snapshots that the job took over and has given up, and that an earlier run did not get to remove. They lie elsewhere,
    /// and only the register knows where.
    async fn claimed(&mut self) -> Result<(), StorageError> {
        for one in self.view.head.dropped.clone() {
            let is_going = self.view.giving_up.iter().any(|going| going.checkpoint == one.checkpoint);
            if one.location.is_none() || is_going {
                continue;
            }
            let place = self.directory.place_of(&one)?;
            if !place.list().await?.is_empty() {
                self.contents(&place, Some(&one)).await?;
            } else if self.mode == SweepMode::Remove {
                self.clear(&place, &self.live.at(&place.address())).await?;
            }
            // As long as others need something there or put it there, the register has to say where that is.
            let is_needed = !self.live.at(&place.address()).is_empty() || self.is_written(&place);
            if self.mode == SweepMode::Remove && !is_needed {
                self.directory.settle_above(&place.address()).await?;
                self.directory.tenure.removed(one.checkpoint).await?;
            }
        }
        Ok(())
    }

    /// Something directly in the job's directory.
    async fn top(&mut self, job: &BlobPath, entry: &BlobEntry) -> Result<(), StorageError> {
        let path = Name::new(entry.name.as_str()).ok().map(|name| job.join(name));
        match path.filter(|_| entry.is_directory) {
            Some(path) if path == layout::register(self.directory.job) => self.register().await?,
            Some(path) if path == layout::shared(self.directory.job) => self.shared(path).await?,
            Some(path) if path == layout::task_owned(self.directory.job) => self.task_owned(path).await?,
            Some(path) => match layout::parse_checkpoint(&entry.name) {
                Some(checkpoint) => self.checkpoint(checkpoint, path).await?,
                None => self.foreign(&self.directory.blobs.locate(job), entry),
            },
            None => self.foreign(&self.directory.blobs.locate(job), entry),
        }
        Ok(())
    }

    async fn register(&mut self) -> Result<(), StorageError> {
        let job = self.directory.job;
        let register = layout::register(job);
        for entry in self.list(&register).await? {
            let path = Name::new(entry.name.as_str()).ok().map(|name| register.join(name));
            let is_ours =
                path.is_some_and(|path| path == layout::markers(job) || path == layout::entries(job));
            if !(is_ours && entry.is_directory) {
                self.foreign(&self.directory.blobs.locate(&register), &entry);
            }
        }
        for entry in self.list(&layout::markers(job)).await? {
            let verdict = match layout::parse_number(&entry.name) {
                Some(_) => Verdict::Register,
                None => Verdict::Foreign,
            };
            self.judge(&self.here(layout::markers(job)), &entry, verdict).await?;
        }
        for entry in self.list(&layout::entries(job)).await? {
            let verdict = match layout::parse_number(&entry.name) {
                Some(_) if entry.is_directory => Verdict::Foreign,
                Some(number) if self.view.garbage.contains(&number) => Verdict::Superseded,
                Some(_) => Verdict::Register,
                None => Verdict::Foreign,
            };
            self.judge(&self.here(layout::entries(job)), &entry, verdict).await?;
        }
        Ok(())
    }

    /// Only what was written for an id of an earlier run can be judged: this run may be writing the others.
    async fn shared(&mut self, path: BlobPath) -> Result<(), StorageError> {
        let needed = self.live.at(&self.directory.blobs.locate(&path));
        for entry in self.list(&path).await? {
            let verdict = match layout::parse_shared_state(&entry.name) {
                _ if is_in(&needed, &entry) => Verdict::Retained,
                Some(_) if entry.is_directory => Verdict::Foreign,
                Some(checkpoint) if checkpoint.get() < self.view.own => Verdict::Unreferenced,
                Some(_) => Verdict::InProgress,
                None => Verdict::Foreign,
            };
            self.judge(&self.here(path.clone()), &entry, verdict).await?;
        }
        Ok(())
    }

    async fn task_owned(&mut self, path: BlobPath) -> Result<(), StorageError> {
        for entry in self.list(&path).await? {
            let is_ours = layout::is_task_owned_state(&entry.name);
            let verdict = if is_ours { Verdict::TaskOwned } else { Verdict::Foreign };
            self.judge(&self.here(path.clone()), &entry, verdict).await?;
        }
        Ok(())
    }

    async fn checkpoint(&mut self, checkpoint: CheckpointId, path: BlobPath) -> Result<(), StorageError> {
        let is_retained = self.view.retained(checkpoint).is_some_and(|one| one.location.is_none());
        let is_going = self.view.giving_up.iter().any(|one| one.checkpoint == checkpoint);
        if is_going || (!is_retained && checkpoint.get() >= self.view.own) {
            self.sweep
                .found
                .push(Swept { object: self.directory.blobs.locate(&path), verdict: Verdict::InProgress });
            return Ok(());
        }
        let place = self.here(path);
        if is_retained { self.retained(&place).await } else { self.contents(&place, None).await }
    }

    /// The directory of a checkpoint that the job retains.
    async fn retained(&mut self, place: &Place) -> Result<(), StorageError> {
        let needed = self.live.at(&place.address());
        for entry in place.list().await? {
            self.judge(place, &entry, verdict_in(&needed, &entry)).await?;
        }
        Ok(())
    }

    /// The directory of a checkpoint that the job does not retain, or has given up where it lay when it was taken over.
    async fn contents(&mut self, place: &Place, given_up: Option<&Retained>) -> Result<(), StorageError> {
        let needed = self.live.at(&place.address());
        let mut stays = false;
        // Metadata goes before the state that it refers to, so that an interruption leaves nothing that looks complete. It
        // may have gone already, at the hands of somebody who was interrupted before that was durable.
        let entries = place.list().await?;
        let (metadata, rest): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| entry.name == layout::METADATA && !entry.is_directory);
        let mut alone = BTreeSet::new();
        for entry in metadata {
            let is_needed = is_in(&needed, entry);
            if let Some(one) = given_up.filter(|_| !is_needed) {
                alone = self.only_of(place, one).await;
            }
            let verdict = if is_needed { Verdict::Retained } else { Verdict::Unreferenced };
            stays |= is_needed;
            self.judge(place, entry, verdict).await?;
        }
        if self.mode == SweepMode::Remove {
            disposal::settle(place).await?;
        }
        for (address, name) in alone {
            let blobs = self.directory.store_at(&address)?;
            let entry = BlobEntry { name: name.as_str().to_owned(), is_directory: false };
            let place = Place { blobs, directory: BlobPath::root() };
            self.judge(&place, &entry, Verdict::Unreferenced).await?;
        }
        for entry in rest {
            let verdict = verdict_in(&needed, entry);
            stays |= !verdict.is_orphan();
            self.judge(place, entry, verdict).await?;
        }
        if !stays && (self.mode == SweepMode::DryRun || self.clear(place, &needed).await?) {
            self.sweep.found.push(Swept { object: place.address(), verdict: Verdict::Unreferenced });
        }
        Ok(())
    }

    /// Whether others put more into a directory than could be followed.
    fn is_written(&self, place: &Place) -> bool {
        let address = place.address();
        let is_it = |swept: &Swept| swept.object == address && swept.verdict == Verdict::InProgress;
        self.sweep.found.iter().any(is_it)
    }

    /// Removes a directory from which everything went that was there when it was looked at. `false`, and the reason is in the
    /// account, if others put more into it than can be followed: the next sweep goes on with that.
    async fn clear(&mut self, place: &Place, needed: &BTreeSet<Name>) -> Result<bool, StorageError> {
        let Some(Rest { entries, error }) = disposal::clear(place, needed).await? else { return Ok(true) };
        if entries.is_empty() {
            return Err(error);
        }
        let (foreign, written): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| !disposal::is_ours(entry));
        for entry in foreign {
            self.foreign(&place.address(), entry);
        }
        if !written.is_empty() {
            self.sweep.found.push(Swept { object: place.address(), verdict: Verdict::InProgress });
        }
        Ok(false)
    }

    /// What a claimed snapshot that goes refers to outside of its directory, and nobody else does. No sweep goes through the
    /// directories of others: the snapshot's own metadata alone knows which of the files there were this job's.
    async fn only_of(&self, place: &Place, one: &Retained) -> BTreeSet<(String, Name)> {
        let (address, shared) = (place.address(), self.directory.shared_of(None));
        // What cannot be read, or is not what was claimed, says nothing. The files that it may have meant stay.
        let read = place.blobs.read(&place.metadata(), METADATA_LIMIT).await;
        let read = read.and_then(|bytes| verify(one, bytes, &address)).ok();
        let Some(content) = read.and_then(|bytes| metadata::decode(&bytes).ok()) else {
            return BTreeSet::new();
        };
        let mut files = files_of(self.directory, one.location.as_deref(), &address, &content);
        files.retain(|(at, name)| {
            let is_ours = layout::parse_state(name.as_str()).is_some()
                || layout::parse_shared_state(name.as_str()).is_some();
            let is_swept_anyway = *at == address || *at == shared;
            is_ours && !is_swept_anyway && self.view.owns(at) && !self.live.at(at).contains(name)
        });
        files
    }

    /// A directory of the job's own store.
    fn here(&self, directory: BlobPath) -> Place {
        Place { blobs: Arc::clone(&self.directory.blobs), directory }
    }

    /// Something in the directory at this address that is none of ours.
    fn foreign(&mut self, parent: &str, entry: &BlobEntry) {
        let object = format!("{parent}/{}", entry.name);
        self.sweep.found.push(Swept { object, verdict: Verdict::Foreign });
    }

    async fn judge(
        &mut self,
        place: &Place,
        entry: &BlobEntry,
        verdict: Verdict,
    ) -> Result<(), StorageError> {
        if verdict.is_orphan()
            && self.mode == SweepMode::Remove
            && let Ok(name) = Name::new(entry.name.as_str())
        {
            place.blobs.delete(&place.join(name)).await?;
        }
        let object = format!("{}/{}", place.address(), entry.name);
        self.sweep.found.push(Swept { object, verdict });
        Ok(())
    }

    async fn list(&self, path: &BlobPath) -> Result<Vec<BlobEntry>, StorageError> {
        self.directory.blobs.list(path).await
    }
}

/// What is to be said of something in a checkpoint's directory, whoever needs which of its files.
fn verdict_in(needed: &BTreeSet<Name>, entry: &BlobEntry) -> Verdict {
    match layout::parse_state(&entry.name) {
        _ if is_in(needed, entry) => Verdict::Retained,
        Some(_) if !entry.is_directory => Verdict::Unreferenced,
        _ => Verdict::Foreign,
    }
}

fn is_in(needed: &BTreeSet<Name>, entry: &BlobEntry) -> bool {
    !entry.is_directory && Name::new(entry.name.as_str()).is_ok_and(|name| needed.contains(&name))
}
