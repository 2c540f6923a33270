//! What must be on record and what must exist, kept beside a coordinator.

use super::*;

/// A checkpoint in progress.
pub(super) struct Begun {
    pub(super) kind: CheckpointKind,
    pub(super) located: bool,
    /// Every file of every checkpoint that was retained at some time since it began.
    pub(super) available: Files,
    pub(super) written: Files,
    pub(super) acknowledged: BTreeSet<TaskId>,
}

pub(super) struct Model {
    pub(super) mode: Option<RecoveryClaimMode>,
    pub(super) config: CheckpointConfig,
    pub(super) coordinator: Coordinator,
    pub(super) attempt: u32,
    pub(super) now: Duration,
    pub(super) open: Vec<Effect>,
    /// What is on record, with the files that each refers to.
    pub(super) committed: BTreeMap<u64, Files>,
    pub(super) exists: Files,
    pub(super) begun: BTreeMap<u64, Begun>,
    pub(super) newest: u64,
    pub(super) refused: BTreeSet<u64>,
    /// What each task may rely on, as far as it knows.
    pub(super) bases: BTreeMap<TaskId, Files>,
    pub(super) ever: Vec<StateFile>,
    pub(super) fenced: bool,
}

pub(super) fn claimed() -> Files {
    [foreign("a"), foreign("b"), foreign("c")].into()
}

impl Model {
    pub(super) fn new(config: CheckpointConfig, mode: Option<RecoveryClaimMode>) -> Self {
        let exists = if mode.is_some() { claimed() } else { Files::new() };
        let committed = match mode {
            Some(RecoveryClaimMode::Claim) => [(7, claimed())].into(),
            _ => BTreeMap::new(),
        };
        let mut model = Self {
            coordinator: World::new(&config).coordinator,
            mode,
            config,
            attempt: 0,
            now: Duration::ZERO,
            open: vec![],
            committed,
            ever: exists.iter().cloned().collect(),
            exists,
            begun: BTreeMap::new(),
            newest: 0,
            refused: BTreeSet::new(),
            bases: BTreeMap::new(),
            fenced: false,
        };
        model.begin();
        model
    }

    pub(super) fn is_left(&self) -> bool {
        matches!(self.mode, Some(RecoveryClaimMode::NoClaim | RecoveryClaimMode::Legacy))
    }

    /// Files on which everybody may rely as long as the job lives.
    fn always_there(&self) -> Files {
        if self.mode == Some(RecoveryClaimMode::Legacy) { claimed() } else { Files::new() }
    }

    pub(super) fn needed(&self) -> Files {
        self.committed.values().flatten().cloned().collect()
    }

    /// The next attempt, by what is on record.
    pub(super) fn begin(&mut self) {
        let own =
            self.committed.iter().map(|(&number, files)| RetainedState::owned(id(number), files.clone()));
        let theirs = self.is_left().then(|| RetainedState::left(id(7), claimed()));
        let left = if self.is_left() { claimed() } else { Files::new() };
        let mode = self.mode.unwrap_or_default();
        let recovery = plan_recovery(own.chain(theirs).collect(), left, id(self.newest + 1), mode);
        self.attempt += 1;
        let base = match (recovery.restore.and_then(|restored| self.committed.get(&restored.get())), mode) {
            (Some(files), _) => files.clone(),
            (None, _) if self.mode.is_some() => claimed(),
            (None, _) => Files::new(),
        };
        self.bases = TASKS.into_iter().map(|task| (task, base.clone())).collect();
        let effective = self.config.resolve(&GraphDescription::default()).unwrap().effective;
        let plan = JobPlan { attempt: Attempt::new(self.attempt), ..plan() };
        self.coordinator = Coordinator::new(plan, &effective, recovery);
        self.fenced = false;
        self.feed(Event::StartPeriodic { first_after: Duration::from_millis(100) });
    }

    pub(super) fn feed(&mut self, event: Event) {
        let now = Now { monotonic: Timestamp::from_origin(self.now), wall: UnixMillis(0) };
        for effect in self.coordinator.handle(now, event) {
            self.see(effect);
        }
        for (number, files) in &self.committed {
            assert!(files.is_subset(&self.exists), "files of {number} are gone: {files:?}");
        }
        if self.is_left() {
            assert!(claimed().is_subset(&self.exists), "a file of somebody else was removed");
        }
        // A claimed directory holds up what goes with it, so what it delays is looked at in the end.
        if !self.fenced && self.mode != Some(RecoveryClaimMode::Claim) {
            let (kept, superfluous) = (self.kept(), self.exists.iter());
            let superfluous: Vec<_> = superfluous.filter(|file| !kept.contains(file)).collect();
            assert!(superfluous.is_empty(), "nobody needs {superfluous:?} and it is still there");
        }
    }

    /// Everything that somebody needs or may turn out to need.
    fn kept(&self) -> Files {
        let mut kept = self.needed();
        kept.extend(self.begun.values().flat_map(|begun| begun.written.iter()).cloned());
        let builds = self.begun.values().filter(|begun| begun.kind.may_build_on_earlier());
        kept.extend(builds.flat_map(|begun| begun.available.iter()).cloned());
        kept.extend(if self.is_left() { claimed() } else { Files::new() });
        kept
    }

    fn see(&mut self, effect: Effect) {
        match &effect {
            Effect::Report(Report::Triggered { checkpoint, kind, .. }) => {
                assert!(self.newest < checkpoint.get(), "{checkpoint} was used before");
                self.newest = checkpoint.get();
                let mut available = self.needed();
                available.extend(self.always_there());
                let begun = Begun {
                    kind: *kind,
                    located: false,
                    available,
                    written: Files::new(),
                    acknowledged: BTreeSet::new(),
                };
                self.begun.insert(checkpoint.get(), begun);
            }
            Effect::Report(Report::Aborted(aborted)) => {
                let begun = self.begun.remove(&aborted.checkpoint.get()).expect("it was in progress");
                if aborted.reason == FailureReason::CheckpointAsyncException {
                    self.refused.insert(aborted.checkpoint.get());
                }
                assert!(begun.located || begun.written.is_empty());
                // As soon as it may be: nothing is written down of when a removal is performed.
                self.exists.retain(|file| !begun.written.contains(file));
            }
            Effect::Report(Report::Completed(completed)) => {
                self.begun.remove(&completed.checkpoint.get());
            }
            Effect::Publish { metadata, .. } => {
                let files = files_of(metadata);
                assert!(
                    files.is_subset(&self.exists),
                    "{} is published without its files",
                    metadata.checkpoint
                );
                if let Some(begun) = self.begun.get(&metadata.checkpoint.get()) {
                    let known: Files = begun.available.union(&begun.written).cloned().collect();
                    assert!(files.is_subset(&known), "{} refers to what is not its own", metadata.checkpoint);
                    assert!(begun.kind.may_build_on_earlier() || files.is_subset(&begun.written));
                }
            }
            Effect::Remove { checkpoint, shared, .. } => {
                let mut files: Files = shared.iter().cloned().collect();
                if checkpoint.get() == 7 && self.mode == Some(RecoveryClaimMode::Claim) {
                    files.extend(claimed());
                }
                let kept = self.kept();
                for file in files {
                    assert!(
                        !kept.contains(&file),
                        "{file:?} goes with {checkpoint} and somebody may need it"
                    );
                    self.exists.remove(&file);
                }
            }
            Effect::NotifyComplete { task, checkpoint } => {
                // One of the tasks never hears the news.
                if let Some(files) = self.committed.get(&checkpoint.get()).filter(|_| *task != TASKS[1]) {
                    self.bases.insert(*task, files.clone());
                }
            }
            Effect::FailJob { reason: FailureReason::OutcomeUnknown, .. } => {
                self.fenced = true;
                self.begun.clear();
                self.open.clear();
            }
            _ => {}
        }
        if let Effect::Locate { .. }
        | Effect::Publish { .. }
        | Effect::Discard { .. }
        | Effect::Remove { .. }
        | Effect::Conclude { .. } = effect
        {
            self.open.push(effect);
        }
    }

    fn commit(&mut self, metadata: &CheckpointMetadata, dropped: &[CheckpointId]) {
        if metadata.kind.is_savepoint() {
            return;
        }
        let files = files_of(metadata);
        for begun in self.begun.values_mut() {
            begun.available.extend(files.iter().cloned());
        }
        self.committed.insert(metadata.checkpoint.get(), files);
        self.committed.retain(|number, _| !dropped.contains(&id(*number)));
    }

    pub(super) fn answer(&mut self, which: usize, how: u8) -> bool {
        let Some(index) = which.checked_rem(self.open.len()) else { return false };
        let fault = match how {
            0 | 1 => Some(Fault::Failed { message: "failed".to_string() }),
            2 | 3 => Some(Fault::Unknown { message: "unknown".to_string() }),
            _ => None,
        };
        let took_effect = fault.is_none() || how == 3;
        let event = match self.open.remove(index) {
            Effect::Locate { op, checkpoint, .. } => {
                if let Some(begun) = self.begun.get_mut(&checkpoint.get()).filter(|_| fault.is_none()) {
                    begun.located = true;
                }
                Event::Located { op, result: fault.map_or(Ok(LocationReference::Default), Err) }
            }
            Effect::Publish { op, metadata, dropped, .. } => {
                if took_effect {
                    self.commit(&metadata, &dropped);
                }
                // A savepoint whose outcome is unknown stops the coordinator like any other publication.
                Event::Published { op, result: fault.map_or(Ok(Pointer::new("there")), Err) }
            }
            Effect::Discard { op, .. } | Effect::Remove { op, .. } => Event::Discarded { op },
            Effect::Conclude { op, dropped, .. } => {
                self.committed.retain(|number, _| !dropped.contains(&id(*number)));
                Event::Concluded { op, result: Ok(()) }
            }
            other => unreachable!("{other:?} asks for no answer"),
        };
        self.feed(event);
        true
    }

    /// Settles what is under way.
    pub(super) fn settle(&mut self, mut how: u8) {
        while !self.fenced && self.answer(0, how) {
            how = 9;
        }
        assert!(self.coordinator.is_done());
        assert!(self.begun.is_empty() && self.open.is_empty());
    }

    /// A successor looks at what is on record and sweeps where something may have stayed behind: if an outcome was unknown,
    /// or a claimed directory could not go yet.
    pub(super) fn succeed(&mut self) {
        if self.fenced || self.mode == Some(RecoveryClaimMode::Claim) {
            let kept = self.kept();
            self.exists.retain(|file| kept.contains(file));
        }
        self.begin();
    }
}

fn files_of(metadata: &CheckpointMetadata) -> Files {
    let subtasks = metadata.operators.values().flat_map(|operator| &operator.subtasks);
    subtasks.flat_map(TaskSnapshot::handles).filter_map(|handle| handle.file().cloned()).collect()
}
