//! The sections behind the operators: the state of their coordinators, and of the job's hooks.
//!
//! Each is there only if there is something in it, which the byte with the kind says: what has neither is as short as can be.

use super::input::{Input, Problem, unknown};
use super::read::misplaced;
use super::tag::{self, follows};
use super::{invalid, packed};
use crate::frame::codec::write_number;
use crate::{FormatError, limits};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use stillframe_model::{CheckpointKind, CheckpointMetadata, Name, OperatorState};

/// The fewest bytes of a coordinator: its operator's number, and a length.
const MIN_COORDINATOR: usize = 2;
/// The fewest bytes of a hook: a name of one letter, and a length.
const MIN_HOOK: usize = 4;

type Operators = BTreeMap<Name, OperatorState>;

/// The byte with the kind.
pub(super) fn kind(metadata: &CheckpointMetadata) -> u8 {
    let flag = |given: bool, flag: u8| if given { flag } else { 0 };
    tag::of_kind(metadata.kind)
        | flag(coordinators(&metadata.operators).next().is_some(), follows::COORDINATORS)
        | flag(!metadata.hooks.is_empty(), follows::HOOKS)
}

/// Those that have state, each with the number of its operator.
fn coordinators(operators: &Operators) -> impl Iterator<Item = (u64, &Bytes)> {
    let numbered = (0..).zip(operators.values());
    numbered.filter_map(|(number, operator)| Some((number, operator.coordinator.as_ref()?)))
}

pub(super) fn write(bytes: &mut Vec<u8>, metadata: &CheckpointMetadata) {
    let count = coordinators(&metadata.operators).count();
    if count > 0 {
        write_number(bytes, count as u64);
        for (number, state) in coordinators(&metadata.operators) {
            write_number(bytes, number);
            write_state(bytes, state);
        }
    }
    if !metadata.hooks.is_empty() {
        write_number(bytes, metadata.hooks.len() as u64);
        for (name, state) in &metadata.hooks {
            packed::write(bytes, name);
            write_state(bytes, state);
        }
    }
}

fn write_state(bytes: &mut Vec<u8>, state: &Bytes) {
    write_number(bytes, state.len() as u64);
    bytes.extend_from_slice(state);
}

/// The kind, and what follows.
pub(super) fn read_kind(input: &mut Input<'_>) -> Result<(CheckpointKind, u8), Problem> {
    let byte = input.byte("kind")?;
    match tag::KINDS.get(usize::from(byte & !follows::KNOWN)) {
        Some(kind) => Ok((*kind, byte & follows::KNOWN)),
        None => Err(unknown("kind", byte)),
    }
}

/// Gives the operators the state of their coordinators.
pub(super) fn read_coordinators(input: &mut Input<'_>, operators: &mut Operators) -> Result<(), FormatError> {
    let of_metadata = |problem| invalid("metadata", problem);
    let count =
        input.some("number of coordinators", MIN_COORDINATOR, limits::OPERATORS).map_err(of_metadata)?;
    let listed = operators.len();
    let mut rest = (0..).zip(operators);
    // The number that comes next if no operator is left out.
    let mut next = 0;
    for _ in 0..count {
        let number = input.number("operator of a coordinator", u64::MAX).map_err(of_metadata)?;
        let of_number = |problem| invalid(format!("coordinator of operator number {number}"), problem);
        if number < next {
            return Err(of_number(String::from(misplaced(number.checked_add(1) == Some(next)))));
        }
        let Some((_, (name, operator))) = rest.find(|(place, _)| *place == number) else {
            return Err(of_number(format!("there are {listed} operators")));
        };
        let state =
            read_state(input).map_err(|problem| invalid(format!("coordinator of {name}"), problem))?;
        operator.coordinator = Some(state);
        next = number.saturating_add(1);
    }
    Ok(())
}

pub(super) fn read_hooks(input: &mut Input<'_>) -> Result<BTreeMap<Name, Bytes>, FormatError> {
    let count = input
        .some("number of hooks", MIN_HOOK, limits::HOOKS)
        .map_err(|problem| invalid("metadata", problem))?;
    let mut hooks: BTreeMap<Name, Bytes> = BTreeMap::new();
    for _ in 0..count {
        let name = packed::read(input, "name").map_err(|problem| invalid("hook", problem))?;
        if let Some((last, _)) = hooks.last_key_value().filter(|(last, _)| **last >= name) {
            return Err(invalid(format!("hook {name}"), misplaced(*last == name)));
        }
        let state = read_state(input).map_err(|problem| invalid(format!("hook {name}"), problem))?;
        hooks.insert(name, state);
    }
    Ok(hooks)
}

fn read_state(input: &mut Input<'_>) -> Result<Bytes, Problem> {
    input.bytes("state in the metadata", usize::MAX).map(Bytes::copy_from_slice)
}
