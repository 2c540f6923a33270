//! What must be there, kept by somebody who does not die: everything that a job said it would do and has done.

use super::disk::WatchedDisk;
use super::job::{self, Plan};
use super::message::{Message, Phase};
use super::state::{self, JOB};
use futures_executor::block_on;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use stillframe::model::Pointer;
use stillframe::storage::{CheckpointStorage, StorageError};

/// How the name begins that metadata has until it is published. In the directory of a complete checkpoint such a name may be left
/// over, by a process that died right after it had published; it goes with the checkpoint.
const TEMPORARY: &str = "._metadata.";

/// What sort of thing was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Something that was reported complete is not there.
    Lost,
    /// Something is there, and is not what was written.
    Corrupt,
    /// Something is left that nobody needs.
    Orphan,
    /// An id was given out twice, a recovery failed, …
    Wrong,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// What the job has, for certain.
    head: Head,
    /// What it may have instead, since it said so and was not told yet that it is so.
    other: Option<Head>,
    /// Of every checkpoint that may ever have been committed: what is in it, and in which files.
    contents: BTreeMap<u64, (u64, BTreeSet<String>)>,
    /// Of every savepoint that may ever have been published: what is in it.
    savepoints: BTreeMap<u64, u64>,
    /// Where the savepoints are that are complete for certain.
    published: BTreeMap<u64, String>,
    /// The highest id that may be in use.
    highest: u64,
    found: BTreeSet<u64>,
    committed: u64,
    phase: Option<Phase>,
    is_over: bool,
    complaints: Vec<(Kind, String)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Head {
    retained: BTreeSet<u64>,
    has_ended: bool,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Enters what the job said, and compares what it found with what must be there.
    pub(crate) fn hear(&mut self, message: &Message) {
        match message {
            Message::At(phase) => {
                self.phase = Some(*phase);
                self.is_over = false;
            }
            Message::Claimed { retained, next, ended } => {
                self.claimed(Head { retained: retained.clone(), has_ended: *ended }, *next);
            }
            Message::Found { checkpoint, digest } => {
                self.found.insert(*checkpoint);
                let expected = self.contents.get(checkpoint).map(|(digest, _)| *digest);
                if expected != Some(*digest) {
                    self.complain(Kind::Corrupt, format!("checkpoint {checkpoint} is not what was written"));
                }
            }
            Message::Swept => {
                if self.found != self.head.retained {
                    let (found, retained) = (&self.found, &self.head.retained);
                    let complaint = format!("{found:?} could be read, and not all of {retained:?}");
                    self.complain(Kind::Lost, complaint);
                }
            }
            Message::Beginning(id) => self.highest = self.highest.max(*id),
            Message::Committing { checkpoint, dropped, digest, files } => {
                self.contents.insert(*checkpoint, (*digest, files.clone()));
                let mut retained = &self.head.retained - dropped;
                retained.insert(*checkpoint);
                self.other = Some(Head { retained, ..self.head.clone() });
            }
            Message::Committed(_) => {
                self.committed += 1;
                self.confirm();
            }
            Message::Publishing { savepoint, digest } => {
                self.savepoints.insert(*savepoint, *digest);
            }
            Message::Published { savepoint, pointer } => {
                self.published.insert(*savepoint, pointer.clone());
            }
            Message::Concluding { dropped } => {
                self.other = Some(Head { retained: &self.head.retained - dropped, has_ended: true });
            }
            Message::Concluded => self.confirm(),
            Message::Failed(error) => {
                let phase = self.phase;
                let is_recovery = phase.is_none_or(Phase::is_recovery);
                let kind = if is_recovery { Kind::Lost } else { Kind::Wrong };
                self.complain(kind, format!("it failed at {phase:?}: {error}"));
            }
            Message::Over => self.is_over = true,
        }
    }

    fn claimed(&mut self, now: Head, next: u64) {
        self.found.clear();
        let may_be = [Some(&self.head), self.other.as_ref()];
        if !may_be.contains(&Some(&now)) {
            let newest = self.head.retained.last();
            let kind = if now.retained.last() < newest { Kind::Lost } else { Kind::Wrong };
            let Self { head, other, .. } = self;
            let complaint = format!("there is {now:?}; expected {head:?} or {other:?}");
            self.complain(kind, complaint);
        }
        if next <= self.highest {
            self.complain(Kind::Wrong, format!("id {next} is to be used again, after {}", self.highest));
        }
        // What was in doubt is settled now, whichever way: a claim makes it so.
        self.head = now;
        self.other = None;
    }

    fn confirm(&mut self) {
        if let Some(now) = self.other.take() {
            self.head = now;
        }
    }

    /// Compares the files of the job with those that its checkpoints consist of. Right after a sweep, and before anything
    /// else is written.
    pub(crate) fn inspect(&mut self, directory: &Path) {
        let job = job::checkpoints(directory).join(JOB.to_string());
        let found = match walk(&job) {
            Ok(found) => found,
            Err(error) => {
                return self.complain(Kind::Wrong, format!("cannot list {}: {error}", job.display()));
            }
        };
        let mut expected = BTreeSet::from(["_ctl".into(), "_ctl/e".into(), "_ctl/r".into(), "shared".into()]);
        for id in &self.head.retained {
            expected.extend([format!("chk-{id}"), format!("chk-{id}/_metadata")]);
            expected.extend(self.contents.get(id).map(|(_, files)| files.clone()).unwrap_or_default());
        }
        let missing =
            expected.difference(&found).filter(|path| *path != "shared").cloned().collect::<Vec<_>>();
        let orphans =
            found.difference(&expected).filter(|path| !self.is_kept(path)).cloned().collect::<Vec<_>>();
        if !missing.is_empty() {
            self.complain(Kind::Lost, format!("not there: {missing:?}"));
        }
        if !orphans.is_empty() {
            self.complain(Kind::Orphan, format!("left over: {orphans:?}"));
        }
    }

    fn is_kept(&self, path: &str) -> bool {
        let Some((directory, name)) = path.rsplit_once('/') else { return false };
        let is_number = name.len() == 20 && name.bytes().all(|c| c.is_ascii_digit());
        let is_retained = directory
            .strip_prefix("chk-")
            .is_some_and(|id| id.parse().is_ok_and(|id: u64| self.head.retained.contains(&id)));
        (matches!(directory, "_ctl/e" | "_ctl/r") && is_number)
            || (is_retained && name.starts_with(TEMPORARY))
    }

    /// Reads all savepoints, as somebody else would, and removes them: they belong to whoever asked for them. One that was
    /// not completed has no metadata; if it has, it must be whole.
    pub(crate) fn inspect_savepoints(&mut self, directory: &Path) {
        let savepoints = job::savepoints(directory);
        let disk = Arc::new(WatchedDisk::watching_nothing());
        let storage = job::storage(directory, &Plan::draw(0, 0), disk).expect("a storage for reading");
        let read = |pointer: &str| -> Result<(u64, u64), StorageError> {
            let location = block_on(storage.resolve(&Pointer::new(pointer)))?;
            let (id, states) = job::read(&*location)?;
            Ok((id, state::digest_of_all(&states)))
        };
        for (id, pointer) in std::mem::take(&mut self.published) {
            let found = read(&pointer);
            if found.as_ref().ok() != self.savepoints.get(&id).map(|digest| (id, *digest)).as_ref() {
                self.complain(Kind::Lost, format!("savepoint {id} at {pointer}: {found:?}"));
            }
        }
        let left = match fs::read_dir(&savepoints) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            other => {
                other.and_then(Iterator::collect::<io::Result<Vec<_>>>).expect("savepoints can be listed")
            }
        };
        for savepoint in left {
            let path = savepoint.path();
            if path.join("_metadata").exists() {
                let found = read(&path.display().to_string());
                if !found.as_ref().is_ok_and(|(id, digest)| self.savepoints.get(id) == Some(digest)) {
                    self.complain(Kind::Corrupt, format!("savepoint at {}: {found:?}", path.display()));
                }
            }
            fs::remove_dir_all(&path).expect("a person can remove savepoints");
        }
    }

    pub(crate) fn complain(&mut self, kind: Kind, complaint: String) {
        self.complaints.push((kind, complaint));
    }

    /// What was wrong, in words.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.complaints.iter().map(|(kind, complaint)| format!("{kind:?}: {complaint}")).collect()
    }

    /// What was wrong, by kind.
    pub(crate) fn kinds(&self) -> BTreeSet<Kind> {
        self.complaints.iter().map(|(kind, _)| *kind).collect()
    }

    /// How many checkpoints were reported complete.
    pub(crate) fn committed(&self) -> u64 {
        self.committed
    }

    /// What the job is doing, or was doing when it died.
    pub(crate) fn phase(&self) -> Option<Phase> {
        self.phase
    }

    /// Whether the run that was heard last came to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether the job has ended for certain.
    pub(crate) fn has_ended(&self) -> bool {
        self.head.has_ended
    }
}

/// The paths of everything below a directory, as seen from it.
fn walk(directory: &Path) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(current) = pending.pop() {
        for entry in fs::read_dir(&current)? {
            let entry = entry?;
            let path = entry.path();
            let below = path.strip_prefix(directory).map_err(io::Error::other)?;
            found.insert(below.display().to_string());
            if entry.file_type()?.is_dir() {
                pending.push(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Message = Message::Claimed { retained: BTreeSet::new(), next: 1, ended: false };

    fn committing(checkpoint: u64, dropped: &[u64]) -> Message {
        let dropped = dropped.iter().copied().collect();
        Message::Committing { checkpoint, dropped, digest: 70 + checkpoint, files: BTreeSet::new() }
    }

    fn claimed(retained: &[u64], next: u64) -> Message {
        Message::Claimed { retained: retained.iter().copied().collect(), next, ended: false }
    }

    fn found(checkpoint: u64) -> Message {
        Message::Found { checkpoint, digest: 70 + checkpoint }
    }

    /// What is wrong after checkpoint 1 was completed, checkpoint 2 was to be, and then this was said.
    fn kinds(then: &[Message]) -> Vec<Kind> {
        let mut ledger = Ledger::new();
        let before = [
            FIRST,
            Message::Beginning(1),
            committing(1, &[]),
            Message::Committed(1),
            Message::Beginning(2),
            committing(2, &[1]),
        ];
        before.iter().chain(then).for_each(|message| ledger.hear(message));
        ledger.kinds().into_iter().collect()
    }

    #[test]
    fn what_was_in_doubt_may_be_either_way() {
        assert_eq!(kinds(&[claimed(&[1], 3), found(1), Message::Swept]), []);
        assert_eq!(kinds(&[claimed(&[2], 3), found(2), Message::Swept]), []);
        assert_eq!(kinds(&[claimed(&[2], 3), claimed(&[1], 4)]), [Kind::Lost]);
    }

    #[test]
    fn nothing_else_is_right() {
        assert_eq!(kinds(&[claimed(&[], 3)]), [Kind::Lost]);
        assert_eq!(kinds(&[claimed(&[1, 2], 3)]), [Kind::Wrong]);
        assert_eq!(kinds(&[Message::Committed(2), claimed(&[1], 3)]), [Kind::Lost]);
        assert_eq!(kinds(&[claimed(&[1], 2)]), [Kind::Wrong]);
        assert_eq!(kinds(&[claimed(&[1], 3), Message::Swept]), [Kind::Lost]);
        let other = Message::Found { checkpoint: 1, digest: 72 };
        assert_eq!(kinds(&[claimed(&[1], 3), other, Message::Swept]), [Kind::Corrupt]);
        let failed = Message::Failed("corrupt".into());
        assert_eq!(kinds(&[Message::At(Phase::Restore), failed.clone()]), [Kind::Lost]);
        assert_eq!(kinds(&[Message::At(Phase::Write), failed]), [Kind::Wrong]);
    }
}
