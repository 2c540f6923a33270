use super::*;
use proptest::prelude::*;
use proptest::sample::select;

/// What happens next to one of two coordinators.
#[derive(Clone, Debug)]
enum Deed {
    Claim,
    Reclaim,
    Append {
        more_ids: bool,
        ended: bool,
    },
    /// Its request is performed, and answered.
    Perform,
    /// It is performed, and the answer is lost.
    LoseAnswer,
    /// It is lost itself.
    LoseRequest,
    Refuse,
    Doubt,
    /// An answer to something that was not asked.
    Stray(Reply),
    GiveUp,
}

fn deeds() -> impl Strategy<Value = Deed> {
    let marker = Marker { job: JOB, epoch: 2, token: 99, floor: 1 };
    let entry = Entry {
        job: JOB,
        sequence: 2,
        previous: Crc32c(1),
        epoch: 2,
        token: 99,
        id_limit: u64::MAX,
        ended: None,
        retained: Vec::new(),
        dropped: Vec::new(),
        roots: Vec::new(),
    };
    let stray = select(vec![
        Reply::Settled,
        Reply::Marker(None),
        Reply::Marker(Some(Marker { epoch: u64::MAX, ..marker.clone() })),
        Reply::Marker(Some(Marker { job: JobId::from_bytes([1; 16]), ..marker.clone() })),
        Reply::Marker(Some(marker)),
        Reply::Entry(None),
        Reply::Entry(Some(Entry { sequence: u64::MAX, epoch: u64::MAX, ..entry.clone() })),
        Reply::Entry(Some(entry)),
        Reply::Created(Outcome::Done),
    ]);
    prop_oneof![
        3 => Just(Deed::Claim),
        1 => Just(Deed::Reclaim),
        3 => (any::<bool>(), proptest::bool::weighted(0.1)).prop_map(|(more_ids, ended)| Deed::Append { more_ids, ended }),
        40 => Just(Deed::Perform),
        3 => Just(Deed::LoseAnswer),
        3 => Just(Deed::LoseRequest),
        1 => Just(Deed::Refuse),
        1 => select(vec![Deed::Doubt, Deed::GiveUp]),
        1 => stray.prop_map(Deed::Stray),
    ]
}

struct Coordinator {
    register: Register,
    step: Option<Request>,
    stopped: Option<Conclusion>,
}

impl Coordinator {
    /// What it was told to do next, and whether it is over with it.
    fn goes_on(&mut self, step: Step) -> Result<Option<Conclusion>, TestCaseError> {
        let conclusion = match step {
            Step::Request(request) => {
                prop_assert!(self.stopped.is_none(), "{:?} asked after {:?}", request, self.stopped);
                self.step = Some(request);
                return Ok(None);
            }
            Step::Conclude(conclusion) => conclusion,
        };
        self.step = None;
        if let Some(stopped) = &self.stopped {
            prop_assert_eq!(stopped, &conclusion, "whoever was stopped stays so");
        }
        match &conclusion {
            Conclusion::Fenced { .. } | Conclusion::Corrupt { .. } | Conclusion::Foreign { .. } => {
                prop_assert!(self.register.head().is_none());
                self.stopped = Some(conclusion.clone());
            }
            Conclusion::Claimed { entry, ids } => {
                prop_assert_eq!(self.register.head(), Some(entry));
                prop_assert_eq!(&self.register.ids(), ids);
            }
            Conclusion::Committed(entry) => prop_assert_eq!(self.register.head(), Some(entry)),
            Conclusion::Refused | Conclusion::Invalid(_) => {}
        }
        Ok(Some(conclusion))
    }

    /// One deed. Nobody who follows the rules begins something while a request is under way.
    fn suffers(&mut self, deed: Deed, shelf: &mut Shelf) -> Option<Step> {
        Some(match deed {
            Deed::Claim if self.step.is_none() && self.register.head().is_none() => self.register.claim(None),
            Deed::Reclaim if self.register.head().is_some() => self.register.reclaim(),
            Deed::Append { more_ids, ended } => {
                let head = self.register.head()?;
                let added = own(head
                    .retained
                    .last()
                    .map_or(0, |one| one.checkpoint.get() + 1)
                    .max(self.register.ids().start));
                let added = if head.ended.is_some() { vec![] } else { vec![added] };
                let ended = ended.then_some(JobStatus::Finished);
                let update = Update {
                    retained: added,
                    dropped: head.retained.clone(),
                    ended,
                    more_ids,
                    roots: Vec::new(),
                    behind: None,
                };
                self.register.append(update)
            }
            Deed::Perform => {
                let reply = shelf.perform(self.step.clone()?);
                self.register.handle(reply)
            }
            Deed::Stray(reply) => self.register.handle(reply),
            Deed::GiveUp => self.register.give_up(),
            Deed::LoseAnswer | Deed::LoseRequest | Deed::Refuse | Deed::Doubt => {
                let request = self.step.clone()?;
                if !matches!(request, Request::CreateMarker(_) | Request::CreateEntry(_)) {
                    return None;
                }
                let outcome = match deed {
                    Deed::LoseAnswer => {
                        shelf.perform(request);
                        Outcome::Unknown
                    }
                    Deed::LoseRequest => Outcome::Unknown,
                    Deed::Refuse => Outcome::Refused,
                    _ => Outcome::Doubtful,
                };
                self.register.handle(Reply::Created(outcome))
            }
            Deed::Claim | Deed::Reclaim => return None,
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_is_replied_nobody_commits_who_was_stopped(
        deeds in proptest::collection::vec((proptest::bool::weighted(0.7), deeds()), 1..120),
    ) {
        let mut shelf = Shelf::default();
        let mut coordinators = [1, 2].map(|token| Coordinator { register: Register::new(JOB, token), step: None, stopped: None });
        let (mut newest, mut is_lied_to) = (0, false);
        for (is_first, deed) in deeds {
            // It may take a lie for the truth, and then what it concludes is not on the shelf.
            is_lied_to |= matches!(deed, Deed::Stray(_));
            let which = &mut coordinators[usize::from(!is_first)];
            let Some(step) = which.suffers(deed, &mut shelf) else { continue };
            if let Some(Conclusion::Committed(entry)) = which.goes_on(step)?
                && !is_lied_to
            {
                prop_assert!(entry.sequence > newest, "{} is reported behind {}", entry.sequence, newest);
                newest = entry.sequence;
            }
        }
    }

    #[test]
    fn what_stays_unknown_is_given_up(token in 1_u128..9, rounds in 1_usize..30) {
        let mut shelf = Shelf::default();
        let (mut register, ..) = shelf.claimed(token);
        let mut step = register.append(update(&[own(1)], &[]));
        for _ in 0..rounds {
            step = match step {
                Step::Request(Request::CreateEntry(_)) => register.handle(Reply::Created(Outcome::Unknown)),
                Step::Request(read) => register.handle(shelf.perform(read)),
                Step::Conclude(conclusion) => panic!("it concludes {conclusion:?} and knows nothing"),
            };
        }
        let fenced = Step::Conclude(Conclusion::Fenced { by: Fence::Doubt });
        prop_assert_eq!(register.give_up(), fenced.clone());
        prop_assert_eq!(register.append(update(&[own(1)], &[])), fenced);
    }
}
