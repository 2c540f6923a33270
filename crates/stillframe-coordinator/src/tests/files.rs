//! Which shared files must exist, by a second opinion: sets of names and nothing else. Tasks write, rely on and invent files,
//! checkpoints fail in every way, coordinators follow one another; no file goes that is needed, and every other does.

mod model;

use super::sharing::{foreign, incremental, shared, tolerant};
use super::*;
use alloc::collections::BTreeMap;
use model::{Model, claimed};
use proptest::prelude::*;

type Files = BTreeSet<StateFile>;

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Savepoint,
    /// By the newest checkpoint but so many.
    Acknowledge {
        back: usize,
        task: usize,
        choices: Vec<Choice>,
    },
    Decline {
        back: usize,
    },
    Answer {
        which: usize,
        how: u8,
    },
    /// The job fails and goes on.
    Restart {
        how: u8,
    },
}

/// What a task says of one part of its state.
#[derive(Clone, Copy, Debug)]
enum Choice {
    /// It has written a file.
    New,
    /// It relies on a file of the newest checkpoint that it knows to be complete.
    Reuse(usize),
    /// It relies on any file that ever was.
    Invent(usize),
    /// It has written a file under a name that was used before.
    Rewrite(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let choice = prop_oneof![
        12 => Just(Choice::New),
        12 => (0_usize..8).prop_map(Choice::Reuse),
        1 => (0_usize..64).prop_map(Choice::Invent),
        1 => (0_usize..64).prop_map(Choice::Rewrite),
    ];
    let choices = proptest::collection::vec(choice, 0..3);
    prop_oneof![
        6 => (1_u64..2_500).prop_map(Step::Pass),
        1 => Just(Step::Savepoint),
        24 => (0_usize..4, 0_usize..3, choices)
            .prop_map(|(back, task, choices)| Step::Acknowledge { back, task, choices }),
        1 => (0_usize..4).prop_map(|back| Step::Decline { back }),
        12 => (0_usize..4, 0_u8..20).prop_map(|(which, how)| Step::Answer { which, how }),
        1 => (0_u8..20).prop_map(|how| Step::Restart { how }),
    ]
}

impl Model {
    /// What a task says of its state. By itself it does what is right for the kind of checkpoint.
    fn parts(
        &self,
        task: TaskId,
        kind: CheckpointKind,
        choices: &[Choice],
    ) -> BTreeMap<StateFile, PartOrigin> {
        let mut parts = BTreeMap::new();
        for choice in choices {
            let any = |pick: usize| self.ever.get(pick % self.ever.len().max(1)).cloned();
            match choice {
                Choice::New if kind.is_savepoint() => {}
                Choice::New => {
                    let file = shared(&alloc::format!("f-{}-{}", self.ever.len(), parts.len()));
                    parts.insert(file, PartOrigin::Written);
                }
                Choice::Reuse(pick) if kind.may_build_on_earlier() => {
                    let base = self.bases.get(&task).into_iter().flatten().nth(*pick);
                    let file = base.or_else(|| self.bases.get(&task).into_iter().flatten().next());
                    parts.extend(file.map(|file| (file.clone(), PartOrigin::Placeholder)));
                }
                Choice::Reuse(_) => {}
                Choice::Invent(pick) => {
                    let file = any(*pick).unwrap_or_else(|| shared("invented"));
                    parts.entry(file).or_insert(PartOrigin::Placeholder);
                }
                Choice::Rewrite(pick) => {
                    if let Some(file) = any(*pick) {
                        parts.entry(file).or_insert(PartOrigin::Written);
                    }
                }
            }
        }
        parts
    }

    fn acknowledge(&mut self, number: u64, task: TaskId, choices: &[Choice]) {
        let Some(begun) = self.begun.get(&number).filter(|begun| begun.located) else { return };
        let (counts, kind) = (!begun.acknowledged.contains(&task), begun.kind);
        let (mut written, mut is_refused) = (Files::new(), false);
        let parts = self.parts(task, kind, choices);
        let registered: Files = self
            .begun
            .iter()
            .flat_map(|(other, begun)| {
                let written = begun.written.iter().filter(move |_| *other != number);
                begun.available.iter().chain(written)
            })
            .cloned()
            .chain(self.needed())
            .collect();
        for (file, origin) in &parts {
            is_refused |= match origin {
                PartOrigin::Placeholder => !kind.may_build_on_earlier() || !begun.available.contains(file),
                PartOrigin::Written => {
                    kind.is_savepoint()
                        || file.directory != StateDirectory::Shared
                        || registered.contains(file)
                }
            };
            if *origin == PartOrigin::Written
                && !registered.contains(file)
                && file.directory == StateDirectory::Shared
            {
                written.insert(file.clone());
            }
        }
        if counts {
            self.exists.extend(written.iter().cloned());
            self.ever.extend(written.iter().cloned());
            let begun = self.begun.get_mut(&number).expect("it is in progress");
            begun.written.append(&mut written);
            begun.acknowledged.insert(task);
        }
        self.feed(Event::Acknowledged {
            checkpoint: id(number),
            attempt: Attempt::new(self.attempt),
            task,
            snapshot: incremental(parts.clone()),
            metrics: SnapshotMetrics::default(),
        });
        assert_eq!(self.refused.remove(&number), counts && is_refused, "{kind} {number}: {parts:?}");
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Pass(millis) => {
                self.now += Duration::from_millis(millis);
                self.feed(Event::Tick);
            }
            Step::Savepoint => {
                let snapshot = SnapshotRequest::savepoint(None);
                self.feed(Event::Trigger { request: RequestId::new(1), snapshot });
            }
            Step::Acknowledge { back, task, choices } => {
                let number = self.newest.saturating_sub(back as u64);
                self.acknowledge(number, TASKS[task], &choices);
            }
            Step::Decline { back } => self.feed(Event::Declined {
                checkpoint: id(self.newest.saturating_sub(back as u64)),
                attempt: Attempt::new(self.attempt),
                task: TASKS[0],
                reason: FailureReason::CheckpointDeclined,
            }),
            Step::Answer { which, how } => {
                self.answer(which, how);
            }
            Step::Restart { how } => {
                self.feed(Event::Failover);
                self.settle(how);
                self.succeed();
            }
        }
        if self.fenced {
            self.settle(9);
            self.succeed();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_exists_as_long_as_somebody_needs_it_and_no_longer(
        concurrent in 1_u32..4,
        retained in 1_u32..4,
        mode in prop_oneof![
            3 => Just(None),
            1 => proptest::sample::select(RecoveryClaimMode::ALL.to_vec()).prop_map(Some),
        ],
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        let mut config = tolerant(concurrent);
        config.set_num_retained_checkpoints(NonZeroU32::new(retained).expect("at least one"));
        let mut model = Model::new(config, mode);
        for step in steps {
            model.take(step);
        }
        model.feed(Event::End { status: JobStatus::Finished });
        model.settle(9);
        let left = if model.is_left() { claimed() } else { Files::new() };
        prop_assert_eq!((&model.committed, &model.exists), (&BTreeMap::new(), &left));
    }
}
