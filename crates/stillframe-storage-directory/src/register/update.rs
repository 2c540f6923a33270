//! A change that an owner wants, and the entry that it comes to.

use super::{Entry, Retained, Root, check};
use std::ops::Range;
use stillframe_metadata::FormatError;
use stillframe_model::{CheckpointId, Crc32c, JobId, JobStatus};

/// How many ids a coordinator reserves at a time.
///
/// A new coordinator skips those that the one before it had reserved, so few make for ids that people can follow.
pub(crate) const IDS: u64 = 16;

/// What an owner wants to be so from the next entry on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// All checkpoints that can be restored afterwards. An added one is newer than all that the entry before it names.
    /// If it is this job's own, its id is among those that this coordinator [may use](super::Register::ids).
    pub retained: Vec<Retained>,
    /// What is given up: exactly those that were retained and no longer are, and any of those that the entry before it
    /// gave up and whose files are not known to be gone.
    pub dropped: Vec<Retained>,
    /// How the job ended, if it just did. `None` leaves that as it is.
    pub ended: Option<JobStatus>,
    /// Reserves further ids.
    pub more_ids: bool,
    /// Directories of others that checkpoints may refer to from now on, besides those that they may already.
    pub roots: Vec<Root>,
    /// A snapshot of somebody else behind whose id this job's own go on.
    pub behind: Option<CheckpointId>,
}

impl Update {
    /// What follows from an entry and this update: the entry behind it but for who writes it, and the ids that its
    /// writer may use then.
    pub(super) fn apply(self, head: &Entry, ids: &Range<u64>) -> Result<(Entry, Range<u64>), FormatError> {
        let Self { retained, dropped, ended, more_ids, roots, behind } = self;
        let added: Vec<_> = retained.iter().filter(|one| !holds(&head.retained, one)).collect();
        let ids = widened(ids, &added, behind, more_ids)?;
        let entry = Entry {
            job: head.job,
            sequence: head.sequence.saturating_add(1),
            previous: head.checksum()?,
            epoch: head.epoch,
            token: head.token,
            id_limit: head.id_limit.max(ids.end),
            ended: head.ended.or(ended),
            retained: Vec::new(),
            dropped: Vec::new(),
            roots: united(&head.roots, roots),
        };
        check_end(head, ended, &added)?;
        check_added(head, &ids, &added)?;
        let entry = Entry { retained, dropped, ..entry };
        check::entry(&entry)?;
        check_dropped(head, &entry)?;
        Ok((entry, ids))
    }
}

/// Both, each directory once. What was taken over once stays so.
fn united(known: &[Root], more: Vec<Root>) -> Vec<Root> {
    let mut roots = known.to_vec();
    for root in more {
        match roots.binary_search_by(|known| known.address.cmp(&root.address)) {
            Ok(at) => roots[at].is_owned |= root.is_owned,
            Err(at) => roots.insert(at, root),
        }
    }
    roots
}

/// The entry with which a claim goes on behind the newest one, but for who writes it, and the ids that its writer may use
/// then: some that nobody who came before can have used.
pub(super) fn inherited(job: JobId, tail: Option<&Entry>) -> Result<(Entry, Range<u64>), FormatError> {
    let from = tail.map_or(CheckpointId::FIRST.get(), |tail| tail.id_limit);
    let ids = from..from.saturating_add(IDS);
    let entry = Entry {
        job,
        sequence: tail.map_or(1, |tail| tail.sequence.saturating_add(1)),
        previous: tail.map_or(Ok(Crc32c(0)), Entry::checksum)?,
        epoch: 0,
        token: 0,
        id_limit: ids.end,
        ended: tail.and_then(|tail| tail.ended),
        retained: tail.map(|tail| tail.retained.clone()).unwrap_or_default(),
        dropped: tail.map(|tail| tail.dropped.clone()).unwrap_or_default(),
        roots: tail.map(|tail| tail.roots.clone()).unwrap_or_default(),
    };
    Ok((entry, ids))
}

/// A claimed checkpoint keeps its id, so that this job's own have to go on behind it.
fn widened(
    ids: &Range<u64>,
    added: &[&Retained],
    behind: Option<CheckpointId>,
    more: bool,
) -> Result<Range<u64>, FormatError> {
    let exhausted = || check::invalid("id_limit", "no ids are left behind those in use".into());
    let claimed = added.iter().filter(|one| one.location.is_some()).map(|one| one.checkpoint);
    let claimed = claimed.chain(behind).map(CheckpointId::get).max();
    let mut ids = ids.clone();
    if let Some(claimed) = claimed.filter(|claimed| *claimed >= ids.start) {
        ids.start = claimed.checked_add(1).ok_or_else(exhausted)?;
        ids.end = ids.end.max(ids.start.checked_add(IDS).ok_or_else(exhausted)?);
    }
    if more {
        ids.end = ids.end.checked_add(IDS).ok_or_else(exhausted)?;
    }
    Ok(ids)
}

fn check_end(head: &Entry, ended: Option<JobStatus>, added: &[&Retained]) -> Result<(), FormatError> {
    let Some(before) = head.ended else { return Ok(()) };
    if let Some(ended) = ended.filter(|ended| *ended != before) {
        return Err(check::invalid("ended", format!("the job is {before} already and cannot be {ended}")));
    }
    match added.first() {
        Some(one) => {
            let problem = format!("checkpoint {} cannot be added: the job is {before}", one.checkpoint);
            Err(check::invalid("retained", problem))
        }
        None => Ok(()),
    }
}

fn check_added(head: &Entry, ids: &Range<u64>, added: &[&Retained]) -> Result<(), FormatError> {
    let newest = head.retained.last().max(head.dropped.last()).map(|one| one.checkpoint);
    for one in added {
        let id = one.checkpoint;
        if let Some(newest) = newest.filter(|newest| *newest >= id) {
            let problem = format!("checkpoint {id} cannot be added behind checkpoint {newest}");
            return Err(check::invalid("retained", problem));
        }
        if one.location.is_none() && !ids.contains(&id.get()) {
            let problem = format!("checkpoint {id} is not among this coordinator's ids, {ids:?}");
            return Err(check::invalid("retained", problem));
        }
    }
    Ok(())
}

/// Nothing leaves the register in silence, and nothing is given up that was not there.
fn check_dropped(head: &Entry, entry: &Entry) -> Result<(), FormatError> {
    let is_gone = |one: &&Retained| !holds(&entry.retained, one) && !holds(&entry.dropped, one);
    if let Some(gone) = head.retained.iter().find(is_gone) {
        let problem = format!("checkpoint {} is neither retained nor dropped", gone.checkpoint);
        return Err(check::invalid("retained", problem));
    }
    let is_new = |one: &&Retained| !holds(&head.retained, one) && !holds(&head.dropped, one);
    match entry.dropped.iter().find(is_new) {
        Some(new) => {
            let problem = format!("checkpoint {} was not retained as it is given up", new.checkpoint);
            Err(check::invalid("dropped", problem))
        }
        None => Ok(()),
    }
}

/// Whether a list that is in order has this very checkpoint.
fn holds(list: &[Retained], one: &Retained) -> bool {
    check::find(list, one.checkpoint) == Some(one)
}
