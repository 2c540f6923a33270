//! The checklist for decoders, line by line. What it asks of other crates is tested there.

#![expect(clippy::unwrap_used, reason = "in the helper functions of tests, too, a panic is the report")]

use crate::forge::{self, Pen, seal};
use bytes::Bytes;
use std::collections::BTreeMap;
use stillframe_metadata::frame::{HEADER_LEN, MAX_BODY};
use stillframe_metadata::{FormatError, decode, encode, limits};
use stillframe_model::{
    ChannelHandle, CheckpointId, CheckpointKind, CheckpointMetadata, Crc32c, JobId, KeyGroupRange,
    KeyedHandle, KeyedState, Name, OperatorState, StateHandle, TaskSnapshot, UnixMillis,
};

fn metadata(operators: BTreeMap<Name, OperatorState>) -> CheckpointMetadata {
    CheckpointMetadata {
        job: JobId::from_bytes([9; 16]),
        checkpoint: CheckpointId::new(17),
        kind: CheckpointKind::Checkpoint,
        triggered_at: UnixMillis(0),
        operators,
        hooks: BTreeMap::new(),
    }
}

fn one_operator(subtasks: Vec<TaskSnapshot>) -> CheckpointMetadata {
    let operator = OperatorState { max_parallelism: 32_768, subtasks, coordinator: None };
    metadata(BTreeMap::from([(Name::new("a").unwrap(), operator)]))
}

fn inline(len: usize) -> StateHandle {
    StateHandle::Inline(Bytes::from(vec![7; len]))
}

fn keyed(state: StateHandle) -> TaskSnapshot {
    let range = KeyGroupRange { start: 0, end: 127 };
    TaskSnapshot {
        keyed: Some(KeyedHandle { range, state: KeyedState::Full(state) }),
        ..TaskSnapshot::default()
    }
}

#[track_caller]
fn refused(pen: &Pen, expected: &str) {
    let found = pen.refusal();
    assert!(found.contains(expected), "{found}");
}

#[test]
fn hardening_4_1_1_a_body_that_ends_anywhere_is_refused() {
    let mut metadata = one_operator(vec![keyed(inline(9)), TaskSnapshot::default()]);
    metadata
        .operators
        .values_mut()
        .for_each(|operator| operator.coordinator = Some(Bytes::from_static(b"c")));
    metadata.hooks.insert(Name::new("h").unwrap(), Bytes::from_static(b"state"));
    let whole = encode(&metadata).unwrap();
    let body = forge::body(&whole);
    assert_eq!(seal(body), whole);
    for cut in 0..body.len() {
        refused(&Pen(body[..cut].to_vec()), "");
    }
}

/// Writes the checksum of the header anew.
fn with_header(bytes: &[u8], change: impl FnOnce(&mut [u8])) -> Result<CheckpointMetadata, FormatError> {
    let mut bytes = bytes.to_vec();
    let (header, checksum) = bytes[..HEADER_LEN].split_at_mut(HEADER_LEN - 4);
    change(header);
    checksum.copy_from_slice(&Crc32c::of(header).0.to_le_bytes());
    decode(&bytes)
}

#[test]
fn hardening_4_1_2_the_header_is_believed_only_if_it_fits_the_object() {
    let good = encode(&one_operator(vec![TaskSnapshot::default()])).unwrap();
    let len = (good.len() - HEADER_LEN - 4) as u64;
    let claims =
        |claimed: u64| with_header(&good, |header| header[16..24].copy_from_slice(&claimed.to_le_bytes()));
    assert!(claims(len).is_ok());
    assert!(matches!(claims(len + 1), Err(FormatError::Truncated { .. })));
    assert!(matches!(claims(len - 1), Err(FormatError::TrailingBytes { found: 1, .. })));
    assert!(matches!(claims(MAX_BODY), Err(FormatError::Truncated { .. })));
    for huge in [MAX_BODY + 1, u64::MAX] {
        assert_eq!(claims(huge), Err(FormatError::TooLarge { found: huge, limit: MAX_BODY }));
    }
    let mut changed = good.clone();
    changed[16] ^= 1;
    assert!(matches!(decode(&changed), Err(FormatError::Checksum { part: "header", .. })));
}

#[test]
fn hardening_4_1_2_magic_kind_version_and_features_are_looked_at() {
    let good = encode(&one_operator(vec![TaskSnapshot::default()])).unwrap();
    let put = |at: usize, byte| with_header(&good, |header| header[at] = byte);
    assert_eq!(put(0, b's'), Err(FormatError::BadMagic));
    assert_eq!(put(8, 2), Err(FormatError::WrongKind { found: 2, expected: 1 }));
    for version in [0, 2] {
        assert_eq!(
            put(10, version),
            Err(FormatError::UnsupportedVersion { found: version.into(), supported: 1 })
        );
    }
    for (at, bit) in (12..16).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let unknown = 1 << (bit + 8 * (at - 12));
        assert_eq!(put(at, 1 << bit), Err(FormatError::UnsupportedFeatures { unknown }));
    }
}

#[test]
fn hardening_4_1_3_operators_are_limited() {
    let operator =
        || OperatorState { max_parallelism: 1, subtasks: vec![TaskSnapshot::default()], coordinator: None };
    let many = |count: usize| {
        metadata((0..count).map(|i| (Name::new(format!("{i:x}")).unwrap(), operator())).collect())
    };
    let most = many(limits::OPERATORS);
    assert_eq!(decode(&encode(&most).unwrap()), Ok(most));
    let error = encode(&many(limits::OPERATORS + 1)).unwrap_err();
    assert_eq!(error.to_string(), "operators: are 65537; the limit is 65536");
    refused(
        &Pen::preamble().number(65_537).raw(&[0; 1_000_000]),
        "number of operators: is 65537; the limit is 65536",
    );
}

#[test]
fn hardening_4_1_3_subtasks_are_limited() {
    let most = one_operator(vec![TaskSnapshot::default(); limits::SUBTASKS]);
    assert_eq!(decode(&encode(&most).unwrap()), Ok(most));
    let error = encode(&one_operator(vec![TaskSnapshot::default(); limits::SUBTASKS + 1])).unwrap_err();
    assert!(error.to_string().starts_with("operator a: has 32769 subtasks"), "{error}");
    let operator = Pen::preamble().raw(&[1]).text_name("a");
    refused(
        &operator.clone().number(32_768).number(32_769).raw(&[0; 40_000]),
        "number of subtasks: is 32769",
    );
    refused(&operator.number(32_769).number(1).raw(&[0; 9]), "max parallelism: is 32769; the limit is 32768");
}

#[test]
fn hardening_4_1_3_subtasks_of_all_operators_are_limited() {
    let count = limits::SUBTASKS_IN_ALL / limits::SUBTASKS;
    let operators = |count: usize| {
        let names = (0..count).map(|i| format!("{i:04}"));
        names.fold(Pen::preamble().number(count as u64), |pen, name| {
            pen.text_name(&name).number(32_768).number(32_768).raw(&[0; 32_768])
        })
    };
    let mut most = decode(&seal(&operators(count).0)).unwrap();
    refused(&operators(count + 1), "number of subtasks: is 32768; the limit is 0");
    let more =
        OperatorState { max_parallelism: 1, subtasks: vec![TaskSnapshot::default()], coordinator: None };
    most.operators.insert(Name::new("more").unwrap(), more);
    let error = encode(&most).unwrap_err();
    assert_eq!(error.to_string(), "subtasks of all operators: are 1048577; the limit is 1048576");
}

#[test]
fn hardening_4_1_3_handles_of_a_subtask_are_limited() {
    let channels = |count| -> Vec<_> {
        (0..count).map(|channel| ChannelHandle { gate: 0, channel, buffers: 0, handle: inline(0) }).collect()
    };
    let with = |inputs, outputs| {
        let (input_channels, output_channels) = (channels(inputs), channels(outputs));
        one_operator(vec![TaskSnapshot { input_channels, output_channels, ..TaskSnapshot::default() }])
    };
    let most = with(40_000, 25_536);
    assert_eq!(decode(&encode(&most).unwrap()), Ok(most));
    let error = encode(&with(40_000, 25_537)).unwrap_err();
    assert_eq!(error.to_string(), "operator a, subtask 0: has 65537 handles; the limit is 65536");

    let write = |pen: Pen, count: u64| {
        (0..count).fold(pen.number(count), |pen, channel| pen.raw(&[0]).number(channel).raw(&[0, 0, 0]))
    };
    refused(
        &write(write(Pen::subtask().raw(&[24]), 40_000), 25_537),
        "has 65537 handles; the limit is 65536",
    );
    refused(&write(Pen::subtask().raw(&[8]), 65_537), "input channel: is 65537; the limit is 65536");
}

#[test]
fn hardening_4_1_3_texts_are_limited() {
    refused(
        &Pen::preamble().raw(&[1]).text_name(&"a".repeat(97)).raw(&[1, 1, 0]),
        "name: is 97; the limit is 96",
    );
    let prefix = Pen::preamble().raw(&[1, 1]).text(&"a".repeat(65)).raw(&[1; 16]).raw(&[1, 1, 0]);
    refused(&prefix, "name: is 65; the limit is 64");
    let root = |len| {
        let subtask = Pen(Pen::preamble().0[..19].to_vec()).raw(&[1]).text(&"x".repeat(len));
        subtask.raw(&[1]).text_name("a").raw(&[1, 1, 1, 0, 0, 1, 3]).text_name("f").raw(&[0, 1, 2, 3, 4])
    };
    let most = decode(&seal(&root(limits::ROOT_LEN).0)).unwrap();
    assert_eq!(encode(&most), Ok(seal(&root(limits::ROOT_LEN).0)));
    refused(&root(limits::ROOT_LEN + 1), "directory: is 4097; the limit is 4096");
    refused(&root(0), "directory: its address has 0 bytes");
}

#[test]
fn hardening_4_1_3_counts_are_held_against_the_bytes_that_are_left() {
    refused(
        &Pen::preamble().number(2).raw(&[0; 11]),
        "number of operators: is 2, and the bytes that follow hold no more than 1",
    );
    let operator = Pen::preamble().raw(&[1]).text_name("a").number(32_768);
    refused(
        &operator.number(5).raw(&[0; 4]),
        "number of subtasks: is 5, and the bytes that follow hold no more than 4",
    );
    refused(&Pen::subtask().raw(&[2, 0, 1]).number(65_536).raw(&[0; 99]), "number of parts: is 65536, and");
    refused(
        &Pen::subtask().raw(&[4]).number(65_536).raw(&[0; 99]),
        "number of operator states: is 65536, and",
    );
    refused(&Pen::subtask().raw(&[16]).number(65_536).raw(&[0; 99]), "output channel: is 65536, and");
    refused(
        &Pen::subtask().raw(&[1, 0, 1, 0]).number(1 << 60).raw(&[0; 99]),
        "state in the metadata: is 1152921504606846976, and",
    );
    refused(
        &Pen(Pen::preamble().0[..19].to_vec()).number(65_536).raw(&[0; 99]),
        "number of directories: is 65536, and",
    );
}

/// State that the job manager keeps in memory may have more than the 1 MiB up to which a file storage keeps it inline, so the
/// limit is that of the record.
#[test]
fn hardening_4_1_3_inline_state_is_limited_by_the_record() {
    let large = one_operator(vec![keyed(inline(6 << 20))]);
    assert_eq!(decode(&encode(&large).unwrap()), Ok(large));
    let half = |start| TaskSnapshot {
        input_channels: vec![ChannelHandle { gate: start, channel: 0, buffers: 0, handle: inline(1 << 27) }],
        ..TaskSnapshot::default()
    };
    let error = encode(&one_operator(vec![half(0), half(1)])).unwrap_err();
    assert!(matches!(error, FormatError::TooLarge { limit: MAX_BODY, .. }), "{error}");
}

#[test]
fn hardening_4_1_3_offsets_and_lengths_fit_a_file() {
    let file = |len| Pen::subtask().raw(&[1, 0, 1, 1, 0]).text_name("f").number(len).raw(&[1, 2, 3, 4]);
    let segment = |offset, len| {
        Pen::subtask().raw(&[1, 0, 1, 2, 0, 0]).text_name("f").number(offset).number(len).raw(&[1, 2, 3, 4])
    };
    assert!(decode(&seal(&file(limits::FILE_LEN).0)).is_ok());
    assert!(decode(&seal(&segment(limits::FILE_LEN - 9, 9).0)).is_ok());
    refused(&file(limits::FILE_LEN + 1), "are beyond every file");
    refused(&segment(limits::FILE_LEN - 8, 9), "are beyond every file");
    refused(&segment(u64::MAX, u64::MAX), "are beyond every file");
}

#[test]
fn hardening_4_1_3_key_groups_are_those_of_the_operator() {
    let range = |start, end| Pen::subtask().raw(&[1]).number(start).number(end).raw(&[0, 0]);
    assert!(decode(&seal(&range(0, 127).0)).is_ok());
    refused(&range(0, 128), "key groups 0..=128 are not within 0..128");
    refused(&range(2, 1), "key groups 2..=1 are not within 0..128");
    refused(&range(0, 65_536), "last key group: is 65536; the limit is 65535");
}

#[test]
fn hardening_4_1_4_nothing_stands_there_twice() {
    let operators = |first: &str, second: &str| {
        Pen::preamble().raw(&[2]).text_name(first).raw(&[1, 1, 0]).text_name(second).raw(&[1, 1, 0])
    };
    assert!(decode(&seal(&operators("a", "b").0)).is_ok());
    refused(&operators("a", "a"), "operator a: stands there twice");
    refused(&operators("b", "a"), "operator a: is not in its place; the order is ascending");
    let state = |pen: Pen| pen.text_name("s").raw(&[0, 0, 0, 0]);
    refused(&state(state(Pen::subtask().raw(&[4, 2]))), "operator state s: stands there twice");
    let part = |pen: Pen| pen.text_name("p").raw(&[0, 0, 0]);
    refused(&part(part(Pen::subtask().raw(&[2, 0, 1, 2]))), "part p: stands there twice");
    refused(
        &Pen::subtask().raw(&[8, 2, 3, 4, 0, 0, 0, 3, 4, 0, 0, 0]),
        "input channel 4 of gate 3: stands there twice",
    );
    let overlap = Pen::preamble().raw(&[1]).text_name("a").raw(&[128, 2, 1, 0, 5, 0, 0, 1, 5, 9, 0, 0]);
    refused(&overlap, "operator a: key groups 5..=9 are in part those of another subtask, too");
    let segment = |pen: Pen, number| pen.raw(&[2, number, 0]).text_name("f").raw(&[0, 0, 1, 2, 3, 4]);
    let channel = Pen::subtask().raw(&[8, 2, 0, 0, 0]);
    refused(&segment(segment(channel, 0).raw(&[0, 1, 0]), 1), "segment f: has two numbers");
}

#[test]
fn hardening_4_1_4_directories_are_listed_once_in_order_and_used() {
    let roots = |texts: &[&str], uses: &[u8]| {
        let preamble = Pen(Pen::preamble().0[..19].to_vec()).number(texts.len() as u64);
        let listed = texts.iter().fold(preamble, |pen, text| pen.text(text)).raw(&[1]).text_name("a");
        let channels = listed.raw(&[1, 1, 8]).number(uses.len() as u64);
        (0..).zip(uses).fold(channels, |pen, (channel, root)| {
            pen.raw(&[0, channel, 0, 1, 3 + root]).text_name("f").raw(&[0, 1, 2, 3, 4])
        })
    };
    assert!(decode(&seal(&roots(&["a", "b"], &[1, 0]).0)).is_ok());
    refused(&roots(&["a", "a"], &[0, 1]), "directory \"a\": is not in its place");
    refused(&roots(&["b", "a"], &[0, 1]), "directory \"a\": is not in its place");
    refused(&roots(&["a", "b"], &[1]), "directory \"a\": is listed, but no handle refers to it");
    refused(&roots(&["a"], &[0, 1]), "directory: is number 1 of 1 that are listed");
    refused(&roots(&["a\n"], &[0]), "its address has control characters");
}

#[test]
fn hardening_4_1_4_a_number_has_one_form() {
    let mut padded = Pen::preamble();
    padded.0[16] = 251;
    padded.0.splice(17..17, [17, 0]);
    refused(&padded.raw(&[0]), "checkpoint id: has more bytes than it needs");
    for wide in [&[251, 250, 0][..], &[252, 255, 255, 0, 0], &[253, 255, 255, 255, 255, 0, 0, 0, 0]] {
        refused(&Pen::preamble().raw(wide), "number of operators: has more bytes than it needs");
    }
    for none in [254, 255] {
        refused(&Pen::preamble().raw(&[none]).raw(&[0; 16]), "number of operators: cannot be read");
    }
}

#[test]
fn hardening_4_1_4_a_name_has_one_form() {
    let operator = |name: Pen| name.raw(&[1, 1, 0]);
    let spelled = |prefix: &str| operator(Pen::preamble().raw(&[1, 1]).text(prefix).raw(&[0xab; 16]));
    assert!(decode(&seal(&spelled("other-").0)).is_ok());
    for short in ["state-", "segment-", "owned-", "shared-0-", "shared-17-"] {
        refused(&spelled(short), &format!("name: \"{short}\" is spelled out"));
    }
    let digits = format!("state-{}", "ab".repeat(16));
    refused(&operator(Pen::preamble().raw(&[1]).text_name(&digits)), "is not packed");
    refused(&Pen::subtask().raw(&[4, 0]), "number of operator states: is 0, which is not how it is written");
    refused(&Pen::subtask().raw(&[16, 0]), "output channel: is 0, which is not how it is written");
}

#[test]
fn hardening_4_1_4_unknown_codes_are_refused() {
    let mut kind = Pen::preamble();
    for unknown in [8, 63, 64 + 8, 128 + 9, 255] {
        kind.0[17] = unknown;
        refused(&kind.clone().raw(&[0]), &format!("kind: has the unknown code {unknown}"));
    }
    refused(&Pen::preamble().raw(&[1, 6]).raw(&[1; 20]), "name: has the unknown code 6");
    for contents in [3, 64, 128, 255] {
        refused(&Pen::subtask().raw(&[contents]), &format!("contents: has the unknown code {contents}"));
    }
    refused(&Pen::subtask().raw(&[1, 0, 1, 3]), "handle: has the unknown code 3");
    refused(
        &Pen::subtask().raw(&[4, 1]).text_name("s").raw(&[3, 0, 0, 0]),
        "operator state s: redistribution: has the unknown code 3",
    );
    refused(
        &Pen::subtask().raw(&[2, 0, 1, 1]).text_name("p").raw(&[2, 0, 0]),
        "part p: origin: has the unknown code 2",
    );
}

#[test]
fn hardening_4_1_4_nothing_follows_the_end_and_ids_begin_with_one() {
    refused(&Pen::subtask().raw(&[0, 0]), "metadata: goes on for 1 bytes after its end");
    let mut zero = Pen::preamble();
    zero.0[16] = 0;
    refused(&zero.raw(&[0]), "checkpoint id: is 0; ids begin with 1");
}

#[test]
fn hardening_4_2_2_a_handle_cannot_name_a_place_outside() {
    for name in ["../x", "..", "/etc", ".x", "a/b", "a\\b", "a\0", "%2e%2e", "A", "\u{e4}", ""] {
        let file = Pen::subtask().raw(&[1, 0, 1, 1, 0]).text_name(name).raw(&[0, 1, 2, 3, 4]);
        refused(&file, "operator a, subtask 0: state file: ");
        let prefix =
            Pen::subtask().raw(&[1, 0, 1, 1, 0, 1]).text(name).raw(&[0xab; 16]).raw(&[0, 1, 2, 3, 4]);
        if !name.is_empty() {
            refused(&prefix, "operator a, subtask 0: state file: ");
        }
    }
    let not_text = Pen::subtask().raw(&[1, 0, 1, 1, 0, 0, 2, 0xc3, 0x28, 0, 1, 2, 3, 4]);
    refused(&not_text, "state file: is not text");
}

/// Flink's own metadata begins with `0x4960672d` and a version, and holds serialised Java objects. None of it is ours.
#[test]
fn hardening_4_1_6_metadata_of_flink_is_refused_by_its_magic_and_nothing_in_it_is_read() {
    let magic = 0x4960_672d_u32.to_be_bytes();
    let java = [0xac, 0xed, 0x00, 0x05, b's', b'r', 0x7f, 0xff];
    for version in 1..=6_u32 {
        let start = [&magic[..], &version.to_be_bytes(), &17_u64.to_be_bytes()].concat();
        // Whatever follows: objects, numbers of elements that nobody has, or one of our own records.
        let ours = encode(&one_operator(vec![TaskSnapshot::default()])).unwrap();
        for rest in [java.repeat(9), vec![0xff; 99], vec![0; 99], ours] {
            assert_eq!(
                decode(&[&start[..], &rest].concat()),
                Err(FormatError::BadMagic),
                "version {version}"
            );
        }
    }
}
