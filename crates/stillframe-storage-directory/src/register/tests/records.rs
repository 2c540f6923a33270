use super::*;
use proptest::prelude::*;
use stillframe_metadata::frame::{self, RecordKind};

fn entry() -> Entry {
    Entry {
        job: JOB,
        sequence: 3,
        previous: Crc32c(9),
        epoch: 2,
        token: u128::MAX,
        id_limit: 1_025,
        ended: None,
        retained: vec![elsewhere(3), own(4)],
        dropped: vec![own(1)],
        roots: vec![Root { address: "/other/job/chk-4".into(), is_owned: true }],
    }
}

fn refusal(entry: &Entry) -> (String, String) {
    match entry.encode() {
        Err(FormatError::Invalid { element, problem }) => (element, problem),
        other => panic!("not refused but {other:?}"),
    }
}

#[test]
fn hardening_4_1_4_each_defect_of_an_entry_has_its_own_words() {
    let address = |text: &str| vec![Retained { location: Some(text.into()), ..own(3) }];
    for (bad, element, words) in [
        (Entry { sequence: 0, ..entry() }, "sequence", "is 0; expected a number from 1"),
        (Entry { epoch: 0, ..entry() }, "epoch", "is 0; expected a number from 1"),
        (Entry { sequence: 1, ..entry() }, "previous", "the first entry follows none, but names 00000009"),
        (
            Entry { retained: vec![own(4), own(3)], ..entry() },
            "retained",
            "checkpoint 4 stands before 3; expected rising ids",
        ),
        (
            Entry { dropped: vec![own(1), own(1)], ..entry() },
            "dropped",
            "checkpoint 1 stands before 1; expected rising ids",
        ),
        (Entry { dropped: vec![own(3)], ..entry() }, "dropped", "checkpoint 3 is retained as well"),
        (Entry { dropped: vec![own(0)], ..entry() }, "dropped", "checkpoint 0 is below the first id, 1"),
        (
            Entry { retained: vec![own(1_025)], ..entry() },
            "retained",
            "checkpoint 1025 is not below the limit of ids, 1025",
        ),
        (
            Entry { ended: Some(JobStatus::Suspended), ..entry() },
            "ended",
            "a suspended job goes on from its checkpoints and has not ended",
        ),
        (Entry { retained: address(""), ..entry() }, "retained", "the address of checkpoint 3 is empty"),
        (
            Entry { retained: address("a\0"), ..entry() },
            "retained",
            "the address of checkpoint 3 has a control character at byte 1",
        ),
        (
            Entry { retained: address(&"x".repeat(4_097)), ..entry() },
            "retained",
            "the address of checkpoint 3 has 4097 bytes; the limit is 4096",
        ),
    ] {
        assert_eq!(refusal(&bad), (element.into(), words.into()));
    }
}

#[test]
fn hardening_4_1_3_entries_and_markers_are_limited() {
    let many = Entry { id_limit: u64::MAX, retained: (2..60_000).map(own).collect(), ..entry() };
    assert!(matches!(many.encode(), Err(FormatError::TooLarge { limit: ENTRY_LIMIT, .. })));
    let long = vec![0; usize::try_from(ENTRY_LIMIT).unwrap() + 1];
    assert!(matches!(Entry::decode(&long), Err(FormatError::TooLarge { limit: ENTRY_LIMIT, .. })));
    assert!(matches!(Marker::decode(&[0; 257]), Err(FormatError::TooLarge { limit: MARKER_LIMIT, .. })));
    // How many checkpoints are retained is only claimed.
    let body = frame::open_body(RecordKind::RegisterEntry, &entry().encode().unwrap()).unwrap().to_vec();
    let at = 16 + 8 + 4 + 8 + 16 + 8 + 1;
    assert_eq!(body[at..at + 8], 2_u64.to_le_bytes(), "how many are retained");
    for claimed in [1_u64 << 20, 1 << 60, u64::MAX] {
        let body = [&body[..at], &claimed.to_le_bytes(), &body[at + 8..]].concat();
        let forged = frame::seal_body(RecordKind::RegisterEntry, &body).unwrap();
        assert!(Entry::decode(&forged).is_err(), "{claimed}");
    }
}

#[test]
fn hardening_4_1_4_what_cannot_be_written_is_not_read_either() {
    // The same rule on both sides: a frame around a body that the checks would not have let out.
    let good = entry().encode().unwrap();
    let mut body = frame::open_body(RecordKind::RegisterEntry, &good).unwrap().to_vec();
    let forged = |body: &[u8]| frame::seal_body(RecordKind::RegisterEntry, body).unwrap();
    let at = 16 + 8 + 4 + 8 + 16 + 8;
    assert_eq!(body[at], 0, "how the job ended");
    body[at] = 4;
    let error = Entry::decode(&forged(&body)).unwrap_err();
    assert_eq!(error.to_string(), "ended: 4 is no way to end; expected 0 to 3");
    body[at] = 0;
    body[16..24].fill(0);
    let error = Entry::decode(&forged(&body)).unwrap_err();
    assert_eq!(error.to_string(), "sequence: is 0; expected a number from 1");
    let good = Marker { job: JOB, epoch: 2, token: 1, floor: 7 }.encode().unwrap();
    let mut body = frame::open_body(RecordKind::EpochMarker, &good).unwrap().to_vec();
    body[16..24].fill(0);
    let error = Marker::decode(&frame::seal_body(RecordKind::EpochMarker, &body).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "epoch: is 0; expected a number from 1");
}

#[test]
fn hardening_4_1_4_each_defect_of_a_marker_has_its_own_words() {
    let marker = Marker { job: JOB, epoch: 2, token: 1, floor: 7 };
    assert_eq!(Marker::decode(&marker.encode().unwrap()).unwrap(), marker);
    let error = Marker { epoch: 0, ..marker.clone() }.encode().unwrap_err();
    assert_eq!(error.to_string(), "epoch: is 0; expected a number from 1");
    let error = Marker { epoch: 1, ..marker }.encode().unwrap_err();
    assert_eq!(error.to_string(), "floor: nobody can have written entry 7 before the first claim");
}

type Decode = fn(&[u8]) -> Result<(), FormatError>;

/// Each kind of record of the register, with how it is read.
fn records() -> [(RecordKind, Vec<u8>, Decode); 2] {
    let marker = Marker { job: JOB, epoch: 2, token: 1, floor: 7 }.encode().unwrap();
    [
        (RecordKind::RegisterEntry, entry().encode().unwrap(), |bytes| Entry::decode(bytes).map(|_| ())),
        (RecordKind::EpochMarker, marker, |bytes| Marker::decode(bytes).map(|_| ())),
    ]
}

#[test]
fn hardening_4_1_1_a_record_of_the_register_that_ends_anywhere_is_refused() {
    for (kind, good, decode) in records() {
        decode(&good).unwrap();
        for cut in 0..good.len() {
            assert!(decode(&good[..cut]).is_err(), "{kind:?} of {cut} bytes");
        }
        // Also with a frame that fits what is left.
        let body = frame::open_body(kind, &good).unwrap();
        for cut in 0..body.len() {
            let cut_off = frame::seal_body(kind, &body[..cut]).unwrap();
            assert!(decode(&cut_off).is_err(), "{kind:?} with a body of {cut} bytes");
        }
    }
}

#[test]
fn hardening_4_1_2_a_record_of_the_register_is_none_of_another_kind() {
    let [(_, entry, decode_entry), (_, marker, decode_marker)] = records();
    assert!(matches!(decode_marker(&entry), Err(FormatError::WrongKind { found: 5, expected: 6 })));
    assert!(matches!(decode_entry(&marker), Err(FormatError::WrongKind { found: 6, expected: 5 })));
}

#[test]
fn hardening_4_1_4_nothing_follows_a_record_of_the_register() {
    for (kind, good, decode) in records() {
        let longer = [&good[..], &[0]].concat();
        assert!(matches!(decode(&longer), Err(FormatError::TrailingBytes { found: 1, .. })), "{kind:?}");
        // Also if the frame has room for it.
        let body = [frame::open_body(kind, &good).unwrap(), &[0]].concat();
        let longer = frame::seal_body(kind, &body).unwrap();
        assert!(matches!(decode(&longer), Err(FormatError::TrailingBytes { found: 1, .. })), "{kind:?}");
    }
}

#[test]
fn hardening_4_3_2_neither_a_message_nor_debug_output_shows_the_secret_of_an_address() {
    let address = |key: &str| format!("s3://{key}:canary@bucket/a?X-Amz-Signature=canary");
    let root = |key| Root { address: address(key), is_owned: false };
    let entry = Entry {
        retained: vec![Retained { location: Some(address("key")), ..own(3) }],
        roots: vec![root("b"), root("a")],
        ..entry()
    };
    let (element, problem) = refusal(&entry);
    assert_eq!((&*element, problem.matches("bucket").count()), ("roots", 2), "{problem}");
    for shown in [problem, format!("{entry:?}")] {
        assert!(!shown.contains("canary"), "{shown}");
    }
}

fn retained(ids: impl Strategy<Value = u64>) -> impl Strategy<Value = Retained> {
    let location = proptest::option::of("[a-z]{1,8}:/[ -~\u{e4}]{0,40}");
    (ids, location, any::<u64>(), any::<u32>()).prop_map(|(id, location, len, checksum)| Retained {
        checkpoint: CheckpointId::new(id),
        location,
        len,
        checksum: Crc32c(checksum),
    })
}

prop_compose! {
    fn entries()(
        job in any::<[u8; 16]>(),
        sequence in 2..u64::MAX,
        previous in any::<u32>(),
        epoch in 1..u64::MAX,
        token in any::<u128>(),
        ended in proptest::sample::select(vec![None, Some(JobStatus::Finished), Some(JobStatus::Canceled), Some(JobStatus::Failed)]),
        room in 0_u64..9,
        mut all in proptest::collection::vec(retained(1_u64..1 << 40), 0..12),
        is_dropped in any::<u16>(),
        roots in proptest::collection::btree_map("/[a-z]{1,9}", any::<bool>(), 0..4),
    ) -> Entry {
        all.sort_by_key(|one| one.checkpoint);
        all.dedup_by_key(|one| one.checkpoint);
        let id_limit = all.last().map_or(1, |one| one.checkpoint.get() + 1) + room;
        let (mut dropped, mut retained) = (Vec::new(), Vec::new());
        for (at, one) in all.into_iter().enumerate() {
            if is_dropped >> at & 1 == 1 { dropped.push(one) } else { retained.push(one) }
        }
        let roots = roots.into_iter().map(|(address, is_owned)| Root { address, is_owned }).collect();
        let (job, previous) = (JobId::from_bytes(job), Crc32c(previous));
        Entry { job, sequence, previous, epoch, token, id_limit, ended, retained, dropped, roots }
    }
}

proptest! {
    #[test]
    fn an_entry_is_read_as_it_was_written(entry in entries()) {
        prop_assert_eq!(Entry::decode(&entry.encode().unwrap()).unwrap(), entry);
    }

    #[test]
    fn hardening_4_1_2_a_byte_of_an_entry_that_changed_is_noticed(entry in entries(), at in any::<proptest::sample::Index>(), by in 1_u8..) {
        let mut bytes = entry.encode().unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= by;
        prop_assert!(Entry::decode(&bytes).is_err(), "byte {} changed by {}", at, by);
    }

    #[test]
    fn foreign_bytes_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Entry::decode(&bytes).is_err());
        prop_assert!(Marker::decode(&bytes).is_err());
    }
}
