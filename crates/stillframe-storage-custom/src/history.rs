//! What a coordinator's view has done so far, and what follows from it for the next call. No I/O.

use crate::Rule;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use stillframe_model::{CheckpointId, JobStatus};
use stillframe_storage::{Claim, ErrorKind, StorageError};

/// Of so many checkpoints it is known what became of them. A job has few at a time.
const REMEMBERED: usize = 4096;

/// A rule that was broken, and what was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) rule: Rule,
    pub(crate) found: String,
}

pub(crate) fn breach(rule: Rule, found: impl Into<String>) -> Breach {
    Breach { rule, found: found.into() }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Begun,
    Discarded,
    /// A call that would make it exist or cease to ended so that nobody knows.
    Unknown,
    Committed,
    /// A savepoint, which belongs to whoever asked for it.
    Published,
    Dropped,
}

/// What a call has announced, to be told how it went.
#[must_use]
#[derive(Debug)]
pub(crate) struct Announced {
    checkpoint: Option<CheckpointId>,
    dropped: Vec<CheckpointId>,
    was_fenced: bool,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    checkpoints: BTreeMap<CheckpointId, Progress>,
    /// The highest id of which nothing is known any more.
    forgotten: Option<CheckpointId>,
    removed: BTreeSet<CheckpointId>,
    /// How many calls are under way that would make it exist or cease to. Any number of them can be at once, and what
    /// one of them comes to is known before the others have ended.
    under_way: BTreeMap<CheckpointId, usize>,
    highest: Option<CheckpointId>,
    next: Option<CheckpointId>,
    is_fenced: bool,
    ended: Option<JobStatus>,
}

impl History {
    /// A claim succeeded.
    pub(crate) fn claimed(&mut self, claim: &Claim) -> Result<(), Breach> {
        let Claim { retained, taken: _, next, ended, left: _ } = claim;
        if core::mem::take(&mut self.is_fenced) {
            // Somebody else held the job meanwhile; what we committed may be gone by right.
            self.checkpoints.values_mut().for_each(|progress| *progress = Progress::Unknown);
            self.ended = None;
        }
        if let Some([a, b]) = retained.array_windows().find(|[a, b]| a >= b) {
            return Err(breach(Rule::RetainedAscends, format!("{a} stands before {b}")));
        }
        if let Some(seen) = self.highest.max(retained.last().copied()).filter(|seen| seen >= next) {
            return Err(breach(Rule::ClaimGoesForward, format!("next is {next}, {seen} was used")));
        }
        if let Some(earlier) = self.next.filter(|earlier| earlier > next) {
            return Err(breach(Rule::ClaimGoesForward, format!("next is {next}, it was {earlier}")));
        }
        if self.ended.is_some() && self.ended != *ended {
            let said = format!("the job ended as {:?}, the claim says {ended:?}", self.ended);
            return Err(breach(Rule::EndsOnce, said));
        }
        for (id, progress) in &self.checkpoints {
            let is_retained = retained.binary_search(id).is_ok();
            match (progress, is_retained) {
                _ if self.under_way.contains_key(id) => {}
                (Progress::Unknown, _) | (Progress::Committed, true) => {}
                (Progress::Committed, false) => {
                    let found = format!("checkpoint {id} was committed and is not retained");
                    return Err(breach(Rule::RetainedIsCommitted, found));
                }
                (_, false) => {}
                (progress, true) => {
                    let found = format!("checkpoint {id} is retained, and here it was {progress:?}");
                    return Err(breach(Rule::RetainedIsCommitted, found));
                }
            }
        }
        self.next = Some(*next);
        self.ended = *ended;
        for id in retained {
            self.set(*id, Progress::Committed);
        }
        Ok(())
    }

    /// A snapshot of another job was adopted under this id.
    pub(crate) fn adopted(
        &mut self,
        checkpoint: CheckpointId,
        is_taken: bool,
        claim: &Claim,
    ) -> Result<(), Breach> {
        self.claimed(claim)?;
        if claim.next <= checkpoint {
            let found = format!("next is {}, {checkpoint} was adopted", claim.next);
            return Err(breach(Rule::ClaimGoesForward, found));
        }
        self.highest = self.highest.max(Some(checkpoint));
        if is_taken && !claim.retained.contains(&checkpoint) {
            let found = format!("checkpoint {checkpoint} was taken over and is not retained");
            return Err(breach(Rule::RetainedIsCommitted, found));
        }
        Ok(())
    }

    /// The place for a checkpoint or savepoint was made.
    pub(crate) fn begun(&mut self, checkpoint: CheckpointId) -> Result<(), Breach> {
        if let Some(progress) = self.checkpoints.get(&checkpoint) {
            return Err(breach(Rule::BegunOnce, format!("it was {progress:?} before")));
        }
        self.set(checkpoint, Progress::Begun);
        Ok(())
    }

    /// A commit or publication is about to be called.
    pub(crate) fn committing(
        &mut self,
        checkpoint: CheckpointId,
        dropped: &[CheckpointId],
    ) -> Result<Announced, Breach> {
        match self.checkpoints.get(&checkpoint) {
            Some(Progress::Discarded) => Err(breach(Rule::BeginBeforeCommit, "it was discarded")),
            None if self.forgotten < Some(checkpoint) => {
                Err(breach(Rule::BeginBeforeCommit, "it was never begun in this run"))
            }
            Some(_) | None => Ok(self.announce(Some(checkpoint), dropped)),
        }
    }

    /// The end of the job is about to be written down.
    pub(crate) fn concluding(&mut self, dropped: &[CheckpointId]) -> Announced {
        self.announce(None, dropped)
    }

    fn announce(&mut self, checkpoint: Option<CheckpointId>, dropped: &[CheckpointId]) -> Announced {
        let may_exist = |id: &&CheckpointId| {
            let progress = self.checkpoints.get(id);
            matches!(progress, Some(Progress::Committed | Progress::Unknown))
                || self.under_way.contains_key(id)
        };
        let dropped = dropped.iter().filter(may_exist).copied().collect::<Vec<_>>();
        for id in dropped.iter().chain(&checkpoint) {
            *self.under_way.entry(*id).or_default() += 1;
        }
        Announced { checkpoint, dropped, was_fenced: self.is_fenced }
    }

    /// The call that was announced came back.
    pub(crate) fn settled(
        &mut self,
        announced: Announced,
        is_savepoint: bool,
        result: Result<(), &StorageError>,
    ) -> Result<(), Breach> {
        let Announced { checkpoint, dropped, was_fenced } = announced;
        for id in dropped.iter().chain(&checkpoint) {
            if let Entry::Occupied(mut calls) = self.under_way.entry(*id) {
                *calls.get_mut() -= 1;
                if *calls.get() == 0 {
                    calls.remove();
                }
            }
        }
        let Err(error) = result else {
            return self.succeeded(checkpoint, &dropped, is_savepoint, was_fenced);
        };
        if matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Fenced) {
            // What another call has settled meanwhile is not in doubt because of this one.
            self.doubt(&dropped, Progress::Committed);
            self.doubt(checkpoint.as_slice(), Progress::Begun);
        }
        Ok(())
    }

    fn succeeded(
        &mut self,
        checkpoint: Option<CheckpointId>,
        dropped: &[CheckpointId],
        is_savepoint: bool,
        was_fenced: bool,
    ) -> Result<(), Breach> {
        if was_fenced {
            return Err(breach(Rule::FencedIsFinal, "success, after an earlier call was fenced"));
        }
        for id in dropped {
            self.set(*id, Progress::Dropped);
        }
        let Some(id) = checkpoint else { return Ok(()) };
        let before = self.checkpoints.get(&id).copied();
        self.set(id, if is_savepoint { Progress::Published } else { Progress::Committed });
        match before {
            Some(before @ (Progress::Committed | Progress::Published | Progress::Dropped)) => {
                Err(breach(Rule::CommittedOnce, format!("success again; it was {before:?}")))
            }
            Some(Progress::Begun | Progress::Unknown | Progress::Discarded) | None => Ok(()),
        }
    }

    /// Nobody knows what became of those of which that was the last that was known.
    fn doubt(&mut self, checkpoints: &[CheckpointId], last: Progress) {
        for id in checkpoints {
            if self.checkpoints.get(id) == Some(&last) {
                self.set(*id, Progress::Unknown);
            }
        }
    }

    /// A call came back with `Fenced`.
    pub(crate) fn fenced(&mut self) {
        self.is_fenced = true;
    }

    /// The end of the job was written down.
    pub(crate) fn concluded(&mut self, status: JobStatus) -> Result<(), Breach> {
        // A suspended job has not ended.
        if status == JobStatus::Suspended {
            return Ok(());
        }
        match self.ended.replace(status).filter(|ended| *ended != status) {
            Some(ended) => Err(breach(Rule::EndsOnce, format!("success, after the job ended as {ended:?}"))),
            None => Ok(()),
        }
    }

    /// Whether this end was written down before.
    pub(crate) fn has_ended_as(&self, status: JobStatus) -> bool {
        self.ended == Some(status)
    }

    /// A checkpoint that is not complete is about to be removed.
    pub(crate) fn discarding(&self, checkpoint: CheckpointId) -> Result<(), Breach> {
        match self.checkpoints.get(&checkpoint) {
            Some(Progress::Begun) if self.under_way.contains_key(&checkpoint) => {
                Err(breach(Rule::CompletedIsKept, "it is being committed"))
            }
            Some(progress @ (Progress::Committed | Progress::Published | Progress::Unknown)) => {
                Err(breach(Rule::CompletedIsKept, format!("it is {progress:?}")))
            }
            Some(Progress::Begun | Progress::Discarded | Progress::Dropped) | None => Ok(()),
        }
    }

    /// A checkpoint that was dropped is about to be removed.
    pub(crate) fn removing(&self, checkpoint: CheckpointId) -> Result<(), Breach> {
        self.discarding(checkpoint)
    }

    pub(crate) fn discarded(&mut self, checkpoint: CheckpointId) {
        if self.checkpoints.get(&checkpoint) == Some(&Progress::Begun) {
            self.set(checkpoint, Progress::Discarded);
        }
        self.removed(checkpoint);
    }

    pub(crate) fn removed(&mut self, checkpoint: CheckpointId) {
        self.removed.insert(checkpoint);
        if self.removed.len() > REMEMBERED {
            self.removed.pop_first();
        }
    }

    /// A removal failed.
    pub(crate) fn failed_to_remove(
        &self,
        checkpoint: CheckpointId,
        error: &StorageError,
    ) -> Result<(), Breach> {
        if error.kind() == ErrorKind::NotFound && self.removed.contains(&checkpoint) {
            return Err(breach(Rule::RemovalIsRepeatable, "not found, when it was repeated"));
        }
        Ok(())
    }

    fn set(&mut self, checkpoint: CheckpointId, progress: Progress) {
        self.highest = self.highest.max(Some(checkpoint));
        if self.forgotten >= Some(checkpoint) {
            return;
        }
        self.checkpoints.insert(checkpoint, progress);
        if self.checkpoints.len() > REMEMBERED {
            self.forgotten = self.checkpoints.pop_first().map(|(id, _)| id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: CheckpointId = CheckpointId::new(1);
    const TWO: CheckpointId = CheckpointId::new(2);

    fn claim(retained: &[CheckpointId]) -> Claim {
        let next = CheckpointId::new(9);
        Claim { retained: retained.to_vec(), taken: Default::default(), next, ended: None, left: vec![] }
    }

    fn error(kind: ErrorKind) -> StorageError {
        StorageError::new(kind, "commit", "checkpoint 2")
    }

    /// A checkpoint that exists, and two commits of the next one that run at the same time and drop it.
    fn two_at_once() -> (History, [Announced; 2]) {
        let mut history = History::default();
        history.claimed(&claim(&[ONE])).unwrap();
        history.begun(TWO).unwrap();
        let announced = [(); 2].map(|()| history.committing(TWO, &[ONE]).unwrap());
        (history, announced)
    }

    #[test]
    fn who_lost_a_race_does_not_undo_what_the_winner_did() {
        for first_wins in [true, false] {
            for winner_ends_first in [true, false] {
                let (mut history, [first, second]) = two_at_once();
                let (winner, loser) = if first_wins { (first, second) } else { (second, first) };
                let lost = error(ErrorKind::AlreadyExists);
                let mut loser = Some(loser);
                if !winner_ends_first {
                    history.settled(loser.take().unwrap(), false, Err(&lost)).unwrap();
                }
                history.settled(winner, false, Ok(())).unwrap();
                if let Some(loser) = loser {
                    history.settled(loser, false, Err(&lost)).unwrap();
                }
                let context = format!("the first wins: {first_wins}, ends first: {winner_ends_first}");
                history.claimed(&claim(&[TWO])).unwrap_or_else(|breach| panic!("{context}: {breach:?}"));
                assert_eq!(history.discarding(TWO).unwrap_err().rule, Rule::CompletedIsKept, "{context}");
            }
        }
    }

    #[test]
    fn a_failure_that_is_known_settles_no_other_call() {
        for (first_is_known, known_ends_first) in [(true, true), (true, false), (false, true), (false, false)]
        {
            let (mut history, [first, second]) = two_at_once();
            let (known, unknown) = if first_is_known { (first, second) } else { (second, first) };
            let mut known = Some(known);
            let full = error(ErrorKind::NoSpace);
            if known_ends_first {
                history.settled(known.take().unwrap(), false, Err(&full)).unwrap();
            }
            history.settled(unknown, false, Err(&error(ErrorKind::OutcomeUnknown))).unwrap();
            if let Some(known) = known {
                history.settled(known, false, Err(&full)).unwrap();
            }
            let context = format!("the first is known: {first_is_known}, ends first: {known_ends_first}");
            for checkpoint in [ONE, TWO] {
                assert_eq!(
                    history.discarding(checkpoint).unwrap_err().rule,
                    Rule::CompletedIsKept,
                    "{context}"
                );
            }
            // Whichever it was.
            history.claimed(&claim(&[TWO])).unwrap_or_else(|breach| panic!("{context}: {breach:?}"));
        }
    }

    proptest! {
        /// However many commits of one checkpoint overlap, and in whichever order they begin and end.
        #[test]
        fn of_any_number_that_commit_at_once_one_wins_or_none(
            turns in proptest::collection::vec(0_usize..6, 12..40),
            winner in proptest::option::of(0_usize..6),
        ) {
            let mut history = History::default();
            history.claimed(&claim(&[ONE])).unwrap();
            history.begun(TWO).unwrap();
            let mut calls = [const { None::<Announced> }; 6];
            let (mut ended, mut is_complete) = ([false; 6], false);
            // Everybody has a turn to begin and one to end.
            for which in turns.into_iter().chain((0..6).flat_map(|which| [which, which])) {
                match calls[which].take() {
                    None if ended[which] => continue,
                    None => calls[which] = Some(history.committing(TWO, &[ONE]).unwrap()),
                    Some(announced) => {
                        let lost = error(ErrorKind::AlreadyExists);
                        let result = if winner == Some(which) { Ok(()) } else { Err(&lost) };
                        history.settled(announced, false, result).unwrap();
                        ended[which] = true;
                        is_complete |= winner == Some(which);
                    }
                }
                let is_under_way = calls.iter().any(Option::is_some);
                prop_assert_eq!(history.discarding(TWO).is_err(), is_complete || is_under_way);
                prop_assert_eq!(history.removing(ONE).is_err(), !is_complete);
            }
            let retained = if is_complete { TWO } else { ONE };
            prop_assert_eq!(history.claimed(&claim(&[retained])), Ok(()));
        }
    }
}
