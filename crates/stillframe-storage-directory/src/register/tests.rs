//! The machine against a store that does as it is told, and records against those who forge them.

use super::*;
use std::collections::BTreeMap;
use std::ops::Range;
use stillframe_metadata::FormatError;
use stillframe_model::{CheckpointId, Crc32c, JobId, JobStatus};

mod records;
mod replies;

const JOB: JobId = JobId::from_bytes([7; 16]);

/// A store that never fails.
#[derive(Debug, Default)]
struct Shelf {
    markers: BTreeMap<u64, Marker>,
    entries: BTreeMap<u64, Entry>,
}

impl Shelf {
    fn perform(&mut self, request: Request) -> Reply {
        match request {
            Request::ReadMarker(epoch) => Reply::Marker(self.markers.get(&epoch).cloned()),
            Request::ReadEntry(number) => Reply::Entry(self.entries.get(&number).cloned()),
            Request::Settle => Reply::Settled,
            Request::CreateMarker(marker) if !self.markers.contains_key(&marker.epoch) => {
                self.markers.insert(marker.epoch, marker);
                Reply::Created(Outcome::Done)
            }
            Request::CreateEntry(entry) if !self.entries.contains_key(&entry.sequence) => {
                self.entries.insert(entry.sequence, entry);
                Reply::Created(Outcome::Done)
            }
            Request::CreateMarker(_) | Request::CreateEntry(_) => Reply::Created(Outcome::Unknown),
        }
    }

    fn run(&mut self, register: &mut Register, mut step: Step) -> Conclusion {
        loop {
            match step {
                Step::Request(request) => step = register.handle(self.perform(request)),
                Step::Conclude(conclusion) => return conclusion,
            }
        }
    }

    /// A coordinator that owns the register.
    fn claimed(&mut self, token: u128) -> (Register, Entry, Range<u64>) {
        let mut register = Register::new(JOB, token);
        let step = register.claim(None);
        match self.run(&mut register, step) {
            Conclusion::Claimed { entry, ids } => (register, entry, ids),
            other => panic!("not claimed but {other:?}"),
        }
    }

    fn append(&mut self, register: &mut Register, update: Update) -> Conclusion {
        let step = register.append(update);
        self.run(register, step)
    }
}

fn own(id: u64) -> Retained {
    Retained { checkpoint: CheckpointId::new(id), location: None, len: 100, checksum: Crc32c(5) }
}

fn elsewhere(id: u64) -> Retained {
    Retained { location: Some("file:///savepoints/a".into()), ..own(id) }
}

fn update(retained: &[Retained], dropped: &[Retained]) -> Update {
    Update { retained: retained.into(), dropped: dropped.into(), ..Update::default() }
}

/// Which field is wrong, and what is wrong with it.
fn problem(conclusion: Conclusion) -> (String, String) {
    match conclusion {
        Conclusion::Invalid(FormatError::Invalid { element, problem }) => (element, problem),
        other => panic!("not invalid but {other:?}"),
    }
}

#[test]
fn a_second_coordinator_takes_over_and_fences_the_first() {
    let mut shelf = Shelf::default();
    let (mut first, _, ids) = shelf.claimed(1);
    assert_eq!(ids, 1..17);
    let committed = shelf.append(&mut first, update(&[own(1)], &[]));
    assert!(matches!(committed, Conclusion::Committed(_)), "{committed:?}");
    let (_, entry, ids) = shelf.claimed(2);
    assert_eq!((entry.retained, ids), (vec![own(1)], 17..33));
    let fenced = Conclusion::Fenced { by: Fence::Entry(3) };
    assert_eq!(shelf.append(&mut first, update(&[own(1), own(2)], &[])), fenced);
    assert_eq!(first.claim(None), Step::Conclude(fenced.clone()), "whoever was fenced stays so");
    assert_eq!(first.handle(Reply::Marker(None)), Step::Conclude(fenced));
}

#[test]
fn whoever_looked_before_the_first_claim_begins_behind_it() {
    let mut shelf = Shelf::default();
    let mut late = Register::new(JOB, 2);
    let no_marker = late.claim(None);
    assert_eq!(no_marker, Step::Request(Request::ReadMarker(1)));
    let Step::Request(entries) = late.handle(Reply::Marker(None)) else { panic!("it looks for entries") };
    let (_, first, _) = shelf.claimed(1);
    let step = late.handle(shelf.perform(entries));
    match shelf.run(&mut late, step) {
        Conclusion::Claimed { entry, ids } => {
            assert_eq!((entry.sequence, entry.epoch, ids), (2, 2, 17..33));
            assert_eq!(Some(entry.previous), first.checksum().ok());
        }
        other => panic!("not claimed but {other:?}"),
    }
}

#[test]
fn entries_without_any_marker_are_nothing_to_begin_with() {
    let mut shelf = Shelf::default();
    shelf.claimed(1);
    shelf.markers.clear();
    let mut second = Register::new(JOB, 2);
    let step = second.claim(None);
    assert_eq!(shelf.run(&mut second, step), Conclusion::Corrupt { number: 1 });
    assert_eq!(shelf.entries.len(), 1, "nothing was written");
}

/// Somebody deletes entries that a reader has not come to yet, and a third one puts its own under a number that is free again.
#[test]
fn whoever_reads_what_was_deleted_and_made_again_finds_out_by_the_marker() {
    let mut shelf = Shelf::default();
    let (mut owner, ..) = shelf.claimed(1);
    for id in 1..4 {
        let all = (1..=id).map(own).collect::<Vec<_>>();
        shelf.append(&mut owner, update(&all, &[]));
    }
    // It begins at the first entry, and has read the first two.
    let mut reader = Register::new(JOB, 2);
    let mut step = reader.claim(None);
    for _ in 0..4 {
        let Step::Request(request) = step else { panic!("it reads: {step:?}") };
        step = reader.handle(shelf.perform(request));
    }
    assert_eq!(step, Step::Request(Request::ReadEntry(3)));
    let ghost = Entry { token: 9, ..shelf.entries[&3].clone() };
    shelf.entries.insert(3, ghost);
    let untold = reader.clone();
    // As the owner claimed again before it deleted anything, its marker says so.
    let reclaim = owner.reclaim();
    shelf.run(&mut owner, reclaim);
    match shelf.run(&mut reader, step.clone()) {
        Conclusion::Claimed { entry, .. } => assert_eq!((entry.sequence, entry.epoch), (5, 3)),
        other => panic!("not claimed but {other:?}"),
    }
    // Where no marker says so, something is wrong.
    shelf.markers.retain(|epoch, _| *epoch == 1);
    let mut reader = untold;
    assert_eq!(shelf.run(&mut reader, step), Conclusion::Corrupt { number: 4 });
}

#[test]
fn what_was_dropped_last_is_handed_on() {
    let mut shelf = Shelf::default();
    let (mut first, ..) = shelf.claimed(1);
    shelf.append(&mut first, update(&[elsewhere(5)], &[]));
    shelf.append(&mut first, update(&[own(6)], &[elsewhere(5)]));
    let (mut second, entry, _) = shelf.claimed(2);
    assert_eq!(entry.dropped, [elsewhere(5)], "its files may still be there, and no id says where");
    // As long as they may be, they stay on the list.
    let kept = shelf.append(&mut second, update(&[own(6), own(22)], &[elsewhere(5)]));
    assert!(matches!(kept, Conclusion::Committed(_)), "{kept:?}");
}

#[test]
fn an_owner_that_claims_again_moves_the_floor_and_keeps_its_ids() {
    let mut shelf = Shelf::default();
    let (mut register, ..) = shelf.claimed(1);
    shelf.append(&mut register, update(&[own(1)], &[]));
    shelf.append(&mut register, update(&[own(1), own(2)], &[]));
    assert_eq!(register.garbage(), 1..1, "its marker says that readers begin at the first entry");
    let step = register.reclaim();
    let claimed = shelf.run(&mut register, step);
    assert!(matches!(&claimed, Conclusion::Claimed { entry, ids } if entry.sequence == 3 && *ids == (1..17)));
    assert_eq!(register.garbage(), 1..3);
    shelf.entries.retain(|number, _| !(1..3).contains(number));
    let committed = shelf.append(&mut register, update(&[own(2), own(3)], &[own(1)]));
    assert!(matches!(&committed, Conclusion::Committed(entry) if entry.epoch == 2), "{committed:?}");
    let (_, entry, _) = shelf.claimed(2);
    assert_eq!((entry.sequence, entry.epoch, entry.retained), (5, 3, vec![own(2), own(3)]));
}

#[test]
fn an_owner_that_claims_too_late_is_fenced() {
    let mut shelf = Shelf::default();
    let (mut first, ..) = shelf.claimed(1);
    shelf.claimed(2);
    let step = first.reclaim();
    assert_eq!(shelf.run(&mut first, step), Conclusion::Fenced { by: Fence::Marker(2) });
}

#[test]
fn a_claim_that_was_not_sent_can_be_repeated_and_a_reclaim_loses_nothing() {
    let mut shelf = Shelf::default();
    let (mut register, ..) = shelf.claimed(1);
    assert!(matches!(register.reclaim(), Step::Request(Request::CreateMarker(_))));
    assert_eq!(register.handle(Reply::Created(Outcome::Refused)), Step::Conclude(Conclusion::Refused));
    let committed = shelf.append(&mut register, update(&[own(1)], &[]));
    assert!(matches!(committed, Conclusion::Committed(_)), "{committed:?}");
}

#[test]
fn a_reclaim_that_is_unclear_and_then_refused_is_settled_by_reading() {
    let mut shelf = Shelf::default();
    let (mut register, ..) = shelf.claimed(1);
    register.reclaim();
    register.handle(Reply::Created(Outcome::Unknown));
    assert!(matches!(register.handle(Reply::Marker(None)), Step::Request(Request::CreateMarker(_))));
    let step = register.handle(Reply::Created(Outcome::Refused));
    assert_eq!(step, Step::Request(Request::ReadMarker(2)), "the first attempt may have done it");
}

#[test]
fn an_append_that_is_unclear_and_then_refused_is_settled_by_reading() {
    let mut shelf = Shelf::default();
    let (mut register, ..) = shelf.claimed(1);
    register.append(update(&[own(1)], &[]));
    register.handle(Reply::Created(Outcome::Unknown));
    register.handle(Reply::Entry(None));
    assert!(matches!(register.handle(Reply::Marker(None)), Step::Request(Request::CreateEntry(_))));
    let step = register.handle(Reply::Created(Outcome::Refused));
    assert_eq!(step, Step::Request(Request::ReadEntry(2)), "the first attempt may have done it");
}

#[test]
fn an_ended_job_is_handed_on_as_found_and_takes_nothing_more() {
    let mut shelf = Shelf::default();
    let (mut first, ..) = shelf.claimed(1);
    shelf.append(&mut first, update(&[own(1)], &[]));
    let ended = Update { ended: Some(JobStatus::Canceled), ..update(&[own(1)], &[]) };
    assert!(matches!(shelf.append(&mut first, ended), Conclusion::Committed(_)));
    let (mut second, entry, _) = shelf.claimed(2);
    assert_eq!((entry.ended, &entry.retained[..]), (Some(JobStatus::Canceled), &[own(1)][..]));
    let (element, words) = problem(shelf.append(&mut second, update(&[own(1), own(17)], &[])));
    assert_eq!((&*element, &*words), ("retained", "checkpoint 17 cannot be added: the job is canceled"));
    let failed = Update { ended: Some(JobStatus::Failed), ..update(&[own(1)], &[]) };
    let (element, words) = problem(shelf.append(&mut second, failed));
    assert_eq!((&*element, &*words), ("ended", "the job is canceled already and cannot be failed"));
    let dropped = shelf.append(&mut second, update(&[], &[own(1)]));
    assert!(matches!(dropped, Conclusion::Committed(entry) if entry.ended == Some(JobStatus::Canceled)));
}

#[test]
fn ids_of_a_claimed_checkpoint_are_not_used_again() {
    let mut shelf = Shelf::default();
    let (mut register, ..) = shelf.claimed(1);
    assert!(matches!(
        shelf.append(&mut register, update(&[elsewhere(9_000)], &[])),
        Conclusion::Committed(_)
    ));
    assert_eq!(register.ids(), 9_001..9_017);
    let more = Update { more_ids: true, ..update(&[elsewhere(9_000)], &[]) };
    assert!(
        matches!(shelf.append(&mut register, more), Conclusion::Committed(entry) if entry.id_limit == 9_033)
    );
    assert_eq!(register.ids(), 9_001..9_033);
    let (_, _, ids) = shelf.claimed(2);
    assert_eq!(ids, 9_033..9_049);
    let (element, _) =
        problem(shelf.append(&mut register, update(&[elsewhere(u64::MAX)], &[elsewhere(9_000)])));
    assert_eq!(element, "id_limit");
}

#[test]
fn each_rule_of_an_update_has_its_own_words() {
    let mut shelf = Shelf::default();
    let (mut register, ..) = shelf.claimed(1);
    shelf.append(&mut register, update(&[own(2), own(4)], &[]));
    let changed = Retained { len: 101, ..own(2) };
    for (wanted, element, words) in [
        (update(&[own(4)], &[]), "retained", "checkpoint 2 is neither retained nor dropped"),
        (update(&[changed, own(4)], &[]), "retained", "checkpoint 2 cannot be added behind checkpoint 4"),
        (
            update(&[own(2), own(3), own(4)], &[]),
            "retained",
            "checkpoint 3 cannot be added behind checkpoint 4",
        ),
        (
            update(&[own(2), own(4), own(17)], &[]),
            "retained",
            "checkpoint 17 is not among this coordinator's ids, 1..17",
        ),
        (update(&[own(2), own(4)], &[own(1)]), "dropped", "checkpoint 1 was not retained as it is given up"),
        (update(&[own(2), own(4)], &[own(2)]), "dropped", "checkpoint 2 is retained as well"),
        (update(&[own(4), own(2)], &[]), "retained", "checkpoint 4 stands before 2; expected rising ids"),
    ] {
        let before = register.clone();
        assert_eq!(problem(shelf.append(&mut register, wanted)), (element.into(), words.into()));
        assert_eq!(register, before, "an update that is wrong changes nothing");
    }
}

#[test]
fn another_jobs_register_is_refused_by_its_name() {
    let mut shelf = Shelf::default();
    shelf.claimed(1);
    let mut other = Register::new(JobId::from_bytes([8; 16]), 2);
    let step = other.claim(None);
    assert_eq!(shelf.run(&mut other, step), Conclusion::Foreign { job: JOB });
    let mut other = Register::new(JobId::from_bytes([8; 16]), 2);
    let hint = shelf.markers.get(&1).cloned();
    assert_eq!(other.claim(hint), Step::Conclude(Conclusion::Foreign { job: JOB }));
}

/// What a claim comes to if the store holds this beside two entries that are right.
fn claim_among(spoil: impl FnOnce(&mut Shelf)) -> Conclusion {
    let mut shelf = Shelf::default();
    let (mut first, ..) = shelf.claimed(1);
    shelf.append(&mut first, update(&[own(1)], &[]));
    spoil(&mut shelf);
    let mut second = Register::new(JOB, 2);
    let step = second.claim(None);
    shelf.run(&mut second, step)
}

#[test]
fn what_does_not_follow_is_corrupt() {
    let change = |change: fn(&mut Entry)| claim_among(|shelf| change(shelf.entries.get_mut(&2).unwrap()));
    assert!(matches!(change(|_| ()), Conclusion::Claimed { .. }));
    for broken in [
        change(|entry| entry.previous.0 ^= 1),
        change(|entry| entry.sequence = 3),
        change(|entry| entry.id_limit = 2),
        claim_among(|shelf| {
            shelf.entries.get_mut(&1).unwrap().epoch = 2;
            let previous = shelf.entries[&1].checksum().unwrap();
            shelf.entries.get_mut(&2).unwrap().previous = previous;
        }),
    ] {
        assert_eq!(broken, Conclusion::Corrupt { number: 2 });
    }
    let marker = claim_among(|shelf| shelf.markers.get_mut(&1).unwrap().epoch = 5);
    assert_eq!(marker, Conclusion::Corrupt { number: 1 });
    let missing = claim_among(|shelf| {
        let floor = Marker { job: JOB, epoch: 2, token: 3, floor: 7 };
        shelf.markers.insert(2, floor);
    });
    assert_eq!(missing, Conclusion::Corrupt { number: 7 }, "a floor without its entry is no empty register");
}

#[test]
fn a_claim_that_meets_an_entry_of_another_chain_stops() {
    let mut shelf = Shelf::default();
    shelf.claimed(1);
    let mut second = Register::new(JOB, 2);
    let mut step = second.claim(None);
    while let Step::Request(request) = step {
        if let Request::CreateEntry(entry) = &request {
            let faster =
                Entry { epoch: 1, token: 1, previous: Crc32c(entry.previous.0 ^ 1), ..entry.clone() };
            shelf.entries.insert(2, faster);
        }
        step = second.handle(shelf.perform(request));
    }
    assert_eq!(step, Step::Conclude(Conclusion::Corrupt { number: 2 }));
}

#[test]
fn an_owner_may_ask_whether_it_still_is_one() {
    let mut shelf = Shelf::default();
    let (mut first, head, _) = shelf.claimed(1);
    for _ in 0..2 {
        let step = first.confirm();
        assert_eq!(shelf.run(&mut first, step), Conclusion::Claimed { entry: head.clone(), ids: 1..17 });
    }
    let committed = shelf.append(&mut first, update(&[own(1)], &[]));
    assert!(matches!(committed, Conclusion::Committed(_)), "{committed:?}");
    shelf.claimed(2);
    let step = first.confirm();
    assert_eq!(shelf.run(&mut first, step), Conclusion::Fenced { by: Fence::Marker(2) });
}

#[test]
fn a_marker_behind_which_there_is_no_number_ends_the_search() {
    let mut shelf = Shelf::default();
    let last = Marker { job: JOB, epoch: u64::MAX, token: 1, floor: 0 };
    shelf.markers.insert(u64::MAX, last.clone());
    let mut register = Register::new(JOB, 2);
    assert_eq!(register.claim(Some(last)), Step::Conclude(Conclusion::Corrupt { number: u64::MAX }));
}
