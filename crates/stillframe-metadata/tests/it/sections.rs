//! The checklist for decoders once more, for the sections behind the operators: coordinators and hooks.

#![expect(clippy::unwrap_used, reason = "in the helper functions of tests, too, a panic is the report")]

use crate::forge::{Pen, seal};
use bytes::Bytes;
use std::collections::BTreeMap;
use stillframe_metadata::{decode, encode, limits};
use stillframe_model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, JobId, Name, OperatorState, PostCheckpointAction,
    SavepointFormat, SavepointKind, TaskSnapshot, UnixMillis,
};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// Three operators without state: `a`, `b` and `c`.
fn metadata() -> CheckpointMetadata {
    let operator =
        OperatorState { max_parallelism: 1, subtasks: vec![TaskSnapshot::default()], coordinator: None };
    CheckpointMetadata {
        job: JobId::from_bytes([9; 16]),
        checkpoint: CheckpointId::new(17),
        kind: CheckpointKind::Checkpoint,
        triggered_at: UnixMillis(0),
        operators: ["a", "b", "c"].map(|text| (name(text), operator.clone())).into(),
        hooks: BTreeMap::new(),
    }
}

/// The same by hand, up to the sections that the byte with the kind announces.
fn pen(kind: u8) -> Pen {
    let mut pen = Pen::preamble().raw(&[3]);
    pen.0[17] = kind;
    ["a", "b", "c"].iter().fold(pen, |pen, name| pen.text_name(name).raw(&[1, 1, 0]))
}

const COORDINATORS: u8 = 64;
const HOOKS: u8 = 128;

fn read(pen: &Pen) -> CheckpointMetadata {
    let bytes = seal(&pen.0);
    let metadata = decode(&bytes).unwrap();
    assert_eq!(encode(&metadata), Ok(bytes));
    metadata
}

#[track_caller]
fn refused(pen: &Pen, expected: &str) {
    let found = pen.refusal();
    assert_eq!(found, expected);
}

#[test]
fn each_kind_has_its_number_with_and_without_what_follows() {
    let savepoint = |format, action| CheckpointKind::Savepoint(SavepointKind { format, action });
    let kinds = [
        CheckpointKind::Checkpoint,
        CheckpointKind::FullCheckpoint,
        savepoint(SavepointFormat::Canonical, PostCheckpointAction::None),
        savepoint(SavepointFormat::Canonical, PostCheckpointAction::Suspend),
        savepoint(SavepointFormat::Canonical, PostCheckpointAction::Terminate),
        savepoint(SavepointFormat::Native, PostCheckpointAction::None),
        savepoint(SavepointFormat::Native, PostCheckpointAction::Suspend),
        savepoint(SavepointFormat::Native, PostCheckpointAction::Terminate),
    ];
    for (number, kind) in (0..).zip(kinds) {
        assert_eq!(read(&pen(number)).kind, kind);
        let hook = pen(number | HOOKS).raw(&[1]).text_name("h").raw(&[0]);
        assert_eq!(read(&hook).kind, kind);
        let coordinator = pen(number | COORDINATORS).raw(&[1, 0, 0]);
        assert_eq!(read(&coordinator).kind, kind);
        let both = pen(number | COORDINATORS | HOOKS).raw(&[1, 0, 0, 1]).text_name("h").raw(&[0]);
        assert_eq!(read(&both).kind, kind);
    }
}

#[test]
fn what_has_neither_coordinators_nor_hooks_is_written_without_the_sections() {
    assert_eq!(encode(&metadata()), Ok(seal(&pen(0).0)));
    assert_eq!(read(&pen(0)), metadata());
}

#[test]
fn coordinators_follow_by_the_number_of_their_operator_and_hooks_by_name() {
    let mut expected = metadata();
    expected.operators.get_mut(&name("a")).unwrap().coordinator = Some(Bytes::new());
    expected.operators.get_mut(&name("c")).unwrap().coordinator = Some(Bytes::from_static(b"splits"));
    let coordinators = |kind| pen(kind).raw(&[2, 0, 0, 2]).text("splits");
    assert_eq!(read(&coordinators(COORDINATORS)), expected);
    expected.hooks =
        [("h", &b"x"[..]), ("i", b"")].map(|(hook, state)| (name(hook), Bytes::from_static(state))).into();
    let hooks = |pen: Pen| pen.raw(&[2]).text_name("h").text("x").text_name("i").text("");
    assert_eq!(read(&hooks(coordinators(COORDINATORS | HOOKS))), expected);
    expected.operators = metadata().operators;
    assert_eq!(read(&hooks(pen(HOOKS))), expected);
}

#[test]
fn hardening_4_1_3_hooks_are_limited() {
    let mut most = metadata();
    most.hooks = (0..limits::HOOKS).map(|i| (name(&format!("{i:05}")), Bytes::new())).collect();
    assert_eq!(decode(&encode(&most).unwrap()).unwrap(), most);
    most.hooks.insert(name("more"), Bytes::new());
    assert_eq!(encode(&most).unwrap_err().to_string(), "hooks: are 65537; the limit is 65536");
    refused(
        &pen(HOOKS).number(65_537).raw(&[0; 1_000_000]),
        "metadata: number of hooks: is 65537; the limit is 65536",
    );
}

#[test]
fn hardening_4_1_3_counts_of_the_sections_are_held_against_the_bytes_that_are_left() {
    refused(
        &pen(COORDINATORS).raw(&[4]).raw(&[0; 7]),
        "metadata: number of coordinators: is 4, and the bytes that follow hold no more than 3",
    );
    refused(
        &pen(COORDINATORS).number(65_537).raw(&[0; 1_000_000]),
        "metadata: number of coordinators: is 65537; the limit is 65536",
    );
    refused(
        &pen(COORDINATORS).raw(&[1, 1]).number(1 << 60).raw(&[0; 9]),
        "coordinator of b: state in the metadata: is 1152921504606846976, and the bytes that follow hold no more \
         than 9",
    );
    refused(
        &pen(HOOKS).raw(&[2]).raw(&[0; 7]),
        "metadata: number of hooks: is 2, and the bytes that follow hold no more than 1",
    );
    refused(
        &pen(HOOKS).raw(&[1]).text_name("h").raw(&[9]).raw(&[0; 8]),
        "hook h: state in the metadata: is 9, and the bytes that follow hold no more than 8",
    );
}

#[test]
fn hardening_4_1_4_coordinators_are_those_of_operators_in_order() {
    let of = |numbers: &[u8]| {
        let pen = pen(COORDINATORS).number(numbers.len() as u64);
        numbers.iter().fold(pen, |pen, number| pen.raw(&[*number, 0]))
    };
    read(&of(&[0, 1, 2]));
    refused(&of(&[1, 1]), "coordinator of operator number 1: stands there twice");
    refused(&of(&[2, 0]), "coordinator of operator number 0: is not in its place; the order is ascending");
    refused(&of(&[0, 3]), "coordinator of operator number 3: there are 3 operators");
    let far = pen(COORDINATORS).raw(&[1]).number(u64::MAX).raw(&[0]);
    refused(&far, "coordinator of operator number 18446744073709551615: there are 3 operators");
}

#[test]
fn hardening_4_1_4_hooks_have_one_order_and_names_of_one_form() {
    let of = |names: &[&str]| {
        let pen = pen(HOOKS).number(names.len() as u64);
        names.iter().fold(pen, |pen, name| pen.text_name(name).raw(&[0]))
    };
    read(&of(&["h", "i"]));
    refused(&of(&["h", "h"]), "hook h: stands there twice");
    refused(&of(&["i", "h"]), "hook h: is not in its place; the order is ascending");
    let digits = format!("state-{}", "ab".repeat(16));
    refused(
        &of(&[&digits]),
        &format!("hook: name: \"{digits}\" is not packed, which is not how it is written"),
    );
    assert!(of(&["../h"]).refusal().starts_with("hook: name: not a valid name"));
}

#[test]
fn hardening_4_1_4_a_section_that_is_announced_is_not_empty_and_one_that_is_not_is_not_there() {
    refused(
        &pen(COORDINATORS).raw(&[0]),
        "metadata: number of coordinators: is 0, which is not how it is written",
    );
    refused(&pen(HOOKS).raw(&[0]), "metadata: number of hooks: is 0, which is not how it is written");
    refused(
        &pen(COORDINATORS),
        "metadata: number of coordinators: cannot be read, the bytes end before it does",
    );
    refused(
        &pen(COORDINATORS | HOOKS).raw(&[1, 0, 0]),
        "metadata: number of hooks: cannot be read, the bytes end before it does",
    );
    refused(&pen(0).raw(&[1, 0, 0]), "metadata: goes on for 3 bytes after its end");
    refused(&pen(COORDINATORS).raw(&[1, 0, 0, 0]), "metadata: goes on for 1 bytes after its end");
    refused(&pen(HOOKS).raw(&[1]).text_name("h").raw(&[0, 0]), "metadata: goes on for 1 bytes after its end");
}
