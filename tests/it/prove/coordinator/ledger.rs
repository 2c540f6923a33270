//! What must hold, written down by an observer of events and effects who does not look into the machine. The numbers C1 to
//! C12 are those of the invariants in `docs/architecture.md`.

use super::coverage::Seen;
use super::world::{Around, TASKS, TIMEOUT};
use std::collections::{BTreeMap, BTreeSet};
use stillframe::coordinator::{Effect, Report};
use stillframe::model::{FailureReason, JobStatus};

/// What was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Wrong {
    /// C1
    TooManyAtOnce,
    /// C2
    TooEarly,
    /// C3
    IdsDoNotRise,
    /// C4
    EndedTwice,
    /// C4
    NeverEnded,
    /// C4
    OutlivesItsTimeout,
    /// C4
    LevelsOutOfOrder,
    /// C5
    NotSubsumed,
    /// C5
    CompletedOutOfOrder,
    /// C6
    NotifiedTooEarly,
    /// C6
    NotifiedOfASavepoint,
    /// C6
    NotifiedTwice,
    /// C6
    NotAllNotified,
    /// C6
    AbortedWhatExists,
    /// C7
    PublishedTooEarly,
    /// C7
    TriggeredTooEarly,
    /// C8
    FailsWithoutReason,
    /// C8
    DoesNotFail,
    /// C9
    TooManyAreRetained,
    /// C9
    DropsTheWrongOnes,
    /// I2
    RemovedBeforeItWasDropped,
    /// I3
    NewestIsNotRestored,
    /// C10
    ActsAfterItsEnd,
    /// C11
    NotDeterministic,
    /// C12
    LateMessageCounts,
    RequestResolvedTwice,
    RequestNotResolved,
    RequestFalselyGranted,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Live {
    is_savepoint: bool,
    is_synchronous: bool,
    expires: u64,
    acknowledged: [bool; TASKS.len()],
    is_publishing: bool,
    level: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ledger {
    pub(super) wrong: Option<Wrong>,
    /// The highest id that was triggered.
    pub(super) newest: u64,
    /// What exists, whoever knows of it.
    pub(super) durable: BTreeSet<u64>,
    pub(super) located: BTreeSet<u64>,
    /// The requests that nobody has answered, and whether the job is to stop.
    pub(super) asked: BTreeMap<u64, bool>,
    live: BTreeMap<u64, Live>,
    completed: u64,
    completed_at: Option<u64>,
    /// Completed checkpoints that the machine is to retain.
    kept: BTreeSet<u64>,
    notified: [u64; TASKS.len()],
    committed: [u64; TASKS.len()],
    /// What this step has to lead to.
    due: Due,
    failures: BTreeSet<u64>,
    success: u64,
    ends: Option<JobStatus>,
    is_fenced: bool,
    was_done: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Due {
    notifications: Option<u64>,
    subsumption_below: Option<u64>,
    failure: bool,
}

impl Ledger {
    pub(super) fn must(&mut self, holds: bool, wrong: Wrong) {
        if !holds && self.wrong.is_none() {
            self.wrong = Some(wrong);
        }
    }

    pub(super) fn is_live(&self, checkpoint: u64) -> bool {
        self.live.contains_key(&checkpoint)
    }

    pub(super) fn expires_at(&self, now: u64) -> bool {
        self.live.values().any(|live| live.expires <= now)
    }

    /// The machine was told the time and has done what it wanted.
    pub(super) fn looked_at_the_clock(&mut self, now: u64) {
        let outlives = self.live.values().any(|live| !live.is_publishing && live.expires <= now);
        self.must(!outlives, Wrong::OutlivesItsTimeout);
    }

    pub(super) fn acknowledges(&mut self, checkpoint: u64, is_current: bool, task: usize) {
        if let Some(live) = self.live.get_mut(&checkpoint).filter(|_| is_current) {
            live.acknowledged[task] = true;
        }
    }

    /// Whose acknowledgement is missing, if that of `task` is not.
    pub(super) fn somebody_else(&self, checkpoint: u64, task: usize) -> usize {
        let Some(live) = self.live.get(&checkpoint).filter(|live| live.acknowledged[task]) else {
            return task;
        };
        live.acknowledged.iter().position(|acknowledged| !acknowledged).unwrap_or(task)
    }

    pub(super) fn commits(&mut self, checkpoint: u64, is_current: bool, task: usize) {
        if is_current {
            self.committed[task] = self.committed[task].max(checkpoint);
        }
    }

    pub(super) fn ends(&mut self, status: JobStatus) {
        self.ends = Some(status);
    }

    pub(super) fn restarted(&mut self) {
        *self = Self {
            wrong: self.wrong,
            newest: self.newest,
            durable: std::mem::take(&mut self.durable),
            located: std::mem::take(&mut self.located),
            completed: self.completed,
            ..Self::default()
        };
    }

    pub(super) fn goes_on_from(&mut self, latest: Option<u64>, retained: &BTreeSet<u64>) {
        self.must(latest == retained.last().copied(), Wrong::NewestIsNotRestored);
        self.kept.clone_from(retained);
    }

    pub(super) fn see(&mut self, around: &Around<'_>, now: u64, effect: &Effect) {
        let passive = matches!(effect, Effect::Ignored(_) | Effect::Resolve { outcome: Err(_), .. });
        self.must(!(self.is_fenced || self.was_done) || passive, Wrong::ActsAfterItsEnd);
        match effect {
            Effect::Report(report) => self.hear(around, now, report),
            Effect::Trigger { barrier, .. } => {
                let is_located = self.located.contains(&barrier.checkpoint.get());
                self.must(is_located, Wrong::TriggeredTooEarly);
            }
            Effect::Publish { metadata, dropped, .. } => {
                let number = metadata.checkpoint.get();
                let is_ready = match self.live.get_mut(&number) {
                    Some(live) => {
                        live.is_publishing = true;
                        live.acknowledged == [true; TASKS.len()]
                    }
                    None => false,
                };
                self.must(is_ready, Wrong::PublishedTooEarly);
                let dropped: Vec<_> = dropped.iter().map(|checkpoint| checkpoint.get()).collect();
                let expected = self.too_many_with(number, around.settings.retained as usize);
                let expected = if metadata.kind.is_savepoint() { vec![] } else { expected };
                self.must(dropped == expected, Wrong::DropsTheWrongOnes);
            }
            Effect::NotifyComplete { task, checkpoint } => {
                let number = checkpoint.get();
                self.must(self.ends.is_none(), Wrong::ActsAfterItsEnd);
                self.must(self.durable.contains(&number), Wrong::NotifiedTooEarly);
                self.must(self.due.notifications == Some(number), Wrong::NotifiedOfASavepoint);
                if let Some(place) = TASKS.iter().position(|known| known == task) {
                    self.must(self.notified[place] < number, Wrong::NotifiedTwice);
                    self.notified[place] = number;
                }
            }
            Effect::NotifyAborted { checkpoint, latest_complete, .. } => {
                self.must(!self.durable.contains(&checkpoint.get()), Wrong::AbortedWhatExists);
                let exists = latest_complete.is_none_or(|latest| self.durable.contains(&latest.get()));
                self.must(exists, Wrong::NotifiedTooEarly);
            }
            Effect::Resolve { request, outcome } => {
                let Some(is_stop) = self.asked.remove(&request.get()) else {
                    return self.must(false, Wrong::RequestResolvedTwice);
                };
                if let Ok(outcome) = outcome {
                    let is_there = self.durable.contains(&outcome.checkpoint.get());
                    let has_stopped = !is_stop || self.ends == Some(JobStatus::Finished);
                    self.must(is_there && has_stopped, Wrong::RequestFalselyGranted);
                    around.coverage.saw_if(is_stop, Seen::Stopped);
                }
            }
            Effect::FailJob { reason: FailureReason::OutcomeUnknown, .. } => self.is_fenced = true,
            Effect::FailJob { .. } => {
                let is_due = std::mem::take(&mut self.due.failure);
                self.must(is_due, Wrong::FailsWithoutReason);
            }
            _ => {}
        }
    }

    fn hear(&mut self, around: &Around<'_>, now: u64, report: &Report) {
        match report {
            Report::Triggered { checkpoint, kind, request, .. } => {
                let number = checkpoint.get();
                self.must(self.ends.is_none(), Wrong::ActsAfterItsEnd);
                self.must(number > self.newest, Wrong::IdsDoNotRise);
                self.newest = self.newest.max(number);
                let has_room = self.live.len() < around.settings.max_concurrent as usize;
                self.must(kind.is_savepoint() || has_room, Wrong::TooManyAtOnce);
                let rested = self.completed_at.is_none_or(|at| at + around.settings.min_pause <= now);
                self.must(request.is_some() || rested, Wrong::TooEarly);
                let live = Live {
                    is_savepoint: kind.is_savepoint(),
                    is_synchronous: kind.is_synchronous(),
                    expires: now + TIMEOUT,
                    acknowledged: [false; TASKS.len()],
                    is_publishing: false,
                    level: 0,
                };
                self.live.insert(number, live);
            }
            Report::Captured { checkpoint } => self.reaches(checkpoint.get(), 1),
            Report::Durable { checkpoint } => self.reaches(checkpoint.get(), 2),
            Report::Completed(completed) => {
                let number = completed.checkpoint.get();
                self.must(self.durable.contains(&number), Wrong::NotifiedTooEarly);
                let Some(live) = self.live.remove(&number) else {
                    return self.must(false, Wrong::EndedTwice);
                };
                self.must(live.level == 2, Wrong::LevelsOutOfOrder);
                self.completed_at = Some(now);
                if number > self.success {
                    self.success = number;
                    self.failures.clear();
                }
                around.coverage.saw(if live.is_savepoint {
                    Seen::SavepointCompleted
                } else {
                    Seen::Completed
                });
                if !live.is_savepoint {
                    self.must(number > self.completed, Wrong::CompletedOutOfOrder);
                    self.completed = number;
                    for dropped in self.too_many_with(number, around.settings.retained as usize) {
                        self.kept.remove(&dropped);
                    }
                    self.kept.insert(number);
                }
                if !live.is_savepoint || live.is_synchronous {
                    self.due.subsumption_below = Some(number);
                    self.due.notifications = Some(number);
                }
            }
            Report::Aborted(aborted) => {
                let number = aborted.checkpoint.get();
                self.must(!self.durable.contains(&number), Wrong::AbortedWhatExists);
                let Some(live) = self.live.remove(&number) else {
                    return self.must(false, Wrong::EndedTwice);
                };
                around.coverage.saw(match aborted.reason {
                    FailureReason::CheckpointSubsumed => Seen::Subsumed,
                    FailureReason::CheckpointExpired => Seen::Expired,
                    FailureReason::CheckpointDeclined => Seen::Declined,
                    FailureReason::IoException => Seen::NotLocated,
                    FailureReason::FinalizeCheckpointFailure => Seen::NotPublished,
                    _ => Seen::Suspended,
                });
                let goes_on = self.ends.is_none();
                around
                    .coverage
                    .saw_if(live.is_synchronous && goes_on && aborted.by.is_none(), Seen::StopFailed);
                if !goes_on {
                    return;
                }
                // The table of Flink's failure manager.
                let is_fault_of_task =
                    aborted.by.is_some() && aborted.reason == FailureReason::CheckpointDeclined;
                if live.is_synchronous && is_fault_of_task {
                    self.due.failure = true;
                } else if (!live.is_savepoint || is_fault_of_task)
                    && aborted.reason.counts_toward_tolerance()
                    && number > self.success
                {
                    self.failures.insert(number);
                    if self.failures.len() > around.settings.tolerable as usize {
                        self.failures.clear();
                        self.due.failure = true;
                    }
                }
            }
            Report::Committed { checkpoint } => {
                let number = checkpoint.get();
                let all = self.committed.iter().all(|committed| *committed >= number);
                self.must(all && self.durable.contains(&number), Wrong::LevelsOutOfOrder);
                around.coverage.saw(Seen::Committed);
            }
            Report::Skipped { reason: FailureReason::MinimumTimeBetweenCheckpoints } => {
                around.coverage.saw(Seen::Postponed);
            }
            Report::Skipped { .. } | Report::Refused { .. } | Report::Subsumed { .. } => {}
        }
    }

    fn reaches(&mut self, checkpoint: u64, level: u8) {
        let is_next = match self.live.get_mut(&checkpoint) {
            Some(live) => {
                let is_next = live.level + 1 == level;
                live.level = level;
                is_next
            }
            None => false,
        };
        self.must(is_next, Wrong::LevelsOutOfOrder);
    }

    /// The oldest of those that are kept, as many as are too many with another one.
    fn too_many_with(&self, checkpoint: u64, most: usize) -> Vec<u64> {
        let others = self.kept.iter().copied().filter(|kept| *kept != checkpoint);
        let others: Vec<_> = others.collect();
        let too_many = (others.len() + 1).saturating_sub(most);
        others.into_iter().take(too_many).collect()
    }

    /// What a step has to lead to, it has led to.
    pub(super) fn after_step(&mut self, _: &Around<'_>, is_done: bool) {
        let due = std::mem::take(&mut self.due);
        if let Some(number) = due.notifications.filter(|_| self.ends.is_none()) {
            self.must(self.notified == [number; TASKS.len()], Wrong::NotAllNotified);
        }
        if let Some(below) = due.subsumption_below {
            let left = self.live.range(..below).any(|(_, live)| !live.is_savepoint && !live.is_publishing);
            self.must(!left, Wrong::NotSubsumed);
        }
        self.must(!due.failure, Wrong::DoesNotFail);
        if is_done {
            self.must(self.asked.is_empty(), Wrong::RequestNotResolved);
            // Of one with an unknown outcome nobody can say how it ended.
            self.must(self.is_fenced || self.live.is_empty(), Wrong::NeverEnded);
        }
        self.was_done |= is_done;
    }
}
